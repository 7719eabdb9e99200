"""The gate's time of day, and how a computer that slept is noticed.

Three clocks: the time of day, which people and programs set; the monotonic one, on which the event loop's timers
run and which stands still while a laptop sleeps; and the boot clock, which goes on then (Linux clock_gettime(2)).
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

log = logging.getLogger("sharegate.clock")

EVERY_SECONDS = 1.0
# Less is a busy computer, not a sleep.
SLEPT_SECONDS = 5.0
# What is told of a clock that was set. Time servers move it by less, all the time.
SET_SECONDS = 2.0

_SYSTEM: str = sys.platform


class DayClock:
    """Seconds since the epoch, never less than before: what has expired stays expired when the computer's clock is set
    back. The gate's time then stands still until the computer's has caught up, so nothing lives longer either. `behind`
    says for how long that will be."""

    def __init__(self, day: Callable[[], float] = time.time) -> None:
        self._day = day
        self._latest = day()

    def __call__(self) -> float:
        now = self._day()
        if now > self._latest:
            self._latest = now
        return self._latest

    @property
    def behind(self) -> float:
        """Seconds."""
        return max(0.0, self._latest - self._day())


def boot_time() -> float:
    """Seconds of this boot, with those of sleep where the system counts them."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    if _SYSTEM == "darwin":
        # There CLOCK_MONOTONIC goes on during sleep, and Python's monotonic clock is another (mach_absolute_time).
        return time.clock_gettime(time.CLOCK_MONOTONIC)
    return time.monotonic()


@dataclass(frozen=True, slots=True)
class Woke:
    """`slept` seconds in which the process did not run; `set_by`: how far the time of day was moved besides."""

    slept: float
    set_by: float


class Waking:
    """Looks once a second whether time went on without the process, or jumped, and then has everything looked at anew
    that trusts in timers.

    `wake` are called one after the other, the most urgent first; a fault in one is logged and keeps none of the others
    from being called. Times come from three callables so that tests move them.
    """

    def __init__(
        self,
        wake: list[Callable[[Woke], Awaitable[object]]],
        *,
        day: Callable[[], float] = time.time,
        boot: Callable[[], float] = boot_time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._wake = wake
        self._day = day
        self._boot = boot
        self._sleep = sleep
        self._seen = day(), boot()

    async def run(self) -> None:
        while True:
            await self._sleep(EVERY_SECONDS)
            await self.look()

    async def look(self) -> Woke | None:
        """One look; what was found and told."""
        (day, boot), self._seen = self._seen, (self._day(), self._boot())
        passed = self._seen[1] - boot
        slept = passed - EVERY_SECONDS
        set_by = self._seen[0] - day - passed
        if slept < SLEPT_SECONDS and abs(set_by) < SET_SECONDS:
            return None
        woke = Woke(max(0.0, slept) if slept >= SLEPT_SECONDS else 0.0, set_by if abs(set_by) >= SET_SECONDS else 0.0)
        log.warning("%s: looking at everything that is open anew", _said(woke))
        for each in self._wake:
            try:
                await each(woke)
            except Exception:  # fails closed: the others are called, and every second looks again at what is open
                log.exception("after waking")
        return woke


def _said(woke: Woke) -> str:
    parts = []
    if woke.slept:
        parts.append(f"did not run for {woke.slept:.0f} s")
    if woke.set_by:
        way = "ahead" if woke.set_by > 0 else "back"
        parts.append(f"the computer's clock was set {way} by {abs(woke.set_by):.0f} s")
    return ", and ".join(parts)
