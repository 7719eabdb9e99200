"""The keeper: a snapshot is on disk before the write that it was taken for, or there is no write."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sharegate.errors import NotFound, StoreUnavailable
from sharegate.shares.model import new_id
from sharegate.stores.sqlite import SqliteStore, open_sqlite
from sharegate.versions.model import Cause, Content, Limits
from sharegate.versions.snapshots import Keeper, OnAccount
from tests.conftest import Clock
from tests.versions.notebooks import code, notebook

LIMITS = Limits()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await open_sqlite(tmp_path / "store" / "sharegate.db", key=b"k" * 32)
    yield opened
    await opened.close()


@pytest.mark.parametrize(
    "content",
    [Content.of_notebook(notebook([code("a", "x = 1")])), Content.of_text("é"), Content.of_bytes(b"\x00\xff")],
)
async def test_taken_and_read_back(store: SqliteStore, clock: Clock, content: Content) -> None:
    """With time, cause, account and facts."""
    keeper = Keeper(store, LIMITS, new_id, clock)
    by = OnAccount("v1", "l1", "s1")
    taken = await keeper.take("u1", "a", content, Cause.FIRST_WRITE, room="json:notebook", by=by)
    assert (taken.taken, taken.cause, taken.visit, taken.link, taken.share) == (
        *(clock(), Cause.FIRST_WRITE, "v1", "l1", "s1"),
    )
    found = await keeper.find(taken.id[:6])
    assert found == taken and await keeper.content(found) == content
    assert await keeper.list(upstream="u1", path="a") == [taken]
    with pytest.raises(NotFound):
        await keeper.find("nothing")


async def test_without_a_store_nothing_is_taken(store: SqliteStore, clock: Clock) -> None:
    """StoreUnavailable reaches whoever was about to write."""
    keeper = Keeper(store, LIMITS, new_id, clock)
    await store.close()
    with pytest.raises(StoreUnavailable):
        await keeper.take("u1", "a", Content.of_text("x"), Cause.FIRST_WRITE)


async def test_what_was_there_before_a_visits_first_change(store: SqliteStore, clock: Clock) -> None:
    """The version that was kept for it; the newest from before where that one is gone; of that document alone."""
    keeper = Keeper(store, LIMITS, new_id, clock)

    async def kept(words: str, cause: Cause, path: str = "a.md", visit: str = "") -> str:
        clock.now += 1
        return (await keeper.take("u1", path, Content.of_text(words), cause, by=OnAccount(visit=visit))).id

    async def found(visit: str, at: float, *paths: str) -> str | None:
        one = await keeper.before("u1", paths, visit, at)
        return one.id if one is not None else None

    assert await found("ann", clock.now, "a.md") is None
    older = await kept("1", Cause.ASKED)
    await kept("other", Cause.FIRST_WRITE, "b.md", "ann")
    first = await kept("2", Cause.FIRST_WRITE, visit="ann")
    asked = await kept("3", Cause.ASKED)
    at = clock.now
    await kept("4", Cause.FIRST_WRITE, "moved.md", "ann")
    assert await found("ann", at, "a.md", "moved.md") == first
    assert await found("bo", at, "a.md") == asked and await found("bo", at - 3, "a.md") == older


def test_when_a_document_is_due(clock: Clock) -> None:
    """After the interval, if somebody wrote since."""
    keeper = Keeper(None, LIMITS, new_id, clock, interval=300)  # type: ignore[arg-type]
    now = clock()
    assert keeper.due(None, written=True) and not keeper.due(None, written=False)
    clock.forward(299)
    assert not keeper.due(now, written=True)
    clock.forward(1)
    assert keeper.due(now, written=True) and not keeper.due(now, written=False)
