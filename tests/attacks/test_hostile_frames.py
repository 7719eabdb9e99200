"""A thousand hostile frames of each kind, through real channels: none reaches the server, and nobody else notices.

What reaches the server is read from the wire between the gate and a real JupyterLab.
"""

import asyncio
import itertools
import os
import random
import struct
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sharegate.messages import Frame
from sharegate.prove import rooms
from tests.attacks.pages import Owner, Page, Visitor, owning, room_of, until, visiting
from tests.attacks.wire import Wire
from tests.channels.documents import kinds_of_attack
from tests.gatehouse import Gatehouse, Inside
from tests.real.jupyter import JupyterServer

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

EACH = 1000
ALONE = 3  # of these, how many also open a channel of their own
PATH = "sub/shared/bystander.md"
KINDS = [name for name, _ in kinds_of_attack(random.Random(0), 1)]


@pytest.fixture(scope="module")
def gate(watched_gate: Gatehouse) -> Gatehouse:
    return watched_gate


@pytest.fixture(scope="module")
def hostile() -> dict[str, list[Frame]]:
    return dict(kinds_of_attack(random.Random(5), EACH))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mallory(gate: Gatehouse) -> AsyncIterator[Visitor]:
    async with visiting(await gate.visit(name="Mallory")) as one:
        yield one


class Room:
    """The room that is attacked: the owner types in it, and a second visitor reads along."""

    def __init__(self, owner: Owner, page: Page, bea: Page, jupyter: JupyterServer) -> None:
        self.owner = owner
        self.page = page
        self.bea = bea
        self.jupyter = jupyter
        self._numbers = itertools.count()

    async def goes_on(self) -> None:
        """What the owner types arrives, in the room and on the disk's document, and nothing else was written."""
        words = f"<{next(self._numbers)}>\n"
        self.page.type(words)
        await until(lambda: str(self.bea.source).endswith(words))
        assert self.bea.closed is None
        assert (
            str(self.bea.source)
            == str(self.page.source)
            == "start\n" + "".join(f"<{number}>\n" for number in range(int(words[1:-2]) + 1))
        )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def room(gate: Gatehouse, workshop: JupyterServer) -> AsyncIterator[Room]:
    (workshop.root / PATH).write_text("start\n")
    async with owning(workshop) as owner, visiting(await gate.visit(name="Bea")) as bea:
        page = await owner.open(PATH)
        yield Room(owner, page, await bea.open(PATH), workshop)


async def attack(mallory: Visitor, wire: Wire, address: str, frames: list[Frame]) -> list[bytes]:
    """Send them all on one new channel, as fast as it takes them; returns what the gate told the server meanwhile."""
    before = len(wire.said)
    page = await mallory.connect(address)
    await page.pour(frames)
    assert page.closed is not None and page.closed[0] in (1006, 1008), page.closed
    mallory.pages.remove(page)
    await page.leave()
    return wire.said[before:]


@pytest.mark.parametrize("kind", KINDS)
async def test_attack_a_thousand_hostile_frames(
    mallory: Visitor, wire: Wire, room: Room, hostile: dict[str, list[Frame]], kind: str
) -> None:
    """The channel closes on the first, none of them goes on, and the room next to it lives."""
    address = room_of(await mallory.session(PATH))
    for frames in (hostile[kind], *([frame] for frame in hostile[kind][-ALONE:])):
        busy = asyncio.create_task(room.goes_on())
        assert await attack(mallory, wire, address, frames) == []
        await busy
    await room.goes_on()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("address", ["api/collaboration/room/JupyterLab:globalAwareness", "api/events/subscribe"])
async def test_attack_channels_that_the_gate_answers_itself(
    mallory: Visitor, wire: Wire, room: Room, hostile: dict[str, list[Frame]], kind: str, address: str
) -> None:
    """The same on the private room and the silent stream: closed, and the server hears of neither."""
    assert await attack(mallory, wire, address, hostile[kind][:50]) == []
    await room.goes_on()


async def test_attack_flooding_with_honest_frames(mallory: Visitor, wire: Wire, room: Room) -> None:
    """Well-formed frames without end are a flood: the pace of a channel is limited, and nobody else is slowed."""
    step1 = Frame.binary(b"\0\0\1\0")
    assert await attack(mallory, wire, room_of(await mallory.session(PATH)), [step1] * 20_000) == []
    await room.goes_on()


def wire_frame(first: int, payload: bytes = b"", *, masked: bool = True, size: int | None = None) -> bytes:
    """One WebSocket frame as bytes (RFC 6455 section 5.2), with any first byte and any claimed length."""
    length = len(payload) if size is None else size
    mask = 0x80 if masked else 0
    if length < 126:
        head = bytes([first, mask | length])
    elif length < 1 << 16:
        head = bytes([first, mask | 126]) + struct.pack("!H", length)
    else:
        head = bytes([first, mask | 127]) + struct.pack("!Q", length)
    if not masked:
        return head + payload
    key = os.urandom(4)
    return head + key + bytes(byte ^ key[place % 4] for place, byte in enumerate(payload))


STEP = b"\0\0\1\0"
BELOW = {
    **rooms.HOSTILE,
    "unknown control opcode": wire_frame(0x8B, b""),
    "beginning within a beginning": wire_frame(0x02, STEP) + wire_frame(0x82, STEP),
    "ping of 200 bytes": wire_frame(0x89, b"x" * 200),
    "text that is no UTF-8": wire_frame(0x81, b"\xff\xfe"),
    "length of eight exabytes": wire_frame(0x82, b"", size=(1 << 63) - 1),
    "length with the top bit": wire_frame(0x82, b"", size=(1 << 64) - 1),
    "two megabytes": wire_frame(0x82, b"\0" * 2_000_000),
    "two megabytes in pieces": wire_frame(0x02, b"\0" * 700_000) + wire_frame(0x00, b"\0" * 700_000) * 2,
    "a hundred thousand empty pieces": wire_frame(0x02, b"\3") + wire_frame(0x00) * 100_000 + wire_frame(0x80),
    "close of one byte": wire_frame(0x88, b"\x03"),
    "close with a code that is none": wire_frame(0x88, b"\x00\x07"),
    "close with words that are no UTF-8": wire_frame(0x88, b"\x03\xe8\xff"),
}


@pytest.mark.parametrize("data", BELOW.values(), ids=BELOW.keys())
async def test_attack_below_the_messages(
    gate: Gatehouse, mallory: Visitor, wire: Wire, room: Room, data: bytes
) -> None:
    """Frames that break the protocol itself end the connection; no payload goes on, no length is believed."""
    session = await mallory.session(PATH)
    before = len(wire.said)
    reader, writer = await raw_channel(gate, mallory.inside, room_of(session))
    try:
        writer.write(data)
        try:
            async with asyncio.timeout(25):
                await writer.drain()
                while await reader.read(65536):
                    pass
        except ConnectionError:
            pass
    finally:
        writer.close()

    assert wire.said[before:] == []
    await room.goes_on()


async def raw_channel(
    gate: Gatehouse, inside: Inside, address: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A WebSocket without a library on this side, after the 101."""
    port = gate.running.config.gate_port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    fields = {
        "Host": f"127.0.0.1:{port}",
        **inside.manners("GET"),
        "Origin": gate.origin,
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    writer.write(f"GET {inside.base}{address} HTTP/1.1\r\n{lines}\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101"), head
    assert b"sec-websocket-extensions" not in head.lower()
    return reader, writer
