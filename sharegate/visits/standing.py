"""Ends what is open when its share, link or visit no longer stands: at a change at once, at an expiry within a second.

Fails closed: a visit whose standing cannot be read ends too.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
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
        """One grant per visit that has something open, as it was when the thing was opened."""

    def cut(self, *, visit: str, reason: Reason) -> int:
        """Cut everything of a visit, synchronously; how many."""


class RootChecks(Protocol):
    async def check_share_root(self, grant: Grant) -> None:
        """Denied(`root_changed`) after suspending the share."""


class Standing:
    """Watches over everything that is open."""

    def __init__(
        self,
        authenticator: Authenticator,
        things: OpenThings,
        roots: RootChecks,
        trail: Recorder,
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
        while True:
            await asyncio.sleep(every)
            for grant in self._things.grants():
                await self._judge(grant, look_at_root=True)

    async def _look(self, change: Change) -> None:
        for grant in self._things.grants():
            if change.id in (grant.share.id, grant.link.id, grant.visit.id):
                await self._judge(grant, look_at_root=False)
                self._wake(grant.share.id)

    async def _judge(self, grant: Grant, *, look_at_root: bool) -> None:
        try:
            await self._authenticator.again(grant)
            if look_at_root:
                await self._roots.check_share_root(grant)
            return
        except Denied as denied:
            reason = denied.reason
        except StoreUnavailable:  # fails closed
            reason = Reason.STORE_UNAVAILABLE
        except Exception:  # fails closed
            log.exception("standing of visit %s", grant.visit.id)
            reason = Reason.STORE_UNAVAILABLE
        count = self._things.cut(visit=grant.visit.id, reason=reason)
        if count:
            await self._record(grant, reason, count)

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
