"""What comes back from a server: answers whole, cut short, lying, slow, and none at all."""

from __future__ import annotations

import asyncio
import gzip

import msgspec
import pytest

from sharegate.errors import Denied, Reason
from sharegate.upstream.forward import AiohttpForwarder, Timeouts
from sharegate.upstream.interfaces import Outgoing
from sharegate.upstream.model import Upstream
from tests.upstream.bad import BAD, CUT, hang_up
from tests.upstream.scripted import Recorder, Script, ok, saying, scripted
from tests.upstream.sent import GET, refused


async def test_an_encoded_body_comes_back_as_sent(forwarder: AiohttpForwarder) -> None:
    """Nothing is decompressed on the way."""
    packed = gzip.compress(b"hello")
    async with scripted(saying(ok(packed, b"Content-Encoding: gzip"))) as server:
        assert await (await forwarder.forward(server.upstream, GET)).read(1000) == packed


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_answers_without_a_body_end_at_once(forwarder: AiohttpForwarder, status: bytes) -> None:
    """204 and 304 have no body, and the connection stays usable."""
    text = b"HTTP/1.1 " + status + b"\r\n\r\n"
    async with scripted(saying(text, ok())) as server:
        assert await (await forwarder.forward(server.upstream, GET)).read(10) == b""
        assert await (await forwarder.forward(server.upstream, GET)).read(10) == b"ok"
        assert server.connections == 1


async def test_interim_answers_are_skipped(forwarder: AiohttpForwarder) -> None:
    """1xx before the answer is not the answer."""
    async with scripted(saying(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok())) as server:
        assert (await forwarder.forward(server.upstream, GET)).status == 200


async def test_attack_endless_interim_answers_are_none(forwarder: AiohttpForwarder) -> None:
    """However slowly they come."""

    async def script(record: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await record.head(reader)
        while True:
            writer.write(b"HTTP/1.1 102 Processing\r\n\r\n")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with scripted(script) as server:
        assert (await refused(forwarder, server.upstream)).reason is Reason.UPSTREAM_BAD_ANSWER


async def test_attack_a_few_interim_answers_do_not_move_the_deadline(forwarder: AiohttpForwarder) -> None:
    """A server that goes on promising is as late as a silent one."""

    async def script(record: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await record.head(reader)
        for _ in range(6):
            writer.write(b"HTTP/1.1 102 Processing\r\n\r\n")
            await writer.drain()
            await asyncio.sleep(0.15)
        await reader.read()

    async with AiohttpForwarder(timeouts=Timeouts(connect=2, first_byte=0.3)) as hasty, scripted(script) as server:
        assert (await refused(hasty, server.upstream)).reason is Reason.UPSTREAM_TIMEOUT


async def test_a_long_body_has_its_time_as_long_as_it_goes(forwarder: AiohttpForwarder) -> None:
    """What the gate holds whole, too: patience is with each piece. (A third of it can wait in the two kernels.)"""
    body = b"x" * (32 << 20)

    async def script(record: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"Content-Length: 33554432" in head
        left = len(body)
        while left:
            left -= len(await reader.read(1 << 18))
            await asyncio.sleep(0.04)
        writer.write(ok())
        await writer.drain()

    async with AiohttpForwarder(timeouts=Timeouts(connect=20, first_byte=4)) as hasty, scripted(script) as server:
        assert (await hasty.forward(server.upstream, Outgoing("PUT", "x", body=body))).status == 200


@pytest.mark.parametrize("text", CUT.values(), ids=CUT)
async def test_a_truncated_answer_raises(forwarder: AiohttpForwarder, text: bytes) -> None:
    """The iterator raises instead of ending, so that the visitor's transfer can be broken off too."""
    async with scripted(saying(text, then_close=True)) as server:
        assert (await refused(forwarder, server.upstream)).reason is Reason.UPSTREAM_BAD_ANSWER


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
async def test_a_lying_head_is_a_bad_answer(forwarder: AiohttpForwarder, text: bytes) -> None:
    """What is no answer is `upstream_bad_answer`, whatever it is, and is not asked for again."""
    async with scripted(saying(text, then_close=True)) as server:
        assert (await refused(forwarder, server.upstream)).reason is Reason.UPSTREAM_BAD_ANSWER
        assert len(server.heads) == 1


async def test_attack_bytes_after_an_answer_do_not_answer_the_next_request(forwarder: AiohttpForwarder) -> None:
    """A second answer smuggled behind the first is thrown away with its connection."""
    async with scripted(saying(ok(b"ok") + ok(b"smuggled"), ok(b"honest"))) as server:
        assert await (await forwarder.forward(server.upstream, GET)).read(100) == b"ok"
        for _ in range(3):
            assert await (await forwarder.forward(server.upstream, GET)).read(100) != b"smuggled"


async def silent(record: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await record.head(reader)
    await reader.read(-1)


async def drip(record: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await record.head(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
    await reader.read(-1)


@pytest.mark.parametrize(
    ("script", "reason"),
    [(silent, Reason.UPSTREAM_TIMEOUT), (drip, Reason.UPSTREAM_TIMEOUT), (hang_up, Reason.UPSTREAM_AWAY)],
)
async def test_a_server_that_goes_quiet_is_told_apart(script: Script, reason: Reason, hasty: AiohttpForwarder) -> None:
    """Never answering and stopping in the middle are time-outs; hanging up without a word is away."""
    async with scripted(script) as server:
        assert (await refused(hasty, server.upstream)).reason is reason


async def test_a_port_that_nobody_listens_on_is_away(forwarder: AiohttpForwarder) -> None:
    """A stopped server is `upstream_away`, found before a connection is tried."""
    async with scripted(hang_up) as server:
        upstream = server.upstream
    assert (await refused(forwarder, upstream)).reason is Reason.UPSTREAM_AWAY


async def test_a_refused_connection_is_away() -> None:
    """The same when nobody looked before."""

    async def trusting(_: Upstream) -> None: ...

    async with scripted(hang_up) as server:
        upstream = server.upstream
    async with AiohttpForwarder(vet=trusting) as forwarder:
        assert (await refused(forwarder, upstream)).reason is Reason.UPSTREAM_AWAY


async def test_attack_nothing_is_sent_to_a_foreign_listener(forwarder: AiohttpForwarder) -> None:
    """A port that another process holds gets no connection at all, for HTTP and WebSocket, credential or not."""
    async with scripted(saying(ok())) as server:
        foreign = msgspec.structs.replace(server.upstream, pid=1)
        for attempt in (forwarder.forward, forwarder.connect):
            for outgoing in (GET, Outgoing("GET", "x", credential=False)):
                with pytest.raises(Denied) as denied:
                    await attempt(foreign, outgoing)
                assert denied.value.reason is Reason.UPSTREAM_NOT_OURS
        assert server.connections == 0
