"""Values of versions: what a document was, who wrote in which cell, and the log that a person's work is undone from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from sharegate.errors import StoreUnavailable

Notebook = dict[str, Any]


class Cause(StrEnum):
    """Why a snapshot was taken."""

    FIRST_WRITE = "first_write"
    INTERVAL = "interval"
    BEFORE_RESTORE = "before_restore"
    BEFORE_UNDO = "before_undo"
    BEFORE_DELETE = "before_delete"
    BEFORE_OVERWRITE = "before_overwrite"
    ALARM = "alarm"
    ASKED = "asked"


class Kind(StrEnum):
    """What a document is made of. BYTES is a file that the gate does not read: it can only be put back whole."""

    NOTEBOOK = "notebook"
    TEXT = "text"
    BYTES = "bytes"


@dataclass(frozen=True, slots=True)
class Content:
    """A document as plain values. `notebook` is an nbformat 4 dict whose sources and stream texts are strings, without
    any cell's `trusted`; `text` and `data` belong to the other kinds."""

    kind: Kind
    notebook: Notebook | None = None
    text: str = ""
    data: bytes = b""

    @classmethod
    def of_notebook(cls, notebook: Notebook) -> Content:
        return cls(Kind.NOTEBOOK, notebook=plain_notebook(notebook))

    @classmethod
    def of_text(cls, text: str) -> Content:
        return cls(Kind.TEXT, text=text)

    @classmethod
    def of_bytes(cls, data: bytes) -> Content:
        return cls(Kind.BYTES, data=data)

    @property
    def cells(self) -> list[dict[str, Any]]:
        return list((self.notebook or {}).get("cells") or ())

    def encode(self) -> bytes:
        """Canonical: equal documents give equal bytes."""
        if self.kind is Kind.BYTES:
            return self.data
        if self.kind is Kind.TEXT:
            return self.text.encode("utf-8", "surrogatepass")
        written = json.dumps(self.notebook, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return written.encode("utf-8", "surrogatepass")

    @classmethod
    def decode(cls, kind: Kind, data: bytes) -> Content:
        """Raises StoreUnavailable for bytes that `encode` did not make."""
        try:
            if kind is Kind.BYTES:
                return cls.of_bytes(data)
            text = data.decode("utf-8", "surrogatepass")
            return cls.of_text(text) if kind is Kind.TEXT else cls.of_notebook(json.loads(text))
        except (ValueError, TypeError, AttributeError, RecursionError) as error:  # fails closed
            raise StoreUnavailable(f"a stored version is damaged: {type(error).__name__}") from error

    def __repr__(self) -> str:
        return f"<Content {self.kind.value}>"


def plain_notebook(notebook: Notebook) -> Notebook:
    """The same with whole numbers as int (Yjs makes them floats), joined sources and stream texts, and no trust."""
    plain: Notebook = {name: _whole(value) for name, value in notebook.items() if name != "cells"}
    plain["cells"] = [_plain_cell(cell) for cell in notebook.get("cells") or ()]
    return plain


def _plain_cell(cell: dict[str, Any]) -> dict[str, Any]:
    plain = {name: _whole(value) for name, value in cell.items() if name != "execution_state"}
    plain["source"] = _joined(plain.get("source", ""))
    metadata = plain.get("metadata")
    plain["metadata"] = {k: v for k, v in metadata.items() if k != "trusted"} if isinstance(metadata, dict) else {}
    if isinstance(plain.get("outputs"), list):
        plain["outputs"] = [_plain_output(output) for output in plain["outputs"]]
    if not plain.get("attachments", True):
        del plain["attachments"]
    return plain


def _plain_output(output: Any) -> Any:
    if isinstance(output, dict) and output.get("output_type") == "stream":
        return output | {"text": _joined(output.get("text", ""))}
    return output


def _joined(text: Any) -> str:
    return "".join(map(str, text)) if isinstance(text, list) else str(text)


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, dict):
        return {str(name): _whole(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_whole(one) for one in value]
    return value


@dataclass(frozen=True, slots=True)
class Facts:
    """How much a document holds. `repeated` counts the characters of lines and cells that stand there before."""

    cells: int
    characters: int
    repeated: int = 0


def facts(content: Content) -> Facts:
    if content.kind is Kind.BYTES:
        return Facts(0, len(content.data))
    pieces = [cell["source"] for cell in content.cells] if content.notebook is not None else content.text.split("\n")
    seen: set[str] = set()
    repeated = 0
    for piece in pieces:
        if piece in seen:
            repeated += len(piece)
        seen.add(piece)
    cells = len(pieces) if content.notebook is not None else 0
    return Facts(cells, sum(map(len, pieces)), repeated)


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What a document was at `taken` (seconds since the epoch). `path` is where it lay then, `file` the server's id of
    it, which follows renames ("" where none is known). `room` is `format:type` ("" for a file without one), `digest` a
    keyed digest of the content, `size` its bytes before compression, `stored` those it takes on disk. `visit`, `link`
    and `share` say whose act it was taken for; empty where nobody's. `named`: an alarm names it."""

    id: str
    upstream: str
    path: str
    file: str = ""
    room: str
    kind: Kind
    taken: float
    cause: Cause
    visit: str = ""
    link: str = ""
    share: str = ""
    digest: str = ""
    size: int = 0
    stored: int = 0
    cells: int = 0
    characters: int = 0
    named: bool = False


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much is kept. `bytes` is per server and after compression, `undo_bytes` per document."""

    bytes: int = 1 << 30
    per_document: int = 200
    days: float = 30
    undo_bytes: int = 32 << 20

    @property
    def visit_bytes(self) -> int:
        """What is kept on the account of one visit: one alone may not fill the room."""
        return self.bytes // 4

    @property
    def link_bytes(self) -> int:
        """The same for all visits of one link: leaving and coming again gives a new visit."""
        return self.bytes // 2


class Authorship(msgspec.Struct, frozen=True, kw_only=True):
    """What one visit wrote in one cell; `file` is the file id of its room, `cell` is "" for a text file."""

    upstream: str
    file: str
    cell: str
    visit: str
    first: float
    last: float
    inserted: int = 0
    deleted: int = 0


class EditKind(StrEnum):
    """STATE: the whole document, from which what follows is counted; UPDATE: one or several merged changes of one
    origin; UNDONE: what `origin` had changed until here was taken back."""

    STATE = "state"
    UPDATE = "update"
    UNDONE = "undone"


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a document's log. `origin` is a visit's id, or "" for the owner's server and for the gate."""

    kind: EditKind
    at: float
    origin: str = ""
    data: bytes = b""


class Place(msgspec.Struct, frozen=True):
    """One history of one room: an epoch of it. `path` is where the file was when the log began."""

    upstream: str
    file: str
    epoch: str
    path: str = ""
