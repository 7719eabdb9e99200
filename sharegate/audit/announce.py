"""A trail that tells somebody of each event once it is recorded: for the owner's live screen."""

from __future__ import annotations

import logging
from collections.abc import Callable

from sharegate.audit.events import AuditEvent
from sharegate.audit.trail import Trail
from sharegate.errors import Reason

log = logging.getLogger("sharegate.audit")


class Announcing:
    """Implements Recorder over a Trail. A listener's fault is logged and never reaches who records."""

    def __init__(self, trail: Trail) -> None:
        self._trail = trail
        self._listeners: list[Callable[[AuditEvent], None]] = []

    def announce(self, listener: Callable[[AuditEvent], None]) -> None:
        self._listeners.append(listener)

    @property
    def waiting(self) -> int:
        return self._trail.waiting

    async def open(self) -> None:
        await self._trail.open()

    async def close(self) -> None:
        await self._trail.close()

    async def ready(self) -> None:
        await self._trail.ready()

    async def flush(self) -> None:
        await self._trail.flush()

    async def record(self, event: AuditEvent, *, durable: bool = True) -> None:
        await self._trail.record(event, durable=durable)
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:  # fails open: the event is recorded, only the screen misses it
                log.exception("announcing %s", event.action.value)

    async def stranger_denied(self, reason: Reason, address: str, *, agent: str = "", detail: str = "") -> None:
        await self._trail.stranger_denied(reason, address, agent=agent, detail=detail)
