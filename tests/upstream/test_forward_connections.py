"""Connections to a server: used again, given up, closed, and after a sleep."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from sharegate.errors import Denied, Reason
from sharegate.upstream.forward import AiohttpForwarder
from sharegate.upstream.interfaces import Incoming, Outgoing
from tests.upstream.bad import hang_up
from tests.upstream.scripted import Recorder, Script, ok, saying, scripted
from tests.upstream.sent import GET, refused


def dying_after_one(last: bytes = b"") -> Script:
    """Each connection answers once, takes a second request and hangs up on it (after `last`)."""

    async def script(record: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await record.head(reader)
        writer.write(ok())
        await writer.drain()
        if await record.head(reader):
            writer.write(last)
            await writer.drain()

    return script


async def test_a_get_on_a_stale_connection_is_tried_once_more(forwarder: AiohttpForwarder) -> None:
    """The visitor does not notice that the pooled connection was closed under the request."""
    async with scripted(dying_after_one()) as server:
        for _ in range(2):
            assert await (await forwarder.forward(server.upstream, GET)).read(10) == b"ok"
        assert (len(server.heads), server.connections) == (3, 2)


@pytest.mark.parametrize(
    "outgoing",
    [
        Outgoing("PUT", "x", body=b"data"),
        Outgoing("DELETE", "x"),
        Outgoing("POST", "x"),
        Outgoing("GET", "x", body=b"b"),
    ],
    ids=lambda one: one.method,
)
async def test_a_request_that_may_have_had_an_effect_is_never_repeated(
    forwarder: AiohttpForwarder, outgoing: Outgoing
) -> None:
    """Only bodiless GET, HEAD and OPTIONS are sent twice (the library would repeat PUT and DELETE)."""
    async with scripted(dying_after_one()) as server:
        await (await forwarder.forward(server.upstream, GET)).read(10)
        assert (await refused(forwarder, server.upstream, outgoing)).reason is Reason.UPSTREAM_AWAY
        assert len(server.heads) == 2


async def test_a_get_on_a_fresh_connection_is_not_repeated(forwarder: AiohttpForwarder) -> None:
    """A server that hangs up on a new connection is away, not stale."""
    async with scripted(hang_up) as server:
        await refused(forwarder, server.upstream)
        assert len(server.heads) == 1


async def test_a_get_is_not_repeated_after_a_first_byte(forwarder: AiohttpForwarder) -> None:
    """Half a head on a pooled connection is a bad answer."""
    async with scripted(dying_after_one(b"HTTP/1.1 200 OK\r\nX-")) as server:
        await (await forwarder.forward(server.upstream, GET)).read(10)
        assert (await refused(forwarder, server.upstream)).reason is Reason.UPSTREAM_BAD_ANSWER
        assert len(server.heads) == 2


# memory, giving up


async def test_a_stalled_reader_does_not_grow_memory(forwarder: AiohttpForwarder) -> None:
    """Of 64 MB the server gets rid of a few until somebody reads on: pressure goes back to it."""
    written = 0
    size = 64 * 1024 * 1024
    piece = b"x" * 65536

    async def script(record: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        await record.head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        writer.transport.set_write_buffer_limits(high=65536)
        for _ in range(size // len(piece)):
            writer.write(piece)
            await writer.drain()
            written += len(piece)

    async with scripted(script) as server:
        answer = await forwarder.forward(server.upstream, GET)
        stream = answer.stream()
        got = len(await anext(stream))
        last = -1
        while written != last:
            last = written
            await asyncio.sleep(0.2)
        # The two kernel buffers of a loopback connection are most of it.
        assert written < 12 * 1024 * 1024
        async for part in stream:
            got += len(part)
        assert got == size


async def test_giving_an_answer_up_closes_its_connection(forwarder: AiohttpForwarder) -> None:
    """After close() the server is not drained in the background, and close() may be called twice."""
    gone = asyncio.Event()

    async def script(record: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await record.head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc")
        await reader.read(-1)
        gone.set()

    async with scripted(script) as server:
        answer = await forwarder.forward(server.upstream, GET)
        await answer.close()
        await answer.close()
        await asyncio.wait_for(gone.wait(), 25)


async def test_giving_the_stream_up_closes_its_connection(forwarder: AiohttpForwarder) -> None:
    """A visitor who leaves in the middle of a download ends it upstream as well."""
    gone = asyncio.Event()

    async def script(record: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await record.head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc")
        await reader.read(-1)
        gone.set()

    async with scripted(script) as server:
        stream = (await forwarder.forward(server.upstream, GET)).stream()
        assert await anext(stream) == b"abc"
        assert isinstance(stream, AsyncGenerator)
        await stream.aclose()
        await asyncio.wait_for(gone.wait(), 25)


async def test_cancelling_a_request_closes_its_connection() -> None:
    """A visitor who leaves before the answer takes the upstream's work with them."""
    came, gone = asyncio.Event(), asyncio.Event()

    async def script(record: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await record.head(reader)
        came.set()
        await reader.read(-1)
        gone.set()

    async with AiohttpForwarder() as forwarder, scripted(script) as server:
        task = asyncio.create_task(forwarder.forward(server.upstream, GET))
        await asyncio.wait_for(came.wait(), 25)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(gone.wait(), 25)


async def test_reading_past_the_limit_is_a_bad_answer(forwarder: AiohttpForwarder) -> None:
    """An answer that is to be filtered is never read without bounds."""
    async with scripted(saying(ok(b"x" * 5000))) as server:
        answer: Incoming = await forwarder.forward(server.upstream, GET)
        with pytest.raises(Denied) as denied:
            await answer.read(1000)
        assert denied.value.reason is Reason.UPSTREAM_BAD_ANSWER


async def test_after_a_sleep_no_connection_that_waits_is_used_again(forwarder: AiohttpForwarder) -> None:
    """It may have died without a word; a request that is not repeated by itself would fail on it."""
    async with scripted(saying(ok())) as record:
        for _ in range(2):
            await (await forwarder.forward(record.upstream, GET)).read(100)
        assert record.connections == 1
        forwarder.woke()
        answer = await forwarder.forward(record.upstream, Outgoing("DELETE", "x"))
        assert (answer.status, record.connections) == (200, 2)
        await answer.close()


async def test_a_sleep_leaves_what_is_being_answered_alone(forwarder: AiohttpForwarder) -> None:
    """Its own patience ends it if it is dead."""
    go = asyncio.Event()

    async def script(record: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await record.head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na")
        await writer.drain()
        await go.wait()
        writer.write(b"b")
        await writer.drain()

    async with scripted(script) as record:
        answer = await forwarder.forward(record.upstream, GET)
        forwarder.woke()
        go.set()
        assert await answer.read(10) == b"ab"
