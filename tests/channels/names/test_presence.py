"""Who comes and goes, among visitors and on the owner's side, and who is told of it."""

from __future__ import annotations

from sharegate.channels.frames import Awareness, AwarenessState
from sharegate.channels.names import MAX_PRESENT, OUTDATED, REMEMBERED, Awarenesses, Told
from sharegate.channels.shown import MAX_CURSORS, MAX_STATES
from tests.channels.names.people import ANN, BO, CURSOR, OWNER, owner, said
from tests.conftest import Clock

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
