"""TLS handshakes are counted from the moment a connection is accepted."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sharegate.listener import handshakes, http
from sharegate.listener.crowd import POLITE, Crowd
from sharegate.listener.http import Listener
from sharegate.messages import Answer, Request, Response
from tests.listener.test_tls import ask, certificates
from tests.real.certificates import Authority, Pair

HELLO = b"\x16\x03\x01\x02\x00\x01"


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Authority(tmp_path / "authority").leaf()


@contextlib.asynccontextmanager
async def gate(pair: Pair, crowd: Crowd, bound: socket.socket | None = None) -> AsyncIterator[int]:
    async def handle(request: Request) -> Answer:
        if request.known is not None:
            request.known("ann")
        return Response(200, (), b"done")

    bound = bound or socket.create_server(("127.0.0.1", 0))
    listener = Listener(handle, crowd=crowd)
    await listener.start(bound, certificates(pair).context)
    try:
        yield bound.getsockname()[1]
    finally:
        await listener.stop()


async def enter(port: int, pair: Pair, source: str = "127.0.0.1") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(
        "127.0.0.1", port, ssl=pair.trusted(), server_hostname="share.example.org", local_addr=(source, 0)
    )


async def hold(port: int, source: str = "127.0.0.1") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A handshake that is begun and not gone on with."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
    writer.write(HELLO)
    return reader, writer


async def dropped(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(25):
        try:
            return await reader.read()
        except ConnectionError:
            return b""


async def until(count: int, crowd: Crowd) -> None:
    async with asyncio.timeout(25):
        while len(crowd) != count:
            await asyncio.sleep(0.01)


async def test_attack_handshakes_that_are_never_finished(pair: Pair) -> None:
    """One address has its share of them and no more, and everybody else still enters."""
    crowd = Crowd(50, 5)
    async with gate(pair, crowd) as port:
        held = [await hold(port, "127.3.0.1") for _ in range(5)]
        await until(5, crowd)
        more = [await hold(port, "127.3.0.1") for _ in range(POLITE + 20)]
        async with asyncio.timeout(25):
            while crowd.refused < len(more):
                await asyncio.sleep(0.01)
        assert len(crowd) == 5
        # Past what is turned away with a word they are closed at once, within the patience of anybody.
        assert [await dropped(reader) for reader, _ in more[POLITE:]] == [b""] * 20
        reader, writer = await enter(port, pair)
        assert b"200" in await ask(reader, writer)
        assert len(crowd) == 6
        for _, one in (*held, *more):
            one.close()
        writer.close()
        await until(0, crowd)


async def test_attack_handshakes_from_everywhere_give_way(pair: Pair) -> None:
    """In a full gate the one that has been held longest is dropped for whoever comes, and nobody who is in."""
    crowd = Crowd(4, 4)
    async with gate(pair, crowd) as port:
        ann = await enter(port, pair)
        assert b"200" in await ask(*ann)
        held = []
        for number in range(1, 4):
            held.append(await hold(port, f"127.3.0.{number}"))
            await until(1 + number, crowd)
        bo = await enter(port, pair)
        assert b"200" in await ask(*bo) and b"200" in await ask(*ann)
        assert await dropped(held[0][0]) == b""
        assert (len(crowd), crowd.refused) == (4, 1)
        for _, one in (ann, bo, *held):
            one.close()
        await until(0, crowd)


@pytest.mark.parametrize("harm", ["nonsense", "hangs up", "reset", "silent", "not trusted"])
async def test_a_failed_handshake_gives_its_place_back(pair: Pair, harm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However it failed."""
    if harm == "silent":
        monkeypatch.setattr(http, "HANDSHAKE_SECONDS", 0.2)
    crowd = Crowd(50, 5)
    async with gate(pair, crowd) as port:
        if harm == "not trusted":
            with pytest.raises(ssl.SSLError):
                await asyncio.open_connection("127.0.0.1", port, ssl=ssl.create_default_context())
        else:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            await until(1, crowd)
            if harm == "nonsense":
                writer.write(b"GET / HTTP/1.1\r\n\r\n")
            elif harm == "hangs up":
                writer.write(HELLO)
                writer.close()
            elif harm == "reset":
                http.reset(writer.transport)
            await dropped(reader)
            writer.close()
        await until(0, crowd)
        assert crowd.refused == 0


async def test_who_finds_no_room_is_told_so_over_tls(pair: Pair) -> None:
    """In an answer that can be read, outside the count."""
    crowd = Crowd(50, 1)
    async with gate(pair, crowd) as port:
        _, held = await hold(port)
        await until(1, crowd)
        reader, writer = await enter(port, pair)
        async with asyncio.timeout(25):
            head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503") and b"Retry-After: 5" in head
        assert len(crowd) == 1
        held.close()
        writer.close()


async def test_a_hundred_at_once_whose_first_words_come_with_the_connection(pair: Pair) -> None:
    """They wait in the system's queue with all that they say: nothing of it is lost."""
    crowd = Crowd(200, 200)
    bound = socket.create_server(("127.0.0.1", 0), backlog=128)
    trusted = pair.trusted()
    ready: list[tuple[socket.socket, ssl.MemoryBIO, ssl.MemoryBIO, ssl.SSLObject]] = []
    for _ in range(100):
        come, go = ssl.MemoryBIO(), ssl.MemoryBIO()
        shaking = trusted.wrap_bio(come, go, server_hostname="share.example.org")
        with contextlib.suppress(ssl.SSLWantReadError):
            shaking.do_handshake()
        one = socket.create_connection(bound.getsockname())
        one.sendall(go.read())
        one.setblocking(False)
        ready.append((one, come, go, shaking))
    loop = asyncio.get_running_loop()

    async def asks(one: socket.socket, come: ssl.MemoryBIO, go: ssl.MemoryBIO, shaking: ssl.SSLObject) -> bytes:
        while True:
            try:
                shaking.do_handshake()
                break
            except ssl.SSLWantReadError:
                come.write(await loop.sock_recv(one, 65536))
        # The end of the handshake and the request in one packet.
        shaking.write(b"GET / HTTP/1.1\r\nHost: share.example.org\r\n\r\n")
        await loop.sock_sendall(one, go.read())
        while True:
            try:
                return shaking.read(12)
            except ssl.SSLWantReadError:
                come.write(await loop.sock_recv(one, 65536))

    async with gate(pair, crowd, bound):
        async with asyncio.timeout(25):
            assert await asyncio.gather(*(asks(*one) for one in ready)) == [b"HTTP/1.1 200"] * 100
        assert len(crowd) == 100
        for one, *_ in ready:
            one.close()
        await until(0, crowd)


class Starved(socket.socket):
    """A listening socket for which there is no descriptor left, for some times."""

    left = 3
    tried = 0

    def accept(self) -> tuple[socket.socket, Any]:
        self.tried += 1
        if self.left:
            self.left -= 1
            raise OSError(errno.EMFILE, "none left")
        return super().accept()


async def test_without_a_descriptor_it_rests_and_tries_again(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not spin meanwhile, and who waited is let in."""
    monkeypatch.setattr(handshakes, "REST_SECONDS", 0.05)
    told: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    bound = Starved()
    bound.bind(("127.0.0.1", 0))
    bound.listen()
    crowd = Crowd(5, 5)
    async with gate(pair, crowd, bound) as port:
        reader, writer = await enter(port, pair)
        assert b"200" in await ask(reader, writer)
        assert [context["exception"].errno for context in told] == [errno.EMFILE] * 3
        assert all("accept" in context["message"] for context in told)
        assert bound.tried <= 3 + 3
        writer.close()


async def test_without_a_descriptor_it_does_not_spin(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody waits all the time, and is not asked for until it has rested; a stop meanwhile is a stop."""
    monkeypatch.setattr(handshakes, "REST_SECONDS", 3600)
    asyncio.get_running_loop().set_exception_handler(lambda _, context: None)
    bound = Starved()
    bound.bind(("127.0.0.1", 0))
    bound.listen()
    async with gate(pair, Crowd(5, 5), bound) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(100):
            await asyncio.sleep(0.001)
        assert bound.tried == 1
        writer.close()


async def test_the_stop_drops_who_is_not_in_yet(
    pair: Pair, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever patience they had: nobody is accepted any more, no place is left over, and nothing is said of it."""
    monkeypatch.setattr(http, "HANDSHAKE_SECONDS", 3600)
    crowd = Crowd(50, 50)
    with caplog.at_level(logging.WARNING):
        async with gate(pair, crowd) as port:
            held = [await hold(port) for _ in range(3)]
            await until(3, crowd)
            dropping = asyncio.gather(*(dropped(reader) for reader, _ in held))
        assert await dropping == [b""] * 3
    assert len(crowd) == 0 and not caplog.records
    with pytest.raises(ConnectionError):
        await asyncio.open_connection("127.0.0.1", port)
    for _, writer in held:
        writer.close()


async def test_small_packets_are_not_held_back(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with the loop's own server (RFC 896 would have an answer wait for the visitor's acknowledgement)."""
    met: list[int] = []
    made = http._Connection.connection_made

    def connection_made(self: Any, transport: Any) -> None:
        bound = transport.get_extra_info("socket")
        met.append(bound.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        made(self, transport)

    monkeypatch.setattr(http._Connection, "connection_made", connection_made)
    async with gate(pair, Crowd(5, 5)) as port:
        reader, writer = await enter(port, pair)
        assert b"200" in await ask(reader, writer)
        writer.close()
    assert met == [1]
