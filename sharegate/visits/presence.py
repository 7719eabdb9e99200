"""Who is here now and where: what the owner's screen shows beyond the records. Lives in memory, lost on restart."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class Seen:
    """What is known of an open visit at this moment. `pages` counts open pages (their live connections)."""

    at: float
    where: str = ""
    pages: int = 0


REMEMBERED = 10_000


class Presence:
    """One entry per visit that has been active since the gate started; past `REMEMBERED` of them, those without an open
    page that were active longest ago are forgotten."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._seen: OrderedDict[str, Seen] = OrderedDict()
        self._inside: dict[str, None] = {}

    def touch(self, visit: str, where: str = "") -> None:
        """A request or a message came from this visit; `where` is the document or folder it concerns."""
        seen = self._of(visit)
        seen.at = self._now()
        if where:
            seen.where = where

    def page_opened(self, visit: str) -> None:
        self._of(visit).pages += 1
        self._inside[visit] = None

    def page_closed(self, visit: str) -> None:
        seen = self._seen.get(visit)
        if seen is not None:
            seen.pages = max(0, seen.pages - 1)
            if not seen.pages:
                self._inside.pop(visit, None)
            seen.at = self._now()

    def _of(self, visit: str) -> Seen:
        seen = self._seen.setdefault(visit, Seen(self._now()))
        self._seen.move_to_end(visit)
        if len(self._seen) > REMEMBERED:
            oldest = next((id for id, each in self._seen.items() if not each.pages), None)
            if oldest is not None:
                del self._seen[oldest]
        return seen

    def of(self, visit: str) -> Seen | None:
        return self._seen.get(visit)

    def inside(self) -> list[str]:
        """Visits that have a page open."""
        return list(self._inside)

    def moments(self) -> list[tuple[str, float]]:
        """Visits, and when something came from each the last time."""
        return [(id, seen.at) for id, seen in self._seen.items()]

    def pages(self, visits: list[str]) -> int:
        """How many pages these visits have open."""
        return sum(seen.pages for visit in visits if (seen := self._seen.get(visit)) is not None)
