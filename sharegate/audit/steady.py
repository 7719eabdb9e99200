"""Whether the computer's clock leapt. What is let go of is gone for good: a leap is not believed at once."""

from __future__ import annotations

import time
from collections.abc import Callable

LEAP_SECONDS = 7 * 86400.0


class Steady:
    """Compares the clock with one that only counts (it may stand still while the computer sleeps). `last`: the clock as
    it was known last, from before this process, or None."""

    def __init__(
        self, now: Callable[[], float], last: float | None, ticking: Callable[[], float] = time.monotonic
    ) -> None:
        self._now = now
        self._ticking = ticking
        self._seen = (now() if last is None else last, ticking())

    @property
    def ahead(self) -> float:
        """Seconds by which the clock went further than time did since the last question."""
        return self._now() - self._seen[0] - (self._ticking() - self._seen[1])

    def leapt(self) -> bool:
        """Whether the clock is further ahead than the time that passed since the last question. The next question
        begins from here: a clock that stays where it leapt to is believed then."""
        ahead = self.ahead
        self._seen = (self._now(), self._ticking())
        return ahead > LEAP_SECONDS
