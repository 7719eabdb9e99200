"""Links that are added to one share at the same moment: each has a letter of its own, and who comes second takes the
next."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sharegate.errors import Refused

T = TypeVar("T")
# At other gates, while it is tried here.
TRIES = 20


class Lettered:
    """One at a time here; where another gate added some meanwhile, `make` is asked again and looks again."""

    def __init__(self) -> None:
        self._one_at_a_time = asyncio.Lock()

    async def made(self, make: Callable[[], Awaitable[T]]) -> T:
        """What `make` makes, which raises ValueError when a letter was taken before it was stored. Raises
        Refused(`changed`) when that goes on."""
        async with self._one_at_a_time:
            for _ in range(TRIES):
                try:
                    return await make()
                except ValueError:  # nothing was made
                    continue
        raise Refused("changed", "links are being added to it by others", "Ask again in a moment")
