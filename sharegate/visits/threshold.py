"""What every way in has in common: limits, from where, new visits and their cookies, records of who came.

Limits use all of an address, whatever is kept of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from sharegate.audit.bounds import truncated, whole
from sharegate.audit.events import Action, AuditEvent, Outcome
from sharegate.audit.interfaces import Recorder
from sharegate.errors import Denied, Invalid, Reason
from sharegate.limits import Buckets, Folding, Rate, network
from sharegate.shares.addresses import GateAddresses
from sharegate.shares.authenticate import Authenticator, check_inside, check_open_for, new_secret, secret_hash
from sharegate.shares.conditions import ASKED_FOR, NEEDED, missing
from sharegate.shares.interfaces import ShareStore
from sharegate.shares.model import Link, LinkKind, Share, Visit, VisitKind, new_id
from sharegate.visits.entry import Comer, Entry
from sharegate.visits.unrecorded import Unrecorded

# By whoever has no link to show: device codes, addresses of pages.
JOINS = Rate(per=60, seconds=60, burst=30)
# From one network at one link: a class of sixty looks, asks for a code, mistypes it and opens, all within a minute.
AT_A_LINK = Rate(per=120, seconds=60, burst=240)
# How a knock stands is asked every two seconds by each who waits: by a class as well.
POLLS = Rate(per=6000, seconds=60, burst=3000)
FAILURES = Rate(per=20, seconds=60, burst=20)
FOLD_SECONDS = 10.0
SEATED = (VisitKind.BROWSER, VisitKind.KNOCK)
_ASKED_IN_VAIN = ASKED_FOR | {
    Reason.PASSPHRASE_WRONG,
    Reason.MAIL_CODE_INVALID,
    Reason.OTHER_DOMAIN,
    Reason.OTHER_ACCOUNT,
}


class Threshold:
    """`pace` is the clock of the limits, where that is another than the time of day."""

    def __init__(
        self,
        store: ShareStore,
        authenticator: Authenticator,
        trail: Recorder,
        addresses: GateAddresses,
        now: Callable[[], float],
        *,
        full_addresses: bool = False,
        joins: Rate = JOINS,
        at_a_link: Rate = AT_A_LINK,
        failures: Rate = FAILURES,
        pace: Callable[[], float] | None = None,
    ) -> None:
        self.store = store
        self.authenticator = authenticator
        self.trail = trail
        self.addresses = addresses
        self.now = now
        self.unrecorded = Unrecorded()
        self.joins = Buckets(joins, pace or now)
        self.polls = Buckets(POLLS, pace or now)
        self._at_a_link = Buckets(at_a_link, pace or now)
        self.failures = Buckets(failures, pace or now)
        self.kept = whole if full_addresses else truncated
        self._folding = Folding(FOLD_SECONDS, pace or now)

    async def by_link(self, token: str, comer: Comer, *, cost: float) -> tuple[Share, Link, bool]:
        """A good token is counted with its link: strangers of the same network (a school, a proxy in front) who try bad
        ones must not keep out who has a good one. A signature cannot be guessed, so nothing is lost by looking."""
        place = network(comer.address)
        try:
            share, link, current = await self.authenticator.by_link(token, at_the_door=True)
            if comer.share not in ("", share.id):
                raise Denied(Reason.BAD_CREDENTIAL, "another share's door")
        except Denied:
            self.failures.take(place, 1, Reason.CREDENTIAL_LIMIT)
            raise
        self._at_a_link.take(f"{place} {link.id}", cost, Reason.JOIN_LIMIT)
        return share, link, current

    async def arrive(self, token: str, comer: Comer) -> tuple[Share, Link, bool]:
        """The same for whoever wants more than to look. From outside the link's networks nothing else is told of it,
        however it stands, nor of its share. Denied: `outside_networks`, recorded."""
        share, link, current = await self.by_link(token, comer, cost=1)
        await self.check_inside(share, link, comer)
        return share, link, current

    async def check_inside(self, share: Share, link: Link, comer: Comer) -> None:
        try:
            check_inside(link, comer.address)
        except Denied as denied:
            await self.refused(share, link, comer, denied)
            raise

    async def current(self, token: str) -> tuple[Share, Link]:
        """Denied: `bad_credential`, `link_replaced`."""
        share, link, current = await self.authenticator.by_link(token, at_the_door=True)
        if not current:
            raise Denied(Reason.LINK_REPLACED)
        return share, link

    async def still(self, token: str, comer: Comer, visit: Visit) -> Link:
        """The link as it is now, for who is about to come in by it with what they proved. Proving took a while, and who
        has many browsers wait for their turn makes it take longer: what the owner changed meanwhile counts.

        Raises Denied: why it ended, from where or when it does not open, what it asks for.
        """
        share, link = await self.current(token)
        self.authenticator.check_standing(share, link)
        self.check_open(link, comer)
        for need in missing(link, visit):
            raise Denied(NEEDED[need], "meanwhile")
        return link

    def check_open(self, link: Link, comer: Comer) -> None:
        """Whether the link opens from there, and by now. Denied: `outside_networks`, `not_yet`."""
        check_open_for(link, comer.address, self.now())

    async def visit_of(self, link: Link, comer: Comer) -> Visit | None:
        """The open visit that this browser has by this link; rather one that has all that the link asks for."""
        if not comer.browser:
            return None
        opened = await self.store.visits(link.share, link=link.id, open_only=True)
        mine = [visit for visit in opened if visit.browser_hash == comer.browser_hash and visit.expires > self.now()]
        return next((visit for visit in mine if not missing(link, visit)), mine[0] if mine else None)

    async def seat_state(self, link: Link, comer: Comer) -> str:
        """Whether whoever comes would find a place: `reenter`, `open`, `in_use` or `full`."""
        if await self.visit_of(link, comer) is not None:
            return "reenter"
        open_visits = await self.store.visits(link.share, link=link.id, open_only=True)
        if link.kind is LinkKind.PREVIEW:
            return "in_use" if open_visits else "open"
        seated = sum(1 for visit in open_visits if visit.kind in SEATED)
        if link.visits is not None and seated >= link.visits:
            return "in_use" if link.kind is LinkKind.PERSON else "full"
        return "open"

    def new_visit(self, share: Share, link: Link, comer: Comer, kind: VisitKind, name: str) -> tuple[Visit, str, str]:
        """A visit that is not stored yet, and the values of its two cookies."""
        cookie, browser = new_secret(), comer.browser or new_secret()
        visit = Visit(
            id=new_id(),
            share=share.id,
            link=link.id,
            number=0,
            kind=kind,
            name=name,
            cookie_hash=secret_hash(cookie),
            browser_hash=secret_hash(browser),
            created=self.now(),
            expires=min(share.expires, link.expires),
            address=self.kept(comer.address),
            agent=comer.agent[:200],
        )
        return visit, cookie, browser

    def entry(self, share: Share, visit: Visit, cookie: str, browser: str) -> Entry:
        return Entry(visit, share, cookie, browser, self.addresses.of(share.id))

    async def reenter(
        self,
        share: Share,
        visit: Visit,
        comer: Comer,
        action: Action = Action.LINK_REENTERED,
        proved: Mapping[str, Any] = MappingProxyType({}),
    ) -> Entry:
        """A new cookie for the same visit: what was stolen before stops to work. `proved` is what it has to show for
        it from now on."""
        cookie = new_secret()
        visit = await self.unrecorded.whole(self._reentered(share, visit, comer, action, cookie, proved))
        return self.entry(share, visit, cookie, comer.browser)

    async def _reentered(
        self, share: Share, visit: Visit, comer: Comer, action: Action, cookie: str, proved: Mapping[str, Any]
    ) -> Visit:
        await self.unrecorded.settle()
        before = {name: getattr(visit, name) for name in ("cookie_hash", *proved)}
        link = await self.store.link(visit.link)
        if link is None:
            raise Invalid("link", "is gone")
        # Proving took a while: whoever was put out or forgotten meanwhile stays so, and nothing is written to them.
        still = {"ended": None, "browser_hash": visit.browser_hash}
        fields = {"cookie_hash": secret_hash(cookie), **proved}
        try:
            changed = await self.store.change_visit(visit.id, was=still, **fields)
        except ValueError:
            raise Denied(Reason.VISIT_ENDED, "meanwhile") from None
        async with self.unrecorded.taken_back(lambda: self.store.change_visit(visit.id, was=still, **before)):
            detail = ", ".join(f"proved {name}" for name in proved)
            await self.record(action, share, link, comer, visit=changed, detail=detail)
        return changed

    async def give_back(self, visit: Visit) -> None:
        """Nobody learnt its cookie; the seat is free again."""
        await self.store.end_visits([visit.id], at=self.now(), reason="not recorded")

    async def refused(self, share: Share, link: Link, comer: Comer, denied: Denied) -> None:
        """Record what a link asked for in vain: the first, then now and then. Who tries is refused each time."""
        if denied.reason not in _ASKED_IN_VAIN:  # a limit, which is recorded like all limits
            return
        count = self._folding.due(f"{link.id} {network(comer.address)} {denied.reason.value}")
        if count:
            await self.record(Action.LINK_REFUSED, share, link, comer, reason=denied.reason, count=count)
        denied.recorded = True

    async def record(
        self,
        action: Action,
        share: Share,
        link: Link,
        comer: Comer,
        *,
        visit: Visit | None = None,
        came_from: str = "",
        name: str = "",
        reason: Reason | None = None,
        detail: str = "",
        count: int = 1,
    ) -> None:
        await self.trail.record(
            AuditEvent(
                action=action,
                outcome=Outcome.DENIED if reason else Outcome.ALLOWED,
                actor="visitor" if visit else "stranger",
                share=share.id,
                link=link.id,
                visit=visit.id if visit else "",
                came_from=came_from or (visit.came_from if visit else ""),
                reason=reason.value if reason else "",
                detail=detail,
                name=name or (visit.name if visit else ""),
                address=comer.address,
                agent=comer.agent,
                count=count,
            )
        )
