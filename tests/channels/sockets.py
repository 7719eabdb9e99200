"""One end of a WebSocket in memory, as a peer that may be slow, deaf or gone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

from sharegate.messages import Frame


class Wire:
    """`socket` is what the relay holds; the rest is the test's hold on the peer.

    `room` is how many frames the peer takes before it must read again (None: any number); while there is no room,
    `send` waits. A `deaf` peer never finishes a closing handshake.
    """

    def __init__(self, *, room: int | None = None, deaf: bool = False) -> None:
        self.sent: list[Frame] = []
        self.closed: list[tuple[int, str]] = []
        self.aborted = False
        self.received = 0
        self.waiting = 0
        self.deaf = deaf
        self._gone = False
        self._inbox: asyncio.Queue[Frame] = asyncio.Queue()
        self._room = room
        self._may_send = asyncio.Condition()
        self.socket = _Socket(self)

    @staticmethod
    def start(work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        return asyncio.create_task(work)

    @staticmethod
    async def settle() -> None:
        """Let everything run that can run."""
        for _ in range(50):
            await asyncio.sleep(0)

    async def say(self, *frames: Frame) -> None:
        for frame in frames:
            self._inbox.put_nowait(frame)
        await self.settle()

    async def until(self, true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not true():
            assert time.monotonic() < deadline, "nothing happened for 30 s"
            await asyncio.sleep(0.002)

    async def read(self, frames: int) -> None:
        """The slow peer reads some frames, which makes room for as many."""
        async with self._may_send:
            assert self._room is not None
            self._room += frames
            self._may_send.notify_all()

    def vanish(self) -> None:
        """The connection breaks without a word."""
        self._gone = True
        self._inbox.put_nowait(Frame.close(1006))

    @property
    def unread(self) -> int:
        return self._inbox.qsize()


class _Socket:
    """Implements messages.Socket."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def receive(self) -> Frame:
        frame = await self._wire._inbox.get()
        self._wire.received += 1
        return frame

    async def send(self, frame: Frame) -> None:
        wire = self._wire
        if wire._gone or wire.closed or wire.aborted:
            raise ConnectionResetError("gone")
        wire.waiting += 1
        try:
            async with wire._may_send:
                await wire._may_send.wait_for(lambda: wire._room is None or wire._room > 0)
                if wire._room is not None:
                    wire._room -= 1
        finally:
            wire.waiting -= 1
        wire.sent.append(frame)

    async def close(self, code: int, reason: str = "") -> None:
        self._wire.closed.append((code, reason))
        if self._wire.deaf:
            await asyncio.Event().wait()

    def abort(self) -> None:
        self._wire.aborted = True
