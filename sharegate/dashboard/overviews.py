"""What stands open and who is there, and what is shared by whom: by page number, as people look at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from sharegate.dashboard.asking import Who, asker
from sharegate.dashboard.belonging import Of
from sharegate.dashboard.lines import CAME, Line
from sharegate.dashboard.ordered import Key
from sharegate.dashboard.queries import NumberedPage, NumberedShares
from sharegate.dashboard.register import Register, whose
from sharegate.dashboard.routes import Route
from sharegate.dashboard.shapes import looked
from sharegate.dashboard.views import Views
from sharegate.shares.api_tokens import ApiCapability as Can
from sharegate.shares.interfaces import ShareStore
from sharegate.visits.presence import Presence

Json = dict[str, Any]
_DOORS = 48
_SHARES = 100


@dataclass(frozen=True, slots=True)
class Numbered:
    """A page by its number. One past the end is the last: a list may have become shorter."""

    page: int
    limit: int
    count: int

    @classmethod
    def of(cls, query: Json, usual: int, count: int) -> Self:
        limit = int(query.get("limit") or usual)
        last = max(1, -(-count // limit))
        return cls(min(max(1, int(query.get("page") or 1)), last), limit, count)

    @property
    def begin(self) -> int:
        return (self.page - 1) * self.limit

    @property
    def told(self) -> Json:
        return {"count": self.count, "page": self.page, "limit": self.limit}


class Overviews:
    """`GET doors` and `GET overview`."""

    def __init__(self, *, store: ShareStore, register: Register, views: Views, presence: Presence) -> None:
        self._store = store
        self._register = register
        self._views = views
        self._presence = presence

    def table(self) -> list[Route]:
        return [
            Route(
                "GET",
                "doors",
                self._doors,
                "Shares that are not over, those where somebody is or knocks first",
                Can.SHARES_READ,
                looked.Doors,
                query=NumberedPage,
                of=Of.LISTED,
            ),
            Route(
                "GET",
                "overview",
                self._overview,
                "What is shared, owner by owner, with the people who came",
                Can.PEOPLE_READ,
                looked.Overview,
                query=NumberedShares,
                who=Who.ADMIN,
            ),
        ]

    async def _doors(self, parts: dict[str, str], query: dict[str, str], body: Json) -> Json:
        await self._register.fresh()
        standing = self._register.order("standing", whose(asker()))
        busy = [line.place for line in await self._busy()]
        asked = Numbered.of(query, _DOORS, len(standing))
        first = busy[asked.begin : asked.begin + asked.limit]
        begin, more = max(0, asked.begin - len(busy)), asked.limit - len(first)
        shown: list[Key] = [*first, *(standing.without(busy, begin, more) if more else [])]
        shares = [self._register.line(key).share for key in shown]
        return {"doors": await self._views.shares(shares), **asked.told}

    async def _busy(self) -> list[Line]:
        """Shares that are not over and where somebody is or knocks: only those who are or knock are looked at."""
        found = {knock.share for knock in await self._store.knocks()}
        for visit in [await self._store.visit(id) for id in self._views.inside()]:
            if visit is not None and await self._views.is_here(visit):
                found.add(visit.share)
        lines = [line for id in found if (line := self._register.get(id)) is not None and line.stands]
        return sorted((line for line in lines if asker().has(line.share.owner)), key=lambda line: line.place)

    async def _overview(self, parts: dict[str, str], query: dict[str, str], body: Json) -> Json:
        await self._register.fresh()
        of = "all" if query.get("all") in ("1", "true") else "standing"
        order, sums = self._register.order(f"overview {of}"), self._register.sums(of)
        asked = Numbered.of(query, _SHARES, len(order))
        lines = [self._register.line(key) for key in order.some(asked.begin, asked.limit)]
        owners = {line.share.owner: self._register.sums(of, line.share.owner)["shares"] for line in lines}
        counts = {name: sums[name] for name in ("shares", "links", "people", "inside")}
        counts["owners"] = len(self._register.owners(of))
        rows = [
            {
                "share": await self._views.share(line.share),
                "people": list(line.names),
                "people_count": line.people,
                "links": line.links,
                "last": await self._last_here(line),
            }
            for line in lines
        ]
        return {
            "shares": rows,
            "owners": [{"name": name, "count": count} for name, count in owners.items()],
            "counts": counts,
            **asked.told,
        }

    async def _last_here(self, line: Line) -> float | None:
        moments = []
        for visit in await self._store.visits(line.share.id):
            if visit.kind in CAME:
                seen = self._presence.of(visit.id)
                moments.append(seen.at if seen is not None else visit.created)
        return max(moments, default=None)
