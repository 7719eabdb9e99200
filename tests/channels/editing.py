"""A guarded room as its tests play it: upstream, the live document, visitors' pages, and what a page does to cells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pycrdt import Array, Doc, Map, Text

from sharegate.channels.guard import DocumentGuard, DocumentKind, Judged
from sharegate.channels.lib0 import sized, uint
from sharegate.policy.documents import DocumentRules
from sharegate.policy.load import load_policies

RULES = load_policies().documents
NAME = "json:notebook:11111111-1111-4111-8111-111111111111"
GATE, UPSTREAM = 7, 1
STREAM = {"output_type": "stream", "name": "stdout", "text": "hé\n"}
HTML = {"output_type": "display_data", "data": {"text/html": "<b>1</b>"}, "metadata": {}}
SCRIPT = {"output_type": "display_data", "data": {"application/javascript": "alert(1)"}, "metadata": {}}
IMAGE_XSS = {"output_type": "display_data", "data": {"text/html": "<img src=x onerror=alert(1)>"}, "metadata": {}}

Change = Callable[[Any], object]


def code(name: str, source: str = "x = 1", *, trusted: bool | None = True, outputs: tuple[Any, ...] = ()) -> Map:
    """A code cell as @jupyter/ydoc makes it."""
    return Map(
        {
            "source": Text(source),
            "metadata": Map({} if trusted is None else {"trusted": trusted}),
            "cell_type": "code",
            "id": name,
            "outputs": Array([output(one) for one in outputs]),
            "execution_count": 3.0 if outputs else None,
        }
    )


def markdown(name: str, source: str = "# hi", kind: str = "markdown", **more: Any) -> Map:
    return Map({"source": Text(source), "metadata": Map({}), "cell_type": kind, "id": name, **more})


def odd(**keys: Any) -> Map:
    """A code cell with some keys otherwise than pages make them; None leaves one out."""
    whole = {"source": Text(""), "metadata": Map({}), "cell_type": "code", "id": "x", "outputs": Array([])} | keys
    return Map({key: value for key, value in whole.items() if value is not None})


def output(plain: dict[str, Any]) -> Map:
    found = dict(plain)
    if found["output_type"] == "stream":
        found["text"] = Text(found["text"])
    return Map(found)


def open_page(whole: bytes, client: int, kind: DocumentKind = DocumentKind.NOTEBOOK) -> Doc:
    """A copy of the document, as the page of somebody holds it."""
    doc: Doc = Doc(client_id=client)
    roots = {"state": Map, "meta": Map, "cells": Array} if kind is DocumentKind.NOTEBOOK else {"state": Map}
    if kind is DocumentKind.TEXT:
        roots["source"] = Text
    for name, type_ in roots.items():
        doc.get(name, type=type_)
    doc.apply_update(whole)
    return doc


def change(doc: Doc, *what: Change) -> bytes:
    """Do it in one transaction; the update for it."""
    updates: list[bytes] = []
    subscription = doc.observe(lambda event: updates.append(event.update))
    with doc.transaction():
        for one in what:
            one(doc)
    doc.unobserve(subscription)
    assert len(updates) == 1, "nothing was changed"
    return updates[0]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Room:
    """`trusted`: a trusted cell with outputs; `plain`: outputs that nobody trusts; then `empty`, `text`, `raw`."""

    def __init__(self, rules: DocumentRules = RULES, kind: DocumentKind = DocumentKind.NOTEBOOK) -> None:
        self.kind = kind
        self.clock = Clock()
        self.upstream = open_page(b"\0\0", UPSTREAM, kind)
        self.live = open_page(b"\0\0", 2, kind)
        self.pages: dict[int, Doc] = {}
        self.guard = DocumentGuard(
            kind, NAME, rules, client_id=GATE, live=lambda: self.live.get_update(), clock=self.clock
        )
        if kind is DocumentKind.NOTEBOOK:
            self.from_upstream(_fill)
        else:
            self.from_upstream(lambda doc: doc["source"].insert(0, "hello\n"), lambda doc: _state(doc["state"]))

    def from_upstream(self, *what: Change) -> bytes:
        update = change(self.upstream, *what)
        self.live.apply_update(update)
        self.guard.follow(update)
        for page in self.pages.values():
            page.apply_update(update)
        return update

    def page(self, client: int = 100) -> Doc:
        if client not in self.pages:
            self.pages[client] = open_page(self.live.get_update(), client, self.kind)
        return self.pages[client]

    def edit(self, *what: Change, client: int = 100) -> Judged:
        return self.send(change(self.page(client), *what), client)

    def send(self, update: bytes, client: int = 100) -> Judged:
        judged = self.guard.judge(update)
        self.deliver(judged, client)
        return judged

    def deliver(self, judged: Judged, client: int) -> None:
        self.live.apply_update(judged.update)
        self.upstream.apply_update(judged.update)
        for other, page in self.pages.items():
            if other != client:
                page.apply_update(judged.update)
            elif judged.correction:
                page.apply_update(judged.correction)

    def cell(self, name: str, doc: Doc | None = None) -> Map:
        return next(cell for cell in (doc or self.live)["cells"] if isinstance(cell, Map) and cell.get("id") == name)

    def at(self, name: str, doc: Doc) -> int:
        return [cell.get("id") for cell in doc["cells"]].index(name)


def _state(state: Map) -> None:
    state["path"], state["hash"], state["dirty"] = "sub/nb.ipynb", "h", False


def _fill(doc: Doc) -> None:
    _state(doc["state"])
    doc["meta"]["nbformat"], doc["meta"]["nbformat_minor"] = 4.0, 5.0
    kernel = {"name": "python3", "display_name": "Python 3"}
    doc["meta"]["metadata"] = Map({"kernelspec": kernel, "language_info": {"name": "python"}, "title": "T"})
    cells = doc["cells"]
    cells.append(code("trusted", "print('hé')", outputs=(STREAM, HTML)))
    cells.append(code("plain", "y", trusted=False, outputs=(IMAGE_XSS,)))
    cells.append(code("empty", "z", trusted=False))
    cells.append(markdown("text", "# hi"))
    cells.append(markdown("raw", "r", "raw"))


def item(client: int, parent: str, content: bytes, kind: int, key: str = "") -> bytes:
    """An update of one struct, first of `client`, directly below a root."""
    info = kind | (0x20 if key else 0)
    where = b"\x01" + sized(parent.encode()) + (sized(key.encode()) if key else b"")
    return uint(1) + uint(1) + uint(client) + uint(0) + bytes([info]) + where + content + b"\x00"


# What pages do: each a change for Room.edit.


def fresh(plain: dict[str, Any], name: str | None = None) -> Map:
    """A new cell with what an old one held, as pages move and paste."""
    cell: dict[str, Any] = {
        "source": Text(plain["source"]),
        "metadata": Map(plain["metadata"]),
        "cell_type": plain["cell_type"],
        "id": name or plain["id"],
    }
    if plain["cell_type"] == "code":
        cell["outputs"] = Array([output(one) for one in plain["outputs"]])
        cell["execution_count"] = plain.get("execution_count")
    elif plain.get("attachments"):
        cell["attachments"] = plain["attachments"]
    return Map(cell)


def move(start: int, end: int) -> Change:
    def moved(doc: Doc) -> None:
        plain = doc["cells"][start].to_py()
        del doc["cells"][start]
        doc["cells"].insert(end, fresh(plain))

    return moved


def clear(index: int) -> Change:
    def cleared(doc: Doc) -> None:
        cell = doc["cells"][index]
        cell["outputs"].clear()
        cell["execution_count"], cell["execution_state"] = None, "idle"
        cell["metadata"]["trusted"] = True

    return cleared


def retype(index: int, kind: str) -> Change:
    def retyped(doc: Doc) -> None:
        plain = doc["cells"][index].to_py()
        del doc["cells"][index]
        plain |= {"cell_type": kind, "outputs": []}
        plain["metadata"] |= {"trusted": True} if kind == "code" else {}
        doc["cells"].insert(index, fresh(plain))

    return retyped


def insert(index: int, cell: Any) -> Change:
    """`cell`: a cell, or what makes one (a cell can be put in once)."""
    return lambda doc: doc["cells"].insert(index, cell() if callable(cell) else cell)


def put(index: int, key: str, value: Any) -> Change:
    return lambda doc: doc["cells"][index].__setitem__(key, value)


def tag(index: int, key: str, value: Any) -> Change:
    return lambda doc: doc["cells"][index]["metadata"].__setitem__(key, value)


def note(key: str, value: Any) -> Change:
    return lambda doc: doc["meta"]["metadata"].__setitem__(key, value)
