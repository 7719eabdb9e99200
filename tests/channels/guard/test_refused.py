"""What no page sends is refused, made by a library or byte by byte, whatever upstream made of the document."""

from __future__ import annotations

import json

import pytest
from pycrdt import Array, Doc, Map, Text

from sharegate.channels.lib0 import sized, uint
from sharegate.errors import Denied, Reason
from tests.channels.documents import deep_any, deep_json, deep_types
from tests.channels.editing import (
    HTML,
    NAME,
    SCRIPT,
    STREAM,
    Change,
    Room,
    change,
    code,
    insert,
    item,
    markdown,
    note,
    odd,
    open_page,
    output,
    put,
    tag,
)
from tests.channels.guard.changes import HONEST, PICTURE, assert_refused

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
