"""One service's queue: bounded, with retries, and never waited for."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from sharegate.notify.model import Message
from sharegate.notify.sending import HANGING, WAITING, Carrier
from tests.conftest import Clock

ONE = Message("title", "body")


class Held:
    """A service that answers when it is let go."""

    name = "held"

    def __init__(self) -> None:
        self.go = threading.Event()
        self.tries = 0

    def send(self, message: Any) -> bool:
        self.tries += 1
        self.go.wait(30)
        return True


async def test_a_full_queue_loses_the_newest_and_counts_it(clock: Clock) -> None:
    """It never waits; each loss is told once."""
    lost: list[str] = []
    carrier = Carrier(Held(), clock, lost.append)
    for _ in range(WAITING + 3):
        carrier.put(ONE)
    assert (carrier.state.waiting, carrier.state.lost, lost) == (WAITING, 3, ["held"] * 3)
    assert carrier.drop() == WAITING and carrier.state.lost == WAITING + 3


async def test_few_threads_hang_at_once(clock: Clock) -> None:
    """A service that never answers has two threads at most, whatever is tried; they are free again afterwards."""
    held = Held()
    carrier = Carrier(held, clock, lambda _: None, patience=0.01)
    try:
        assert [await carrier.once(ONE) for _ in range(HANGING + 5)] == [False] * (HANGING + 5)
        assert held.tries == HANGING
    finally:
        held.go.set()
    async with asyncio.timeout(25):
        while carrier._hanging:
            await asyncio.sleep(0.01)
    assert await Carrier(held, clock, lambda _: None).once(ONE)
