"""Denials of strangers, counted: whoever has no link may knock at every address of the gate all day.

The first refusal of a kind (network, reason, and whose page it was) is written down at once; what follows of that kind
within a minute becomes one row with a count. Rows a day are limited, and so is the memory: past either, only one total
a minute remains. Every refusal is counted somewhere. The trail of what visitors do is never crowded out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from sharegate.audit.bounds import bounded, truncated
from sharegate.audit.events import Action, AuditEvent, Outcome

WINDOW = 60.0
_DAY = 86400.0
FURTHER = "further refusals"
TOTAL = "refusals beyond what is listed"


@dataclass(slots=True)
class _Kind:
    started: float
    summary: AuditEvent
    more: int = 0


@dataclass(slots=True)
class Strangers:
    """Decides which refusals become rows. Holds no store; the caller records what is returned."""

    clock: Callable[[], float]
    rows_a_day: int = 10_000
    kinds_at_once: int = 4096
    _kinds: dict[tuple[str, str, str], _Kind] = field(default_factory=dict)
    _day: int = 0
    _rows: int = 0
    _others: int = 0
    _others_since: float = 0.0

    def denied(self, event: AuditEvent) -> AuditEvent | None:
        """Count one refusal; its event when it is the first of its kind, else None."""
        now = self.clock()
        key = (truncated(event.address), event.reason, event.came_from)
        kind = self._kinds.get(key)
        if kind is not None:
            kind.more += 1
            return None
        if len(self._kinds) >= self.kinds_at_once or not self._may_add_row(now):
            self._count_others(1, now)
            return None
        self._kinds[key] = _Kind(now, _summary(event, 0, FURTHER))
        return event

    def due(self, *, everything: bool = False) -> list[AuditEvent]:
        """The summaries of the windows that are over; of all with `everything` (when the gate stops)."""
        now = self.clock()
        events = []
        for key, kind in list(self._kinds.items()):
            if not everything and 0 <= now - kind.started < WINDOW:
                continue
            if kind.more == 0:
                del self._kinds[key]
            elif self._may_add_row(now):
                events.append(msgspec.structs.replace(kind.summary, count=kind.more))
                self._kinds[key] = _Kind(now, kind.summary)
            else:
                self._count_others(kind.more, now)
                del self._kinds[key]
        if self._others and (everything or not 0 <= now - self._others_since < WINDOW):
            events.append(_summary(stranger_event("", ""), self._others, TOTAL))
            self._others = 0
        return events

    def _may_add_row(self, now: float) -> bool:
        day = int(now // _DAY)
        if day > self._day:
            self._day, self._rows = day, 0
        if self._rows >= self.rows_a_day:
            return False
        self._rows += 1
        return True

    def _count_others(self, count: int, now: float) -> None:
        if self._others == 0:
            self._others_since = now
        self._others += count


def stranger_event(
    reason: str, address: str, *, agent: str = "", method: str = "", path: str = "", status: int = 0, detail: str = ""
) -> AuditEvent:
    """The row of a first refusal."""
    return bounded(
        AuditEvent(
            action=Action.STRANGER_DENIED,
            outcome=Outcome.DENIED,
            actor="stranger",
            reason=reason,
            address=address,
            agent=agent,
            method=method,
            path=path,
            status=status,
            detail=detail,
        ),
        full_addresses=True,  # cut by the trail, which knows the setting
    )


def _summary(first: AuditEvent, count: int, detail: str) -> AuditEvent:
    event = stranger_event(first.reason, truncated(first.address), detail=detail)
    return msgspec.structs.replace(event, count=count, share=first.share, link=first.link, came_from=first.came_from)
