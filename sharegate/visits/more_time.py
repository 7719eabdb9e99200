"""*Ask for more time*: from a visit whose end is near, or by a link that has expired. The owner grants it or does not;
nothing is opened by asking."""

from __future__ import annotations

from collections.abc import Callable

from sharegate.audit.events import Action, AuditEvent
from sharegate.audit.interfaces import Recorder
from sharegate.errors import Denied, Reason
from sharegate.limits import Buckets, Rate, network
from sharegate.shares.authenticate import check_link, check_share
from sharegate.shares.interfaces import ShareStore
from sharegate.shares.model import Link, LinkKind, Share, Visit, new_id
from sharegate.shares.more_time import AFTER_END, AFTER_REFUSAL, TimeAsk, TimeState
from sharegate.visits.unrecorded import Unrecorded

# From one network for one link: asking costs its owner's attention.
ASKS = Rate(per=10, seconds=3600, burst=10)
# Browsers whose asks wait at one link.
PER_LINK = 20
_EXPIRED = frozenset({Reason.SHARE_EXPIRED, Reason.LINK_EXPIRED})


class MoreTime:
    """`pace` is the clock of the limits, where that is another than the time of day."""

    def __init__(
        self, store: ShareStore, trail: Recorder, now: Callable[[], float], *, pace: Callable[[], float] | None = None
    ) -> None:
        self._store = store
        self._trail = trail
        self._now = now
        self._asks = Buckets(ASKS, pace or now)
        self._unrecorded = Unrecorded()

    def check(self, share: Share, link: Link, visit: Visit | None) -> None:
        """Whether more time would help. Denied: why share, link or visit ended, but for an end that came lately."""
        now = self._now()
        try:
            check_share(share, now)
            check_link(link, now)
        except Denied as denied:
            if denied.reason not in _EXPIRED or ends(share, link) + AFTER_END <= now:
                raise
        # What is revoked or stopped besides is told as that.
        if share.suspended:
            raise Denied(Reason.ROOT_CHANGED)
        if link.revoked is not None or share.revoked is not None:
            raise Denied(Reason.LINK_REVOKED if share.revoked is None else Reason.SHARE_REVOKED)
        if visit is not None and visit.ended is not None:
            raise Denied(Reason.VISIT_ENDED, visit.ended_reason)
        if link.kind is LinkKind.PREVIEW:
            raise Denied(Reason.LINK_EXPIRED, "a preview")

    async def state(self, share: Share, link: Link, visit: Visit | None, browser_hash: str) -> str:
        """What the browser's page says: `may` (ask), `waiting`, `refused`, `granted`, or "" where asking is of no
        use."""
        last = await self._last(link, browser_hash)
        if last is not None and self._granted(last, share, link):
            return TimeState.GRANTED.value
        try:
            self.check(share, link, visit)
        except Denied:
            return ""
        if last is None or last.state is TimeState.GONE:
            return "may"
        if last.state is TimeState.WAITING and not moved(last, share, link):
            return TimeState.WAITING.value
        refused = last.state is TimeState.REFUSED and (last.decided or 0.0) + AFTER_REFUSAL > self._now()
        return TimeState.REFUSED.value if refused else "may"

    async def ask(self, share: Share, link: Link, visit: Visit | None, browser_hash: str, address: str) -> str:
        """Asked again, it is the same ask. The state afterwards. Raises Denied as `check` does, and `join_limit`."""
        self.check(share, link, visit)
        if await self.state(share, link, visit, browser_hash) in ("waiting", "refused"):
            return await self.state(share, link, visit, browser_hash)
        self._asks.take(f"{network(address)} {link.id}", 1, Reason.JOIN_LIMIT)
        await self._unrecorded.whole(self._asked(share, link, visit, browser_hash, address))
        return await self.state(share, link, visit, browser_hash)

    async def _asked(self, share: Share, link: Link, visit: Visit | None, browser_hash: str, address: str) -> None:
        await self._unrecorded.settle()
        before = await self._last(link, browser_hash)
        if before is not None and before.state is TimeState.WAITING:  # answered by a new end, without a word
            until, at = ends(share, link), self._now()
            await self._store.change_time_ask(before.id, state=TimeState.GRANTED, until=until, decided=at)
        ask = TimeAsk(
            id=new_id(),
            share=share.id,
            link=link.id,
            visit=visit.id if visit is not None else "",
            browser_hash=browser_hash,
            created=self._now(),
            ends=ends(share, link),
        )
        try:
            await self._store.add_time_ask(ask, limit=PER_LINK)
        except ValueError:  # in another tab at the same moment
            return
        async with self._unrecorded.taken_back(
            lambda: self._store.change_time_ask(ask.id, was={"state": TimeState.WAITING}, state=TimeState.GONE)
        ):
            await self._trail.record(
                AuditEvent(
                    action=Action.TIME_ASKED,
                    actor="visitor",
                    share=share.id,
                    link=link.id,
                    visit=ask.visit,
                    name=visit.name if visit is not None else "",
                    address=address,
                )
            )

    async def _last(self, link: Link, browser_hash: str) -> TimeAsk | None:
        if not browser_hash:
            return None
        asks = await self._store.time_asks(link=link.id, waiting_only=False)
        return next((one for one in reversed(asks) if one.browser_hash == browser_hash), None)

    def _granted(self, ask: TimeAsk, share: Share, link: Link) -> bool:
        """Whether the end has moved since it was asked, by an answer or without one; until that has come as well."""
        asked = ask.state in (TimeState.WAITING, TimeState.GRANTED)
        return asked and moved(ask, share, link) and ends(share, link) > self._now()

    async def finished(self) -> None:
        """Wait for what those who hung up began."""
        await self._unrecorded.finished()


def ends(share: Share, link: Link) -> float:
    """When a link lets nobody in any more, whichever of the two ends first."""
    return min(share.expires, link.expires)


def moved(ask: TimeAsk, share: Share, link: Link) -> bool:
    """Whether there is more time than when it was asked for."""
    return ends(share, link) > ask.ends
