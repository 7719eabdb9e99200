"""One gate before one real server for a whole file of attacks."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.gatehouse import Gatehouse, Inside, gatehouse
from tests.real.jupyter import JupyterServer


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gate(tmp_path_factory: pytest.TempPathFactory, jupyter: JupyterServer) -> AsyncIterator[Gatehouse]:
    async with gatehouse(tmp_path_factory.mktemp("gate"), jupyter, requests_per_minute=1_000_000) as house:
        yield house


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ann(gate: Gatehouse) -> Inside:
    """A viewer of sub/shared."""
    return await gate.visit()
