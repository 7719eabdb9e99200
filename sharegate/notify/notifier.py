"""Hears what is recorded, decides who is to be told, and hands messages on. Whatever fails here, the gate goes on."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from sharegate.audit.events import Action, AuditEvent, Outcome
from sharegate.audit.interfaces import Recorder
from sharegate.errors import StoreUnavailable
from sharegate.notify import words
from sharegate.notify.configured import Notices
from sharegate.notify.expiring import near
from sharegate.notify.interfaces import Sends
from sharegate.notify.joining import Joining
from sharegate.notify.model import ACTIONS, Audience, Happening, Kind
from sharegate.notify.sending import Carrier, State
from sharegate.shares.api_tokens import AskedOnce
from sharegate.shares.interfaces import ShareStore
from sharegate.shares.model import LinkKind, Share

log = logging.getLogger("sharegate.notify")

# Acts that wait to be looked at; a flood is counted by what it is joined into, or not at all.
_HEARD = 10_000
_LOOK_SECONDS = 600.0
_STOP_SECONDS = 2.0
# Of messages that are lost, for each service: one entry of the history in an hour.
_TOLD_EVERY = 3600.0
# How long the store remembers that an end was told (dashboard/once.py keeps such records for a day as well).
_DAY = 86400.0
_CLAIMS = 100_000
_WHO = "notify"


def services(urls: tuple[str, ...]) -> Sequence[Sends]:
    """Of the addresses in the settings. The library behind them is large, and read where there are any."""
    if not urls:
        return ()
    from sharegate.notify.targets import targets

    return targets(urls)


class Notifier:
    """`owner` is whose shares `notices.owner` are told of; with `alone` all are theirs, and who is admin, too. `pace`
    is a clock that does not stand still."""

    def __init__(
        self,
        notices: Notices,
        places: Callable[[tuple[str, ...]], Sequence[Sends]],
        store: ShareStore,
        trail: Recorder,
        *,
        owner: str,
        alone: bool,
        dashboard: str,
        now: Callable[[], float],
        pace: Callable[[], float],
        **carrying: Any,
    ) -> None:
        self._notices = notices
        self._store = store
        self._trail = trail
        self._owner = owner
        self._alone = alone
        self._dashboard = dashboard
        self._now = now
        self._pace = pace
        self._lost_told: dict[str, float] = {}
        self._lost: deque[str] = deque(maxlen=1000)
        self._heard: deque[AuditEvent] = deque(maxlen=_HEARD)
        self._woken = asyncio.Event()
        self._carriers = {
            audience: [Carrier(each, now, self._gave_up, **carrying) for each in places(urls)]
            for audience, urls in ((Audience.OWNER, notices.owner), (Audience.ADMINS, notices.admins))
        }
        self._joining = {audience: Joining(notices.quiet) for audience in Audience}
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def notices(self) -> Notices:
        return self._notices

    def happened(self, event: AuditEvent) -> None:
        """Called by the trail for each recorded event. Costs next to nothing."""
        kind = ACTIONS.get(event.action)
        if kind is None or kind not in self._notices.about or not self._notices.on:
            return
        self._heard.append(event)
        self._woken.set()

    async def run(self) -> None:
        """For ever, beside the requests."""
        if not self._notices.on:
            return
        self._tasks = [asyncio.create_task(carrier.run()) for all in self._carriers.values() for carrier in all]
        looked = -_LOOK_SECONDS
        try:
            while True:
                if self._pace() - looked >= _LOOK_SECONDS:
                    looked = self._pace()
                    await self._look()
                await self.tell()
                waits = [wait for joining in self._joining.values() if (wait := joining.wait(self._pace())) is not None]
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min([*waits, _LOOK_SECONDS])):
                        await self._woken.wait()
                self._woken.clear()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def stop(self, seconds: float = _STOP_SECONDS) -> None:
        """Before the gate ends: what waits is sent, as far as that goes within a few seconds; the rest is lost, which
        is recorded."""
        if not self._notices.on or not self._tasks:
            return
        await self.tell(everything=True)
        carriers = [carrier for all in self._carriers.values() for carrier in all]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.gather(*(carrier.idle() for carrier in carriers))
        left = sum(carrier.drop() for carrier in carriers)
        if left:
            log.warning("%d notifications were not sent before the gate stopped", left)
        await self._record_lost()

    async def tell(self, *, everything: bool = False) -> None:
        """Look at what was heard, and hand on what is due."""
        while self._heard:
            event = self._heard.popleft()
            try:
                await self._weigh(event)
            except StoreUnavailable:  # fails open: the gate refuses everybody now, and nobody is told of that act
                continue
        now = self._pace()
        for audience, joining in self._joining.items():
            for bundle in joining.due(now, everything=everything):
                message = words.message(bundle, self._dashboard)
                for carrier in self._carriers[audience]:
                    carrier.put(message)
        await self._record_lost()

    async def test(self) -> list[tuple[Audience, str, bool]]:
        """One message to each service, at once and once."""
        message = words.trial(self._dashboard)
        places = [(audience, carrier) for audience, all in self._carriers.items() for carrier in all]
        taken = await asyncio.gather(*(carrier.once(message) for _, carrier in places))
        return [(audience, carrier.state.name, done) for (audience, carrier), done in zip(places, taken, strict=True)]

    def states(self) -> list[tuple[Audience, State]]:
        return [(audience, carrier.state) for audience, all in self._carriers.items() for carrier in all]

    # -- deciding -------------------------------------------------------------------------------------------------

    async def _weigh(self, event: AuditEvent) -> None:
        kind = ACTIONS[event.action]
        if kind is Kind.REPORT:
            one = Happening(kind)
            self._joining[Audience.OWNER if self._for_one else Audience.ADMINS].add(one, self._pace())
            return
        share = await self._store.share(event.share) if event.share else None
        if share is None:
            return
        link = await self._store.link(event.link) if event.link else None
        if link is not None and link.kind is LinkKind.PREVIEW:
            return  # the owner, looking at what visitors see
        one = Happening(kind, share.id, share.name, event.name, event.count)
        self._add(share, one)

    def _add(self, share: Share, one: Happening) -> None:
        if self._alone or share.owner == self._owner:
            self._joining[Audience.OWNER].add(one, self._pace())
        if one.kind is Kind.ALARM and self._notices.admins:
            self._joining[Audience.ADMINS].add(one, self._pace())

    @property
    def _for_one(self) -> bool:
        """Where one person has everything here, what is for admins is for them."""
        return self._alone and not self._notices.admins

    async def _look(self) -> None:
        """For ends that are near. Each is told once, whichever gate of the store looks, and also after a restart."""
        if Kind.EXPIRING not in self._notices.about or not self._notices.owner:
            return
        now = self._now()
        try:
            for share in await self._store.shares():
                if not (self._alone or share.owner == self._owner):
                    continue
                for key, one in near(share, await self._store.links(share.id), now):
                    if await self._claim(key, now):
                        self._add(share, one)
        except StoreUnavailable:  # fails open: looked at again later
            return

    async def _claim(self, key: str, now: float) -> bool:
        id = hashlib.sha256(f"{_WHO} {self._owner} {key}".encode()).hexdigest()
        try:
            await self._store.ask_once(AskedOnce(id=id, who=_WHO, digest="", at=now), since=now - _DAY, limit=_CLAIMS)
        except ValueError:
            return False
        return True

    # -- what was lost --------------------------------------------------------------------------------------------

    def _gave_up(self, name: str) -> None:
        self._lost.append(name)
        self._woken.set()

    async def _record_lost(self) -> None:
        while self._lost:
            name = self._lost.popleft()
            told = self._lost_told.get(name)
            if told is not None and self._pace() - told < _TOLD_EVERY:
                continue
            self._lost_told[name] = self._pace()
            event = AuditEvent(action=Action.NOTIFICATION_LOST, outcome=Outcome.FAILED, actor="gate", detail=name)
            with contextlib.suppress(StoreUnavailable):  # fails open: it stands in the log
                await self._trail.record(event)
