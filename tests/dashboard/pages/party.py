"""A share with people in it: Ann came by her link and passed it on to Bo, who knocked; Eve was not let in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sharegate.audit.events import Action, AuditEvent, Outcome
from sharegate.shares.model import Knock, KnockState, Visit, VisitKind, new_id
from tests.dashboard.conftest import Office
from tests.dashboard.pages.conftest import EVIL, LONG
from tests.dashboard.visitors import comes

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1"


@dataclass
class Party:
    """The share as the API made it, and its people by name."""

    office: Office
    share: dict[str, Any]
    visits: dict[str, Visit]

    @property
    def id(self) -> str:
        return str(self.share["id"])

    async def record(self, action: Action, who: str = "", **more: Any) -> None:
        """An entry a while after the one before."""
        self.office.clock.forward(more.pop("after", 7.0))
        visit = self.visits.get(who)
        given: dict[str, Any] = {"actor": "visitor", "share": self.id}
        if visit is not None:
            given |= {"link": visit.link, "visit": visit.id, "name": visit.name}
            given |= {"address": visit.address, "agent": visit.agent}
        await self.office.running.api._trail.record(AuditEvent(action=action, **(given | more)))

    async def came(self, name: str, link: dict[str, Any], kind: VisitKind = VisitKind.BROWSER, **more: Any) -> Visit:
        store: Any = self.office.running.api._store
        now = self.office.clock()
        values = {"address": "192.0.2.0/24", "agent": FIREFOX, "expires": now + 7 * 86400.0} | more
        shown = values.pop("shown", name)
        visit = Visit(
            id=new_id(), share=self.id, link=link["id"], number=0, kind=kind, name=shown, created=now, **values
        )
        visit = await store.open_visit(visit, seats=None)
        self.visits[name] = visit
        return visit

    async def knocked(self, name: str, link: dict[str, Any], came_from: str, **more: Any) -> Knock:
        store: Any = self.office.running.api._store
        knock = Knock(
            id=new_id(),
            share=self.id,
            link=link["id"],
            name=name,
            came_from=self.visits[came_from].id,
            created=self.office.clock(),
            address="198.51.100.0/24",
            agent=PHONE,
            **more,
        )
        await store.add_knock(knock, limit=1000)
        given = {"link": knock.link, "came_from": knock.came_from, "name": name, "address": knock.address}
        signs = "opened in another browser"
        await self.record(Action.LINK_PASSED_ON, detail=signs, **given)
        await self.record(Action.KNOCK_MADE, detail=knock.id, **given)
        return knock

    async def answered(self, knock: Knock, name: str = "") -> None:
        """Let in as `name`, or not."""
        store: Any = self.office.running.api._store
        now = self.office.clock()
        if name:
            visit = Visit(
                id=new_id(),
                share=self.id,
                link=knock.link,
                number=0,
                kind=VisitKind.KNOCK,
                name=knock.name,
                came_from=knock.came_from,
                created=now,
                expires=now + 7 * 86400.0,
                address=knock.address,
                agent=knock.agent,
            )
            decided = await store.decide_knock(knock.id, state=KnockState.ADMITTED.value, at=now, visit=visit)
            self.visits[name] = await store.visit(decided.visit)
        else:
            await store.decide_knock(knock.id, state=KnockState.REFUSED.value, at=now)
        action = Action.KNOCK_ADMITTED if name else Action.KNOCK_REFUSED
        given = {"link": knock.link, "came_from": knock.came_from, "name": knock.name}
        visit_id = self.visits[name].id if name else ""
        await self.record(action, actor="owner", detail=knock.id, visit=visit_id, **given)


async def party(office: Office, *names: str) -> Party:
    """The story. `names` take the place of Ann, Bo and Eve."""
    ann, bo, eve = names or ("Ann", "Bo", "Eve")
    made = await office.share(**{"for": [ann, "Cleo"]})
    links = made["share"]["links"]
    there = Party(office, made["share"], {})
    office.clock.forward(600)
    await there.came(ann, links[0])
    await there.record(Action.LINK_JOINED, ann)
    for path in ("week3/data.ipynb", "week3/data.csv", "week3/notes.md"):
        await there.record(Action.REQUEST_ANSWERED, ann, path=path, method="GET", rule="contents-get", after=40.0)
    await there.record(Action.CHANNEL_OPENED, ann, path="week3/data.ipynb")
    await there.record(Action.DOCUMENT_WRITTEN, ann, path="week3/data.ipynb", after=300.0)
    origin = there.visits[ann].id
    await there.came(ann + "'s phone", links[0], VisitKind.DEVICE, shown=ann, agent=PHONE, came_from=origin)
    await there.record(Action.DEVICE_ADDED, ann + "'s phone", came_from=origin)
    await there.answered(await there.knocked(bo, links[0], ann), bo)
    await there.record(Action.REQUEST_ANSWERED, bo, path="week3/data.ipynb", method="GET", rule="contents-get")
    denied = {"outcome": Outcome.DENIED, "reason": "not_found", "method": "GET"}
    await there.record(Action.REQUEST_DENIED, bo, path="week4/solutions.ipynb", after=120.0, **denied)
    await there.answered(await there.knocked(eve, links[0], bo))
    await there.record(Action.CHANNEL_CLOSED, ann, path="week3/data.ipynb", detail="31 changes", after=900.0)
    await there.record(Action.VISIT_LEFT, ann)
    return there


async def said(office: Office) -> dict[str, Any]:
    """Two ask for more time, three report: with all that a page must bear."""
    made = await office.share(**{"for": ["Ann", EVIL, LONG], "expires": office.clock() + 43200, "name": "Week 3"})
    ann, evil, long = [await comes(office, made, "x", number) for number in range(3)]
    for who in (ann, evil):
        assert (await who.post(who.base + "-/time", {})).status == 200
    for who, text in ((ann, "It asks for\nmy password"), (evil, EVIL + "\u202egnp"), (long, LONG * 16)):
        reply = await who.post(who.base + "-/report", {"concern": "phishing", "text": text})
        assert reply.status == 200
    return made
