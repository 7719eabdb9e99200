"""How much, how often: token buckets and counters with bounded memory, on an injected clock.

The library `limits` (5.8) does less: it keeps every key for its whole window, and strangers choose the keys; it goes by
the time of day, which may be set back; and it cannot give back, nor count afterwards what was sent.
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sharegate.errors import Denied, Reason


@dataclass(frozen=True, slots=True)
class Rate:
    """`per` units each `seconds`, and at most `burst` at once."""

    per: float
    seconds: float
    burst: float

    @property
    def speed(self) -> float:
        return self.per / self.seconds


# Pings and pongs of one WebSocket. Browsers answer ours and send none, programs one in a while. The library would
# answer all that have come in one go, and nobody else would have a turn meanwhile.
CONTROL = Rate(per=5, seconds=1, burst=60)


class Buckets:
    """One token bucket per key. A bucket that is full again is forgotten. The keys are chosen by strangers, so only the
    `remembered` most recent are kept: forgetting a key that has been quiet longest gives it a full bucket back, never a
    smaller one."""

    def __init__(self, rate: Rate, now: Callable[[], float], *, remembered: int = 20_000) -> None:
        self._rate = rate
        self._now = now
        self._remembered = remembered
        self._burst, self._speed = rate.burst, rate.speed
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str, amount: float, reason: Reason) -> None:
        """Take `amount` or raise Denied(`reason`)."""
        now = self._now()
        level = self._level(key, now)
        if level < amount:
            raise Denied(reason, f"more than {self._rate.per:g} per {self._rate.seconds:g} s")
        self._put(key, level - amount, now)

    def spend(self, key: str, amount: float) -> None:
        """Take `amount` even into debt: for what is known only afterwards (bytes that were sent)."""
        now = self._now()
        self._put(key, self._level(key, now) - amount, now)

    def give_back(self, key: str, amount: float) -> None:
        """Take less than was taken: what was counted turned out to be fine."""
        now = self._now()
        self._put(key, min(self._level(key, now) + amount, self._burst), now)

    def check(self, key: str, reason: Reason) -> None:
        """Raise Denied(`reason`) while the key is in debt."""
        found = self._levels.get(key)
        # What was no debt has become none since.
        if found is not None and found[0] < 0 and self._level(key, self._now()) < 0:
            raise Denied(reason, f"more than {self._rate.per:g} per {self._rate.seconds:g} s")

    def wait(self, key: str, amount: float = 1) -> int:
        """Whole seconds until `amount` can be taken, for Retry-After."""
        missing = amount - self._level(key, self._now())
        return max(1, int(missing / self._speed) + 1) if missing > 0 else 0

    def _level(self, key: str, now: float) -> float:
        found = self._levels.get(key)
        if found is None:
            return self._burst
        level, since = found
        if now > since:
            level += (now - since) * self._speed
        return level if level < self._burst else self._burst

    def _put(self, key: str, level: float, now: float) -> None:
        levels = self._levels
        levels[key] = (level, now)
        levels.move_to_end(key)
        # Two for each that is kept, so that those that are full become fewer.
        for _ in range(2):
            quiet = next(iter(levels))
            if quiet == key or (len(levels) <= self._remembered and self._level(quiet, now) < self._burst):
                break
            del levels[quiet]


class Steady:
    """Waits for the pieces of something: `seconds` for the first, then no longer than what has come pays for,
    `slowest` bytes a second. A drip, which is never silent for long, is given up like silence."""

    def __init__(self, seconds: float, slowest: float, now: Callable[[], float] = time.monotonic) -> None:
        self._most = seconds
        self._left = seconds
        self._slowest = slowest
        self._now = now

    async def piece(self, read: Callable[[], Awaitable[bytes]]) -> bytes:
        """The next piece; TimeoutError when the patience is used up. What is waited for elsewhere costs none."""
        if self._left <= 0:
            raise TimeoutError
        began = self._now()
        async with asyncio.timeout(self._left):
            piece = await read()
        self._left = min(self._most, self._left - (self._now() - began) + len(piece) / self._slowest)
        return piece

    def got(self, size: int) -> None:
        """So many bytes came without being waited for."""
        self._left = min(self._most, self._left + size / self._slowest)


@functools.lru_cache(maxsize=4096)
def network(address: str) -> str:
    """What counts as one place for limits: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


@functools.lru_cache(maxsize=4096)
def neighbourhood(address: str) -> str:
    """What counts as one place where it matters that one person can easily have many networks: the /24 of an IPv4
    address, the /48 of an IPv6 address."""
    place = network(address)
    try:
        found = ipaddress.ip_network(place)
    except ValueError:
        return place
    return str(found.supernet(new_prefix=48 if found.version == 6 else 24))


class Running:
    """How many things of one key run at the same time."""

    def __init__(self, limit: int, reason: Reason) -> None:
        self._limit = limit
        self._reason = reason
        self._counts: dict[str, int] = {}

    def enter(self, key: str) -> None:
        count = self._counts.get(key, 0)
        if count >= self._limit:
            raise Denied(self._reason, f"{self._limit} at once")
        self._counts[key] = count + 1

    def leave(self, key: str) -> None:
        left = self._counts.get(key, 0) - 1
        if left > 0:
            self._counts[key] = left
        else:
            self._counts.pop(key, None)


class Folding:
    """Of a kind of event that somebody can cause without end: record the first, then one in `seconds` with a count."""

    def __init__(self, seconds: float, now: Callable[[], float], *, remembered: int = 10_000) -> None:
        self._seconds = seconds
        self._now = now
        self._remembered = remembered
        self._kinds: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def due(self, kind: str) -> int:
        """How many events the record of this one stands for; 0 when it is counted into the next."""
        now = self._now()
        at, folded = self._kinds.get(kind, (-self._seconds, 0))
        recorded = now - at >= self._seconds
        self._kinds[kind] = (now, 0) if recorded else (at, folded + 1)
        self._kinds.move_to_end(kind)
        if len(self._kinds) > self._remembered:
            self._kinds.popitem(last=False)
        return folded + 1 if recorded else 0
