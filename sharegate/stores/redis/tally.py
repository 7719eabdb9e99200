"""Buckets that all gates of a store take from, each gone when it is full again.

Gates tell their time of day, for a server tells its own only to who may ask for it. A bucket's time never goes back, so
that of clocks that differ the fastest counts, once, and taking turns at two gates fills nothing. That what it is for is
named by an HMAC keeps addresses of people out of the server.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

from sharegate.stores.crypt import ContentBox
from sharegate.stores.redis.connection import Server
from sharegate.stores.redis.names import Names
from sharegate.stores.redis.scripts import TALLY
from sharegate.tally import Place


class RedisTally:
    """Made by the store. `now` is the time of day."""

    def __init__(self, server: Server, names: Names, box: ContentBox, now: Callable[[], float]) -> None:
        self._server, self._names, self._box = server, names, box
        self._now = now

    async def waits(self, places: Sequence[Place]) -> list[int]:
        return await self._run("look", places, 1)

    async def take(self, places: Sequence[Place]) -> list[int]:
        return await self._run("take", places, 1)

    async def spend(self, places: Sequence[Place], amount: float = 1) -> None:
        await self._run("spend", places, amount)

    async def _run(self, what: str, places: Sequence[Place], amount: float) -> list[int]:
        if not places:
            return []
        keys = [self._names.tally(self._box.name(place.name.encode(), upstream="")) for place in places]
        rates = [repr(value) for place in places for value in (place.limit.rate.speed, place.limit.rate.burst)]
        once = secrets.token_hex(8)
        answer = await self._server.run(TALLY, keys, what, repr(float(amount)), repr(self._now()), once, *rates)
        return [int(wait) for wait in answer]
