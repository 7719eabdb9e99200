"""Ends what is open when its share, link or visit no longer stands, or no longer meets what its link asks for: at a
change at once, at an expiry within a second.

Fails closed: a visit whose standing cannot be read ends too.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from sharegate.audit.events import Action, AuditEvent, Outcome
from sharegate.audit.interfaces import Recorder
from sharegate.errors import Denied, Reason, StoreUnavailable
from sharegate.shares.authenticate import Authenticator
from sharegate.shares.interfaces import Change
from sharegate.shares.model import Grant

log = logging.getLogger("sharegate.standing")


class OpenThings(Protocol):
    """What is open (channels/registry.py)."""

    def grants(self) -> list[Grant]:
        """One grant for each address from which a visit has something open, as it was when the thing was opened."""

    def cut(self, *, visit: str, reason: Reason, peer: str | None = None) -> int:
        """Cut everything of a visit (with `peer`: everything from that address), synchronously; how many."""


class RootChecks(Protocol):
    async def check_share_root(self, grant: Grant) -> None:
        """Denied(`root_changed`) after suspending the share."""


class ReadyTrail(Recorder, Protocol):
    """The trail, which says whether it can be written."""

    async def ready(self) -> None:
        """StoreUnavailable unless the last record was written, or one can be now."""


class Standing:
    """Watches over everything that is open."""

    def __init__(
        self,
        authenticator: Authenticator,
        things: OpenThings,
        roots: RootChecks,
        trail: ReadyTrail,
        wake: Callable[[str], None],
    ) -> None:
        self._authenticator = authenticator
        self._things = things
        self._roots = roots
        self._trail = trail
        self._wake = wake
        self._tasks: set[asyncio.Task[None]] = set()

    def changed(self, change: Change) -> None:
        """Called by the store after each commit."""
        if change.kind not in ("share", "link", "visit"):
            return
        task = asyncio.get_running_loop().create_task(self._look(change))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def sweep(self, every: float = 1.0) -> None:
        """Until cancelled: expiry, and roots that were exchanged while somebody watches."""
        async with asyncio.TaskGroup() as both:
            both.create_task(self._for_ever(self._expiries, every))
            # Apart, for a disk that hangs must not keep an expired visit open.
            both.create_task(self._for_ever(self._root_looks, every))

    async def look(self) -> None:
        """What the next round would look at, now: after a sleep, or when the clock was set."""
        await self._expiries()

    @staticmethod
    async def _for_ever(work: Callable[[], Awaitable[None]], every: float) -> None:
        while True:
            await asyncio.sleep(every)
            try:
                await work()
            except Exception:  # fails closed: who is open stays watched in the next round
                log.exception("watching over what is open")

    async def _expiries(self) -> None:
        grants = self._things.grants()
        try:
            if grants:
                await self._trail.ready()
        except StoreUnavailable:  # fails closed: what cannot be recorded does not go on
            await self._cut([(grant, Reason.STORE_UNAVAILABLE) for grant in grants])
            return
        await self._judge(grants)

    async def _root_looks(self) -> None:
        """One look for all visits of a share."""
        by_share: dict[str, list[Grant]] = {}
        for grant in self._things.grants():
            by_share.setdefault(grant.share.id, []).append(grant)
        for grants in by_share.values():
            reason = await self._fault(grants[0], self._roots.check_share_root)
            if reason is not None:
                await self._cut([(grant, reason) for grant in grants])

    async def _look(self, change: Change) -> None:
        touched = [
            grant for grant in self._things.grants() if change.id in (grant.share.id, grant.link.id, grant.visit.id)
        ]
        for share in {grant.share.id for grant in touched}:
            self._wake(share)
        await self._judge(touched)

    async def _judge(self, grants: list[Grant]) -> None:
        found = [(grant, await self._fault(grant, self._authenticator.again)) for grant in grants]
        await self._cut([(grant, reason) for grant, reason in found if reason is not None])

    async def _cut(self, ended: list[tuple[Grant, Reason]]) -> None:
        """Cut all, then record it: the last one does not wait for the first one's record."""
        cut = [(grant, reason, self._cut_one(grant, reason)) for grant, reason in ended]
        await asyncio.gather(*(self._record(grant, reason, count) for grant, reason, count in cut if count))

    def _cut_one(self, grant: Grant, reason: Reason) -> int:
        # Where somebody asks from is no matter of the visit's: it goes on from elsewhere.
        peer = grant.peer if reason is Reason.OUTSIDE_NETWORKS else None
        return self._things.cut(visit=grant.visit.id, reason=reason, peer=peer)

    @staticmethod
    async def _fault(grant: Grant, check: Callable[[Grant], Awaitable[object]]) -> Reason | None:
        try:
            await check(grant)
        except Denied as denied:
            return denied.reason
        except StoreUnavailable:  # fails closed
            return Reason.STORE_UNAVAILABLE
        except Exception:  # fails closed
            log.exception("standing of visit %s", grant.visit.id)
            return Reason.STORE_UNAVAILABLE
        return None

    async def _record(self, grant: Grant, reason: Reason, count: int) -> None:
        try:
            await self._trail.record(
                AuditEvent(
                    action=Action.CHANNEL_CLOSED,
                    outcome=Outcome.DENIED,
                    actor="gate",
                    share=grant.share.id,
                    link=grant.link.id,
                    visit=grant.visit.id,
                    reason=reason.value,
                    count=count,
                    name=grant.visit.name,
                )
            )
        except StoreUnavailable:  # they are cut already; the trail is unhealthy and lets nobody else in
            log.warning("the end of %d channels could not be recorded", count)
