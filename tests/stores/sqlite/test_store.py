"""The SQLite store: the common suite, how it commits, and what it forgets."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

from sharegate.errors import Denied
from sharegate.shares.interfaces import Change
from sharegate.stores.sqlite import SqliteStore
from tests.conftest import Clock
from tests.stores import conformance
from tests.stores.records import a_code, a_share, a_visit
from tests.stores.sqlite.files import other_program, plant
from tests.stores.version_contract import VersionContract


class TestShares(conformance.ShareContract):
    pass


class TestAudit(conformance.AuditContract):
    pass


class TestVersions(VersionContract):
    pass


# -- commits ----------------------------------------------------------------------------------------------------------


async def test_durability_is_what_design_says(store: SqliteStore) -> None:
    """Write-ahead log, and every commit is synced."""

    def modes(connection: sqlite3.Connection, _: object) -> tuple[str, int, int]:
        return tuple(  # type: ignore[return-value]
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "secure_delete")
        )

    assert await store._writer.run(modes) == ("wal", 2, 1)


async def test_a_write_is_on_disk_when_it_returns(path: Path, store: SqliteStore) -> None:
    """Another connection sees it at once."""
    await store.add_share(a_share(), [])
    with other_program(path) as connection:
        assert connection.execute("SELECT id FROM shares").fetchall() == [("s1",)]


async def test_many_writers_share_commits(store: SqliteStore) -> None:
    """Five hundred concurrent writes take far fewer transactions."""
    batches: list[int] = []
    commit = store._writer._commit
    store._writer._commit = lambda jobs: batches.append(len(jobs)) or commit(jobs)  # type: ignore[method-assign]
    await asyncio.gather(*(store.add_share(a_share(f"s{i}"), []) for i in range(500)))
    assert sum(batches) == 500 and len(batches) < 50


async def test_a_listener_that_fails_does_not_keep_the_others_from_knowing(store: SqliteStore) -> None:
    """A fault in one subscriber is reported to the loop; the next is told, and the writer succeeds."""
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    heard: list[Change] = []

    def broken(_: Change) -> None:
        raise RuntimeError("broken listener")

    store.subscribe(broken)
    store.subscribe(heard.append)
    await store.add_share(a_share(), [])
    assert heard == [Change("share", "s1")]
    assert str(reported[0]["exception"]) == "broken listener"


async def test_a_denied_write_leaves_the_others_of_its_commit_alone(store: SqliteStore) -> None:
    """Refusals and faults inside one group do not undo what stands beside them."""
    await plant(store)
    results = await asyncio.gather(
        store.change_share("s1", name="first"),
        store.open_visit(a_visit("v2"), seats=1),
        store.add_share(a_share("s1"), []),
        store.change_share("s1", message="last"),
        return_exceptions=True,
    )
    assert isinstance(results[1], Denied) and isinstance(results[2], ValueError)
    share = await store.share("s1")
    assert share is not None and (share.name, share.message) == ("first", "last")


# -- forgetting -------------------------------------------------------------------------------------------------------


async def test_prune_forgets_what_nobody_needs(store: SqliteStore, clock: Clock) -> None:
    """Codes when they expire, layouts a day after the end, knocks after 30 days, addresses after 90."""
    await plant(store)
    await store.add_device_code(a_code(expires=clock() + 300))
    await store.change_visit("v1", expires=clock() + 900 * 86400)
    await store.prune(clock())
    assert await store.device_code("h1") and await store.overlay("v1", "workspace") and await store.knock("k1")

    clock.forward(300)
    assert (await store.prune(clock())).codes == 1
    await store.end_visits(["v1"], at=clock(), reason="left")
    assert (await store.prune(clock())).overlays == 0
    clock.forward(86400)
    assert (await store.prune(clock())).overlays == 1
    heard: list[Change] = []
    store.subscribe(heard.append)
    clock.forward(30 * 86400)
    assert (await store.prune(clock())).knocks == 1
    assert await store.knock("k1") is None and heard == [Change("knock", "k1")]
    assert (await store.visit("v1")).address == "192.0.2.0/24"  # type: ignore[union-attr]
    clock.forward(60 * 86400)
    assert (await store.prune(clock())).visits == 1
    visit = await store.visit("v1")
    assert visit is not None and (visit.address, visit.ended_reason) == ("", "left")
    pruned = await store.prune(clock())
    assert (pruned.codes, pruned.overlays, pruned.knocks, pruned.visits) == (0, 0, 0, 0)
