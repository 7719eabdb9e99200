"""What judging a change reads besides the change itself, and what is remembered instead."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from pycrdt import Array, Doc, Map, MapEvent

from sharegate.channels import outputs, shape
from sharegate.channels.judgement import Judgement, Touch
from sharegate.channels.outputs import SeenOutputs
from sharegate.errors import Denied, Reason
from tests.channels.editing import (
    HTML,
    IMAGE_XSS,
    RULES,
    STREAM,
    Change,
    Room,
    change,
    clear,
    code,
    insert,
    markdown,
    move,
    note,
    output,
    tag,
)

# Of a cell's metadata, in the rooms of this module.
MOST = 200
RAW = 4
PLOT = {"output_type": "display_data", "metadata": {}, "data": {"x": [float(number) for number in range(5_000)]}}


@pytest.fixture
def room() -> Room:
    return Room()


class Reading:
    """How many values of metadata were checked, how many bytes of it written out, how many outputs digested."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.values = self.bytes = self.digests = 0
        check_value, size, blake2b = shape.check_value, shape.size, outputs.blake2b

        def checked(*what: Any) -> None:
            self.values += 1
            check_value(*what)

        def sized(value: object) -> int:
            self.bytes += size(value)
            return size(value)

        def digested(*what: Any, **how: Any) -> Any:
            self.digests += 1
            return blake2b(*what, **how)

        monkeypatch.setattr(shape, "check_value", checked)
        monkeypatch.setattr(shape, "size", sized)
        monkeypatch.setattr(outputs, "blake2b", digested)


def test_attack_small_changes_beside_large_metadata(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fourteen bytes in a cell, or in many at once, do not make the gate read what stands beside them."""
    for at in range(5):
        room.edit(tag(at, "a", [0.0] * 2_000))
    room.edit(insert(5, lambda: markdown("new", metadata=Map({"a": [0.0] * 2_000}))))
    room.edit(move(0, 3))
    reading = Reading(monkeypatch)
    room.edit(*(tag(at, "collapsed", True) for at in range(6)))
    room.edit(lambda doc: doc["cells"][0]["metadata"].pop("collapsed"))
    assert reading.values < 100 and reading.bytes < 1_000


def test_attack_trust_beside_large_outputs(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """To say again and again whether a cell is trusted does not make the gate read its outputs."""
    room.from_upstream(insert(0, lambda: code("plot", trusted=True, outputs=(PLOT,))))
    room.edit(tag(2, "x", 1))
    reading = Reading(monkeypatch)
    for trusted in (False, True, False, True):
        assert room.edit(tag(0, "trusted", trusted)).corrected == ()
        assert room.edit(tag(2, "trusted", trusted)).corrected == (("trusted",) if trusted else ())
    assert reading.digests == 0
    assert room.edit(move(0, 3)).corrected == () and reading.digests > 0


def test_attack_small_changes_of_the_notebooks_own_metadata(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was there is not digested for a value that is nothing like it."""
    room.from_upstream(note("widgets", {"state": [[]] * 5_000}))
    room.edit(tag(2, "x", 1))
    reading = Reading(monkeypatch)
    assert room.edit(note("widgets", 1)).corrected == ("metadata",)
    assert reading.digests == 0
    assert room.edit(note("widgets", {"state": [[]] * 5_000})).corrected == () and reading.digests == 2
    assert room.edit(note("widgets", {"state": [[]] * 4_999 + [0]})).corrected == ("metadata",)


# What is remembered of metadata is what is there.


def refuse(room: Room) -> None:
    with pytest.raises(Denied):
        room.guard.judge(change(room.page(400), tag(RAW, "a", "longer"), insert(0, "x")))
    room.pages.pop(400)


def refuse_size(room: Room) -> None:
    with pytest.raises(Denied, match="larger"):
        room.guard.judge(change(room.page(400), tag(RAW, "b", "x" * MOST)))
    room.pages.pop(400)


def shrink(room: Room) -> None:
    room.edit(tag(RAW, "a", "x" * 100))
    room.edit(tag(RAW, "a", 1))


def repeat(room: Room) -> None:
    update = change(room.page(), tag(RAW, "a", "x" * 90))
    for _ in range(3):
        room.guard.judge(update)
    room.live.apply_update(update)
    room.upstream.apply_update(update)


WAYS: dict[str, Callable[[Room], object]] = {
    "nothing": lambda room: None,
    "refused": refuse,
    "refused for its size": refuse_size,
    "made smaller": shrink,
    "the same again": repeat,
    "twice in one change": lambda room: room.edit(tag(RAW, "a", "x" * 90), tag(RAW, "a", 1)),
    "put in and taken out": lambda room: room.edit(
        tag(RAW, "b", 1), lambda doc: doc["cells"][RAW]["metadata"].pop("b")
    ),
    "taken out": lambda room: room.edit(lambda doc: doc["cells"][RAW]["metadata"].pop("a")),
    "moved": lambda room: [room.edit(move(RAW, 0)), room.edit(move(0, RAW))],
    "others moved": lambda room: [room.edit(move(0, 2)), room.edit(insert(RAW, lambda: markdown("new"))), cut(room)],
    "from upstream": lambda room: room.from_upstream(tag(RAW, "c", "x" * 30)),
    "put in upstream": lambda room: [
        room.edit(lambda doc: doc["cells"].pop(RAW)),
        room.from_upstream(insert(RAW, lambda: markdown("new", metadata=Map({"c": "x" * 30})))),
    ],
    "taken out upstream": lambda room: room.from_upstream(lambda doc: doc["cells"][RAW]["metadata"].pop("a")),
    "written by the gate": lambda room: written(room, tag(RAW, "c", "x" * 30)),
}


def cut(room: Room) -> None:
    room.edit(lambda doc: doc["cells"].pop(RAW))


def written(room: Room, what: Change) -> None:
    update = room.guard.write(what)
    for doc in (room.live, room.upstream, *room.pages.values()):
        doc.apply_update(update)


def fill(room: Room, at: int, size: int) -> Change:
    """A change after which the cell's metadata is so large."""
    beside = {key: value for key, value in room.page()["cells"][at].to_py()["metadata"].items() if key != "fill"}
    return tag(at, "fill", "x" * (size - shape.size({**beside, "fill": ""})))


@pytest.mark.parametrize("way", WAYS)
def test_the_size_of_metadata_is_known_whatever_happened(way: str) -> None:
    """It may be as large as its limit and no larger, also when only a part of it is looked at."""
    room = Room(replace(RULES, max_metadata_bytes=MOST))
    room.edit(tag(RAW, "a", "é"))
    WAYS[way](room)
    with pytest.raises(Denied, match="larger"):
        room.guard.judge(change(room.page(500), fill(room, RAW, MOST + 1)))
    room.edit(fill(room, RAW, MOST))
    with pytest.raises(Denied, match="larger"):
        room.guard.judge(change(room.page(501), tag(RAW, "z", 1)))
    room.edit(lambda doc: doc["cells"][RAW]["metadata"].pop("fill"), tag(RAW, "z", 1))


def test_the_size_of_metadata_is_known_after_a_correction() -> None:
    """Trust that was taken back is a letter longer."""
    room = Room(replace(RULES, max_metadata_bytes=MOST))
    room.edit(fill(room, 1, MOST - 1))
    assert room.edit(tag(1, "trusted", True)).corrected == ("trusted",)
    with pytest.raises(Denied, match="larger"):
        room.guard.judge(change(room.page(501), fill(room, 1, MOST + 1)))
    room.edit(fill(room, 1, MOST))


def test_too_many_keys_one_by_one(room: Room) -> None:
    """Those that are not looked at count."""
    room.edit(*(tag(RAW, f"k{number}", 1) for number in range(1_000)))
    room.edit(tag(RAW, "k0", 2))
    with pytest.raises(Denied, match="too many keys"):
        room.guard.judge(change(room.page(), tag(RAW, "more", 1)))


# Trust, in whatever order keys and outputs come.


def append(at: int, plain: dict[str, Any]) -> Change:
    return lambda doc: doc["cells"][at]["outputs"].append(output(plain))


def clear_outputs(at: int) -> Change:
    return lambda doc: doc["cells"][at]["outputs"].clear()


def write_into_source(at: int) -> Change:
    return lambda doc: doc["cells"][at]["source"].insert(0, "x")


def write_into(at: int, text: str) -> Change:
    def write(doc: Doc) -> None:
        doc["cells"][at]["outputs"][0]["text"].insert(0, text)

    return write


STEPS: dict[str, Sequence[Change]] = {
    "put in": (tag(0, "trusted", False), append(0, IMAGE_XSS), tag(0, "trusted", True)),
    "exchanged": (tag(0, "trusted", True), clear_outputs(0), append(0, IMAGE_XSS)),
    "written into": (tag(0, "trusted", True), write_into(0, "<img src=x onerror=alert(1)>"), tag(0, "x", 1)),
    "untrusted ones": (tag(1, "trusted", True), append(1, HTML), tag(1, "x", 1)),
    "into an empty cell": (tag(2, "trusted", True), append(2, IMAGE_XSS), tag(2, "x", 1)),
}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
@pytest.mark.parametrize("together", [True, False], ids=["together", "one by one"])
@pytest.mark.parametrize("name", STEPS)
def test_attack_trust_and_outputs(room: Room, name: str, together: bool, order: Sequence[int]) -> None:
    """Whatever comes first: a trusted cell holds what it held, or nothing."""
    room.edit(tag(0, "x", 0))
    steps = [STEPS[name][step] for step in order]
    for part in [steps] if together else [[step, tag(0, "y", 1)] for step in steps]:
        room.edit(*part)
    room.edit(*(tag(at, "trusted", True) for at in range(3)))
    for cell in room.live["cells"].to_py()[:3]:
        held = cell["outputs"]
        assert held in ([], [IMAGE_XSS], [STREAM, HTML])
        assert cell["metadata"]["trusted"] is (held != [IMAGE_XSS])


@pytest.mark.parametrize("later", [0.0, 10.0])
def test_attack_trust_in_outputs_that_upstream_just_wrote(room: Room, later: float) -> None:
    """What the gate remembers of a cell's outputs is not held for what upstream wrote since."""
    room.edit(tag(0, "x", 0))
    room.from_upstream(clear_outputs(0), append(0, {**IMAGE_XSS, "metadata": {"new": 1}}), tag(0, "trusted", False))
    room.clock.now += later
    assert room.edit(tag(0, "trusted", True)).corrected == ("trusted",)
    assert room.edit(lambda doc: doc["cells"][0]["metadata"].pop("trusted")).corrected == ()
    room.from_upstream(clear_outputs(0), append(0, {**IMAGE_XSS, "metadata": {"new": 2}}))
    room.edit(lambda doc: doc["cells"][0]["metadata"].pop("x"))
    assert room.edit(tag(0, "trusted", True)).corrected == ("trusted",)


def test_outputs_that_were_not_read_yet_stay_when_trust_is_taken_away(room: Room) -> None:
    """The owner runs a cell, and in the same moment an editor takes its mark away: that loses nothing, and nothing is
    trusted by it."""
    room.edit(tag(0, "x", 0))
    new = {**IMAGE_XSS, "metadata": {"new": 1}}
    room.from_upstream(clear_outputs(0), append(0, new))
    assert room.edit(lambda doc: doc["cells"][0]["metadata"].pop("trusted")).corrected == ()
    assert room.edit(write_into_source(0)).corrected == ()
    assert room.live["cells"][0].to_py()["outputs"] == [new]
    assert room.edit(tag(0, "trusted", True)).corrected == ("trusted",)


def test_attack_trust_where_outputs_were_not_read_yet(room: Room) -> None:
    """What a cell held before is no reason to trust what upstream wrote since, even if nobody could write that trust
    without having it read."""
    held = outputs.read_outputs([STREAM, HTML])
    seen = SeenOutputs(10)
    seen.see(held.key, True)
    room.from_upstream(append(0, IMAGE_XSS))
    room.live.apply_update(change(room.page(), tag(0, "trusted", True)))
    roots = {name: room.live.get(name, type=kind) for name, kind in (("cells", Array), ("meta", Map))}
    touch = Touch("cells", [0, "metadata"], MapEvent, {"trusted": {"newValue": True, "oldValue": False}})
    for unread, mended in ((frozenset({0}), {"outputs", "trusted"}), (frozenset[int](), set())):
        judgement = Judgement(RULES, "", seen, roots, [held], unread, [None], deletes=False, values=True)
        with room.live.transaction():
            judgement.judge([touch], [])
        assert judgement.facts == mended


def test_outputs_that_are_no_list_are_not_trusted(room: Room) -> None:
    """Whatever upstream made of a cell."""
    room.edit(tag(0, "x", 0))
    room.from_upstream(lambda doc: doc["cells"][0].__setitem__("outputs", [IMAGE_XSS]))
    with pytest.raises(Denied, match="outputs that are no list"):
        room.edit(tag(0, "trusted", True))


# What has to be read is charged for.


class Ration:
    def __init__(self, left: int) -> None:
        self.left = left
        self.taken: list[int] = []

    def __call__(self, cost: int) -> None:
        self.taken.append(cost)
        self.left -= cost
        if self.left < 0:
            raise Denied(Reason.BYTES_LIMIT)


def again(at: int) -> Change:
    """A change that leaves all outputs as they were."""

    def written(doc: Doc) -> None:
        doc["cells"][at]["outputs"].append(output(HTML))
        del doc["cells"][at]["outputs"][1]

    return written


def test_outputs_that_are_written_anew_are_charged_before_they_are_read(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few bytes that make the gate read a plot cost as much as the plot; who has not so much left is denied with
    nothing changed, and owes what it takes to read the document anew."""
    room.from_upstream(insert(0, lambda: code("plot", outputs=(PLOT,))))
    room.edit(tag(RAW, "x", 1))
    update = change(room.page(), again(0))
    before = room.guard.content()
    ration = Ration(39_999)
    reading = Reading(monkeypatch)
    with pytest.raises(Denied, match="bytes_limit"):
        room.guard.judge(update, reads=ration)
    assert reading.digests == 0 and room.guard.content() == before
    assert 40_000 <= ration.taken[0] < 60_000 and sum(ration.taken) > len(room.live.get_update())
    ration = Ration(60_000)
    assert room.guard.judge(update, reads=ration).corrected == () and len(ration.taken) == 1


def test_metadata_is_charged_when_it_is_read_for_the_first_time(room: Room) -> None:
    """Cell by cell, so that one change does not read that of all."""
    room.from_upstream(*(tag(at, "a", [1.0] * 500) for at in range(5)))
    ration = Ration(20_000)
    with pytest.raises(Denied, match="bytes_limit"):
        room.guard.judge(change(room.page(), *(tag(at, "b", 1) for at in range(5))), reads=ration)
    assert len(ration.taken) == 4, "three cells, and the document"
    free, later = Ration(10_000), Ration(0)
    room.deliver(room.guard.judge(change(room.page(101), tag(RAW, "b", 1)), reads=free), 101)
    room.deliver(room.guard.judge(change(room.page(101), tag(RAW, "b", 2)), reads=later), 101)
    assert len(free.taken) == 1 and later.taken == []


def test_attack_outputs_of_many_cells_in_one_change() -> None:
    """Who has ration left does not have it spent in one piece: a change has no more read than it may hold."""
    room = Room(replace(RULES, max_update_bytes=100_000))
    for number in range(3):
        room.from_upstream(insert(0, lambda number=number: code(f"plot{number}", outputs=(PLOT,))))
    room.edit(tag(RAW, "x", 1))
    ration = Ration(1_000_000)
    with pytest.raises(Denied, match="update_too_large"):
        room.guard.judge(change(room.page(), *(again(at) for at in range(3))), reads=ration)
    room.pages.clear()
    ration = Ration(1_000_000)
    room.guard.judge(change(room.page(), *(again(at) for at in range(2))), reads=ration)
    assert len(ration.taken) == 2


def test_to_clear_large_outputs_costs_nothing(room: Room) -> None:
    """They are not read."""
    room.from_upstream(insert(0, lambda: code("plot", outputs=(PLOT,))))
    room.edit(tag(RAW, "x", 1))
    assert room.guard.judge(change(room.page(), clear(0)), reads=Ration(1_000)).corrected == ()


def test_metadata_that_a_change_holds_is_not_charged_again(room: Room) -> None:
    """Nor is what stands beside it, where that is next to nothing."""
    room.from_upstream(tag(RAW, "b", 1))
    ration = Ration(1_000)
    assert room.guard.judge(change(room.page(), tag(RAW, "a", [1.0] * 5_000)), reads=ration).corrected == ()


def test_what_the_gate_puts_back_is_charged(room: Room) -> None:
    """A few bytes that take away what is large have it written again, for everybody."""
    room.from_upstream(lambda doc: doc["meta"]["metadata"].__setitem__("widgets", "x" * 5_000))
    update = change(room.page(), lambda doc: doc["meta"]["metadata"].pop("widgets"))
    with pytest.raises(Denied, match="bytes_limit"):
        room.guard.judge(update, reads=Ration(5_000))
    ration = Ration(6_000)
    assert room.guard.judge(update, reads=ration).corrected == ("metadata",) and len(ration.taken) == 1


@pytest.mark.parametrize(
    ("plain", "least"),
    [
        ([{"data": {"x": [float(number) for number in range(1_000)]}}], 8_000),
        ([{"data": {"x": list("ab" * 500)}}], 8_000),
        ([{"data": {"x": [[] for _ in range(1_000)]}}], 40_000),
        ([{"data": {"x": {str(number): {} for number in range(1_000)}}}], 48_000),
        ([{"data": {"x": {str(number): None for number in range(2_000)}}}], 160_000),
        ([{"data": {"text/plain": "x" * 16_000}}], 8_000),
    ],
    ids=["numbers", "words", "lists", "maps", "many keys", "a text"],
)
def test_what_outputs_cost(plain: object, least: int) -> None:
    """About as much as a change that holds them: eight bytes for a value, many times that for others than numbers. The
    same holds for metadata."""
    assert least <= outputs.read_outputs(plain).cost < 2 * least
    assert least <= outputs.json_cost(plain) < 4 * least
