"""Carries frames both ways between a visitor and an upstream, one at a time, each judged by the guard.

Works on messages.Socket only. After the channel is cut no frame is judged or sent in either direction; a peer that does
not take its close within a second is dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sharegate.channels.interfaces import Guard, Verdict
from sharegate.channels.registry import Cut, close_frame
from sharegate.errors import Denied, Reason, StoreUnavailable
from sharegate.messages import Frame, FrameKind, Socket

CLOSING_SECONDS = 1.0
STALLED_SECONDS = 30.0
RECHECK_SECONDS = 1.0
SUMMARY_SECONDS = 10.0
RECHECK_TIMEOUT = 10.0
# For reading what a visitor had sent who takes nothing any more.
LAST_WORDS_SECONDS = 10.0
LARGE = 128 * 1024  # bytes; larger frames are judged in a thread, so that reading one stalls no other channel

Recheck = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Summary:
    """Frames and bytes received from the visitor (`in`) and from the upstream (`out`); how many of both were refused.

    `ended` says why the channel is over: `visitor_closed`, `upstream_closed`, `connection_lost`, `visitor_stalled`,
    `upstream_stalled`, or a reason's code; empty while it is open. `code` is the close code that the visitor was
    given, or gave.
    """

    frames_in: int = 0
    bytes_in: int = 0
    frames_out: int = 0
    bytes_out: int = 0
    refused: int = 0
    ended: str = ""
    code: int = 0


Report = Callable[[Summary], Awaitable[None]]


async def relay(
    visitor: Socket,
    upstream: Socket | None,
    guard: Guard,
    cut: Cut,
    *,
    recheck: Recheck | None = None,
    summary: Report | None = None,
    over: Callable[[Summary], object] | None = None,
    every: float = RECHECK_SECONDS,
    summary_every: float = SUMMARY_SECONDS,
    stalled: float = STALLED_SECONDS,
    last_words: float = LAST_WORDS_SECONDS,
    now: Callable[[], float] = time.monotonic,
) -> Summary:
    """Until one end closes, the guard closes, or the channel is cut; both ends are closed when this returns.

    `recheck` raises Denied when the channel may not go on; it is awaited every `every` seconds and before the first
    frame after that long a silence. `summary` gets what happened since its last call, each `summary_every` seconds in
    which something did; when it cannot record that, the channel ends (`store_unavailable`). A peer that takes no frame
    for `stalled` seconds is dropped; what a visitor had sent before the connection broke is carried for `last_words`
    seconds though nothing can be sent back. Without an upstream the guard answers alone. Cancelling this drops both;
    `over` is told what happened as soon as it is known, before the ends are closed and though closing be cancelled.
    """
    work = _Relay(visitor, upstream, guard, cut, recheck, summary, over, every, summary_every, stalled, last_words, now)
    return await work.run()


@dataclass(frozen=True, slots=True)
class _End:
    """Why it is over and what the visitor is told (None: the visitor closed)."""

    why: str
    tell: Frame | None
    code: int = 0


_LOST = _End("connection_lost", Frame.close(1012, "server_away"))


class _Stalled(Exception):
    def __init__(self, socket: Socket) -> None:
        super().__init__()
        self.socket = socket


class _Relay:
    def __init__(
        self,
        visitor: Socket,
        upstream: Socket | None,
        guard: Guard,
        cut: Cut,
        recheck: Recheck | None,
        summary: Report | None,
        over: Callable[[Summary], object] | None,
        every: float,
        summary_every: float,
        stalled: float,
        last_words: float,
        now: Callable[[], float],
    ) -> None:
        self._visitor = visitor
        self._upstream = upstream
        self._guard = guard
        self._cut = cut
        self._recheck = recheck
        self._summary = summary
        self._over = over
        self._every = every
        self._summary_every = summary_every
        self._stalled = stalled
        self._last_words = last_words
        # The visitor takes nothing any more; what was sent before may lie here still.
        self._broken = asyncio.Event()
        self._now = now
        self._last_frame = now()
        # Both directions may write to one socket: one frame at a time.
        self._writing = {id(visitor): asyncio.Lock(), id(upstream): asyncio.Lock()}
        self._frames_in = self._bytes_in = self._frames_out = self._bytes_out = self._refused = 0
        self._told = Summary()

    async def run(self) -> Summary:
        work = [self._from_visitor()]
        if self._upstream is not None:
            work.append(self._from_upstream(self._upstream))
        carrying = [asyncio.create_task(each) for each in work]
        for task in carrying:
            # A frame that waits on a slow peer is taken back in the moment of the cut.
            self._cut.at_once(task.cancel)
        work = [self._watch_cut(), self._watch_broken()]
        if self._recheck is not None:
            work.append(self._keep_checking(self._recheck))
        if self._summary is not None:
            work.append(self._keep_telling(self._summary))
        tasks = carrying + [asyncio.create_task(each) for each in work]
        told = False
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            end = self._why(tasks)
            total = self._sums(end.why, end.tell.code if end.tell is not None else end.code)
            told = True
            if self._over is not None:
                self._over(total)
            # A task that is cut off inside a socket may take a moment: the ends are closed meanwhile.
            await self._close(end)
        except BaseException:  # fails closed: cancelled, or a guard or check that broke
            self._abort()
            if self._over is not None and not told:
                self._over(self._sums("connection_lost", 1006))
            raise
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return total

    def _why(self, tasks: list[asyncio.Task[_End]]) -> _End:
        if self._cut.reason is not None:
            return _End(self._cut.reason.value, self._cut.frame)
        for task in tasks:
            if not task.done():
                continue
            error = task.exception()
            if error is None:
                return task.result()
            if isinstance(error, Denied):
                return self._denied(error.reason)
            if isinstance(error, StoreUnavailable):
                return self._denied(Reason.STORE_UNAVAILABLE)
            if isinstance(error, _Stalled):
                who = "visitor" if error.socket is self._visitor else "upstream"
                return _End(f"{who}_stalled", Frame.close(1012, "server_slow"))
            if not isinstance(error, ConnectionError):
                raise error
        return _LOST

    def _denied(self, reason: Reason) -> _End:
        return _End(reason.value, close_frame(self._cut.kind, reason))

    async def _watch_cut(self) -> _End:
        reason = await self._cut.wait()
        return _End(reason.value, self._cut.frame)

    async def _watch_broken(self) -> _End:
        await self._broken.wait()
        await asyncio.sleep(self._last_words)
        return _LOST

    async def _from_visitor(self) -> _End:
        while True:
            frame = await self._visitor.receive()
            if frame.kind is FrameKind.CLOSE:
                return _End("visitor_closed", None, frame.code)
            await self._fresh()
            if self._cut.reason is not None:
                return await self._watch_cut()
            self._frames_in += 1
            self._bytes_in += len(frame.data)
            verdict = await _judged(self._guard.from_visitor, frame)
            end = await self._apply(verdict, onward=self._upstream, back=self._visitor)
            if end is not None:
                return end

    async def _from_upstream(self, upstream: Socket) -> _End:
        while True:
            frame = await upstream.receive()
            if frame.kind is FrameKind.CLOSE:
                return _End("upstream_closed", _passed_on(frame))
            await self._fresh()
            if self._cut.reason is not None:
                return await self._watch_cut()
            self._frames_out += 1
            self._bytes_out += len(frame.data)
            verdict = await _judged(self._guard.from_upstream, frame)
            end = await self._apply(verdict, onward=self._visitor, back=upstream)
            if end is not None:
                return end

    async def _fresh(self) -> None:
        """The first frame after a silence waits until the channel was checked again. The silence lasts until then: what
        the other direction sends meanwhile waits for a check of its own."""
        if self._recheck is not None and self._now() - self._last_frame >= self._every:
            await self._check(self._recheck)
        self._last_frame = self._now()

    async def _apply(self, verdict: Verdict, *, onward: Socket | None, back: Socket) -> _End | None:
        self._refused += bool(verdict.refused)
        for socket, frames in ((onward, verdict.onward), (back, verdict.back)):
            for frame in frames:
                assert socket is not None, "a guard without an upstream sends nothing on"
                if not await self._send(socket, frame):
                    return await self._watch_cut()
        if verdict.close is not None:
            return _End(verdict.refused or "closed", verdict.close)
        return None

    async def _send(self, socket: Socket, frame: Frame) -> bool:
        """False when the channel was cut meanwhile. A peer that does not read for long is given up: what waits for it
        here would pile up in the upstream."""
        try:
            async with asyncio.timeout(self._stalled), self._writing[id(socket)]:
                if self._cut.reason is not None:
                    return False
                if socket is not self._visitor:
                    await socket.send(frame)
                elif not self._broken.is_set():
                    await self._tell_visitor(frame)
        except TimeoutError:
            raise _Stalled(socket) from None
        return True

    async def _tell_visitor(self, frame: Frame) -> None:
        try:
            await self._visitor.send(frame)
        except ConnectionError:
            # A window that was closed while its last changes wait to be read. Its end stands behind them.
            self._broken.set()

    async def _keep_checking(self, recheck: Recheck) -> _End:
        while True:
            await asyncio.sleep(self._every)
            await self._check(recheck)

    @staticmethod
    async def _check(recheck: Recheck) -> None:
        try:
            async with asyncio.timeout(RECHECK_TIMEOUT):
                await recheck()
        except TimeoutError:
            # Fails closed: where the file lies now is not known.
            raise Denied(Reason.UPSTREAM_TIMEOUT, "the check took too long") from None

    async def _keep_telling(self, summary: Report) -> _End:
        while True:
            await asyncio.sleep(self._summary_every)
            await self._tell(summary)

    async def _tell(self, summary: Report) -> None:
        total = self._sums()
        last, self._told = self._told, total
        if total != last:
            await summary(
                Summary(
                    total.frames_in - last.frames_in,
                    total.bytes_in - last.bytes_in,
                    total.frames_out - last.frames_out,
                    total.bytes_out - last.bytes_out,
                    total.refused - last.refused,
                )
            )

    def _sums(self, why: str = "", code: int = 0) -> Summary:
        return Summary(
            self._frames_in, self._bytes_in, self._frames_out, self._bytes_out, self._refused, ended=why, code=code
        )

    async def _close(self, end: _End) -> None:
        tell = end.tell or Frame.close(1000)
        closing = [_close(self._visitor, tell)]
        if self._upstream is not None:
            closing.append(_close(self._upstream, Frame.close(1000)))
        await asyncio.gather(*closing)

    def _abort(self) -> None:
        self._visitor.abort()
        if self._upstream is not None:
            self._upstream.abort()


async def _judged(judge: Callable[[Frame], Verdict], frame: Frame) -> Verdict:
    if len(frame.data) > LARGE:
        return await asyncio.to_thread(judge, frame)
    return judge(frame)


async def _close(socket: Socket, frame: Frame) -> None:
    try:
        async with asyncio.timeout(CLOSING_SECONDS):
            await socket.close(frame.code, frame.reason)
    except (TimeoutError, ConnectionError):  # fails closed: it has had its time
        socket.abort()
    except asyncio.CancelledError:
        socket.abort()
        raise


def _passed_on(frame: Frame) -> Frame:
    """What the visitor is told when the upstream closes: its code, never its words, which may hold a path."""
    if frame.code in (4400, 4404, 4500):
        return Frame.close(frame.code)
    if frame.code == 1003:
        return Frame.close(1003, _session_words(frame.reason))
    return Frame.close(1012, "server_away")


def _session_words(text: str) -> str:
    """The part of jupyter-collaboration's close reason that says what the page should do."""
    reason, reloadable = "unknown_session", True
    with contextlib.suppress(ValueError, RecursionError):  # unreadable: the page is told to load itself again
        said = json.loads(text)
        if isinstance(said, dict) and said.get("reason") in ("version_mismatch", "initialization_error"):
            reason, reloadable = said["reason"], said.get("reloadable") is True
    return json.dumps({"reason": reason, "reloadable": reloadable}, separators=(",", ":"))
