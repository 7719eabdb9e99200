"""A gate before a server that behaves as it is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.failures.server import Fake, gate_before
from tests.gatehouse import Gatehouse
from tests.upstream.scripted import Recorder, scripted


@pytest_asyncio.fixture
async def server() -> AsyncIterator[tuple[Fake, Recorder]]:
    fake = Fake()
    async with scripted(fake.serve) as record:
        yield fake, record
        fake.go.set()


@pytest_asyncio.fixture
async def gate(tmp_path: Path, server: tuple[Fake, Recorder]) -> AsyncIterator[Gatehouse]:
    async with gate_before(tmp_path, server[1]) as house:
        yield house


@pytest.fixture
def fake(server: tuple[Fake, Recorder]) -> Fake:
    return server[0]


@pytest_asyncio.fixture
async def patient(tmp_path: Path, server: tuple[Fake, Recorder]) -> AsyncIterator[Gatehouse]:
    """A gate that does not count strangers."""
    async with gate_before(tmp_path, server[1], strangers_per_minute=1_000_000) as house:
        yield house


@pytest.fixture(autouse=True)
def folders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every root that is looked at is a folder: the fake server keeps no tree."""
    from sharegate.shares.interfaces import RootFacts
    from sharegate.shares.model import RootKind
    from sharegate.upstream.roots import Roots

    async def look(*_: object) -> RootFacts:
        return RootFacts(RootKind.DIRECTORY)

    monkeypatch.setattr(Roots, "look", look)
