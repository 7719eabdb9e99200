"""What is open now: every channel and every HTTP answer in flight, so that it can be cut at once.

Open here *before* the upstream is asked: a revocation while the upstream's connection is still being made then finds
the channel and cuts it, and the relay never starts.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine
from typing import Any, Literal, TypeVar

import msgspec

from sharegate.errors import MEANINGS, Denied, Reason
from sharegate.messages import Frame
from sharegate.shares.model import Grant, VisitKind

T = TypeVar("T")
Kind = Literal["room", "local", "live", "stream", "program"]
KINDS: tuple[Kind, ...] = ("room", "local", "live", "stream", "program")
MAX_CLOSE_REASON = 123  # bytes (RFC 6455 section 5.5)

_TAKEN_BACK = {Reason.UPDATE_REFUSED, Reason.UPDATE_TOO_LARGE, Reason.WRITING_ENDED}
_EXPIRED = {Reason.LINK_EXPIRED, Reason.SHARE_EXPIRED}
# The visit may come back by itself: the page connects anew, as it does when a server restarts.
_PASSING = {
    Reason.DRAINING,
    Reason.UPSTREAM_AWAY,
    Reason.UPSTREAM_TIMEOUT,
    Reason.UPSTREAM_NOT_OURS,
    Reason.UPSTREAM_BAD_ANSWER,
    Reason.STORE_UNAVAILABLE,
}


def close_frame(kind: Kind, reason: Reason) -> Frame:
    """How a channel of `kind` is closed for `reason`.

    A document's provider gives up only on 1003 with this JSON (docprovider `_onConnectionClosed`: it shows
    `errorReason` and disposes of the document when the dialog is answered; until then, and on every other code,
    y-websocket connects anew). 1012 is "service restart" and means exactly that. Where the visit goes on, the page has
    to know why: it is told in `code`, beside which the sentence would not fit. A program reads the code of the close;
    1013 says to try again later (registry of RFC 6455).
    """
    meaning = MEANINGS[reason]
    if reason in _PASSING:
        return Frame.close(1012, meaning.public)
    if kind == "program" and meaning.status == 429:
        return Frame.close(1013, meaning.public)
    if kind == "room" or (kind == "program" and reason in _TAKEN_BACK):
        why = {"code": meaning.public} if reason in _TAKEN_BACK else {"errorReason": meaning.sentence}
        words = {"reason": "unknown_session", "reloadable": True, **why}
        return Frame.close(1003, json.dumps(words, separators=(",", ":")))
    if reason in _EXPIRED:
        return Frame.close(4408, meaning.public)
    return Frame.close(4410 if reason is Reason.VISIT_ENDED else 4403, meaning.public)


class Cut:
    """The string on which one open thing hangs. Cut once; the first reason stands."""

    __slots__ = ("_event", "kind", "reason", "stops")

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.reason: Reason | None = None
        # Made for whoever waits: most things end without.
        self._event: asyncio.Event | None = None
        self.stops: list[Callable[[], object]] = []

    def at_once(self, stop: Callable[[], object]) -> Callable[[], None]:
        """Call `stop` within the cut itself, before anything else runs. It must not raise. Returns how to stop that."""
        self.stops.append(stop)
        return lambda: self.stops.remove(stop)

    def interrupting(self) -> Interrupting:
        """Within the block the cut interrupts this task at what it waits for: Denied for the cut's reason. Somebody
        else's cancellation passes through (as in asyncio.timeout)."""
        return Interrupting(self)

    def check(self) -> None:
        if self.reason is not None:
            raise Denied(self.reason, "while it was waited for")

    def cut(self, reason: Reason) -> bool:
        """Synchronous: whoever looks at `reason` after this call sees it. False when it was cut before."""
        if self.reason is not None:
            return False
        self.reason = reason
        if self._event is not None:
            self._event.set()
        for stop in self.stops:
            stop()
        return True

    async def wait(self) -> Reason:
        if self.reason is None:
            self._event = self._event or asyncio.Event()
            await self._event.wait()
        assert self.reason is not None
        return self.reason

    @property
    def frame(self) -> Frame:
        """The CLOSE frame that tells the visitor; only when cut."""
        assert self.reason is not None
        return close_frame(self.kind, self.reason)

    def __repr__(self) -> str:
        return f"<Cut {self.kind} {self.reason.value if self.reason else 'open'}>"


class Interrupting:
    """What `Cut.interrupting` returns, for one block of one task."""

    __slots__ = ("_before", "_cut", "_mine", "_task")

    def __init__(self, cut: Cut) -> None:
        self._cut = cut
        self._mine = False

    def _stop(self) -> None:
        self._mine = True
        self._task.cancel()

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task: asyncio.Task[Any] = task
        self._before = task.cancelling()
        self._cut.check()
        self._cut.stops.append(self._stop)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._cut.stops.remove(self._stop)
        left = self._task.uncancel() if self._mine else 0
        if kind is None or (self._mine and left <= self._before and issubclass(kind, asyncio.CancelledError)):
            self._cut.check()


async def unless_cut(cut: Cut, work: Coroutine[Any, Any, T], let_go: Callable[[T], Awaitable[None]]) -> T:
    """What `work` returns, or Denied for the cut's reason as soon as that is cut. What comes too late is let go of."""
    with contextlib.closing(work), cut.interrupting():
        result = await work
        if cut.reason is not None:
            await asyncio.shield(let_go(result))
        return result


class _Open(msgspec.Struct, frozen=True, eq=False):
    grant: Grant
    cut: Cut
    room: str


class Channels:
    """The index of everything open, by share, link and visit."""

    def __init__(
        self, *, per_visit: int = 40, per_link: int = 200, per_share: int = 400, rooms_per_visit: int = 20
    ) -> None:
        self._limits = {"visit": per_visit, "link": per_link, "share": per_share}
        self._rooms_per_visit = rooms_per_visit
        self._all: dict[_Open, None] = {}  # in the order of opening
        self._index: dict[tuple[str, str], set[_Open]] = {}
        self._closed = asyncio.Event()
        self._waited = False

    async def _one_closed(self) -> None:
        self._waited = True
        await self._closed.wait()

    @contextlib.asynccontextmanager
    async def open(self, grant: Grant, kind: Kind = "room", room: str = "") -> AsyncIterator[Cut]:
        """Registered while the context lasts; refuses as `enter` does."""
        cut, leave = self.enter(grant, kind, room)
        try:
            yield cut
        finally:
            leave()

    def enter(self, grant: Grant, kind: Kind = "room", room: str = "") -> tuple[Cut, Callable[[], None]]:
        """Register, and say how to leave (once). Denied(`channel_limit`) past the number of channels of visit, link
        or share, Denied(`room_limit`) past the number of different rooms of a visit. Streams are counted elsewhere."""
        if kind != "stream":
            self._check(grant, room)
        program = grant.visit.kind is VisitKind.CLIENT and kind != "stream"
        opened = _Open(grant, Cut("program" if program else kind), room)
        self._all[opened] = None
        for key in _keys(grant):
            self._index.setdefault(key, set()).add(opened)
        return opened.cut, functools.partial(self._leave, opened)

    def _leave(self, opened: _Open) -> None:
        del self._all[opened]
        for key in _keys(opened.grant):
            those = self._index[key]
            those.discard(opened)
            if not those:
                del self._index[key]
        if self._waited:
            self._closed.set()
            self._closed, self._waited = asyncio.Event(), False

    def count(self, *, share: str = "", link: str = "", visit: str = "") -> int:
        """How many channels are open; streams are not counted."""
        return sum(each.cut.kind != "stream" for each in self._those(share, link, visit))

    def answering(self) -> int:
        """How many HTTP answers are waited for or sent."""
        return sum(each.cut.kind == "stream" for each in self._all)

    async def answered(self) -> None:
        """Wait until there are none."""
        while self.answering():
            await self._one_closed()

    def by_kind(self) -> dict[Kind, int]:
        """How many things of each kind are open."""
        counts: dict[Kind, int] = dict.fromkeys(KINDS, 0)
        for each in self._all:
            counts[each.cut.kind] += 1
        return counts

    def programs(self) -> set[str]:
        """Visits of programs that have a channel open."""
        opened = (each for each in self._all if each.cut.kind != "stream")
        return {each.grant.visit.id for each in opened if each.grant.visit.kind is VisitKind.CLIENT}

    def visits(self) -> int:
        """How many visits have something open."""
        return len({each.grant.visit.id for each in self._all if each.cut.reason is None})

    def grants(self) -> list[Grant]:
        """One grant for each address from which a visit has something open: the one under which its latest thing was
        opened."""
        opened = (each.grant for each in self._all if each.cut.reason is None)
        return list({(grant.visit.id, grant.peer): grant for grant in opened}.values())

    def cut(self, *, reason: Reason, share: str = "", link: str = "", visit: str = "", peer: str | None = None) -> int:
        """Cut all that fit (without a name: all), synchronously. Returns how many channels and streams that were."""
        those = [each for each in self._those(share, link, visit) if peer is None or each.grant.peer == peer]
        return sum(each.cut.cut(reason) for each in those)

    async def drained(self, *, share: str = "", link: str = "", visit: str = "", within: float = 5.0) -> None:
        """Wait until nothing that fits is open any more, at most `within` seconds."""
        with contextlib.suppress(TimeoutError):  # what does not go is aborted by its own relay
            async with asyncio.timeout(within):
                while self._those(share, link, visit):
                    await self._one_closed()

    def _those(self, share: str, link: str, visit: str) -> Collection[_Open]:
        named = [(kind, id) for kind, id in (("share", share), ("link", link), ("visit", visit)) if id]
        if not named:
            return self._all.keys()
        sets = [self._index.get(key, set()) for key in named]
        return set.intersection(*sets) if len(sets) > 1 else sets[0]

    def _check(self, grant: Grant, room: str) -> None:
        for kind, id in _keys(grant):
            of_visit = self._index.get((kind, id), set())
            if sum(each.cut.kind != "stream" for each in of_visit) >= self._limits[kind]:
                raise Denied(Reason.CHANNEL_LIMIT, f"{self._limits[kind]} at once for a {kind}")
        if room:
            rooms = {each.room for each in self._index.get(("visit", grant.visit.id), set()) if each.room}
            if room not in rooms and len(rooms) >= self._rooms_per_visit:
                raise Denied(Reason.ROOM_LIMIT, f"{self._rooms_per_visit} rooms at once")


def _keys(grant: Grant) -> tuple[tuple[str, str], ...]:
    return ("visit", grant.visit.id), ("link", grant.link.id), ("share", grant.share.id)
