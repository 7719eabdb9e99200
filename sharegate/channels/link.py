"""The one connection between a room of the gate and its server: made when it is wanted, made anew when it breaks."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Protocol

from pycrdt import Doc

from sharegate.channels import frames
from sharegate.channels.epoch import EMPTY, apply, ends, further
from sharegate.channels.frames import Awareness, SyncStep1, SyncStep2, Update
from sharegate.channels.news import News, hear
from sharegate.channels.outbox import Outbox
from sharegate.errors import Denied, Reason
from sharegate.messages import Frame, FrameKind, Socket

log = logging.getLogger("sharegate.room")

SYNC_SECONDS = 30.0
RETRY_SECONDS = 3.0
RETRY_PAUSE = 0.2
RETRY_MOST = 3.0  # not above RETRY_SECONDS: who waits is told after that time
STEADY_SECONDS = 10.0
TICK_SECONDS = 1.0

# The server's own last words on a document, which trying again does not change.
_FINAL = frozenset({4400, 4404, 4500})
AWAY = Frame.close(1012, "server_away")

Connect = Callable[[], Awaitable[Socket]]


class Ended(Denied):
    """The server closed the document for good, with `frame`: trying again changes nothing."""

    def __init__(self, frame: Frame) -> None:
        super().__init__(Reason.UPSTREAM_BAD_ANSWER, f"closed with {frame.code}")
        self.frame = frame


def _not_opened(end: Frame) -> Denied:
    return Ended(end) if end.code in _FINAL else Denied(Reason.UPSTREAM_AWAY, f"closed with {end.code}")


class Peer(Protocol):
    """The room's side of the connection."""

    @property
    def wanted(self) -> bool:
        """Whether the connection shall be there."""

    @property
    def known(self) -> bool:
        """Whether there is a document that a returning server may go on with."""

    async def adopt(self, fresh: Doc[Any], reach: Mapping[int, int]) -> None:
        """The server's document as a new connection found it. `reach`: CRDT client id → the end of what it wrote."""

    def opening(self, theirs: bytes) -> Iterable[Frame]:
        """What a server with this state vector is told first."""

    async def news(self, news: News) -> Frame | None:
        """What the server says. A CLOSE frame ends the connection."""

    def tick(self) -> None:
        """Called every second while connected."""

    def lost(self) -> None:
        """The connection broke; another one is tried for a moment."""

    def over(self, why: Frame | Denied) -> None:
        """There is no connection any more, and none is tried."""


class Pauses:
    """How long to wait before a server is tried again. One that is away costs nothing to ask, and comes back soon; one
    that answers, and badly each time, has the whole document read each time: the pauses double until a connection
    lasts. `jitter` gives a number of 0 to 1."""

    def __init__(self, now: Callable[[], float], jitter: Callable[[], float]) -> None:
        self._now = now
        self._jitter = jitter
        self._bad = 0
        self._until = 0.0

    def ended(self, why: Frame | Denied, since: float | None) -> None:
        """A try is over. `since`: when it had the document, None when it never had."""
        if since is not None and self._now() - since >= STEADY_SECONDS:
            self._bad = 0
        elif since is None and (_away(why) or _is_final(why)):
            self._until = self._now()
            return
        pause = min(RETRY_PAUSE * 2**self._bad, RETRY_MOST)
        self._until = self._now() + pause * (0.5 + self._jitter() / 2 if self._bad else 1)
        # Far above what the longest pause needs.
        self._bad = min(self._bad + 1, 30)

    @property
    def left(self) -> float:
        """Seconds."""
        return max(0.0, self._until - self._now())


def _away(why: Frame | Denied) -> bool:
    return why.reason is Reason.UPSTREAM_AWAY if isinstance(why, Denied) else why.code in (1001, 1006, 1012)


def _is_final(why: Frame | Denied) -> bool:
    return isinstance(why, Ended) or (isinstance(why, Frame) and why.code in _FINAL)


class Link:
    """`connect` opens the server's end (Denied when it cannot)."""

    def __init__(
        self,
        connect: Connect,
        peer: Peer,
        *,
        now: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._connect = connect
        self._peer = peer
        self._now = now
        self._pauses = Pauses(now, jitter)
        self._sleep = sleep
        self.outbox = Outbox()
        self.connected = False
        self._since = 0.0
        # Done while connected; pending while somebody waits for that; None when nobody asked yet.
        self._opened: asyncio.Future[None] | None = None
        self._holding: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()  # with those that are ending

    async def open(self) -> None:
        """Return when the document is here and connected; Denied when it cannot be."""
        if self._opened is None:
            self._opened = asyncio.get_running_loop().create_future()
            self._opened.add_done_callback(lambda done: done.cancelled() or done.exception())
            if self._holding is None or self._holding.done():
                self._holding = asyncio.create_task(self._hold())
                self._tasks.add(self._holding)
                self._holding.add_done_callback(self._tasks.discard)
        await asyncio.shield(self._opened)

    def finish(self) -> None:
        """Nobody wants it any more: closed after what waits to be sent, or given up while it is being made."""
        opened, self._opened = self._opened, None
        if opened is not None and not opened.done():
            # Who still waits must not wait for ever.
            opened.set_exception(Denied(Reason.UPSTREAM_AWAY, "the connection was given up"))
        if self.connected:
            self.outbox.finish()
        elif self._holding is not None:
            self._holding.cancel()
            self._holding = None

    async def closed(self) -> None:
        """Wait until it is gone, after it was finished."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _hold(self) -> None:
        """A short absence of the server is waited out."""
        lost = self._now()
        why: Frame | Denied = AWAY
        try:
            # What another one was refused for a moment ago may be refused again.
            if self._pauses.left:
                await self._sleep(self._pauses.left)
            while self._peer.wanted:
                try:
                    why = await self._once()
                except Denied as denied:
                    why = denied
                if not self.outbox.finished:
                    self._pauses.ended(why, self._since if self.connected else None)
                if self.connected:
                    self.connected = False
                    lost = self._now()
                    if self._opened is not None and self._opened.done():
                        self._opened = None
                    self._peer.lost()
                if _is_final(why):
                    break
                if self._now() - lost >= RETRY_SECONDS or not self._peer.known:
                    break
                await self._sleep(max(RETRY_PAUSE, self._pauses.left))
        except Exception:  # fails closed: whoever is here is sent away, and comes back to a new connection
            log.exception("holding a room's connection")
            why = Frame.close(1011)
        finally:
            if self._holding is asyncio.current_task():
                self._end(why)

    def _end(self, why: Frame | Denied) -> None:
        opened, self._opened = self._opened, None
        self.connected = False
        if opened is not None and not opened.done():
            opened.set_exception(why if isinstance(why, Denied) else _not_opened(why))
        if self._peer.wanted:
            self._peer.over(why)

    async def _once(self) -> Frame | Denied:
        """One connection, from the first word to the last. Returns why it ended."""
        socket = await self._connect()
        beside: list[asyncio.Task[None]] = []
        try:
            end = await self._greet(socket)
            if end is not None:
                return end
            if not self._peer.wanted:
                self.outbox.finish()
            beside = [asyncio.create_task(self.outbox.carry(socket)), asyncio.create_task(self._ticking())]
            self._arrived()
            return await self._listen(socket)
        except ConnectionError:
            return AWAY
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            self.outbox.end()
            socket.abort()

    def _arrived(self) -> None:
        self.connected = True
        self._since = self._now()
        if self._opened is None:
            self._opened = asyncio.get_running_loop().create_future()
        if not self._opened.done():
            self._opened.set_result(None)

    async def _ticking(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self._peer.tick()

    async def _greet(self, socket: Socket) -> Frame | None:
        """Read the server's document into an empty one, then decide what it is. A CLOSE frame when it does not come.

        Changes that come before it are applied behind it: pycrdt 0.14.13 spoils a document that is given a range of
        collected clocks first and then all from the beginning (two blocks overlap, and it is written as what nobody can
        read)."""
        await socket.send(frames.write(SyncStep1(EMPTY)))
        fresh: Doc[Any] = Doc()
        reach: dict[int, int] = {}
        theirs = EMPTY
        early: list[News] = []
        changes: list[bytes] = []
        try:
            async with asyncio.timeout(SYNC_SECONDS):
                while True:
                    frame = await socket.receive()
                    if frame.kind is FrameKind.CLOSE:
                        return frame
                    news = await hear(frame)
                    if news.summary is not None:
                        reach.update(further(reach, ends(news.summary)))
                    match news.message:
                        case SyncStep1(state_vector=vector):
                            theirs = vector
                        case SyncStep2(update=update):
                            for part in (update, *changes):
                                apply(fresh, part)
                            break
                        case Update(update=update):
                            changes.append(update)
                        case Awareness():
                            early.append(news)
        except TimeoutError:
            raise Denied(Reason.UPSTREAM_TIMEOUT, "the document did not come") from None
        await self._peer.adopt(fresh, reach)
        self.outbox.begin(socket.abort)
        for each in self._peer.opening(theirs):
            self.outbox.put(each)
        for news in early:
            await self._peer.news(news)
        return None

    async def _listen(self, socket: Socket) -> Frame:
        while True:
            frame = await socket.receive()
            if frame.kind is FrameKind.CLOSE:
                return frame
            end = await self._peer.news(await hear(frame))
            if end is not None:
                return end
