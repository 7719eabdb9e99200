"""The end of a gate: who is waited for, and for how long."""

from __future__ import annotations

import asyncio

import pytest

from sharegate.drain import Draining
from sharegate.errors import Reason


class House:
    """Answers and documents that end when they are told to, and what was done to them."""

    def __init__(self, seconds: float = 5.0) -> None:
        self.running, self.waiting = 0, 0
        self.done: list[str] = []
        self.said: list[str] = []
        self.moved = asyncio.Event()
        self.hangs = False
        self.draining = Draining(self, self, lambda: self.done.append("refused"), seconds, self.said.append)

    def answering(self) -> int:
        return self.running

    async def answered(self) -> None:
        while self.running:
            await self.moved.wait()

    def unsaved(self) -> int:
        return self.waiting

    async def settled(self) -> None:
        while self.waiting:
            await self.moved.wait()

    def cut(self, *, reason: Reason) -> int:
        self.done.append(f"cut {reason.value}")
        return 0

    async def drained(self) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        self.done.append("drained")

    async def closed(self) -> None:
        self.done.append("closed")

    def end(self) -> None:
        self.running = self.waiting = 0
        self.moved.set()


ENDED = ["refused", "cut draining", "drained", "closed"]


async def test_nobody_is_waited_for_where_nothing_runs() -> None:
    """Refused, cut, closed, in this order."""
    house = House()
    await house.draining.run()
    assert house.done == ENDED and house.draining.began and house.said == []


@pytest.mark.parametrize("what", ["running", "waiting"])
async def test_answers_and_saves_are_waited_for(what: str) -> None:
    """Newcomers are refused meanwhile, and nothing is cut before they are done."""
    house = House()
    setattr(house, what, 1)
    task = asyncio.create_task(house.draining.run())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert house.done == ["refused"]
    house.end()
    await task
    assert house.done == ENDED


async def test_an_answer_that_was_a_save_is_followed_by_looking_for_saves() -> None:
    """What the last answer began is waited for as well."""
    house = House()
    house.running = 1
    task = asyncio.create_task(house.draining.run())
    await asyncio.sleep(0)
    house.running, house.waiting = 0, 1
    house.moved.set()
    house.moved.clear()
    for _ in range(5):
        await asyncio.sleep(0)
    assert house.done == ["refused"]
    house.end()
    await task
    assert house.done == ENDED


async def test_time_is_up_at_some_point() -> None:
    """Whoever runs then is cut."""
    house = House(seconds=0.01)
    house.running = 1
    await house.draining.run()
    assert house.done == ENDED


async def test_a_second_signal_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """In both halves: while answers are waited for, and while pages say good-bye. It was said what is waited for."""
    monkeypatch.setattr("sharegate.drain.TELL_SECONDS", 0.0)
    monkeypatch.setattr("sharegate.drain.GOODBYE_SECONDS", 3600)
    house = House(seconds=3600)
    house.running, house.waiting, house.hangs = 2, 1, True
    task = asyncio.create_task(house.draining.run())
    while not house.said:
        await asyncio.sleep(0)
    house.draining.hurry()
    async with asyncio.timeout(25):
        await task
    assert house.done == ["refused", "cut draining"]
    assert house.said == ["Waiting up to 3600 s for 2 answers and 1 document. Once more to end at once."]


async def test_a_fault_while_ending_is_not_hidden() -> None:
    """It is raised, so that the process says it."""
    house = House()

    async def broken() -> None:
        raise RuntimeError("a fault")

    house.drained = broken  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="a fault"):
        await house.draining.run()
