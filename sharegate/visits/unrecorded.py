"""What was stored and could then not be recorded did not happen: it is taken back, now or before the next act."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from sharegate.errors import NotFound, StoreUnavailable

Back = Callable[[], Awaitable[object]]


class Unrecorded:
    """Records and trail are written one after the other; in between the disk may fill up. Kept in memory: what a
    killed process owed stays, harmless, for nobody was told the secret that goes with it."""

    def __init__(self) -> None:
        self._owed: list[Back] = []

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
        while self._owed:
            back = self._owed.pop(0)
            try:
                await back()
            except StoreUnavailable:
                self._owed.insert(0, back)
                raise
            except (NotFound, ValueError):  # somebody decided it meanwhile: nothing is owed any more
                pass
