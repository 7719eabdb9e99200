"""How a gate that is stopped lets go: nobody new comes in, what runs is finished, then pages are told to come back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from sharegate.errors import Reason

# For the closing handshakes at the end; who does not take part in them is dropped.
GOODBYE_SECONDS = 2.0
TELL_SECONDS = 0.5


class OpenThings(Protocol):
    """What is open (channels/registry.py)."""

    def answering(self) -> int:
        """HTTP answers that are waited for or sent."""

    async def answered(self) -> None:
        """Wait until there are none."""

    def cut(self, *, reason: Reason) -> int: ...

    async def drained(self) -> None: ...


class OpenDocuments(Protocol):
    """The live documents (documents.py)."""

    def unsaved(self) -> int:
        """Documents in which a visitor waits for a save, or of which the server has not been sent everything."""

    async def settled(self) -> None:
        """Wait until there are none."""

    async def closed(self) -> None:
        """Wait until nothing is connected to a server any more."""


Progress = Callable[[str], None]


def _quiet(_: str) -> None:
    """Progress that nobody wants."""


@dataclass
class Draining:
    """The end of one gate. `begin` refuses newcomers; `run` ends what is open; `hurry` makes it end at once."""

    things: OpenThings
    documents: OpenDocuments
    refuse: Callable[[], object]
    seconds: float
    progress: Progress = _quiet
    began: bool = False
    _hurried: asyncio.Event = field(default_factory=asyncio.Event)

    def begin(self) -> None:
        """From now on `/ready` says no, and every new request is refused (`draining`). What is open goes on."""
        self.began = True
        self.refuse()

    def hurry(self) -> None:
        """Do not wait for anybody any more."""
        self._hurried.set()

    async def run(self) -> None:
        """Wait for answers and saves, at most `seconds`; then cut everything, so that pages know that the gate went and
        come back by themselves. What editors wrote is sent to the servers before their connections are closed."""
        self.begin()
        async with contextlib.AsyncExitStack() as telling:
            teller = asyncio.create_task(self._tell())
            telling.callback(teller.cancel)
            await self._unless_hurried(self._finished(), self.seconds)
        self.things.cut(reason=Reason.DRAINING)
        await self._unless_hurried(self._closed(), GOODBYE_SECONDS)

    async def _finished(self) -> None:
        # Asked again, for an answer may have been a save.
        while self.things.answering() or self.documents.unsaved():
            await self.things.answered()
            await self.documents.settled()

    async def _closed(self) -> None:
        await self.things.drained()
        await self.documents.closed()

    async def _unless_hurried(self, work: Awaitable[None], seconds: float) -> None:
        task = asyncio.ensure_future(work)
        hurried = asyncio.ensure_future(self._hurried.wait())
        try:
            await asyncio.wait({task, hurried}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
        finally:
            for each in (task, hurried):
                each.cancel()
            await asyncio.gather(task, hurried, return_exceptions=True)

    async def _tell(self) -> None:
        await asyncio.sleep(TELL_SECONDS)
        answering, unsaved = self.things.answering(), self.documents.unsaved()
        parts = [_count(answering, "answer"), _count(unsaved, "document")]
        waited = " and ".join(part for part in parts if part)
        if waited:
            self.progress(f"Waiting up to {self.seconds:.0f} s for {waited}. Once more to end at once.")


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}" if number else ""
