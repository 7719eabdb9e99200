"""How much one visit may use, and all visits of one link or one share together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sharegate.errors import Reason
from sharegate.limits import Buckets, Rate, Running
from sharegate.shares.model import Grant

# A link is used by one person with a few devices or by a class, a share by all of its links: several times what
# one visit has, so that one busy visit never takes what others need, and all together do not exhaust the server.
LINK_TIMES = 8
SHARE_TIMES = 16


@dataclass(frozen=True, slots=True)
class Amounts:
    """For one visit: requests a minute, requests at once, bytes a minute."""

    requests: float
    at_once: int
    bytes: float


class _Level:
    """The counters of visits, or of links, or of shares."""

    def __init__(self, amounts: Amounts, times: int, now: Callable[[], float]) -> None:
        requests, size = amounts.requests * times, amounts.bytes * times
        self.requests = Buckets(Rate(requests, 60, requests), now)
        self.bytes = Buckets(Rate(size, 60, size), now)
        self.running = Running(amounts.at_once * times, Reason.REQUEST_LIMIT)


class Allowance:
    """Raises Denied(`request_limit`, `bytes_limit`) past any of the three levels."""

    def __init__(self, amounts: Amounts, now: Callable[[], float]) -> None:
        self._levels = [_Level(amounts, times, now) for times in (1, LINK_TIMES, SHARE_TIMES)]

    def ask(self, grant: Grant) -> None:
        """One more request."""
        for level, key in zip(self._levels, _keys(grant), strict=True):
            level.requests.take(key, 1, Reason.REQUEST_LIMIT)
        self.check(grant)

    def check(self, grant: Grant) -> None:
        """Denied(`bytes_limit`) while more was sent than is allowed."""
        for level, key in zip(self._levels, _keys(grant), strict=True):
            level.bytes.check(key, Reason.BYTES_LIMIT)

    def enter(self, grant: Grant) -> None:
        """One more request is running; all three levels or none."""
        entered: list[tuple[Running, str]] = []
        try:
            for level, key in zip(self._levels, _keys(grant), strict=True):
                level.running.enter(key)
                entered.append((level.running, key))
        except BaseException:
            for running, key in entered:
                running.leave(key)
            raise

    def leave(self, grant: Grant) -> None:
        for level, key in zip(self._levels, _keys(grant), strict=True):
            level.running.leave(key)

    def sent(self, grant: Grant, size: int) -> None:
        """`size` bytes went to the visitor; a debt is noticed by the next request."""
        for level, key in zip(self._levels, _keys(grant), strict=True):
            level.bytes.spend(key, size)


def _keys(grant: Grant) -> tuple[str, str, str]:
    return grant.visit.id, grant.link.id, grant.share.id
