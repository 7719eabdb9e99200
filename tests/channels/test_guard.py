"""What an editor's update may do to a document."""

from __future__ import annotations

import base64
import gc
import json
import weakref
from array import array
from collections.abc import Callable
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycrdt import Array, Doc, Map, Text

from sharegate.channels.guard import KINDS, DocumentGuard, DocumentKind, Judged
from sharegate.channels.lib0 import sized, uint
from sharegate.channels.outputs import digest
from sharegate.errors import Denied, Reason
from tests.channels.documents import deep_any, deep_json, deep_types
from tests.channels.editing import (
    GATE,
    HTML,
    IMAGE_XSS,
    NAME,
    RULES,
    SCRIPT,
    STREAM,
    Change,
    Room,
    change,
    clear,
    code,
    fresh,
    insert,
    item,
    markdown,
    move,
    note,
    odd,
    open_page,
    output,
    put,
    retype,
    tag,
)

HERE = Path(__file__).parent / "recorded"
RECORDED = json.loads((HERE / "notebook.json").read_text())
JUPYTERLAB = json.loads((HERE / "jupyterlab.json").read_text())["rooms"]
PICTURE = {"a.png": {"image/png": "iVBORw0KGgo="}}


@pytest.fixture
def room() -> Room:
    return Room()


def plain(doc: Doc) -> dict[str, Any]:
    return {name: doc[name].to_py() for name in ("state", "meta", "cells")}


def assert_refused(room: Room, update: bytes, said: str = "refused|bad_frame") -> None:
    """Refused, and the trial copy as the live document again."""
    before = plain(room.live)
    with pytest.raises(Denied, match=said) as raised:
        room.guard.judge(update)
    assert raised.value.reason in (Reason.UPDATE_REFUSED, Reason.UPDATE_TOO_LARGE, Reason.BAD_FRAME)
    copy = open_page(room.guard.whole(), 3)
    assert plain(copy) == before and set(copy.keys()) == {"state", "meta", "cells"}
    assert room.guard.state_vector() == room.live.get_state()


# honest pages


@pytest.mark.parametrize("page", RECORDED["pages"])
def test_what_a_real_page_did_is_accepted_as_it_is(page: str) -> None:
    """Insert, type, attach, tag, collapse, move, cut, paste, split, merge, change type, clear, replace, undo, redo."""
    live: Doc = Doc()
    live.apply_update(base64.b64decode(RECORDED["initial"]))
    guard = DocumentGuard(DocumentKind.NOTEBOOK, RECORDED["room"], RULES, client_id=GATE, live=live.get_update)
    for name, update in RECORDED["pages"][page]["updates"]:
        judged = guard.judge(base64.b64decode(update))
        assert (judged.corrected, judged.correction) == ((), b""), name
        assert judged.update == base64.b64decode(update)
        live.apply_update(judged.update)
    final = RECORDED["pages"][page]["final"]
    for cell in final["cells"]:
        if not cell.get("attachments", True):
            del cell["attachments"]
    assert guard.content() == final


@pytest.mark.parametrize("name", JUPYTERLAB)
def test_what_jupyterlab_did_is_accepted(name: str) -> None:
    """Its commands in a real browser; only after "Trust this notebook" is anything put right, and then the trust."""
    live: Doc = Doc()
    guard = DocumentGuard(KINDS[*name.split(":")[:2]], name, RULES, client_id=GATE, live=live.get_update)
    trusting = False
    for done, who, update in JUPYTERLAB[name]:
        if who == "from upstream":
            live.apply_update(base64.b64decode(update))
            guard.follow(base64.b64decode(update))
            continue
        trusting = trusting or done == "trust dialog"
        judged = guard.judge(base64.b64decode(update))
        assert judged.corrected == () or (trusting and judged.corrected == ("trusted",)), done
        live.apply_update(judged.update)
    copy: Doc = Doc()
    copy.apply_update(guard.whole())
    assert copy.get_state() == live.get_state()


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


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_change_is_neither_refused_nor_corrected(room: Room, name: str) -> None:
    """What pages do arrives everywhere as it was sent."""
    update = change(room.page(), HONEST[name])
    judged = room.send(update)
    assert (judged.update, judged.correction, judged.corrected) == (update, b"", ())
    assert plain(room.live) == plain(room.page()) == plain(room.upstream)


def test_a_change_says_which_cells_it_touched(room: Room) -> None:
    """Typing names its cell; inserting, moving and deleting name the cells put in and taken out, and structure."""
    judged = room.edit(HONEST["type"])
    assert (judged.cells, judged.structure) == (("trusted",), False)
    judged = room.edit(move(0, 3))
    assert (judged.cells, judged.structure) == (("trusted",), True)
    judged = room.edit(lambda doc: doc["cells"].pop(0), insert(1, code("new")))
    assert (judged.cells, judged.structure) == (("new", "plain"), True)
    judged = room.edit(lambda doc: doc["cells"][0]["source"].insert(0, "?"))
    assert judged.cells == ("empty",)
    assert room.edit(note("title", "x")).cells == ()


def test_a_cell_that_upstream_renamed_has_its_new_name(room: Room) -> None:
    """jupyter_ydoc gives a cell another id where two have the same."""
    room.from_upstream(put(0, "id", "renamed"))
    assert room.edit(HONEST["type"]).cells == ("renamed",)


def test_what_comes_too_late_is_accepted_and_changes_nothing(room: Room) -> None:
    """Typing in a cell that is gone and a value that another one beat are what honest pages send."""
    page, other = room.page(100), open_page(room.live.get_update(), 50)
    late = [change(page, HONEST["type"]), change(page, clear(0)), change(other, HONEST["dirty"])]
    room.send(change(open_page(room.live.get_update(), 300), HONEST["dirty"]), 300)
    room.from_upstream(lambda doc: doc["cells"].pop(0))
    before = plain(room.live)
    for update in late:
        assert room.guard.judge(update).corrected == ()
        room.live.apply_update(update)
    assert plain(room.live) == before


# what no page sends

REFUSED: dict[str, tuple[Change, str]] = {
    "state.path to another file": (lambda doc: doc["state"].__setitem__("path", "secret/private.ipynb"), "state"),
    "state.hash": (lambda doc: doc["state"].__setitem__("hash", "0"), "state"),
    "a state key of its own": (lambda doc: doc["state"].__setitem__("file_id", "x"), "state"),
    "document_id of another room": (lambda doc: doc["state"].__setitem__("document_id", NAME[:-1] + "2"), "state"),
    "the room's own name for a path": (lambda doc: doc["state"].__setitem__("path", NAME), "state"),
    "a flag for a path": (lambda doc: doc["state"].__setitem__("path", True), "state"),
    "dirty that is no flag": (lambda doc: doc["state"].__setitem__("dirty", 1), "state"),
    "dirty that is a map": (lambda doc: doc["state"].__setitem__("dirty", Map({})), "state"),
    "state.path deleted": (lambda doc: doc["state"].pop("path"), "state"),
    "a path deleted and written anew": (
        lambda doc: [doc["state"].pop("path"), doc["state"].__setitem__("path", "secret/x.ipynb")],
        "state",
    ),
    "a source deleted and put in again": (
        lambda doc: [doc["cells"][0].pop("source"), doc["cells"][0].__setitem__("source", Text("x"))],
        "a key that a cell keeps",
    ),
    "state emptied": (lambda doc: doc["state"].clear(), "state"),
    "a string for a cell": (insert(0, "justastring"), "no map"),
    "a number for a cell": (insert(0, 1), "no map"),
    "null for a cell": (insert(0, None), "no map"),
    "a plain map for a cell": (insert(0, {"id": "x", "cell_type": "code", "source": "", "metadata": {}}), "no map"),
    "a list for a cell": (insert(0, Array([])), "no map"),
    "a text for a cell": (insert(0, Text("x")), "no map"),
    "a document for a cell": (insert(0, Doc()), "doc"),
    "an empty cell": (insert(0, Map({})), "no known type"),
    "a cell of an unknown type": (insert(0, markdown("x", kind="heading")), "no known type"),
    "a cell type that is a list": (insert(0, odd(cell_type=["code"])), "no known type"),
    "a cell with another key": (insert(0, odd(script="alert(1)")), "other keys"),
    "a markdown cell with outputs": (insert(0, markdown("x", outputs=Array([]))), "other keys"),
    "a code cell without outputs": (insert(0, odd(outputs=None)), "other keys"),
    "a cell without metadata": (insert(0, odd(metadata=None)), "other keys"),
    "a cell id with markup": (insert(0, code("<img src=x>")), "id"),
    "a cell id of 65 letters": (insert(0, code("x" * 65)), "id"),
    "a cell id that is empty": (insert(0, code("")), "id"),
    "a cell id that is a number": (insert(0, odd(id=1)), "id"),
    "a source that is a string": (insert(0, odd(source="s")), "another kind"),
    "a source that is a map": (insert(0, odd(source=Map({}))), "another kind"),
    "metadata that is plain": (insert(0, odd(metadata={})), "another kind"),
    "metadata that is a text": (insert(0, odd(metadata=Text(""))), "another kind"),
    "outputs that are a text": (insert(0, odd(outputs=Text("x"))), "no list"),
    "outputs that are plain": (insert(0, odd(outputs=[HTML])), "no list"),
    "an output that is a string": (insert(0, odd(outputs=Array(["x"]))), "no map"),
    "an output that is a list": (insert(0, odd(outputs=Array([Array([])]))), "no map"),
    "a stream whose text is plain": (insert(0, lambda: odd(outputs=Array([Map(STREAM)]))), "shared text"),
    "a text in place of a value": (
        insert(0, lambda: odd(outputs=Array([Map({"output_type": "error", "text": Text("x")})]))),
        "shared type",
    ),
    "an output with a shared map": (
        insert(0, odd(outputs=Array([Map({"output_type": "error", "data": Map({})})]))),
        "shared type",
    ),
    "a shared type in a new cell's metadata": (insert(0, odd(metadata=Map({"a": Map({})}))), "shared type"),
    "an execution count that is a text": (
        insert(0, odd(execution_count="1")),
        "count",
    ),
    "an execution count that is a flag": (insert(0, lambda: odd(execution_count=True)), "count"),
    "an execution count below nothing": (insert(0, lambda: odd(execution_count=-1.0)), "count"),
    "an execution count that is half": (insert(0, lambda: odd(execution_count=1.5)), "count"),
    "an execution count without end": (insert(0, lambda: odd(execution_count=2.0**40)), "count"),
    "an execution state of its own": (
        insert(0, odd(execution_state="<b>")),
        "execution state",
    ),
    "another id for a cell": (put(0, "id", "other"), "a key that a cell keeps"),
    "another type for a cell": (put(0, "cell_type", "markdown"), "a key that a cell keeps"),
    "a cell type deleted": (lambda doc: doc["cells"][0].pop("cell_type"), "a key that a cell keeps"),
    "another source for a cell": (put(0, "source", Text("x")), "a key that a cell keeps"),
    "a source replaced by a map": (put(0, "source", Map({})), "a key that a cell keeps"),
    "metadata replaced": (put(0, "metadata", Map({"trusted": True})), "a key that a cell keeps"),
    "outputs replaced": (put(0, "outputs", Array([output(SCRIPT)])), "a key that a cell keeps"),
    "outputs replaced by a text": (put(0, "outputs", Text("x")), "a key that a cell keeps"),
    "outputs deleted": (lambda doc: doc["cells"][0].pop("outputs"), "a key that a cell keeps"),
    "outputs for a text": (put(3, "outputs", Array([output(SCRIPT)])), "a key that a cell keeps"),
    "a key of its own for a cell": (put(0, "script", "alert(1)"), "a key that a cell keeps"),
    "a cell emptied": (lambda doc: doc["cells"][0].clear(), "a key that a cell keeps"),
    "an execution count for a text": (put(3, "execution_count", 1.0), "a key that a cell keeps"),
    "an execution state for a text": (put(3, "execution_state", "idle"), "a key that a cell keeps"),
    "attachments for code": (put(0, "attachments", PICTURE), "a key that a cell keeps"),
    "an execution state that is none": (put(0, "execution_state", {"a": 1}), "execution state"),
    "an execution count that is none": (put(0, "execution_count", "3"), "count"),
    "attachments that are a list": (put(3, "attachments", []), "no map"),
    "attachments that are shared": (put(3, "attachments", Map({})), "attachments"),
    "an attachment that is a string": (put(3, "attachments", {"a": "b"}), "no map of types"),
    "an attachment of lines of numbers": (put(3, "attachments", {"a": {"image/png": [1]}}), "no text"),
    "an attachment of numbers": (put(3, "attachments", {"a": {"image/png": 1}}), "no text"),
    "bytes for an attachment": (put(3, "attachments", {"a": {"image/png": b"x"}}), "no plain value"),
    "attributes on text": (lambda doc: doc["cells"][0]["source"].format(0, 2, {"bold": True}), "format"),
    "an embed in text": (lambda doc: doc["cells"][0]["source"].insert_embed(0, {"image": "x"}), "embed"),
    "a shared type in metadata": (tag(0, "x", Map({})), "shared type"),
    "a text in metadata": (tag(0, "trusted", Text("true")), "shared type"),
    "bytes in metadata": (tag(0, "x", b"x"), "no plain value"),
    "bytes deep in metadata": (tag(0, "x", [b"x"]), "no plain value"),
    "NaN in metadata": (tag(0, "x", float("nan")), "number"),
    "infinity in metadata": (tag(0, "x", [float("inf")]), "number"),
    "a number that JSON rounds": (tag(0, "x", 2**60 + 1), "number"),
    "a prototype in metadata": (tag(0, "x", {"__proto__": {"trusted": True}}), "key that is none"),
    "metadata 25 levels deep": (tag(0, "x", json.loads("[" * 25 + "]" * 25)), "too deeply"),
    "metadata above its limit": (tag(0, "x", "x" * 1_000_000), "larger"),
    "notebook metadata above its limit": (note("title", "x" * 1_000_000), "too large"),
    "a thousand keys of metadata": (lambda doc: [tag(0, f"k{n}", 1)(doc) for n in range(1_001)], "too many keys"),
    "NaN in the notebook's metadata": (note("title", float("nan")), "number"),
    "a shared type in the notebook's metadata": (note("title", Map({})), "shared type"),
    "notebook metadata replaced": (lambda doc: doc["meta"].__setitem__("metadata", Map({})), "format"),
    "notebook metadata deleted": (lambda doc: doc["meta"].pop("metadata"), "format"),
    "a key of its own beside nbformat": (lambda doc: doc["meta"].__setitem__("cells", []), "format"),
    "a number beside nbformat": (lambda doc: doc["meta"].__setitem__("nbextension", 4.0), "format"),
    "nbformat that is a text": (lambda doc: doc["meta"].__setitem__("nbformat", "4"), "format"),
    "nbformat deleted": (lambda doc: doc["meta"].pop("nbformat"), "format"),
    "30 MB of text": (lambda doc: doc["cells"][0]["source"].insert(0, "x" * 30_000_000), "larger than 8000000"),
    "a cell above its limit": (lambda doc: doc["cells"][0]["source"].insert(0, "x" * 2_000_001), "larger than 2000000"),
    "a new cell above its limit": (insert(0, code("x", "x" * 2_000_001)), "larger than 2000000"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_attack(room: Room, name: str) -> None:
    """What no page sends is refused, and leaves no trace."""
    attack, said = REFUSED[name]
    assert_refused(room, change(room.page(), attack), said)


RAW: dict[str, tuple[bytes, str]] = {
    "an unknown root": (item(9, "evil", b"\x01\x77" + sized(b"v"), 8, "k"), "root"),
    "an unknown root of text": (item(9, "evil", sized(b"v"), 4), "root"),
    "an unknown root of the page's other kind": (item(9, "source", sized(b"v"), 4), "root"),
    "a key on the list of cells": (item(9, "cells", b"\x01\x77" + sized(b"v"), 8, "k"), "shows nothing"),
    "letters among the cells": (item(9, "cells", sized(b"text"), 4), "no map"),
    "undefined among the cells": (item(9, "cells", b"\x01\x7f", 8), "no map"),
    "an xml element among the cells": (item(9, "cells", b"\x03" + sized(b"script"), 7), "no map"),
    "an xml text among the cells": (item(9, "cells", b"\x06", 7), "no map"),
    "an undefined state": (item(9, "state", b"\x01\x7f", 8, "path"), "state"),
    "bytes among the cells": (item(9, "cells", sized(b"x"), 3), "binary"),
    "an old kind of JSON": (item(9, "cells", b"\x01" + sized(b"{}"), 2), "json"),
    "64 levels and more": (deep_any(70), "bad_frame"),
    "200,000 levels of values": (deep_any(200_000), "bad_frame"),
    "200,000 levels of JSON": (deep_json(200_000), "bad_frame"),
    "5,000 levels of types": (deep_types(5_000), "bad_frame"),
    "no update": (b"\xff" * 1000, "bad_frame"),
    "half an update": (item(9, "cells", b"\x01\x7f", 8)[:-3], "bad_frame"),
    "nothing": (b"", "bad_frame"),
}


@pytest.mark.parametrize("name", RAW)
def test_attack_by_bytes(room: Room, name: str) -> None:
    """What no library writes is refused, and leaves no trace."""
    assert_refused(room, *RAW[name])


def test_an_update_that_waits_for_another_is_refused(room: Room) -> None:
    """What stays pending is judged by nobody when it comes to life."""
    page = room.page()
    first = change(page, HONEST["type"])
    second = change(page, HONEST["type"])
    assert_refused(room, second, "waits")
    delete = change(page, lambda doc: doc["cells"][0]["source"].clear())
    assert_refused(room, delete, "waits")
    room.send(first)
    room.send(second)
    room.send(delete)


def test_who_proves_that_nothing_waits_may_refuse(room: Room) -> None:
    """`settled` hears the clocks after the update; its refusal leaves no trace either."""
    heard: list[dict[int, int]] = []
    update = change(room.page(), HONEST["type"])
    room.guard.judge(update, settled=lambda after: heard.append(dict(after)))
    assert heard[0][100] > 0

    def refuse(after: object) -> None:
        raise Denied(Reason.UPDATE_REFUSED, "waits for something")

    other = Room()
    before = other.guard.content()
    with pytest.raises(Denied, match="waits for something"):
        other.guard.judge(change(other.page(), HONEST["insert"]), settled=refuse)
    assert other.guard.content() == before


def test_attack_a_key_on_a_list_of_outputs(room: Room) -> None:
    """It would be kept for ever and seen by nobody."""
    put_in = change(room.page(), lambda doc: doc["cells"][2]["outputs"].append(None))
    content = b"\x01\x7e\x00"
    head = b"\x01\x01d\x00\x08"
    assert put_in.startswith(head) and put_in.endswith(content)
    key = head[:-1] + b"\x28" + put_in[len(head) : -len(content)] + sized(b"k") + content
    assert_refused(room, key, "shows nothing")


def test_attack_a_type_below_a_key_of_the_list(room: Room) -> None:
    """A deletion may hide a key on the list of cells; what is written below it later is refused."""
    delete = change(room.page(), lambda doc: doc["cells"].pop(4))
    room.send(item(9, "cells", b"\x01", 7, "k")[:-1] + delete[1:])
    below = uint(1) + uint(1) + uint(9) + uint(1) + b"\x28\x00\x09\x00" + sized(b"a") + b"\x01\x7f" + b"\x00"
    with pytest.raises(Denied, match="a key on the list"):
        room.guard.judge(below)


def test_a_shared_type_that_upstream_made_in_a_cell_is_not_for_editors(room: Room) -> None:
    """Where pages have a plain value, there is nothing that an editor may write into."""
    room.from_upstream(put(3, "attachments", Map({})))
    with pytest.raises(Denied, match="where a cell has a value"):
        room.guard.judge(change(room.page(), lambda doc: doc["cells"][3]["attachments"].__setitem__("a", {})))


def test_shared_types_that_upstream_made_in_a_documents_values_are_not_for_editors(room: Room) -> None:
    """Neither written into, under a name that an editor may write elsewhere, nor replaced or deleted."""
    room.from_upstream(
        lambda doc: doc["state"].__setitem__("more", Map({})),
        lambda doc: doc["meta"]["metadata"].__setitem__("title", Map({})),
    )
    into: tuple[Change, ...] = (
        lambda doc: doc["state"]["more"].__setitem__("dirty", True),
        lambda doc: doc["meta"]["metadata"]["title"].__setitem__("nbformat", 4.0),
        note("title", "plain"),
        lambda doc: doc["meta"]["metadata"].pop("title"),
    )
    for number, attack in enumerate(into):
        assert_refused(room, change(open_page(room.live.get_update(), 400 + number), attack), "shared type")


UPSTREAMS: dict[str, tuple[Change, Change, str]] = {
    "a source that is a map": (
        put(3, "source", Map({})),
        lambda doc: doc["cells"][3]["source"].__setitem__("a", 1),
        "another kind",
    ),
    "a source with marks": (
        lambda doc: doc["cells"][0]["source"].format(0, 4, {"bold": True}),
        lambda doc: doc["cells"][0]["source"].insert(2, "x"),
        "attributes",
    ),
    "metadata that is a list": (
        lambda doc: doc["meta"].__setitem__("metadata", Array([])),
        lambda doc: doc["meta"]["metadata"].append(1),
        "shared type where",
    ),
    "shared attachments": (
        put(3, "attachments", Map({})),
        put(3, "attachments", {"a": {"text/html": "x"}}),
        "was replaced",
    ),
    "outputs of a text": (
        put(3, "outputs", Array([])),
        lambda doc: doc["cells"][3]["outputs"].append(output(SCRIPT)),
        "runs nothing",
    ),
    "outputs of a text, and trust": (put(3, "outputs", Array([])), tag(3, "trusted", True), "runs nothing"),
}


@pytest.mark.parametrize("name", UPSTREAMS)
def test_what_upstream_made_of_a_document_is_no_way_in(room: Room, name: str) -> None:
    """Where it is not as pages make it, an editor's change is refused for what it is."""
    made, attack, said = UPSTREAMS[name]
    room.from_upstream(made)
    assert_refused(room, change(room.page(), attack), said)


def test_a_root_that_upstream_made_is_not_for_editors(room: Room) -> None:
    """Whatever extension keeps something beside the cells, an editor does not write there, and works on beside it."""
    room.from_upstream(lambda doc: doc.get("comments", type=Array).append("hello"))
    for number in range(2):
        room.edit(HONEST["type"])
        page = open_page(room.live.get_update(), 400 + number)
        update = change(page, lambda doc: doc.get("comments", type=Array).append("evil"))
        with pytest.raises(Denied, match="root"):
            room.guard.judge(update)


def test_a_notebook_that_upstream_damaged_is_not_edited(room: Room) -> None:
    """With a cell that is none, nobody can say which cell an event means."""
    room.from_upstream(insert(0, "justastring"))
    with pytest.raises(Denied, match="damaged"):
        room.guard.judge(change(room.page(), lambda doc: doc["cells"][1]["source"].insert(0, "x")))
    room.from_upstream(lambda doc: doc["cells"].pop(0))
    page = open_page(room.live.get_update(), 101)
    room.guard.judge(change(page, HONEST["type"]))


@pytest.mark.parametrize(
    ("had", "said", "left"),
    [
        ({"nbformat": 4.0, "nbformat_minor": 4.0}, ("nbformat_minor", 5.0), 5.0),
        ({"nbformat": 4.0}, ("nbformat_minor", 5.0), 5.0),
        ({"nbformat": 4.0}, ("nbformat_minor", 6.0), None),
        ({}, ("nbformat", 4.0), 4.0),
        ({}, ("nbformat", 5.0), None),
        ({}, ("nbformat", 3.0), None),
        ({"nbformat": 4.0}, ("nbformat", 5.0), 4.0),
    ],
)
def test_a_format_rises_to_the_newest_and_no_further(
    room: Room, had: dict[str, float], said: tuple[str, float], left: float | None
) -> None:
    """JupyterLab raises the minor number for cell ids; the major one is 4, or what it was."""

    def were(doc: Doc) -> None:
        for key in ("nbformat", "nbformat_minor"):
            doc["meta"].pop(key)
        doc["meta"].update(had)

    room.from_upstream(were)
    judged = room.edit(lambda doc: doc["meta"].__setitem__(*said))
    assert room.live["meta"].get(said[0]) == left
    assert judged.corrected == (() if left == said[1] else ("format",))


# what is put right


def trail(judged: Judged) -> tuple[str, ...]:
    assert bool(judged.corrected) == bool(judged.correction)
    return judged.corrected


def paste(outputs: tuple[Any, ...], trusted: bool | None = True) -> Change:
    return insert(0, lambda: code("new", "alert", trusted=trusted, outputs=outputs))


CORRECTED: dict[str, tuple[Change, tuple[str, ...]]] = {
    "invented html in a trusted cell": (paste((IMAGE_XSS, IMAGE_XSS)), ("outputs", "trusted")),
    "invented script in a trusted cell": (paste((SCRIPT,)), ("outputs", "trusted")),
    "invented outputs in a cell nobody trusts": (paste((SCRIPT,), False), ("outputs",)),
    "invented outputs in a cell that says nothing": (paste((SCRIPT,), None), ("outputs",)),
    "invented outputs under trust that is no flag": (paste((SCRIPT,), "yes"), ("outputs", "trusted")),  # type: ignore[arg-type]
    "invented text": (paste(({**STREAM, "text": "other"},)), ("outputs", "trusted")),
    "half of what was seen": (paste((HTML,)), ("outputs", "trusted")),
    "what was seen, the other way round": (paste((HTML, STREAM)), ("outputs", "trusted")),
    "what was seen, twice": (paste((STREAM, HTML, STREAM, HTML)), ("outputs", "trusted")),
    "what was seen, with one more key": (
        paste((STREAM, {**HTML, "metadata": {"isolated": True}})),
        ("outputs", "trusted"),
    ),
    "untrusted outputs in a trusted cell": (paste((IMAGE_XSS,)), ("trusted",)),
    "trust on all cells": (lambda doc: [tag(at, "trusted", True)(doc) for at in range(5)], ("trusted",)),
    "trust written twice": (
        lambda doc: [tag(1, "trusted", False)(doc), tag(1, "trusted", True)(doc)],
        ("trusted",),
    ),
    "a cell replaced by itself with other outputs": (
        lambda doc: [doc["cells"].pop(0), doc["cells"].insert(0, code("trusted", "evi1", outputs=(SCRIPT,)))],
        ("outputs", "trusted"),
    ),
    "a kernel deleted and written anew": (
        lambda doc: [doc["meta"]["metadata"].pop("kernelspec"), note("kernelspec", {"name": "evil"})(doc)],
        ("metadata",),
    ),
    "trust that is no flag": (tag(1, "trusted", "yes"), ("trusted",)),
    "trust that is a number": (tag(1, "trusted", 1), ("trusted",)),
    "trust that is a number, without outputs": (tag(2, "trusted", 1), ("trusted",)),
    "trust that is a list": (tag(0, "trusted", [True]), ("trusted",)),
    "an output put into a cell": (
        lambda doc: doc["cells"][0]["outputs"].append(output(SCRIPT)),
        ("outputs", "trusted"),
    ),
    "an output put into an empty cell": (
        lambda doc: doc["cells"][2]["outputs"].append(output(SCRIPT)),
        ("outputs",),
    ),
    "outputs of another cell put into a cell": (
        lambda doc: doc["cells"][2]["outputs"].append(output(IMAGE_XSS)),
        ("outputs",),
    ),
    "an output taken out": (lambda doc: doc["cells"][0]["outputs"].pop(0), ("outputs", "trusted")),
    "an output's data changed": (
        lambda doc: doc["cells"][0]["outputs"][1].__setitem__("data", SCRIPT["data"]),
        ("outputs", "trusted"),
    ),
    "a stream's text changed": (
        lambda doc: doc["cells"][0]["outputs"][0]["text"].insert(0, "x"),
        ("outputs", "trusted"),
    ),
    "an output replaced": (
        lambda doc: [doc["cells"][1]["outputs"].clear(), doc["cells"][1]["outputs"].append(output(SCRIPT))],
        ("outputs",),
    ),
    "the kernel": (note("kernelspec", {"name": "evil", "display_name": "Python 3"}), ("metadata",)),
    "a slide show's HTML": (note("rise", {"overlay": "<img src=x onerror=alert(1)>"}), ("metadata",)),
    "a slide show's theme": (note("livereveal", {"theme": "../../files/evil.js"}), ("metadata",)),
    "the kernel deleted": (lambda doc: doc["meta"]["metadata"].pop("kernelspec"), ("metadata",)),
    "a dotted exporter": (note("language_info", {"name": "p", "nbconvert_exporter": "os.system"}), ("exporter",)),
    "the language": (note("language_info", {"name": "evil"}), ("metadata",)),
    "widgets": (note("widgets", {"application/vnd.jupyter.widget-state+json": {}}), ("metadata",)),
    "paired files": (note("jupytext", {"formats": "ipynb,../evil//py"}), ("metadata",)),
    "metadata emptied": (lambda doc: doc["meta"]["metadata"].clear(), ("metadata",)),
    "an older format": (lambda doc: doc["meta"].__setitem__("nbformat_minor", 4.0), ("format",)),
    "a format nobody knows": (lambda doc: doc["meta"].__setitem__("nbformat_minor", 9.0), ("format",)),
    "another format": (lambda doc: doc["meta"].__setitem__("nbformat", 3.0), ("format",)),
    "an attached page": (put(3, "attachments", {"a": {"text/html": "PHNjcmlwdD4="}}), ("attachments",)),
    "a new cell with an attached page": (
        insert(0, lambda: markdown("new", attachments={"a": {"text/html": "x"}})),
        ("attachments",),
    ),
    "a running cell": (put(0, "execution_state", "running"), ("execution",)),
    "a new running cell": (insert(0, lambda: odd(execution_state="running")), ("execution",)),
    "a count nobody counted": (put(0, "execution_count", 99.0), ("execution",)),
}


@pytest.mark.parametrize("name", CORRECTED)
def test_what_may_not_stay_is_put_right(room: Room, name: str) -> None:
    """The change is accepted, and what may not stay is gone from everybody's copy, the sender's included."""
    attack, facts = CORRECTED[name]
    other = room.page(200)
    judged = room.edit(attack)
    assert trail(judged) == facts
    assert plain(room.live) == plain(room.page()) == plain(other) == plain(room.upstream)
    assert plain(open_page(room.guard.whole(), 3)) == plain(room.live)
    said = json.dumps(plain(room.live))
    assert not any(word in said for word in ("alert(1)</", "evil", "os.system", 'text/html": "x', "widget-state"))
    assert_nothing_invented(room)


@pytest.mark.parametrize(("was", "stays"), [("running", "running"), (None, "idle"), ("exploding", "idle")])
def test_attack_a_cell_that_runs_as_its_owner_said(room: Room, was: str | None, stays: str) -> None:
    """Another word for running is put back to the owner's, and to rest where the owner's said nothing that is one."""
    if was is not None:
        room.from_upstream(put(0, "execution_state", was))
    assert trail(room.edit(put(0, "execution_state", "busy"))) == ("execution",)
    assert room.cell("trusted")["execution_state"] == stays


def test_a_value_written_anew_is_the_same_as_json_is(room: Room) -> None:
    """A page that writes all metadata again changes nothing, its whole numbers being floats; a flag is no number."""
    room.from_upstream(note("kernelspec", {"name": "python3", "priority": [1, {"a": 2}]}))
    assert room.edit(note("kernelspec", {"priority": [1.0, {"a": 2.0}], "name": "python3"})).corrected == ()
    assert room.edit(note("kernelspec", {"name": "python3", "priority": [True, {"a": 2}]})).corrected == ("metadata",)


def test_attachments_are_taken_out(room: Room) -> None:
    """The page of somebody who deletes the last picture deletes the key."""
    room.edit(put(3, "attachments", PICTURE))
    assert room.edit(lambda doc: doc["cells"][3].pop("attachments")).corrected == ()


def assert_nothing_invented(room: Room) -> None:
    """Only outputs that upstream showed, and trust only where it was shown with them or there are none."""
    for cell in room.live["cells"].to_py():
        said = cell["metadata"].get("trusted", False)
        outputs = cell.get("outputs") or []
        assert outputs in ([], [STREAM, HTML], [IMAGE_XSS])
        assert said is False or (said is True and outputs != [IMAGE_XSS])


def test_the_rest_of_a_corrected_change_survives(room: Room) -> None:
    """Text and structure stay; only what may not stay is taken back."""
    room.edit(paste((SCRIPT,)), note("kernelspec", {}), note("title", "kept"))
    cell = room.cell("new").to_py()
    assert (cell["source"], cell["outputs"], cell["metadata"]) == ("alert", [], {"trusted": False})
    metadata = room.live["meta"]["metadata"].to_py()
    assert metadata["title"] == "kept" and metadata["kernelspec"]["name"] == "python3"


def test_attack_trust_first_then_outputs(room: Room) -> None:
    """Cleared and trusted, a cell gets neither its outputs back in place nor untrusted ones with a new cell's trust."""
    assert room.edit(clear(1)).corrected == ()
    assert trail(room.edit(lambda doc: doc["cells"][1]["outputs"].append(output(IMAGE_XSS)))) == ("outputs", "trusted")
    assert trail(room.edit(paste((IMAGE_XSS,)))) == ("trusted",)
    assert_nothing_invented(room)


def test_attack_outputs_for_a_cell_that_pages_hold_for_trusted(room: Room) -> None:
    """A page asks for trust when it makes a cell: what was trusted then gets no other outputs, whatever is said now."""
    put_in: Change = lambda doc: doc["cells"][0]["outputs"].append(output(IMAGE_XSS))  # noqa: E731
    distrust = tag(0, "trusted", False)
    assert room.edit(paste(())).corrected == ()
    assert trail(room.edit(distrust, put_in)) == ("outputs",)
    assert room.edit(insert(0, lambda: code("trusted", trusted=False, outputs=(IMAGE_XSS,)))).corrected == ()
    index = [at for at, cell in enumerate(room.page()["cells"]) if cell["id"] == "trusted"][1]
    room.edit(lambda doc: doc["cells"][index]["outputs"].clear(), tag(index, "trusted", False))
    judged = room.edit(lambda doc: doc["cells"][index]["outputs"].append(output(IMAGE_XSS)))
    assert trail(judged) == ("outputs",)
    assert [cell["outputs"] for cell in room.live["cells"].to_py() if cell["id"] == "trusted"] == [[IMAGE_XSS], []]


def test_attack_outputs_exchanged_under_trust(room: Room) -> None:
    """Nor in one breath: outputs seen elsewhere do not take the place of those that a cell holds."""

    def exchange(doc: Doc) -> None:
        doc["cells"][0]["outputs"].clear()
        doc["cells"][0]["outputs"].append(output(IMAGE_XSS))
        doc["cells"][0]["metadata"]["trusted"] = False

    assert trail(room.edit(exchange)) == ("outputs",)


def test_trusting_a_notebook_writes_its_outputs_anew(room: Room) -> None:
    """A page that trusts a cell writes the same outputs again, one by one, then its trust: only that is taken back."""
    room.edit(move(1, 3))
    at = room.at("plain", room.live)

    def again(doc: Doc) -> None:
        del doc["cells"][at]["outputs"][0]
        doc["cells"][at]["outputs"].insert(0, output(IMAGE_XSS))

    assert room.edit(again).corrected == ()
    with pytest.raises(Denied):
        room.guard.judge(change(open_page(room.live.get_update(), 300), insert(0, "x")))
    assert room.edit(again).corrected == (), "what cells hold is known also after a refusal"
    assert trail(room.edit(tag(at, "trusted", True))) == ("trusted",)
    assert room.cell("plain").to_py()["outputs"] == [IMAGE_XSS]


def test_attack_a_stream_of_plain_text(room: Room) -> None:
    """Outputs of the same words but other types are not the same: pages append to a stream's shared text."""

    def exchange(doc: Doc) -> None:
        del doc["cells"][0]["outputs"][0]
        doc["cells"][0]["outputs"].insert(0, Map(STREAM))

    assert_refused(room, change(room.page(), exchange), "shared text")


def test_attack_outputs_first_then_trust(room: Room) -> None:
    """Outputs that nobody trusts may be pasted; trust in them is taken back, now and when it is tried again."""
    assert room.edit(paste((IMAGE_XSS,), False)).corrected == ()
    for _ in range(2):
        assert trail(room.edit(tag(0, "trusted", True))) == ("trusted",)
    assert_nothing_invented(room)


def test_what_upstream_trusts_later_is_trusted(room: Room) -> None:
    """The owner's word counts: after it the same outputs may be moved with their trust."""
    room.from_upstream(tag(1, "trusted", True))
    assert room.edit(move(1, 3)).corrected == ()
    assert room.cell("plain")["metadata"]["trusted"] is True


def test_what_upstream_never_showed_is_not_known_by_being_corrected(room: Room) -> None:
    """Trying again does not help: what a visitor sent is not learnt."""
    for _ in range(3):
        assert trail(room.edit(paste((SCRIPT,), False))) == ("outputs",)
        room.from_upstream(lambda doc: doc["state"].__setitem__("dirty", not doc["state"]["dirty"]))
        room.clock.now += 10


def test_outputs_of_a_snapshot_may_come_back(room: Room) -> None:
    """What was remembered from an accepted snapshot is as if seen."""
    room.guard.remember([SCRIPT], False)
    room.guard.remember([], True)
    assert trail(room.edit(paste((SCRIPT,)))) == ("trusted",)


def test_numbers_are_known_in_both_spellings(room: Room) -> None:
    """Upstream's 1 comes back from a page as 1.0."""
    room.from_upstream(insert(0, lambda: code("n", outputs=({"output_type": "x", "n": [1, 2.5, 0]},))))
    assert room.edit(lambda doc: doc["cells"].append(fresh(doc["cells"][0].to_py(), "m"))).corrected == ()


# what upstream shows, read late


def test_a_cell_cut_by_its_owner_is_pasted_by_a_visitor(room: Room) -> None:
    """What stood long enough to be seen is known when it is gone."""
    room.from_upstream(insert(0, lambda: code("new", outputs=(HTML,))))
    room.clock.now += 1
    room.from_upstream(lambda doc: doc["cells"].pop(0))
    assert room.edit(paste((HTML,))).corrected == ()


def test_a_cell_moved_before_its_outputs_were_read_keeps_them(room: Room) -> None:
    """Outputs are read before a change is applied that may take them away."""
    room.edit(HONEST["type"])
    room.from_upstream(lambda doc: doc["cells"][2]["outputs"].append(output(HTML)))
    room.from_upstream(insert(0, lambda: code("first")))
    assert room.edit(move(3, 0)).corrected == ()
    assert room.cell("empty").to_py()["outputs"] == [HTML]


@pytest.mark.parametrize("at", [0, 2, 5])
def test_outputs_that_were_not_read_are_found_wherever_cells_go(room: Room, at: int) -> None:
    """The owner's side puts cells before and behind them and takes some out, all in the same moment."""
    room.edit(HONEST["type"])
    room.from_upstream(lambda doc: doc["cells"][2]["outputs"].append(output(HTML)))
    room.from_upstream(insert(at, lambda: code("more")))
    room.from_upstream(lambda doc: doc["cells"].pop(room.at("plain", doc)))
    assert room.edit(move(room.at("empty", room.live), 0)).corrected == ()
    assert room.cell("empty").to_py()["outputs"] == [HTML]


def test_attack_on_outputs_that_were_not_read_yet(room: Room) -> None:
    """A visitor's text in a stream is not taken for upstream's, however early it comes."""
    room.edit(HONEST["type"])
    room.from_upstream(lambda doc: doc["cells"][2]["outputs"].append(output(STREAM)))
    assert trail(room.edit(lambda doc: doc["cells"][2]["outputs"][0]["text"].insert(0, "evil"))) == ("outputs",)
    room.clock.now += 10
    assert trail(room.edit(paste(({**STREAM, "text": "evil" + STREAM["text"]},), False))) == ("outputs",)


def test_only_so_many_outputs_are_remembered() -> None:
    """The memory is bounded: what was seen longest ago is forgotten first."""
    room = Room(replace(RULES, remembered_outputs=1))
    room.edit(HONEST["insert"])
    assert len(room.guard._seen) == 1


# one update, one event


class Seen:
    """What the observers of a page heard."""

    def __init__(self, page: Doc) -> None:
        self.deep: list[list[str]] = []
        self.cells: list[Any] = []
        self.root = page["cells"]
        self.root.observe_deep(lambda events: self.deep.append([str(event.path) for event in events]))
        self.root.observe(self._top)

    def _top(self, event: Any) -> None:
        for part in event.delta:
            self.cells += [cell.to_py() for cell in part.get("insert", ())]


def test_nobody_sees_the_state_between(room: Room) -> None:
    """A peer's observers fire once, and the cell that is put in has no outputs and no trust already."""
    peers = [Seen(room.page(200)), Seen(room.upstream)]
    room.edit(paste((SCRIPT, IMAGE_XSS)))
    for peer in peers:
        assert peer.deep == [["[]"]]
        assert [(cell["outputs"], cell["metadata"]) for cell in peer.cells] == [([], {"trusted": False})]


def test_nobody_sees_trust_between(room: Room) -> None:
    """Trust in a cell that is there never reaches anybody's observer."""
    seen: list[Any] = []
    root = room.upstream["cells"]
    root.observe_deep(lambda events: seen.extend(event.target.to_py() for event in events))
    room.edit(tag(1, "trusted", True))
    assert seen == [{"trusted": False}]


# limits


def small(**limits: int) -> Room:
    return Room(replace(RULES, **limits))  # type: ignore[arg-type]


def test_too_many_cells_are_refused_and_may_be_deleted() -> None:
    """At the limit cells can be moved, typed in and taken out."""
    room = small(max_cells=5)
    assert_refused(room, change(room.page(), HONEST["insert"]), "more than 5 cells")
    room = small(max_cells=5)
    room.edit(move(0, 3))
    room.edit(lambda doc: doc["cells"].pop(0))
    room.edit(HONEST["insert"])


def test_a_long_cell_takes_what_makes_it_shorter() -> None:
    """A source above its limit may shrink, and letters may be exchanged."""
    room = small(max_source_bytes=12)
    room.from_upstream(lambda doc: doc["cells"][0]["source"].insert(0, "x" * 50))
    assert_refused(room, change(room.page(), HONEST["type"]), "larger than 12")
    page = open_page(room.live.get_update(), 101)

    def exchange(doc: Doc) -> None:
        source = doc["cells"][0]["source"]
        source.insert(0, "y")
        del source[1:2]

    room.guard.judge(change(page, exchange))
    room.guard.judge(change(page, lambda doc: doc["cells"][0]["source"].clear()))


def test_attachments_have_a_limit_per_cell() -> None:
    """For a cell that is there and for a new one."""
    room = small(max_attachments_bytes=20)
    assert_refused(room, change(room.page(), put(3, "attachments", PICTURE)), "too large")
    other = open_page(room.live.get_update(), 101)
    assert_refused(room, change(other, HONEST["insert with a picture"]), "too large")


def test_a_large_document_takes_deletions_and_what_is_written_beside_them() -> None:
    """Above the limit nothing grows; after deletions it is measured anew, once a second at most."""
    room = small(max_document_bytes=3_000)
    room.from_upstream(lambda doc: doc["cells"][3]["source"].insert(0, "x" * 4_000))
    page = room.page()
    saved = open_page(room.live.get_update(), 101)
    with pytest.raises(Denied, match="larger than 3000"):
        room.guard.judge(change(saved, HONEST["type"]))
    with pytest.raises(Denied, match="larger than 3000"):
        room.guard.judge(change(open_page(room.live.get_update(), 102), tag(0, "x", "y" * 2_000)))
    room.edit(lambda doc: doc["cells"][3]["source"].clear())
    room.edit(HONEST["dirty"])
    with pytest.raises(Denied, match="larger than 3000"):
        room.guard.judge(change(open_page(room.live.get_update(), 103), HONEST["type"]))
    room.clock.now += 1
    room.send(change(page, HONEST["type"]))


def test_a_document_that_became_small_is_written_in_at_once() -> None:
    """It is measured before it is refused."""
    room = small(max_document_bytes=3_000)
    room.from_upstream(lambda doc: doc["cells"][3]["source"].insert(0, "x" * 4_000))
    room.edit(lambda doc: doc["cells"][3]["source"].clear())
    room.clock.now += 1
    room.edit(HONEST["type"])


def test_a_document_that_is_large_already_does_not_grow() -> None:
    """It came so from the server, or the gate put back a large version of it."""
    room = small(max_document_bytes=3_000)
    large = open_page(room.live.get_update(), 50)
    large["cells"][3]["source"].insert(0, "x" * 4_000)
    guard = DocumentGuard(
        DocumentKind.NOTEBOOK, NAME, room.guard._rules, client_id=GATE, live=large.get_update, clock=room.clock
    )
    with pytest.raises(Denied, match="larger than 3000"):
        guard.judge(change(open_page(large.get_update(), 100), HONEST["type"]))

    room.live.apply_update(room.guard.write(lambda doc: doc["cells"][3]["source"].insert(0, "x" * 4_000)))
    with pytest.raises(Denied, match="larger than 3000"):
        room.guard.judge(change(open_page(room.live.get_update(), 100), HONEST["type"]))


def test_many_small_updates_reach_the_limit_of_the_document() -> None:
    """What grows bit by bit is counted."""
    room = small(max_document_bytes=4_000)

    def type_on() -> None:
        for _ in range(300):
            room.clock.now += 1
            room.edit(HONEST["type"])

    with pytest.raises(Denied, match="larger than 4000"):
        type_on()


# text files


@pytest.fixture
def file() -> Room:
    return Room(replace(RULES, max_text_bytes=1_000), DocumentKind.TEXT)


def test_a_text_file_is_edited_freely(file: Room) -> None:
    """Insert and delete; no cell is named."""
    judged = file.edit(lambda doc: doc["source"].insert(5, " wörld"), HONEST["dirty"], HONEST["document_id"])
    assert (judged.corrected, judged.cells, judged.structure) == ((), (), False)
    file.edit(lambda doc: doc["source"].__delitem__(slice(0, 6)))
    assert file.guard.content() == str(file.live["source"]) == "wörld\n"


@pytest.mark.parametrize(
    "attack",
    [
        lambda doc: doc["state"].__setitem__("path", "secret/x.txt"),
        lambda doc: doc["source"].format(0, 2, {"bold": True}),
        lambda doc: doc["source"].insert_embed(0, {"image": "x"}),
        lambda doc: doc["source"].insert(0, "x" * 1_000),
        lambda doc: doc.get("cells", type=Array).append("x"),
        lambda doc: doc.get("meta", type=Map).__setitem__("metadata", {}),
    ],
)
def test_attack_on_a_text_file(file: Room, attack: Change) -> None:
    """State, marks, embeds, size and other roots are refused."""
    with pytest.raises(Denied):
        file.guard.judge(change(file.page(), attack))
    assert file.guard.content() == "hello\n"


@pytest.mark.parametrize(
    ("update", "said"),
    [
        (item(9, "source", b"\x01\x7f", 8), "shows nothing"),
        (item(9, "source", b"\x01", 7), "something else"),
        (item(9, "source", b"\x01\x7f", 8, "k"), "shows nothing"),
    ],
)
def test_attack_by_bytes_on_a_text_file(file: Room, update: bytes, said: str) -> None:
    """Values, shared types and keys in a text are refused."""
    with pytest.raises(Denied, match=said):
        file.guard.judge(update)
    assert file.guard.content() == "hello\n"


def test_attack_values_that_hide_in_a_text(file: Room, room: Room) -> None:
    """A value in a text is seen by nobody and moves every later letter: refused, with a deletion to hide behind, in a
    file, in a cell and in a new cell."""
    delete = change(file.page(), lambda doc: doc["source"].__delitem__(slice(0, 1)))
    with pytest.raises(Denied, match="something else"):
        file.guard.judge(item(9, "source", b"\x02\x7f\x7f", 8)[:-1] + delete[1:])
    assert file.guard.content() == "hello\n"

    made = change(room.page(), insert(0, lambda: code("new", "a")))
    letter = b"\x04\x00d\x01\x01a"
    assert made.count(letter) == 1
    assert_refused(room, made.replace(letter, b"\x08\x00d\x01\x01\x7f"), "something else")
    assert_refused(room, made.replace(letter, b"\x07\x00d\x01\x01"), "something else")

    typed = change(open_page(room.live.get_update(), 120), lambda doc: doc["cells"][0]["source"].insert(0, "a"))
    letter = b"D\x01\x0b\x01a"
    assert typed.count(letter) == 1
    delete = change(open_page(room.live.get_update(), 121), lambda doc: doc["cells"].pop(4))
    hidden = typed.replace(letter, b"H\x01\x0b\x01\x7f")[:-1] + delete[1:]
    assert_refused(room, hidden, "something else")


# the gate's own changes


def test_the_gate_writes_what_it_remembers(room: Room) -> None:
    """A restore puts back outputs, metadata and cells; its update makes everybody's document the same."""
    room.guard.remember([SCRIPT], True)

    def restore(doc: Doc) -> None:
        doc["cells"][0]["source"].insert(0, "old ")
        doc["cells"][0]["execution_count"] = 9.0
        doc["cells"][0]["execution_state"] = "running"
        doc["cells"][2]["outputs"].append(output(SCRIPT))
        doc["cells"][2]["metadata"]["trusted"] = True
        doc["meta"]["metadata"]["kernelspec"] = {"name": "old", "display_name": "Old"}

    update = room.guard.write(restore)
    for doc in (room.live, room.upstream, room.page()):
        doc.apply_update(update)
    assert plain(room.live) == plain(room.upstream)
    assert room.guard.state_vector() == room.live.get_state()
    room.edit(HONEST["type"])

    def again(doc: Doc) -> None:
        doc["cells"][2]["outputs"].clear()
        doc["cells"][2]["outputs"].append(output(SCRIPT))

    assert room.edit(again).corrected == ()


def test_the_gate_puts_back_what_the_owner_had(room: Room) -> None:
    """A cell that runs, an attachment that is no picture, an older format: editors may not write them, a restore may;
    also outputs that came a moment ago."""
    page = {"a.html": {"text/html": "PHA+"}}
    room.from_upstream(lambda doc: doc["cells"][1]["outputs"].append(output(SCRIPT)))

    def restore(doc: Doc) -> None:
        plain = doc["cells"][1].to_py()
        del doc["cells"][1]
        cell = fresh(plain)
        doc["cells"].insert(4, cell)
        cell["execution_state"] = "running"
        doc["cells"].append(markdown("new", attachments=page))
        doc["cells"][2]["attachments"] = page
        doc["meta"]["nbformat_minor"] = 4.0

    room.live.apply_update(room.guard.write(restore))
    assert room.cell("plain")["execution_state"] == "running" and len(room.cell("plain")["outputs"]) == 2
    assert room.cell("text")["attachments"] == room.cell("new")["attachments"] == page
    assert room.live["meta"]["nbformat_minor"] == 4


@pytest.mark.parametrize(
    "wrong",
    [
        insert(0, "justastring"),
        lambda doc: doc["cells"].append(code("new", outputs=(SCRIPT,))),
        lambda doc: doc["cells"].append(code("new", outputs=(IMAGE_XSS,))),
        lambda doc: doc.get("evil", type=Map).__setitem__("a", 1),
        lambda doc: doc["state"].__setitem__("path", "secret/private.ipynb"),
        lambda doc: doc["cells"][99],
    ],
)
def test_the_gate_writes_nothing_wrong_either(room: Room, wrong: Change) -> None:
    """The same invariants hold for the gate, and nothing is left of what broke them."""
    before = plain(room.live)
    with pytest.raises(Denied):
        room.guard.write(wrong)
    assert plain(open_page(room.guard.whole(), 3)) == before
    assert room.guard.state_vector() == room.live.get_state()


def test_corrections_and_writes_continue_each_other(room: Room) -> None:
    """The gate's clock has no gap and no second use, over corrections, refusals and writes."""
    for _ in range(3):
        room.edit(paste((SCRIPT,)), client=100)
        room.pages.pop(100)
        with pytest.raises(Denied):
            room.guard.judge(change(open_page(room.live.get_update(), 300), paste((SCRIPT,)), insert(0, "x")))
        update = room.guard.write(lambda doc: doc["cells"][0]["source"].insert(0, "w"))
        room.live.apply_update(update)
        room.upstream.apply_update(update)
        room.from_upstream(lambda doc: doc["cells"].pop(0))
    assert plain(room.live) == plain(room.upstream) == plain(open_page(room.guard.whole(), 3))


# when something breaks


class Panic(BaseException):
    """As the library's own: no Exception."""


def test_a_panic_refuses_the_update(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever comes out of the library, the update is refused and the copy is made anew."""
    update = change(room.page(), HONEST["type"])

    def panic(self: DocumentGuard, trial: Doc, update: bytes) -> None:
        raise Panic

    with monkeypatch.context() as broken:
        broken.setattr("sharegate.channels.guard.DocumentGuard._apply", panic)
        with pytest.raises(Denied, match=r"could not be judged \(Panic\)"):
            room.guard.judge(update)
        room.guard.follow(change(room.upstream, HONEST["dirty"]))
    room.live.apply_update(change(room.upstream, HONEST["document_id"]))
    room.send(update)
    assert plain(open_page(room.guard.whole(), 3)) == plain(room.live)


def test_a_panic_behind_the_change_leaves_nothing_of_it(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was applied already when the judge breaks is not in the copy that the next change is judged on."""
    update = change(room.page(), HONEST["insert"])

    def panic(*_: object) -> None:
        raise Panic

    with monkeypatch.context() as broken:
        broken.setattr("sharegate.channels.judgement.Judgement.judge", panic)
        assert_refused(room, update, "Panic")
    assert room.send(update).cells == ("new",)


def test_without_the_live_document_nothing_is_judged(room: Room) -> None:
    """A copy that cannot be made refuses everything until it can."""
    live, whole = room.live, room.live.get_update()
    page = open_page(whole, 101)
    room.live = None  # type: ignore[assignment]
    with pytest.raises(Denied):
        room.guard.judge(change(open_page(whole, 103), insert(0, "x")))
    for _ in range(2):
        with pytest.raises(Denied, match="no copy"):
            room.guard.judge(change(page, HONEST["type"]))
        room.guard.follow(b"\0\0")
    room.live = live
    room.guard.judge(change(open_page(whole, 102), HONEST["type"]))


def test_what_came_while_the_copy_was_broken_is_known(room: Room) -> None:
    """The copy is made from the live document, and its outputs count as shown."""
    room.guard.follow(b"\xff\xff")
    room.from_upstream(insert(0, lambda: code("new", outputs=(HTML,))))
    assert room.edit(move(0, 2)).corrected == ()


def test_the_process_being_ended_is_no_fault_of_an_update(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """KeyboardInterrupt and SystemExit pass, whatever the guard is at."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    update = change(room.page(), HONEST["type"])
    monkeypatch.setattr("sharegate.channels.guard.DocumentGuard._apply", stop)
    with pytest.raises(KeyboardInterrupt):
        room.guard.judge(update)
    with pytest.raises(KeyboardInterrupt):
        room.guard.follow(update)
    with pytest.raises(KeyboardInterrupt):
        room.guard.write(stop)
    with pytest.raises(KeyboardInterrupt):
        DocumentGuard(DocumentKind.NOTEBOOK, NAME, RULES, client_id=GATE, live=stop)  # type: ignore[arg-type]


# properties


def edits_of(choose: Any, doc: Doc, wild: bool) -> Change:
    """Something that a page may do to the document as it sees it; with `wild` also what will be put right."""
    count = len(doc["cells"])
    kinds: list[Callable[[], Change]] = [lambda: insert(choose.randint(0, count), lambda: code(_name(choose), "new"))]
    if count:
        at = choose.randrange(count)
        cell = doc["cells"][at]
        kind = cell["cell_type"]
        size = len(cell["source"])
        kinds += [
            lambda: lambda doc: doc["cells"][at]["source"].insert(0, choose.choice(["a", "é", "\n", "🐍"])),
            lambda: lambda doc: doc["cells"][at]["source"].clear() if size else doc["cells"].pop(at),
            lambda: lambda doc: doc["cells"].pop(at),
            lambda: move(at, choose.randrange(count)),
            lambda: lambda doc: doc["cells"].insert(0, fresh(doc["cells"][at].to_py(), _name(choose))),
            lambda: retype(at, choose.choice(["code", "markdown", "raw"])),
            lambda: tag(at, "tags", [choose.choice("abc")]),
            lambda: note("title", choose.choice("abc")),
        ]
        if kind == "code":
            kinds.append(lambda: clear(at))
        if kind == "code" and wild:
            kinds += [
                lambda: tag(at, "trusted", True),
                lambda: lambda doc: doc["cells"][at]["outputs"].append(output(SCRIPT)),
                lambda: paste((SCRIPT,)),
                lambda: paste((IMAGE_XSS,)),
                lambda: note("kernelspec", {"name": choose.choice("ab")}),
            ]
    return choose.choice(kinds)()


def _name(choose: Any) -> str:
    return f"n{choose.randrange(10**9)}"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.randoms(use_true_random=False))
def test_honest_edits_are_never_refused_nor_corrected(choose: Any) -> None:
    """Whatever one page does after another, and the owner between, it stays as it was sent."""
    room = Room()
    for _ in range(15):
        if choose.random() < 0.2:
            room.from_upstream(edits_of(choose, room.upstream, wild=False))
            room.clock.now += choose.choice([0, 1])
            continue
        client = choose.choice([100, 200])
        judged = room.edit(edits_of(choose, room.page(client), wild=False), client=client)
        assert (judged.corrected, judged.correction) == ((), b"")
    assert plain(room.live) == plain(room.upstream)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.randoms(use_true_random=False))
def test_everybody_converges_on_what_was_judged(choose: Any) -> None:
    """Pages edit before they heard of each other and of corrections; in the end all hold the same, nothing invented.

    What upstream shows beside SCRIPT is what the room began with, so SCRIPT and trust in IMAGE_XSS must be nowhere.
    """
    room = Room()
    docs = {1: room.upstream} | {client: room.page(client) for client in (100, 200, 300)}
    sent: dict[int, list[bytes]] = {client: [] for client in docs}
    coming: dict[int, list[bytes]] = {client: [] for client in docs}

    def gate(client: int) -> None:
        update = sent[client].pop(0)
        correction = b""
        if client == 1:
            room.live.apply_update(update)
            room.guard.follow(update)
        else:
            judged = room.guard.judge(update)
            update, correction = judged.update, judged.correction
            room.live.apply_update(update)
        for other in docs:
            news = correction if other == client else update
            if news:
                coming[other].append(news)
        assert plain(open_page(room.guard.whole(), 3)) == plain(room.live)
        assert_nothing_invented(room)

    for _ in range(40):
        client = choose.choice(list(docs))
        room.clock.now += choose.choice([0, 0.06])
        match choose.randrange(3):
            case 0:
                sent[client].append(change(docs[client], edits_of(choose, docs[client], wild=client != 1)))
            case 1 if sent[client]:
                gate(client)
            case 2 if coming[client]:
                docs[client].apply_update(coming[client].pop(0))
    for client in docs:
        while sent[client]:
            gate(client)
    for client, doc in docs.items():
        for update in coming[client]:
            doc.apply_update(update)
        assert plain(doc) == plain(room.live)


# which outputs are the same


def _reference(outputs: object) -> str:
    """What JSON calls the same, written plainly: numbers by their value, keys in order."""

    def even(value: object) -> object:
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, dict):
            return {key: even(item) for key, item in value.items()}
        return [even(item) for item in value] if isinstance(value, list) else value

    return json.dumps(even(outputs), sort_keys=True)


_numbers = st.one_of(
    st.sampled_from([0, -0.0, 0.0, 1, 1.0, 2**53, 2.0**53, 2**53 + 1, 2**53 + 2, 2.0**60, 2**60, 0.5]),
    st.integers(-5, 5),
)
_plain = st.one_of(_numbers, st.none(), st.booleans(), st.sampled_from(["", "1", "\0numbers", "é"]))
_long = st.one_of(
    st.lists(_numbers, min_size=1, max_size=4).map(lambda items: items * 70),
    st.lists(_plain, min_size=1, max_size=4).map(lambda items: items * 70),
)
_keys = st.sampled_from(["a", "b", "\0numbers", "\0\0numbers", "\0bytes"])
_values = st.recursive(
    st.one_of(_plain, _long),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_keys, inner, max_size=3)),
)


def _otherwise(value: object) -> object:
    """The same with whole numbers in the other of their two forms, and keys in the other order."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and int(float(value)) == value:
        return float(value)
    if isinstance(value, dict):
        return {key: _otherwise(item) for key, item in reversed(value.items())}
    return [_otherwise(item) for item in value] if isinstance(value, list) else value


@given(_values, _values)
def test_outputs_have_one_digest_where_json_calls_them_the_same(one: object, other: object) -> None:
    """And only there, whether they are long lists of numbers or not, and whatever keys they have."""
    assert digest(one) == digest(_otherwise(one))
    assert (digest(one) == digest(other)) == (_reference(one) == _reference(other))


def test_attack_what_stands_for_a_long_list_is_not_that_list() -> None:
    """What the digest writes in the place of a list cannot be written into an output."""
    numbers = [float(number) for number in range(100)]
    inner = blake2b(array("d", numbers).tobytes()).hexdigest()
    assert digest([{"data": numbers}]) != digest([{"data": {"\0numbers": inner}}])
    assert digest([{"data": b"x"}]) != digest([{"data": {"\0bytes": "78"}}])
    assert digest([1.5, float("nan")] * 100) == digest([1.5, -float("nan")] * 100)
    assert digest([2**53] * 100) != digest([2**53 + 1] * 100)
    changed = [*numbers[:50], 49.5, *numbers[51:]]
    assert len({digest(numbers), digest(changed), digest(numbers[:99]), digest([*numbers, 0.0])}) == 4


def test_copies_that_were_replaced_are_gone(room: Room) -> None:
    """After each refusal the trial copy is made anew; an editor who is refused all day fills no memory."""
    copies = []
    for _ in range(3):
        copies.append(weakref.ref(room.guard._ready()))
        with pytest.raises(Denied):
            room.guard.judge(change(room.page(), lambda doc: doc.get("other", type=Map).update({"a": 1})))
    gc.collect()
    assert [each() for each in copies] == [None] * 3
