"""What owners do, while their Redis server is killed: once it is back, the same again is done once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.conftest import Clock
from tests.dashboard.conftest import Office, opened
from tests.real.redis import RedisServer, running_redis

pytestmark = [pytest.mark.redis, pytest.mark.timeout(180)]
COUNT = 100
ROSTER = "name,email\n" + "".join(f"P{number},p{number}@example.org\n" for number in range(COUNT))


@pytest.fixture
def hurt() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture
async def office(
    hurt: RedisServer, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Office]:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "no servers"))
    async with opened(tmp_path, clock, store=hurt.url) as running:
        yield running


async def killed_at(office: Office, hurt: RedisServer, turns: int, *asked: tuple[str, str, dict[str, object]]) -> None:
    """Ask for all at once, and kill the server after so many turns of the loop, or when all is answered. Whatever fails
    is told as that, and not as done."""
    tasks = [asyncio.ensure_future(office.ask(*one)) for one in asked]
    for _ in range(turns):
        await asyncio.sleep(0)
    hurt.kill()
    for status, said in await asyncio.gather(*tasks):
        assert status == 200 or (status, said["error"]["code"]) == (503, "store_unavailable"), said
    hurt.start()


async def again(office: Office, method: str, path: str, body: dict[str, object]) -> dict[str, object]:
    """Until the gate has the store again."""
    async with asyncio.timeout(60):
        while (answer := await office.ask(method, path, body))[0] == 503:
            await asyncio.sleep(0.05)
    assert answer[0] == 200, answer
    return answer[1]


@pytest.mark.parametrize("turns", [1, 5, 20, 80, 300])
async def test_killed_in_a_roster(office: Office, hurt: RedisServer, turns: int) -> None:
    """Everybody has one link, or none yet; the same roster again gives one to each who has none."""
    share = (await office.share())["share"]["id"]
    body: dict[str, object] = {"roster": ROSTER, "prove": False}
    await killed_at(office, hurt, turns, ("POST", f"shares/{share}/roster", body))
    await again(office, "POST", f"shares/{share}/roster", body)
    links = (await office.call("GET", f"shares/{share}"))["share"]["links"]
    alive = [link["email"] for link in links if link["email"] and link["state"] == "active"]
    assert sorted(set(alive)) == sorted(alive)
    emails = {link["email"] for link in links}
    assert {f"p{number}@example.org" for number in range(COUNT)} <= emails
    assert (await office.call("GET", "audit/verify"))["intact"]
    assert (await office.call("GET", "store/check"))["sound"]


@pytest.mark.parametrize("turns", [1, 5, 20, 80, 300])
async def test_killed_in_a_bulk_pause(office: Office, hurt: RedisServer, turns: int) -> None:
    """What was told as paused is, and the same again pauses the rest."""
    ids = [(await office.share())["share"]["id"] for _ in range(20)]
    body: dict[str, object] = {"shares": ids}
    task = asyncio.ensure_future(office.ask("POST", "review/pause", body))
    for _ in range(turns):
        await asyncio.sleep(0)
    hurt.kill()
    status, said = await task
    told = [one["id"] for one in said["results"] if one["result"] == "paused"] if status == 200 else []
    hurt.start()
    async with asyncio.timeout(60):
        while "failed" in str((await office.ask("POST", "review/pause", body))[1]):
            await asyncio.sleep(0.05)
    states = {one["id"]: one["state"] for one in (await office.call("GET", "shares"))["shares"]}
    assert set(told) <= set(ids) and set(states.values()) == {"paused"}
    assert (await office.call("GET", "audit/verify"))["intact"]
