"""Reading the history: by page, as a timeline, and as the picture of who passed something on to whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from sharegate.audit.events import AuditEvent, coowner_of
from sharegate.dashboard.acts import Acts
from sharegate.dashboard.belonging import Of
from sharegate.dashboard.bodies import number, read_query
from sharegate.dashboard.interfaces import History
from sharegate.dashboard.queries import OfShare, WhichEvents, WhichLanes
from sharegate.dashboard.routes import Route
from sharegate.dashboard.shapes import kept, looked
from sharegate.dashboard.views import Views, link_state
from sharegate.errors import Invalid
from sharegate.shares.api_tokens import ApiCapability as Can
from sharegate.shares.interfaces import ShareStore
from sharegate.shares.model import Visit
from sharegate.visits.entry import badge
from sharegate.visits.knocking import KNOCK_LASTS
from sharegate.visits.passing import ADDED, Picture, plain

DAY = 86400.0
LONGEST_DAYS = 92


class Timeline(Protocol):
    """What audit/ offers for a timeline."""

    async def lanes(
        self, share: str, visits: list[Visit], *, since: float, until: float, now: float
    ) -> tuple[list[tuple[Visit, dict[str, Any]]], int, float | None]:
        """Each person's first visit and lane, how many more people there are, and back to when it was counted (None:
        all of it)."""


class Historian(History, Timeline, Protocol):
    """Both."""


class Histories:
    """`GET audit`, `audit/lanes`, `audit/passed-on`, `shares/{id}/passing`."""

    def __init__(
        self,
        *,
        acts: Acts,
        store: ShareStore,
        history: Historian,
        views: Views,
        describe: Callable[[AuditEvent, str], str],
        now: Callable[[], float],
    ) -> None:
        self._acts = acts
        self._store = store
        self._history = history
        self._views = views
        self._describe = describe
        self._now = now

    def table(self) -> list[Route]:
        return [
            Route(
                "GET",
                "audit",
                self._page,
                "The history",
                Can.TRAIL_READ,
                looked.EventPage,
                query=WhichEvents,
                of=Of.WHOLE,
            ),
            Route(
                "GET",
                "audit/lanes",
                self._lanes,
                "Who was in when, and what they did by the hour",
                Can.TRAIL_READ,
                looked.Lanes,
                query=WhichLanes,
                of=Of.WHOLE,
            ),
            Route(
                "GET",
                "audit/passed-on",
                self._passed_on,
                "Who passed a link on to whom",
                Can.TRAIL_READ,
                kept.PassedOn,
                query=OfShare,
                of=Of.WHOLE,
            ),
            Route(
                "GET",
                "shares/{id}/passing",
                self._passing,
                "The picture of a share: links, people, devices, knocks and refusals",
                Can.TRAIL_READ,
                looked.Passing,
                of=Of.SHARE,
            ),
        ]

    async def _page(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        page = await self._history.page(read_query(query), query.get("cursor", ""))
        return {
            "events": [await self._told(event) for event in page.events],
            "next": page.next,
            "reached": page.reached,
        }

    async def _told(self, event: AuditEvent) -> dict[str, Any]:
        visit = coowner_of(event)
        acting = await self._store.visit(visit) if visit else None
        by = acting.name if acting is not None else ""
        return msgspec.structs.asdict(event) | {"text": self._describe(event, by), "by": by}

    async def _lanes(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        share = await self._acts.share(query.get("share", ""))
        now = self._now()
        until = number(query, "until", "Give seconds since the epoch") or now
        since = number(query, "since", "Give seconds since the epoch") or max(0.0, until - DAY)
        if not 0 < until - since <= LONGEST_DAYS * DAY:
            raise Invalid("since", f"is not between `until` and {LONGEST_DAYS} days before it", "Name another moment")
        visits = await self._store.visits(share.id)
        # What happens in this moment is before the next one.
        end = until if until < now else until + 1
        lanes, more, counted = await self._history.lanes(share.id, visits, since=since, until=end, now=now)
        links = {link.id: link for link in await self._store.links(share.id)}
        told = []
        for visit, lane in lanes:
            link = links.get(visit.link)
            label = await self._views.visit_label(visit)
            told.append({**lane, "label": label, "badge": badge(link, visit) if link is not None else ""})
        return {"since": since, "until": until, "lanes": told, "more": more, "counted_since": counted}

    async def _passed_on(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        return {"people": await self._history.passed_on(query.get("share", ""))}

    async def _passing(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        share = await self._acts.share(parts["id"])
        now = self._now()
        links = await self._store.links(share.id)
        by_id = {link.id: link for link in links}
        events, complete = await self._history.some(share.id, ADDED)
        picture = Picture(
            share,
            label=await self._views.share_label(share.id),
            link_state=lambda link: link_state(link, now),
            visit_state=lambda visit: "open" if self._views.open(share, by_id.get(visit.link), visit) else "ended",
            now=now,
            lasts=KNOCK_LASTS,
        )
        knocks = await self._store.knocks(share=share.id, waiting_only=False)
        tree = picture.tree(links, await self._store.visits(share.id), knocks, events)
        return {"share": share.id, "name": share.name, "root": share.root, "tree": plain(tree), "complete": complete}
