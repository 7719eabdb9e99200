"""Reviewing access: what is shared, the oldest, widest or longest unused first; signed off with a date, and paused."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from sharegate.audit.events import Action, AuditEvent
from sharegate.audit.interfaces import Query, Recorder
from sharegate.dashboard.acts import Acts
from sharegate.dashboard.asking import Only, Who
from sharegate.dashboard.bodies import limit
from sharegate.dashboard.queries import WhichReviews
from sharegate.dashboard.routes import Route
from sharegate.dashboard.shapes import looked
from sharegate.dashboard.views import Views
from sharegate.errors import Invalid, Refused, SharegateError
from sharegate.shares.api_tokens import ApiCapability as Can
from sharegate.shares.interfaces import ShareStore
from sharegate.shares.issue import Issuer, standing
from sharegate.shares.model import Link, Share, Visit
from sharegate.shares.review import Width, digest, live, unused, width
from sharegate.visits.presence import Presence

SORTS = ("oldest", "widest", "unused")
MOST_SHARES = 500
MOST_PAUSED = 500
# Entries of a share that are looked at for the newest of a visitor: owners' acts are no use of it.
_LOOKED_AT = 50


class SignBody(msgspec.Struct, forbid_unknown_fields=True):
    """`digest` is that of the list which was looked at."""

    digest: str


class PauseBody(msgspec.Struct, forbid_unknown_fields=True):
    shares: list[str]


class Newest(Protocol):
    """What audit/ offers for it."""

    async def newest(self, query: Query) -> AuditEvent | None: ...

    async def last_visited(self, share: str, looks: int) -> float: ...


@dataclass(frozen=True, slots=True)
class _Seen:
    share: Share
    links: list[Link]
    visits: list[Visit]
    width: Width
    last: float


class Review:
    """`GET review`, `POST review/sign`, `POST review/pause`."""

    def __init__(
        self,
        *,
        acts: Acts,
        store: ShareStore,
        issuer: Issuer,
        history: Newest,
        views: Views,
        presence: Presence,
        trail: Recorder,
        now: Callable[[], float],
    ) -> None:
        self._acts = acts
        self._store = store
        self._issuer = issuer
        self._history = history
        self._views = views
        self._presence = presence
        self._trail = trail
        self._now = now

    def table(self) -> list[Route]:
        return [
            Route(
                "GET",
                "review",
                self._list,
                "What is shared: the oldest, widest or longest unused first",
                Can.TRAIL_READ,
                looked.Reviews,
                query=WhichReviews,
                who=Who.ADMIN,
            ),
            Route(
                "POST",
                "review/sign",
                self._sign,
                "Sign off what was looked at",
                Only.PERSON,
                looked.Signed,
                body=SignBody,
                who=Who.ADMIN,
            ),
            Route(
                "POST",
                "review/pause",
                self._pause,
                "Pause several shares",
                Can.SHARES_WRITE,
                looked.PausedMany,
                body=PauseBody,
                who=Who.ADMIN,
            ),
        ]

    async def _list(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        sort = query.get("sort") or "oldest"
        if sort not in SORTS:
            raise Invalid("sort", f"{sort[:40]!r} is no order", "Choose " + ", ".join(SORTS))
        most = limit(query, 100, MOST_SHARES)
        begun = _begun(query.get("cursor", ""), sort)
        now = self._now()
        seen = [await self._seen(share, now) for share in await self._live(now)]
        places = sorted(((_place(sort, one), one) for one in seen), key=lambda pair: pair[0])
        rest = [(place, one) for place, one in places if begun is None or place > begun]
        shown = rest[:most]
        signed = await self._history.newest(Query(action=Action.ACCESS_REVIEWED.value))
        return {
            "shares": [await self._view(one, now) for _, one in shown],
            "next": _cursor(sort, shown[-1][0]) if len(rest) > most else "",
            "count": len(seen),
            "unused": sum(unused(one.share, one.last, now) for one in seen),
            "digest": digest([(one.share, one.links) for one in seen], now),
            "signed": {"at": signed.at, "detail": signed.detail} if signed is not None else None,
        }

    async def _sign(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        asked = msgspec.convert(body, SignBody)
        now = self._now()
        shares = await self._live(now)
        found = digest([(share, await self._store.links(share.id)) for share in shares], now)
        if asked.digest != found:
            raise Refused("changed", "what is shared is not what was looked at any more", "Look at it again")
        said = f"{len(shares)} share{'' if len(shares) == 1 else 's'}, sha256 {found}"
        await self._trail.record(AuditEvent(action=Action.ACCESS_REVIEWED, actor="admin", detail=said))
        return {"at": now, "count": len(shares), "digest": found}

    async def _pause(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        """Each for itself: what cannot be paused says why, and keeps no other from being paused."""
        asked = msgspec.convert(body, PauseBody)
        if not 0 < len(asked.shares) <= MOST_PAUSED:
            raise Invalid("shares", f"are not 1 to {MOST_PAUSED} ids", "Name what to pause, in several calls")
        results = []
        for id in dict.fromkeys(asked.shares):
            try:
                results.append({"id": id, **await self._paused(id)})
            except SharegateError as error:  # fails closed for this one: it is told, and the others are tried
                results.append({"id": id, "result": "failed", "message": str(error)[:300], "ended": None})
        return {"results": results, "paused": sum(one["result"] == "paused" for one in results)}

    async def _paused(self, id: str) -> dict[str, Any]:
        share = await self._acts.share(id)
        # What a co-owner paused they could open again: it is paused by the admin from now on.
        paused = share.paused and not share.paused_by
        if paused or not live(share, self._now()):
            return {"result": "paused already" if paused else "ended already", "message": "", "ended": None}
        before = self._acts.before(await self._store.visits(id, open_only=True), [{"share": id}])
        share = await self._issuer.pause_share(id, paused=True)
        # It has happened, also when it cannot be recorded: what closes is never taken back.
        await self._acts.record(Action.SHARE_PAUSED, share=share, detail="access review")
        return {"result": "paused", "message": "", "ended": await before.ended()}

    # -- parts ----------------------------------------------------------------------------------------------------

    async def _live(self, now: float) -> list[Share]:
        return [share for share in await self._store.shares() if live(share, now)]

    async def _seen(self, share: Share, now: float) -> _Seen:
        links, visits = await self._store.links(share.id), await self._store.visits(share.id)
        last = max([await self._history.last_visited(share.id, _LOOKED_AT), *(visit.created for visit in visits)])
        for visit in visits:
            here = self._presence.of(visit.id) if visit.ended is None else None
            last = max(last, here.at if here is not None else 0.0)
        return _Seen(share, links, visits, width(share, links, visits, now), last)

    async def _view(self, one: _Seen, now: float) -> dict[str, Any]:
        share, wide = one.share, one.width
        return {
            "id": share.id,
            "label": await self._views.share_label(share.id),
            "name": share.name,
            "root": share.root,
            "kind": share.kind.value,
            "owner": share.owner,
            "server": share.upstream,
            "state": standing(share, now),
            "created": share.created,
            "expires": share.expires,
            "role": share.role.value,
            "depth": wide.depth,
            "links": wide.links,
            "open_links": wide.open_links,
            "clients": wide.programs,
            "people": wide.people,
            "ever": wide.ever,
            "outside": wide.outside,
            "last_used": one.last or None,
            "unused": unused(share, one.last, now),
        }


def _place(sort: str, one: _Seen) -> list[Any]:
    """Smaller comes first; the id tells those apart that are the same."""
    if sort == "widest":
        return [*(-part for part in one.width.order), one.share.id]
    return [one.share.created if sort == "oldest" else max(one.last, one.share.created), one.share.id]


def _cursor(sort: str, place: list[Any]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode([sort, *place])).rstrip(b"=").decode()


def _begun(cursor: str, sort: str) -> list[Any] | None:
    """Raises Invalid for a cursor that was not given out for this order."""
    if not cursor:
        return None
    wrong = Invalid("cursor", "is not one that was given out for this order", "Begin anew")
    if len(cursor) > 400 or not cursor.isascii():
        raise wrong
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        given, *place = msgspec.json.decode(packed, type=list[str | float])
    except (binascii.Error, msgspec.MsgspecError, UnicodeDecodeError, ValueError):
        raise wrong from None
    numbers = 7 if sort == "widest" else 1
    fits = len(place) == numbers + 1 and isinstance(place[-1], str)
    if given != sort or not fits or any(isinstance(part, str) for part in place[:-1]):
        raise wrong
    return place
