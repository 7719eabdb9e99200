"""One connection of a visitor: bounds on heads and chunks, last words, and ends that look like what they are."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from sharegate.errors import Denied
from sharegate.messages import Answer, Frame, FrameKind, Request, Response, Socket, Upgrade
from tests.listener.test_http import head, listening, talk

SHAKE = {"Upgrade": "websocket", "Sec_WebSocket_Version": "13", "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ=="}


async def _done(request: Request) -> Answer:
    return Response(200, (), b"done")


async def _reads(request: Request) -> Answer:
    try:
        return Response(200, (), b"%d" % len(await request.body.read(1 << 20)))
    except Denied:
        return Response(400, (), b"no")


@pytest.mark.parametrize("size", [40, 60])
async def test_attack_a_head_of_many_lines_is_refused_before_its_end(size: int) -> None:
    """Each line is short enough, and there are not too many: together they are 431."""
    lines = b"".join(b"X-%d: %s\r\n" % (number, b"y" * 1000) for number in range(size))
    async with listening(_done) as port:
        unfinished = await talk(port, b"GET / HTTP/1.1\r\nHost: x\r\n" + lines)
        whole = await talk(port, b"GET / HTTP/1.1\r\nHost: x\r\n" + lines + b"\r\n")

    assert unfinished[9:12] == whole[9:12] == b"431"


async def test_a_head_that_fits_is_read_whatever_came_before() -> None:
    """The bound is for one head: a hundred requests on one connection are none too long."""
    one = head(X_Fill="y" * 8000).replace(b"Connection: close", b"Connection: keep-alive")
    async with listening(_done) as port:
        answers = await talk(port, one * 100 + head())

    assert answers.count(b"HTTP/1.1 200") == 101


@pytest.mark.parametrize("number", [90, 101])
async def test_the_number_of_fields_is_bounded(number: int) -> None:
    """A hundred are plenty."""
    async with listening(_done) as port:
        answer = await talk(port, head(**{f"X{each}": "y" for each in range(number)}))

    assert answer[9:12] == (b"200" if number < 100 else b"400")


async def test_attack_chunks_that_are_mostly_no_body(caplog: pytest.LogCaptureFixture) -> None:
    """An extension may not carry what a body may not; the refusal arrives; a chunk for each byte is a body."""
    start = head("POST", Transfer_Encoding="chunked")
    endless = start + b"5;" + b"x" * 3_000_000
    many = start + b"".join(b"1;%s\r\nx\r\n" % (b"y" * 10_000) for _ in range(300)) + b"0\r\n\r\n"
    tiny = start + b"1\r\nx\r\n" * 50_000 + b"0\r\n\r\n"
    async with listening(_reads) as port:
        refused = [await talk(port, endless), await talk(port, many)]
        taken = await talk(port, tiny)

    assert all(answer[9:12] == b"400" for answer in refused)
    assert taken.endswith(b"50000")
    assert "Traceback" not in caplog.text


async def test_a_refusal_arrives_though_the_visitor_speaks_on() -> None:
    """Four megabytes behind a head that is none: closing at once would reset the connection under the answer."""
    async with listening(_done) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX : 1\r\n\r\n")
        for _ in range(64):
            writer.write(b"z" * 65536)
            with contextlib.suppress(ConnectionError):
                await writer.drain()
        async with asyncio.timeout(25):
            answer = await reader.read()
        writer.close()

    assert answer[9:12] == b"400"


async def test_who_does_not_go_after_the_last_word_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hearing out is short."""
    monkeypatch.setattr("sharegate.listener.connection.LINGER_SECONDS", 0.2)
    async with listening(_done) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX : 1\r\n\r\n")
        async with asyncio.timeout(25):
            await reader.read()
            while True:
                writer.write(b"z")
                await asyncio.sleep(0)
                try:
                    await writer.drain()
                except ConnectionError:
                    break
        writer.close()


async def test_a_broken_stream_is_a_reset_for_http_1_0() -> None:
    """For a reader that waits for the end of the connection an orderly end would say that all has come."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"x" * 1000
        raise ConnectionAbortedError("the visit ended")

    async def handle(request: Request) -> Answer:
        return Response(200, (), pieces())

    async with listening(handle) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 25)
        writer.close()


async def test_http_1_0_neither_upgrades_nor_continues_nor_chunks() -> None:
    """It has none of the three (RFC 9110 sections 7.8 and 10.1.1, RFC 9112 section 6.1)."""
    seen: list[Request] = []

    async def handle(request: Request) -> Answer:
        seen.append(request)
        return await _reads(request)

    def old(data: bytes) -> bytes:
        return data.replace(b"HTTP/1.1", b"HTTP/1.0", 1)

    async with listening(handle) as port:
        await talk(port, old(head(**SHAKE)))
        expecting = await talk(port, old(head("POST", Expect="100-continue", Content_Length="4")) + b"body")
        chunks = await talk(port, old(head("POST", Transfer_Encoding="chunked")) + b"4\r\nbody\r\n0\r\n\r\n")

    assert not seen[0].upgrade
    assert expecting.startswith(b"HTTP/1.0 200") and expecting.endswith(b"4") and b"100 Continue" not in expecting
    assert chunks[9:12] == b"400"


@pytest.mark.parametrize("frame", [b"\x82\x03abc", b"\x82\xfe\x00\x03\x00\x00\x00\x00abc"], ids=["unmasked", "long"])
async def test_attack_frames_that_the_library_would_take(frame: bytes) -> None:
    """Closed with 1002; the handler gets the end of the channel and no message."""
    got: list[Frame] = []

    async def serve(visitor: Socket) -> None:
        got.append(await visitor.receive())

    async def handle(request: Request) -> Answer:
        return Upgrade(serve)

    asked = head(**SHAKE).replace(b"Connection: close", b"Connection: Upgrade")
    async with listening(handle) as port:
        answer = await talk(port, asked + frame)

    assert b"\x03\xea" in answer.partition(b"\r\n\r\n")[2][:4]
    assert [one.kind for one in got] == [FrameKind.CLOSE]
