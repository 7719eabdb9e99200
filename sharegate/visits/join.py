"""The door: what a share token, a knock or a device code becomes.

A GET of the door's page spends nothing and knows nothing, for the token is in the fragment. `about` creates nothing.
Only `open`, `knock` and `device` write, each on a click.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import msgspec

from sharegate.audit.events import Action
from sharegate.audit.interfaces import Recorder
from sharegate.errors import Denied, Reason
from sharegate.limits import Buckets, Rate, network
from sharegate.names import clean_name
from sharegate.shares.addresses import GateAddresses
from sharegate.shares.authenticate import Authenticator, new_secret
from sharegate.shares.conditions import Need, closed, missing, outside
from sharegate.shares.coowners import bind, unbind
from sharegate.shares.interfaces import ShareStore
from sharegate.shares.model import Link, LinkKind, Role, Share, Visit, VisitKind
from sharegate.visits import told
from sharegate.visits.devices import Devices
from sharegate.visits.entry import Comer, Entry, Waiting
from sharegate.visits.knocking import Knocking
from sharegate.visits.mailed import Mailed, asked
from sharegate.visits.more_time import MoreTime
from sharegate.visits.proving import NOTHING, Proof, Proofs, Shown
from sharegate.visits.reporting import Reporting
from sharegate.visits.signing import Returned, Signing
from sharegate.visits.threshold import AT_A_LINK, FAILURES, JOINS, Threshold
from sharegate.visits.unrecorded import KEY_REFUSED, REPLACED

# Each visit is a record that is kept: leaving and opening again does not fill the store.
NEW_VISITS = Rate(per=2000, seconds=86400, burst=2000)


class Door:
    """Lets people in, or has them wait."""

    def __init__(
        self,
        store: ShareStore,
        authenticator: Authenticator,
        trail: Recorder,
        addresses: GateAddresses,
        now: Callable[[], float],
        *,
        role_sentence: Callable[[Role], str],
        key: bytes,
        proofs: Iterable[Proof] = (),
        mailed: Mailed | None = None,
        signing: Signing | None = None,
        full_addresses: bool = False,
        shared_origin: bool = False,
        reporting: Reporting | None = None,
        more_time: MoreTime | None = None,
        joins: Rate = JOINS,
        at_a_link: Rate = AT_A_LINK,
        failures: Rate = FAILURES,
        new_visits: Rate = NEW_VISITS,
        pace: Callable[[], float] | None = None,
    ) -> None:
        """`proofs` are the ways to show what links ask for, beside a code that is `mailed`. `key` is a secret that all
        gates of a store have. `pace` is the clock of the limits, where that is another than the time of day."""
        self._at = Threshold(
            store,
            authenticator,
            trail,
            addresses,
            now,
            full_addresses=full_addresses,
            joins=joins,
            at_a_link=at_a_link,
            failures=failures,
            pace=pace,
        )
        self._mailed = mailed
        self._signing = signing
        self._more_time = more_time or MoreTime(store, trail, now, pace=pace)
        self._reporting = reporting or Reporting(store, trail, now, full_addresses=full_addresses, pace=pace)
        self._proofs = Proofs([*proofs, *(each for each in (mailed, signing) if each is not None)])
        self._role_sentence = role_sentence
        self._full_addresses = full_addresses
        self._shared_origin = shared_origin
        self._new_visits = Buckets(new_visits, pace or now)
        self._knocking = Knocking(self._at, self._proofs, key)
        self._devices = Devices(self._at)
        self.knock_by_address = self._knocking.by_address
        self.knock_state = self._knocking.state
        self.device_code = self._devices.code
        self.open_device = self._devices.open

    # -- what the door's page asks --------------------------------------------------------------------------------

    async def about(self, token: str, comer: Comer) -> dict[str, object]:
        """What a link is, for its holder: who shares what, until when, what it asks for, and what opening it would do
        now. From outside its networks, only who shares."""
        at = self._at
        share, link, current = await at.by_link(token, comer, cost=0.25)
        if outside(link, comer.address):
            return told.outside(share)
        why, since = told.ended(share, link, current, at.now())
        needs = missing(link, await at.visit_of(link, comer))
        if why in ("paused", "suspended"):
            state = "paused"
        elif why:
            state = "ended"
        elif closed(link, comer.address, at.now()) is Reason.NOT_YET:
            state = "not_yet"
        else:
            state = await at.seat_state(link, comer)
        role = min(link.role or share.role, share.role, key=list(Role).index)
        return {
            **told.whole(share, link, hidden=bool({Need.PASSPHRASE, Need.EMAIL, Need.ACCOUNT} & {*needs})),
            "state": state,
            "needs": [need.value for need in needs],
            "mail": asked(link) if Need.EMAIL in needs else {},
            "account": self._signing.about(link, comer) if self._signing and Need.ACCOUNT in needs else {},
            "opens": link.not_before if state == "not_yet" else 0.0,
            "role": role.value,
            "role_sentence": told.role(comer.language, role, self._role_sentence(role)),
            "ended_by": share.owner if why in ("revoked", "replaced", "paused") else "",
            "ended_at": since,
            "ended_why": why,
            "time": await self._time(share, link, comer) if why == "expired" else "",
            "shared_origin": self._shared_origin,
            "recorded": told.recorded(
                comer.language,
                needs,
                full_addresses=self._full_addresses,
                coowners=any(each.coowner for each in await at.store.links(share.id)),
            ),
        }

    async def open(self, token: str, name: str, comer: Comer, shown: Shown = NOTHING) -> Entry:
        """A click on Open: the first browser gets in, the same browser comes back into the same visit. Whoever is in
        and lacks what the link asks for by now shows it here.

        Raises Denied: `link_in_use` (one person's link, another browser), `seats_taken`, why it ended, what the link
        asks for, limits.
        """
        at = self._at
        share, link, current = await at.arrive(token, comer)
        if not current:
            raise Denied(Reason.LINK_REPLACED)
        at.authenticator.check_standing(share, link)
        mine = await at.visit_of(link, comer)
        needs = missing(link, mine)
        preview = link.kind is LinkKind.PREVIEW
        kind = VisitKind.PREVIEW if preview else VisitKind.BROWSER
        visit_name = (share.owner if preview else link.name or clean_name(name)) if mine is None else mine.name
        visit, cookie, browser = at.new_visit(share, link, comer, kind, visit_name)
        try:
            at.check_open(link, comer)
            # No code is spent in vain.
            if Need.EMAIL in needs and Need.APPROVAL not in needs:
                await self._check_place(share, link, comer)
            if mine is None and (wait := self._new_visits.wait(link.id)):
                raise Denied(Reason.JOIN_LIMIT, "new visits", wait=wait)
            whose = replace(comer, visit=(mine or visit).id)
            proving = self._proofs.prove(link, needs, shown, whose, known=mine is not None)
            proved = await at.unrecorded.whole(proving)
        except Denied as denied:
            await at.refused(share, link, comer, denied)
            raise
        if mine is not None:
            return await at.reenter(share, mine, comer, proved=proved)
        self._new_visits.take(link.id, 1, Reason.JOIN_LIMIT)
        visit = msgspec.structs.replace(visit, **proved)
        visit = await at.unrecorded.whole(self._opened(token, share, link, comer, visit))
        return at.entry(share, visit, cookie, browser)

    async def _opened(self, token: str, share: Share, link: Link, comer: Comer, visit: Visit) -> Visit:
        at = self._at
        await at.unrecorded.settle()
        try:
            link = await at.still(token, comer, visit)
        except Denied as denied:
            await at.refused(share, link, comer, denied)
            raise
        seats = 1 if link.kind is LinkKind.PREVIEW else link.visits
        try:
            opened = await at.store.open_visit(visit, seats=seats)
        except Denied as denied:
            if denied.reason is not Reason.SEATS_TAKEN:  # revoked, in this moment
                raise
            reason = denied.reason if link.kind is LinkKind.OPEN else Reason.LINK_IN_USE
            await at.record(Action.LINK_REFUSED, share, link, comer, reason=reason)
            raise Denied(reason, recorded=True) from None
        async with at.unrecorded.taken_back(lambda: at.give_back(opened)):
            await at.record(Action.LINK_JOINED, share, link, comer, visit=opened)
        try:
            await at.current(token)
        except Denied as denied:
            # While it was written, its key was refused, and all that came by it were ended but this one; or somebody
            # replaced the link, to keep out whoever was not in by then.
            why = REPLACED if denied.reason is Reason.LINK_REPLACED else KEY_REFUSED
            await at.store.end_visits([opened.id], at=at.now(), reason=why)
            if link.coowner_browser != opened.browser_hash:  # marked meanwhile, for whoever was in
                await unbind(at.store, opened)
            await at.record(Action.VISIT_ENDED, share, link, comer, visit=opened, detail=why)
            raise
        await bind(at.store, opened)
        return opened

    async def knock_by_link(
        self, token: str, name: str, same_person: bool, comer: Comer, shown: Shown = NOTHING
    ) -> Waiting:
        """Knock with a link (knocking.py)."""
        return await self._knocking.by_link(token, name, same_person, comer, shown)

    async def send_code(self, token: str, email: str, comer: Comer, shown: Shown = NOTHING) -> tuple[str, str]:
        """A click on "Send me a code": to whom it goes, as the page may show it, and the value of the browser's cookie.
        Where a passphrase is asked for, too, no mail goes out for whoever does not show it.

        Raises Denied as `open` does, and: `bad_body` (the link asks for no address), `other_domain`, `mail_limit`,
        `mail_unavailable`.
        """
        at = self._at
        share, link, current = await at.arrive(token, comer)
        if not current:
            raise Denied(Reason.LINK_REPLACED)
        at.authenticator.check_standing(share, link)
        mine = await at.visit_of(link, comer)
        needs = missing(link, mine)
        if Need.EMAIL not in needs:
            raise Denied(Reason.BAD_BODY, "no address is asked for")
        if self._mailed is None:
            raise Denied(Reason.MAIL_UNAVAILABLE, "this gate has no mail")
        browser = comer.browser or new_secret()
        try:
            at.check_open(link, comer)
            if Need.APPROVAL not in needs:
                await self._check_place(share, link, comer)
            comer = replace(comer, browser=browser, visit=mine.id if mine is not None else "")
            first = [need for need in needs if need is Need.PASSPHRASE]
            await at.unrecorded.whole(self._proofs.prove(link, first, shown, comer, known=mine is not None))
            sending = self._mailed.send(share, link, email, comer)
            return await at.unrecorded.whole(sending), browser
        except Denied as denied:
            await at.refused(share, link, comer, denied)
            raise

    async def sign(self, token: str, comer: Comer, *, again: bool) -> tuple[str, str, str]:
        """A click on "Sign in": the provider's address, the value of the cookie that waits for the answer, and of the
        browser's. Denied as `open` does, and: `bad_body` (the link asks for no account), `sign_in_unavailable`."""
        at = self._at
        share, link, current = await at.arrive(token, comer)
        if not current:
            raise Denied(Reason.LINK_REPLACED)
        at.authenticator.check_standing(share, link)
        if Need.ACCOUNT not in missing(link, await at.visit_of(link, comer)):
            raise Denied(Reason.BAD_BODY, "no account is asked for")
        if self._signing is None:
            raise Denied(Reason.SIGN_IN_UNAVAILABLE, "this gate has no provider of accounts")
        try:
            at.check_open(link, comer)
        except Denied as denied:
            await at.refused(share, link, comer, denied)
            raise
        browser = comer.browser or new_secret()
        url, waiting = await self._signing.begin(link, token, replace(comer, browser=browser), again=again)
        return url, waiting, browser

    def onward(self, state: str) -> str:
        """Where an answer of the provider goes that came to the gate's own host: a share's origin, or ""."""
        return self._signing.onward(state) if self._signing is not None else ""

    async def signed(self, kept: str, answer: Mapping[str, str], comer: Comer) -> Returned:
        """A browser comes back from the provider. Denied: `sign_in_failed`, `sign_in_unavailable`, `join_limit`."""
        if self._signing is None:
            raise Denied(Reason.NOT_FOUND)
        if not kept:
            self._at.failures.take(network(comer.address), 1, Reason.CREDENTIAL_LIMIT)
        return await self._at.unrecorded.whole(self._signing.finish(kept, answer, comer))

    async def more_time(self, token: str, comer: Comer) -> tuple[str, str]:
        """Of whoever has the link, when it has expired or will. How it stands then, and the value of the browser's
        cookie, by which the answer is told. Raises Denied as MoreTime does, and `link_replaced`."""
        share, link, current = await self._at.arrive(token, comer)
        if not current:
            raise Denied(Reason.LINK_REPLACED)
        comer = replace(comer, browser=comer.browser or new_secret())
        mine = await self._held(link, comer)
        return await self._more_time.ask(share, link, mine, comer.browser_hash, comer.address), comer.browser

    async def _time(self, share: Share, link: Link, comer: Comer) -> str:
        return await self._more_time.state(share, link, await self._held(link, comer), comer.browser_hash)

    async def _held(self, link: Link, comer: Comer) -> Visit | None:
        """The visit that this browser has or had by this link until it expired."""
        if not comer.browser:
            return None
        visits = await self._at.store.visits(link.share, link=link.id, open_only=True)
        return next((visit for visit in visits if visit.browser_hash == comer.browser_hash), None)

    async def report(self, token: str, concern: str, text: str, comer: Comer) -> None:
        """Of whoever has the link, however it stands. Raises Denied: `outside_networks`, and as Reporting does."""
        at = self._at
        share, link, _ = await at.arrive(token, comer)
        mine = await at.visit_of(link, comer)
        await self._reporting.report(share, link, mine, comer.address, concern, text)

    async def _check_place(self, share: Share, link: Link, comer: Comer) -> None:
        """Whether somebody who has no visit would find a place. Denied: `link_in_use`, `seats_taken`."""
        state = await self._at.seat_state(link, comer)
        if state in ("in_use", "full"):
            reason = Reason.LINK_IN_USE if state == "in_use" else Reason.SEATS_TAKEN
            await self._at.record(Action.LINK_REFUSED, share, link, comer, reason=reason)
            raise Denied(reason, recorded=True)

    async def finished(self) -> None:
        """Wait for what those who hung up began."""
        await self._at.unrecorded.finished()
        await self._reporting.finished()
        await self._more_time.finished()
        if self._mailed is not None:
            await self._mailed.finished()
