"""A real Jupyter server, the gate, and everybody in two documents at random: an owner connected directly, editors, a
viewer, restarts of the server, changes of the files by others, links that end, pages that read slowly.

Reproducible by its seed as far as real servers are. `CONVERGENCE_REAL_SEEDS=50 pytest tests/test_convergence.py` tries
more.
"""

from __future__ import annotations

import os
from pathlib import Path

import aiohttp
import pytest

from tests.attacks.conftest import SETTINGS
from tests.gatehouse import gatehouse
from tests.walk import World
from tests.walkers import Person

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]

SEEDS = int(os.environ.get("CONVERGENCE_REAL_SEEDS", "2"))
FIRST = int(os.environ.get("CONVERGENCE_REAL_FIRST", "0"))
ROUNDS, STEPS = 4, 30


KINDS = {
    "type": 40, "erase": 9, "save": 16, "leave": 3, "rejoin": 10, "role": 2, "revoke": 1, "intrude": 5, "slow": 3,
    "fast": 5, "outside": 2, "wait": 12,
}  # fmt: skip


@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
async def test_everybody_comes_to_what_is_in_the_file(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing that was reported saved is lost, and who may not write wrote nothing."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    async with aiohttp.ClientSession() as http:
        world = World(seed, tmp_path, http)
        await world.start()
        with world.servers:
            async with gatehouse(tmp_path, world.jupyter, **SETTINGS) as house:
                world.people.append(Person(world, "Olga", None, writes=True))
                try:
                    for name, role in (("Ann", "edit"), ("Bo", "edit"), ("Eve", "view")):
                        await world.comes(house, name, role)
                    await world.agree()
                    for number in range(ROUNDS):
                        kinds = world.chance.choices(list(KINDS), list(KINDS.values()), k=STEPS)
                        if number % 2:
                            kinds[world.chance.randrange(STEPS)] = "restart"
                        world.read_again = not {"restart", "outside"}.isdisjoint(kinds)
                        for kind in kinds:
                            await world.step(house, kind)
                            world.check()
                        await world.agree()
                    assert world.restarts == ROUNDS // 2
                except BaseException:
                    print("\n".join(world.log))
                    raise
                finally:
                    await world.close()
