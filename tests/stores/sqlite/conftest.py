"""A SQLite store in a file of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from sharegate.stores.sqlite import SqliteStore, open_sqlite
from tests.stores.sqlite.files import KEY


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store" / "sharegate.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    opened = await open_sqlite(path, key=KEY)
    yield opened
    await opened.close()


@pytest.fixture
async def reopened(path: Path, store: SqliteStore) -> AsyncIterator[Callable[[], Awaitable[SqliteStore]]]:
    latest = [store]

    async def reopen() -> SqliteStore:
        await latest[-1].close()
        latest.append(await open_sqlite(path, key=KEY))
        return latest[-1]

    yield reopen
    await latest[-1].close()
