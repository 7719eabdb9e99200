"""Every probe on the gate, with all of its judgement on, and every one has to be ok."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.probes.gate import gate
from tests.probes.model import Mark, Probe, all_probes
from tests.probes.peer import Peer
from tests.real.jupyter import JupyterServer

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def peer(tmp_path_factory: pytest.TempPathFactory, jupyter: JupyterServer) -> AsyncIterator[Peer]:
    async with gate(tmp_path_factory.mktemp("gate"), jupyter) as one:
        yield one


@pytest.mark.parametrize("probe", all_probes(), ids=lambda probe: probe.name)
async def test_the_gate_holds(peer: Peer, probe: Probe) -> None:
    """To the letter, without exception."""
    verdict = await probe.judge(peer)

    assert verdict.mark is Mark.OK, f"{probe.asks} {verdict.mark.value}: {verdict.sentence}"
