"""Source code with classes for its colours (Pygments), no style of its own."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from markupsafe import Markup, escape
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.util import ClassNotFound

# Characters. Lexers are regular expressions, some of them slow on what was written to be slow: what is longer stays
# black.
LONGEST = 20_000
# Magic lines and shell lines are part of what notebooks say in Python.
_SPOKEN = {"python": "ipython3", "ipython": "ipython3", "py": "ipython3"}
_PLAIN = ("markdown", "text")


@lru_cache(maxsize=64)
def _named(language: str) -> Lexer | None:
    for name in (_SPOKEN.get(language, language), language):
        try:
            return get_lexer_by_name(name, stripnl=False, ensurenl=False)
        except ClassNotFound:
            continue
    return None


def language_of(name: str) -> str:
    """The language of a file by its name; "" for none that is known."""
    try:
        lexer = get_lexer_for_filename(name)
    except ClassNotFound:
        return ""
    return str(lexer.aliases[0]) if lexer.aliases else ""


def code(source: str, language: str) -> Markup:
    """The inside of a `<pre>`."""
    lexer = _named(language.lower()[:40]) if language and len(source) <= LONGEST else None
    if lexer is None:
        return escape(source)
    formatter: HtmlFormatter[Any] = HtmlFormatter(nowrap=True, classprefix="hl-")
    return Markup(highlight(source, lexer, formatter).rstrip("\n"))  # noqa: S704 -- Pygments escapes what it is given
