"""Tests of upstream/socket.py and of opening WebSockets, against the real server and one that lies."""

from __future__ import annotations

import asyncio
import json
import struct

import aiohttp
import pytest
from yarl import URL

from sharegate.errors import Denied, Reason
from sharegate.messages import Frame, FrameKind
from sharegate.upstream.forward import AiohttpForwarder, Timeouts
from sharegate.upstream.interfaces import Outgoing
from sharegate.upstream.model import Upstream
from tests.upstream.scripted import SECRET, Recorder, ok, saying, scripted
from tests.upstream.speaking import CHANNEL, accepting, echo, frame, keep_open, read_frame

# the real server


async def room_of(forwarder: AiohttpForwarder, real: Upstream) -> Outgoing:
    answer = await forwarder.forward(
        real,
        Outgoing("PUT", "api/collaboration/session/sub/shared/nb.ipynb", body=b'{"format":"json","type":"notebook"}'),
    )
    facts = json.loads(await answer.read(4096))
    # The colons as they are: the handler reads the undecoded path, `%3A` would name a bare room without a file.
    room = f"api/collaboration/room/json:notebook:{facts['fileId']}"
    return Outgoing("GET", room, (("sessionId", facts["sessionId"]),))


@pytest.mark.real
async def test_a_room_of_the_real_server_speaks_through_the_socket(patient: AiohttpForwarder, real: Upstream) -> None:
    """Binary messages come and go: the server greets with its sync step 1 and sends the document."""
    socket = await patient.connect(real, await room_of(patient, real))
    greeting = await asyncio.wait_for(socket.receive(), 25)
    assert (greeting.kind, greeting.data[:2]) == (FrameKind.BINARY, b"\x00\x00")
    await socket.send(Frame.binary(b"\x00\x00\x01\x00"))
    # In step 2 when the room had loaded the document already, else in an update that follows.
    while b"print(6*7)" not in (await asyncio.wait_for(socket.receive(), 25)).data:
        pass
    await socket.close(1000, "done")
    assert (await socket.receive()).code == 1006
    with pytest.raises(ConnectionError):
        await socket.send(Frame.binary(b"x"))


@pytest.mark.real
async def test_the_real_server_answers_pings(patient: AiohttpForwarder, real: Upstream) -> None:
    """In a room, on which the gate asks whether a silent server is there."""
    room, token = await room_of(patient, real), real.token.secret
    async with aiohttp.ClientSession(headers={"Authorization": f"token {token}"}) as session:
        url = URL(f"{real.url}{room.path}?sessionId={dict(room.query)['sessionId']}", encoded=True)
        async with session.ws_connect(url, autoping=False) as socket:
            await socket.ping(b"there?")
            while (message := await socket.receive(20)).type is not aiohttp.WSMsgType.PONG:
                assert message.type is aiohttp.WSMsgType.BINARY
            assert message.data == b"there?"


@pytest.mark.real
async def test_the_real_server_refuses_a_channel_without_credential(patient: AiohttpForwarder, real: Upstream) -> None:
    """403 and 404 of the handshake are `not_found`."""
    room = await room_of(patient, real)
    for outgoing in (
        Outgoing("GET", room.path, room.query, credential=False),
        Outgoing("GET", "api/kernels/11111111-2222-3333-4444-555555555555/channels"),
        Outgoing("GET", "no/such/route"),
    ):
        with pytest.raises(Denied) as denied:
            await patient.connect(real, outgoing)
        assert denied.value.reason is Reason.NOT_FOUND


# the handshake


async def test_the_handshake_carries_the_credential_in_its_header_only(forwarder: AiohttpForwarder) -> None:
    """No token in the URL, no Origin, no compression offer, nothing of the visitor's handshake."""
    theirs = (("Origin", "https://evil"), ("Sec-WebSocket-Extensions", "permessage-deflate"), ("Cookie", "a=b"))
    async with scripted(accepting(echo, b"Sec-WebSocket-Protocol: v1.kernel")) as server:
        outgoing = Outgoing("GET", "api/k%20x", (("session_id", "1"),), theirs, subprotocol="v1.kernel")
        socket = await forwarder.connect(server.upstream, outgoing)
        assert socket.subprotocol == "v1.kernel"
        socket.abort()
        sent = dict(server.fields())
        assert server.lines()[0] == "GET /base/api/k%20x?session_id=1 HTTP/1.1"
    assert sent.pop("sec-websocket-key")
    assert sent == {
        "host": f"127.0.0.1:{server.port}",
        "authorization": f"token {SECRET}",
        "accept-encoding": "identity",
        "upgrade": "websocket",
        "connection": "Upgrade",
        "sec-websocket-version": "13",
        "sec-websocket-protocol": "v1.kernel",
    }


async def test_attack_a_redirected_handshake_is_not_followed(forwarder: AiohttpForwarder) -> None:
    """The library would go on to the new address by itself, credential and all."""
    async with scripted(accepting(echo)) as other:
        text = f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{other.port}/x\r\nContent-Length: 0\r\n\r\n".encode()
        async with scripted(saying(text)) as server:
            with pytest.raises(Denied) as denied:
                await forwarder.connect(server.upstream, CHANNEL)
        assert denied.value.reason is Reason.UPSTREAM_BAD_ANSWER
        assert other.connections == 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (ok(), Reason.UPSTREAM_BAD_ANSWER),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", Reason.NOT_FOUND),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", Reason.NOT_FOUND),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", Reason.UPSTREAM_BAD_ANSWER),
        (
            b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
            Reason.UPSTREAM_BAD_ANSWER,
        ),
        (b"garbage\r\n\r\n", Reason.UPSTREAM_BAD_ANSWER),
        (b"", Reason.UPSTREAM_AWAY),
    ],
)
async def test_a_refused_handshake_is_translated(forwarder: AiohttpForwarder, text: bytes, reason: Reason) -> None:
    """Each answer that is no upgrade has its reason."""
    async with scripted(saying(text, then_close=True)) as server:
        with pytest.raises(Denied) as denied:
            await forwarder.connect(server.upstream, CHANNEL)
    assert denied.value.reason is reason


async def test_a_handshake_without_an_answer_times_out() -> None:
    """A server that takes the connection and says nothing is `upstream_timeout`."""

    async def quiet(record: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    async with AiohttpForwarder(timeouts=Timeouts(connect=2, first_byte=0.2)) as hasty, scripted(quiet) as server:
        with pytest.raises(Denied) as denied:
            await hasty.connect(server.upstream, CHANNEL)
    assert denied.value.reason is Reason.UPSTREAM_TIMEOUT


@pytest.mark.parametrize("used", [False, True])
async def test_nothing_is_opened_after_the_end(used: bool) -> None:
    """Who comes while the gate stops is told that the server is away: nobody would close what was opened for them."""
    async with scripted(accepting(echo)) as server:
        async with AiohttpForwarder() as forwarder:
            if used:
                socket = await forwarder.connect(server.upstream, CHANNEL)
                await socket.close(1000)
        with pytest.raises(Denied) as denied:
            await forwarder.connect(server.upstream, CHANNEL)
        assert denied.value.reason is Reason.UPSTREAM_AWAY
        assert used or forwarder._channels is None


# messages


async def test_messages_pass_both_ways_unchanged(forwarder: AiohttpForwarder) -> None:
    """Binary, text and empty messages of any size keep kind and bytes."""
    async with scripted(accepting(echo)) as server:
        socket = await forwarder.connect(server.upstream, CHANNEL)
        for message in (
            Frame.binary(b"\x00\xff"),
            Frame.text("häßlich ☃"),
            Frame.binary(b""),
            Frame.text(""),
            Frame.binary(bytes(range(256)) * 1000),
        ):
            await socket.send(message)
            assert await asyncio.wait_for(socket.receive(), 25) == message
        await socket.close(1000)


async def test_fragments_are_joined_and_pings_answered(forwarder: AiohttpForwarder) -> None:
    """The gate sees whole messages; a ping between fragments is answered and not shown."""
    pongs: list[tuple[int, bytes]] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(frame(2, b"one ", fin=False) + frame(9, b"hey") + frame(0, b"two"))
        pongs.append(await read_frame(reader))
        writer.write(frame(2, b"after"))
        await keep_open(reader, writer)

    async with scripted(accepting(talk)) as server:
        socket = await forwarder.connect(server.upstream, CHANNEL)
        assert (await socket.receive()).data == b"one two"
        assert (await asyncio.wait_for(socket.receive(), 25)).data == b"after"
        assert pongs == [(10, b"hey")]
        socket.abort()


@pytest.mark.parametrize(
    ("data", "code", "reason"),
    [
        (struct.pack(">H", 1003) + b'{"reason":"unknown_session"}', 1003, '{"reason":"unknown_session"}'),
        (struct.pack(">H", 4403) + "vorbei ☃".encode(), 4403, "vorbei ☃"),
        (b"", 1005, ""),
    ],
)
async def test_an_upstreams_close_comes_with_code_and_reason(
    forwarder: AiohttpForwarder, data: bytes, code: int, reason: str
) -> None:
    """The handshake is finished towards the upstream, then nothing more is received or sent."""
    answers: list[tuple[int, bytes]] = []
    answered = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(frame(8, data))
        answers.append(await read_frame(reader))
        answered.set()

    async with scripted(accepting(talk)) as server:
        socket = await forwarder.connect(server.upstream, CHANNEL)
        assert await asyncio.wait_for(socket.receive(), 25) == Frame.close(code, reason)
        await asyncio.wait_for(answered.wait(), 25)
        assert answers[0][0] == 8
        assert await socket.receive() == Frame.close(1006)
        with pytest.raises(ConnectionError):
            await socket.send(Frame.text("x"))


@pytest.mark.parametrize("reading", [True, False])
async def test_an_upstream_that_is_gone_without_a_word_is_1006(reading: bool) -> None:
    """Its connection stands, and nobody answers at the other end: whether we wait for it, or look only later."""
    pinged = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert (await read_frame(reader))[0] == 9
        pinged.set()
        await reader.read(-1)
        pinged.set()

    async with (
        AiohttpForwarder(timeouts=Timeouts(silent=0.1)) as asking,
        scripted(accepting(talk)) as server,
        asyncio.timeout(25),
    ):
        socket = await asking.connect(server.upstream, CHANNEL)
        if not reading:
            await pinged.wait()
            pinged.clear()
            await pinged.wait()
        assert await socket.receive() == Frame.close(1006)
        with pytest.raises(ConnectionError):
            await socket.send(Frame.binary(b"x"))


async def test_an_upstream_that_answers_pings_may_be_silent() -> None:
    """Asked again and again, it stays; the visitor's side sees none of it."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            opcode, data = await read_frame(reader)
            assert opcode == 9
            writer.write(frame(10, data))
        writer.write(frame(2, b"still here"))
        await keep_open(reader, writer)

    async with (
        AiohttpForwarder(timeouts=Timeouts(silent=3.0)) as asking,
        scripted(accepting(talk)) as server,
        asyncio.timeout(25),
    ):
        socket = await asking.connect(server.upstream, CHANNEL)
        assert await socket.receive() == Frame.binary(b"still here")
        await socket.close(1000)


async def test_a_broken_connection_is_1006(forwarder: AiohttpForwarder) -> None:
    """An end without a close frame is no orderly close, even though the TCP connection ended in order."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(frame(2, b"last"))

    async with scripted(accepting(talk)) as server:
        socket = await forwarder.connect(server.upstream, CHANNEL)
        assert (await socket.receive()).data == b"last"
        assert (await asyncio.wait_for(socket.receive(), 25)).code == 1006


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (frame(1, b"\xff\xfe"), 1007),
        (frame(3, b"x"), 1002),
        (frame(2, b"x" * 5000), 1009),
        (frame(8, b"\x03"), 1002),
        (b"\xc2\x01x", 1002),
        (b"\x82\x81\0\0\0\0x", 1002),
        (b"\x82\x7e\0\1x", 1002),
    ],
    ids=[
        *("not utf-8", "unknown opcode", "too large", "broken close", "compressed without agreement"),
        *("masked", "a length that is too long for itself"),
    ],
)
async def test_attack_a_lying_frame_ends_the_channel(raw: bytes, code: int) -> None:
    """The channel ends with the code of the violation and the connection is dropped."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await keep_open(reader, writer)

    async with AiohttpForwarder(max_message=4096) as small, scripted(accepting(talk)) as server:
        socket = await small.connect(server.upstream, CHANNEL)
        assert (await asyncio.wait_for(socket.receive(), 25)).code == code
        assert (await socket.receive()).code == 1006
