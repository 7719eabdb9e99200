"""The trail in the file: append-only, verified after every edit of it, and erased for good."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from sharegate.audit.chain import Fault, seal, verify_store
from sharegate.audit.interfaces import Query, Sealed
from sharegate.stores import trail_table
from sharegate.stores.inspect import Inspection
from sharegate.stores.sqlite import BLANKED_AT_ONCE, SqliteStore, open_sqlite
from tests.stores import conformance
from tests.stores.records import a_link, a_share
from tests.stores.sqlite.files import KEY, event, other_program, plant

MARKER = "Zzyzx-Personal-Marker"


async def test_the_trail_is_append_only_for_our_own_mistakes(path: Path, store: SqliteStore) -> None:
    """The database itself refuses to delete or alter an event; only personal values may go."""
    await plant(store)
    with other_program(path) as connection:
        for statement in (
            "DELETE FROM trail",
            "UPDATE trail SET body = '{}'",
            "UPDATE trail SET digest = ''",
            "UPDATE trail SET personal = x'00'",
        ):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                connection.execute(statement)
        connection.execute("UPDATE trail SET personal = x''")


@pytest.mark.parametrize(
    ("statement", "seq", "how"),
    [
        ("UPDATE trail SET body = replace(body, 'v3', 'v9') WHERE seq = 3", 3, Fault.ALTERED),
        ("UPDATE trail SET body = CAST(x'ff' AS TEXT) WHERE seq = 3", 3, Fault.ALTERED),
        ("UPDATE trail SET digest = CAST(x'ff' AS TEXT) WHERE seq = 3", 3, Fault.ALTERED),
        ("UPDATE trail SET previous = 5 WHERE seq = 3", 3, Fault.ALTERED),
        ("UPDATE trail SET personal = 'no json' WHERE seq = 3", 3, Fault.PERSONAL_ALTERED),
        (
            "UPDATE trail SET personal = (SELECT personal FROM trail WHERE seq = 1) WHERE seq = 3",
            3,
            Fault.PERSONAL_ALTERED,
        ),
        ("DELETE FROM trail WHERE seq = 3", 3, Fault.MISSING),
        ("DELETE FROM trail WHERE seq = 1", 1, Fault.MISSING),
        ("UPDATE trail SET seq = CASE seq WHEN 2 THEN 30 ELSE 20 END WHERE seq IN (2, 3)", 2, Fault.MISSING),
        ("UPDATE trail SET writer = 'other' WHERE seq = 5", 5, Fault.REORDERED),
    ],
)
async def test_attack_somebody_edits_the_file(
    path: Path, store: SqliteStore, statement: str, seq: int, how: Fault
) -> None:
    """Verification names the first event that does not hold, whatever was put into the table."""
    sealed = conformance.AuditContract.chain(5, visit=lambda i: f"v{i + 1}")
    await store.append(sealed)
    with other_program(path) as connection:
        connection.execute("DROP TRIGGER trail_is_kept")
        connection.execute("DROP TRIGGER trail_is_fixed")
        connection.execute(statement)
    broken = (await verify_store(store)).first
    assert broken is not None and (broken.seq, broken.how) == (seq, how)


async def test_attack_a_filter_cannot_be_made_to_miss_an_event(path: Path, store: SqliteStore) -> None:
    """What a filter compares is computed from the body that the chain covers: there is no column to alter."""
    await store.append([seal(event(share="s1"), writer="gate", seq=1, previous="")])
    with other_program(path) as connection, pytest.raises(sqlite3.OperationalError, match="generated"):
        connection.execute("UPDATE trail SET share = 's2'")


def many(count: int) -> list[Sealed]:
    events: list[Sealed] = []
    for seq in range(1, count + 1):
        events.append(seal(event(name=MARKER), writer="gate", seq=seq, previous=events[-1].digest if events else ""))
    return events


def named_in(path: Path) -> list[str]:
    return [file.name for file in path.parent.iterdir() if MARKER.encode() in file.read_bytes()]


async def test_what_was_erased_is_not_left_in_the_files(path: Path, store: SqliteStore) -> None:
    """Neither the database nor its log holds the name afterwards."""
    await store.append(many(199))
    assert named_in(path)
    assert await store.erase(Query()) == 199
    assert named_in(path) == []
    assert (await verify_store(store)).intact


async def erased_while_read(path: Path, store: SqliteStore) -> None:
    await store.append(many(9))
    with Inspection(path) as backup:
        assert backup.counts()["trail"] == 9
        assert await store.erase(Query()) == 9
        await store.ready()
        assert named_in(path), "who reads keeps the log"


async def test_what_was_erased_leaves_the_log_after_the_reader(path: Path, store: SqliteStore) -> None:
    """A backup or `store check` is being read while somebody is erased: the next write empties the log."""
    await erased_while_read(path, store)
    await store.ready()
    assert named_in(path) == []


async def test_what_was_erased_leaves_the_log_of_an_idle_gate(path: Path, store: SqliteStore) -> None:
    """The same where nothing is written any more."""
    await erased_while_read(path, store)
    async with asyncio.timeout(60):
        while named_in(path):
            await asyncio.sleep(0.05)


async def test_what_was_let_go_of_before_is_not_looked_at_again(path: Path, store: SqliteStore) -> None:
    """However long the history, letting go where nothing is due takes as few steps as in an empty one; also in a store
    that an older version made."""
    await store.append(many(2000))
    await store.erase(Query())
    await store.close()
    with other_program(path) as connection:
        connection.execute("DROP INDEX trail_personal")
    await (await open_sqlite(path, key=KEY)).close()
    steps = []
    with other_program(path) as connection:
        connection.set_progress_handler(lambda: steps.append(1) and None, 100)
        assert trail_table.erase(connection, Query(until=2e9), BLANKED_AT_ONCE) == 0
    assert len(steps) < 10


EraseAll = Callable[[SqliteStore], Awaitable[int]]


@pytest.mark.parametrize(
    "erase", [lambda store: store.erase(Query()), lambda store: store.erase_events("gate", list(range(1, 9999)))]
)
async def test_a_revocation_does_not_wait_until_all_is_let_go_of(store: SqliteStore, erase: EraseAll) -> None:
    """What is asked meanwhile is done between two parts of it; all of it is blanked in the end."""
    await store.add_share(a_share(), [a_link()])
    await store.append(many(3 * BLANKED_AT_ONCE + 5))
    erasing = asyncio.ensure_future(erase(store))
    await asyncio.sleep(0)
    await store.change_share("s1", revoked=1.0)
    assert not erasing.done()
    assert await erasing == 3 * BLANKED_AT_ONCE + 5
    assert all(not one.personal for one in await store.read(Query()))
