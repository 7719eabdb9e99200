"""Commands and keys for cells that visitors ask the owner to run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from sharegate.cli.drawing import draw, looked_at
from sharegate.cli.screen import READ_ON, Board, Mode, Screen, Verb, press
from tests.cli import scripted as views
from tests.cli.conftest import run
from tests.cli.scripted import ScriptedGate


def test_asks_are_listed_and_one_is_shown_whole(scripted: ScriptedGate) -> None:
    """The list says who and where; one ask shows its whole cell and how to answer."""
    scripted.say("GET asks", {"asks": [views.ask(), views.ask("x2zz", name="Bo", badge='says "Bo"')]})
    listed = run("asks")
    assert listed.code == 0
    assert "w4xk" in listed.out and "Ann · her link" in listed.out and 'says "Bo"' in listed.out
    shown = run("asks", "w4xk")
    assert "  import os\n  print(6*7)\n" in shown.out
    assert "sharegate answer w4xk ran" in shown.err
    assert run("asks", "--json").document["asks"][0]["id"] == "w4xkxxxxxx"


def test_nobody_asks(scripted: ScriptedGate) -> None:
    """Without asks that is said, and an id that fits none is not found."""
    assert "Nobody asks" in run("asks").out
    assert run("asks", "w4xk").code == 4
    assert run("answer", "w4xk", "ran").code == 4


@pytest.mark.parametrize(("word", "verb"), [("ran", "ran"), ("declined", "decline")])
def test_an_answer_names_the_text_it_is_for(scripted: ScriptedGate, word: str, verb: str) -> None:
    """The digest of the listed source goes with the answer, so that a cell exchanged meanwhile is not answered."""
    scripted.say("GET asks", {"asks": [views.ask()]})
    scripted.say(f"POST asks/w4xkxxxxxx/{verb}", {"ask": views.ask(state=word)})
    ran = run("answer", "w4xk", word)
    assert ran.code == 0, ran.err
    assert scripted.sent(f"POST asks/w4xkxxxxxx/{verb}") == [{"digest": "d" * 64}]
    assert "Ann is told" in ran.out


def test_what_is_no_answer_is_not_sent(scripted: ScriptedGate) -> None:
    """Only `ran` and `declined` are answers; several asks that fit are named and none is answered."""
    scripted.say("GET asks", {"asks": [views.ask("w4xa"), views.ask("w4xb")]})
    assert run("answer", "w4xa", "yes").code == 2
    several = run("answer", "w4x", "ran")
    assert several.code == 2
    assert "w4xa" in several.err and "w4xb" in several.err


def test_attack_code_behind_blanks(scripted: ScriptedGate) -> None:
    """`asks ID` shows what stands far to the right, and lines that did not change since the last run."""
    far = "x = 1" + " " * 300 + "; os.system('evil')"
    scripted.say("GET asks", {"asks": [views.ask(source=far, before=None)]})
    assert "; os.system('evil')" in run("asks", "w4xk").out
    kept = "os.system('evil')\n" + "# ok\n" * 20
    scripted.say("GET asks", {"asks": [views.ask(source=kept + "2", before=kept + "1")]})
    shown = run("asks", "w4xk").out
    assert "  os.system('evil')" in shown and "+ 2" in shown and "- 1" in shown


# -- the live screen --------------------------------------------------------------------------------------------------


def board(*asks: views.Json) -> Board:
    return Board(gate=views.gate(), shares=(views.share(),), visits=(views.visit(),), asks=asks, now=views.NOW)


def keys(
    screen: Screen, on: Board, *pressed: str, width: int = 90, height: int = 24
) -> tuple[Screen, list[tuple[Verb, str, str]]]:
    """Each key is pressed on what was drawn after the one before."""
    acts = []
    for key in pressed:
        screen, act = press(screen, key, on)
        screen = looked_at(on, screen, width, height)
        if act is not None:
            acts.append((act.verb, act.id, (act.ask or {}).get("digest", "")))
    return screen, acts


def test_a_cell_is_looked_at_before_it_is_answered() -> None:
    """`h` shows the only ask and does nothing; y and n answer for the text that was shown."""
    one = board(views.ask())
    screen, acts = keys(Screen(), one, "h")
    assert (screen.mode, acts) == (Mode.LOOK, [])
    assert keys(screen, one, "y")[1] == [(Verb.RAN, "w4xkxxxxxx", "d" * 64)]
    assert keys(screen, one, "n")[1] == [(Verb.DECLINE, "w4xkxxxxxx", "d" * 64)]
    assert keys(screen, one, "escape")[0].mode is Mode.WATCH
    assert keys(screen, one, "a", "x", "enter", "1")[1] == []


def test_of_several_asks_a_number_chooses() -> None:
    """With several hands up a number opens one; it is looked at, not answered."""
    two = board(views.ask(), views.ask("x2zz"))
    screen, acts = keys(Screen(), two, "h", "2")
    assert (screen.mode, acts) == (Mode.LOOK, [])
    assert keys(screen, two, "y")[1] == [(Verb.RAN, "x2zzxxxxxx", "d" * 64)]


def test_what_was_taken_back_meanwhile_is_not_answered() -> None:
    """An ask that is gone when the key is pressed is not answered, and that is said."""
    screen, _ = keys(Screen(), board(views.ask()), "h")
    screen, acts = keys(screen, board(views.ask("x2zz")), "y")
    assert acts == []
    assert "any more" in screen.note
    assert keys(Screen(), board(), "h")[0].note == "Nobody asks for a cell to be run."


@given(
    width=st.integers(20, 200), height=st.integers(4, 60), source=st.text(), down=st.integers(0, 80), look=st.booleans()
)
def test_asks_fit_any_terminal(width: int, height: int, source: str, down: int, look: bool) -> None:
    """The screen never draws more or wider lines than there are, whatever is asked, and leaving stays findable."""
    on = board(views.ask(source=source), *[views.ask("x2zz")] * (not look))
    screen = keys(Screen(), on, "h", *["down"] * down)[0] if look else Screen()
    lines = draw(on, screen, width, height)
    assert len(lines) <= max(4, height)
    assert all(cell_len(line.plain) <= max(20, width) for line in lines)
    if not look:
        assert "q" in lines[-1].plain


def test_the_screen_shows_the_cell() -> None:
    """Looking at an ask shows who, where and the source; the keys say what they do."""
    on = board(views.ask())
    text = "\n".join(line.plain for line in draw(on, keys(Screen(), on, "h")[0], 90, 24))
    assert "Ann · her link asks you to run import os in lectures/week3/intro.ipynb" in text
    assert "  print(6*7)" in text
    assert "I ran it in my tab" in text
    watching = "\n".join(line.plain for line in draw(on, Screen(), 90, 24))
    assert "ASKED TO RUN (1)" in watching
    assert " h  hands" in watching


LONG = "\n".join(f"line_{at} = {at}" for at in range(60)) + "\nos.system('evil')"


@pytest.mark.parametrize("key", ["down", "page-down"])
@pytest.mark.parametrize(("width", "height"), [(90, 24), (20, 8), (40, 6)])
def test_attack_a_cell_that_is_answered_before_its_end_was_shown(key: str, width: int, height: int) -> None:
    """`y` waits until every line has been on the screen, also where a page is longer than the screen; `n` does not."""
    on = board(views.ask(source=LONG))
    screen, _ = keys(Screen(), on, "h", width=width, height=height)
    assert keys(screen, on, "n", width=width, height=height)[1]
    seen: set[str] = set()
    for _ in range(200):
        seen |= {line.plain.strip() for line in draw(on, screen, width, height)}
        after, acts = keys(screen, on, "y", width=width, height=height)
        if acts:
            break
        assert (after.mode, after.note) == (Mode.LOOK, READ_ON)
        screen, _ = keys(screen, on, key, width=width, height=height)
    assert acts == [(Verb.RAN, "w4xkxxxxxx", "d" * 64)]
    assert seen >= set(LONG.split("\n"))


def test_what_was_never_drawn_is_not_answered() -> None:
    """A key that comes before the screen was drawn says nothing to anybody. On another width reading begins anew, if it
    was not read to its end."""
    on = board(views.ask(source="\n".join(["x" * 80] * 40)))
    screen, _ = press(Screen(), "h", on)
    assert press(screen, "y", on)[1] is None
    some, _ = keys(Screen(), on, "h", *["down"] * 20)
    assert some.read[1] == 40 and 20 < some.read[0] < 40
    narrow = looked_at(on, some, 50, 24)
    assert narrow.read[1] == 80 and narrow.read[0] < 20
    all_of_it, _ = keys(some, on, *["down"] * 20)
    assert all_of_it.read == (40, 40) and looked_at(on, all_of_it, 50, 24).read == (80, 80)


def test_the_live_screen_cuts_no_line() -> None:
    """A line that is wider than the terminal goes on in the next one."""
    on = board(views.ask(source="x = '" + "a" * 200 + "'; os.system('evil')"))
    text = "".join(line.plain[2:] for line in draw(on, keys(Screen(), on, "h")[0], 90, 24) if line.plain[1:2] in " ↪")
    assert "'; os.system('evil')" in text


def time(label: str = "t7bn", **more: object) -> dict[str, object]:
    return {
        "id": f"{label}xxxxxx",
        "label": label,
        "share": "k7f2xxxxxx",
        "share_name": "Week 3",
        "name": "Ann",
        "link_label": "k7f2.a",
        "link_name": "Ann",
        "visit": "v",
        "visit_label": "k7f2.a1",
        "badge": "Ann · her link",
        "expires": views.NOW,
        "whole_share": True,
        "links": 3,
        "since": views.NOW - 60,
        "state": "waiting",
        **more,
    }


def test_asks_for_more_time_are_listed_and_shown(scripted: ScriptedGate) -> None:
    """With who and for what; one by its id, with how many links get the new end."""
    scripted.say("GET times", {"times": [time(), time("t8cc", badge="", link_label="k7f2.b")]})
    listed = run("asks")
    assert listed.code == 0 and "more time for Week 3" in listed.out and "somebody with k7f2.b" in listed.out
    assert "sharegate grant ID" in listed.err
    shown = run("asks", "t7bn")
    assert "Ann · her link asks for more time for Week 3" in shown.out and "3 links" in shown.out
    assert run("asks", "t7bn", "--json").document["time"]["label"] == "t7bn"
    assert len(run("asks", "--json").document["times"]) == 2


def test_more_time_is_given(scripted: ScriptedGate) -> None:
    """Until a moment; what the rules do not permit is told."""
    scripted.say("GET times", {"times": [time(), time("t8cc")]})
    scripted.say("POST times/t7bnxxxxxx/grant", {"time": time(state="granted"), "until": views.NOW + 604800})
    ran = run("grant", "t7bn", "--expires", "7d")
    assert ran.code == 0 and "Ann · her link has until" in ran.out and "all 3 links" in ran.err
    (sent,) = scripted.sent("POST times/t7bnxxxxxx/grant")
    assert set(sent) == {"expires"}
    scripted.say("POST times/t7bnxxxxxx/grant", views.error("expires_too_late", "shares may last 90 days"), 403)
    assert run("grant", "t7bn").code == 3
    assert run("grant", "nobody").code == 4 and run("grant", "t").code == 2


def test_more_time_is_not_given(scripted: ScriptedGate) -> None:
    """`answer ID declined`; a cell's answer is none."""
    scripted.say("GET times", {"times": [time()]})
    scripted.say("POST times/t7bnxxxxxx/refuse", {"time": time(state="refused"), "until": 0})
    ran = run("answer", "t7bn", "declined")
    assert ran.code == 0 and "no more time" in ran.out
    assert run("answer", "t7bn", "ran").code == 2
    assert len(scripted.sent("POST times/t7bnxxxxxx/refuse")) == 1
