"""A real gate before a real server whose files these tests change."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.gatehouse import Gatehouse, Inside, gatehouse
from tests.readers.sample import course, png, written
from tests.real.jupyter import JupyterServer, plant, running_jupyter
from tests.visits.conftest import chromium

__all__ = ["chromium"]

SETTINGS = {"requests_per_minute": 1_000_000, "strangers_per_minute": 1_000_000, "megabytes_per_minute": 1_000_000}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    home = tmp_path_factory.mktemp("library")
    root = home / "root"
    root.mkdir()
    plant(root)
    shared = root / "sub" / "shared"
    (shared / "week3.ipynb").write_bytes(written(course()))
    (shared / "plot.png").write_bytes(png())
    (root / "secret" / "plot.png").write_bytes(png(5, 5))
    with running_jupyter(home) as server:
        yield server


@pytest.fixture
def shared(library: JupyterServer) -> Path:
    return library.root / "sub" / "shared"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, library: JupyterServer) -> AsyncIterator[Gatehouse]:
    async with gatehouse(tmp_path_factory.mktemp("gate"), library, **SETTINGS) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def ann(house: Gatehouse) -> Inside:
    """A viewer of sub/shared."""
    return await house.visit()
