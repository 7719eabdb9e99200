"""Who is shown, under which id and how often: in the gate's words, whatever a page says of itself."""

from __future__ import annotations

import pytest

from sharegate.channels.frames import Awareness, AwarenessState
from sharegate.channels.lib0 import MAX_SAFE
from sharegate.channels.names import Awarenesses, Told
from sharegate.errors import Denied, Reason
from sharegate.limits import Rate
from tests.channels.names.people import ANN, BO, CURSOR, OWNER, owner, said
from tests.conftest import Clock

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
