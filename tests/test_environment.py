"""The world around a gate goes wrong while people are inside: what ends, what is refused, what the history says."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.conftest import Clock
from tests.gatehouse import Gatehouse, Inside, gatehouse
from tests.plainsocket import PlainSocket, drop_all
from tests.real.jupyter import JupyterServer

pytestmark = [pytest.mark.real, pytest.mark.asyncio]

YEAR = 365 * 86400.0


@pytest.fixture
def moving() -> Clock:
    return Clock(time.time())


@pytest_asyncio.fixture
async def gate(tmp_path: Path, jupyter: JupyterServer, moving: Clock) -> AsyncIterator[Gatehouse]:
    async with gatehouse(tmp_path, jupyter, now=moving) as house:
        yield house
        await drop_all()


async def reads(who: Inside) -> int:
    return (await who.ask("GET", "api/contents/sub/shared")).status


async def refused(who: Inside) -> None:
    """Until what happens cannot be written down any more."""
    async with asyncio.timeout(25):
        while await reads(who) != 503:
            await asyncio.sleep(0.01)


async def test_a_clock_that_leaps_ahead_and_back(gate: Gatehouse, moving: Clock) -> None:
    """Everything that would have expired by then ends within a second, and stays so when the clock is set back while
    the gate runs. The history stays in order and intact; its times never go back."""
    ann = await gate.visit()
    live = await PlainSocket.open(ann, "-/live")
    moving.forward(YEAR)
    assert (await live.closed())[0] == 4408
    assert await reads(ann) == 403
    leapt = moving()
    moving.forward(-YEAR)
    assert await reads(ann) == 403
    assert (await PlainSocket.open(ann, "-/live")).status == 403
    await gate.share(**{"for": ["Bo"]})
    events = await gate.events()
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)
    assert events[-1]["at"] == pytest.approx(leapt, abs=1)
    assert (await gate.call("GET", "audit/verify"))["intact"]


async def test_a_clock_that_is_set_back_opens_nothing(gate: Gatehouse, moving: Clock) -> None:
    """What was revoked or ended stays so whatever the clock says; what runs goes on."""
    ann, bo = await gate.visit(), await gate.visit(name="Bo")
    await gate.call("POST", f"links/{ann.link['id']}/revoke")
    live = await PlainSocket.open(bo, "-/live")
    moving.forward(-10 * YEAR)
    assert [await reads(who) for who in (ann, bo)] == [403, 200]
    live.send(b'{"type":"active"}', 1)
    assert await reads(bo) == 200


async def test_a_start_says_that_the_clock_was_set_back(tmp_path: Path, jupyter: JupyterServer) -> None:
    """The first entry of the new start tells it, and the chain goes on."""
    clock = Clock(time.time())
    async with gatehouse(tmp_path, jupyter, now=clock):
        pass
    clock.forward(-7200)
    async with gatehouse(tmp_path, jupyter, now=clock) as gate:
        # By its place in the chain: by its own time it comes before the other one.
        started = max(await gate.events(action="gate.started"), key=lambda event: int(event["seq"]))
        assert "the clock is 120 minutes behind" in started["detail"]
        assert (await gate.call("GET", "audit/verify"))["intact"]


async def test_a_leap_lets_go_of_nothing_at_once(tmp_path: Path, jupyter: JupyterServer) -> None:
    """A computer that starts in a wrong year does not erase whom it should remember, however often it starts; an owner
    who says that the year is right does."""
    clock = Clock(time.time())
    async with gatehouse(tmp_path, jupyter, now=clock, retention_days=30) as gate:
        await gate.share(**{"for": ["Ann"]})
    clock.forward(10 * YEAR)
    for _ in range(2):
        async with gatehouse(tmp_path, jupyter, now=clock, retention_days=30) as gate:
            assert (await gate.events(action="link.created"))[0]["name"] == "Ann"
            assert (await gate.call("GET", "audit/retention"))["due"] >= 1
    async with gatehouse(tmp_path, jupyter, now=clock, retention_days=30) as gate:
        await gate.call("POST", "audit/retention", {"clock_is_right": True})
        assert (await gate.events(action="link.created"))[0]["name"] == ""


@pytest.mark.parametrize("how", ["removed", "replaced", "folder moved"])
async def test_a_store_that_is_taken_away(gate: Gatehouse, how: str) -> None:
    """It is noticed at the next entry of the history, that is at the next request: whoever is inside is out, nobody
    comes in, and the API says so. Put back, all is as before."""
    ann = await gate.visit()
    live = await PlainSocket.open(ann, "-/live")
    database = gate.running.config.database
    folder, aside = database.parent, database.parent.with_name("aside")
    if how == "folder moved":
        folder.rename(aside)
    else:
        shutil.copytree(folder, aside)
        kept = database.with_name("kept")
        database.rename(kept)
        if how == "replaced":
            shutil.copy(kept, database)
    await refused(ann)
    assert (await live.closed())[0] in (1013, 4403, 4410)
    status, answer = await gate.running.api.call(
        "POST", "/api/v1/shares", {}, {"path": str(gate.jupyter.root / "sub/shared"), "for": ["Bo"]}
    )
    assert (status, answer["error"]["code"]) == (503, "store_unavailable")
    if how == "folder moved":
        aside.rename(folder)
    else:
        database.unlink(missing_ok=True)
        kept.rename(database)
    assert await reads(ann) == 200


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few megabytes of its own; skipped where none may be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("no file system may be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)


async def test_a_disk_that_takes_nothing_more(small_disk: Path, jupyter: JupyterServer) -> None:
    """On a real file system: reading stops and open pages close, what was revoked stays revoked, a backup says why it
    cannot be made; with room again everything goes on by itself."""
    async with gatehouse(small_disk, jupyter) as gate:
        ann, bo = await gate.visit(), await gate.visit(name="Bo")
        await gate.call("POST", f"links/{bo.link['id']}/revoke")
        live = await PlainSocket.open(ann, "-/live")
        filler = small_disk / "filler"
        with contextlib.suppress(OSError), filler.open("wb") as out:
            while True:
                out.write(b"x" * 4096)
                out.flush()
        await refused(ann)
        assert (await live.closed())[0] in (1013, 4403, 4410)
        assert await reads(bo) == 403
        status, answer = await gate.running.api.call(
            "POST", "/api/v1/store/backup", {}, {"to": str(small_disk / "copy")}
        )
        assert (status, answer["error"]["code"]) == (503, "store_unavailable")
        assert not (small_disk / "copy").exists()
        filler.unlink()
        assert await reads(ann) == 200
        assert (await gate.call("GET", "store/check"))["sound"]
        await drop_all()
