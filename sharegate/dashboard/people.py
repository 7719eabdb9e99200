"""The owner's verbs on people: who is visiting and who knocks, ending a visit, admitting and refusing."""

from __future__ import annotations

import asyncio
import contextlib
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
from sharegate.dashboard.routes import Route
from sharegate.dashboard.shapes import given
from sharegate.dashboard.views import Views, shortest
from sharegate.errors import NotFound, Refused
from sharegate.shares.api_tokens import ApiCapability as Can
from sharegate.shares.coowners import Marks, about_to_be, is_coowner
from sharegate.shares.interfaces import ShareStore
from sharegate.shares.issue import Issuer
from sharegate.shares.model import Role, Visit, VisitKind
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
    ) -> None:
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
        shares = [await self._acts.share(query["share"])] if query.get("share") else await self._acts.shares()
        open_only = query.get("open") in ("1", "true")
        page = Page[Visit](query, ("share", "open"), (float, str, float, str))
        for share in sorted(shares, key=lambda share: (share.created, share.id)):
            begin = (share.created, share.id)
            if page.after is not None and begin < page.after[:2]:
                continue
            visits = await self._store.visits(share.id, open_only=open_only)
            for visit in sorted(visits, key=lambda visit: (visit.created, visit.id)):
                if not open_only or await self._views.is_open(visit):
                    page.add((*begin, visit.created, visit.id), visit)
            if page.full:
                break
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
        ours = {share.id for share in await self._acts.shares()}
        waiting = [knock for knock in await self._store.knocks() if knock.share in ours]
        labels = shortest(knock.id for knock in await self._store.knocks(waiting_only=False)) if waiting else {}
        return {"knocks": [await self._views.knock(knock, label=labels.get(knock.id, "")) for knock in waiting]}

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
