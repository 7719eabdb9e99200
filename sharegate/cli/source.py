"""A cell that somebody asks to be run, as lines for a terminal: all of it, whatever it holds."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from rich.cells import cell_len

from sharegate.source import marked_lines


def source_lines(one: dict[str, Any], width: int = 0) -> list[str]:
    """The whole cell, line by line, nothing invisible in it. Each begins with a mark and a blank; where the owner ran
    the cell before, the marks + and - tell what changed since then. Wrapped at `width` cells (0: not at all): what goes
    on from the line before has an arrow in the place of the blank, which no line of the cell can have."""
    before = one.get("before")
    return list(_lines(str(one.get("source") or ""), None if before is None else str(before), width))


@lru_cache(maxsize=4)  # a screen is drawn each second
def _lines(source: str, before: str | None, width: int) -> tuple[str, ...]:
    return tuple(piece for mark, text in marked_lines(source, before) for piece in _wrapped(mark, text, width))


def _wrapped(mark: str, text: str, width: int) -> Iterator[str]:
    if not width or cell_len(text) <= width - 2:
        yield f"{mark} {text}"
        return
    joint, piece, used = " ", "", 0
    for char in text:
        size = cell_len(char)
        if piece and used + size > max(2, width - 2):
            yield f"{mark}{joint}{piece}"
            joint, piece, used = "↪", "", 0
        piece, used = piece + char, used + size
    yield f"{mark}{joint}{piece}"
