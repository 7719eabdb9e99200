"""Waiting for what is read to change: about one look a second at each place, however many read it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

EVERY = 1.0
PATIENCE = 25.0


def stamp(model: dict[str, Any]) -> str:
    """Of what stands at a place: another one as soon as it was written again, or something else stands there."""
    told = [str(model.get(name)) for name in ("path", "type", "last_modified", "size")]
    return hashlib.sha256("\0".join(told).encode()).hexdigest()[:16]


@dataclass(slots=True)
class _Place:
    """`seen` is what the last look gave, `at` when that was; `readers` are those who wait now."""

    seen: str = ""
    at: float = float("-inf")
    readers: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Following:
    """One per gate. `every` and `patience` are in seconds."""

    def __init__(self, every: float = EVERY, patience: float = PATIENCE) -> None:
        self._every = every
        self._patience = patience
        self._places: dict[tuple[str, str], _Place] = {}
        self._over = asyncio.Event()

    def finish(self) -> None:
        """The gate is stopping: whoever waits is told now that nothing has changed."""
        self._over.set()

    async def changed(self, place: tuple[str, str], known: str, look: Callable[[], Awaitable[str]]) -> bool:
        """Wait until `look` (returns a stamp) gives another than `known`; False when it did not in time. `place` is a
        share and a path in it: whoever waits there would see the same. What `look` raises is raised."""
        here = self._places.setdefault(place, _Place())
        here.readers += 1
        try:
            until = _now() + self._patience
            while _now() < until and not self._over.is_set():
                if await self._look(here, look) != known:
                    return True
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._every):
                        await self._over.wait()
            return False
        finally:
            here.readers -= 1
            if not here.readers:
                del self._places[place]

    async def _look(self, here: _Place, look: Callable[[], Awaitable[str]]) -> str:
        async with here.lock:
            if _now() - here.at >= self._every:
                here.seen = await look()
                here.at = _now()
            return here.seen


def _now() -> float:
    return asyncio.get_running_loop().time()
