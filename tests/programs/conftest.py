"""A real gate before a real server that these tests change, and links for programs."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.gatehouse import Gatehouse, Program, gatehouse
from tests.real.jupyter import JupyterServer, plant, running_jupyter

NOTEBOOK = "sub/shared/nb.ipynb"
_NUMBERS = itertools.count(1)


@pytest.fixture(scope="package")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    home = tmp_path_factory.mktemp("programs")
    (home / "root").mkdir()
    plant(home / "root")
    # Some tests write in the notebook itself.
    (home / "as-planted.ipynb").write_bytes((home / "root" / NOTEBOOK).read_bytes())
    with running_jupyter(home) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module")
async def gate(tmp_path: Path, workshop: JupyterServer) -> AsyncIterator[Gatehouse]:
    async with gatehouse(tmp_path, workshop) as house:
        yield house


@pytest_asyncio.fixture(loop_scope="module")
async def editor(gate: Gatehouse) -> Program:
    return await gate.program(role="edit")


@pytest_asyncio.fixture(loop_scope="module")
async def viewer(gate: Gatehouse) -> Program:
    return await gate.program()


@pytest.fixture
def notebook(workshop: JupyterServer) -> Iterator[Path]:
    """A notebook of this test's own."""
    # The server keeps a document for a while after its file: no two tests share a name.
    path = workshop.root / "sub" / "shared" / f"own-{next(_NUMBERS)}.ipynb"
    path.write_bytes((workshop.root.parent / "as-planted.ipynb").read_bytes())
    yield path
    path.unlink(missing_ok=True)


def sources(path: Path) -> list[str]:
    """What the cells of a notebook on the disk say; none of a file that is being written at this moment."""
    with contextlib.suppress(ValueError):
        return ["".join(cell["source"]) for cell in json.loads(path.read_bytes())["cells"]]
    return []


async def until(what: Callable[[], Awaitable[Any] | Any], within: float = 30.0) -> Any:
    """Wait for what becomes true: an answer of another program, at most `within` seconds."""
    async with asyncio.timeout(within):
        while True:
            found = what()
            found = await found if isinstance(found, Awaitable) else found
            if found:
                return found
            await asyncio.sleep(0.02)
