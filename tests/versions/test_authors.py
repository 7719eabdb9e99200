"""Who wrote where: gathered, stored in batches, and not lost when the store is away."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from sharegate.errors import StoreUnavailable
from sharegate.stores.sqlite import SqliteStore, open_sqlite
from sharegate.versions.authors import Amount, Authors
from sharegate.versions.model import Authorship
from tests.conftest import Clock


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await open_sqlite(tmp_path / "store" / "sharegate.db", key=b"k" * 32)
    yield opened
    await opened.close()


async def test_amounts_of_a_cell_are_stored_together(store: SqliteStore, clock: Clock) -> None:
    """Over several updates and several flushes."""
    authors = Authors(store, clock)
    start = clock()
    authors.wrote("u1", "f1", "v1", {"a": Amount(3, 1), "b": Amount(1)})
    clock.forward(5)
    authors.wrote("u1", "f1", "v1", {"a": Amount(2)})
    await authors.flush()
    clock.forward(5)
    authors.wrote("u1", "f1", "v1", {"a": Amount(0, 4)})
    assert len(await store.authorship("u1", "f1")) == 2, "what was not flushed waits"
    await authors.flush()
    await authors.flush()
    found = {one.cell: one for one in await store.authorship("u1", "f1")}
    assert (found["a"].inserted, found["a"].deleted) == (5, 5)
    assert (found["a"].first, found["a"].last) == (start, start + 10)


async def test_a_store_that_is_away(store: SqliteStore, clock: Clock) -> None:
    """What could not be stored is stored with the next batch, with what came in between."""

    class Away:
        async def add_authorship(self, entries: Sequence[Authorship]) -> None:
            authors.wrote("u1", "f1", "v1", {"a": Amount(10)})
            raise StoreUnavailable("away")

        async def authorship(self, upstream: str, file: str) -> list[Authorship]:
            return []

    authors = Authors(Away(), clock)
    authors.wrote("u1", "f1", "v1", {"a": Amount(3, 1)})
    with pytest.raises(StoreUnavailable):
        await authors.flush()
    authors._store = store
    await authors.flush()
    (one,) = await store.authorship("u1", "f1")
    assert (one.inserted, one.deleted) == (13, 1)


def test_many_cells_ask_for_a_flush(clock: Clock) -> None:
    """So that a visitor who makes cells without end fills no memory."""
    authors = Authors(None, clock)  # type: ignore[arg-type]
    assert not authors.wrote("u1", "f1", "v1", {str(at): Amount(1) for at in range(999)})
    assert authors.wrote("u1", "f1", "v1", {"x": Amount(1)})
