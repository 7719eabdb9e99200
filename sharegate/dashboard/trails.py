"""The history as a whole: verify it, anchor it, write it out, and let go of what identifies people when it is time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

import msgspec

from sharegate.audit.erasure import Erasure
from sharegate.audit.interfaces import Query
from sharegate.dashboard.asking import Only
from sharegate.dashboard.belonging import Of
from sharegate.dashboard.bodies import number, read_query
from sharegate.dashboard.queries import Days, Export, Verify
from sharegate.dashboard.routes import Route
from sharegate.dashboard.shapes import kept
from sharegate.errors import Invalid, Refused, SharegateError
from sharegate.shares.api_tokens import ApiCapability as Can

log = logging.getLogger("sharegate.dashboard")

DAY = 86400.0
_AHEAD = (0.0, 1.0, 7.0, 30.0)
_FORMATS = ("jsonl", "csv")


class AnchorBody(msgspec.Struct, forbid_unknown_fields=True):
    """`to`: a file to append to, absolute; "" only answers."""

    to: str = ""


class RetentionBody(msgspec.Struct, forbid_unknown_fields=True):
    """`clock_is_right`: the owner has looked, though the clock leapt."""

    clock_is_right: bool = False


class WholeHistory(Protocol):
    """What audit/ offers for the trail as a whole."""

    async def newest(self) -> float | None: ...

    async def verify(self, anchors: Path | None) -> dict[str, Any]:
        """Raises Invalid for a file that holds no anchor."""

    async def anchor(self, to: Path | None) -> dict[str, Any]:
        """A signed checkpoint of all heads, appended to a file. Raises Invalid when that cannot be written."""

    async def export(self, query: Query, form: str, cursor: str) -> tuple[list[str], str, int]:
        """A page of lines, the cursor of the next ("" at the end), and how many events that was."""


class Forgetting(Protocol):
    async def erase(self, query: Query) -> int: ...


class Clock(Protocol):
    """What audit/ offers to tell a right clock from a wrong one."""

    @property
    def note(self) -> str: ...

    async def begin(self) -> None: ...

    async def settled(self) -> bool: ...

    async def check(self) -> None:
        """Raises Refused while it is not believed."""


class Trails:
    """`audit/verify`, `audit/anchor`, `audit/export`, `audit/retention`."""

    def __init__(
        self,
        *,
        history: WholeHistory,
        erasure: Erasure,
        store: Forgetting,
        retention_days: int,
        anchor_file: Path | None,
        anchor_minutes: int,
        now: Callable[[], float],
        apart: Callable[[str, Path], Awaitable[None]],
        clock: Clock,
    ) -> None:
        """`apart` raises Invalid for a field's file that visitors would read."""
        self._history = history
        self._erasure = erasure
        self._store = store
        self._days = retention_days
        self._anchor_file = anchor_file
        self._anchor_every = anchor_minutes * 60.0
        self._now = now
        self._apart = apart
        self.clock = clock
        self._last: float | None = None

    def table(self) -> list[Route]:
        return [
            Route(
                "GET",
                "audit/verify",
                self._verify,
                "Whether the history is as it was written",
                Can.TRAIL_READ,
                kept.Verdict,
                query=Verify,
                private=("anchors",),
            ),
            Route(
                "POST",
                "audit/anchor",
                self._anchor,
                "Sign the ends of the history",
                Can.TRAIL_READ,
                kept.Anchored,
                body=AnchorBody,
                private=("to",),
                of=Of.WHOLE,
            ),
            Route(
                "GET",
                "audit/export",
                self._export,
                "The history as lines, page by page",
                Can.TRAIL_READ,
                kept.Exported,
                query=Export,
                of=Of.WHOLE,
            ),
            Route(
                "GET",
                "audit/retention",
                self._retention,
                "What identifies people in the history, and when it leaves",
                Can.TRAIL_READ,
                kept.Retention,
                query=Days,
                of=Of.WHOLE,
            ),
            Route(
                "POST",
                "audit/retention",
                self._let_go,
                "Let go of what is due",
                Only.PERSON,
                kept.LetGo,
                body=RetentionBody,
                of=Of.WHOLE,
            ),
        ]

    async def begin(self) -> None:
        """Look at what was recorded last, before anything else is."""
        self._last = await self._history.newest()
        await self.clock.begin()

    def clock_note(self) -> str:
        """What a start says when the clock was set back since the last entry (its entries will look older than they
        are), or is too far ahead to be believed."""
        if self.clock.note:
            return self.clock.note
        behind = (self._last or 0.0) - self._now()
        return f"; the clock is {behind / 60:.0f} minutes behind the newest entry" if behind > 60 else ""

    async def let_go(self) -> int:
        """Erase what is older than the retention. Once an hour while a gate runs."""
        return await self._store.erase(Query(until=self._now() - self._days * DAY))

    async def run(self) -> None:
        """Where the settings name a file: an anchor at the start and every so often, until cancelled."""
        while self._anchor_file is not None:
            try:
                await self._history.anchor(self._anchor_file)
            except SharegateError as error:  # fails open: visitors are not kept out; `doctor` says that anchors are old
                log.warning("the history could not be anchored: %s", error)
            except Exception:  # fails open, in the same way
                log.exception("anchoring the history")
            await asyncio.sleep(self._anchor_every)

    async def _verify(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        named = query.get("anchors", "")
        configured = self._anchor_file if self._anchor_file is not None and self._anchor_file.exists() else None
        return await self._history.verify(_absolute("anchors", named) if named else configured)

    async def _anchor(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        asked = msgspec.convert(body, AnchorBody)
        to = _absolute("to", asked.to) if asked.to else None
        if to is not None:
            await self._apart("to", to)
        return await self._history.anchor(to)

    async def _export(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        form = query.get("format", "jsonl")
        if form not in _FORMATS:
            raise Invalid("format", f"{form!r} is no format", "Choose jsonl or csv")
        lines, cursor, events = await self._history.export(read_query(query), form, query.get("cursor", ""))
        return {"lines": lines, "next": cursor, "events": events}

    async def _retention(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        days = number(query, "days", "Give a number of days") or self._days
        now = self._now()
        held = await self._erasure.held(tuple(now - days * DAY + ahead * DAY for ahead in _AHEAD))
        due, day, week, month = held.older
        return {
            "retention_days": days,
            "entries": held.entries,
            "oldest": held.oldest,
            "first_leaves": held.oldest + days * DAY if held.oldest is not None else None,
            "due": due,
            "within_a_day": day,
            "within_a_week": week,
            "within_a_month": month,
            "clock": now,
            "clock_doubted": await self._doubted(),
        }

    async def _doubted(self) -> bool:
        try:
            await self.clock.check()
        except Refused:
            return True
        return False

    async def _let_go(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        if not msgspec.convert(body, RetentionBody).clock_is_right:
            await self.clock.check()
        return {"retention_days": self._days, "erased": await asyncio.shield(self.let_go())}


def _absolute(field: str, text: str) -> Path:
    path = Path(text)
    if not path.is_absolute():
        raise Invalid(field, "is not an absolute path", "Begin it with /")
    return path
