"""A channel to a server that is ended from our side, or stalls, or outlives a sleep."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from typing import cast

import aiohttp
import pytest

from sharegate.messages import Frame, FrameKind
from sharegate.upstream.forward import AiohttpForwarder
from sharegate.upstream.socket import UpstreamSocket, sendable
from tests.upstream.scripted import scripted
from tests.upstream.speaking import CHANNEL, accepting, echo, frame, keep_open, read_frame


async def test_closing_tells_the_upstream_code_and_reason(forwarder: AiohttpForwarder) -> None:
    """The upstream reads the close frame; a reader that waits meanwhile is woken."""
    closes: list[tuple[int, bytes]] = []
    done = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opcode, data = await read_frame(reader)
        closes.append((opcode, data))
        writer.write(frame(8, data))
        done.set()

    async with scripted(accepting(talk)) as server:
        socket = await forwarder.connect(server.upstream, CHANNEL)
        waiting = asyncio.create_task(socket.receive())
        await asyncio.sleep(0)
        await socket.close(4403, "revoked")
        await asyncio.wait_for(done.wait(), 25)
        assert closes == [(8, struct.pack(">H", 4403) + b"revoked")]
        assert (await asyncio.wait_for(waiting, 25)).kind is FrameKind.CLOSE


@pytest.mark.parametrize("reading", ["reads", "has just read", "stops reading", "does not read"])
async def test_what_was_sent_before_closing_is_read_by_a_slow_upstream(reading: str) -> None:
    """A server that is busy, and answers what it reads: a connection that was dropped here meanwhile would answer that
    with a reset, and the rest would be lost. So it is when the reader hears of the end, comes back to a connection that
    is being closed, or was cancelled."""
    read: list[bytes] = []
    paused, busy, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = cast("asyncio.Transport", writer.transport)
        read.append((await read_frame(reader))[1])
        line.pause_reading()
        paused.set()
        await busy.wait()
        for _ in range(2):  # the first is answered by a reset, the second fails and ends the connection
            writer.write(frame(2, read[0]))
            await asyncio.sleep(0.05)
        line.resume_reading()
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while (told := await read_frame(reader))[0] != 8:
                read.append(told[1])
            writer.write(frame(8, told[1]))
        done.set()

    async def listen(socket: UpstreamSocket) -> None:
        while (await socket.receive()).kind is not FrameKind.CLOSE:
            pass
        socket.abort()

    async with scripted(accepting(talk)) as server, AiohttpForwarder() as forwarder:
        socket = await forwarder.connect(server.upstream, CHANNEL)
        listening = asyncio.create_task(listen(socket) if reading != "does not read" else asyncio.sleep(0))
        await socket.send(Frame.binary(b"0"))
        await paused.wait()
        for number in range(1, 20):
            await socket.send(Frame.binary(b"%d" % number))
        if reading == "stops reading":
            listening.cancel()
            await asyncio.wait({listening})
        closing = asyncio.create_task(socket.close(1000))
        if reading == "has just read":
            # What the library does when a frame comes; the reader wakes up after close() has begun.
            socket._channel._reader.feed_data(aiohttp.WSMessage(aiohttp.WSMsgType.BINARY, b"news", ""), 4)
        await asyncio.sleep(0.05)
        busy.set()
        await asyncio.wait_for(done.wait(), 25)
        await asyncio.gather(closing, listening, return_exceptions=True)
        assert read == [b"%d" % number for number in range(20)]


async def test_attack_an_upstream_that_keeps_talking_cannot_delay_the_close(hasty: AiohttpForwarder) -> None:
    """close() gives up after its time and drops the connection."""
    gone = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(frame(2, b"more"))
                await writer.drain()
                await asyncio.sleep(0.01)
        finally:
            gone.set()

    async with scripted(accepting(talk)) as server:
        socket = await hasty.connect(server.upstream, CHANNEL)
        await asyncio.wait_for(socket.close(1000), 25)
        await asyncio.wait_for(gone.wait(), 25)


async def test_abort_drops_the_connection_at_once_and_wakes_everybody(forwarder: AiohttpForwarder) -> None:
    """A waiting receive() ends with 1006, a stalled send() with ConnectionError; the upstream sees the end."""
    gone = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()
        while not writer.transport.is_closing():
            writer.write(b"")
            await asyncio.sleep(0.05)
            writer.transport.resume_reading() if stop.is_set() else None
            if stop.is_set():
                try:
                    await reader.read(-1)
                finally:
                    gone.set()
                return

    stop = asyncio.Event()
    async with scripted(accepting(talk)) as server:
        socket = await forwarder.connect(server.upstream, CHANNEL)
        receiving = asyncio.create_task(socket.receive())

        async def flood() -> None:
            while True:
                await socket.send(Frame.binary(b"x" * 65536))

        sending = asyncio.create_task(flood())
        await asyncio.sleep(0.3)
        assert not sending.done() and not receiving.done()
        socket.abort()
        socket.abort()
        assert (await asyncio.wait_for(receiving, 25)).code == 1006
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(sending, 25)
        stop.set()
        await asyncio.wait_for(gone.wait(), 25)


async def test_sending_to_a_server_that_does_not_read_waits(forwarder: AiohttpForwarder) -> None:
    """Pressure comes back: what is not taken is not piled up in the gate."""
    sent = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()
        await asyncio.Event().wait()

    async with scripted(accepting(talk)) as server:
        socket = await forwarder.connect(server.upstream, CHANNEL)

        async def flood() -> None:
            nonlocal sent
            for _ in range(1024):
                await socket.send(Frame.binary(b"x" * 65536))
                sent += 65536

        task = asyncio.create_task(flood())
        last = -1
        while sent != last:
            last = sent
            await asyncio.sleep(0.2)
        assert not task.done()
        assert sent < 16 * 1024 * 1024
        socket.abort()
        with pytest.raises(ConnectionError):
            await task


async def test_a_stalled_relay_does_not_grow_memory(forwarder: AiohttpForwarder) -> None:
    """While nobody receives, the server gets rid of a few of its 64 MB of messages."""
    written = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.transport.set_write_buffer_limits(high=65536)
        for _ in range(1024):
            writer.write(frame(2, b"x" * 65536))
            await writer.drain()
            written += 65536
        await keep_open(reader, writer)

    async with scripted(accepting(talk)) as server:
        socket = await forwarder.connect(server.upstream, CHANNEL)
        await socket.receive()
        last = -1
        while written != last:
            last = written
            await asyncio.sleep(0.2)
        assert written < 16 * 1024 * 1024
        for _ in range(1023):
            await socket.receive()
        assert written == 1024 * 65536
        socket.abort()


async def test_ended_channels_give_their_connections_back(forwarder: AiohttpForwarder) -> None:
    """However a channel ends, the pool does not go on counting it."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(frame(8, struct.pack(">H", 1000)))
        await keep_open(reader, writer)

    async def held() -> int:
        assert forwarder._channels is not None
        connector = forwarder._channels.connector
        assert connector is not None
        return len(connector._acquired)

    async with scripted(accepting(talk)) as server, scripted(accepting(echo)) as other:
        sockets: list[UpstreamSocket] = []
        sockets.append(await forwarder.connect(server.upstream, CHANNEL))
        sockets.append(await forwarder.connect(other.upstream, CHANNEL))
        sockets.append(await forwarder.connect(other.upstream, CHANNEL))
        assert await held() == 3
        await sockets[0].receive()
        await sockets[1].close(1000)
        sockets[2].abort()
        assert await held() == 0


@pytest.mark.parametrize(
    ("code", "sent"), [(1000, 1000), (4403, 4403), (1005, 1000), (1006, 1001), (1015, 1001), (0, 1011), (70000, 1011)]
)
def test_only_codes_that_may_stand_on_the_wire_are_sent(code: int, sent: int) -> None:
    """Codes that stand for something unsaid are replaced (RFC 6455 section 7.4.1)."""
    assert sendable(code, "")[0] == sent


def test_a_long_reason_is_cut_between_characters() -> None:
    """A control frame has room for 123 bytes of reason."""
    _, text = sendable(1000, "é" * 100)
    assert text == "é".encode() * 61


async def test_after_a_sleep_channels_to_other_machines_are_dropped(forwarder: AiohttpForwarder) -> None:
    """They may be dead without having said so; whoever holds one makes it anew. This machine's own slept as well."""
    async with scripted(accepting(echo)) as record:
        near, far = [await forwarder.connect(record.upstream, CHANNEL) for _ in range(2)]
        assert not near.remote, "a loopback address is this machine"
        far.remote = True
        forwarder.woke()
        assert (await far.receive()).code == 1006
        await near.send(Frame.text("still there"))
        assert (await near.receive()).data == b"still there"
        await near.close(1000)
