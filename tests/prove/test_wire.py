"""A stranger's own HTTP and WebSocket, against servers that answer in every way."""

from __future__ import annotations

import asyncio
import struct

import pytest

from sharegate.errors import Unreachable
from sharegate.prove import wire
from sharegate.prove.wire import Origin, ask, channel, frame

pytestmark = pytest.mark.asyncio


class Scripted:
    """Answers every connection with these bytes; `heard` is what came first."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.heard = b""

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heard = await reader.readuntil(b"\r\n\r\n")
        writer.write(self.answer)
        writer.close()

    async def __aenter__(self) -> Scripted:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.origin = Origin("http", "127.0.0.1", self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhello", 200, b"he"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", 200, b"hello"),
        (b"HTTP/1.1 404\r\n\r\nuntil the end", 404, b"until the end"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
    ],
    ids=["length", "chunks", "until the end", "nothing"],
)
async def test_answers_are_read_whole(answer: bytes, status: int, body: bytes) -> None:
    """However their end is told."""
    async with Scripted(answer) as server:
        reply = await ask(server.origin, "GET", "/x", [])
    assert (reply.status, reply.body) == (status, body)


async def test_a_target_goes_out_as_it_is() -> None:
    """No dots are undone, no byte is encoded, and no field is added beside a given one."""
    async with Scripted(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as server:
        await ask(server.origin, "GET", "/a/../%2e%2e//b\udcff c", [("host", "evil.example")])
        assert server.heard.startswith(b"GET /a/../%2e%2e//b\xff c HTTP/1.1\r\n")
        assert server.heard.lower().count(b"host:") == 1


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhe", b"SSH-2.0-x\r\n\r\n"]
)
async def test_what_is_no_answer_is_unreachable(answer: bytes) -> None:
    """Cut short or no HTTP at all: nothing can be said of such a gate."""
    async with Scripted(answer) as server:
        with pytest.raises(Unreachable):
            await ask(server.origin, "GET", "/x", [])


async def test_a_channel_hears_frames_and_their_end() -> None:
    """Messages of every length, a ping in between that is answered, and the close with its words."""
    long = b"x" * 70_000
    answer = b"HTTP/1.1 101 Switching\r\n\r\n" + b"\x82\x02hi" + b"\x89\x00"
    answer += b"\x82\x7f" + struct.pack("!Q", len(long)) + long + b"\x88\x05" + struct.pack("!H", 1003) + b"bye"
    async with Scripted(answer) as server, channel(server.origin, "/x", []) as (reply, opened):
        assert reply.status == 101 and opened is not None
        await opened.listen(5)
        assert opened.heard == [b"hi", long]
        assert opened.closed == (1003, b"bye") and opened.words.endswith(b"bye")


async def test_a_refused_channel_is_an_answer() -> None:
    """With its body."""
    answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"
    async with Scripted(answer) as server, channel(server.origin, "/x", []) as (reply, opened):
        assert (reply.status, reply.body, opened) == (403, b"no", None)
        assert b"Upgrade: websocket" in server.heard


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
async def test_a_frame_is_masked_and_says_its_length(size: int) -> None:
    """RFC 6455 section 5.2, at the borders of its three lengths."""
    data = frame(wire.BINARY, b"y" * size)
    head = 2 + (0 if size < 126 else 2 if size < 65_536 else 8)
    assert data[0] == 0x82 and data[1] & 0x80 and len(data) == head + 4 + size


async def test_names_below_localhost_are_this_computer() -> None:
    """As browsers have it; ports and hosts are written as they do."""
    assert Origin.of("http://k7f2.localhost:8870/join#x").at == "127.0.0.1"
    assert str(Origin.of("https://share.example.org/join")) == "https://share.example.org"
    assert str(Origin.of("http://[::1]:8870/")) == "http://[::1]:8870"
