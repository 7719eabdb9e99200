"""A person's own further devices: a code, shown on one, lets in the other."""

from __future__ import annotations

from sharegate.audit.events import Action, AuditEvent
from sharegate.errors import Denied, Reason
from sharegate.limits import network
from sharegate.shares.authenticate import check_visit, secret_hash
from sharegate.shares.conditions import NEEDED, missing
from sharegate.shares.model import ALPHABET, DeviceCode, Grant, Link, Share, Visit, VisitKind, new_id
from sharegate.visits.entry import Comer, Entry
from sharegate.visits.threshold import Threshold

DEVICE_CODE_SECONDS = 300.0


class Devices:
    """Makes codes and takes them."""

    def __init__(self, threshold: Threshold) -> None:
        self._at = threshold

    async def code(self, grant: Grant) -> tuple[str, float]:
        """An 8-character code by which the same person enters on another device, and when it stops to work."""
        self._at.joins.take("visit " + grant.visit.id, 5, Reason.JOIN_LIMIT)
        if grant.visit.kind is VisitKind.PREVIEW or grant.link.devices == 0:
            raise Denied(Reason.DEVICES_TAKEN, "no devices on this link")
        owner_visit = grant.visit.came_from if grant.visit.kind is VisitKind.DEVICE else grant.visit.id
        code = new_id(8).upper()
        expires = min(self._at.now() + DEVICE_CODE_SECONDS, grant.expires)
        made = DeviceCode(code_hash=secret_hash(code), visit=owner_visit, expires=expires)
        await self._at.unrecorded.whole(self._code_made(grant, made))
        return code, expires

    async def _code_made(self, grant: Grant, code: DeviceCode) -> None:
        await self._at.store.add_device_code(code)
        await self._at.trail.record(
            AuditEvent(
                action=Action.DEVICE_CODE_MADE,
                actor="visitor",
                share=grant.share.id,
                link=grant.link.id,
                visit=grant.visit.id,
                name=grant.visit.name,
            )
        )

    async def open(self, code: str, comer: Comer) -> Entry:
        """Enter with a device code: one use, five minutes."""
        at, place = self._at, network(comer.address)
        at.joins.take(place, 1, Reason.JOIN_LIMIT)
        at.failures.check(place, Reason.JOIN_LIMIT)
        code = "".join(character for character in code.upper() if character.isalnum())
        record = None
        if len(code) == 8 and set(code.lower()) <= set(ALPHABET):
            record = await at.store.device_code(secret_hash(code))
        origin = await at.store.visit(record.visit) if record else None
        share = await at.store.share(origin.share) if origin else None
        link = await at.store.link(origin.link) if origin else None
        if origin is None or share is None or link is None or comer.share not in ("", share.id):
            at.failures.spend(place, 2)
            raise Denied(Reason.DEVICE_CODE_INVALID)
        await at.check_inside(share, link, comer)
        at.authenticator.check_standing(share, link)
        check_visit(origin, at.now())
        try:
            at.check_open(link, comer)
            # A device has what the visit has proved from which it comes.
            for need in missing(link, origin):
                raise Denied(NEEDED[need], "the visit that the code is of")
        except Denied as denied:
            await at.refused(share, link, comer, denied)
            raise
        # Name, role, origin and end are those of the code's visit: the store sets them.
        visit, cookie, browser = at.new_visit(share, link, comer, VisitKind.DEVICE, origin.name)
        visit = await at.unrecorded.whole(self._added(share, link, comer, visit, code, origin))
        return at.entry(share, visit, cookie, browser)

    async def _added(self, share: Share, link: Link, comer: Comer, visit: Visit, code: str, origin: Visit) -> Visit:
        at = self._at
        await at.unrecorded.settle()
        try:
            added = await at.store.spend_device_code(secret_hash(code), visit, at=at.now(), devices=link.devices)
        except Denied:
            at.failures.spend(network(comer.address), 2)
            raise
        async with at.unrecorded.taken_back(lambda: at.give_back(added)):
            await at.record(Action.DEVICE_ADDED, share, link, comer, visit=added, came_from=origin.id)
        return added
