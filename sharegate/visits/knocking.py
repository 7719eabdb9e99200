"""Knocking: somebody at the door whom only the owner lets in. What the owner decides, knocks.py does."""

from __future__ import annotations

import contextlib
import hmac
import secrets

from sharegate.audit.bounds import truncated
from sharegate.audit.events import Action
from sharegate.errors import Denied, NotFound, Reason
from sharegate.limits import network
from sharegate.names import clean_name
from sharegate.shares.authenticate import check_link, check_share, new_secret, secret_hash
from sharegate.shares.conditions import Need, missing, needs
from sharegate.shares.model import ALPHABET, Knock, KnockState, Link, LinkKind, Share, Visit, VisitKind, new_id
from sharegate.visits.entry import Comer, Waiting
from sharegate.visits.passed_on import doubts
from sharegate.visits.proving import Proofs, Shown
from sharegate.visits.threshold import Threshold

WAITING_AT_A_LINK = 8
WAITING_FROM_A_NETWORK = 4
# Where everybody knocks, a class does so at once, from one address perhaps.
MOST_WAITING = 200
KNOCK_LASTS = 12 * 3600.0
SEATED = (VisitKind.BROWSER, VisitKind.KNOCK)
LET_IN_ANEW = "let in anew"


class Knocking:
    """Has people wait, and lets in whom the owner admitted."""

    def __init__(self, threshold: Threshold, proofs: Proofs) -> None:
        self._at = threshold
        self._proofs = proofs
        self._secret = secrets.token_bytes(32)

    async def by_link(self, token: str, name: str, same_person: bool, comer: Comer, shown: Shown) -> Waiting:
        """Knock with a link that is in use, full, asks for everybody, or ended but signed by us.

        Where everybody knocks, what else the link asks for comes first: the owner hears only of who has it.
        """
        share, link, _ = await self._at.by_link(token, comer, cost=1)
        if link.kind is LinkKind.PREVIEW:
            raise Denied(Reason.LINK_EXPIRED, "preview")
        try:
            self._at.check_open(link, comer)
            if link.ask:
                asked = [need for need in needs(link) if need is not Need.APPROVAL]
                await self._at.unrecorded.whole(self._proofs.prove(link, asked, shown, comer))
        except Denied as denied:
            await self._at.refused(share, link, comer, denied)
            raise
        origin = None
        if not link.ask or link.kind is not LinkKind.OPEN:  # else whoever has it has it from its owner
            origin = self._holder(await self._at.store.visits(share.id, link=link.id), comer)
        return await self._knock(share, link, origin, name, same_person, comer, by_address=False)

    @staticmethod
    def _holder(visits: list[Visit], comer: Comer) -> Visit | None:
        """From whom a link can have come to this browser: who opened it, rather than who was let in on a knock."""
        others = [each for each in visits if each.kind in SEATED and each.browser_hash != comer.browser_hash]
        opened = [each for each in others if each.kind is VisitKind.BROWSER]
        return next(reversed(opened or others), None)

    async def by_address(self, address: str, name: str, same_person: bool, comer: Comer) -> Waiting:
        """Knock at the address of somebody's visit. An address that leads nowhere waits for ever, like any other
        that nobody answers, so that guessing addresses tells nothing."""
        self._at.joins.take(network(comer.address), 1, Reason.JOIN_LIMIT)
        visit = await self._visit_at(address, comer)
        share = await self._at.store.share(visit.share) if visit else None
        link = await self._at.store.link(visit.link) if visit else None
        if visit is None or share is None or link is None:
            clean_name(name)
            return self._unheard(address, comer)
        try:
            self._at.check_open(link, comer)
            return await self._knock(share, link, visit, name, same_person, comer, by_address=True)
        except Denied:  # revoked, not from here, or too many wait there: only who has the link is told
            clean_name(name)
            return self._unheard(address, comer)

    def _unheard(self, address: str, comer: Comer) -> Waiting:
        """A knock that nobody hears: the same browser is told the same one again, as at a real door."""
        browser = comer.browser or new_secret()
        place = "/".join(self._at.addresses.visit_in(address, comer.share) or ("", address))
        digest = hmac.digest(self._secret, f"{place}\0{browser}".encode("utf-8", "surrogatepass"), "sha256")
        return Waiting("".join(ALPHABET[byte % len(ALPHABET)] for byte in digest[:10]), KnockState.WAITING, browser)

    async def state(self, knock_id: str, comer: Comer) -> Waiting:
        """How a knock stands, for the browser that knocked; to everybody else every knock is waiting."""
        at = self._at
        at.joins.take(network(comer.address), 0.05, Reason.JOIN_LIMIT)
        knock = await at.store.knock(knock_id)
        elsewhere = knock is not None and comer.share not in ("", knock.share)
        if knock is None or elsewhere or not comer.browser or knock.browser_hash != comer.browser_hash:
            return Waiting(knock_id, KnockState.WAITING)
        if knock.state is KnockState.WAITING and knock.created + KNOCK_LASTS <= at.now():
            return Waiting(knock.id, KnockState.GONE)
        if knock.state is not KnockState.ADMITTED:
            return Waiting(knock.id, knock.state)
        visit = await at.store.visit(knock.visit)
        share = await at.store.share(knock.share)
        link = await at.store.link(knock.link)
        if visit is None or share is None or link is None or visit.ended is not None:
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

    async def _knock(
        self,
        share: Share,
        link: Link,
        origin: Visit | None,
        name: str,
        same_person: bool,
        comer: Comer,
        *,
        by_address: bool,
    ) -> Waiting:
        at = self._at
        if share.revoked is not None or link.revoked is not None:
            # For ever means for ever: there is nothing to be let into.
            raise Denied(Reason.SHARE_REVOKED if share.revoked is not None else Reason.LINK_REVOKED)
        said = (link.name or (origin.name if origin else "")) if same_person else ""
        shown = said or clean_name(name)
        from_here = 0
        for waiting in await at.store.knocks(share=share.id):
            if waiting.link != link.id:
                continue
            if waiting.created + KNOCK_LASTS <= at.now():
                # Who waited in vain makes room; an answer that came in between stands.
                with contextlib.suppress(ValueError, NotFound):
                    await at.store.decide_knock(waiting.id, state=KnockState.GONE.value, at=at.now())
            elif comer.browser and waiting.browser_hash == comer.browser_hash:
                return Waiting(waiting.id, KnockState.WAITING, comer.browser)
            else:
                from_here += waiting.address == at.kept(comer.address)
        # One network does not take all the places at a link's door.
        at_the_link, from_a_network = _room(link)
        if from_here >= from_a_network:
            raise Denied(Reason.JOIN_LIMIT, f"{from_a_network} wait from one network")
        browser = comer.browser or new_secret()
        knock = Knock(
            id=new_id(),
            share=share.id,
            link=link.id,
            name=shown,
            same_person=same_person,
            came_from=origin.id if origin else "",
            by_address=by_address,
            browser_hash=secret_hash(browser),
            created=at.now(),
            address=at.kept(comer.address),
            agent=comer.agent[:200],
        )
        signs = doubts(origin, address=truncated(comer.address), agent=comer.agent, returning=bool(comer.browser))
        how = "address opened elsewhere" if by_address else "link opened elsewhere"
        if same_person:
            how += ", says to be the same person"
        work = self._knocked(share, link, comer, knock, "; ".join((how, *signs)), at_the_link)
        await at.unrecorded.whole(work)
        return Waiting(knock.id, KnockState.WAITING, browser)

    async def _knocked(self, share: Share, link: Link, comer: Comer, knock: Knock, signs: str, room: int) -> None:
        at = self._at
        await at.unrecorded.settle()
        await at.store.add_knock(knock, limit=room)
        async with at.unrecorded.taken_back(
            lambda: at.store.decide_knock(knock.id, state=KnockState.GONE.value, at=at.now())
        ):
            # Where everybody knocks it is no sign of anything, as long as nobody is in by the link.
            if knock.came_from or not link.ask:
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


def _room(link: Link) -> tuple[int, int]:
    """How many may wait at a link's door, and how many of them from one network."""
    if not link.ask:
        return WAITING_AT_A_LINK, WAITING_FROM_A_NETWORK
    all_of_it = min(MOST_WAITING, max(WAITING_AT_A_LINK, link.visits or 0))
    return all_of_it, max(WAITING_FROM_A_NETWORK, all_of_it if link.kind is LinkKind.OPEN else 0)
