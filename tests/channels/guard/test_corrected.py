"""Outputs, trust and values that may not stay are put right, and the rest of the change survives."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from pycrdt import Doc, Map

from sharegate.errors import Denied
from tests.channels.editing import (
    HTML,
    IMAGE_XSS,
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
    markdown,
    move,
    note,
    odd,
    open_page,
    output,
    put,
    tag,
)
from tests.channels.guard.changes import HONEST, PICTURE, assert_nothing_invented, assert_refused, paste, plain, trail

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
