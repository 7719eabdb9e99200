"""What was stored is recorded. Where it cannot be, it did not happen: it is taken back, now or before the next act."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from sharegate.errors import NotFound, SharegateError, StoreUnavailable

log = logging.getLogger("sharegate.visits")

# Why a visit ends at once whose token stopped to count while it was opened.
KEY_REFUSED = "its link's signing key was refused"
REPLACED = "its link was replaced"
T = TypeVar("T")
Back = Callable[[], Awaitable[object]]


class Unrecorded:
    """Records and trail are written one after the other; in between the disk may fill up. Kept in memory: what a
    killed process owed stays, harmless, for nobody was told the secret that goes with it."""

    def __init__(self) -> None:
        self._owed: list[Back] = []
        self._one = asyncio.Lock()
        self._running: set[asyncio.Task[Any]] = set()

    async def whole(self, act: Coroutine[Any, Any, T]) -> T:
        """What `act` returns or raises. It stores and records in a task of its own: whoever asked may hang up and
        is cancelled then; the act is not."""
        task = asyncio.create_task(act)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_nobody_heard)
            raise

    async def finished(self) -> None:
        """Wait for the acts of those who hung up."""
        while self._running:
            await asyncio.wait(self._running)

    @contextlib.asynccontextmanager
    async def taken_back(self, back: Back) -> AsyncIterator[None]:
        """Around the recording of an act. When that raises StoreUnavailable, so does this, after `back`."""
        try:
            yield
        except StoreUnavailable:  # fails closed
            self._owed.append(back)
            with contextlib.suppress(StoreUnavailable):
                await self.settle()
            raise

    async def settle(self) -> None:
        """Before the next act. Raises StoreUnavailable while something is owed that cannot be written."""
        if not self._owed:
            return
        # One at a time, and owed until it is written: who comes meanwhile waits here.
        async with self._one:
            while self._owed:
                with contextlib.suppress(NotFound, ValueError):  # somebody decided it meanwhile
                    await self._owed[0]()
                del self._owed[0]


def _nobody_heard(task: asyncio.Task[Any]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None and not isinstance(error, SharegateError):
        log.error("fault in an act whose asker hung up", exc_info=error)
