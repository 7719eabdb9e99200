"""Who asked for a document to be saved: one question to the server at a time, however many ask.

The server's "success" is not believed: the document itself tells whether the file was written (see `filed`). It is
asked for right before the save, and again after the answer; a file written between the two holds all that was sent
before.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from sharegate.channels import frames
from sharegate.channels.filed import Filed
from sharegate.channels.frames import RawJson
from sharegate.messages import Frame

EACH = 16  # that one asker may have open
ALL = 1024
ANSWER_SECONDS = 30.0
TRIES = 8  # while the owner types the server gives up one save after the other


class Told(Protocol):
    """Who is told what became of a save: a member, or the gate itself."""

    def push(self, frame: Frame) -> None: ...


class Saved(Protocol):
    """The document: what it holds, and what it tells of its file."""

    filed: Filed

    @property
    def held(self) -> Mapping[int, int]: ...

    def saw_saved(self, held: Mapping[int, int]) -> None: ...


Asker = tuple[Told, int]


class Answer:
    """The gate itself, waiting for the answer to a save. Implements Told."""

    def __init__(self) -> None:
        self.frame: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()

    def push(self, frame: Frame) -> None:
        if not self.frame.done():
            self.frame.set_result(frame)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that is under way: its number, what the document held when it was put, whose it is, and since when.

    `before`: files written when the server had read what was sent before the question; None until it said that.
    `reread`: how often the file had been read again.
    """

    number: int
    held: Mapping[int, int]
    by: tuple[Asker, ...]
    at: float
    reread: int
    before: int | None = None
    tries: int = 1


class Saves:
    """Numbers are the gate's own; each asker is answered with the number it chose itself.

    `put(number)` asks the server to save, `look()` for what its document holds by then; `document()` is None while
    there is none; `now` is in seconds.
    """

    def __init__(
        self,
        put: Callable[[int], object],
        look: Callable[[], object],
        document: Callable[[], Saved | None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._put = put
        self._look = look
        self._document = document
        self._now = now
        self._numbers = itertools.count(1)
        self._asked: Asked | None = None
        self._waiting: list[Asker] = []
        # Of which question, and whether after its answer: the documents that the server was asked for.
        self._looks: deque[tuple[int, bool]] = deque()

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
        if self._asked is not None or not self._waiting or (document := self._document()) is None:
            return
        by, self._waiting = tuple(self._waiting), []
        self._begin(Asked(next(self._numbers), document.held, by, self._now(), document.filed.reread))

    def _begin(self, asked: Asked) -> None:
        self._asked = asked
        self._looks.append((asked.number, False))
        self._look()
        self._put(asked.number)

    def answered(self, number: int, status: str) -> None:
        """The server answered a question. It is over, unless with a success: then the document is asked for."""
        asked = self._asked
        if asked is None or asked.number != number or (number, True) in self._looks:
            return
        if status == "success":
            self._looks.append((number, True))
            self._look()
        else:
            self._end(asked, "skipped" if status == "skipped" else "failed")

    def looked(self) -> None:
        """The server sent what its document holds."""
        number, after = self._looks.popleft() if self._looks else (0, False)
        asked, document = self._asked, self._document()
        if asked is None or asked.number != number or document is None:
            return
        filed = document.filed
        if not after:
            self._asked = replace(asked, before=filed.written)
        elif filed.reread > asked.reread:
            # What was to be saved is not in the document any more.
            self._end(asked, "failed")
        elif asked.before is not None and filed.written > asked.before:
            document.saw_saved(asked.held)
            self._end(asked, "success")
        elif asked.tries < TRIES:
            again = next(self._numbers)
            self._begin(replace(asked, number=again, held=document.held, before=None, tries=asked.tries + 1))
        else:
            self._end(asked, "failed")

    def _end(self, asked: Asked, status: str) -> None:
        self._asked = None
        _tell(asked.by, status)
        self._next()

    def settle(self) -> None:
        """To be called every second or so: a question that the server never answers must not hold up the others. An
        answer that comes later is nobody's."""
        asked = self._asked
        if asked is not None and self._now() - asked.at >= ANSWER_SECONDS:
            self._end(asked, "failed")

    def forget(self, asker: Told) -> None:
        """The asker is gone."""
        self._waiting = [each for each in self._waiting if each[0] is not asker]
        if self._asked is not None:
            self._asked = replace(self._asked, by=tuple(each for each in self._asked.by if each[0] is not asker))

    def fail(self) -> None:
        """The connection is gone."""
        waiting = self.open
        self._asked, self._waiting = None, []
        self._looks.clear()
        _tell(waiting, "failed")


def _tell(askers: Iterable[Asker], status: str) -> None:
    for asker, number in askers:
        asker.push(save_answer(number, status))


def save_answer(number: int, status: str) -> Frame:
    """As the server says it: `success`, `skipped` or `failed`."""
    return frames.write(RawJson({"type": "save", "responseTo": number, "status": status}))
