"""What waits for a server, in order and within bounds."""

from __future__ import annotations

import asyncio

import pytest

from sharegate.channels import outbox as outboxes
from sharegate.channels.outbox import Outbox
from sharegate.messages import Frame
from tests.channels.sockets import Wire


async def test_frames_go_in_order_and_finishing_closes_after_the_last() -> None:
    """Nothing that was put before the end is lost."""
    wire, box = Wire(), Outbox()
    carrying = asyncio.create_task(box.carry(wire.socket))
    for text in (b"1", b"2"):
        box.put(Frame.binary(text))
    await wire.settle()
    box.put(Frame.binary(b"3"))
    box.finish()
    await carrying
    assert [frame.data for frame in wire.sent] == [b"1", b"2", b"3"] and wire.closed == [(1000, "")]


async def test_a_slow_server_makes_writers_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the bound `room` waits, until enough was sent."""
    monkeypatch.setattr(outboxes, "WAITING_BYTES", 10)
    wire, box = Wire(room=0), Outbox()
    carrying = asyncio.create_task(box.carry(wire.socket))
    for _ in range(4):
        box.put(Frame.binary(bytes(5)))
    await wire.settle()
    waiting = asyncio.create_task(box.room())
    await wire.settle()
    assert not waiting.done()
    await wire.read(2)
    await waiting
    carrying.cancel()


async def test_many_small_frames_make_writers_wait_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where somebody is says few bytes, and often."""
    monkeypatch.setattr(outboxes, "WAITING_FRAMES", 2)
    wire, box = Wire(room=0), Outbox()
    carrying = asyncio.create_task(box.carry(wire.socket))
    for _ in range(4):
        box.put(Frame.binary(b"x"))
    waiting = asyncio.create_task(box.room())
    await wire.settle()
    assert not waiting.done()
    await wire.read(1)
    await waiting
    carrying.cancel()


@pytest.mark.parametrize(("most", "value"), [("MOST_BYTES", 10), ("MOST_FRAMES", 3)])
async def test_attack_a_server_that_does_not_read(monkeypatch: pytest.MonkeyPatch, most: str, value: int) -> None:
    """What cannot wait piles up to a bound; then the connection is dropped, and nothing is kept until the next one.
    One frame alone may be larger."""
    monkeypatch.setattr(outboxes, most, value)
    box, dropped = Outbox(), []
    box.begin(lambda: dropped.append(len(box._frames)))
    box.put(Frame.binary(bytes(100)))
    assert box._frames and not dropped
    box.begin(lambda: dropped.append(len(box._frames)))
    for _ in range(50):
        box.put(Frame.binary(bytes(5)))
    assert dropped == [0] and not box._frames
    await box.room()
    box.begin()
    box.put(Frame.binary(b"on"))
    assert len(box._frames) == 1


async def test_a_new_connection_begins_with_nothing_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was waiting is in the difference that a connection begins with; nobody waits for it any more."""
    monkeypatch.setattr(outboxes, "WAITING_BYTES", 4)
    box = Outbox()
    box.put(Frame.binary(b"12345"))
    box.finish()
    box.begin()
    await box.room()
    wire = Wire()
    carrying = asyncio.create_task(box.carry(wire.socket))
    await wire.settle()
    assert wire.sent == [] and not carrying.done()
    carrying.cancel()


async def test_a_connection_that_breaks_ends_the_carrying() -> None:
    """Without an error of its own: the reader of the same connection tells it."""
    wire, box = Wire(), Outbox()
    wire.vanish()
    box.put(Frame.binary(b"1"))
    await box.carry(wire.socket)
    assert wire.sent == []
