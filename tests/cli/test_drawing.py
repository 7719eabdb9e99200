"""The live screen's lines."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console, Group

from sharegate.cli.drawing import draw
from sharegate.cli.screen import Board, Screen, press
from tests.cli import scripted

NOW = scripted.NOW


def board(visits: int = 2, knocks: int = 1, **more: object) -> Board:
    given = {
        "gate": scripted.gate(warnings=["Only people on this computer can open links"]),
        "shares": (scripted.share(links=[scripted.link(), scripted.link("k7f2.b", name="Bo", state="paused")]),),
        "visits": tuple(scripted.visit(f"k7f2.a{at + 1}") for at in range(visits)),
        "knocks": tuple(scripted.knock(f"q{at:03}") for at in range(knocks)),
        "happenings": tuple((NOW + at, f"Something happened {at}.") for at in range(5)),
        "now": NOW + 60,
    }
    return Board(**(given | more))  # type: ignore[arg-type]


def lines(on: Board, width: int, height: int, screen: Screen | None = None) -> list[str]:
    """As a terminal of that size shows them."""
    console = Console(file=io.StringIO(), record=True, width=width, height=height, legacy_windows=False)
    console.print(Group(*draw(on, screen or Screen(), width, height)))
    shown = console.export_text().split("\n")[:-1]
    assert len(shown) <= height
    assert all(cell_len(line) <= width for line in shown)
    return shown


@pytest.mark.parametrize("width", [60, 80, 120])
def test_everything_is_on_one_screen(width: int) -> None:
    """Address, reach, server, warning, door, links, visitors, happenings and keys are there at any usual width."""
    text = "\n".join(lines(board(), width, 30))
    for piece in (
        "http://127.0.0.1:8870 · this computer only",
        "project · running",
        "Only people on this computer",
        "AT THE DOOR (1)",
        '"Eve" is at the door with Bo\'s link',
        "lectures/week3",
        "1 of 1 in",
        "paused",
        "HERE (2)",
        "k7f2.a1",
        "Ann · her link",
        "intro.ipynb",
        "Something happened 4.",
        "admit",
        "leave",
    ):
        assert piece in text, piece


def test_many_visitors_are_counted_and_can_be_scrolled_to() -> None:
    """What does not fit is counted, and scrolling shows it."""
    many = board(visits=40)
    text = "\n".join(lines(many, 80, 24))
    assert "HERE (40)" in text
    shown = text.count("Ann · her link")
    assert f"and {40 - shown} more (↑↓)" in text
    screen = Screen()
    for _ in range(39):
        screen, _act = press(screen, "down", many)
    assert "k7f2.a40" in "\n".join(lines(many, 80, 24, screen))


def test_who_waits_at_the_door_is_shown_on_the_smallest_screen() -> None:
    """On eight lines the happenings and links give way to who knocks."""
    text = "\n".join(lines(board(visits=9), 60, 8))
    assert '"Eve" is at the door' in text
    assert "leave" in text


def test_choosing_and_confirming_replace_the_lists() -> None:
    """While choosing, the choices are numbered; a question shows only itself and its keys."""
    on = board(visits=12)
    screen, _ = press(Screen(), "x", on)
    text = "\n".join(lines(on, 60, 12, screen))
    assert " 1 visit k7f2.a1" in text
    assert "more (↑↓)" in text
    screen, _ = press(screen, "1", on)
    text = "\n".join(lines(on, 60, 12, screen))
    assert "End the visit of Ann · her link?" in text
    assert "y  yes" in text


@pytest.mark.parametrize("width", [76, 120])
def test_a_suspended_share_says_what_it_waits_for(width: int) -> None:
    """The owner sees it among the shares, with the command that goes on with it."""
    text = "\n".join(lines(board(shares=(scripted.share(state="suspended"),)), width, 30))
    assert "suspended" in text
    assert "sharegate confirm k7f2" in text


def test_nothing_yet_is_said_in_words() -> None:
    """An empty gate says what to do instead of showing empty lists."""
    text = "\n".join(lines(Board(gate=scripted.gate(servers=[]), now=NOW), 80, 24))
    for piece in ("Nothing is shared.", "Nobody is here.", "Nothing has happened yet.", "no server is known yet"):
        assert piece in text


def test_an_attack_by_name_cannot_move_the_cursor_or_break_lines() -> None:
    """Escape sequences, line breaks, right-to-left overrides and markup in names are shown harmlessly."""
    evil = "\x1b[2J\x07[bold]Eve[/bold]\n\u202eeno\x9b31m"
    on = Board(
        gate=scripted.gate(servers=[scripted.server(name=evil)], warnings=[evil]),
        shares=(scripted.share(name=evil, root=evil, links=[scripted.link(name=evil)]),),
        visits=(scripted.visit(badge=evil, where=evil),),
        knocks=(scripted.knock(name=evil, link_name=evil),),
        happenings=((NOW, evil),),
        now=NOW,
    )
    for screen in (Screen(), press(Screen(), "x", on)[0], press(Screen(), "p", on)[0]):
        text = "\n".join(lines(on, 100, 40, screen))
        assert not set(text) & set("\x1b\x07\x9b\u202e")
        assert "[bold]Eve" in text


wide = st.text(max_size=300)


@given(
    st.integers(1, 200),
    st.integers(1, 60),
    st.integers(0, 50),
    st.integers(0, 8),
    wide,
    st.sampled_from(["", "x", "p", "a"]),
)
def test_no_line_is_too_wide_and_no_screen_too_high(
    width: int, height: int, visits: int, knocks: int, name: str, key: str
) -> None:
    """Whatever the size and the names (also in wide letters), the drawing fits."""
    on = Board(
        gate=scripted.gate(servers=[scripted.server(name=name)], warnings=[name]),
        shares=(scripted.share(name=name, links=[scripted.link(name=name)]),),
        visits=tuple(scripted.visit(f"k7f2.a{at}", badge=name, where=name) for at in range(visits)),
        knocks=tuple(scripted.knock(f"q{at:03}", name=name) for at in range(knocks)),
        happenings=((NOW, name),),
        now=NOW,
    )
    drawn = draw(on, press(Screen(), key, on)[0], width, height)
    assert len(drawn) <= max(4, height)
    assert all(cell_len(line.plain) <= max(20, width) for line in drawn)
    assert all(len(line.plain.splitlines()) <= 1 for line in drawn)


@pytest.mark.parametrize(("width", "height"), [(100, 30), (80, 24), (70, 16)])
def test_an_alarm_stands_above_all_with_the_commands_that_mend_it(width: int, height: int) -> None:
    """What happened, the version to go back to and whom to undo; both with the whole command, and the key."""
    drawn = lines(board(alarms=(scripted.alarm(),)), width, height)
    at = drawn.index("LOOKS DAMAGED (1)")
    assert at < drawn.index("AT THE DOOR (1)")
    assert drawn[at + 1].startswith("week3/intro.ipynb lost most of what was in it")
    assert drawn[at + 2] == "  Go back: sharegate snapshot restore n4kd"
    if height > 16:
        assert drawn[at + 3] == "  Undo Eve alone: sharegate snapshot undo k7f2.a1"
    assert "c  clear alarm" in drawn[-1]


def test_an_alarm_offers_only_what_there_is() -> None:
    """Without a version, or with several who wrote, the other command alone is shown; names are shown as text."""
    drawn = lines(board(alarms=(scripted.alarm(version="", name="E\x1b[2Jve", what="doubled"),)), 100, 30)
    assert not any("snapshot restore" in line for line in drawn) and any("snapshot undo" in line for line in drawn)
    assert any("holds what was in it twice" in line for line in drawn)
    drawn = lines(board(alarms=(scripted.alarm(visit="", name=""),)), 100, 30)
    assert any("snapshot restore" in line for line in drawn) and not any("snapshot undo" in line for line in drawn)
