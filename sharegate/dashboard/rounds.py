"""Looking for what may be wrong, one look at a time: a page that is left open asks again and again, and each look asks
every server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

Findings = list[dict[str, str]]
# So old may be what a page shows that asks by itself. Seconds.
RECENT = 60.0


@dataclass(frozen=True, slots=True)
class _Found:
    number: int
    at: float
    findings: Findings


class Rounds:
    """`look` finds everything anew; `pace` never goes back."""

    def __init__(self, look: Callable[[], Awaitable[Findings]], pace: Callable[[], float]) -> None:
        self._look = look
        self._pace = pace
        self._one = asyncio.Lock()
        self._begun = 0
        self._last: _Found | None = None

    async def findings(self, *, recent: bool = False) -> Findings:
        """What a look finds that began after this was asked, so that whatever was put right just now is seen. With
        `recent` one of the last minute will do."""
        begun = self._begun
        async with self._one:
            last = self._last
            # Whoever waited here is served by the look that began meanwhile.
            if last is not None and (last.number > begun or (recent and self._pace() - last.at < RECENT)):
                return last.findings
            self._begun += 1
            number, at = self._begun, self._pace()
            findings = await self._look()
            self._last = _Found(number, at, findings)
            return findings
