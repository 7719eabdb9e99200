"""One visitor's connection as the room sees it; to the relay it is the upstream's end of the channel."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from sharegate.channels.frames import Message
from sharegate.channels.place import Place
from sharegate.channels.scan import UpdateSummary
from sharegate.errors import Denied
from sharegate.messages import Frame
from sharegate.shares.model import Grant, new_id

# Bytes and frames that may wait for a visitor who reads slowly. One frame may be larger: the document itself.
WAITING_BYTES = 8 * 1024 * 1024
WAITING_FRAMES = 5_000


class Heard(Frame, frozen=True):
    """A frame that the guard of the channel has read; `summary` says what its update holds, if it is one."""

    message: Message | None = None
    summary: UpdateSummary | None = None


Take = Callable[["Member", Heard], Awaitable[None]]


class Member:
    """Implements messages.Socket. What the room has for the visitor waits here, within bounds: who falls behind loses
    the connection and is brought up to date by the next one, so a slow visitor never slows the others."""

    def __init__(self, grant: Grant, place: Place, take: Take, leave: Callable[[Member], None]) -> None:
        self.id = new_id()
        self.grant = grant
        self.inside = False  # the server's document is here, connected
        self.wrote = False
        # It was sent the document. Changes go to nobody else, who would have them with a gap before them.
        self.shown = False
        # Set by the first step 2 on this connection. What a page that was offline says before may leave a gap; its
        # step 2 is built later and holds all of it.
        self.caught_up = False
        self.early_saves: list[int] = []  # asked for before that; their numbers
        self.place = place
        self._take = take
        self._leave = leave
        self._waiting: deque[Frame] = deque()
        self._bytes = 0
        self._news = asyncio.Event()
        self._end: Frame | Denied | None = None
        self._gone = False

    def __repr__(self) -> str:
        return f"<Member of visit {self.grant.visit.id}, {len(self._waiting)} frames waiting>"

    @property
    def here(self) -> bool:
        return self._end is None and not self._gone

    # -- the room's side ------------------------------------------------------------------------------------------

    def push(self, frame: Frame) -> None:
        """Have the visitor hear this, after what waits already."""
        if not self.here:
            return
        if self._waiting and (self._bytes > WAITING_BYTES or len(self._waiting) >= WAITING_FRAMES):
            self.end(Frame.close(1012, "server_slow"))
            return
        self._waiting.append(frame)
        self._bytes += len(frame.data)
        self._news.set()

    def end(self, why: Frame | Denied) -> None:
        """Close the channel, at once: what waits is not sent any more. The first end stands."""
        if self._end is None:
            self._end = why
            self._waiting.clear()
            self._bytes = 0
            self._news.set()

    # -- the relay's side -----------------------------------------------------------------------------------------

    async def receive(self) -> Frame:
        """The next frame for the visitor; a CLOSE frame, or Denied, at the end."""
        while True:
            if self._end is not None:
                self._forget()
                if isinstance(self._end, Denied):
                    raise self._end
                return self._end
            if self._waiting:
                frame = self._waiting.popleft()
                self._bytes -= len(frame.data)
                return frame
            self._news.clear()
            await self._news.wait()

    async def send(self, frame: Frame) -> None:
        """Hand the room what the visitor said. Raises Denied; waits while the server is slow."""
        assert isinstance(frame, Heard), "a room takes only what its channel's guard has read"
        if not self.here:
            raise ConnectionResetError("not in the room any more")
        await self._take(self, frame)

    async def close(self, code: int, reason: str = "") -> None:
        self._forget()

    def abort(self) -> None:
        self._forget()

    def _forget(self) -> None:
        if not self._gone:
            self._gone = True
            self._leave(self)
