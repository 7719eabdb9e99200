"""A trail that tells somebody of each event once it is recorded, for the owner's live screen; and that writes nothing
about who was forgotten."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

import msgspec

from sharegate.audit.erasure import ERASED
from sharegate.audit.events import AuditEvent
from sharegate.audit.trail import Trail
from sharegate.errors import Reason
from sharegate.shares.model import Visit

log = logging.getLogger("sharegate.audit")

# Who opens the address of a page with these has not the cookie that belongs to it.
_ELSEWHERE = frozenset({Reason.NO_CREDENTIAL, Reason.BAD_CREDENTIAL, Reason.OTHER_VISIT})


class Visits(Protocol):
    """The records of visits (shares/interfaces.py)."""

    async def visit(self, id: str) -> Visit | None: ...


class Announcing:
    """Implements Recorder over a Trail. A listener's fault is logged and never reaches who records.

    Of a visit whose person was erased nothing that identifies them is written any more. They may have been erased at
    another gate: what is still open here, and writes when it closes, knows them by the name they came with, and so
    does what waits to be written.
    """

    def __init__(self, trail: Trail, visits: Visits) -> None:
        self._trail = trail
        self._visits = visits
        self._listeners: list[Callable[[AuditEvent], None]] = []
        trail.looked_over(self._bare)

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
        event = await self._trail.recorded(await self._bare(event), durable=durable)
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:  # fails open: the event is recorded, only the screen misses it
                log.exception("announcing %s", event.action.value)

    async def _bare(self, event: AuditEvent) -> AuditEvent:
        visit = await self._visits.visit(event.visit) if event.visit else None
        if visit is not None and _forgotten(visit):
            return msgspec.structs.replace(event, name="", address="", agent="")
        return event

    async def stranger_denied(
        self, reason: Reason, address: str, agent: str = "", detail: str = "", *, page: tuple[str, str] | None = None
    ) -> None:
        """`page`: share and visit of the address that was opened. Where there is such a visit, and somebody else opened
        it, the refusal is told as an attempt at it."""
        visit = await self._visits.visit(page[1]) if page is not None and reason in _ELSEWHERE else None
        if visit is None or page is None or visit.share != page[0]:
            await self._trail.stranger_denied(reason, address, agent, detail=detail)
            return
        await self._trail.stranger_denied(
            reason, address, agent, detail=detail, share=visit.share, link=visit.link, came_from=visit.id
        )


def _forgotten(visit: Visit) -> bool:
    """Ended by the erasure, or over before and blanked by it."""
    return visit.ended is not None and (visit.ended_reason == ERASED or not (visit.name or visit.address))
