"""A clock that leapt is not believed because the gate was started again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sharegate.audit.believed import Believed
from sharegate.audit.events import Action, AuditEvent
from sharegate.audit.trail import Trail
from sharegate.errors import Refused
from sharegate.stores.sqlite import SqliteStore, open_sqlite
from tests.conftest import Clock

DAY = 86400.0


@dataclass
class Starts:
    """Gates on one store, one after the other, under a clock that only the test moves."""

    store: SqliteStore
    clock: Clock
    writer: str = "gate"

    async def start(self) -> Believed:
        trail = Trail(self.store, writer=self.writer, clock=self.clock)
        await trail.open()
        believed = Believed(self.store, trail, self.clock, Clock())
        await believed.begin()
        await trail.record(AuditEvent(action=Action.GATE_STARTED, actor="gate", detail=f"here{believed.note}"))
        return believed


@pytest.fixture
async def starts(tmp_path: Path, clock: Clock) -> AsyncIterator[Starts]:
    store = await open_sqlite(tmp_path / "store", key=bytes(32))
    yield Starts(store, clock)
    await store.close()


async def refused(believed: Believed) -> bool:
    try:
        await believed.check()
    except Refused:
        return True
    return False


async def test_attack_started_again_and_again_under_a_wrong_clock(starts: Starts) -> None:
    """Not one of many starts lets go of anything, nor does the owner by mistake, with a gate or without; another gate
    of the store neither. The right clock is believed at once."""
    assert await (await starts.start()).settled(), "nothing was recorded yet"
    starts.clock.forward(DAY)
    assert await (await starts.start()).settled()
    starts.clock.forward(800 * DAY)
    for writer in ("gate", "gate", "gate", "other", "gate"):
        starts.writer = writer
        believed = await starts.start()
        assert not await believed.settled() and await refused(believed)
        assert await refused(Believed(starts.store, None, starts.clock)), "without a gate"  # type: ignore[arg-type]
        starts.clock.forward(600)
    starts.clock.forward(-799 * DAY)
    believed = await starts.start()
    assert await believed.settled() and not await refused(believed)


async def test_an_hour_makes_it_right(starts: Starts) -> None:
    """Then it is recorded, and the next start is believed; not when the clock is put back and leaps there again."""
    await starts.start()
    starts.clock.forward(30 * DAY)
    believed = await starts.start()
    assert [await believed.settled() for _ in range(2)] == [False, True]
    assert not await refused(believed)
    starts.clock.forward(DAY)
    assert await (await starts.start()).settled()
    starts.clock.forward(-30 * DAY)
    assert await (await starts.start()).settled()
    starts.clock.forward(30 * DAY)
    assert not await (await starts.start()).settled()


async def test_a_leap_while_it_runs(starts: Starts) -> None:
    """Is noticed at once by whoever asks, and by the next start."""
    believed = await starts.start()
    assert await believed.settled()
    starts.clock.forward(30 * DAY)
    assert await refused(believed)
    assert not await (await starts.start()).settled()
    believed = await starts.start()
    assert [await believed.settled() for _ in range(2)] == [False, True]
    starts.clock.forward(30 * DAY)
    assert [await believed.settled() for _ in range(3)] == [False, True, True]
