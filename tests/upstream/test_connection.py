"""Connections to servers: an answer belongs to the request before it."""

from __future__ import annotations

import asyncio

import pytest

from sharegate.errors import Denied, Reason
from sharegate.upstream.forward import AiohttpForwarder, Timeouts
from sharegate.upstream.interfaces import Outgoing
from tests.upstream.scripted import Recorder, ok, saying, scripted

GET = Outgoing("GET", "x")


async def test_attack_an_answer_that_nobody_asked_for(forwarder: AiohttpForwarder) -> None:
    """What comes on an idle connection ends it, and answers nobody."""
    sent = asyncio.Event()
    gone = asyncio.Event()

    async def script(record: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await record.head(reader)
        writer.write(ok(b"first"))
        await writer.drain()
        if record.connections == 1:
            await sent.wait()
            writer.write(ok(b"evil!"))
            try:
                await reader.read()
            except ConnectionError:
                pass
            gone.set()
        else:
            await record.head(reader)

    async with scripted(script) as server:
        first = await (await forwarder.forward(server.upstream, GET)).read(100)
        sent.set()
        # Sooner than an idle connection would be closed anyway.
        async with asyncio.timeout(25):
            await gone.wait()
        second = await (await forwarder.forward(server.upstream, GET)).read(100)

    assert (first, second) == (b"first", b"first")
    assert server.connections == 2


async def test_attack_a_server_that_speaks_first(forwarder: AiohttpForwarder) -> None:
    """An answer before the question is none."""

    async def script(record: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(ok(b"evil!"))
        await writer.drain()
        await record.head(reader)

    reasons: list[Reason] = []
    async with scripted(script) as server:
        for _ in range(3):
            answered = await asyncio.gather(forwarder.forward(server.upstream, GET), return_exceptions=True)
            reasons += [one.reason for one in answered if isinstance(one, Denied)]
            for one in answered:
                # It came after the question had been sent: nobody can tell the two apart.
                if not isinstance(one, BaseException):
                    await one.close()

    assert set(reasons) <= {Reason.UPSTREAM_AWAY, Reason.UPSTREAM_BAD_ANSWER}


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/2.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"Content-Length: 5\r\n\r\nhello",
    ],
)
async def test_attack_answers_with_two_readings(forwarder: AiohttpForwarder, said: bytes) -> None:
    """The library would take each for a good one, or for another one than the next reader."""
    async with scripted(saying(said, then_close=True)) as server:
        with pytest.raises(Denied) as caught:
            await forwarder.forward(server.upstream, GET)

    assert caught.value.reason is Reason.UPSTREAM_BAD_ANSWER


async def test_attack_a_drip_is_given_up_like_silence() -> None:
    """A byte now and then is less than the patience lasts for."""

    async def script(record: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await record.head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with AiohttpForwarder(timeouts=Timeouts(idle=0.3)) as hasty, scripted(script) as server:
        answer = await hasty.forward(server.upstream, GET)
        with pytest.raises(Denied) as caught:
            await answer.read(1 << 20)

    assert caught.value.reason is Reason.UPSTREAM_TIMEOUT


async def test_a_second_try_takes_a_new_connection(forwarder: AiohttpForwarder) -> None:
    """All idle connections may be as stale as the first: the second try meets none of them."""
    both = asyncio.Barrier(2)

    async def script(record: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = record.connections
        await record.head(reader)
        if number <= 2:
            await both.wait()
        writer.write(ok(b"first"))
        await writer.drain()
        # The second request on a connection finds it closing.
        await record.head(reader)

    async with scripted(script) as server:
        for answer in await asyncio.gather(*(_send(forwarder, server) for _ in range(2))):
            await answer.read(9)
        answer = await forwarder.forward(server.upstream, GET)

    assert await answer.read(100) == b"first"
    assert server.connections == 3


def _send(forwarder: AiohttpForwarder, server: Recorder) -> asyncio.Task:  # type: ignore[type-arg]
    return asyncio.ensure_future(forwarder.forward(server.upstream, GET))


async def test_connections_that_are_being_made_are_bounded() -> None:
    """A server that takes no connection holds a few who ask; the others wait no longer than making one may take."""
    hold = asyncio.Event()

    async def vet(upstream: object) -> None:
        await hold.wait()

    async with AiohttpForwarder(vet=vet, timeouts=Timeouts(connect=2.0)) as forwarder, scripted(saying(ok())) as server:
        asked = [_send(forwarder, server) for _ in range(40)]
        async with asyncio.timeout(25):
            while sum(one.done() for one in asked) < 8:
                await asyncio.sleep(0.01)
        refused = [one for one in asked if one.done()]
        assert all(isinstance(one.exception(), Denied) for one in refused)
        hold.set()
        others = await asyncio.gather(*(one for one in asked if one not in refused))
        for one in others:
            await one.close()
        # What was counted is given back: as many are made again.
        again = await asyncio.gather(*(_send(forwarder, server) for _ in range(32)))
        for one in again:
            await one.close()

    assert len(refused) == 8 and len(others) == 32
