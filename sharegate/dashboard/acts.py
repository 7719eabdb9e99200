"""What the owner's verbs on shares, links and visits have in common: what they are about, what they end, and that they
are recorded."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from sharegate.audit.events import Action, AuditEvent, Outcome
from sharegate.audit.interfaces import Recorder
from sharegate.dashboard.asking import asker
from sharegate.dashboard.interfaces import Cutter
from sharegate.errors import NotFound
from sharegate.shares.interfaces import ShareStore
from sharegate.shares.model import Link, Share, Visit
from sharegate.visits.unrecorded import Back, Unrecorded


class Acts:
    """An act is stored, then recorded. `pages` says how many pages these visits have open."""

    def __init__(
        self,
        store: ShareStore,
        trail: Recorder,
        cutter: Cutter,
        pages: Callable[[list[str]], int],
        now: Callable[[], float],
    ) -> None:
        self._store = store
        self._trail = trail
        self._cutter = cutter
        self._pages = pages
        self._now = now
        self._unrecorded = Unrecorded()

    async def share(self, id: str) -> Share:
        """Raises NotFound."""
        share = await self._store.share(id)
        if share is None or not asker().has(share.owner):
            raise NotFound("share", id)
        return share

    async def shares(self) -> list[Share]:
        """Those that are whoever's asks to look at."""
        return [share for share in await self._store.shares() if asker().has(share.owner)]

    async def link(self, id: str) -> Link:
        """Raises NotFound."""
        link = await self._store.link(id)
        if link is None:
            raise NotFound("link", id)
        return link

    def before(self, visits: list[Visit], what: list[dict[str, str]]) -> Ending:
        """Counts who is really in: a visit whose time is over is nobody's any more."""
        now = self._now()
        inside = [visit for visit in visits if visit.ended is None and visit.expires > now]
        return Ending(self._cutter, what, len(inside), self._pages([visit.id for visit in inside]))

    def taken_back(self, back: Back) -> AbstractAsyncContextManager[None]:
        """Around the recording of what opens something: what cannot be recorded did not happen."""
        return self._unrecorded.taken_back(back)

    async def settle(self) -> None:
        """Before the next act. Raises StoreUnavailable while something is to be taken back that cannot be."""
        await self._unrecorded.settle()

    async def record(
        self,
        action: Action,
        *,
        share: Share,
        link: Link | None = None,
        visit: Visit | None = None,
        name: str = "",
        detail: str = "",
        failed: bool = False,
    ) -> None:
        await self._trail.record(
            AuditEvent(
                action=action,
                outcome=Outcome.FAILED if failed else Outcome.ALLOWED,
                actor="owner",
                share=share.id,
                link=link.id if link else visit.link if visit else "",
                visit=visit.id if visit else "",
                name=name,
                detail=detail,
            )
        )


class Ending:
    """What was open before a verb, and how long it took until all of that was closed."""

    def __init__(self, cutter: Cutter, what: list[dict[str, str]], visits: int, pages: int) -> None:
        self._cutter = cutter
        self._what = what
        self._visits = visits
        self._pages = pages
        self._channels = sum(cutter.count(**each) for each in what)
        self._began = time.perf_counter()

    async def ended(self) -> dict[str, Any]:
        await asyncio.gather(*(self._cutter.drained(**each) for each in self._what))
        took = (time.perf_counter() - self._began) * 1000
        return {"visits": self._visits, "pages": self._pages, "channels": self._channels, "took_ms": round(took, 1)}
