"""The door: what a share token, a knock or a device code becomes.

A GET of the door's page spends nothing and knows nothing, for the token is in the fragment. `about` creates nothing.
Only `open`, `knock` and `device` write, each on a click.
"""

from __future__ import annotations

import contextlib
import hmac
import secrets
from collections.abc import Callable

from sharegate.audit.bounds import truncated, whole
from sharegate.audit.events import Action, AuditEvent, Outcome
from sharegate.audit.interfaces import Recorder
from sharegate.errors import Denied, Invalid, NotFound, Reason
from sharegate.limits import Buckets, Rate, network
from sharegate.names import clean_name
from sharegate.shares.addresses import GateAddresses
from sharegate.shares.authenticate import Authenticator, check_link, check_share, check_visit, new_secret, secret_hash
from sharegate.shares.interfaces import ShareStore
from sharegate.shares.model import (
    ALPHABET,
    DeviceCode,
    Grant,
    Knock,
    KnockState,
    Link,
    LinkKind,
    Role,
    Share,
    Visit,
    VisitKind,
    new_id,
)
from sharegate.visits.entry import Comer, Entry, Waiting
from sharegate.visits.passed_on import doubts
from sharegate.visits.unrecorded import KEY_REFUSED, Unrecorded

DEVICE_CODE_SECONDS = 300.0
WAITING_AT_A_LINK = 8
WAITING_FROM_A_NETWORK = 4
# Each visit is a record that is kept: leaving and opening again does not fill the store.
NEW_VISITS = Rate(per=2000, seconds=86400, burst=2000)
JOINS = Rate(per=60, seconds=60, burst=30)
FAILURES = Rate(per=20, seconds=60, burst=20)
KNOCK_LASTS = 12 * 3600.0
RECORDED = (
    "when you come and go",
    "which files you open",
)
_SEATED = (VisitKind.BROWSER, VisitKind.KNOCK)


class Door:
    """Lets people in, or has them wait. Limits use all of an address, whatever is kept of it."""

    def __init__(
        self,
        store: ShareStore,
        authenticator: Authenticator,
        trail: Recorder,
        addresses: GateAddresses,
        now: Callable[[], float],
        *,
        role_sentence: Callable[[Role], str],
        full_addresses: bool = False,
        shared_origin: bool = False,
        joins: Rate = JOINS,
        failures: Rate = FAILURES,
        new_visits: Rate = NEW_VISITS,
        pace: Callable[[], float] | None = None,
    ) -> None:
        """`pace` is the clock of the limits, where that is another than the time of day."""
        self._store = store
        self._unrecorded = Unrecorded()
        self._authenticator = authenticator
        self._trail = trail
        self._addresses = addresses
        self._now = now
        self._role_sentence = role_sentence
        self._kept = whole if full_addresses else truncated
        address = "your network address" if full_addresses else "your network address (shortened)"
        self._recorded = [*RECORDED, f"{address} and your browser"]
        self._shared_origin = shared_origin
        self._joins = Buckets(joins, pace or now)
        self._failures = Buckets(failures, pace or now)
        self._new_visits = Buckets(new_visits, pace or now)
        self._secret = secrets.token_bytes(32)

    # -- what the door's page asks --------------------------------------------------------------------------------

    async def about(self, token: str, comer: Comer) -> dict[str, object]:
        """What a link is, for its holder: who shares what, until when, and what opening it would do now."""
        share, link, current = await self._by_link(token, comer, cost=0.25)
        why, at = self._ended(share, link, current)
        role = min(link.role or share.role, share.role, key=list(Role).index)
        if why in ("paused", "suspended"):
            state = "paused"
        elif why:
            state = "ended"
        else:
            state = await self._seat_state(link, comer)
        return {
            "state": state,
            "owner": share.owner,
            "owner_badge": "",
            "share": {
                "name": share.name,
                "kind": share.kind.value,
                "folder": share.root_path.name,
                "message": share.message,
            },
            "link": {"name": link.name, "kind": link.kind.value},
            "role": role.value,
            "role_sentence": self._role_sentence(role),
            "expires": min(share.expires, link.expires),
            "ended_by": share.owner if why in ("revoked", "replaced", "paused") else "",
            "ended_at": at,
            "ended_why": why,
            "ask_name": not link.name and link.kind is not LinkKind.PREVIEW,
            "shared_origin": self._shared_origin,
            "recorded": self._recorded,
        }

    async def open(self, token: str, name: str, comer: Comer) -> Entry:
        """A click on Open: the first browser gets in, the same browser comes back into the same visit.

        Raises Denied: `link_in_use` (one person's link, another browser), `seats_taken`, why it ended, limits.
        """
        share, link, current = await self._by_link(token, comer, cost=1)
        if not current:
            raise Denied(Reason.LINK_REPLACED)
        self._authenticator.check_standing(share, link)
        mine = await self._visit_of(link, comer)
        if mine is not None:
            return await self._reenter(share, mine, comer)
        self._new_visits.take(link.id, 1, Reason.JOIN_LIMIT)
        seats: int | None
        if link.kind is LinkKind.PREVIEW:
            visit_name, kind, seats = share.owner, VisitKind.PREVIEW, 1
        else:
            visit_name = link.name or clean_name(name)
            kind, seats = VisitKind.BROWSER, link.visits
        visit, cookie, browser = self._new_visit(share, link, comer, kind, visit_name)
        visit = await self._unrecorded.whole(self._opened(token, share, link, comer, visit, seats))
        return Entry(visit, share, cookie, browser, self._addresses.of(share.id))

    async def _opened(
        self, token: str, share: Share, link: Link, comer: Comer, visit: Visit, seats: int | None
    ) -> Visit:
        await self._unrecorded.settle()
        try:
            opened = await self._store.open_visit(visit, seats=seats)
        except Denied as denied:
            reason = denied.reason if link.kind is LinkKind.OPEN else Reason.LINK_IN_USE
            await self._record(Action.LINK_REFUSED, share, link, comer, reason=reason)
            raise Denied(reason) from None
        async with self._unrecorded.taken_back(lambda: self._give_back(opened)):
            await self._record(Action.LINK_JOINED, share, link, comer, visit=opened)
        try:
            await self._authenticator.by_link(token)
        except Denied:  # its key was refused since it was verified, and all that came by it were ended but this one
            await self._store.end_visits([opened.id], at=self._now(), reason=KEY_REFUSED)
            await self._record(Action.VISIT_ENDED, share, link, comer, visit=opened, detail=KEY_REFUSED)
            raise
        return opened

    async def finished(self) -> None:
        """Wait for what those who hung up began."""
        await self._unrecorded.finished()

    # -- knocking -------------------------------------------------------------------------------------------------

    async def knock_by_link(self, token: str, name: str, same_person: bool, comer: Comer) -> Waiting:
        """Knock with a link that is in use, full, or ended but signed by us."""
        share, link, _ = await self._by_link(token, comer, cost=1)
        if link.kind is LinkKind.PREVIEW:
            raise Denied(Reason.LINK_EXPIRED, "preview")
        origin = self._holder(await self._store.visits(share.id, link=link.id), comer)
        return await self._knock(share, link, origin, name, same_person, comer, by_address=False)

    @staticmethod
    def _holder(visits: list[Visit], comer: Comer) -> Visit | None:
        """From whom a link can have come to this browser: who opened it, rather than who was let in on a knock."""
        others = [each for each in visits if each.kind in _SEATED and each.browser_hash != comer.browser_hash]
        opened = [each for each in others if each.kind is VisitKind.BROWSER]
        return next(reversed(opened or others), None)

    async def knock_by_address(self, address: str, name: str, same_person: bool, comer: Comer) -> Waiting:
        """Knock at the address of somebody's visit. An address that leads nowhere waits for ever, like any other
        that nobody answers, so that guessing addresses tells nothing."""
        self._joins.take(network(comer.address), 1, Reason.JOIN_LIMIT)
        visit = await self._visit_at(address, comer)
        share = await self._store.share(visit.share) if visit else None
        link = await self._store.link(visit.link) if visit else None
        if visit is None or share is None or link is None:
            clean_name(name)
            return self._unheard(address, comer)
        try:
            return await self._knock(share, link, visit, name, same_person, comer, by_address=True)
        except Denied:  # revoked, or too many wait there: only who has the link is told
            return self._unheard(address, comer)

    def _unheard(self, address: str, comer: Comer) -> Waiting:
        """A knock that nobody hears: the same browser is told the same one again, as at a real door."""
        browser = comer.browser or new_secret()
        place = "/".join(self._addresses.visit_in(address, comer.share) or ("", address))
        digest = hmac.digest(self._secret, f"{place}\0{browser}".encode("utf-8", "surrogatepass"), "sha256")
        return Waiting("".join(ALPHABET[byte % len(ALPHABET)] for byte in digest[:10]), KnockState.WAITING, browser)

    async def knock_state(self, knock_id: str, comer: Comer) -> Waiting:
        """How a knock stands, for the browser that knocked; to everybody else every knock is waiting."""
        self._joins.take(network(comer.address), 0.05, Reason.JOIN_LIMIT)
        knock = await self._store.knock(knock_id)
        elsewhere = knock is not None and comer.share not in ("", knock.share)
        if knock is None or elsewhere or not comer.browser or knock.browser_hash != comer.browser_hash:
            return Waiting(knock_id, KnockState.WAITING)
        if knock.state is KnockState.WAITING and knock.created + KNOCK_LASTS <= self._now():
            return Waiting(knock.id, KnockState.GONE)
        if knock.state is not KnockState.ADMITTED:
            return Waiting(knock.id, knock.state)
        visit = await self._store.visit(knock.visit)
        share = await self._store.share(knock.share)
        link = await self._store.link(knock.link)
        if visit is None or share is None or link is None or visit.ended is not None:
            return Waiting(knock.id, KnockState.GONE)
        check_share(share, self._now())
        check_link(link, self._now())
        return Waiting(
            knock.id, KnockState.ADMITTED, entry=await self._reenter(share, visit, comer, Action.LINK_JOINED)
        )

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
        if share.revoked is not None or link.revoked is not None:
            # For ever means for ever: there is nothing to be let into.
            raise Denied(Reason.SHARE_REVOKED if share.revoked is not None else Reason.LINK_REVOKED)
        said = (link.name or (origin.name if origin else "")) if same_person else ""
        shown = said or clean_name(name)
        from_here = 0
        for waiting in await self._store.knocks(share=share.id):
            if waiting.link != link.id:
                continue
            if waiting.created + KNOCK_LASTS <= self._now():
                # Who waited in vain makes room; an answer that came in between stands.
                with contextlib.suppress(ValueError, NotFound):
                    await self._store.decide_knock(waiting.id, state=KnockState.GONE.value, at=self._now())
            elif comer.browser and waiting.browser_hash == comer.browser_hash:
                return Waiting(waiting.id, KnockState.WAITING, comer.browser)
            else:
                from_here += waiting.address == self._kept(comer.address)
        # One network does not take all the places at a link's door.
        if from_here >= WAITING_FROM_A_NETWORK:
            raise Denied(Reason.JOIN_LIMIT, f"{WAITING_FROM_A_NETWORK} wait from one network")
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
            created=self._now(),
            address=self._kept(comer.address),
            agent=comer.agent[:200],
        )
        signs = doubts(origin, address=truncated(comer.address), agent=comer.agent, returning=bool(comer.browser))
        how = "address opened elsewhere" if by_address else "link opened elsewhere"
        if same_person:
            how += ", says to be the same person"
        await self._unrecorded.whole(self._knocked(share, link, comer, knock, "; ".join((how, *signs))))
        return Waiting(knock.id, KnockState.WAITING, browser)

    async def _knocked(self, share: Share, link: Link, comer: Comer, knock: Knock, signs: str) -> None:
        await self._unrecorded.settle()
        await self._store.add_knock(knock, limit=WAITING_AT_A_LINK)
        async with self._unrecorded.taken_back(
            lambda: self._store.decide_knock(knock.id, state=KnockState.GONE.value, at=self._now())
        ):
            await self._record(
                Action.LINK_PASSED_ON,
                share,
                link,
                comer,
                came_from=knock.came_from,
                name=knock.name,
                detail=signs,
            )
            await self._record(
                Action.KNOCK_MADE,
                share,
                link,
                comer,
                came_from=knock.came_from,
                name=knock.name,
                detail=knock.id,
            )

    # -- own devices ----------------------------------------------------------------------------------------------

    async def device_code(self, grant: Grant) -> tuple[str, float]:
        """An 8-character code by which the same person enters on another device, and when it stops to work."""
        self._joins.take("visit " + grant.visit.id, 5, Reason.JOIN_LIMIT)
        if grant.visit.kind is VisitKind.PREVIEW or grant.link.devices == 0:
            raise Denied(Reason.DEVICES_TAKEN, "no devices on this link")
        owner_visit = grant.visit.came_from if grant.visit.kind is VisitKind.DEVICE else grant.visit.id
        code = new_id(8).upper()
        expires = min(self._now() + DEVICE_CODE_SECONDS, grant.expires)
        made = DeviceCode(code_hash=secret_hash(code), visit=owner_visit, expires=expires)
        await self._unrecorded.whole(self._code_made(grant, made))
        return code, expires

    async def _code_made(self, grant: Grant, code: DeviceCode) -> None:
        await self._store.add_device_code(code)
        await self._trail.record(
            AuditEvent(
                action=Action.DEVICE_CODE_MADE,
                actor="visitor",
                share=grant.share.id,
                link=grant.link.id,
                visit=grant.visit.id,
                name=grant.visit.name,
            )
        )

    async def open_device(self, code: str, comer: Comer) -> Entry:
        """Enter with a device code: one use, five minutes."""
        place = network(comer.address)
        self._joins.take(place, 1, Reason.JOIN_LIMIT)
        self._failures.check(place, Reason.JOIN_LIMIT)
        code = "".join(character for character in code.upper() if character.isalnum())
        record = None
        if len(code) == 8 and set(code.lower()) <= set(ALPHABET):
            record = await self._store.device_code(secret_hash(code))
        origin = await self._store.visit(record.visit) if record else None
        share = await self._store.share(origin.share) if origin else None
        link = await self._store.link(origin.link) if origin else None
        if origin is None or share is None or link is None or comer.share not in ("", share.id):
            self._failures.spend(place, 2)
            raise Denied(Reason.DEVICE_CODE_INVALID)
        self._authenticator.check_standing(share, link)
        check_visit(origin, self._now())
        # Name, role, origin and end are those of the code's visit: the store sets them.
        visit, cookie, browser = self._new_visit(share, link, comer, VisitKind.DEVICE, origin.name)
        visit = await self._unrecorded.whole(self._device_added(share, link, comer, visit, code, origin))
        return Entry(visit, share, cookie, browser, self._addresses.of(share.id))

    async def _device_added(
        self, share: Share, link: Link, comer: Comer, visit: Visit, code: str, origin: Visit
    ) -> Visit:
        await self._unrecorded.settle()
        try:
            added = await self._store.spend_device_code(secret_hash(code), visit, at=self._now(), devices=link.devices)
        except Denied:
            self._failures.spend(network(comer.address), 2)
            raise
        async with self._unrecorded.taken_back(lambda: self._give_back(added)):
            await self._record(Action.DEVICE_ADDED, share, link, comer, visit=added, came_from=origin.id)
        return added

    # -- parts ----------------------------------------------------------------------------------------------------

    def _new_visit(self, share: Share, link: Link, comer: Comer, kind: VisitKind, name: str) -> tuple[Visit, str, str]:
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
            created=self._now(),
            expires=min(share.expires, link.expires),
            address=self._kept(comer.address),
            agent=comer.agent[:200],
        )
        return visit, cookie, browser

    async def _by_link(self, token: str, comer: Comer, *, cost: float) -> tuple[Share, Link, bool]:
        """A good token is counted with its link: strangers of the same network (a school, a proxy in front) who try bad
        ones must not keep out who has a good one. A signature cannot be guessed, so nothing is lost by looking."""
        place = network(comer.address)
        try:
            share, link, current = await self._authenticator.by_link(token)
            if comer.share not in ("", share.id):
                raise Denied(Reason.BAD_CREDENTIAL, "another share's door")
        except Denied:
            self._failures.take(place, 1, Reason.CREDENTIAL_LIMIT)
            raise
        self._joins.take(f"{place} {link.id}", cost, Reason.JOIN_LIMIT)
        return share, link, current

    def _ended(self, share: Share, link: Link, current: bool) -> tuple[str, float]:
        """Why a link does not let anybody in, in one word, and since when (0 unknown)."""
        now = self._now()
        try:
            check_share(share, now)
            check_link(link, now)
        except Denied as denied:
            word = denied.reason.value.partition("_")[2]
            if denied.reason is Reason.ROOT_CHANGED:
                return "suspended", 0.0
            times = {
                "revoked": share.revoked if share.revoked is not None else link.revoked,
                "expired": min(share.expires, link.expires),
            }
            return word, times.get(word) or 0.0
        return ("", 0.0) if current else ("replaced", 0.0)

    async def _seat_state(self, link: Link, comer: Comer) -> str:
        if await self._visit_of(link, comer) is not None:
            return "reenter"
        open_visits = await self._store.visits(link.share, link=link.id, open_only=True)
        if link.kind is LinkKind.PREVIEW:
            return "in_use" if open_visits else "open"
        seated = sum(1 for visit in open_visits if visit.kind in _SEATED)
        if link.visits is not None and seated >= link.visits:
            return "in_use" if link.kind is LinkKind.PERSON else "full"
        return "open"

    async def _visit_of(self, link: Link, comer: Comer) -> Visit | None:
        """The open visit that this browser has by this link."""
        if not comer.browser:
            return None
        for visit in await self._store.visits(link.share, link=link.id, open_only=True):
            if visit.browser_hash == comer.browser_hash and visit.expires > self._now():
                return visit
        return None

    async def _visit_at(self, address: str, comer: Comer) -> Visit | None:
        found = self._addresses.visit_in(address, comer.share)
        visit = await self._store.visit(found[1]) if found else None
        return visit if found and visit is not None and visit.share == found[0] else None

    async def _reenter(self, share: Share, visit: Visit, comer: Comer, action: Action = Action.LINK_REENTERED) -> Entry:
        """A new cookie for the same visit: what was stolen before stops to work."""
        cookie = new_secret()
        visit = await self._unrecorded.whole(self._reentered(share, visit, comer, action, cookie))
        return Entry(visit, share, cookie, comer.browser, self._addresses.of(share.id))

    async def _reentered(self, share: Share, visit: Visit, comer: Comer, action: Action, cookie: str) -> Visit:
        await self._unrecorded.settle()
        before = visit.cookie_hash
        link = await self._store.link(visit.link)
        if link is None:
            raise Invalid("link", "is gone")
        changed = await self._store.change_visit(visit.id, cookie_hash=secret_hash(cookie))
        async with self._unrecorded.taken_back(lambda: self._store.change_visit(visit.id, cookie_hash=before)):
            await self._record(action, share, link, comer, visit=changed)
        return changed

    async def _give_back(self, visit: Visit) -> None:
        """Nobody learnt its cookie; the seat is free again."""
        await self._store.end_visits([visit.id], at=self._now(), reason="not recorded")

    async def _record(
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
    ) -> None:
        await self._trail.record(
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
            )
        )
