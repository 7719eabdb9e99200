"""What visitors change on a server: once the server may have it, it is done and recorded, whoever hangs up or is put
out meanwhile. Until then whatever ends the request ends it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, TypeVar
from urllib.parse import unquote

from sharegate.channels.registry import Cut
from sharegate.errors import Denied, Reason, SharegateError
from sharegate.messages import Body, Request, Response
from sharegate.sending import Flight
from sharegate.shares.model import Grant

log = logging.getLogger("sharegate.gate")

T = TypeVar("T")
METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Deed:
    """One request. `told`: the refusal that was recorded of it after it was sent."""

    __slots__ = ("cut", "sent", "told")

    def __init__(self, cut: Cut) -> None:
        self.cut = cut
        self.sent = False
        self.told: Reason | None = None

    def begin(self) -> None:
        """Called right before the server gets it. Denied when the visit ended: then it gets nothing."""
        if self.cut.reason is not None:
            raise Denied(self.cut.reason, "while it was waited for")
        self.sent = True


class Beginning:
    """A body that is passed through: the server has it only with its last piece, before which `begin` is called."""

    def __init__(self, body: Body, begin: Callable[[], None]) -> None:
        self._body = body
        self._begin = begin

    async def read(self, limit: int) -> bytes:
        whole = await self._body.read(limit)
        self._begin()
        return whole

    async def stream(self) -> AsyncIterator[bytes]:
        last = b""
        async for piece in self._body.stream():
            if last:
                yield last
            last = piece
        self._begin()
        if last:
            yield last


class Deeds:
    """Those that are being done. One per gate."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()
        self._ending: set[asyncio.Task[None]] = set()

    async def do(
        self,
        deed: Deed,
        work: Coroutine[Any, Any, T],
        held: Flight,
        let_go: Callable[[T], Awaitable[None]],
    ) -> T:
        """What `work` returns, or Denied for the cut's reason as soon as that is cut. `held` stays as long as `work`
        goes on; what nobody waits for any more is let go of."""
        flight = held.hand_on()
        task = _kept(self._running, work)
        try:
            with deed.cut.interrupting():
                result: T = await asyncio.shield(task)
        except BaseException:
            if not deed.sent:
                task.cancel()
            ending = _kept(self._ending, _ended(task, flight, let_go))
            if task.done():
                await asyncio.shield(ending)
            raise
        held.take(flight)
        return result

    async def finish(self) -> None:
        """When nobody can ask any more. What a server has not answered yet is recorded as not known."""
        for task in self._running:
            task.cancel()
        while self._running or self._ending:
            await asyncio.wait(self._running | self._ending)


def _kept(running: set[asyncio.Task[T]], work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    task = asyncio.create_task(work)
    running.add(task)
    task.add_done_callback(running.discard)
    return task


async def _ended(task: asyncio.Task[T], flight: Flight, let_go: Callable[[T], Awaitable[None]]) -> None:
    with flight:
        await asyncio.wait({task})
        error = None if task.cancelled() else task.exception()
        if error is None and not task.cancelled():
            await let_go(task.result())
        elif error is not None and not isinstance(error, SharegateError):
            log.error("fault in what was sent to a server", exc_info=error)


def outcome(error: BaseException) -> Denied:
    """What is recorded of something that was sent and has no answer."""
    if isinstance(error, Denied):
        return error
    if isinstance(error, asyncio.CancelledError):
        return Denied(Reason.DRAINING, "sent; the gate stopped before the server had answered")
    return Denied(Reason.STORE_UNAVAILABLE, "sent; the answer was lost by a fault of the gate")


def made(request: Request, grant: Grant, path: str, answer: Response) -> str:
    """What the server called something new in the folder that was asked for; "" for every other answer."""
    location = next((value for name, value in answer.headers if name.lower() == "location"), "")
    base = f"{grant.base}api/contents/"
    if request.method != "POST" or answer.status != 201 or not location.startswith(base):
        return ""
    folder, _, name = unquote(location.removeprefix(base)).rpartition("/")
    return f"made {name}" if folder == path else ""


def size(answer: Response) -> int:
    """Bytes of what is answered at once."""
    return len(answer.body) if isinstance(answer.body, bytes) else 0
