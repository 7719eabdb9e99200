"""What is counted against guessing and flooding, of one gate in memory or of all gates of a store.

Two gates that count apart take twice as many guesses. So what is to be counted over all of them goes through a Tally;
the store of several gates keeps one (stores/redis/tally.py), and where it cannot be asked nobody is let try: the gate
refuses everybody then.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from sharegate.limits import Buckets, Rate


@dataclass(frozen=True, slots=True)
class Limit:
    """`name` tells it from all others of a gate."""

    name: str
    rate: Rate

    def of(self, key: str) -> Place:
        return Place(self, key)


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket: one limit, for one network, link, mailbox or whatever `key` names."""

    limit: Limit
    key: str

    @property
    def name(self) -> str:
        """Keys are chosen by strangers, and may be long."""
        return f"{self.limit.name} {hashlib.sha256(self.key.encode('utf-8', 'surrogatepass')).hexdigest()}"


class Tally(Protocol):
    """Each method is one step for all gates, and may raise StoreUnavailable."""

    async def waits(self, places: Sequence[Place]) -> list[int]:
        """Of each, whole seconds until something can be taken; 0 for at once."""

    async def take(self, places: Sequence[Place]) -> list[int]:
        """One of each or of none: the same seconds, all 0 when it was taken."""

    async def spend(self, places: Sequence[Place], amount: float = 1) -> None:
        """Take even into debt; less than nothing gives back what was taken."""


class OwnTally:
    """Of this gate alone, in memory. `pace` is a clock that does not stand still."""

    def __init__(self, pace: Callable[[], float]) -> None:
        self._pace = pace
        self._buckets: dict[Limit, Buckets] = {}

    async def waits(self, places: Sequence[Place]) -> list[int]:
        return [self._of(place.limit).wait(place.key) for place in places]

    async def take(self, places: Sequence[Place]) -> list[int]:
        waits = await self.waits(places)
        if not any(waits):
            await self.spend(places)
        return waits

    async def spend(self, places: Sequence[Place], amount: float = 1) -> None:
        for place in places:
            buckets = self._of(place.limit)
            if amount < 0:
                buckets.give_back(place.key, -amount)
            else:
                buckets.spend(place.key, amount)

    def _of(self, limit: Limit) -> Buckets:
        if limit not in self._buckets:
            self._buckets[limit] = Buckets(limit.rate, self._pace)
        return self._buckets[limit]
