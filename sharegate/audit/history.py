"""Reading the trail: what the owner's API offers of it. Each question reads so many entries and no more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from sharegate.audit.chain import opened
from sharegate.audit.cursors import cursor_of, gone, mark_of
from sharegate.audit.events import Action, AuditEvent
from sharegate.audit.interfaces import AuditStore, Mark, Page, Query, Sealed
from sharegate.audit.lanes import Glance, glance, lanes
from sharegate.audit.report import passed_on, plain
from sharegate.errors import NotFound
from sharegate.shares.interfaces import ShareStore
from sharegate.shares.model import Visit

# What tells who came by whose link.
PASSING = (
    *(Action.LINK_JOINED, Action.DEVICE_ADDED, Action.LINK_PASSED_ON),
    *(Action.KNOCK_MADE, Action.KNOCK_ADMITTED, Action.KNOCK_REFUSED, Action.STRANGER_DENIED),
)
# Of each kind, for one picture.
MOST_OF_A_KIND = 2000
# For one timeline.
MOST_GLANCES = 50_000
_PAGE = 5000


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """`next`: the cursor of the next page, "" at the end. `reached`: the moment up to which was looked, where fewer fit
    than were asked for and there is more; None otherwise."""

    events: list[AuditEvent]
    next: str = ""
    reached: float | None = None


class StoredHistory:
    """Events in clear, by page, and what pictures are made of."""

    def __init__(self, store: AuditStore, shares: ShareStore) -> None:
        self._store = store
        self._shares = shares

    async def events(self, query: Query) -> list[AuditEvent]:
        return [opened(sealed) for sealed in await self._store.read(query)]

    async def page(self, query: Query, cursor: str = "") -> HistoryPage:
        """Raises Invalid for a cursor that was not given out for this question."""
        page = await self._page(await self._narrowed(query), mark_of(query, cursor))
        events = [opened(sealed) for sealed in page.events]
        if page.after is None:
            return HistoryPage(events)
        reached = await self._moment(page.after) if len(events) < query.limit else None
        return HistoryPage(events, cursor_of(query, page.after), reached)

    async def some(self, share: str, actions: tuple[Action, ...]) -> tuple[list[AuditEvent], bool]:
        """The newest of each of these kinds, of one share or (without) of all, oldest first; and whether those are
        all. None of the kinds is a visitor's ordinary work."""
        found: list[AuditEvent] = []
        complete = True
        for action in actions:
            asked = Query(share=share, action=action.value, limit=MOST_OF_A_KIND, newest_first=True)
            page = await self._page(asked, None)
            found += [opened(sealed) for sealed in page.events]
            complete = complete and page.after is None
        return sorted(found, key=lambda event: (event.at, event.seq)), complete

    async def lanes(
        self, share: str, visits: list[Visit], *, since: float, until: float, now: float
    ) -> tuple[list[tuple[Visit, dict[str, Any]]], int, float | None]:
        """Each person's first visit and lane, how many more people there are, and back to when what they did was
        counted (None: all of it)."""
        asked = Query(share=share, since=since, until=until, limit=_PAGE, newest_first=True)
        found: list[Glance] = []
        after: Mark | None = None
        looked, counted = 0, None
        while True:
            page = await self._page(asked, after)
            looked += len(page.events)
            found += [seen for seen in map(glance, page.events) if seen is not None]
            after = page.after
            if after is None:
                break
            if looked >= MOST_GLANCES:
                counted = found[-1].at if found else until
                break
        made, more = lanes(found, visits, since=since, until=until, now=now)
        return [(lane.visit, lane.plain()) for lane in made], more, counted

    async def last_visited(self, share: str, looks: int) -> float:
        """When a visitor did something last, as far as the newest entries of the share say; 0 when they do not."""
        page = await self._page(Query(share=share, limit=looks, newest_first=True), None)
        seen = [one for one in map(glance, page.events) if one is not None and one.actor == "visitor"]
        return max((one.at for one in seen), default=0.0)

    async def newest(self, query: Query) -> AuditEvent | None:
        page = await self._page(msgspec.structs.replace(query, limit=1, newest_first=True), None)
        return opened(page.events[0]) if page.events else None

    async def passed_on(self, share: str) -> list[dict[str, Any]]:
        """Who passed what on to whom, as plain values."""
        events, _ = await self.some(share, PASSING)
        return plain(passed_on(events))

    async def _page(self, query: Query, after: Mark | None) -> Page:
        try:
            return await self._store.page(query, after)
        except NotFound:
            raise gone() from None

    async def _narrowed(self, query: Query) -> Query:
        """A link's entries are its share's: where a store has none of links, it may look among those."""
        link = await self._shares.link(query.link) if query.link and not query.share else None
        return query if link is None else msgspec.structs.replace(query, share=link.share)

    async def _moment(self, mark: Mark) -> float | None:
        found: list[Sealed] = await self._store.read(Query(writer=mark.writer, after_seq=mark.seq - 1, limit=1))
        return opened(found[0]).at if found else None
