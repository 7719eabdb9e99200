"""Who has a turn when many wait."""

from __future__ import annotations

import asyncio

from sharegate.visits.turns import Turns


class Crowd:
    """Who wait for `turns`, and in which order they had theirs."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.had: list[str] = []
        self.none: list[str] = []
        self.go = asyncio.Event()

    async def _come(self, group: str, member: str, name: str) -> None:
        async with self.turns.turn(group, member) as mine:
            (self.had if mine else self.none).append(name)
            if mine:
                await self.go.wait()

    async def come(self, group: str, member: str, name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(self._come(group, member, name))
        await asyncio.sleep(0)
        return task

    async def all(self, *tasks: asyncio.Task[None]) -> None:
        self.go.set()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_turns_go_round_groups_and_their_members() -> None:
    """Whoever sends a hundred has one turn, then another one has theirs."""
    crowd = Crowd(Turns(1, 100))
    tasks = [await crowd.come("a", "x", f"ax{n}") for n in range(4)]
    tasks += [await crowd.come("a", "y", "ay"), await crowd.come("b", "x", "bx"), await crowd.come("c", "x", "cx")]
    await crowd.all(*tasks)
    assert crowd.had == ["ax0", "ax1", "bx", "cx", "ay", "ax2", "ax3"]


async def test_who_came_last_in_the_longest_row_has_to_go() -> None:
    """Not who comes to a short one."""
    crowd = Crowd(Turns(1, 4))
    tasks = [await crowd.come("a", "x", f"ax{n}") for n in range(4)]
    tasks += [await crowd.come("a", "y", "ay"), await crowd.come("b", "x", "bx")]
    assert crowd.none == []
    await asyncio.sleep(0)
    assert crowd.none == ["ax3"]
    await crowd.all(*tasks)
    assert sorted(crowd.had) == ["ax0", "ax1", "ax2", "ay", "bx"]


async def test_who_gives_up_takes_no_turn_and_keeps_none() -> None:
    """While they wait, and at the moment when they are given one."""
    crowd = Crowd(Turns(1, 10))
    first, second, third = [await crowd.come("a", "x", name) for name in ("first", "second", "third")]
    second.cancel()
    await asyncio.sleep(0)
    fourth = await crowd.come("a", "x", "fourth")
    first.cancel()
    await asyncio.sleep(0)  # its turn is given on, and whoever got it does not know yet
    third.cancel()
    await crowd.all(first, second, third, fourth)
    assert crowd.had == ["first", "fourth"]
    await (await crowd.come("a", "x", "fifth"))
    assert crowd.had[-1] == "fifth"


async def test_a_fault_gives_the_turn_on() -> None:
    """Whoever waits does not wait for ever."""
    turns = Turns(1, 10)

    async def fails() -> None:
        async with turns.turn("a", "x"):
            raise ValueError

    results = await asyncio.gather(*(fails() for _ in range(5)), return_exceptions=True)
    assert [type(one) for one in results] == [ValueError] * 5
