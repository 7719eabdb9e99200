"""The trail in the file: append-only, verified after every edit of it, and erased for good."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from sharegate.audit.chain import Fault, seal, verify_store
from sharegate.audit.interfaces import Query
from sharegate.stores.sqlite import SqliteStore
from tests.stores import conformance
from tests.stores.sqlite.files import event, other_program, plant


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


async def test_what_was_erased_is_not_left_in_the_files(path: Path, store: SqliteStore) -> None:
    """Neither the database nor its log holds the name afterwards."""
    marker = "Zzyzx-Personal-Marker"
    events = []
    for seq in range(1, 200):
        events.append(seal(event(name=marker), writer="gate", seq=seq, previous=events[-1].digest if events else ""))
    await store.append(events)

    def files() -> bytes:
        return b"".join(file.read_bytes() for file in path.parent.iterdir())

    assert marker.encode() in files()
    assert await store.erase(Query()) == 199
    assert marker.encode() not in files()
    assert (await verify_store(store)).intact
