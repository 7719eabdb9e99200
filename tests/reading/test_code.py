"""Source code with colours, also where it was written to take long."""

from __future__ import annotations

import re
from html import unescape

import pytest
from markupsafe import Markup
from pygments.lexer import DelegatingLexer

from sharegate.reading import code as coloured
from sharegate.reading.code import KNOWN, LONGEST, PATIENCE, code


def words(drawn: Markup) -> str:
    return unescape(re.sub(r"<[^>]*>", "", str(drawn)))


def test_code_has_colours_and_loses_nothing() -> None:
    """Classes, no style; all that is special to HTML is escaped."""
    source = "%timeit x\nif a < b & c:\r\n    print('</pre><script>')\n!ls"
    drawn = code(source, "python")
    assert 'class="hl-' in drawn and "<script" not in drawn and "style=" not in drawn
    assert words(drawn) == source.replace("\r\n", "\n")


@pytest.mark.parametrize(
    "language", ["adl", "ada", "abap", "html+jinja", "smithy", "matlab", "no such", "x" * 1000, ""]
)
def test_attack_a_language_that_is_slow_to_read_stays_black(language: str) -> None:
    """Whoever edits a notebook names any that the library has."""
    assert code("if x < 1", language) == Markup("if x &lt; 1")
    assert code("if x < 1", "python") != Markup("if x &lt; 1")


class Ticking:
    """Each look at it takes `step` seconds."""

    def __init__(self, step: float) -> None:
        self.at, self.step = 0.0, step

    def __call__(self) -> float:
        self.at += self.step
        return self.at


def test_what_is_longer_than_anybody_reads_stays_black() -> None:
    """Up to a size it has its colours."""
    most = "1\n" * (LONGEST // 2)
    drawn, longer = (code(text, "python", lambda: 0.0) for text in (most, most + "1"))
    assert "<span" in drawn and str(longer) == most + "1"


def test_attack_what_takes_too_long_stays_black_from_there_on() -> None:
    """Nothing of it is lost, and it is escaped all the same."""
    source = "x = 1 < 2\n" * 1000
    clock = Ticking(PATIENCE / 20)
    drawn = code(source, "python", clock)
    assert words(drawn) == source.rstrip("\n")
    head, _, rest = str(drawn).rpartition("</span>")
    assert 'class="hl-' in head and len(rest) > len(source) * 0.9 and "<" not in rest
    assert clock.at < 2 * PATIENCE


@pytest.mark.parametrize("language", sorted(KNOWN))
def test_every_known_language_goes_in_steps(language: str) -> None:
    """It begins to tell before it has read all: else the time could not be looked at."""
    lexer = coloured._named(language)
    assert lexer is not None and not isinstance(lexer, DelegatingLexer)
    line = "<i> \\b{c}\n"
    first = next(iter(lexer.get_tokens_unprocessed(line * (LONGEST // len(line)))))
    assert len(first[2]) < LONGEST // 2


@pytest.mark.parametrize("language", ["python", "", "no such"])
def test_attack_code_that_is_shown_in_another_order_than_it_runs_in(language: str) -> None:
    """What turns the order of letters is a mark that everybody sees; words in other scripts stay."""
    drawn = str(code("if user:  # \u202e \u2066admin\u2069 \u202c نور\n", language))
    assert not set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069") & set(drawn)
    assert drawn.count("�") == 4 and "نور" in drawn
