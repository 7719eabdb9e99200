"""What happens around the changes that visitors make to documents: the role as it is now, the record, the refusals."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from sharegate.audit.events import Action, AuditEvent, Outcome
from sharegate.audit.interfaces import Recorder
from sharegate.channels.guard import Judged
from sharegate.channels.member import Member
from sharegate.channels.room import Room
from sharegate.errors import Denied, Reason
from sharegate.keeping import Keeping
from sharegate.limits import Buckets, Folding, Rate
from sharegate.shares.authenticate import Authenticator
from sharegate.shares.interfaces import ShareStore
from sharegate.shares.model import Capability, Grant, Role
from sharegate.visits.names import Names

REFUSALS = 3
# An honest page can send what is too large. Each costs little, as it is not looked into; without end is no accident.
OVERSIZED = 6
# What one visit may have judged on all its connections together: a quarter of a second in eight, for a hostile one.
CHANGES = Rate(1024 * 1024, 1, 64 * 1024 * 1024)
LEAST = 4096  # what a change counts at least: it goes to everybody, however small
REFUSALS_SECONDS = 60.0
FOLD_SECONDS = 10.0


class Editing:
    """Implements channels.steward.Steward. Three refused changes within a minute end a visit's right to write, or six
    that were only too large."""

    def __init__(
        self,
        *,
        authenticator: Authenticator,
        store: ShareStore,
        names: Names,
        trail: Recorder,
        keeping: Keeping,
        now: Callable[[], float],
        writing_ended: Callable[[str], None] = lambda _: None,
        judged: Callable[[], None] = lambda: None,
    ) -> None:
        self._authenticator = authenticator
        self._store = store
        self._names = names
        self._trail = trail
        self._keeping = keeping
        self._now = now
        self._writing_ended = writing_ended
        self._judged = judged
        self._refusals: dict[tuple[str, int], deque[float]] = {}
        self._changes = Buckets(CHANGES, now)
        self._corrections = Folding(FOLD_SECONDS, now)

    async def allowed(self, grant: Grant) -> Grant:
        again = await self._authenticator.again(grant)
        if again.allows(Capability.ROOMS_WRITE):
            self._keeping.check()
        return again

    def identity(self, grant: Grant) -> Mapping[str, Any]:
        return self._names.identity(grant)

    def heard(self, upstream: str, username: str, name: str) -> None:
        self._names.heard(upstream, username, name)

    def ration(self, grant: Grant, cost: int) -> None:
        self._changes.take(grant.visit.id, max(cost, LEAST), Reason.BYTES_LIMIT)

    def charge(self, grant: Grant, cost: int) -> None:
        # Into debt: or the same change could be sent again at once.
        self._changes.spend(grant.visit.id, cost)
        self._changes.check(grant.visit.id, Reason.BYTES_LIMIT)

    async def first_write(self, room: Room, member: Member) -> None:
        await self._trail.record(_event(Action.DOCUMENT_WRITTEN, room, member))
        await self._keeping.begin(room, member.grant)

    def followed(self, room: Room, update: bytes) -> None:
        self._keeping.followed(room, update)

    async def changed(self, room: Room, member: Member, update: bytes, judged: Judged) -> None:
        self._judged()
        # Before anything waits: the log has changes in the order in which the document took them.
        self._keeping.changed(room, member.grant.visit.id, update, judged)
        for fact in judged.corrected:
            count = self._corrections.due(f"{member.grant.visit.id} {fact}")
            if count:
                event = _event(Action.DOCUMENT_CORRECTED, room, member, detail=fact, count=count)
                await self._trail.record(event, durable=False)

    async def refused(self, room: Room, member: Member, denied: Denied) -> Denied:
        """Recorded before the channel closes; what the visitor is told is returned."""
        visit = member.grant.visit.id
        most = OVERSIZED if denied.reason is Reason.UPDATE_TOO_LARGE else REFUSALS
        last = self._refusals.setdefault((visit, most), deque(maxlen=most))
        last.append(self._now())
        ended = len(last) == most and last[-1] - last[0] < REFUSALS_SECONDS
        reason = Reason.WRITING_ENDED if ended else denied.reason
        await self._trail.record(
            _event(
                Action.DOCUMENT_REFUSED,
                room,
                member,
                outcome=Outcome.DENIED,
                reason=reason.value,
                detail=denied.detail,
            )
        )
        if not ended:
            return denied
        for each in (OVERSIZED, REFUSALS):
            self._refusals.pop((visit, each), None)
        # Before the role: the page loads itself again for either, and should say why.
        self._writing_ended(visit)
        await self._store.change_visit(visit, role=Role.VIEW)
        return Denied(Reason.WRITING_ENDED, denied.detail)


def _event(action: Action, room: Room, member: Member, **more: Any) -> AuditEvent:
    grant = member.grant
    return AuditEvent(
        action=action,
        actor="visitor",
        share=grant.share.id,
        link=grant.link.id,
        visit=grant.visit.id,
        path=str(room.path or ""),
        name=grant.visit.name,
        **more,
    )
