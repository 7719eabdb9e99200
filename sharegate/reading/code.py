"""Source code with classes for its colours (Pygments), no style of its own."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from markupsafe import Markup, escape
from pygments import format as drawn
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.token import Text, _TokenType
from pygments.util import ClassNotFound

# Characters. What is longer stays black.
LONGEST = 20_000
# How long one text may take, in seconds: what is left then stays black, too. Lexers are regular expressions, and blank
# lines alone make some of them take the square of their number.
PATIENCE = 0.25
# Those that go in short steps, between which it is looked at the time: measured with runs of what programs are made of.
# Many others do not, and whoever edits a notebook names the language.
KNOWN = frozenset(
    {
        *("ipython3", "python", "bash", "r", "julia", "sql", "javascript", "typescript", "json", "html", "css"),
        *("xml", "yaml", "toml", "diff", "c", "cpp", "java", "go", "rust", "tex", "fortran"),
    }
)
# Embeddings, overrides and isolates (Unicode UAX #9).
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")
# Magic lines and shell lines are part of what notebooks say in Python.
_SPOKEN = {"python": "ipython3", "ipython": "ipython3", "py": "ipython3"}


@lru_cache(maxsize=64)
def _named(language: str) -> Lexer | None:
    try:
        lexer = get_lexer_by_name(_SPOKEN.get(language, language), stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None
    return lexer if not KNOWN.isdisjoint(lexer.aliases) else None


def language_of(name: str) -> str:
    """The language of a file by its name; "" for none that is known."""
    try:
        lexer = get_lexer_for_filename(name)
    except ClassNotFound:
        return ""
    return str(lexer.aliases[0]) if lexer.aliases else ""


def code(source: str, language: str, now: Callable[[], float] = time.monotonic) -> Markup:
    """The inside of a `<pre>`. What would show code in another order than it runs in is a mark."""
    source = _TURNS.sub("�", source)
    lexer = _named(language.lower()[:40]) if language and len(source) <= LONGEST else None
    if lexer is None:
        return escape(source)
    formatter: HtmlFormatter[Any] = HtmlFormatter(nowrap=True, classprefix="hl-")
    text = source.replace("\r\n", "\n").replace("\r", "\n")
    return Markup(drawn(_pieces(lexer, text, now), formatter).rstrip("\n"))  # noqa: S704 -- Pygments escapes its pieces


def _pieces(lexer: Lexer, text: str, now: Callable[[], float]) -> Iterator[tuple[_TokenType, str]]:
    """All of the text, in pieces; when there is no time any more, the rest in one."""
    until = now() + PATIENCE
    for at, kind, piece in lexer.get_tokens_unprocessed(text):
        if now() > until:
            yield Text, text[at:]
            return
        yield kind, piece
