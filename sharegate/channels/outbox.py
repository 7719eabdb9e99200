"""What the gate has to say to a server in one room, in order and within bounds."""

from __future__ import annotations

import asyncio
from collections import deque

from sharegate.messages import Frame, Socket

WAITING_BYTES = 32 * 1024 * 1024


class Outbox:
    """Kept across connections; `begin` empties it, because a new connection begins with the whole difference."""

    def __init__(self) -> None:
        self._frames: deque[Frame] = deque()
        self._bytes = 0
        self._finished = False
        self._changed = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()

    def begin(self) -> None:
        self._frames.clear()
        self._bytes = 0
        self._finished = False
        self._drained.set()

    def put(self, frame: Frame) -> None:
        self._frames.append(frame)
        self._bytes += len(frame.data)
        if self._bytes > WAITING_BYTES:
            self._drained.clear()
        self._changed.set()

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
                if self._bytes <= WAITING_BYTES:
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
