"""The keys that sign links: which there are, and changing them while people are inside.

Whoever is inside has a cookie and no token, so that another key ends no visit by itself. A stolen key makes tokens for
any link whose id is known: the one who came by such a token looks like anybody else, but came after the theft.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import msgspec

from sharegate.audit.events import Action, AuditEvent
from sharegate.audit.interfaces import Recorder
from sharegate.dashboard import previews
from sharegate.dashboard.asking import Who
from sharegate.dashboard.interfaces import Cutter
from sharegate.dashboard.routes import Route
from sharegate.dashboard.shapes import gate
from sharegate.dashboard.views import Views
from sharegate.errors import Invalid, NotFound, Refused, StoreUnavailable
from sharegate.shares.api_tokens import ApiCapability as Can
from sharegate.shares.interfaces import ShareStore
from sharegate.shares.issue import Issuer
from sharegate.shares.keys import KeyRing
from sharegate.shares.model import KnockState, Link, LinkKind, Share, Visit, VisitKind

REASON = "its link may have been made with a stolen key"


class RotateBody(msgspec.Struct, forbid_unknown_fields=True):
    """`since`: visits that began then or later are ended (seconds since the epoch). `digest` of a dry run: then that is
    done and nothing else."""

    compromised: bool = False
    since: float | None = None
    replace: bool = False
    dry_run: bool = False
    digest: str = ""


class Keys:
    """`GET keys` and `POST keys/rotate`."""

    def __init__(
        self,
        *,
        ring: KeyRing,
        store: ShareStore,
        issuer: Issuer,
        cutter: Cutter,
        views: Views,
        trail: Recorder,
        address: Callable[[Link], str],
        now: Callable[[], float],
    ) -> None:
        self._ring = ring
        self._store = store
        self._issuer = issuer
        self._cutter = cutter
        self._views = views
        self._trail = trail
        self._address = address
        self._now = now
        self._one = asyncio.Lock()

    def table(self) -> list[Route]:
        return [
            Route("GET", "keys", self._listed, "The keys that sign links", Can.GATE_READ, gate.Keys, who=Who.ADMIN),
            Route(
                "POST",
                "keys/rotate",
                self._rotate,
                "Sign links with a new key; a stolen one is not accepted any more",
                Can.KEYS_WRITE,
                gate.Rotated,
                body=RotateBody,
                who=Who.ADMIN,
            ),
        ]

    async def _listed(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        links = [link for _, link in await self._standing()]
        found = []
        for key in self._ring.listed():
            view: dict[str, Any] = {"kid": key.kid, "state": key.state, "created": key.created}
            if key.state == "retired" and key.retired is not None:
                # An address that was shown again meanwhile is signed by a newer key; the old one works all the same.
                older = [link.expires for link in links if link.created <= key.retired]
                view |= {"retired": key.retired, "links": len(older), "needed_until": max(older, default=None)}
            if key.refused is not None:
                view |= {"retired": key.retired, "refused": key.refused}
            found.append(view)
        return {"keys": found}

    async def _rotate(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        asked = msgspec.convert(body, RotateBody)
        if not asked.compromised and (asked.since is not None or asked.replace):
            name = "since" if asked.since is not None else "replace"
            raise Invalid(name, "is for a key that was stolen", "Say --compromised too, or leave it out")
        if asked.since is not None and not 0 <= asked.since <= self._now():
            raise Invalid("since", "is not a moment in the past", "Give seconds since the epoch")
        async with self._one:
            standing, suspects = await self._standing(), await self._suspects(asked)
            # With which of them, and which key signs now.
            whom = [sorted(link.id for _, link in standing), sorted(visit.id for visit in suspects)]
            answer: dict[str, Any] = {
                "compromised": asked.compromised,
                "dry_run": asked.dry_run,
                "links": [await self._views.link(link) for _, link in standing],
                "ends": [await self._views.visit(visit) for visit in suspects],
                "inside": len(await self._inside()),
                "digest": previews.digest([asked.compromised, asked.since, asked.replace, self._ring.active, whom]),
            }
            if asked.dry_run:
                return answer | {"key": None}
            previews.check(asked.digest, answer["digest"])
            before = [key for key in self._ring.listed() if key.refused is None]
            fresh = self._ring.fresh()
            if not asked.compromised:
                # What cannot be recorded does not happen. Refusing a stolen key does not wait for that.
                await self._record(Action.KEY_ADDED, fresh.kid)
            try:
                key = self._ring.rotate(self._now(), compromised=asked.compromised, fresh=fresh)
            except OSError as error:  # nothing has changed
                raise StoreUnavailable(f"the key cannot be written: {error.strerror}") from None
            if asked.compromised:
                await self._end_suspects(asked)
                await self._record(Action.KEY_REFUSED, ", ".join(each.kid for each in before))
                await self._record(Action.KEY_ADDED, key.kid)
            else:
                await self._record(Action.KEY_RETIRED, next(each.kid for each in before if each.retired is None))
            if asked.replace:
                replaced = [await self._replaced(share, link) for share, link in standing]
                answer["links"] = [view for view in replaced if view is not None]
        return answer | {"key": {"kid": key.kid, "state": key.state, "created": key.created}}

    async def _end_suspects(self, asked: RotateBody) -> None:
        # First, for one that is let in just before is among the visits then.
        if asked.since is not None:
            for knock in await self._store.knocks():
                if knock.created >= asked.since:
                    with contextlib.suppress(NotFound, ValueError):  # it was answered, or went away, meanwhile
                        await self._store.decide_knock(knock.id, state=KnockState.GONE.value, at=self._now())
        # Twice: who showed a token just before may have become a visit in between.
        for _ in range(2):
            suspects = await self._suspects(asked)
            await self._store.end_visits([visit.id for visit in suspects], at=self._now(), reason=REASON)
            for visit in suspects:
                await self._trail.record(
                    AuditEvent(
                        action=Action.VISIT_ENDED,
                        actor="owner",
                        share=visit.share,
                        link=visit.link,
                        visit=visit.id,
                        name=visit.name,
                        detail=REASON,
                    )
                )
            await asyncio.gather(*(self._cutter.drained(visit=visit.id) for visit in suspects))

    async def _suspects(self, asked: RotateBody) -> list[Visit]:
        """Who came since then; and programs, which show the token itself with each request."""
        if not asked.compromised:
            return []
        return [
            visit
            for visit in await self._inside()
            if visit.kind is VisitKind.CLIENT or (asked.since is not None and visit.created >= asked.since)
        ]

    async def _inside(self) -> list[Visit]:
        now = self._now()
        found = [visit for share in await self._store.shares() for visit in await self._open(share)]
        return [visit for visit in found if visit.expires > now]

    async def _open(self, share: Share) -> list[Visit]:
        return await self._store.visits(share.id, open_only=True)

    async def _standing(self) -> list[tuple[Share, Link]]:
        """Links that somebody may have: not revoked or expired; what is paused may be resumed."""
        now, found = self._now(), []
        for share in await self._store.shares():
            for link in await self._store.links(share.id):
                ended = share.revoked is not None or link.revoked is not None or min(share.expires, link.expires) <= now
                if not ended and link.kind is not LinkKind.PREVIEW:
                    found.append((share, link))
        return found

    async def _replaced(self, share: Share, link: Link) -> dict[str, Any] | None:
        """None when it was ended meanwhile: the others are replaced all the same."""
        try:
            link = await self._issuer.replace(link.id)
        except (NotFound, Refused):
            return None
        await self._trail.record(
            AuditEvent(
                action=Action.LINK_REPLACED, actor="owner", share=share.id, link=link.id, detail="another signing key"
            )
        )
        return {**await self._views.link(link), "url": self._address(link)}

    async def _record(self, action: Action, detail: str) -> None:
        await self._trail.record(AuditEvent(action=action, actor="owner", detail=detail))
