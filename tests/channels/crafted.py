"""Updates written byte by byte, as an attacker writes them, and honest pages that exchange real ones."""

from __future__ import annotations

import random
from collections.abc import Mapping

from pycrdt import Array, Doc, Map, Text

from sharegate.channels.lib0 import sized, uint
from sharegate.channels.places import NOTEBOOK_ROOTS, Places
from sharegate.channels.scan import FROM_EDITOR, FROM_UPSTREAM, UpdateSummary, scan_state_vector, scan_update
from sharegate.channels.writers import Writers, settled

OWNER, EVIL = 5, 9  # client ids
SNAKE = "\N{SNAKE}"

# Clocks of the items of `document()`.
PATH, DIRTY, CELL, SOURCE, CHARACTERS, ID, METADATA, OUTPUTS, END = 0, 1, 2, 3, 4, 9, 10, 11, 12

Id = tuple[int, int]


def struct(
    kind: int,
    content: bytes,
    *,
    left: Id | None = None,
    right: Id | None = None,
    parent: str | Id = "cells",
    key: str | None = None,
) -> bytes:
    """One item; `parent` and `key` are written only where no neighbour is named, as yjs does."""
    info, body = kind, b""
    if left is not None:
        info, body = info | 0x80, uint(left[0]) + uint(left[1])
    if right is not None:
        info, body = info | 0x40, body + uint(right[0]) + uint(right[1])
    if left is None and right is None:
        if isinstance(parent, str):
            body += b"\x01" + sized(parent.encode())
        else:
            body += b"\x00" + uint(parent[0]) + uint(parent[1])
        if key is not None:
            info, body = info | 0x20, body + sized(key.encode())
    return bytes([info]) + body + content


def string(text: str, **where: object) -> bytes:
    return struct(4, sized(text.encode()), **where)  # type: ignore[arg-type]


def word(*texts: str, **where: object) -> bytes:
    """A value as maps and lists hold it."""
    return struct(8, uint(len(texts)) + b"".join(b"\x77" + sized(text.encode()) for text in texts), **where)  # type: ignore[arg-type]


def shared(kind: int, **where: object) -> bytes:
    name = sized(b"p") if kind in (3, 5) else b""
    return struct(7, bytes([kind]) + name, **where)  # type: ignore[arg-type]


def update(
    sections: Mapping[int, tuple[int, list[bytes]]] | None = None,
    deletes: Mapping[int, list[tuple[int, int]]] | None = None,
) -> bytes:
    """`sections`: client → first clock and structs; `deletes`: client → (first clock, how many)."""
    out = uint(len(sections or {}))
    for client, (start, structs) in (sections or {}).items():
        out += uint(len(structs)) + uint(client) + uint(start) + b"".join(structs)
    out += uint(len(deletes or {}))
    for client, ranges in (deletes or {}).items():
        out += uint(client) + uint(len(ranges)) + b"".join(uint(start) + uint(size) for start, size in ranges)
    return out


def evil(*structs: bytes, start: int = 0, deletes: Mapping[int, list[tuple[int, int]]] | None = None) -> bytes:
    return update({EVIL: (start, list(structs))}, deletes)


def document() -> Doc:
    """A notebook of one cell, written by the owner: `state.path`, `state.dirty`, and a cell with source and id."""
    doc: Doc = Doc(client_id=OWNER)
    state, cells = doc.get("state", type=Map), doc.get("cells", type=Array)
    state["path"] = "nb.ipynb"
    state["dirty"] = False
    cells.append(Map({"source": Text(f"ab{SNAKE}c"), "id": "x", "metadata": Map({}), "outputs": Array([])}))
    assert clocks(doc) == {OWNER: END}
    return doc


def clocks(doc: Doc) -> dict[int, int]:
    return scan_state_vector(doc.get_state(), FROM_UPSTREAM)


def read(data: bytes) -> UpdateSummary:
    return scan_update(data, FROM_EDITOR, structs=True)


class Peer:
    """The gate's live document with everything that is asked before an update reaches it."""

    def __init__(self, first: bytes) -> None:
        self.doc: Doc = Doc()
        self.writers = Writers()
        self.places = Places(NOTEBOOK_ROOTS)
        summary = scan_update(first, FROM_UPSTREAM, structs=True)
        self.doc.apply_update(first)
        self.writers.upstream(summary)
        self.places.learn(summary)

    def take(self, visit: str, data: bytes) -> bool:
        """Whether it added something; Denied when it was refused."""
        summary = read(data)
        written = self.writers.check(visit, summary, clocks(self.doc))
        self.places.check(summary)
        repeats = self.places.repeats(summary)
        assert not (repeats and written)
        before = self.doc.get_update()
        self.doc.apply_update(data)
        settled(summary, clocks(self.doc))
        self.places.learn(summary)
        assert self.places.repeats(summary)
        if repeats:
            assert self.doc.get_update() == before
        return not repeats


def type_somewhere(doc: Doc, choose: random.Random) -> None:
    """One change of a notebook as an honest page makes it."""
    state, meta = doc.get("state", type=Map), doc.get("meta", type=Map)
    cells = doc.get("cells", type=Array)
    count = len(cells)
    cell = cells[choose.randrange(count)] if count else None
    match choose.randrange(11):
        case 0 | 1 | 2 if cell is not None:
            text = str(cell["source"])
            # pycrdt counts bytes.
            at = len(text[: choose.randrange(len(text) + 1)].encode())
            cell["source"].insert(at, choose.choice(["x", "def f():\n", "ü", SNAKE, f"{SNAKE}{SNAKE}y"]))
        case 3 if cell is not None and str(cell["source"]):
            text = str(cell["source"])
            start = choose.randrange(len(text))
            end = choose.randrange(start, len(text)) + 1
            del cell["source"][len(text[:start].encode()) : len(text[:end].encode())]
        case 4 if cell is not None:
            del cells[choose.randrange(count)]
        case 5 if cell is not None:
            cell["metadata"][choose.choice(["tags", "collapsed"])] = choose.choice([True, ["a", {"b": None}], 1.5])
        case 6 if cell is not None and len(cell["outputs"]):
            del cell["outputs"][0]
        case 7 if cell is not None:
            cell["outputs"].append(choose.choice([{"output_type": "error"}, Map({"text": Text("é")}), None]))
        case 8:
            state["dirty"] = choose.choice([True, False])
        case 9:
            meta[choose.choice(["nbformat", "metadata"])] = choose.choice([4, Map({"a": 1}), {"k": []}])
        case _:
            new = {"source": Text(f"n{SNAKE}"), "metadata": Map({"trusted": True}), "outputs": Array([]), "id": "n"}
            cells.insert(choose.randrange(count + 1), Map(new))
