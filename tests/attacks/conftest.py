"""One gate before one real server for a whole file of attacks."""

import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest
import pytest_asyncio

from tests.attacks.pages import Owner, Visitor, owning, visiting
from tests.attacks.secrets import forbidden_in
from tests.attacks.wire import Wire, recorded
from tests.gatehouse import Gatehouse, Inside, gatehouse
from tests.real.jupyter import JupyterServer, plant, running_jupyter

# Attacks are many, and come from one address.
SETTINGS = {"requests_per_minute": 1_000_000, "strangers_per_minute": 1_000_000, "megabytes_per_minute": 1_000_000}

# Names that stand nowhere but outside the share, and what those files say.
BEYOND = ("zqwalrus", "zqbeaver", "zqotter", "zqbadger", "zqhidden")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gate(tmp_path_factory: pytest.TempPathFactory, jupyter: JupyterServer) -> AsyncIterator[Gatehouse]:
    async with gatehouse(tmp_path_factory.mktemp("gate"), jupyter, **SETTINGS) as house:
        yield house


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ann(gate: Gatehouse) -> Inside:
    """A viewer of sub/shared."""
    return await gate.visit()


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """A server of these tests' own, whose files they change."""
    home = tmp_path_factory.mktemp("zqwalrus-home")
    root = home / "root"
    root.mkdir()
    plant(root)
    shared = root / "sub" / "shared"
    (root / "zqbeaver-folder").mkdir()
    (root / "zqbeaver-folder" / "zqotter.txt").write_text("zqbadger says\n")
    (root / "zqotter.ipynb").write_bytes((shared / "nb.ipynb").read_bytes())
    (root / "sub" / "zqotter-beside.txt").write_text("zqbadger says\n")
    (shared / ".zqhidden.txt").write_text("zqhidden says\n")
    (shared / "link_there.txt").symlink_to(root / "zqbeaver-folder" / "zqotter.txt")
    with running_jupyter(home) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wire(workshop: JupyterServer) -> AsyncIterator[Wire]:
    """Records what the gate sends to the workshop."""
    async with recorded(workshop.port) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def watched_gate(
    tmp_path_factory: pytest.TempPathFactory, workshop: JupyterServer, wire: Wire
) -> AsyncIterator[Gatehouse]:
    """A gate before the workshop, with the recorder between them: the gate knows this process as its server."""
    ours = cast("object", SimpleNamespace(pid=os.getpid()))
    seen = replace(workshop, url=f"http://127.0.0.1:{wire.port}/", port=wire.port, process=ours)  # type: ignore[arg-type]
    async with gatehouse(tmp_path_factory.mktemp("gate"), seen, **SETTINGS) as house:
        yield house


@pytest_asyncio.fixture(loop_scope="module")
async def owner(workshop: JupyterServer) -> AsyncIterator[Owner]:
    """Works on the server itself, past the gate."""
    async with owning(workshop) as one:
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def people(gate: Gatehouse) -> tuple[Inside, Inside]:
    """Two viewers, each by a share of her own: the door lets nobody in more often than once a second for long."""
    return await gate.visit(), await gate.visit(name="Bea")


@pytest_asyncio.fixture(loop_scope="module")
async def viewer(people: tuple[Inside, Inside]) -> AsyncIterator[Visitor]:
    async with visiting(people[0]) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def other(people: tuple[Inside, Inside]) -> AsyncIterator[Visitor]:
    async with visiting(people[1]) as one:
        yield one


@pytest.fixture(scope="module")
def forbidden(workshop: JupyterServer) -> dict[str, bytes]:
    """What must stand nowhere, in the spellings in which it could."""
    return forbidden_in(workshop, BEYOND)
