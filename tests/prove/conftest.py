"""A gate before a server of these tests' own, and proofs of its shares."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from sharegate.prove.model import Check
from sharegate.prove.receipt import Receipt
from sharegate.prove.run import Wanted
from sharegate.shares.model import Role
from tests.gatehouse import Gatehouse, gatehouse
from tests.real.jupyter import JupyterServer, plant, running_jupyter


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """A server that proofs may ask anything, and holes may spoil."""
    home = tmp_path_factory.mktemp("prove")
    (home / "root").mkdir()
    plant(home / "root")
    with running_jupyter(home) as server:
        yield server


@dataclass
class Prover:
    """Proves shares of one gate."""

    house: Gatehouse

    async def prove(self, *only: Check, role: str = "view", path: str = "sub/shared", **wanted: Any) -> Receipt:
        """The receipt of a proof of a new share; fails the test when there is none."""
        made = await self.house.share(path, role=role, **{"for": ["Ann"]})
        return await self.again(made["share"]["id"], *only, **wanted)

    async def again(self, id: str, *only: Check, **wanted: Any) -> Receipt:
        proofs = self.house.running.api.proofs
        share = await proofs._store.share(id)
        assert share is not None
        asked = Wanted(edits=share.role is not Role.VIEW, only=frozenset(only), **wanted)
        proof = await proofs.begin(share, asked)
        assert proof.task is not None
        async with asyncio.timeout(240):
            while not proof.task.done():
                proof.heard.set()
                await asyncio.wait({proof.task}, timeout=5)
        assert proof.receipt is not None, proof.failed
        return proof.receipt


@pytest.fixture
def proving(ground: JupyterServer, tmp_path: Path) -> Callable[..., Any]:
    """A prover with a gate of its own, which runs as long as it is used."""

    @contextlib.asynccontextmanager
    async def one(**settings: Any) -> AsyncIterator[Prover]:
        async with gatehouse(tmp_path, ground, strangers_per_minute=100_000, **settings) as house:
            yield Prover(house)

    return one


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def prover(ground: JupyterServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Prover]:
    """An intact gate."""
    async with gatehouse(tmp_path_factory.mktemp("gate"), ground) as house:
        yield Prover(house)
