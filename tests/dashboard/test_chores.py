"""Long work on the records: one piece at a time, beside everything else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sharegate.dashboard.chores import Chores, Progress
from sharegate.errors import Refused, StoreUnavailable
from tests.conftest import Clock


@pytest.fixture
async def chores(clock: Clock) -> AsyncIterator[Chores]:
    chores = Chores(clock)
    yield chores
    await chores.close()


class Slow:
    """Works until it is let go."""

    def __init__(self) -> None:
        self.begun, self.go = threading.Event(), threading.Event()

    def __call__(self, step: Progress) -> dict[str, Any]:
        step("file", 3, 12)
        self.begun.set()
        assert self.go.wait(30)
        step("history", 0, 1)
        return {"sound": True}


def quick(step: Progress) -> dict[str, Any]:
    return {"sound": True}


async def test_how_far_it_is_can_be_asked(chores: Chores, clock: Clock) -> None:
    """While it runs, and what came of it afterwards."""
    work = Slow()
    assert chores.view() is None
    waiting = asyncio.create_task(chores.finish("check", work))
    await asyncio.to_thread(work.begun.wait)
    view = chores.view()
    assert view is not None and view["state"] == "running" and view["ended"] is None
    assert (view["step"], view["done"], view["total"]) == ("file", 3, 12)
    clock.forward(60)
    work.go.set()
    assert await waiting == {"sound": True}
    view = chores.view()
    assert view is not None and view["state"] == "done" and view["checked"] == {"sound": True}
    assert view["ended"] - view["began"] == 60


async def test_one_at_a_time(chores: Chores) -> None:
    """Others are told, whatever they want; afterwards it is free."""
    work = Slow()
    chores.begin("check", work)
    with pytest.raises(Refused, match="being looked through"):
        chores.begin("copy", quick)
    with pytest.raises(Refused) as refused:
        await chores.finish("check", quick)
    assert refused.value.code == "work_running"
    work.go.set()
    while (view := chores.view()) is not None and view["state"] == "running":
        await asyncio.sleep(0)
    assert await chores.finish("check", quick) == {"sound": True}


async def test_who_stops_waiting_does_not_stop_it(chores: Chores) -> None:
    """A request that is broken off leaves the work as it is."""
    work = Slow()
    waiting = asyncio.create_task(chores.finish("check", work))
    await asyncio.to_thread(work.begun.wait)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    view = chores.view()
    assert view is not None and view["state"] == "running"
    work.go.set()
    while (view := chores.view()) is not None and view["state"] == "running":
        await asyncio.sleep(0)
    assert view is not None and view["state"] == "done"


@pytest.mark.parametrize(
    ("error", "problem", "remedy"),
    [
        (StoreUnavailable("the disk is full", remedy="Make room"), "the disk is full", "Make room"),
        (Refused("store_elsewhere", "on a server", "Ask it"), "on a server", "Ask it"),
        (ValueError("raw-token"), "something unexpected happened; the gate's log says what", ""),
    ],
)
async def test_what_went_wrong_is_told(chores: Chores, error: Exception, problem: str, remedy: str) -> None:
    """With what to do, and without what only the log may say."""

    def fails(step: Progress) -> dict[str, Any]:
        raise error

    with pytest.raises(type(error)):
        await chores.finish("copy", fails)
    view = chores.view()
    assert view is not None and view["state"] == "failed" and view["copied"] is None
    assert (view["problem"], view["remedy"]) == (problem, remedy)


async def test_a_gate_that_stops_waits_for_no_work(clock: Clock) -> None:
    """It ends at its next step."""
    chores, work = Chores(clock), Slow()
    chores.begin("check", work)
    await asyncio.to_thread(work.begun.wait)
    closing = asyncio.create_task(chores.close())
    await asyncio.sleep(0)
    work.go.set()
    await closing
    view = chores.view()
    assert view is not None and (view["state"], view["problem"]) == ("failed", "the gate stopped")


async def test_what_needs_no_thread(chores: Chores) -> None:
    """Records on a server are looked through by asking it."""

    async def asked() -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"sound": False}

    assert await chores.finish("check", asked) == {"sound": False}
