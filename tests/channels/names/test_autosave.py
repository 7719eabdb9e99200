"""A visitor never decides on saving, and the server has exactly the people that the gate shows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycrdt import Awareness as ServerAwareness
from pycrdt import Doc

from sharegate.channels import frames
from sharegate.channels.frames import Awareness, AwarenessState
from sharegate.channels.names import Awarenesses, Told
from sharegate.limits import Rate
from tests.channels.names.people import ANN, BO, owner, said
from tests.conftest import Clock


def saves(states: tuple[AwarenessState, ...]) -> list[Any]:
    return [each.state["autosave"] for each in states]


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
