"""The dashboard's live page as an attacker's target: what floods it, what never reads, and that others go on."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import zlib
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from sharegate.audit.events import Action, AuditEvent
from sharegate.dashboard.login import LONGEST_SECONDS
from sharegate.dashboard.web import CONTROL
from sharegate.shares.interfaces import Change
from tests.attacks.test_hostile_frames import wire_frame
from tests.dashboard.client import Signed
from tests.dashboard.conftest import Office

PING, PONG, TEXT = wire_frame(0x89), wire_frame(0x8A), wire_frame(0x81, b"x")
BOMB = zlib.compressobj(wbits=-15)
FLOODS = {
    "10 MB": wire_frame(0x82, b"\0" * 10_000_000),
    "10 MB that never come": wire_frame(0x82, size=10_000_000),
    "a million tiny ones": TEXT * 1_000_000,
    "pieces that never end": wire_frame(0x01, b"x") + wire_frame(0x00, b"x" * 100) * 100_000,
    "empty pieces that never end, and a ping between": wire_frame(0x01, b"x") + (wire_frame(0x00) * 1000 + PING) * 300,
    "pings": PING * 400_000,
    "pongs": PONG * 400_000,
    "a compressed bomb": wire_frame(0xC1, BOMB.compress(b"\0" * 50_000_000) + BOMB.flush()),
}


class Raw:
    """A signed-in browser's live page as bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, tab: Signed, **more: str) -> Raw:
        at = urlsplit(str(tab.http._base_url))
        bound = socket.create_connection((at.hostname, at.port))
        bound.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=bound, limit=1 << 12)
        fields = {"Host": at.netloc, "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        fields |= {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", **tab.headers(), **more}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        writer.write(f"GET /live HTTP/1.1\r\n{lines}\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101") and b"extensions" not in head.lower(), head
        return cls(reader, writer)

    async def over(self) -> None:
        """Until the gate has ended it; what it said is dropped."""
        async with asyncio.timeout(50):
            with contextlib.suppress(ConnectionError):
                while await self.reader.read(1 << 16):
                    pass

    async def reset(self) -> None:
        """The same, of one who never reads."""
        async with asyncio.timeout(25):
            with contextlib.suppress(ConnectionError):
                while True:
                    self.writer.write(PONG)
                    await self.writer.drain()
                    await asyncio.sleep(0.05)


@pytest.fixture
async def tab(office: Office) -> AsyncIterator[Signed]:
    tab = Signed(office)
    await tab.enter()
    yield tab
    await tab.close()


@contextlib.asynccontextmanager
async def hearing(tab: Signed) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with tab.http.ws_connect("/live", headers=tab.headers()) as live:
        assert (await live.receive_json())["kind"] == "hello"
        yield live


@pytest.mark.timeout(120)
@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS.keys())
async def test_attack_a_page_that_floods(office: Office, tab: Signed, flood: bytes) -> None:
    """Its channel ends; another page of the same session, and the API, go on."""
    async with hearing(tab) as other:
        raw = await Raw.open(tab, **{"Sec-WebSocket-Extensions": "permessage-deflate"})
        raw.writer.write(flood)
        await raw.over()
        raw.writer.close()
        share = (await office.share())["share"]["id"]
        async with asyncio.timeout(25):
            while (await other.receive_json())["id"] != share:
                pass
            while len(office.running.api._listeners) > 1:  # nothing is kept for who is gone
                await asyncio.sleep(0.01)


async def test_pings_are_answered_and_counted(tab: Signed) -> None:
    """As many as a program may send by itself."""
    async with hearing(tab) as live:
        for _ in range(int(CONTROL.burst) // 2):
            await live.ping(b"x")
        await live.close()
        assert live.close_code == 1000


def something(office: Office, kind: str = "share", id: str = "x") -> None:
    office.running.api.changed(Change(kind, id))


async def stalled(office: Office) -> None:
    """Until a page that never reads holds up what is said to it."""
    async with asyncio.timeout(50):
        while not any(queue.full() for queue in office.running.api._listeners):
            for _ in range(100):
                something(office)
            await asyncio.sleep(0)


@pytest.mark.timeout(120)
async def test_attack_a_page_that_never_reads(office: Office, tab: Signed) -> None:
    """What waits for it is bounded, the oldest is lost, and others are not told that they lost something. Signing out
    ends it at once all the same."""
    raw = await Raw.open(tab)
    await stalled(office)
    (queue,) = office.running.api._listeners
    for _ in range(5000):
        something(office)
    assert queue.qsize() == 1000
    changes = office.running.api.changes()
    assert (await anext(changes))["kind"] == "hello"
    heard: list[Any] = []
    for _ in range(20):
        something(office, id="y")
        heard.append(await anext(changes))
    await changes.aclose()
    assert [one.get("missed") for one in heard] == [None] * 20
    assert (await tab.ask("POST", "/logout"))[0] == 200
    await raw.reset()
    raw.writer.close()


@pytest.mark.timeout(120)
async def test_a_page_that_lost_something_is_told_to_ask_anew(office: Office, tab: Signed) -> None:
    """By a greeting with the mark of now, which is another than its own."""
    raw = await Raw.open(tab)
    await stalled(office)
    for _ in range(1000):
        something(office)
    hellos = []
    async with asyncio.timeout(50):
        while len(hellos) < 2:
            first, size = await raw.reader.readexactly(2)
            if size == 126:
                size = int.from_bytes(await raw.reader.readexactly(2), "big")
            said = await raw.reader.readexactly(size)
            if first == 0x81 and json.loads(said)["kind"] == "hello":
                hellos.append(json.loads(said)["mark"])
    assert hellos[0] != hellos[1]
    raw.writer.close()


async def test_a_page_whose_session_is_over_hears_nothing_more(office: Office, tab: Signed) -> None:
    """Over by its time, which nobody tells it: what happens then closes it, and is not told."""
    async with hearing(tab) as live, asyncio.timeout(25):
        office.clock.forward(LONGEST_SECONDS)
        something(office)
        message = await live.receive()
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1008)


async def test_a_download_ends_when_its_session_does(
    office: Office, tab: Signed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signed out while a page of it is read: that page is not sent, and the browser is told that the file is not
    whole."""
    api: Any = office.running.api
    for number in range(1200):
        event = AuditEvent(action=Action.GATE_STARTED, actor="gate", detail=str(number))
        await api._trail.record(event, durable=False)
    call, out = api.call, asyncio.Event()

    async def held(method: str, path: str, query: Any = None, body: Any = None, **more: Any) -> Any:
        if (query or {}).get("cursor"):
            await out.wait()
        return await call(method, path, query, body, **more)

    monkeypatch.setattr(api, "call", held)
    async with tab.http.get("/api/v1/audit/download?format=jsonl", headers=tab.headers()) as answer:
        assert answer.status == 200
        first = await answer.content.readline()
        assert (await tab.ask("POST", "/logout"))[0] == 200
        out.set()
        with pytest.raises(aiohttp.ClientError):
            await answer.content.read()
        assert b"gate.started" in first
