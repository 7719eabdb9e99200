"""What could not be recorded is taken back: at once where that works, else before the next act."""

from __future__ import annotations

import asyncio

import pytest

from sharegate.errors import NotFound, StoreUnavailable
from sharegate.visits.unrecorded import Unrecorded


class Disk:
    def __init__(self) -> None:
        self.full = False
        self.undone: list[str] = []

    def undo(self, what: str, error: Exception | None = None):  # type: ignore[no-untyped-def]
        async def back() -> None:
            if self.full:
                raise StoreUnavailable("full")
            if error is not None:
                raise error
            self.undone.append(what)

        return back


async def fail(unrecorded: Unrecorded, disk: Disk, what: str, error: Exception | None = None) -> None:
    with pytest.raises(StoreUnavailable):
        async with unrecorded.taken_back(disk.undo(what, error)):
            raise StoreUnavailable("the trail")


async def test_an_act_that_is_recorded_stands() -> None:
    """Nothing is undone."""
    unrecorded, disk = Unrecorded(), Disk()
    async with unrecorded.taken_back(disk.undo("visit")):
        pass
    await unrecorded.settle()
    assert disk.undone == []


async def test_an_act_that_is_not_recorded_is_undone_at_once() -> None:
    """And whoever asked is told that it did not happen."""
    unrecorded, disk = Unrecorded(), Disk()
    await fail(unrecorded, disk, "visit")
    assert disk.undone == ["visit"]


async def test_what_cannot_be_undone_now_is_undone_before_the_next_act() -> None:
    """In order, each once; until then every further act is refused."""
    unrecorded, disk = Unrecorded(), Disk()
    disk.full = True
    await fail(unrecorded, disk, "first")
    await fail(unrecorded, disk, "second")
    with pytest.raises(StoreUnavailable):
        await unrecorded.settle()
    disk.full = False
    await unrecorded.settle()
    await unrecorded.settle()
    assert disk.undone == ["first", "second"]


async def test_other_errors_are_not_the_disks() -> None:
    """An act that was denied is nothing to take back; one that somebody undid meanwhile holds nobody up."""
    unrecorded, disk = Unrecorded(), Disk()
    with pytest.raises(ValueError):
        async with unrecorded.taken_back(disk.undo("visit")):
            raise ValueError
    await fail(unrecorded, disk, "gone", NotFound("visit", "v"))
    await fail(unrecorded, disk, "next")
    assert disk.undone == ["next"]


async def test_the_next_act_waits_until_what_is_owed_is_written() -> None:
    """Also while another is at it; and what that one leaves unfinished, its caller having gone, is owed still."""
    unrecorded, order = Unrecorded(), list[str]()
    begun, go = asyncio.Event(), asyncio.Event()

    async def back() -> None:
        begun.set()
        await go.wait()
        order.append("undone")

    async def act() -> None:
        await unrecorded.settle()
        order.append("next act")

    async def owe() -> None:
        async with unrecorded.taken_back(back):
            raise StoreUnavailable("the trail")

    first = asyncio.create_task(owe())
    await begun.wait()
    second = asyncio.create_task(act())
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert order == []
    go.set()
    await second
    assert order == ["undone", "next act"]
