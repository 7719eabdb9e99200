"""What a page may say of itself: cursors that every page can read, bounded, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharegate.channels import frames
from sharegate.channels.frames import Awareness, AwarenessState
from sharegate.channels.lib0 import MAX_SAFE
from sharegate.channels.names import MAX_STATE, Awarenesses
from sharegate.channels.shown import MAX_CURSORS
from sharegate.errors import Denied, Reason
from sharegate.messages import Frame
from tests.channels.names.people import ANN, CURSOR, said
from tests.conftest import Clock


@pytest.mark.parametrize("state", [5, "x", [], True, [{"user": {}}]])
def test_attack_what_is_no_state(room: Awarenesses, state: Any) -> None:
    """The server would choke on it (rooms.py reads `.get`)."""
    with pytest.raises(Denied) as refused:
        room.from_visitor("m", ANN, said(7, 1, state))
    assert refused.value.reason is Reason.BAD_FRAME


@pytest.mark.parametrize(
    "position",
    [
        *(None, 5, "x", [], {}, {"assoc": 0}, {"type": None, "tname": None, "item": None, "assoc": 0}),
        {"type": {"client": 5}, "item": None},
        {"item": {"client": -1, "clock": 0}},
        {"item": {"client": 5, "clock": -1}},
        {"item": {"client": True, "clock": 1}},
        {"item": {"client": 1, "clock": 1.5}},
        {"item": {"client": 2**53, "clock": 1}},
        {"tname": "brand new root"},
        {"tname": ["source"]},
    ],
)
@pytest.mark.parametrize("end", ["anchor", "head"])
def test_attack_cursors_that_throw_in_the_owners_editor(room: Awarenesses, position: Any, end: str) -> None:
    """Yjs throws on a position without a place or with negative numbers, and makes every root that is named."""
    (shown,) = room.from_visitor("m", ANN, said(7, 1, {"cursors": [{**CURSOR, end: position}, CURSOR]}))
    assert shown.state["cursors"] == [CURSOR]
    missing = {key: value for key, value in CURSOR.items() if key != end}
    (shown,) = room.from_visitor("m", ANN, said(7, 2, {"cursors": [missing]}))
    assert shown.state["cursors"] == []


@pytest.mark.parametrize(
    ("position", "shown"),
    [
        ({"item": {"client": 0, "clock": 0, "x": 1}}, {"item": {"client": 0, "clock": 0}}),
        ({"tname": "source", "assoc": -1}, {"tname": "source", "assoc": -1}),
        ({"tname": "evil", "type": {"client": 1, "clock": 2}}, {"type": {"client": 1, "clock": 2}}),
        ({"tname": "source", "assoc": 1e300, "type": "x"}, {"tname": "source"}),
    ],
)
def test_positions_are_whole(room: Awarenesses, position: Any, shown: dict[str, Any]) -> None:
    """All four fields are there, also those that the page left out."""
    whole = {"type": None, "tname": None, "item": None, "assoc": 0} | shown
    (state,) = room.from_visitor("m", ANN, said(7, 1, {"cursors": [{"anchor": position, "head": position}]}))
    assert state.state["cursors"] == [{"anchor": whole, "head": whole}]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
IDS = st.none() | st.fixed_dictionaries({"client": st.integers(-2, 2**60), "clock": st.integers(-2, 2**60) | JSON})
POSITIONS = JSON | st.fixed_dictionaries(
    {}, optional={"type": IDS, "item": IDS, "tname": JSON | st.just("source"), "assoc": JSON}
)
CURSORS = JSON | st.fixed_dictionaries({"anchor": POSITIONS, "head": POSITIONS}, optional={"primary": JSON})
STATES = st.fixed_dictionaries({}, optional={"user": JSON, "cursors": st.lists(CURSORS, max_size=40), "autosave": JSON})


@settings(deadline=None)
@given(STATES)
def test_attack_any_state_becomes_one_that_pages_can_read(state: dict[str, Any]) -> None:
    """Whatever is said: the gate's name, whole positions, at most 4 KiB of JSON, no more."""
    (shown,) = Awarenesses("u1", Clock()).from_visitor("m", ANN, said(7, 1, state))
    assert frames.read(frames.write(Awareness((shown,)))) == Awareness((shown,))
    assert len(json.dumps(shown.state, separators=(",", ":"))) <= MAX_STATE
    assert set(shown.state) - {"cursors"} == {"user", "autosave"}
    assert (shown.state["user"], shown.state["autosave"]) == (ANN, True)
    for cursor in shown.state.get("cursors", []):
        assert set(cursor) - {"primary"} == {"anchor", "head"} and cursor.get("primary", True) in (True, False)
        for position in (cursor["anchor"], cursor["head"]):
            assert set(position) == {"type", "tname", "item", "assoc"}
            assert position["type"] or position["item"] or position["tname"]
            for id in filter(None, (position["type"], position["item"])):
                assert id["client"] >= 0 and id["clock"] >= 0


def test_attack_states_of_60_kilobytes(room: Awarenesses) -> None:
    """Cursors are kept as far as they fit, the primary one always."""
    big = {"type": {"client": MAX_SAFE, "clock": MAX_SAFE}, "item": {"client": MAX_SAFE, "clock": MAX_SAFE}}
    many = [{"anchor": big, "head": big, "primary": False}] * 200 + [CURSOR]
    (shown,) = room.from_visitor("m", ANN, said(7, 1, {"cursors": many, "x": "y" * 20_000}))
    assert 1000 < len(json.dumps(shown.state, separators=(",", ":"))) <= MAX_STATE
    (shown,) = room.from_visitor("m", ANN, said(7, 2, {"cursors": many[-MAX_CURSORS:]}))
    assert shown.state["cursors"][0] == CURSOR
    assert 10 < len(shown.state["cursors"]) < MAX_CURSORS
    assert len(json.dumps(shown.state, separators=(",", ":"))) <= MAX_STATE


def test_attack_an_awareness_of_20_megabytes_is_not_read() -> None:
    """The frame is refused before anything is parsed."""
    with pytest.raises(Denied):
        frames.read(Frame.binary(b"\x01" + b"\x80\x80\x80\x0a" + b"x" * (20 << 20)))
    with pytest.raises(Denied):
        frames.read(frames.write(said(7, 1, {"user": "x" * 65_536})))


def test_attack_thousands_of_states_in_one_frame_leave_nothing(room: Awarenesses) -> None:
    """What is not the page's own is looked at and not remembered."""
    room.from_visitor("m", ANN, said(7, 1, {}))
    gone = tuple(AwarenessState(number, 1, None) for number in range(100, 20_000))
    assert room.from_visitor("m", ANN, Awareness(gone)) == ()
    assert len(room._used) == 1
