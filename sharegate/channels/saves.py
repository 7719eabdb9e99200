"""Who asked for a document to be saved: one question to the server at a time, however many ask."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from sharegate.messages import Frame

EACH = 16  # that one asker may have open
ALL = 1024
ANSWER_SECONDS = 30.0


class Told(Protocol):
    """Who is told what became of a save: a member, or the gate itself."""

    def push(self, frame: Frame) -> None: ...


Asker = tuple[Told, int]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that is under way: its number, what the document held when it was put, whose it is, and since when."""

    number: int
    held: Mapping[int, int]
    by: tuple[Asker, ...]
    at: float


class Saves:
    """Numbers are the gate's own; each asker is answered with the number it chose itself. `now` is in seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._numbers = itertools.count(1)
        self._asked: Asked | None = None
        self._waiting: list[Asker] = []

    def wait(self, member: Told, number: int) -> bool:
        """Have it answered with the next question; False when too much waits already."""
        open_ = self._open()
        if len(open_) >= ALL or sum(each is member for each, _ in open_) >= EACH:
            return False
        self._waiting.append((member, number))
        return True

    def next(self, held: Mapping[int, int]) -> int | None:
        """The number to ask the server with now; None when nobody waits, or while an earlier question is under way."""
        if self._asked is not None or not self._waiting:
            return None
        self._asked = Asked(next(self._numbers), held, tuple(self._waiting), self._now())
        self._waiting = []
        return self._asked.number

    def answered(self, number: int) -> Asked | None:
        """The question that the server answered; None for an answer to nobody here."""
        asked = self._asked
        if asked is None or asked.number != number:
            return None
        self._asked = None
        return asked

    def overdue(self) -> tuple[Asker, ...]:
        """Who asked what the server has not answered for too long; its answer, should it come, is nobody's then."""
        asked = self._asked
        if asked is None or self._now() - asked.at < ANSWER_SECONDS:
            return ()
        self._asked = None
        return asked.by

    def forget(self, member: Told) -> None:
        """The asker is gone."""
        self._waiting = [each for each in self._waiting if each[0] is not member]
        if self._asked is not None:
            self._asked = replace(self._asked, by=tuple(each for each in self._asked.by if each[0] is not member))

    def drop(self) -> list[Asker]:
        """Everybody who waits: the connection is gone."""
        waiting = self._open()
        self._asked, self._waiting = None, []
        return waiting

    def _open(self) -> list[Asker]:
        return [*(self._asked.by if self._asked is not None else ()), *self._waiting]
