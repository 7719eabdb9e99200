"""The owner's verbs on people: who is visiting and who knocks, ending a visit, admitting and refusing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Any

import msgspec

from sharegate.audit.events import Action, AuditEvent
from sharegate.audit.interfaces import Recorder
from sharegate.dashboard.acts import Acts
from sharegate.dashboard.asking import By, asker
from sharegate.dashboard.belonging import Of
from sharegate.dashboard.bodies import AdmitBody
from sharegate.dashboard.cursors import Page
from sharegate.dashboard.queries import WhichVisits
from sharegate.dashboard.register import Register, whose
from sharegate.dashboard.routes import Route
from sharegate.dashboard.shapes import given
from sharegate.dashboard.views import Views
from sharegate.errors import Invalid, NotFound, Refused
from sharegate.shares.api_tokens import ApiCapability as Can
from sharegate.shares.coowners import Marks, about_to_be, is_coowner
from sharegate.shares.interfaces import ShareStore
from sharegate.shares.issue import Issuer
from sharegate.shares.model import Role, Share, Visit, VisitKind
from sharegate.visits.knocks import Knocks


class People:
    """`visits` and `knocks`."""

    def __init__(
        self,
        *,
        acts: Acts,
        store: ShareStore,
        issuer: Issuer,
        knocks: Knocks,
        marks: Marks,
        views: Views,
        trail: Recorder,
        register: Register,
    ) -> None:
        self._register = register
        self._acts = acts
        self._marks = marks
        self._store = store
        self._issuer = issuer
        self._knocks = knocks
        self._views = views
        self._trail = trail

    def table(self) -> list[Route]:
        return [
            Route(
                "GET",
                "visits",
                self._visits,
                "Who visits and visited",
                Can.PEOPLE_READ,
                given.Visits,
                query=WhichVisits,
                of=Of.LISTED,
            ),
            Route(
                "POST",
                "visits/{id}/end",
                self._end_visit,
                "Put a visitor out, with their devices",
                Can.PEOPLE_WRITE,
                given.VisitEnded,
                of=Of.VISIT,
            ),
            Route(
                "GET", "knocks", self._list_knocks, "Who waits at the door", Can.PEOPLE_READ, given.Knocks, of=Of.LISTED
            ),
            Route(
                "POST",
                "knocks/{id}/{verb:admit}",
                self._knock_verb,
                "Let somebody in",
                Can.PEOPLE_WRITE,
                given.KnockDecided,
                body=AdmitBody,
                of=Of.KNOCK,
            ),
            Route(
                "POST",
                "knocks/{id}/{verb:refuse}",
                self._knock_verb,
                "Do not let somebody in",
                Can.PEOPLE_WRITE,
                given.KnockDecided,
                of=Of.KNOCK,
            ),
        ]

    async def _visits(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        if query.get("here") in ("1", "true"):
            return await self._here(query)
        open_only = query.get("open") in ("1", "true")
        page = Page[Visit](query, ("share", "open"), (float, str, float, str))
        for share in await self._visited(query.get("share", ""), page, open_only):
            begin = (share.created, share.id)
            visits = await self._store.visits(share.id, open_only=open_only)
            for visit in sorted(visits, key=lambda visit: (visit.created, visit.id)):
                if not open_only or await self._views.is_open(visit):
                    page.add((*begin, visit.created, visit.id), visit)
            if page.full:
                break
        return {"visits": await self._views.visits(page.rows), "next": page.next}

    async def _visited(self, share: str, page: Page[Visit], open_only: bool) -> Iterable[Share]:
        """Shares with visits, the oldest first, from the one on with which the page begins."""
        if share:
            return [await self._acts.share(share)]
        await self._register.fresh()
        name, owner = "open" if open_only else "visited", whose(asker())
        found = self._register.order(name, owner)
        # The one in whose middle the page before it ended is looked at again.
        begin = found.before(page.after[:2]) if page.after is not None else 0
        return (one.share for one in self._register.lines(name, owner, begin))

    async def _here(self, query: dict[str, str]) -> dict[str, Any]:
        """Who has a page open, or a channel: as many as that are, and nobody else, is looked at."""
        if query.get("open") or query.get("share"):
            raise Invalid("here", "goes with neither open nor share", "Leave them out")
        page = Page[Visit](query, ("here",), (float, str, float, str))
        places = []
        for visit in [await self._store.visit(id) for id in self._views.inside()]:
            share = await self._store.share(visit.share) if visit is not None else None
            if visit is None or share is None or not asker().has(share.owner):
                continue
            if await self._views.is_here(visit):
                places.append(((share.created, share.id, visit.created, visit.id), visit))
        for place, visit in sorted(places, key=lambda pair: pair[0]):
            page.add(place, visit)
        return {"visits": await self._views.visits(page.rows), "next": page.next}

    async def _end_visit(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        visit = await self._store.visit(parts["id"])
        if visit is None:
            raise NotFound("visit", parts["id"])
        devices = [
            other
            for other in await self._store.visits(visit.share, link=visit.link, open_only=True)
            if other.came_from == visit.id and other.kind is VisitKind.DEVICE
        ]
        share = await self._acts.share(visit.share)
        link = await self._store.link(visit.link)
        if link is not None and (is_coowner(link, visit) or about_to_be(link, visit)):
            # First of all, so that they do not come back as one: their link opens anew.
            await self._marks.remove(link.id)
            await self._acts.record(Action.COOWNER_REMOVED, share=share, link=link, name=link.name)
        before = self._acts.before([visit, *devices], [{"visit": each.id} for each in (visit, *devices)])
        visit = await self._issuer.end_visit(visit.id, "ended by the owner")
        recording = self._acts.record(Action.VISIT_ENDED, share=share, visit=visit, name=visit.name)
        ended, _ = await asyncio.gather(before.ended(), recording)
        return {"visit": await self._views.visit(visit), "ended": ended}

    async def _list_knocks(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        waiting = []
        for knock in await self._store.knocks():
            share = await self._store.share(knock.share)
            if share is not None and asker().has(share.owner):
                waiting.append(knock)
        return {"knocks": [await self._views.knock(knock) for knock in waiting]}

    async def _knock_verb(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        taking_back: contextlib.AbstractAsyncContextManager[None]
        visit: Visit | None = None
        if parts["verb"] == "admit":
            asked = msgspec.convert(body, AdmitBody)
            await self._check_role(parts["id"], asked.role)
            knock, admitted = await self._knocks.admit(parts["id"], asked.role)
            visit, action, came_from = admitted, Action.KNOCK_ADMITTED, admitted.id
            taking_back = self._acts.taken_back(lambda: self._issuer.end_visit(admitted.id, "not recorded"))
        else:
            knock = await self._knocks.refuse(parts["id"])
            action, came_from = Action.KNOCK_REFUSED, ""
            taking_back = contextlib.nullcontext()
        event = AuditEvent(
            action=action,
            actor="owner",
            share=knock.share,
            link=knock.link,
            visit=came_from,
            came_from=knock.came_from,
            name=knock.name,
            detail=knock.id,
        )
        async with taking_back:
            await self._trail.record(event)
        answer: dict[str, Any] = {"knock": await self._views.knock(knock)}
        if visit is not None:
            share, link = await self._store.share(visit.share), await self._store.link(visit.link)
            answer["role"] = self._views.role(share, link, visit).value
        return answer

    async def _check_role(self, knock_id: str, role: str | None) -> None:
        """A program that lets people in gives them no more than their link does. Raises Refused."""
        knock = await self._store.knock(knock_id)
        if asker().by is not By.TOKEN or knock is None or role not in tuple(Role):
            return
        most = self._views.role(await self._store.share(knock.share), await self._store.link(knock.link))
        if tuple(Role).index(Role(role)) > tuple(Role).index(most):
            raise Refused("role", f"the link they knocked at is for {most.value}", "Leave it out", "role")
