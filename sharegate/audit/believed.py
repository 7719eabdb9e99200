"""Whether the clock is believed when something is to be let go of for good. Kept in the history itself, so that a
restart under a wrong clock does not make it right: such a start says so in its entry, and counts for nothing."""

from __future__ import annotations

import time
from collections.abc import Callable

from sharegate.audit.chain import opened
from sharegate.audit.events import Action, AuditEvent
from sharegate.audit.interfaces import AuditStore, Query, Recorder, Sealed
from sharegate.audit.steady import LEAP_SECONDS, Steady
from sharegate.errors import Refused

DOUBTED = "; the clock is not believed for an hour: it is more than 7 days ahead of the last start"
_LOOKED_AT = 100


class Believed:
    """`begin` at a gate's start, then `settled` once an hour; `check` whenever somebody asks."""

    def __init__(
        self,
        store: AuditStore,
        trail: Recorder,
        now: Callable[[], float],
        ticking: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._trail = trail
        self._now = now
        self._steady = Steady(now, None, ticking)
        self._running = self._asked = self.doubted = False

    async def begin(self) -> None:
        """Before anything else is recorded. StoreUnavailable."""
        self.doubted = not await self._stands()
        self._running = True

    @property
    def note(self) -> str:
        """What the entry of a start says behind its address."""
        return DOUBTED if self.doubted else ""

    async def settled(self) -> bool:
        """Once at the start and every hour: whether what is due may go. StoreUnavailable."""
        leapt, first = self._steady.leapt(), not self._asked
        self._asked = True
        if leapt:
            self.doubted = True
        elif self.doubted and not first:
            await self._trail.record(AuditEvent(action=Action.CLOCK_BELIEVED, actor="gate"))
            self.doubted = False
        return not self.doubted

    async def check(self) -> None:
        """Raises Refused(`clock_doubted`), StoreUnavailable."""
        believed = not (self.doubted or self._steady.ahead > LEAP_SECONDS) if self._running else await self._stands()
        if not believed:
            raise Refused(
                "clock_doubted",
                "the clock is more than 7 days ahead of what it last was",
                "If the date is right, say so (--clock-is-right), or leave it to a gate that has run for an hour",
            )

    async def _stands(self) -> bool:
        """Whether a gate started in the days before now, or in what is still to come, and was believed; or none ever
        did. What a gate recorded before its clock was set back to another week counts for nothing."""
        then = self._now() - LEAP_SECONDS
        for action in (Action.GATE_STARTED, Action.CLOCK_BELIEVED):
            asked = Query(action=action.value, since=then, newest_first=True, limit=_LOOKED_AT)
            for sealed in await self._store.read(asked):
                later = Query(writer=sealed.writer, after_seq=sealed.seq, until=then, limit=1)
                if not _doubtful(sealed) and not await self._store.read(later):
                    return True
        return not await self._store.read(Query(action=Action.GATE_STARTED.value, newest_first=True, limit=1))


def _doubtful(sealed: Sealed) -> bool:
    event = opened(sealed)
    # Fails closed: an altered entry makes no clock right.
    return event.action is Action.TRAIL_UNREADABLE or DOUBTED in event.detail
