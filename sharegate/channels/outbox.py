"""What the gate has to say to a server in one room, in order and within bounds."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from sharegate.messages import Frame, Socket

# Above these whoever says something waits. Above the others, which what cannot wait may reach (names that go, saves,
# answers to the server's own questions), the connection is given up. A document alone may be larger.
WAITING_BYTES = 32 * 1024 * 1024
WAITING_FRAMES = 20_000
MOST_BYTES = 128 * 1024 * 1024
MOST_FRAMES = 100_000


def _nothing() -> None:
    """There is nothing to drop."""


class Outbox:
    """Kept across connections; `begin` empties it, because a new connection begins with the whole difference."""

    def __init__(self) -> None:
        self._frames: deque[Frame] = deque()
        self._bytes = 0
        self._finished = False
        self._given_up = False
        self._give_up: Callable[[], object] = _nothing
        self._changed = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()

    def begin(self, give_up: Callable[[], object] = _nothing) -> None:
        """`give_up` drops the connection; it is called when the server reads too slowly for what has to be said."""
        self._give_up = give_up
        self._empty()
        self._finished = self._given_up = False

    def end(self) -> None:
        """The connection is over."""
        self._give_up = _nothing

    def put(self, frame: Frame) -> None:
        if self._given_up:
            return  # the next connection begins with the whole difference
        if self._frames and (self._bytes > MOST_BYTES or len(self._frames) >= MOST_FRAMES):
            self._given_up = True
            self._empty()
            self._give_up()
            return
        self._frames.append(frame)
        self._bytes += len(frame.data)
        if self._full:
            self._drained.clear()
        self._changed.set()

    @property
    def empty(self) -> bool:
        """Whether everything was given to the connection."""
        return not self._frames

    @property
    def _full(self) -> bool:
        return self._bytes > WAITING_BYTES or len(self._frames) > WAITING_FRAMES

    def _empty(self) -> None:
        self._frames.clear()
        self._bytes = 0
        self._drained.set()

    @property
    def finished(self) -> bool:
        return self._finished

    def finish(self) -> None:
        """Close the connection after what waits was sent."""
        self._finished = True
        self._changed.set()

    async def room(self) -> None:
        """Wait while the server is slow."""
        await self._drained.wait()

    async def carry(self, socket: Socket) -> None:
        """Send until finished; ends with the closing handshake, or with the connection."""
        while True:
            while self._frames:
                frame = self._frames.popleft()
                self._bytes -= len(frame.data)
                if not self._full:
                    self._drained.set()
                try:
                    await socket.send(frame)
                except ConnectionError:  # told by the reader, which sees the end of the same connection
                    return
            if self._finished:
                await socket.close(1000)
                return
            self._changed.clear()
            await self._changed.wait()
