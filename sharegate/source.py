"""Somebody's code as lines to look at before it is run: all of it, and nothing invisible in it, whatever it holds."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterator

# Controls, formats (bidirectional, zero-width), surrogates, private use, unassigned, separators of lines.
UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Comparing two texts takes time that grows with their product, and both were written by visitors.
_COMPARED = 400
# More blanks than these, inside a line and before it, push what follows out of sight; so do more empty lines.
_BLANKS = 16
_INDENT = 40
_EMPTY_LINES = 3
# Letters and marks that draw nothing: fillers, the blank of Braille, selectors of variants.
_DRAWS_NOTHING = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_BREAK = re.compile(r"\r\n|\r|\n")  # where Python ends a line; not all where str.splitlines() does


def marked_lines(source: str, before: str | None) -> Iterator[tuple[str, str]]:
    """(mark, line): + and - tell what changed since `before`, which is None where there was nothing; @ is for what is
    said about the text, and a blank for what stayed."""
    yield from _squeezed(_marked(_split(source), None if before is None else _split(before)))


def _marked(now: list[str], then: list[str] | None) -> Iterator[tuple[str, str]]:
    """(mark, line). The mark @ is for what is said about the cell."""
    if then is None or then == now:
        if then is not None:
            yield "@", "as when you ran it last"
        yield from ((" ", line) for line in now)
        if not any(now):
            yield "@", "(empty)"
        return
    yield "@", "the whole cell; + and - tell what changed since you ran it last"
    one, other = then[:_COMPARED], now[:_COMPARED]
    for kind, first, last, begin, end in difflib.SequenceMatcher(None, one, other).get_opcodes():
        if kind == "equal":
            yield from ((" ", line) for line in other[begin:end])
            continue
        yield from (("-", line) for line in one[first:last])
        yield from (("+", line) for line in other[begin:end])
    if max(len(then), len(now)) > _COMPARED:
        yield "@", f"what comes after line {_COMPARED} is not compared"
        yield from ((" ", line) for line in now[_COMPARED:])


def _split(text: str) -> list[str]:
    lines = _BREAK.split(text)
    return lines[:-1] if len(lines) > 1 and not lines[-1] else lines


def _squeezed(marked: Iterator[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Many empty lines become one that counts them."""
    empty: list[tuple[str, str]] = []
    for mark, line in marked:
        text = line if mark == "@" else visible(line)
        if not text.strip() and (not empty or empty[0][0] == mark):
            empty.append((mark, ""))
            continue
        yield from _counted(empty)
        empty = []
        if text.strip():
            yield mark, text
        else:
            empty.append((mark, ""))
    yield from _counted(empty)


def _counted(empty: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return empty if len(empty) <= _EMPTY_LINES else [(empty[0][0], f"⟨{len(empty)} empty lines⟩")]


def visible(line: str) -> str:
    """One line of code: what has no shape has one, and what pushes the rest out of sight is counted instead."""
    safe = "".join(_shape(char) for char in _DRAWS_NOTHING.sub("�", line).expandtabs(4))
    # Marks that are put on one letter, without end, cover the lines above.
    safe = re.sub("(?:.\u0000){3,}", lambda found: "�" * (len(found[0]) // 2), _tagged(safe)).replace("\u0000", "")
    body = safe.lstrip(" ")
    indent = len(safe) - len(body)
    lead = " " * indent if indent <= _INDENT else f"⟨{indent} blanks⟩"
    return lead + re.sub(f" {{{_BLANKS + 1},}}", lambda found: f"⟨{len(found[0])} blanks⟩", body)


def _tagged(text: str) -> str:
    """Each mark that takes no room of its own, followed by a NUL (which `_shape` left none of)."""
    return "".join(f"{char}\u0000" if unicodedata.category(char) in ("Mn", "Me") else char for char in text)


def _shape(char: str) -> str:
    category = unicodedata.category(char)
    return "�" if category in UNSEEN or (category == "Zs" and char != " ") else char
