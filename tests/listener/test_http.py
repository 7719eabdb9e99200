"""The listener in front: bytes in, requests of ours; answers of ours, bytes out."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from sharegate.errors import Denied, Reason
from sharegate.listener import http
from sharegate.listener.crowd import Crowd
from sharegate.listener.http import Listener
from sharegate.messages import Answer, Frame, FrameKind, Request, Response, Socket, Upgrade

Handle = Callable[[Request], Awaitable[Answer]]


@contextlib.asynccontextmanager
async def listening(handle: Handle, crowd: Crowd | None = None) -> AsyncIterator[int]:
    bound = socket.create_server(("127.0.0.1", 0))
    bound.setblocking(False)
    listener = Listener(handle, crowd=crowd)
    await listener.start(bound)
    try:
        yield bound.getsockname()[1]
    finally:
        await listener.stop()


async def talk(port: int, data: bytes, *, until: bytes = b"") -> bytes:
    """Everything that comes back until the connection ends, or until these bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    try:
        async with asyncio.timeout(25):
            return await (reader.readuntil(until) if until else reader.read())
    finally:
        writer.close()


def head(method: str = "GET", target: str = "/", **fields: str) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: x", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def test_a_request_arrives_as_it_was_sent() -> None:
    """Method, raw target, every field in order, the peer's address."""
    seen: list[Request] = []

    async def handle(request: Request) -> Answer:
        seen.append(request)
        return Response(200, (("X-One", "1"),), b"done")

    async with listening(handle) as port:
        answer = await talk(
            port, head(target="/a%2Fb/%2e%2e?x=%20&y", X_Twice="a").replace(b"\r\n\r\n", b"\r\nX-Twice: b\r\n\r\n")
        )

    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"\r\n\r\ndone")
    assert b"aiohttp" not in answer
    (request,) = seen
    assert request.target == "/a%2Fb/%2e%2e?x=%20&y"
    assert request.headers.all("x-twice") == ["a", "b"]
    assert request.peer == "127.0.0.1"


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
async def test_answers_without_a_body_have_none(method: str, status: int) -> None:
    """Whatever the gate handed over."""

    async def handle(request: Request) -> Answer:
        return Response(status, (), b"body" if method == "HEAD" else b"")

    async with listening(handle) as port:
        answer = await talk(port, head(method))

    assert answer.split(b"\r\n\r\n", 1)[1] == b""


async def test_a_stream_is_sent_piece_by_piece_and_ended_once() -> None:
    """`done` is called once, after the last byte."""
    ended = []

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"x" * 100_000

    async def done() -> None:
        ended.append(True)

    async def handle(request: Request) -> Answer:
        return Response(200, (("Content-Length", "500000"),), pieces(), done)

    async with listening(handle) as port:
        answer = await talk(port, head())

    assert len(answer.split(b"\r\n\r\n", 1)[1]) == 500_000
    assert ended == [True]


@pytest.mark.parametrize("fields", [(("Content-Length", "500000"),), ()], ids=["length", "chunked"])
async def test_a_stream_that_breaks_looks_broken(fields: tuple[tuple[str, str], ...]) -> None:
    """No clean end: the visitor must see that something is missing."""
    ended = []

    async def pieces() -> AsyncIterator[bytes]:
        yield b"x" * 1000
        raise ConnectionAbortedError("the visit ended")

    async def done() -> None:
        ended.append(True)

    async def handle(request: Request) -> Answer:
        return Response(200, fields, pieces(), done)

    async with listening(handle) as port:
        try:
            answer = await talk(port, head())
        except ConnectionError:
            answer = b""

    assert not answer.endswith(b"0\r\n\r\n")
    assert len(answer.split(b"\r\n\r\n", 1)[-1]) < 500_000
    assert ended == [True]


async def test_a_slow_reader_holds_the_stream_back() -> None:
    """Only as much is pulled from the source as the connection takes."""
    pulled = 0
    started = asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal pulled
        while pulled < 200_000_000:
            pulled += 65536
            started.set()
            yield b"x" * 65536

    async def handle(request: Request) -> Answer:
        return Response(200, (), pieces())

    async with listening(handle) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(head())
        await started.wait()
        before = -1
        while before != pulled:
            before = pulled
            for _ in range(200):
                await asyncio.sleep(0)
        writer.transport.abort()

    assert reader is not None
    assert pulled < 50_000_000


async def test_a_visitor_who_goes_away_stops_the_work() -> None:
    """The source of a stream is closed and `done` is called, though nobody reads."""
    stopped = asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65536

    async def done() -> None:
        stopped.set()

    async def handle(request: Request) -> Answer:
        return Response(200, (), pieces(), done)

    async with listening(handle) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head())
        await reader.readexactly(1000)
        writer.transport.abort()
        async with asyncio.timeout(25):
            await stopped.wait()


async def test_the_body_is_invited_only_when_the_gate_wants_it() -> None:
    """`100 Continue` comes when the body is read, and not at all when the head is refused."""

    async def reads(request: Request) -> Answer:
        return Response(200, (), await request.body.read(100))

    async def refuses(request: Request) -> Answer:
        return Response(403, (), b"no")

    asked = head("POST", Expect="100-continue", Content_Length="4")
    async with listening(reads) as port:
        answer = await talk(port, asked + b"body")
    async with listening(refuses) as port:
        refused = await talk(port, asked)

    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200")
    assert answer.endswith(b"body")
    assert refused.startswith(b"HTTP/1.1 403")


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_past_the_limit_is_refused(announced: bool) -> None:
    """Whether its length was announced or not."""
    reasons = []

    async def handle(request: Request) -> Answer:
        try:
            await request.body.read(10)
        except Denied as denied:
            reasons.append(denied.reason)
        return Response(413, (), b"")

    if announced:
        data = head("POST", Content_Length="2000") + b"x" * 2000
    else:
        data = head("POST", Transfer_Encoding="chunked") + b"7d0\r\n" + b"x" * 2000 + b"\r\n0\r\n\r\n"
    async with listening(handle) as port:
        await talk(port, data)

    assert reasons == [Reason.BODY_TOO_LARGE]


async def test_an_upgrade_hands_over_a_socket_or_is_abandoned() -> None:
    """`serve` gets the visitor's end; a handshake that is none calls `abandon` instead."""
    served: list[Frame] = []
    abandoned = []

    async def serve(visitor: Socket) -> None:
        served.append(await visitor.receive())
        await visitor.send(Frame.text("hello"))
        await visitor.close(4403, "share_revoked")

    async def abandon() -> None:
        abandoned.append(True)

    async def handle(request: Request) -> Answer:
        return Upgrade(serve, abandon=abandon)

    shake = {"Upgrade": "websocket", "Sec_WebSocket_Version": "13", "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    good = head(**shake).replace(b"Connection: close", b"Connection: Upgrade")
    masked = b"\x82\x83\x00\x00\x00\x00abc" + b"\x88\x82\x00\x00\x00\x00\x11\x33"
    async with listening(handle) as port:
        answer = await talk(port, good + masked)
        bad = await talk(port, good.replace(b"Version: 13", b"Version: 99"), until=b"\r\n")

    assert answer.startswith(b"HTTP/1.1 101")
    assert b"permessage-deflate" not in answer
    assert b"\x81\x05hello" in answer
    assert b"\x11\x33share_revoked" in answer
    assert [(frame.kind, frame.data) for frame in served] == [(FrameKind.BINARY, b"abc")]
    assert b" 101 " not in bad[:20]
    assert abandoned == [True]


# -- visitors who do not read -----------------------------------------------------------------------------------------


@contextlib.contextmanager
def deaf(port: int) -> Iterator[socket.socket]:
    """A connection whose end takes little, and nothing of what comes is read."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        one.connect(("127.0.0.1", port))
        yield one


async def rest(one: socket.socket) -> None:
    """Read to the end."""
    while await asyncio.get_running_loop().sock_recv(one, 1 << 20):
        pass


async def still(number: Callable[[], int]) -> int:
    """The number, once it stays for a while."""
    before = -1
    async with asyncio.timeout(60):
        while before != number():
            before = number()
            await asyncio.sleep(0.5)
    return before


async def test_attack_who_reads_no_short_answer_gets_no_further_one() -> None:
    """Pipelined requests wait until the answer before is off our hands; otherwise they would fill the memory."""
    asked = 0

    async def handle(request: Request) -> Answer:
        nonlocal asked
        asked += 1
        return Response(200, (), b"x" * 8000)

    async with listening(handle) as port:
        with deaf(port) as one:
            one.setblocking(False)
            sending = asyncio.ensure_future(
                asyncio.get_running_loop().sock_sendall(one, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 20_000)
            )
            reached = await still(lambda: asked)
            sending.cancel()

    # What the system itself keeps for a connection is a few megabytes.
    assert reached * 8000 < 8_000_000


@pytest.mark.parametrize("size", [0, 8000, 8_000_000])
async def test_attack_who_reads_nothing_is_dropped_after_a_while(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the length of the answers, and `done` is called."""
    monkeypatch.setattr(http, "STALLED_SECONDS", 1.0)
    asked = ended = 0

    async def done() -> None:
        nonlocal ended
        ended += 1

    async def handle(request: Request) -> Answer:
        nonlocal asked
        asked += 1
        return Response(200, (("X-Long", "x" * 8000),), b"x" * size, done)

    crowd = Crowd(10, 10)
    async with listening(handle, crowd) as port:
        with deaf(port) as one:
            one.setblocking(False)
            sending = asyncio.ensure_future(
                asyncio.get_running_loop().sock_sendall(one, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 20_000)
            )
            async with asyncio.timeout(60):
                while not asked or len(crowd):
                    await asyncio.sleep(0.05)
            sending.cancel()
        assert asked == ended < 20_000


async def test_attack_a_cut_takes_back_short_answers_too() -> None:
    """What waits for a visitor who has stopped to read is gone with the cut, and the connection with it."""
    cut = asyncio.Event()
    asked = 0

    async def handle(request: Request) -> Answer:
        nonlocal asked
        asked += 1
        return Response(200, (), b"x" * 20_000, cut=cut.wait)

    crowd = Crowd(10, 10)
    async with listening(handle, crowd) as port:
        with deaf(port) as one:
            one.setblocking(False)
            loop = asyncio.get_running_loop()
            sending = asyncio.ensure_future(loop.sock_sendall(one, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 20_000))
            await still(lambda: asked)
            cut.set()
            sending.cancel()
            async with asyncio.timeout(25):
                while len(crowd):
                    await asyncio.sleep(0.05)
                with pytest.raises(ConnectionError):
                    await rest(one)
