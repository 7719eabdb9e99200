"""Owners' programs at two gates of one store: what is asked on a condition, or with a key, counts once over both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Clock
from tests.dashboard.client import Program
from tests.dashboard.conftest import Office, opened
from tests.real.redis import RedisServer, running_redis

pytestmark = [pytest.mark.redis, pytest.mark.timeout(120)]
AT_ONCE = 20


@pytest.fixture(scope="module")
def store() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture
async def offices(
    store: RedisServer, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[list[Office]]:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "no servers"))
    store.command("FLUSHALL")
    both = {"store": store.url, "keys_dir": str(tmp_path / "keys")}
    async with (
        opened(tmp_path / "a", clock, gate_name="a", **both) as a,
        opened(tmp_path / "b", clock, gate_name="b", **both) as b,
    ):
        yield [a, b]


@pytest.fixture
async def programs(offices: list[Office]) -> AsyncIterator[list[Program]]:
    """One of them at each gate, with one token."""
    token = await offices[0].token("shares:read", "shares:write", "people:read")
    found = [Program(office, token) for office in offices]
    async with asyncio.timeout(25):
        while (await found[1].ask("GET", "/api/v1/me"))[0] != 200:
            await asyncio.sleep(0.01)
    yield found
    for one in found:
        await one.close()


async def shared(offices: list[Office], programs: list[Program]) -> str:
    """The address of a share that both gates know."""
    made = await offices[1].share(**{"for": ["Ann"]})
    path = f"/api/v1/shares/{made['share']['id']}"
    async with asyncio.timeout(25):
        while (await programs[0].ask("GET", path))[0] != 200:
            await asyncio.sleep(0.01)
    return path


async def seen(program: Program, path: str) -> str:
    return str((await program.whole("GET", path))[0].headers["ETag"])


async def agreed(programs: list[Program], path: str) -> str:
    """The ETag that both give of it, once both have heard of its last change."""
    async with asyncio.timeout(25):
        while len(set(tags := [await seen(program, path) for program in programs])) > 1:
            await asyncio.sleep(0.01)
    return tags[0]


async def test_race_of_changes_on_one_condition_at_two_gates_one_is_made(
    offices: list[Office], programs: list[Program]
) -> None:
    """Whichever gate it came to, in whatever list its tag stands; the others hear that it is not as they saw it. A weak
    tag is none for changing."""
    path = await shared(offices, programs)
    mine = await agreed(programs, path)
    heads = [mine, f'"x", {mine}', f"W/{mine}, {mine}", f" ,{mine},"]
    for round_ in range(3):
        asked = [
            programs[number % 2].ask(
                "PATCH", path, {"name": f"Round {round_} {number}"}, headers={"If-Match": heads[number % len(heads)]}
            )
            for number in range(AT_ONCE)
        ]
        answers = await asyncio.gather(*asked)
        assert sorted(status for status, _ in answers) == [200] + [412] * (AT_ONCE - 1)
        assert {(said["code"], said["field"]) for status, said in answers if status == 412} == {("stale", "If-Match")}
        (won,) = [said["share"]["name"] for status, said in answers if status == 200]
        await agreed(programs, path)
        for program in programs:
            assert (await program.ask("GET", path))[1]["share"]["name"] == won
            status, _ = await program.ask("PATCH", path, {"name": "x"}, headers={"If-Match": f"W/{mine}"})
            assert status == 412
        before, mine = mine, await agreed(programs, path)
        assert before != mine
        heads = [mine, f'"x", {mine}', f"W/{mine}, {mine}", f" ,{mine},"]
    changed = [event for event in (await offices[0].call("GET", "audit", action="share.changed"))["events"]]
    assert len(changed) == 3


async def test_race_of_changes_of_whatever_is_there(offices: list[Office], programs: list[Program]) -> None:
    """`*` holds for all: each is made and recorded, the last one stands at both. For reading it is known already."""
    path = await shared(offices, programs)
    asked = [
        programs[number % 2].ask("PATCH", path, {"name": f"Name {number}"}, headers={"If-Match": "*"})
        for number in range(AT_ONCE)
    ]
    answers = await asyncio.gather(*asked)
    assert [status for status, _ in answers] == [200] * AT_ONCE
    made = [said["share"]["name"] for _, said in answers]
    mine = await agreed(programs, path)
    assert (await programs[0].ask("GET", path))[1]["share"]["name"] in made
    for have in ("*", mine, f"W/{mine}", f'"x",W/{mine}'):
        for program in programs:
            answer, said = await program.whole("GET", path, headers={"If-None-Match": have})
            assert (answer.status, said) == (304, None)
    events = (await offices[0].call("GET", "audit", action="share.changed"))["events"]
    assert len(events) == len(made)


async def test_race_of_one_key_with_equal_and_other_bodies_at_two_gates(
    offices: list[Office], programs: list[Program]
) -> None:
    """One body is made, once; the same are told to come back, others that the key was used. Later both gates give the
    one answer."""
    folder = offices[1].folder
    bodies = [{"path": str(folder / "week3"), "for": [name]} for name in ("Ann", "Bo")]
    key = {"Idempotency-Key": "one-of-theirs"}

    async def asked(number: int) -> tuple[int, dict[str, Any]]:
        return await programs[number % 2].ask("POST", "/api/v1/shares", bodies[number // 2 % 2], headers=key)

    answers = await asyncio.gather(*(asked(number) for number in range(AT_ONCE)))
    made = {said["share"]["id"]: said for status, said in answers if status == 200}
    (mine,) = made.values()
    assert {status for status, _ in answers} <= {200, 409, 422}
    assert {said["code"] for status, said in answers if status != 200} <= {"in_progress", "key_reused"}
    won = mine["links"][0]["name"]
    assert all(said["links"][0]["name"] == won for status, said in answers if status == 200)
    for number in range(4):
        status, said = await asked(number)
        if bodies[number // 2 % 2]["for"] == [won]:
            assert (status, said) == (200, mine)
        else:
            assert (status, said["code"]) == (422, "key_reused")
    assert [share["id"] for share in (await offices[0].call("GET", "shares"))["shares"]] == [mine["share"]["id"]]


async def test_race_of_links_added_to_one_share_at_two_gates(offices: list[Office], programs: list[Program]) -> None:
    """Each is made, with a letter of its own, a roster's among them; who stands in it twice has one all the same."""
    path = await shared(offices, programs)
    roster = {"roster": "name,email\nCy,cy@example.org\nDi,di@example.org\n", "prove": False}
    asked = [programs[n % 2].ask("POST", f"{path}/links", {"name": f"Person {n}"}) for n in range(AT_ONCE)]
    asked += [program.ask("POST", f"{path}/roster", roster) for program in programs]
    answers = await asyncio.gather(*asked)
    assert [status for status, _ in answers] == [200] * (AT_ONCE + 2), answers
    await agreed(programs, path)
    links = (await programs[0].ask("GET", path))[1]["share"]["links"]
    assert sorted(link["name"] for link in links) == sorted(
        ["Ann", "Cy", "Di", *(f"Person {n}" for n in range(AT_ONCE))]
    )
    assert len({link["label"] for link in links}) == len(links)
