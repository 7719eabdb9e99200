"""Who is here now and where: what the owner's screen shows beyond the records. Lives in memory, lost on restart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class Seen:
    """What is known of an open visit at this moment. `pages` counts open pages (their live connections)."""

    at: float
    where: str = ""
    pages: int = 0


class Presence:
    """One entry per visit that has been active since the gate started."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._seen: dict[str, Seen] = {}

    def touch(self, visit: str, where: str = "") -> None:
        """A request or a message came from this visit; `where` is the document or folder it concerns."""
        seen = self._seen.setdefault(visit, Seen(self._now()))
        seen.at = self._now()
        if where:
            seen.where = where

    def page_opened(self, visit: str) -> None:
        self._seen.setdefault(visit, Seen(self._now())).pages += 1

    def page_closed(self, visit: str) -> None:
        seen = self._seen.get(visit)
        if seen is not None:
            seen.pages = max(0, seen.pages - 1)
            seen.at = self._now()

    def of(self, visit: str) -> Seen | None:
        return self._seen.get(visit)

    def forget(self, visit: str) -> None:
        self._seen.pop(visit, None)

    def pages(self, visits: list[str]) -> int:
        """How many pages these visits have open."""
        return sum(seen.pages for visit in visits if (seen := self._seen.get(visit)) is not None)
