"""Who asked for a document to be saved: one question to the server at a time, however many ask."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from sharegate.channels import frames
from sharegate.channels.frames import RawJson
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
    """Numbers are the gate's own; each asker is answered with the number it chose itself.

    `put(number)` asks the server; `held` says what the document holds, None while there is none; `now` is in seconds.
    """

    def __init__(
        self,
        put: Callable[[int], object],
        held: Callable[[], Mapping[int, int] | None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._put = put
        self._held = held
        self._now = now
        self._numbers = itertools.count(1)
        self._asked: Asked | None = None
        self._waiting: list[Asker] = []

    @property
    def open(self) -> list[Asker]:
        """Who was not answered yet."""
        return [*(self._asked.by if self._asked is not None else ()), *self._waiting]

    def ask(self, asker: Told, number: int) -> None:
        """Answered with the next question to the server; at once, and failed, when too much is open already."""
        if len(self.open) >= ALL or sum(each is asker for each, _ in self.open) >= EACH:
            _tell([(asker, number)], "failed")
            return
        self._waiting.append((asker, number))
        self._next()

    def _next(self) -> None:
        """The question for those who wait, if there are any and none is under way."""
        if self._asked is not None or not self._waiting or (held := self._held()) is None:
            return
        self._asked = Asked(next(self._numbers), held, tuple(self._waiting), self._now())
        self._waiting = []
        self._put(self._asked.number)

    def answered(self, number: int, status: str) -> Mapping[int, int] | None:
        """Everybody whose question this was is told; what the server has saved, if that is known now."""
        asked = self._asked
        if asked is None or asked.number != number:
            return None
        self._asked = None
        _tell(asked.by, status if status in ("success", "skipped") else "failed")
        self._next()
        return asked.held if status == "success" else None

    def settle(self) -> None:
        """To be called every second or so: a question that the server never answers must not hold up the others. An
        answer that comes later is nobody's."""
        asked = self._asked
        if asked is not None and self._now() - asked.at >= ANSWER_SECONDS:
            self._asked = None
            _tell(asked.by, "failed")
            self._next()

    def forget(self, asker: Told) -> None:
        """The asker is gone."""
        self._waiting = [each for each in self._waiting if each[0] is not asker]
        if self._asked is not None:
            self._asked = replace(self._asked, by=tuple(each for each in self._asked.by if each[0] is not asker))

    def fail(self) -> None:
        """The connection is gone."""
        waiting = self.open
        self._asked, self._waiting = None, []
        _tell(waiting, "failed")


def _tell(askers: Iterable[Asker], status: str) -> None:
    for asker, number in askers:
        asker.push(save_answer(number, status))


def save_answer(number: int, status: str) -> Frame:
    """As the server says it: `success`, `skipped` or `failed`."""
    return frames.write(RawJson({"type": "save", "responseTo": number, "status": status}))
