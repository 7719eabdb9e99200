"""Forgetting a person: who they are leaves the records and the history, and they leave if they are inside.

Ended first, then erased: whoever is inside would leave new traces. The records, by which their entries are found, go
last, so that what was interrupted can be asked again. What they wrote in files is the owner's, and stays.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from sharegate.audit.bounds import LIMITS, safe_text
from sharegate.audit.erasure import ERASED, Erasure, Whose
from sharegate.audit.events import Action, AuditEvent, folded
from sharegate.audit.interfaces import Recorder
from sharegate.dashboard.asking import Only
from sharegate.dashboard.belonging import Of
from sharegate.dashboard.interfaces import Cutter
from sharegate.dashboard.routes import Route
from sharegate.dashboard.shapes import kept
from sharegate.dashboard.views import Views
from sharegate.errors import Invalid, NotFound, Refused
from sharegate.shares.asking import of_one
from sharegate.shares.conditions import let_in
from sharegate.shares.interfaces import ShareStore
from sharegate.shares.model import Knock, Link, LinkKind, Share, Visit, VisitKind

REASON = ERASED
STAYS = (
    "what they wrote, and versions of it, stay in the files and their history, under a visit without a name",
    "folders, files, messages and remarks that contain a name stay as they are",
    "copies, backups, exports and logs that were made before are yours to erase",
)
# What a closing page still records is erased by the next round.
_ROUNDS = 6
_PAUSE = 0.05


class EraseBody(msgspec.Struct, forbid_unknown_fields=True):
    """One of `person` (a name), `visit` and `share` (ids)."""

    person: str = ""
    visit: str = ""
    share: str = ""
    dry_run: bool = False


class FlushedTrail(Recorder, Protocol):
    async def flush(self) -> None:
        """Write what is pending. StoreUnavailable."""


@dataclass(slots=True)
class _Found:
    share: Share | None
    visits: list[Visit]
    links: list[Link]
    knocks: list[Knock]
    whose: Whose

    @property
    def inside(self) -> list[Visit]:
        return [visit for visit in self.visits if visit.ended is None]

    @property
    def ids(self) -> set[str]:
        return set(_ids(self.visits) | _ids(self.links) | _ids(self.knocks))


class Erasing:
    """`POST audit/erase`. Where several gates write, another one may write what it knew for `behind` seconds more."""

    def __init__(
        self,
        *,
        store: ShareStore,
        erasure: Erasure,
        cutter: Cutter,
        views: Views,
        trail: FlushedTrail,
        now: Callable[[], float],
        behind: float = 0.0,
    ) -> None:
        self._store = store
        self._erasure = erasure
        self._cutter = cutter
        self._views = views
        self._trail = trail
        self._now = now
        self._behind = behind

    def table(self) -> list[Route]:
        return [
            Route(
                "POST",
                "audit/erase",
                self._erase,
                "Forget a person, a visit or a share",
                Only.PERSON,
                kept.Erased,
                body=EraseBody,
                of=Of.WHOLE,
            ),
        ]

    async def _erase(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        asked = msgspec.convert(body, EraseBody)
        if sum(map(bool, (asked.person.strip(), asked.visit, asked.share))) != 1:
            raise Invalid("person", "is not the one thing to erase", "Name a person, a visit or a share")
        found = await self._find(asked)
        await self._trail.flush()
        entries = await self._erasure.count(found.whose)
        if not (found.visits or found.links or found.knocks or entries or found.share):
            raise NotFound("person", asked.person)
        answer: dict[str, Any] = {
            "dry_run": asked.dry_run,
            "visits": len(found.visits),
            "ends": [await self._views.visit(visit) for visit in found.inside],
            "links": [await self._views.link(link) for link in found.links],
            "share": await self._views.share(found.share) if found.share else None,
            "knocks": len(found.knocks),
            "entries": entries,
            "stays": list(STAYS),
        }
        if asked.dry_run:
            return answer
        answer["entries"] = 0
        for _ in range(_ROUNDS):
            read: dict[str, int] = {}
            await self._end(found)
            answer["entries"] += await self._erase_entries(found.whose, read)
            again = await self._find(asked)
            if again.ids <= found.ids:
                break
            # Somebody by that name came in, or knocked, while the others were ended.
            answer["ends"] += [await self._views.visit(visit) for visit in again.inside]
            found = again
        else:
            raise _still_recorded()
        await self._store.forget(
            visits=[visit.id for visit in found.visits],
            links=[link.id for link in found.links],
            knocks=[knock.id for knock in found.knocks],
        )
        await self._trail.flush()
        answer["entries"] += await self._erasure.erase(found.whose, read)
        answer |= {"visits": len(found.visits), "knocks": len(found.knocks)}
        await self._trail.record(
            AuditEvent(
                action=Action.TRAIL_ERASED,
                actor="owner",
                share=found.share.id if found.share else "",
                detail=f"{len(found.visits)} visits, {answer['entries']} entries",
            )
        )
        return answer

    async def _end(self, found: _Found) -> None:
        """Nobody comes in by what is erased any more, and whoever is in is out. Recorded without a name. Of all these
        visits no gate writes anything any more that identifies them (audit/announce.py)."""
        now, inside = self._now(), found.inside
        if found.share is not None and found.share.revoked is None:
            await self._store.change_share(found.share.id, revoked=now)
            await self._record(Action.SHARE_REVOKED, share=found.share.id)
        for link in found.links:
            if link.revoked is None:
                await self._store.change_link(link.id, revoked=now)
                await self._record(Action.LINK_REVOKED, share=link.share, link=link.id)
        await self._store.end_visits([visit.id for visit in inside], at=now, reason=REASON)
        over = [visit for visit in found.visits if visit.ended is not None and visit.ended_reason != REASON]
        await asyncio.gather(*(self._store.change_visit(visit.id, ended_reason=REASON) for visit in over))
        for visit in inside:
            await self._record(Action.VISIT_ENDED, share=visit.share, link=visit.link, visit=visit.id)
        await asyncio.gather(*(self._cutter.drained(visit=visit.id) for visit in inside))

    async def _erase_entries(self, whose: Whose, read: dict[str, int]) -> int:
        erased, late = 0, 0
        for left in reversed(range(_ROUNDS)):
            if left == 1 and self._behind and await self._erasure.several():
                await asyncio.sleep(self._behind)
            await self._trail.flush()
            late = await self._erasure.erase(whose, read)
            erased += late
            await asyncio.sleep(_PAUSE)
        if late:
            raise _still_recorded()
        return erased

    # -- who ------------------------------------------------------------------------------------------------------

    async def _find(self, asked: EraseBody) -> _Found:
        if asked.share:
            share = await self._store.share(asked.share)
            if share is None:
                raise NotFound("share", asked.share)
            links, visits, knocks = await self._of(share)
            whose = Whose(visits=_ids(visits), links=_ids(links), knocks=_ids(knocks), share=share.id)
            return _Found(share, visits, links, knocks, whose)
        if asked.visit:
            visit = await self._store.visit(asked.visit)
            if visit is None:
                raise NotFound("visit", asked.visit)
            all_visits = await self._store.visits(visit.share)
            knocks = [knock for knock in await self._every_knock(visit.share) if knock.visit == visit.id]
            return await self._found(_with_devices([visit], all_visits), [], knocks, frozenset())
        return await self._person(folded(asked.person))

    async def _person(self, name: str) -> _Found:
        links: list[Link] = []
        visits: list[Visit] = []
        knocks: list[Knock] = []
        for share in await self._store.shares():
            of_links, of_visits, of_knocks = await self._of(share)
            # By their name, or by an address of theirs.
            own = [
                link
                for link in of_links
                if link.kind is LinkKind.PERSON
                and name in map(folded, (link.name, link.recipient, link.email, link.account, link.subject))
            ]
            by_own = {link.id for link in own}
            # Who was let in by hand at their link is somebody else, on each device, unless they said the same name.
            theirs = [
                visit
                for visit in of_visits
                if name in map(folded, (visit.name, visit.email, *_account(visit)))
                or (visit.link in by_own and not let_in(visit))
            ]
            links += own
            visits += _with_devices(theirs, of_visits)
            knocks += [knock for knock in of_knocks if name in map(folded, (knock.name, knock.email, *_account(knock)))]
        return await self._found(visits, links, knocks, frozenset({name}))

    async def _found(
        self, visits: list[Visit], links: list[Link], knocks: list[Knock], names: frozenset[str]
    ) -> _Found:
        by_hand = [visit for visit in visits if visit.kind is VisitKind.KNOCK]
        knocked: list[Visit | Knock] = [*knocks, *by_hand]
        # The records of knocks go after a while, what the history has of them does not.
        ids = _ids(knocks) | await self._erasure.knocked(_ids(by_hand))
        if names:
            ids |= await self._erasure.knocked_as(names)
        addresses = {visit.email for visit in visits} | {knock.email for knock in knocks}
        shown: list[Visit | Knock] = [*visits, *knocks]
        addresses |= {each for one in shown for each in _account(one)}
        addresses |= {link.account for link in links if of_one(link.account)}
        addresses |= {address for link in links for address in (link.recipient, link.email)}
        addresses |= await self._erasure.proved(ids | _ids(visits))
        whose = Whose(
            visits=_ids(visits),
            links=_ids(links),
            knocks=ids,
            # What they proved is recorded by their address, cut as the trail cuts names.
            names=names | {folded(safe_text(one, LIMITS["name"])) for one in addresses if one},
            signs=frozenset((one.link, folded(one.name)) for one in knocked if one.name),
        )
        return _Found(None, visits, links, knocks, whose)

    async def _of(self, share: Share) -> tuple[list[Link], list[Visit], list[Knock]]:
        return (
            await self._store.links(share.id),
            await self._store.visits(share.id),
            await self._every_knock(share.id),
        )

    async def _every_knock(self, share: str) -> list[Knock]:
        return await self._store.knocks(share=share, waiting_only=False)

    async def _record(self, action: Action, *, share: str, link: str = "", visit: str = "") -> None:
        event = AuditEvent(action=action, actor="owner", share=share, link=link, visit=visit, detail=REASON)
        await self._trail.record(event)


def _still_recorded() -> Refused:
    return Refused("still_recorded", "new entries about them are being recorded", "Erase again in a moment")


def _account(record: Visit | Knock) -> tuple[str, ...]:
    """Every way in which the account that somebody signed in with may be called."""
    account = record.account
    return (account.email, account.subject, account.shown) if account is not None else ()


def _ids(records: list[Visit] | list[Link] | list[Knock]) -> frozenset[str]:
    return frozenset(record.id for record in records)


def _with_devices(visits: list[Visit], others: list[Visit]) -> list[Visit]:
    known = {visit.id for visit in visits}
    devices = [
        other
        for other in others
        if other.kind is VisitKind.DEVICE and other.came_from in known and other.id not in known
    ]
    return visits + devices
