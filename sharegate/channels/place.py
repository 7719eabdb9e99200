"""Where the file of a room lies, as one share must see it: asked once for all visitors of the share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from sharegate.channels.interfaces import Confirm, FileIds, FreshFileIds
from sharegate.errors import Denied, Reason

FRESH_SECONDS = 0.25
CHECK_TIMEOUT = 10.0

Check = Callable[[FileIds], Awaitable[object]]


class Place:
    """One share's look at one room. `check` raises Denied when the file lies outside the root, is hidden, or cannot be
    looked at."""

    def __init__(self, check: Check, file_ids: FreshFileIds, *, now: Callable[[], float] = time.monotonic) -> None:
        self._check = check
        self._file_ids = file_ids
        self._now = now
        self._checked = float("-inf")
        self._checking: asyncio.Task[None] | None = None

    async def fresh(self) -> None:
        """Return when a look is at most a quarter of a second old; visitors who ask at the same time share one."""
        if self._now() - self._checked < FRESH_SECONDS:
            return
        if self._checking is None or self._checking.done():
            self._checking = asyncio.create_task(self._look(self._file_ids))
            # Marks the error as seen, for the case that every asker went away.
            self._checking.add_done_callback(lambda task: task.cancelled() or task.exception())
        # An asker who is cancelled must not cancel the others' look.
        await asyncio.shield(self._checking)

    async def confirm(self, what: Confirm) -> None:
        """A look that begins now; Denied when what is to be shown may not be."""
        if what is not Confirm.NOTHING:
            await self._look(self._file_ids.newest if what is Confirm.NEWEST else self._file_ids)

    async def _look(self, file_ids: FileIds) -> None:
        began = self._now()
        try:
            async with asyncio.timeout(CHECK_TIMEOUT):
                await self._check(file_ids)
        except TimeoutError:
            # Fails closed: where the file lies now is not known.
            raise Denied(Reason.UPSTREAM_TIMEOUT, "the check took too long") from None
        self._checked = max(self._checked, began)
