"""Everybody in one room, at random: owner, editors, viewers, a server that comes and goes, and what nobody planned.

Reproducible by its seed. `CONVERGENCE_SEEDS=500 pytest tests/channels/test_convergence.py` tries many more.
"""

from __future__ import annotations

import asyncio
import os

import pytest

from sharegate.channels import link as links
from sharegate.channels import member as members
from sharegate.channels.admission import RoomName
from tests.channels.unsteady import NOTEBOOK, TEXT
from tests.channels.world import World

SEEDS = int(os.environ.get("CONVERGENCE_SEEDS", "12"))
FIRST = int(os.environ.get("CONVERGENCE_FIRST", "0"))
ROUNDS, STEPS = 4, 40


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits are short, queues small."""
    monkeypatch.setattr(links, "RETRY_PAUSE", 0.002)
    monkeypatch.setattr(links, "RETRY_SECONDS", 0.02)
    monkeypatch.setattr(members, "WAITING_FRAMES", 12)


@pytest.mark.parametrize("name", [TEXT, NOTEBOOK], ids=["text", "notebook"])
@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
async def test_everybody_comes_to_what_the_server_has(seed: int, name: RoomName) -> None:
    """And nothing that was reported saved is lost, and who may not write wrote nothing."""
    world = World(seed, name)
    try:
        for _ in range(ROUNDS):
            for _ in range(STEPS):
                await world.step()
                await asyncio.sleep(0)
            await world.agree()
    except BaseException:
        print("\n".join(world.log))
        raise
    finally:
        for page in world.pages:
            page.leave()
        world.server.slow = False
        async with asyncio.timeout(25):
            await world.room.closed()
        world.server.stop()
