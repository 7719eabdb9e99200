"""Changes that honest pages make and what others try, and what is asked of a guard after each."""

from __future__ import annotations

from typing import Any

import pytest
from pycrdt import Doc, Map

from sharegate.channels.guard import Judged
from sharegate.errors import Denied, Reason
from tests.channels.editing import (
    HTML,
    IMAGE_XSS,
    NAME,
    STREAM,
    Change,
    Room,
    clear,
    code,
    fresh,
    insert,
    markdown,
    move,
    note,
    open_page,
    put,
    retype,
    tag,
)

PICTURE = {"a.png": {"image/png": "iVBORw0KGgo="}}


def plain(doc: Doc) -> dict[str, Any]:
    return {name: doc[name].to_py() for name in ("state", "meta", "cells")}


def split(doc: Doc) -> None:
    old = doc["cells"][0].to_py()
    del doc["cells"][0]
    doc["cells"].insert(0, code("half-1", old["source"][:3]))
    doc["cells"].insert(1, fresh(old | {"source": old["source"][3:]}))


def merge(doc: Doc) -> None:
    both = doc["cells"][1].to_py()["source"] + "\n" + doc["cells"][2].to_py()["source"]
    del doc["cells"][1:3]
    doc["cells"].insert(1, code("both", both))


HONEST: dict[str, Change] = {
    "type": lambda doc: doc["cells"][0]["source"].insert(0, "héllo 🐍\n"),
    "delete text": lambda doc: doc["cells"][0]["source"].clear(),
    "insert": insert(2, lambda: code("new", "")),
    "insert markdown": insert(2, markdown("new")),
    "insert raw": insert(2, markdown("new", kind="raw")),
    "delete": lambda doc: doc["cells"].pop(1),
    "delete all": lambda doc: doc["cells"].clear(),
    "move a trusted cell with outputs": move(0, 3),
    "move a cell with outputs that nobody trusts": move(1, 0),
    "copy a cell with outputs": lambda doc: doc["cells"].append(fresh(doc["cells"][0].to_py(), "copy")),
    "copy outputs without their trust": lambda doc: doc["cells"].append(
        code("copy", trusted=False, outputs=(STREAM, HTML))
    ),
    "split": split,
    "merge": merge,
    "clear outputs": clear(0),
    "code to markdown": retype(0, "markdown"),
    "markdown to code": retype(3, "code"),
    "markdown to raw": retype(3, "raw"),
    "attach a picture": put(3, "attachments", PICTURE),
    "attach a picture in lines": put(3, "attachments", {"a.png": {"image/png": ["iVBORw", "0KGgo="]}}),
    "insert with a picture": insert(0, lambda: markdown("new", attachments=PICTURE)),
    "tags": tag(0, "tags", ["a", "b"]),
    "nothing for a value": tag(0, "scrolled", None),
    "slideshow": tag(3, "slideshow", {"slide_type": "slide"}),
    "distrust": tag(0, "trusted", False),
    "trust where nothing was put out": tag(2, "trusted", True),
    "trust text": tag(3, "trusted", True),
    "title": note("title", "Better"),
    "no title": lambda doc: doc["meta"]["metadata"].pop("title"),
    "metadata written anew": lambda doc: _rewrite(doc["meta"]["metadata"]),
    "newest minor again": lambda doc: doc["meta"].__setitem__("nbformat_minor", 5.0),
    "dirty": lambda doc: doc["state"].__setitem__("dirty", True),
    "document_id": lambda doc: doc["state"].__setitem__("document_id", NAME),
    "idle": put(0, "execution_state", "idle"),
    "the count that it has": put(0, "execution_count", 3.0),
}


def _rewrite(metadata: Map) -> None:
    plain = metadata.to_py()
    metadata.clear()
    for key, value in {**plain, "title": "again"}.items():
        metadata[key] = value


def paste(outputs: tuple[Any, ...], trusted: bool | None = True) -> Change:
    return insert(0, lambda: code("new", "alert", trusted=trusted, outputs=outputs))


def trail(judged: Judged) -> tuple[str, ...]:
    assert bool(judged.corrected) == bool(judged.correction)
    return judged.corrected


def assert_refused(room: Room, update: bytes, said: str = "refused|bad_frame") -> None:
    """Refused, and the trial copy as the live document again."""
    before = plain(room.live)
    with pytest.raises(Denied, match=said) as raised:
        room.guard.judge(update)
    assert raised.value.reason in (Reason.UPDATE_REFUSED, Reason.UPDATE_TOO_LARGE, Reason.BAD_FRAME)
    copy = open_page(room.guard.whole(), 3)
    assert plain(copy) == before and set(copy.keys()) == {"state", "meta", "cells"}
    assert room.guard.state_vector() == room.live.get_state()


def assert_nothing_invented(room: Room) -> None:
    """Only outputs that upstream showed, and trust only where it was shown with them or there are none."""
    for cell in room.live["cells"].to_py():
        said = cell["metadata"].get("trusted", False)
        outputs = cell.get("outputs") or []
        assert outputs in ([], [STREAM, HTML], [IMAGE_XSS])
        assert said is False or (said is True and outputs != [IMAGE_XSS])
