"""What a visitor sends on a WebSocket that no channel sees."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from sharegate.listener.http import Listener
from sharegate.listener.sockets import CONTROL
from sharegate.messages import Answer, Frame, FrameKind, Request, Socket, Upgrade
from sharegate.ports import bind
from tests.conftest import Clock

HEAD = (
    b"GET / HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
PING, PONG, TEXT = b"\x89\x80\0\0\0\0", b"\x8a\x80\0\0\0\0", b"\x81\x81\0\0\0\0x"
BURST = int(CONTROL.burst)


class Heard:
    """Answers each request with a channel that writes down what comes; `held` keeps it from listening."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.over = asyncio.Event()
        self.held = asyncio.Event()
        self.held.set()

    async def handle(self, request: Request) -> Answer:
        return Upgrade(serve=self.serve, max_message=1024)

    async def serve(self, socket: Socket) -> None:
        await self.held.wait()
        while not self.frames or self.frames[-1].kind is not FrameKind.CLOSE:
            self.frames.append(await socket.receive())
        self.over.set()


Opened = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
async def opened(heard: Heard, clock: Clock) -> AsyncIterator[Opened]:
    """Opens a WebSocket, after its handshake."""
    bound = bind("gate_port", "127.0.0.1", 0)
    port = bound.getsockname()[1]
    listener = Listener(heard.handle, pace=clock)
    await listener.start(bound)
    writers = []

    async def open() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writers.append(writer)
        writer.write(HEAD)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        return reader, writer

    yield open
    for writer in writers:
        writer.close()
    await listener.stop()
    bound.close()


async def rest(reader: asyncio.StreamReader) -> bytes:
    said = b""
    async with asyncio.timeout(25):
        with contextlib.suppress(ConnectionError):
            while part := await reader.read(1 << 16):
                said += part
    return said


async def test_pings_of_programs_are_answered(opened: Opened, heard: Heard, clock: Clock) -> None:
    """Each with its own words, for as long as it likes, and no channel sees any."""
    reader, writer = await opened()
    for number in range(3 * BURST):
        clock.forward(1)
        writer.write(b"\x89\x82\0\0\0\0" + struct.pack(">H", number))
        assert await reader.readexactly(4) == b"\x8a\x02" + struct.pack(">H", number)
    writer.write(PONG + TEXT + b"\x88\x80\0\0\0\0")
    await heard.over.wait()
    assert [frame.kind for frame in heard.frames] == [FrameKind.TEXT, FrameKind.CLOSE]


@pytest.mark.parametrize("one", [PING, PONG], ids=["pings", "pongs"])
async def test_attack_pings_without_end(opened: Opened, heard: Heard, one: bytes) -> None:
    """So many are taken, then the channel ends with a word; what comes behind is neither answered nor heard."""
    reader, writer = await opened()
    writer.write(one * (BURST + 1) + TEXT)
    said = await rest(reader)
    answers = b"\x8a\x00" * BURST if one == PING else b""
    assert said == answers + b"\x88\x02" + struct.pack(">H", 1008)
    await heard.over.wait()
    assert [(frame.kind, frame.code) for frame in heard.frames] == [(FrameKind.CLOSE, 1008)]


async def test_attack_pings_of_somebody_who_never_reads(opened: Opened, heard: Heard) -> None:
    """It ends all the same, and others are heard meanwhile."""
    _, flood = await opened()
    flood.write(PING * 400_000)
    await heard.over.wait()
    heard.frames.clear()
    heard.over.clear()
    _, quiet = await opened()
    quiet.write(TEXT + b"\x88\x80\0\0\0\0")
    await heard.over.wait()
    assert [frame.kind for frame in heard.frames] == [FrameKind.TEXT, FrameKind.CLOSE]
