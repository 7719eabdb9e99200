"""What keys do on the live screen."""

from __future__ import annotations

import pytest

from sharegate.cli.screen import LOOK_FIRST, Board, Mode, Screen, Verb, leaving, press, told
from tests.cli import scripted


def board(**more: object) -> Board:
    given = {
        "gate": scripted.gate(),
        "shares": (scripted.share(),),
        "visits": (scripted.visit(),),
        "now": scripted.NOW,
    }
    return Board(**(given | more))  # type: ignore[arg-type]


def keys(screen: Screen, on: Board, *pressed: str) -> tuple[Screen, list[tuple[Verb, str]]]:
    acts = []
    for key in pressed:
        screen, act = press(screen, key, on)
        if act is not None:
            acts.append((act.verb, act.id))
    return screen, acts


def test_one_knock_is_answered_with_one_key() -> None:
    """With one person at the door `a` admits and `r` refuses them."""
    one = board(knocks=(scripted.knock(),))
    assert keys(Screen(), one, "a")[1] == [(Verb.ADMIT, "q3mkxxxxxx")]
    assert keys(Screen(), one, "r")[1] == [(Verb.REFUSE, "q3mkxxxxxx")]


def test_somebody_who_just_came_is_not_admitted_by_a_key_meant_for_nobody() -> None:
    """A knock that has hardly been on the screen is not answered: the owner is told to look first."""
    screen, acts = keys(Screen(), board(knocks=(scripted.knock(),), fresh=frozenset({"q3mkxxxxxx"})), "a")
    assert acts == []
    assert screen.note == LOOK_FIRST


def test_of_several_knocks_a_number_chooses() -> None:
    """With several at the door nobody is admitted until a number or Enter says whom."""
    two = board(knocks=(scripted.knock(), scripted.knock("w9zz", name="Max")))
    screen, acts = keys(Screen(), two, "a")
    assert acts == []
    assert screen.mode is Mode.CHOOSE
    assert keys(screen, two, "2")[1] == [(Verb.ADMIT, "w9zzxxxxxx")]
    assert keys(screen, two, "down", "up", "enter")[1] == [(Verb.ADMIT, "q3mkxxxxxx")]
    assert keys(screen, two, "3", "9", "0")[1] == []
    assert keys(screen, two, "escape")[0].mode is Mode.WATCH


def test_choices_stay_where_they_are_while_choosing() -> None:
    """Somebody who knocks while the owner chooses does not slip under a number."""
    screen, _ = keys(Screen(), board(knocks=(scripted.knock("w9zz"), scripted.knock("x2xx"))), "a")
    other = board(knocks=(scripted.knock("evil"), scripted.knock("w9zz"), scripted.knock("x2xx")))
    assert keys(screen, other, "1")[1] == [(Verb.ADMIT, "w9zzxxxxxx")]


def test_nobody_at_the_door_is_said() -> None:
    """Without a knock `a` does nothing and says so."""
    screen, acts = keys(Screen(), board(), "a")
    assert (acts, screen.note) == ([], "Nobody is at the door.")


@pytest.mark.parametrize(
    ("choice", "expected"),
    [("1", (Verb.END, "vk7f2a1")), ("2", (Verb.REVOKE_LINK, "k7f2-a")), ("3", (Verb.REVOKE_SHARE, "k7f2xxxxxx"))],
)
def test_ending_asks_first(choice: str, expected: tuple[Verb, str]) -> None:
    """`x` offers visits, links and shares, and does nothing before y."""
    screen, acts = keys(Screen(), board(), "x", choice)
    assert acts == []
    assert screen.mode is Mode.SURE
    assert keys(screen, board(), "y")[1] == [expected]
    assert keys(screen, board(), "n")[1] == []
    assert keys(screen, board(), "enter", "1", "a", "x")[1] == []


def test_pausing_offers_the_opposite_of_what_is() -> None:
    """`p` pauses what is open and resumes what is paused, and leaves revoked links out."""
    links = [scripted.link(), scripted.link("k7f2.b", state="revoked")]
    mixed = board(shares=(scripted.share(state="paused", links=links),))
    screen, _ = keys(Screen(), mixed, "p")
    assert [(act.verb, act.id) for act in screen.choices] == [
        (Verb.RESUME_SHARE, "k7f2xxxxxx"),
        (Verb.PAUSE_LINK, "k7f2-a"),
    ]
    assert keys(screen, mixed, "2")[1] == [(Verb.PAUSE_LINK, "k7f2-a")]


def test_leaving_up_with_visitors_says_what_happens_and_asks() -> None:
    """`q` in `up` with visitors inside says that they are cut off, and leaves only on y."""
    inside = board(
        cuts=True, visits=(scripted.visit(), scripted.visit("k7f2.b1"), scripted.visit("k7f2.c1", kind="preview"))
    )
    screen, acts = keys(Screen(), inside, "q")
    assert acts == []
    assert "2 visitors are cut off; links stay valid" in screen.choices[0].sure
    assert keys(screen, inside, "y")[1] == [(Verb.LEAVE, "")]
    assert keys(screen, inside, "n")[0].mode is Mode.WATCH


def test_leaving_without_consequence_is_not_asked() -> None:
    """`q` leaves at once in `watch`, and in `up` when nobody is inside."""
    assert keys(Screen(), board(), "q")[1] == [(Verb.LEAVE, "")]
    assert keys(Screen(), board(cuts=True, visits=()), "q")[1] == [(Verb.LEAVE, "")]
    assert keys(Screen(), board(cuts=True, visits=(), lab=True), "q")[1] == []


def test_what_leaving_did_is_told_afterwards() -> None:
    """After leaving, the sentence is in the past and names the JupyterLab that was ended too."""
    text = leaving(board(cuts=True, lab=True), done=True)
    assert text.startswith("1 visitor was cut off; links stay valid for when you run `sharegate up` again.")
    assert text.endswith("has stopped.")
    assert leaving(board()) == "The gate goes on running; your visitors stay."


def test_what_an_act_did_is_told_with_its_figures() -> None:
    """After a revocation the screen says what was closed and how fast."""
    screen, _ = keys(Screen(), board(), "x", "2")
    assert told(screen.choices[0], {"ended": {"visits": 1, "pages": 1, "channels": 2, "took_ms": 41.2}}) == (
        "Revoked the link of Ann: closed 1 page and 2 connections in 41 ms"
    )


def test_whoever_may_edit_is_admitted_with_a_word_on_what_that_means() -> None:
    """The screen says what the share's own role lets them do, where it is more than to read."""
    [act] = [press(Screen(), "a", board(knocks=(scripted.knock(),)))[1]]
    assert act is not None
    assert told(act, {"role": "edit"}).endswith(
        ", who can edit text. Whoever runs a cell runs what editors wrote."
    ) and "edit" not in told(act, {"role": "view"})


def test_an_alarm_is_cleared_by_a_key() -> None:
    """`c` clears the newest alarm, and is no key where there is none."""
    two = board(alarms=(scripted.alarm("2"), scripted.alarm("1", path="other.md")))
    assert keys(Screen(), two, "c")[1] == [(Verb.DISMISS, "2")]
    assert keys(Screen(), board(), "c")[1] == []


def test_scrolling_stays_within_the_list() -> None:
    """Arrow keys scroll the visitors and never past either end."""
    many = board(visits=tuple(scripted.visit(f"k7f2.a{at}") for at in range(12)))
    assert keys(Screen(), many, "up")[0].scroll == 0
    assert keys(Screen(), many, "page-down", "page-down", "down")[0].scroll == 11
