"""Knocking: somebody at the door whom only the owner lets in. What the owner decides, knocks.py does."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from dataclasses import replace
from typing import Any

import msgspec

from sharegate.audit.bounds import truncated
from sharegate.audit.events import Action
from sharegate.errors import Denied, NotFound, Reason
from sharegate.limits import network
from sharegate.names import clean_name
from sharegate.shares.authenticate import check_link, check_share, new_secret
from sharegate.shares.conditions import NEEDED, Need, missing, unproved
from sharegate.shares.model import ALPHABET, Knock, KnockState, Link, LinkKind, Share, Visit, VisitKind, new_id
from sharegate.visits.entry import Comer, Waiting
from sharegate.visits.passed_on import doubts
from sharegate.visits.proving import Proofs, Shown
from sharegate.visits.threshold import SEATED, Threshold

WAITING_AT_A_LINK = 8
WAITING_FROM_A_NETWORK = 4
# Where everybody knocks a class does so at once, from one address perhaps; others find room all the same.
A_CLASS = 60
MOST_OF_A_CLASS = 100
CLASSES = 4
KNOCK_LASTS = 12 * 3600.0
LET_IN_ANEW = "let in anew"


class Knocking:
    """Has people wait, and lets in whom the owner admitted. `key` is a secret that all gates of a store have."""

    def __init__(self, threshold: Threshold, proofs: Proofs, key: bytes) -> None:
        self._at = threshold
        self._proofs = proofs
        self._key = hmac.digest(key, b"sharegate knocks at addresses", "sha256")
        self._one = asyncio.Lock()

    async def by_link(self, token: str, name: str, same_person: bool, comer: Comer, shown: Shown) -> Waiting:
        """Knock with a link that is in use, full, asks for everybody, or ended but signed by us.

        Where everybody knocks, or whoever has what the link asks for could come in, that comes first: the owner hears
        only of who has it.
        """
        at = self._at
        share, link, current = await at.arrive(token, comer)
        if link.kind is LinkKind.PREVIEW:
            raise Denied(Reason.LINK_EXPIRED, "preview")
        browser = comer.browser or new_secret()
        origin = None
        if link.kind is not LinkKind.OPEN:  # else whoever has it has it from anybody, its owner perhaps
            origin = self._holder(await at.store.visits(share.id, link=link.id), comer)
        try:
            at.check_open(link, comer)
            knock = self._new(new_id(), share, link, origin, name, same_person, replace(comer, browser=browser))
            mine = await at.visit_of(link, comer)
            asked = await self._to_prove(share, link, current, mine, comer)
            if waiting := await self._look(link, comer):  # no code is spent where there is no room
                return waiting
            proving = self._proofs.prove(link, asked, shown, replace(comer, knock=knock.id), known=mine is not None)
            knock = _proving(knock, mine, await at.unrecorded.whole(proving))
            await self._check_still(token, mine, knock, comer)
        except Denied as denied:
            await at.refused(share, link, comer, denied)
            raise
        return await self._knock(share, link, knock, origin, comer, browser)

    async def _check_still(self, token: str, mine: Visit | None, knock: Knock, comer: Comer) -> None:
        """Proving took a while: what the owner changed meanwhile counts (threshold.py)."""
        share, link, current = await self._at.authenticator.by_link(token, at_the_door=True)
        _check_not_for_ever(share, link)
        self._at.check_open(link, comer)
        lacks = unproved(link, knock)
        for need in await self._to_prove(share, link, current, mine, comer):
            if need in lacks:
                raise Denied(NEEDED[need], "meanwhile")

    @staticmethod
    def _holder(visits: list[Visit], comer: Comer) -> Visit | None:
        """From whom a link can have come to this browser: who opened it, rather than who was let in on a knock."""
        others = [each for each in visits if each.kind in SEATED and each.browser_hash != comer.browser_hash]
        opened = [each for each in others if each.kind is VisitKind.BROWSER]
        return next(reversed(opened or others), None)

    async def _to_prove(
        self, share: Share, link: Link, current: bool, mine: Visit | None, comer: Comer
    ) -> tuple[Need, ...]:
        """What is to be shown before a knock is heard. Nothing where it would not let in anyway."""
        asked = tuple(need for need in missing(link, mine) if need is not Need.APPROVAL)
        if not asked or link.ask:
            return asked
        try:
            self._at.authenticator.check_standing(share, link)
        except Denied:
            return ()
        room = await self._at.seat_state(link, comer) in ("open", "reenter")
        return asked if current and room else ()

    async def by_address(self, address: str, name: str, same_person: bool, comer: Comer) -> Waiting:
        """Knock at the address of somebody's visit. An address that leads nowhere waits for ever, like any other
        that nobody answers, so that guessing addresses tells nothing."""
        at = self._at
        at.joins.take(network(comer.address), 1, Reason.JOIN_LIMIT)
        visit = await self._visit_at(address, comer)
        share = await at.store.share(visit.share) if visit else None
        link = await at.store.link(visit.link) if visit else None
        browser = comer.browser or new_secret()
        id = self._id_at(address, comer, browser)
        unheard = Waiting(id, KnockState.WAITING, browser)
        if visit is None or share is None or link is None:
            clean_name(name)
            return unheard
        try:
            at.check_open(link, comer)
            mine = await at.visit_of(link, comer)
            if await self._to_prove(share, link, True, mine, comer):  # which cannot be done at an address
                clean_name(name)
                return unheard
            if await at.store.knock(id) is not None:
                id = new_id()
            knock = self._new(id, share, link, visit, name, same_person, replace(comer, browser=browser))
            knock = msgspec.structs.replace(knock, by_address=True)
            return await self._knock(share, link, _proving(knock, mine, {}), visit, comer, browser)
        except Denied:  # revoked, not from here, or too many wait there: only who has the link is told
            clean_name(name)
            return unheard

    def _id_at(self, address: str, comer: Comer, browser: str) -> str:
        """Of a knock at an address, heard or not: the same browser is told the same one again, as at a real door, by
        each gate and after a restart."""
        place = "/".join(self._at.addresses.visit_in(address, comer.share) or ("", address))
        digest = hmac.digest(self._key, f"{place}\0{browser}".encode("utf-8", "surrogatepass"), "sha256")
        return "".join(ALPHABET[byte % len(ALPHABET)] for byte in digest[:10])

    async def state(self, knock_id: str, comer: Comer) -> Waiting:
        """How a knock stands, for the browser that knocked; to everybody else every knock is waiting."""
        at = self._at
        at.polls.take(network(comer.address), 1, Reason.JOIN_LIMIT)
        knock = await at.store.knock(knock_id)
        elsewhere = knock is not None and comer.share not in ("", knock.share)
        if knock is None or elsewhere or not comer.browser or knock.browser_hash != comer.browser_hash:
            return Waiting(knock_id, KnockState.WAITING)
        # One at an address that nobody answered waits for ever, like one that nobody heard.
        if knock.by_address and knock.state in (KnockState.WAITING, KnockState.GONE):
            return Waiting(knock.id, KnockState.WAITING)
        share = await at.store.share(knock.share)
        link = await at.store.link(knock.link)
        if share is None or link is None:
            return Waiting(knock.id, KnockState.GONE)
        await at.check_inside(share, link, comer)
        if knock.state is KnockState.WAITING and knock.created + KNOCK_LASTS <= at.now():
            return Waiting(knock.id, KnockState.GONE)
        if knock.state is not KnockState.ADMITTED:
            return Waiting(knock.id, knock.state)
        visit = await at.store.visit(knock.visit)
        if visit is None or visit.ended is not None:
            return Waiting(knock.id, KnockState.GONE)
        check_share(share, at.now())
        check_link(link, at.now())
        at.check_open(link, comer)
        entry = await at.reenter(share, visit, comer, Action.LINK_JOINED)
        await at.unrecorded.whole(self._leave_behind(share, link, visit, comer))
        return Waiting(knock.id, KnockState.ADMITTED, entry=entry)

    async def _leave_behind(self, share: Share, link: Link, admitted: Visit, comer: Comer) -> None:
        """What the same browser had by the link before it asked for more is over: one person, one visit."""
        for visit in await self._at.store.visits(share.id, link=link.id, open_only=True):
            same = visit.browser_hash == comer.browser_hash and visit.id != admitted.id
            if same and visit.kind in SEATED and missing(link, visit):
                await self._at.store.end_visits([visit.id], at=self._at.now(), reason=LET_IN_ANEW)
                await self._at.record(Action.VISIT_ENDED, share, link, comer, visit=visit, detail=LET_IN_ANEW)

    def _new(
        self,
        id: str,
        share: Share,
        link: Link,
        origin: Visit | None,
        name: str,
        same_person: bool,
        comer: Comer,
    ) -> Knock:
        _check_not_for_ever(share, link)
        said = (link.name or (origin.name if origin else "")) if same_person else ""
        return Knock(
            id=id,
            share=share.id,
            link=link.id,
            name=said or clean_name(name),
            same_person=same_person,
            came_from=origin.id if origin else "",
            browser_hash=comer.browser_hash,
            created=self._at.now(),
            address=self._at.kept(comer.address),
            agent=comer.agent[:200],
        )

    async def _look(self, link: Link, comer: Comer, *, by_address: bool = False) -> Waiting | None:
        """The knock by which this browser waits at the link already. Denied(`join_limit`) when too many others wait:
        one network does not take all the places."""
        at = self._at
        from_here = everywhere = 0
        for waiting in await at.store.knocks(share=link.share):
            if waiting.link != link.id:
                continue
            mine = bool(comer.browser) and waiting.browser_hash == comer.browser_hash
            over = waiting.created + KNOCK_LASTS <= at.now()
            if over and not (mine and by_address and waiting.by_address):
                # Who waited in vain makes room; an answer that came in between stands.
                with contextlib.suppress(ValueError, NotFound):
                    await at.store.decide_knock(waiting.id, state=KnockState.GONE.value, at=at.now())
            elif mine:
                return Waiting(waiting.id, KnockState.WAITING, comer.browser)
            else:
                everywhere += 1
                from_here += waiting.address == at.kept(comer.address)
        at_the_link, from_a_network = room(link)
        if from_here >= from_a_network or everywhere >= at_the_link:
            raise Denied(Reason.JOIN_LIMIT, f"{from_here} wait from one network, {everywhere} in all")
        return None

    async def _knock(
        self, share: Share, link: Link, knock: Knock, origin: Visit | None, comer: Comer, browser: str
    ) -> Waiting:
        at = self._at
        signs = doubts(origin, address=truncated(comer.address), agent=comer.agent, returning=bool(comer.browser))
        how = "address opened elsewhere" if knock.by_address else "link opened elsewhere"
        if knock.same_person:
            how += ", says to be the same person"
        async with self._one:  # many that come at once are counted one after the other
            if waiting := await self._look(link, comer, by_address=knock.by_address):
                return waiting
            await at.unrecorded.whole(self._knocked(share, link, comer, knock, "; ".join((how, *signs))))
        return Waiting(knock.id, KnockState.WAITING, browser)

    async def _knocked(self, share: Share, link: Link, comer: Comer, knock: Knock, signs: str) -> None:
        at = self._at
        await at.unrecorded.settle()
        await at.store.add_knock(knock, limit=room(link)[0])
        async with at.unrecorded.taken_back(
            lambda: at.store.decide_knock(knock.id, state=KnockState.GONE.value, at=at.now())
        ):
            # Where anybody may come, or everybody knocks and nobody is in, it is no sign of anything.
            if knock.came_from or not (link.ask or link.kind is LinkKind.OPEN):
                await at.record(
                    Action.LINK_PASSED_ON,
                    share,
                    link,
                    comer,
                    came_from=knock.came_from,
                    name=knock.name,
                    detail=signs,
                )
            await at.record(
                Action.KNOCK_MADE,
                share,
                link,
                comer,
                came_from=knock.came_from,
                name=knock.name,
                detail=knock.id,
            )

    async def _visit_at(self, address: str, comer: Comer) -> Visit | None:
        found = self._at.addresses.visit_in(address, comer.share)
        visit = await self._at.store.visit(found[1]) if found else None
        return visit if found and visit is not None and visit.share == found[0] else None


def _check_not_for_ever(share: Share, link: Link) -> None:
    """For ever means for ever: there is nothing to be let into."""
    if share.revoked is not None or link.revoked is not None:
        raise Denied(Reason.SHARE_REVOKED if share.revoked is not None else Reason.LINK_REVOKED)


def _proving(knock: Knock, mine: Visit | None, proved: dict[str, Any]) -> Knock:
    """With what was proved just now, and before in the visit that the same browser has by the link."""
    before: dict[str, Any] = {}
    if mine is not None:
        before = {"passphrase": mine.passphrase, "email": mine.email, "account": mine.account}
    return msgspec.structs.replace(knock, **{**before, **proved})


def room(link: Link) -> tuple[int, int]:
    """How many may wait at a link's door, and how many of them from one network."""
    if not link.ask:
        return WAITING_AT_A_LINK, WAITING_FROM_A_NETWORK
    if link.kind is not LinkKind.OPEN:
        return max(WAITING_AT_A_LINK, min(MOST_OF_A_CLASS, link.visits or 0)), WAITING_FROM_A_NETWORK
    a_class = max(WAITING_AT_A_LINK, min(MOST_OF_A_CLASS, link.visits or A_CLASS))
    return CLASSES * a_class, a_class
