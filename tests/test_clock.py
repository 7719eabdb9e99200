"""A laptop sleeps, a clock is set: what the gate takes for the time, and what it looks at then."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharegate import app, config
from sharegate.clock import DayClock, Waking, Woke, boot_time
from tests.conftest import Clock
from tests.gatehouse import Gatehouse
from tests.plainsocket import PlainSocket, drop_all
from tests.test_restart import folder_server


@given(st.lists(st.floats(0, 4e9), min_size=1))
def test_the_gates_time_never_runs_backwards(times: list[float]) -> None:
    """It is the latest that the computer ever said, and `behind` is how far the computer is from it."""
    said = iter([times[0], *(each for one in times for each in (one, one))])
    clock = DayClock(lambda: next(said))
    for number, one in enumerate(times, 1):
        latest = max(times[:number])
        assert clock() == latest
        assert clock.behind == latest - one


def test_attack_a_clock_that_is_set_back_gives_nothing_new_life(clock: Clock) -> None:
    """Nor does it give anybody a second more: time stands still until the computer's clock has caught up."""
    day = DayClock(clock)
    expires = clock.now + 60
    clock.forward(61)
    assert expires <= day()
    clock.forward(-3600)
    assert expires <= day() and day.behind == 3600
    clock.forward(3599)
    assert day.behind == 1
    clock.forward(2)
    assert day.behind == 0 and day() == clock.now


class Watch:
    def __init__(self, *, broken: bool = False) -> None:
        self.day, self.boot = Clock(), Clock(1000.0)
        self.told: list[Woke] = []
        self.broken = broken
        self.waking = Waking([self._first, self._tell], day=self.day, boot=self.boot)

    async def _first(self, woke: Woke) -> None:
        if self.broken:
            raise RuntimeError("a fault")

    async def _tell(self, woke: Woke) -> None:
        self.told.append(woke)

    async def pass_(self, seconds: float, *, set_by: float = 0.0) -> Woke | None:
        self.boot.forward(seconds)
        self.day.forward(seconds + set_by)
        return await self.waking.look()


async def test_an_ordinary_day_wakes_nobody() -> None:
    """Late timers of a busy computer and a time server's small steps are nothing."""
    watch = Watch()
    for seconds, set_by in ((1.0, 0.0), (1.2, 0.4), (4.0, -1.5), (1.0, 1.9)):
        assert await watch.pass_(seconds, set_by=set_by) is None
    assert watch.told == []


@pytest.mark.parametrize(
    ("seconds", "set_by", "told"),
    [
        (8 * 3600 + 1, 0.0, Woke(8 * 3600, 0.0)),
        (1.0, 7200.0, Woke(0.0, 7200.0)),
        (1.0, -7200.0, Woke(0.0, -7200.0)),
        (31.0, 600.0, Woke(30.0, 600.0)),
    ],
    ids=["slept", "set ahead", "set back", "both"],
)
async def test_a_sleep_and_a_clock_that_was_set_are_told_apart(
    seconds: float, set_by: float, told: Woke, caplog: pytest.LogCaptureFixture
) -> None:
    """Each is told once, also when one of those who are woken fails, and stands in the log."""
    watch = Watch(broken=True)
    with caplog.at_level(logging.WARNING):
        assert await watch.pass_(seconds, set_by=set_by) == told
        assert await watch.pass_(1.0) is None
    assert watch.told == [told]
    assert "anew" in caplog.text and "a fault" in caplog.text


async def test_it_looks_until_it_is_cancelled() -> None:
    """Once a second, by the loop's own timers."""
    seen: list[float] = []

    class Enough(Exception):
        pass

    async def sleep(seconds: float) -> None:
        seen.append(seconds)
        if len(seen) == 3:
            raise Enough

    with pytest.raises(Enough):
        await Waking([], sleep=sleep).run()
    assert seen == [1.0, 1.0, 1.0]


def test_the_boot_clock_goes_on() -> None:
    """And never back."""
    first = boot_time()
    assert 0 < first <= boot_time()


async def test_attack_the_clock_of_a_running_gate_is_set_ahead_and_back(tmp_path: Path) -> None:
    """Ahead: what has expired by it ends within a second, also what is open and says nothing. Back: none of it works
    again, not by its cookie, its page or its link; what has not expired goes on, and limits are no tighter; doctor
    tells the owner."""
    clock = Clock(time.time())
    values = {"data_dir": str(tmp_path / "data"), "gate_port": 0, "dashboard_port": 0, "owner": "Olga"}
    listening = await asyncio.start_server(folder_server, "127.0.0.1", 0)
    async with app.running(config.load(None, {}, values), now=clock) as running:
        house = Gatehouse(running, None, tmp_path)  # type: ignore[arg-type]
        url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
        await house.call("POST", "servers", {"url": url, "token": "t"})
        short = await house.call("POST", "shares", {"path": "a", "for": ["Ann", "Bo"], "expires": clock.now + 3600})
        long = await house.call("POST", "shares", {"path": "b", "for": ["Cy"], "expires": clock.now + 864000})
        ann, cy = await house.visit(short), await house.visit(long)
        live = await PlainSocket.open(ann, "-/live")
        clock.forward(7200)
        code, _ = await live.closed()
        assert code == 4408
        assert [(await who.ask("GET", "files/a/x.txt")).public for who in (ann,)] == ["share_expired"]
        clock.forward(-7200 - 1800)
        for _ in range(3):
            assert (await ann.ask("GET", "api/me")).public == "share_expired"
        assert await ann.upgrade("-/live") == 403
        token = urlsplit(short["links"][1]["url"]).fragment
        assert (await house.post("/join", {"token": token, "name": "Bo"})).status in (403, 410)
        for _ in range(10):
            assert (await cy.ask("GET", "files/b/x.txt")).status == 200
        findings = (await house.call("GET", "doctor"))["findings"]
        assert any("clock was set back" in finding["what"] and finding["level"] == "warn" for finding in findings)
        assert (await house.call("GET", "audit/verify"))["intact"]
        await drop_all()
    listening.close()


async def test_attack_a_gate_started_twice_under_a_clock_that_is_years_ahead(tmp_path: Path) -> None:
    """The first start doubts the clock, and says so in its entry; so the second one, which reads it, doubts it too, and
    nothing is let go of."""
    clock = Clock(time.time())
    values = {"data_dir": str(tmp_path / "data"), "gate_port": 0, "dashboard_port": 0, "owner": "Olga"}
    told = []
    for ahead in (0.0, 800 * 86400.0, 600.0):
        clock.forward(ahead)
        async with app.running(config.load(None, {}, values), now=clock) as running:
            _, answer = await running.api.call("POST", "/api/v1/audit/retention", {}, {})
            _, started = await running.api.call("GET", "/api/v1/audit", {"action": "gate.started"})
            told.append((answer.get("error", {}).get("code"), "not believed" in started["events"][-1]["detail"]))
    assert told == [(None, False), ("clock_doubted", True), ("clock_doubted", True)]
