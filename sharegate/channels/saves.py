"""Who asked for a document to be saved: one question to the server at a time, however many ask.

The server's "success" is not believed: the document itself tells whether the file was written (see `filed`). It is
asked for right before the save, and again after the answer; a file written between the two holds all that was sent
before.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from sharegate.channels import frames
from sharegate.channels.filed import Filed
from sharegate.channels.frames import RawJson
from sharegate.messages import Frame

TRIES = 8  # while the owner types the server gives up one save after the other


class Told(Protocol):
    """Who is told what became of a save: a member, or the gate itself."""

    def push(self, frame: Frame) -> None: ...


Asker = tuple[Told, int]


class Answer:
    """The gate itself, waiting for the answer to a save. Implements Told."""

    def __init__(self) -> None:
        self.frame: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()

    def push(self, frame: Frame) -> None:
        if not self.frame.done():
            self.frame.set_result(frame)


def save_answer(number: int, status: str) -> Frame:
    """`status`: "success", "skipped" or "failed"."""
    return frames.write(RawJson({"type": "save", "responseTo": number, "status": status}))


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that is under way: its number, what the document held when it was put, and whose it is.

    `before`: files written when the server had read what was sent before the question; None until it said that.
    `reread`: how often the file had been read again.
    """

    number: int
    held: Mapping[int, int]
    by: tuple[Asker, ...]
    reread: int
    before: int | None = None
    tries: int = 1

    def tell(self, status: str) -> None:
        for asker, number in self.by:
            asker.push(save_answer(number, status))


class Saves:
    """Numbers are the gate's own; each asker is answered with the number it chose itself."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._asked: Asked | None = None
        self._waiting: list[Asker] = []
        # Of which question, and whether after its answer: the documents that the server was asked for.
        self._looks: deque[tuple[int, bool]] = deque()

    def ask(self, member: Told, number: int, held: Mapping[int, int], filed: Filed) -> int | None:
        """The number to ask the server with now; None while an earlier question is under way."""
        self._waiting.append((member, number))
        return self.next(held, filed)

    def next(self, held: Mapping[int, int], filed: Filed) -> int | None:
        """The question for those who waited, if there are any and none is under way."""
        if self._asked is not None or not self._waiting:
            return None
        by, self._waiting = tuple(self._waiting), []
        return self._put(Asked(next(self._numbers), held, by, filed.reread))

    def _put(self, asked: Asked) -> int:
        self._asked = asked
        self._looks.append((asked.number, False))
        return asked.number

    def answered(self, number: int, *, success: bool) -> Asked | None:
        """The question that the server answered; None for an answer to nobody here. It is over, unless with a success:
        then the document is asked for."""
        asked = self._asked
        if asked is None or asked.number != number or (number, True) in self._looks:
            return None
        if success:
            self._looks.append((number, True))
        else:
            self._asked = None
        return asked

    def looked(self, filed: Filed) -> tuple[Asked, bool] | None:
        """The server sent what the document held: whether the file was written, if that is known now."""
        number, after = self._looks.popleft() if self._looks else (0, False)
        asked = self._asked
        if asked is None or asked.number != number:
            return None
        if not after:
            self._asked = replace(asked, before=filed.written)
            return None
        self._asked = None
        return asked, asked.before is not None and filed.written > asked.before and filed.reread <= asked.reread

    def again(self, asked: Asked, held: Mapping[int, int], filed: Filed) -> int | None:
        """The number to ask with once more; None when that would change nothing: tried often enough, or what was to be
        saved is not in the document any more, because the file was read again."""
        if asked.tries >= TRIES or filed.reread > asked.reread:
            return None
        return self._put(replace(asked, number=next(self._numbers), held=held, before=None, tries=asked.tries + 1))

    def drop(self) -> list[Asker]:
        """Everybody who waits: the connection is gone."""
        waiting = [*(self._asked.by if self._asked is not None else ()), *self._waiting]
        self._asked, self._waiting = None, []
        self._looks.clear()
        return waiting
