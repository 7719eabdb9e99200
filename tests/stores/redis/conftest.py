"""A real Redis server, a store on it, and further gates on the same server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sharegate.store_url import StoreUrl
from sharegate.stores.redis.store import RedisStore, open_redis
from tests.real.redis import RedisServer, running_redis
from tests.stores.redis.gates import KEY, Opener


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """One for the module; tests that hurt it start their own."""
    with running_redis() as running:
        yield running


@pytest.fixture(autouse=True)
def _emptied(server: RedisServer) -> None:
    server.command("FLUSHALL")


@pytest.fixture
async def store(server: RedisServer, tmp_path: Path) -> AsyncIterator[RedisStore]:
    opened = await open_redis(StoreUrl.parse(server.url), key=KEY, folder=tmp_path / "run")
    yield opened
    await opened.close()


@pytest.fixture
async def reopened(
    server: RedisServer, store: RedisStore, tmp_path: Path
) -> AsyncIterator[Callable[[], Awaitable[RedisStore]]]:
    latest = [store]

    async def reopen() -> RedisStore:
        await latest[-1].close()
        latest.append(await open_redis(StoreUrl.parse(server.url), key=KEY, folder=tmp_path / "run"))
        return latest[-1]

    yield reopen
    await latest[-1].close()


@pytest.fixture
async def another(server: RedisServer, tmp_path: Path) -> AsyncIterator[Opener]:
    """Opens a further store on the same server, as another gate does; with `url` by another way."""
    opened: list[RedisStore] = []

    async def open(**how: Any) -> RedisStore:
        url = StoreUrl.parse(how.pop("url", server.url))
        how = {"key": KEY, "folder": tmp_path / f"gate{len(opened)}", **how}
        opened.append(await open_redis(url, **how))
        return opened[-1]

    yield open
    for store in opened:
        await store.close()
