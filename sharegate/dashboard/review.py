"""Reviewing access: what is shared, the oldest, widest or longest unused first; signed off with a date, and paused."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from sharegate.audit.events import Action, AuditEvent
from sharegate.audit.interfaces import Query, Recorder
from sharegate.dashboard.acts import Acts
from sharegate.dashboard.asking import Only, Who
from sharegate.dashboard.bodies import limit
from sharegate.dashboard.lines import Line
from sharegate.dashboard.ordered import Key, Ordered
from sharegate.dashboard.queries import WhichReviews
from sharegate.dashboard.register import Register
from sharegate.dashboard.routes import Route
from sharegate.dashboard.shapes import looked
from sharegate.dashboard.views import Views
from sharegate.errors import Invalid, Refused, SharegateError
from sharegate.shares.api_tokens import ApiCapability as Can
from sharegate.shares.interfaces import ShareStore
from sharegate.shares.issue import Issuer
from sharegate.shares.review import UNUSED_AFTER, live, unused
from sharegate.visits.presence import Presence

SORTS = ("oldest", "widest", "unused")
MOST_SHARES = 500
MOST_PAUSED = 500
# What other gates' visitors did is read of the history no more often than this.
_READ_AGAIN = 600.0
_ORDERS = {"oldest": "standing", "widest": "widest", "unused": "unused"}
_LAST = "\U0010ffff"  # behind every id
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
        register: Register,
        elsewhere: bool,
        now: Callable[[], float],
    ) -> None:
        """`elsewhere`: other gates write the history, too."""
        self._register = register
        self._elsewhere = elsewhere
        self._reading = asyncio.Lock()
        self._read = now()
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
        signed = await self._history.newest(Query(action=Action.ACCESS_REVIEWED.value))
        await self._looked()
        now, register = self._now(), self._register
        order = register.order(_ORDERS[sort])
        shown = self._shown(order, sort, begun, most + 1, only=query.get("unused") in ("1", "true"))
        return {
            "shares": [await self._view(register.line(key), now) for key in shown[:most]],
            "next": _cursor(sort, list(shown[most - 1])) if len(shown) > most else "",
            "count": len(order),
            "unused": register.order("unused").after((now - UNUSED_AFTER, _LAST)),
            "digest": register.digest(),
            "signed": {"at": signed.at, "detail": signed.detail} if signed is not None else None,
        }

    def _shown(self, order: Ordered, sort: str, begun: list[Any] | None, count: int, *, only: bool) -> list[Key]:
        """`only`: those that are unused. By how long they are, they stand first; in another order each is looked at."""
        begin = order.after(tuple(begun) if begun is not None else None)
        if not only:
            return order.some(begin, count)
        found: list[Key] = []
        for at in range(begin, len(order)):
            line = self._register.line(order[at])
            if unused(line.share, self._register.last(line), self._now()):
                found.append(order[at])
            elif sort == "unused":
                break
            if len(found) == count:
                break
        return found

    async def _sign(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        asked = msgspec.convert(body, SignBody)
        await self._register.fresh()
        now, found, count = self._now(), self._register.digest(), len(self._register.order("standing"))
        if asked.digest != found:
            raise Refused("changed", "what is shared is not what was looked at any more", "Look at it again")
        said = f"{count} share{'' if count == 1 else 's'}, sha256 {found}"
        await self._trail.record(AuditEvent(action=Action.ACCESS_REVIEWED, actor="admin", detail=said))
        return {"at": now, "count": count, "digest": found}

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

    async def _looked(self) -> None:
        """Bring the register up to what is known of who used what: by the history what was done before this gate began,
        or at another one; by what it saw itself what was done since."""
        register, now = self._register, self._now()
        for id, at in self._presence.moments():
            visit = await self._store.visit(id)
            if visit is not None:
                register.used(visit.share, at)
        await register.fresh()
        async with self._reading:
            again = self._elsewhere and now - self._read > _READ_AGAIN
            self._read = now if again else self._read
            for id in register.unread(again=again):
                register.read(id, await self._history.last_visited(id, _LOOKED_AT))
        await register.fresh()

    async def _view(self, line: Line, now: float) -> dict[str, Any]:
        share, wide, last = line.share, line.width, self._register.last(line)
        return {
            "id": share.id,
            "label": await self._views.share_label(share.id),
            "name": share.name,
            "root": share.root,
            "kind": share.kind.value,
            "owner": share.owner,
            "server": share.upstream,
            "state": line.state,
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
            "last_used": last or None,
            "unused": unused(share, last, now),
        }


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
