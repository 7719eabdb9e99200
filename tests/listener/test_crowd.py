"""How many connections stand open."""

from __future__ import annotations

import asyncio
import contextlib
import socket

from sharegate.listener.crowd import Crowd
from sharegate.listener.http import Listener
from sharegate.messages import Answer, Request, Response


def test_one_address_has_a_share_of_its_own() -> None:
    """Others come in when one place is full; who leaves makes room."""
    crowd = Crowd(total=10, per_address=2)
    first = crowd.enter("192.0.2.1")

    assert first is not None and crowd.enter("192.0.2.1") is not None
    assert crowd.enter("192.0.2.1") is None
    assert crowd.enter("192.0.2.2") is not None
    crowd.leave(first)
    assert crowd.enter("192.0.2.1") is not None


def test_attack_one_network_of_ipv6_is_one_place() -> None:
    """Whoever has a /64 has as many addresses as they like."""
    crowd = Crowd(total=10, per_address=1)

    assert crowd.enter("2001:db8::1") is not None
    assert crowd.enter("2001:db8::2") is None
    assert crowd.enter("2001:db8:0:1::1") is not None


def test_the_number_of_all_counts_for_everybody() -> None:
    """Also for whom stands for many."""
    crowd = Crowd(total=2, per_address=1, exempt=lambda address: address == "127.0.0.1")

    assert crowd.enter("127.0.0.1") is not None and crowd.enter("127.0.0.1") is not None
    assert crowd.enter("127.0.0.1") is None and crowd.enter("192.0.2.1") is None
    assert crowd.open == 2


async def test_a_listener_drops_who_finds_no_room_and_lets_in_who_comes_after() -> None:
    """The one too many hears nothing; when another has gone there is room again."""

    async def handle(request: Request) -> Answer:
        return Response(200, (), b"done")

    crowd = Crowd(total=10, per_address=1)
    listener = Listener(handle, crowd)
    bound = socket.create_server(("127.0.0.1", 0))
    bound.setblocking(False)
    await listener.start(bound)
    port = bound.getsockname()[1]
    ask = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(ask)
        assert (await reader.readuntil(b"done")).startswith(b"HTTP/1.1 200")
        other, unheard = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(ConnectionError):
            assert await other.read() == b""
        unheard.close()
        writer.close()
        async with asyncio.timeout(20):
            while crowd.open:
                await asyncio.sleep(0)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(ask)
        assert (await reader.readuntil(b"done")).startswith(b"HTTP/1.1 200")
        writer.close()
    finally:
        await listener.stop()
