"""`-/live`: the one WebSocket of a visitor's page. Says what happens to the visit, hears which document is in front."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Protocol

from sharegate.errors import Denied, Reason
from sharegate.lab import live
from sharegate.limits import Buckets, Rate
from sharegate.messages import FrameKind, Socket
from sharegate.paths import CanonicalPath, Place
from sharegate.shares.authenticate import Authenticator
from sharegate.shares.model import Grant
from sharegate.visits.presence import Presence

# What a page may say: one word per change of document, and some haste.
WORDS = Rate(per=5, seconds=1, burst=60)


class Ending(Protocol):
    """How a live page learns that its visit is over (the registry's cut)."""

    @property
    def reason(self) -> Reason | None: ...

    async def wait(self) -> Reason: ...


class LivePages:
    """All pages that are open now."""

    def __init__(
        self,
        authenticator: Authenticator,
        presence: Presence,
        server_state: Callable[[str], live.ServerState],
        now: Callable[[], float],
        *,
        beat: float = live.BEAT_SECONDS,
    ) -> None:
        self._authenticator = authenticator
        self._presence = presence
        self._server_state = server_state
        self._now = now
        self._beat = beat
        self._wakers: dict[asyncio.Event, Grant] = {}

    def wake(self, *, share: str = "", upstream: str = "") -> None:
        """Have the pages of a share or server look anew: the end moved, the role changed, the server went or came."""
        for event, grant in self._wakers.items():
            if share in ("", grant.share.id) and upstream in ("", grant.share.upstream):
                event.set()

    async def serve(self, grant: Grant, socket: Socket, ending: Ending) -> None:
        """Until the page goes or the visit ends."""
        woken = asyncio.Event()
        self._wakers[woken] = grant
        self._presence.page_opened(grant.visit.id)
        hearing = asyncio.create_task(self._hear(grant, socket))
        over = asyncio.create_task(ending.wait())
        try:
            await self._tell(grant, socket, woken, hearing, over)
        except (ConnectionError, Denied):  # the page is gone, or said something unreadable: the channel ends
            pass
        finally:
            for task in (hearing, over):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, ConnectionError, Denied):
                    await task
            del self._wakers[woken]
            self._presence.page_closed(grant.visit.id)
            if ending.reason is not None:
                await self._end(grant, socket, ending.reason)
            else:
                await socket.close(1000)

    async def _tell(
        self,
        grant: Grant,
        socket: Socket,
        woken: asyncio.Event,
        hearing: asyncio.Task[None],
        over: asyncio.Task[Reason],
    ) -> None:
        state = self._server_state(grant.share.upstream)
        role, expires = grant.role, grant.expires
        await socket.send(live.to_page(live.Hello(role=role.value, expires=expires, now=self._now(), server=state)))
        while True:
            waking = asyncio.create_task(woken.wait())
            try:
                done, _ = await asyncio.wait(
                    {hearing, over, waking}, timeout=self._beat, return_when=asyncio.FIRST_COMPLETED
                )
            finally:
                waking.cancel()
            if hearing in done or over in done:
                return
            if not done:
                await socket.send(live.to_page(live.Beat()))
            woken.clear()
            try:
                grant = await self._authenticator.again(grant)
            except Denied:
                continue  # the cut that follows from the same change ends this channel
            now_state = self._server_state(grant.share.upstream)
            if now_state != state:
                state = now_state
                await socket.send(live.to_page(live.Server(state)))
            if grant.expires != expires:
                expires = grant.expires
                await socket.send(live.to_page(live.Expiring(expires=expires, now=self._now())))
            if grant.role is not role:
                role = grant.role
                await socket.send(live.to_page(live.RoleChanged(role.value)))

    async def _hear(self, grant: Grant, socket: Socket) -> None:
        pace = Buckets(WORDS, self._now, remembered=1)
        while True:
            frame = await socket.receive()
            if frame.kind is FrameKind.CLOSE:
                return
            pace.take("", 1, Reason.REQUEST_LIMIT)
            here = live.from_page(frame)
            self._presence.touch(grant.visit.id, self._place(grant, here.path))

    @staticmethod
    def _place(grant: Grant, path: str) -> str:
        """Where the page says it is, if that is a place it can be."""
        try:
            read = CanonicalPath.from_body(path)
        except Denied:
            return ""
        return str(read) if read.place(grant.root) is Place.INSIDE and not read.hidden else ""

    @staticmethod
    async def _end(grant: Grant, socket: Socket, reason: Reason) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(1):
                await socket.send(live.to_page(live.ended(reason, grant.share.owner)))
        await socket.close(live.close_code(reason), reason.value)
