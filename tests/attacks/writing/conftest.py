"""One gate and one editor before one real server for a whole file of attacks, which change its files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.attacks.conftest import SETTINGS
from tests.attacks.writing.editor import (
    ROOT,
    policies_that_hand_out,
)
from tests.gatehouse import Gatehouse, Inside, gatehouse
from tests.real.jupyter import JupyterServer, plant, running_jupyter


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """A server of these tests' own: they change its files."""
    home = tmp_path_factory.mktemp("writing")
    (home / "root").mkdir()
    plant(home / "root")
    shared = home / "root" / ROOT
    (shared / "lib").mkdir()
    (shared / "lib" / "tool.py").write_text("x = 1\n")
    (shared / "old.py").write_text("old = 1\n")
    (shared / "plain").mkdir()
    (shared / "plain" / "a.txt").write_text("a\n")
    (shared / "linked").mkdir()
    (shared / "linked" / "out.txt").symlink_to(home / "root" / "secret" / "secret.txt")
    (shared / "alias.txt").symlink_to(shared / "target.ipynb")
    (shared / "target.ipynb").write_bytes((shared / "nb.ipynb").read_bytes())
    (shared / "dangling.txt").symlink_to(shared / "planted.py")
    (shared / "late.py").symlink_to(shared / "late.txt")
    (shared / "link_plain").symlink_to(shared / "plain")
    with running_jupyter(home) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gate(tmp_path_factory: pytest.TempPathFactory, server: JupyterServer) -> AsyncIterator[Gatehouse]:
    folder = tmp_path_factory.mktemp("gate")
    policies = policies_that_hand_out(folder / "policies", "view", "edit")
    async with gatehouse(folder, server, policy_dir=str(policies), **SETTINGS) as house:
        yield house


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ed(gate: Gatehouse) -> Inside:
    """An editor of sub/shared."""
    return await gate.visit(await gate.share(role="edit", **{"for": ["Ed"]}), name="Ed")


@pytest.fixture
def shared(server: JupyterServer) -> Path:
    return server.root / ROOT
