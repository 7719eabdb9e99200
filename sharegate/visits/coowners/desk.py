"""What a co-owner sees of a share, and what they may do in it. No other of the owner's verbs is reachable from here.

Each act judges anew whether whoever does it is a co-owner, and what opens something is judged once more after it was
written, so that it does not outlive a mark that was taken away meanwhile.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from sharegate.audit.bounds import truncated
from sharegate.audit.events import Action, AuditEvent
from sharegate.audit.interfaces import Recorder
from sharegate.errors import Denied, NotFound, Refused, SharegateError
from sharegate.shares.authenticate import check_link
from sharegate.shares.conditions import unproved
from sharegate.shares.interfaces import ShareStore
from sharegate.shares.issue import Issuer
from sharegate.shares.model import Knock, KnockState, Link, LinkKind, Role, Visit, VisitKind
from sharegate.visits.coowners import words
from sharegate.visits.coowners.standing import Coowner, Standing
from sharegate.visits.entry import by_own_link
from sharegate.visits.knocking import KNOCK_LASTS
from sharegate.visits.knocks import Knocks
from sharegate.visits.passed_on import doubts
from sharegate.visits.presence import Presence
from sharegate.visits.unrecorded import Unrecorded

REMOVED = "ended by a co-owner"
NO_LONGER = "a co-owner let them in who is none any more"
_SHOWN = (VisitKind.BROWSER, VisitKind.KNOCK)


class NoLonger(SharegateError):
    """They are no co-owner any more."""


class Desk:
    """One per gate."""

    def __init__(
        self,
        *,
        standing: Standing,
        store: ShareStore,
        issuer: Issuer,
        knocks: Knocks,
        presence: Presence,
        trail: Recorder,
        now: Callable[[], float],
    ) -> None:
        self._standing = standing
        self._store = store
        self._issuer = issuer
        self._knocks = knocks
        self._presence = presence
        self._trail = trail
        self._now = now
        self._unrecorded = Unrecorded()

    # -- looking --------------------------------------------------------------------------------------------------

    async def state(self, who: Coowner) -> words.State:
        """What the page shows: who knocks and who is in, by the names that visitors see of each other."""
        share = who.share
        links = {link.id: link for link in await self._store.links(share.id)}
        waiting = [knock for knock in await self._store.knocks(share=share.id) if self._waits(knock)]
        inside = [visit for visit in await self._store.visits(share.id, open_only=True) if visit.expires > self._now()]
        devices = Counter(visit.came_from for visit in inside if visit.kind is VisitKind.DEVICE)
        paused: words.Open = "paused" if share.paused_by else "paused_by_owner"
        return words.State(
            now=float(int(self._now())),
            share=share.name,
            owner=share.owner,
            state=paused if share.paused else "open",
            expires=min(share.expires, who.link.expires, who.visit.expires),
            knocks=tuple([await self._knocking(who, knock, links) for knock in waiting if knock.link in links]),
            people=tuple(
                self._person(who, visit, links[visit.link], devices[visit.id])
                for visit in inside
                if visit.kind in _SHOWN and visit.link in links and self._stands(links[visit.link])
            ),
        )

    async def _knocking(self, who: Coowner, knock: Knock, links: dict[str, Link]) -> words.Knocking:
        link = links[knock.link]
        origin = await self._store.visit(knock.came_from) if knock.came_from else None
        signs = doubts(origin, address=truncated(knock.address), agent=knock.agent, returning=False)
        return words.Knocking(
            id=knock.id,
            name=knock.name,
            email=_proved(knock),
            link=link.name,
            role=_least(link.role or who.share.role, who.share.role).value,
            same_person=knock.same_person,
            by_address=knock.by_address,
            came_from=origin.name if origin is not None else "",
            doubts=tuple(words.SIGNS[sign] for sign in signs if sign in words.SIGNS),
            lacks=tuple(need.value for need in unproved(link, knock)),
            since=knock.created,
            answerable=not link.coowner,
        )

    def _person(self, who: Coowner, visit: Visit, link: Link, devices: int) -> words.Person:
        seen = self._presence.of(visit.id)
        return words.Person(
            id=visit.id,
            name=visit.name,
            email=_proved(visit),
            own=by_own_link(link, visit),
            role=_least(visit.role or link.role or who.share.role, who.share.role).value,
            since=visit.created,
            here=bool(seen and seen.pages),
            devices=1 + devices,
            you=visit.id == who.visit.id,
            coowner=link.coowner,
            removable=_removable(who, visit, link),
        )

    def _stands(self, link: Link) -> bool:
        try:
            check_link(link, self._now())
        except Denied:
            return False
        return True

    def _waits(self, knock: Knock) -> bool:
        return knock.state is KnockState.WAITING and knock.created + KNOCK_LASTS > self._now()

    # -- acting ---------------------------------------------------------------------------------------------------

    async def act(self, who: Coowner, asked: words.Act) -> None:
        """Do it, whoever hangs up meanwhile. Raises NoLonger, Refused, NotFound, Denied, StoreUnavailable."""
        await self._unrecorded.settle()
        await self._unrecorded.whole(self._act(who, asked))

    async def finished(self) -> None:
        """Wait for what those began who hung up."""
        await self._unrecorded.finished()

    async def _act(self, who: Coowner, asked: words.Act) -> None:
        who = await self._still(who)
        match asked:
            case words.Admit(id=id):
                await self._admit(who, await self._knock(who, id))
            case words.Refuse(id=id):
                await self._refuse(who, await self._knock(who, id))
            case words.Remove(id=id):
                await self._remove(who, id)
            case words.Pause():
                await self._pause(who)
            case words.Resume():
                await self._resume(who)

    async def _still(self, who: Coowner) -> Coowner:
        found = await self._standing.again(who)
        if found is None:
            raise NoLonger
        return found

    async def _knock(self, who: Coowner, id: str) -> Knock:
        """Of this share, waiting, and not at a co-owner's link: with a knock there somebody would let in themselves."""
        knock = await self._store.knock(id)
        link = await self._store.link(knock.link) if knock is not None else None
        if knock is None or link is None or knock.share != who.share.id:
            raise NotFound("knock", id)
        if not self._waits(knock):
            raise Refused("decided", "this knock was answered already, or is too old")
        if link.coowner or knock.browser_hash == who.visit.browser_hash:
            raise Refused("coowner_knock", "who knocks at a co-owner's link is for the owner to answer")
        return knock

    async def _admit(self, who: Coowner, knock: Knock) -> None:
        """As what the link they knocked at gives, and no more."""
        _, visit = await self._knocks.admit(knock.id, None, by=who.visit.id)

        async def back(reason: str = "not recorded") -> None:
            await self._issuer.end_visit(visit.id, reason)

        await self._opens(
            who,
            self._event(who, Action.KNOCK_ADMITTED, knock=knock, visit=visit),
            back,
            lambda: self._outlived(who, visit, back),
        )

    async def _outlived(self, who: Coowner, visit: Visit, back: Callable[[str], Awaitable[None]]) -> None:
        await back(NO_LONGER)
        ended = self._event(who, Action.VISIT_ENDED, visit=visit, detail=NO_LONGER, actor="gate")
        await self._trail.record(ended)

    async def _refuse(self, who: Coowner, knock: Knock) -> None:
        await self._knocks.refuse(knock.id)
        await self._trail.record(self._event(who, Action.KNOCK_REFUSED, knock=knock))

    async def _remove(self, who: Coowner, id: str) -> None:
        visit = await self._store.visit(id)
        link = await self._store.link(visit.link) if visit is not None else None
        if visit is None or link is None or visit.share != who.share.id or visit.kind not in _SHOWN:
            raise NotFound("visit", id)
        if not _removable(who, visit, link):
            raise Refused("coowner_visit", "neither yourself nor another co-owner can be put out from here")
        if visit.ended is not None:
            raise Refused("ended", "they are out already")
        await self._issuer.end_visit(visit.id, REMOVED)
        await self._trail.record(self._event(who, Action.VISIT_ENDED, visit=visit))

    async def _pause(self, who: Coowner) -> None:
        if who.share.paused:
            raise Refused("paused", "it is paused already")
        with _changed_meanwhile():
            await self._issuer.pause_share(who.share.id, paused=True, was={"paused": False}, by=who.visit.id)
        await self._trail.record(self._event(who, Action.SHARE_PAUSED))

    async def _resume(self, who: Coowner) -> None:
        """What a co-owner paused. What the owner paused, or the rules, only the owner opens."""
        share = who.share
        if not share.paused:
            raise Refused("open", "it is open already")
        if not share.paused_by:
            raise Refused("paused_by_owner", f"{share.owner} paused it", "Ask them to open it again")
        with _changed_meanwhile():
            still = {"paused": True, "paused_by": share.paused_by}
            await self._issuer.pause_share(share.id, paused=False, was=still)

        async def back() -> None:
            await self._store.change_share(share.id, paused=True, paused_by=share.paused_by)

        async def outlived() -> None:
            await back()
            await self._trail.record(self._event(who, Action.SHARE_PAUSED, detail=NO_LONGER, actor="gate"))

        await self._opens(who, self._event(who, Action.SHARE_RESUMED), back, outlived)

    async def _opens(
        self,
        who: Coowner,
        event: AuditEvent,
        back: Callable[[], Awaitable[None]],
        outlived: Callable[[], Awaitable[None]],
    ) -> None:
        """Record what opens something; what cannot be recorded, or is nobody's to do any more, is taken back."""
        async with self._unrecorded.taken_back(back):
            await self._trail.record(event)
        try:
            await self._still(who)
        except NoLonger:
            await outlived()
            raise

    def _event(
        self,
        who: Coowner,
        action: Action,
        *,
        knock: Knock | None = None,
        visit: Visit | None = None,
        detail: str = "",
        actor: str = "",
    ) -> AuditEvent:
        about: dict[str, Any] = {}
        if knock is not None:
            about = {"link": knock.link, "came_from": knock.came_from, "name": knock.name, "detail": knock.id}
        elif visit is not None:
            about = {"link": visit.link, "name": visit.name, "detail": detail}
        return AuditEvent(
            action=action,
            actor=actor or who.actor,
            share=who.share.id,
            visit=visit.id if visit is not None else "",
            **(about or {"detail": detail}),
        )


def _removable(who: Coowner, visit: Visit, link: Link) -> bool:
    """Nobody of a co-owner's link, so neither themselves nor another one; and not the owner, who looks."""
    return visit.id != who.visit.id and not link.coowner and link.kind is not LinkKind.PREVIEW


def _proved(who: Visit | Knock) -> str:
    """The address or account that they showed to be theirs, as others see it; "" for nothing."""
    return who.email or (who.account.shown if who.account is not None else "")


def _least(one: Role, other: Role) -> Role:
    return min(one, other, key=tuple(Role).index)


@contextlib.contextmanager
def _changed_meanwhile() -> Iterator[None]:
    try:
        yield
    except ValueError:
        raise Refused("stale", "somebody else changed it in this moment", "Look at it again") from None
