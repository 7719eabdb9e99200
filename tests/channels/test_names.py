"""Awareness rebuilt by the gate: who is where, in nobody's words but its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycrdt import Awareness as ServerAwareness
from pycrdt import Doc

from sharegate.channels import frames
from sharegate.channels.frames import Awareness, AwarenessState
from sharegate.channels.lib0 import MAX_SAFE
from sharegate.channels.names import MAX_PRESENT, MAX_STATE, OUTDATED, REMEMBERED, Awarenesses, Told
from sharegate.channels.shown import MAX_CURSORS, MAX_STATES
from sharegate.errors import Denied, Reason
from sharegate.limits import Rate
from sharegate.messages import Frame
from tests.conftest import Clock

ANN: Mapping[str, Any] = {
    "username": "sharegate-ann",
    "name": "Ann",
    "display_name": "Ann",
    "initials": "A",
    "avatar_url": None,
    "color": "var(--jp-collaborator-color1)",
}
BO: Mapping[str, Any] = {**ANN, "username": "sharegate-bo", "name": "“Bo”", "display_name": "“Bo”"}
OWNER = 900
HERE = {"type": {"client": 5, "clock": 7}, "tname": None, "item": {"client": 5, "clock": 9}, "assoc": 0}
CURSOR = {"anchor": HERE, "head": HERE, "primary": True, "empty": True}


def said(client: int, clock: int, state: Any = None, *more: AwarenessState) -> Awareness:
    return Awareness((AwarenessState(client, clock, state), *more))


def owner(clock: int = 1, autosave: Any = True, client: int = OWNER, name: str = "Olga") -> Awareness:
    user = {"username": "olga@example.org", "name": name, "display_name": name}
    return said(client, clock, {"user": user, "autosave": autosave})


def saves(states: tuple[AwarenessState, ...]) -> list[Any]:
    return [each.state["autosave"] for each in states]


@pytest.fixture
def room(clock: Clock) -> Awarenesses:
    return Awarenesses("u1", clock)


# -- who ----------------------------------------------------------------------------------------------------------


def test_attack_a_spoofed_user_is_the_gates_identity(room: Awarenesses) -> None:
    """Whatever a page says of who it is, others see the visit's name; nothing else passes but cursors."""
    state = {
        "user": {
            "username": "olga",
            "name": "Olga",
            "display_name": "<img src=x onerror=alert(1)>\u202e",
            "color": "x",
        },
        "cursors": [{**CURSOR, "path": "/home/olga"}],
        "autosave": False,
        "current": "secret.ipynb",
        "documents": ["secret.ipynb"],
    }
    (shown,) = room.from_visitor("m", ANN, said(7, 1, state))
    assert shown.client == 7
    assert shown.state == {"user": dict(ANN), "cursors": [CURSOR], "autosave": True}
    (again,) = room.everything("other", BO)
    assert again.state == shown.state


def test_a_name_that_changed_is_said_from_then_on(room: Awarenesses) -> None:
    """The identity of each state is the one given with it."""
    room.from_visitor("m", ANN, said(7, 1, {}))
    (shown,) = room.from_visitor("m", {**ANN, "name": "Anna"}, said(7, 2, {}))
    assert shown.state["user"]["name"] == "Anna"


def test_an_honest_page_is_never_refused(room: Awarenesses) -> None:
    """It says itself first, repeats what it hears of others, says that others are gone, leaves, and comes back."""
    assert len(room.from_visitor("m", ANN, said(7, 0, {}))) == 1
    assert len(room.from_visitor("m", ANN, said(7, 1, {"user": {"name": "x"}}))) == 1
    (olga,) = room.from_upstream(owner()).members
    (bo,) = room.from_visitor("n", BO, said(8, 1, {}))
    for heard in (olga, bo):
        assert room.from_visitor("m", ANN, Awareness((heard,))) == ()
        assert room.from_visitor("m", ANN, said(heard.client, heard.clock, None)) == ()
    assert room.from_visitor("m", ANN, said(424242, 3, None)) == ()
    both = Awareness((bo, AwarenessState(7, 2, {"cursors": [CURSOR]}), olga))
    assert [each.client for each in room.from_visitor("m", ANN, both)] == [7]
    assert [each.client for each in room.left("n")] == [8]
    assert room.from_visitor("m", ANN, said(8, bo.clock, None)) == ()
    (gone,) = room.from_visitor("m", ANN, said(7, 3, None))
    assert (gone.client, gone.state) == (7, None)
    assert room.from_visitor("m", ANN, said(7, 4, None)) == ()
    assert len(room.from_visitor("m", ANN, said(7, 5, {}))) == 1


def test_attack_a_second_id(room: Awarenesses) -> None:
    """One page, one id: cursors of people who are not there are refused, also beside the own one."""
    room.from_visitor("m", ANN, said(7, 1, {}))
    for message in (said(8, 1, {}), said(7, 2, {}, AwarenessState(8, 1, {}))):
        with pytest.raises(Denied) as refused:
            room.from_visitor("m", ANN, message)
        assert refused.value.reason is Reason.UPDATE_REFUSED
    with pytest.raises(Denied):
        room.from_visitor("n", BO, said(18, 1, {}, AwarenessState(19, 1, {})))


def test_attack_another_members_id(room: Awarenesses) -> None:
    """Neither while that member is there nor after; nothing of it is sent on."""
    room.from_visitor("m", ANN, said(7, 1, {}))
    assert room.from_visitor("n", BO, said(7, 99, {"cursors": [CURSOR]})) == ()
    assert room.from_visitor("n", BO, said(7, 100, None)) == ()
    room.left("m")
    assert room.from_visitor("o", BO, said(7, 101, {})) == ()
    assert room.everything("x", ANN) == ()


def test_attack_the_owners_id(room: Awarenesses) -> None:
    """The owner's page would take the state for its own: not even before, between or after the owner's states."""
    room.from_upstream(owner())
    assert room.from_visitor("m", ANN, said(OWNER, 50, {"cursors": [CURSOR]})) == ()
    room.from_upstream(said(OWNER, 2, None))
    assert room.from_visitor("m", ANN, said(OWNER, 51, {})) == ()
    room.upstream_gone()
    assert room.from_visitor("m", ANN, said(OWNER, 52, {})) == ()
    assert len(room.from_visitor("m", ANN, said(7, 1, {}))) == 1


def test_attack_an_id_that_only_the_document_knows(clock: Clock) -> None:
    """The room says which ids have written: 0, the gate's and those of others are refused, with the visit's own not."""
    asked = []

    def taken(visit: str, client: int) -> bool:
        asked.append((visit, client))
        return client == 33

    room = Awarenesses("u1", clock, taken=taken)
    for client in (0, 33):
        with pytest.raises(Denied) as refused:
            room.from_visitor("m", ANN, said(client, 1, {}))
        assert refused.value.reason is Reason.UPDATE_REFUSED
    assert len(room.from_visitor("m", ANN, said(7, 1, {}))) == 1
    assert asked == [("sharegate-ann", 33), ("sharegate-ann", 7)]


def test_a_second_tab_that_repeats_the_first_is_not_refused(clock: Clock) -> None:
    """A page that says nothing of its own yet repeats what it heard of another tab of the same person, whose id has
    written: nothing is sent on, the id stays the first tab's, and the second has its own."""
    written: set[int] = set()
    room = Awarenesses("u1", clock, taken=lambda visit, client: client in written)
    (first,) = room.from_visitor("m", ANN, said(7, 1, {}))
    written.add(7)
    assert room.from_visitor("n", ANN, Awareness((first,))) == ()
    assert [each.client for each in room.from_visitor("n", ANN, said(8, 1, {}))] == [8]
    assert [each.client for each in room.left("m")] == [7]


def test_a_page_that_reconnects_keeps_its_id(room: Awarenesses) -> None:
    """With the clock it had, before or after its broken connection was noticed; others hear rising clocks."""
    (one,) = room.from_visitor("m1", ANN, said(7, 5, {}))
    (two,) = room.from_visitor("m2", ANN, said(7, 5, {"cursors": [CURSOR]}))
    assert two.clock > one.clock
    assert room.left("m1") == ()
    (three,) = room.left("m2")
    (four,) = room.from_visitor("m3", ANN, said(7, 5, {}))
    assert two.clock < three.clock < four.clock and three.state is None


def test_a_connection_that_lost_its_id_does_not_take_it_back(room: Awarenesses) -> None:
    """Two connections with one id do not push each other out for ever."""
    room.from_visitor("m1", ANN, said(7, 5, {}))
    room.from_visitor("m2", ANN, said(7, 5, {}))
    assert room.from_visitor("m1", ANN, said(7, 6, {"cursors": []})) == ()
    assert room.but("m2", (AwarenessState(7, 1, {}),)) == ()


def test_the_same_page_through_a_gate_that_was_started_again(clock: Clock) -> None:
    """The server still has what the earlier run said: the visit gets its id back, with a clock that rises."""
    before = Awarenesses("u1", clock)
    (old,) = before.from_visitor("m", ANN, said(7, 5, {}))
    clock.forward(3)
    room = Awarenesses("u1", clock)
    assert len(room.from_upstream(Awareness((old,))).members) == 1
    assert room.everything("m", ANN) == ()
    assert [each.client for each in room.everything("n", BO)] == [7]
    assert room.from_visitor("n", BO, said(7, 5, {})) == ()
    (new,) = room.from_visitor("m", ANN, said(7, 5, {}))
    assert new.clock > old.clock
    assert [each.client for each in room.everything("n", BO)] == [7]


# -- clocks -------------------------------------------------------------------------------------------------------


def test_stale_clocks_are_dropped(room: Awarenesses) -> None:
    """What is not newer than the last is no news."""
    room.from_visitor("m", ANN, said(7, 5, {}))
    for clock in (5, 4, 0):
        assert room.from_visitor("m", ANN, said(7, clock, {"cursors": [CURSOR]})) == ()
    assert len(room.from_visitor("m", ANN, said(7, 6, {}))) == 1


def test_attack_the_highest_clock_is_not_sent_on(room: Awarenesses) -> None:
    """A page's clocks end at the gate: with the highest there is, its state is withdrawn all the same."""
    (one,) = room.from_visitor("m", ANN, said(7, MAX_SAFE, {}))
    (two,) = room.left("m")
    assert one.clock < two.clock < MAX_SAFE
    (three,) = room.from_visitor("n", ANN, said(7, 0, {}))
    assert three.clock == two.clock + 1


def test_of_many_states_of_one_id_the_newest_counts(room: Awarenesses) -> None:
    """One message, one state."""
    room.from_visitor("m", ANN, said(7, 1, {}))
    many = [AwarenessState(7, clock, {"cursors": [CURSOR] * (clock == 9)}) for clock in (4, 9, 2, 8)]
    (shown,) = room.from_visitor("m", ANN, Awareness(tuple(many)))
    assert shown.state["cursors"] == [CURSOR]
    assert room.from_visitor("m", ANN, said(7, 9, {})) == ()


# -- what ---------------------------------------------------------------------------------------------------------


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


# -- how often ----------------------------------------------------------------------------------------------------


def test_too_fast_the_newest_wins(clock: Clock) -> None:
    """Nothing is refused: what came too fast is said later, without what came before it."""
    room = Awarenesses("u1", clock, pace=Rate(1, 1, 2))
    assert len(room.from_visitor("m", ANN, said(7, 1, {}))) == 1
    assert len(room.from_visitor("m", ANN, said(7, 2, {}))) == 1
    assert room.from_visitor("m", ANN, said(7, 3, {})) == ()
    assert room.from_visitor("m", ANN, said(7, 4, {"cursors": [CURSOR]})) == ()
    assert room.settle() == Told()
    clock.forward(1)
    told = room.settle()
    assert told.members == told.upstream
    assert [each.state["cursors"] for each in told.members] == [[CURSOR]]
    assert room.settle() == Told()


def test_attack_a_new_connection_is_no_new_allowance(clock: Clock) -> None:
    """Paced is the visit; another visit is not held up."""
    room = Awarenesses("u1", clock, pace=Rate(1, 1, 2))
    sent = [room.from_visitor(f"m{number}", ANN, said(number, 1, {})) for number in range(1, 9)]
    assert sum(map(len, sent)) == 2
    assert len(room.from_visitor("n", BO, said(77, 1, {}))) == 1


def test_leaving_is_said_at_once_also_when_much_was_said(clock: Clock) -> None:
    """What waits is dropped with the connection."""
    room = Awarenesses("u1", clock, pace=Rate(1, 1, 1))
    room.from_visitor("m", ANN, said(7, 1, {}))
    room.from_visitor("m", ANN, said(7, 2, {}))
    assert [each.state for each in room.left("m")] == [None]
    clock.forward(5)
    assert room.settle() == Told()


# -- coming and going ---------------------------------------------------------------------------------------------


def test_who_comes_late_is_told_everything(room: Awarenesses) -> None:
    """The owner's side and the other members, not the server's empty state, and not oneself."""
    room.from_upstream(owner())
    room.from_upstream(said(901, 4, {}))
    (ann,) = room.from_visitor("m", ANN, said(7, 1, {}))
    room.from_visitor("n", BO, said(8, 1, {}))
    told = room.everything("n", BO)
    assert {each.client for each in told} == {OWNER, 7}
    assert {each.client for each in room.everything("new", {**BO, "username": "sharegate-new"})} == {OWNER, 7, 8}
    assert {each.client for each in room.everything("new", BO)} == {OWNER, 7}, "its page may be 8"
    assert next(each.clock for each in told if each.client == 7) > ann.clock, "it may have heard of it before"


def test_a_member_is_not_sent_its_own_state(room: Awarenesses) -> None:
    """A page that hears of itself says it again."""
    states = room.from_visitor("m", ANN, said(7, 1, {})) + room.from_visitor("n", BO, said(8, 1, {}))
    assert [each.client for each in room.but("m", states)] == [8]
    assert [each.client for each in room.but("n", states)] == [7]
    assert room.but("nobody", states) is states


def test_a_member_that_left_is_withdrawn_once(room: Awarenesses) -> None:
    """With a higher clock and null; a stranger's leaving says nothing."""
    (shown,) = room.from_visitor("m", ANN, said(7, 1, {}))
    (gone,) = room.left("m")
    assert (gone.client, gone.state) == (7, None) and gone.clock > shown.clock
    assert room.left("m") == room.left("stranger") == room.everything("x", BO) == ()


def test_a_viewer_is_shown_to_nobody(room: Awarenesses) -> None:
    """Its id is its own all the same; who was shown before is withdrawn; nothing is refused."""
    assert room.from_viewer("v", BO, said(8, 1, {"cursors": [CURSOR]})) == ()
    assert room.from_viewer("v", BO, said(9, 1, {})) == ()
    assert room.everything("x", ANN) == room.of_members() == ()
    assert room.from_visitor("m", ANN, said(8, 5, {})) == ()
    room.from_visitor("m", ANN, said(7, 5, {}))
    assert [each.state for each in room.from_viewer("m", ANN, said(7, 6, {}))] == [None]
    assert room.from_viewer("m", ANN, said(7, 7, {})) == room.of_members() == ()
    assert [each.client for each in room.from_visitor("v", BO, said(8, 1, {}))] == [8], "may edit now"


def test_who_is_silent_for_30_seconds_is_gone(room: Awarenesses, clock: Clock) -> None:
    """On both sides, told to members; whoever goes on saying something stays."""
    room.from_upstream(owner(client=901))
    room.from_visitor("m", ANN, said(7, 1, {}))
    clock.forward(15)
    room.from_upstream(owner())
    (bo,) = room.from_visitor("n", BO, said(8, 1, {}))
    clock.forward(OUTDATED - 15)
    told = room.settle()
    assert {(each.client, each.state) for each in told.members} == {(901, None), (7, None)}
    assert [(each.client, each.state) for each in told.upstream] == [(7, None)]
    assert {each.client for each in room.everything("x", {**ANN, "username": "x"})} == {OWNER, 8}
    assert room.settle() == Told()
    (back,) = room.from_visitor("m", ANN, said(7, 2, {}))
    assert back.clock > bo.clock


def test_an_upstream_that_went_takes_its_people_along(room: Awarenesses) -> None:
    """Members are told; when it is back, what has not changed meanwhile is heard with the clock it had."""
    room.from_upstream(owner(5))
    room.from_visitor("m", ANN, said(7, 1, {}))
    assert room.upstream_gone() == (AwarenessState(OWNER, 5, None),)
    assert room.upstream_gone() == ()
    assert [each.client for each in room.everything("x", BO)] == [7]
    assert [each.client for each in room.of_members()] == [7]
    assert len(room.from_upstream(owner(5)).members) == 1


# -- the owner's side ---------------------------------------------------------------------------------------------


def test_the_owners_side_is_shown_without_account_names(room: Awarenesses) -> None:
    """As to viewers, and no more than 32 cursors."""
    (many,) = room.from_upstream(said(901, 1, {"cursors": [CURSOR] * 100})).members
    assert many.state["cursors"] == [CURSOR] * MAX_CURSORS
    (shown,) = room.from_upstream(owner()).members
    assert shown.state["user"]["display_name"] == "Olga"
    assert "olga" not in shown.state["user"]["username"]


def test_echoes_of_members_states_are_dropped(room: Awarenesses) -> None:
    """The server sends each message to all, and every page of the owner's side repeats it, or says it is gone."""
    (shown,) = room.from_visitor("m", ANN, said(7, 1, {}))
    for echo in (shown, AwarenessState(7, shown.clock + 9, {"user": {"name": "X"}}), AwarenessState(7, 1, None)):
        assert room.from_upstream(Awareness((echo,))) == Told()
    (gone,) = room.left("m")
    assert room.from_upstream(Awareness((shown, gone))) == Told()
    assert room.everything("x", BO) == ()


def test_repeated_and_stale_states_of_the_owners_side_are_no_news(room: Awarenesses) -> None:
    """Nor does one that comes late bring back somebody who left."""
    assert len(room.from_upstream(owner(3)).members) == 1
    assert room.from_upstream(owner(3)) == room.from_upstream(owner(2)) == Told()
    assert room.from_upstream(said(OWNER, 2, None)) == Told()
    assert room.from_upstream(said(OWNER, 3, None)).members == (AwarenessState(OWNER, 3, None),)
    assert room.from_upstream(owner(3)) == room.from_upstream(said(OWNER, 4, None)) == Told()
    assert room.everything("x", BO) == ()
    assert len(room.from_upstream(owner(4)).members) == 1
    assert len(room.from_upstream(said(OWNER, 7, None)).members) == 1
    assert room.from_upstream(owner(6)) == Told()
    assert len(room.from_upstream(owner(8)).members) == 1


def test_what_is_no_state_upstream_is_dropped(room: Awarenesses) -> None:
    """Wrong shapes and the id 0; and there is an upper number of states in a message and in all."""
    wrong = [AwarenessState(number, 1, state) for number, state in enumerate((5, "x", [], True), 10)]
    assert room.from_upstream(Awareness((*wrong, AwarenessState(0, 1, {"autosave": False})))) == Told()
    many = tuple(AwarenessState(number, 1, {"user": {}}) for number in range(1, 1000))
    assert len(room.from_upstream(Awareness(many)).members) == MAX_STATES
    for start in range(1000, 8000, MAX_STATES):
        states = tuple(AwarenessState(number, 1, {"user": {}}) for number in range(start, start + MAX_STATES))
        room.from_upstream(Awareness(states))
    assert len(room.everything("x", BO)) == MAX_PRESENT
    assert len(room._used) == REMEMBERED


def test_who_is_there_is_not_forgotten_for_those_who_were(room: Awarenesses) -> None:
    """Whatever ids come and go, those of members and of the owner's side stay theirs."""
    room.from_visitor("m", ANN, said(7, 1, {}))
    room.from_upstream(owner())
    for number in range(1000, 1000 + REMEMBERED):
        room.from_viewer("v", BO, said(number, 1, {}))
        room.left("v")
    assert len(room._used) == REMEMBERED
    assert room.from_visitor("n", BO, said(7, 1, {})) == room.from_visitor("n", BO, said(OWNER, 9, {})) == ()


def test_names_of_the_owners_side_are_heard(clock: Clock) -> None:
    """Cleaned, once per change, with the account name; members' echoes are not among them."""
    heard = []
    room = Awarenesses("u1", clock, heard=lambda username, name: heard.append((username, name)))
    room.from_visitor("m", ANN, said(7, 1, {}))
    room.from_upstream(said(7, 2, {"user": dict(ANN)}))
    for at in (1, 2):
        room.from_upstream(owner(at, name="Ol\u202ega"))
    assert heard == [("olga@example.org", "Olga")] * 2
    room.from_upstream(owner(3, name="Olga B"))
    room.from_upstream(said(901, 1, {"user": {"name": "\u200b", "display_name": 5, "username": 7}}))
    room.from_upstream(said(902, 1, {"user": "x"}))
    assert heard[2:] == [("olga@example.org", "Olga B")] * 2


# -- autosave -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("owners", "expected"),
    [
        ([], True),
        ([{"autosave": True}], True),
        ([{"autosave": False}], False),
        ([{"user": {}}], True),
        ([{}], True),
        ([{"autosave": False}, {}], False),
        ([{"autosave": False}, {"autosave": False}], False),
        ([{"autosave": False}, {"autosave": True}], True),
        ([{"autosave": False}, {"user": {}}], True),
        ([{"autosave": None}], False),
        ([{"autosave": 0}, {"autosave": "no"}], True),
    ],
)
@pytest.mark.parametrize("visitor", [True, False, None, "absent"])
def test_a_visitor_never_decides_on_saving(clock: Clock, owners: list[Any], expected: bool, visitor: Any) -> None:
    """The server saves after a change exactly when it would without the visitors, whatever they say."""
    room = Awarenesses("u1", clock)
    for number, state in enumerate(owners):
        room.from_upstream(said(901 + number, 1, state))
    state = {} if visitor == "absent" else {"autosave": visitor}
    (shown,) = room.from_visitor("m", ANN, said(7, 1, state))
    assert shown.state["autosave"] is expected
    assert server_saves([*owners, shown.state]) == server_saves(owners) == expected


def server_saves(states: list[dict[str, Any]]) -> bool:
    """jupyter_server_ydoc 3.0.4, rooms.py, DocumentRoom._on_document_change."""
    autosave_states = [state.get("autosave", True) for state in states if state]
    return any(autosave_states or [True])


def test_members_say_it_again_when_the_owners_side_changed_its_mind(room: Awarenesses, clock: Clock) -> None:
    """To the upstream, with a higher clock; not when nothing changed for the room, and not for who is not shown."""
    (ann,) = room.from_visitor("m", ANN, said(7, 1, {}))
    room.from_viewer("v", BO, said(8, 1, {}))
    assert room.from_upstream(owner(1, True)).upstream == ()
    (again,) = room.from_upstream(owner(2, False)).upstream
    assert (again.client, again.state["autosave"]) == (7, False) and again.clock > ann.clock
    assert room.from_upstream(owner(3, False)).upstream == ()
    assert saves(room.from_upstream(owner(1, True, client=901)).upstream) == [True]
    assert saves(room.from_upstream(said(901, 2, None)).upstream) == [False]
    (next,) = room.from_visitor("m", ANN, said(7, 2, {"autosave": True}))
    assert next.state["autosave"] is False and next.clock > again.clock
    clock.forward(20)
    room.from_visitor("m", ANN, said(7, 3, {}))
    clock.forward(10)
    assert saves(room.settle().upstream) == [True], "the owner's page was closed without a word"


def test_without_an_upstream_nobody_forbids_saving(room: Awarenesses) -> None:
    """What members say to the one that comes next."""
    room.from_upstream(owner(1, False))
    room.from_visitor("m", ANN, said(7, 1, {}))
    room.upstream_gone()
    assert saves(room.of_members()) == [True]


# -- against what the server runs ---------------------------------------------------------------------------------


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["say", "leave", "null", "owner on", "owner off", "owner null", "wait", "late", "again"]),
            st.integers(0, 3),
            st.integers(0, 6),
        ),
        max_size=40,
    )
)
def test_the_server_has_exactly_what_the_gate_shows(steps: list[tuple[str, int, int]]) -> None:
    """pycrdt's Awareness, as the server runs it, takes every state that the gate sends: members in their own names and
    nobody else, and its reading of `autosave` is the owner's."""
    clock = Clock()
    room = Awarenesses("u1", clock, pace=Rate(10, 1, 10))
    server = ServerAwareness(Doc(client_id=1))
    clocks: dict[int, int] = {}

    def send(states: tuple[AwarenessState, ...]) -> None:
        if states:
            server.apply_awareness_update(body(states), "gate")
            room.from_upstream(Awareness(states))

    def tell(told: Told) -> None:
        send(told.upstream)

    for what, who, number in steps:
        identity = {**ANN, "username": f"sharegate-{who}"}
        client = 100 + who
        if what in ("say", "null", "again"):
            member = f"m{who}" if what != "again" else f"m{who}-{number}"
            state = None if what == "null" else {"user": {"name": "spoof"}, "autosave": number % 2 == 0}
            clocks[client] = clocks.get(client, 0) + (number > 1)
            send(room.from_visitor(member, identity, said(client, clocks[client], state)))
        elif what == "leave":
            send(room.left(f"m{who}"))
        elif what.startswith("owner"):
            clocks[900 + who] = clocks.get(900 + who, 0) + 1
            state = None if what == "owner null" else {"autosave": what == "owner on"}
            states = (AwarenessState(900 + who, clocks[900 + who], state),)
            server.apply_awareness_update(body(states), "owner")
            tell(room.from_upstream(Awareness(states)))
        elif what == "wait":
            clock.forward(number / 10)
            tell(room.settle())
        else:
            room.everything(f"m{who}", identity)
    there = {id: state for id, state in server.states.items() if state}
    members = {each.client: each.state for each in room.of_members()}
    assert {id: state for id, state in there.items() if id < 900} == members
    for id, state in members.items():
        assert state["user"]["username"] == f"sharegate-{id - 100}" and state["user"]["name"] == "Ann"
    owners = [state for id, state in there.items() if id >= 900]
    assert server_saves(list(there.values())) == server_saves(owners)


def body(states: tuple[AwarenessState, ...]) -> bytes:
    frame = frames.write(Awareness(states)).data[1:]
    size = next(at for at, byte in enumerate(frame) if byte < 0x80) + 1
    return frame[size:]
