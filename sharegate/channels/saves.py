"""Who asked for a document to be saved: one question to the server at a time, however many ask."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from sharegate.messages import Frame


class Told(Protocol):
    """Who is told what became of a save: a member, or the gate itself."""

    def push(self, frame: Frame) -> None: ...


Asker = tuple[Told, int]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that is under way: its number, what the document held when it was put, and whose it is."""

    number: int
    held: Mapping[int, int]
    by: tuple[Asker, ...]


class Saves:
    """Numbers are the gate's own; each asker is answered with the number it chose itself."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._asked: Asked | None = None
        self._waiting: list[Asker] = []

    def ask(self, member: Told, number: int, held: Mapping[int, int]) -> int | None:
        """The number to ask the server with now; None while an earlier question is under way."""
        self._waiting.append((member, number))
        return self.next(held)

    def next(self, held: Mapping[int, int]) -> int | None:
        """The question for those who waited, if there are any and none is under way."""
        if self._asked is not None or not self._waiting:
            return None
        self._asked = Asked(next(self._numbers), held, tuple(self._waiting))
        self._waiting = []
        return self._asked.number

    def answered(self, number: int) -> Asked | None:
        """The question that the server answered; None for an answer to nobody here."""
        asked = self._asked
        if asked is None or asked.number != number:
            return None
        self._asked = None
        return asked

    def drop(self) -> list[Asker]:
        """Everybody who waits: the connection is gone."""
        waiting = [*(self._asked.by if self._asked is not None else ()), *self._waiting]
        self._asked, self._waiting = None, []
        return waiting
