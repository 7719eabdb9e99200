"""Looking for what may be wrong, one look at a time."""

from __future__ import annotations

import asyncio

import pytest

from sharegate.dashboard.rounds import RECENT, Findings, Rounds
from tests.conftest import Clock


class Looks:
    """Looks that wait to be let go, numbered."""

    def __init__(self) -> None:
        self.count = 0
        self.at_once = 0
        self.go = asyncio.Semaphore(0)

    async def __call__(self) -> Findings:
        self.count += 1
        number = self.count
        self.at_once += 1
        assert self.at_once == 1
        try:
            await self.go.acquire()
        finally:
            self.at_once -= 1
        return [{"level": "note", "what": str(number), "remedy": ""}]


def what(findings: Findings) -> str:
    return findings[0]["what"]


async def test_one_look_at_a_time_and_never_an_older_one(clock: Clock) -> None:
    """Whoever asks during a look gets the next one, which is one for all of them."""
    looks = Looks()
    rounds = Rounds(looks, clock)
    first = asyncio.create_task(rounds.findings())
    await asyncio.sleep(0)
    later = [asyncio.create_task(rounds.findings()) for _ in range(5)]
    await asyncio.sleep(0)
    looks.go.release()
    looks.go.release()
    assert what(await first) == "1"
    assert [what(one) for one in await asyncio.gather(*later)] == ["2"] * 5
    assert looks.count == 2


async def test_a_page_that_asks_by_itself_is_told_what_was_found(clock: Clock) -> None:
    """For a minute; whoever asks for it gets a new look at once."""
    looks = Looks()
    rounds = Rounds(looks, clock)
    for _ in range(9):
        looks.go.release()
    assert what(await rounds.findings(recent=True)) == "1"
    clock.forward(RECENT - 1)
    assert what(await rounds.findings(recent=True)) == "1"
    assert what(await rounds.findings()) == "2"
    clock.forward(RECENT)
    assert what(await rounds.findings(recent=True)) == "3"


async def test_a_look_that_fails_is_nobody_elses(clock: Clock) -> None:
    """The next one looks anew."""
    failing = True

    async def look() -> Findings:
        if failing:
            raise OSError
        return [{"level": "ok", "what": "well", "remedy": ""}]

    rounds = Rounds(look, clock)
    with pytest.raises(OSError):
        await rounds.findings()
    failing = False
    assert what(await rounds.findings(recent=True)) == "well"
