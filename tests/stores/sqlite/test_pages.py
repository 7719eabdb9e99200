"""Pages of the history are found along an index, whatever is asked for, and the indexes are made where they are
missing."""

from __future__ import annotations

import itertools
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sharegate.audit.chain import verify_store
from sharegate.audit.events import Action, Outcome
from sharegate.audit.interfaces import Mark, Query
from sharegate.stores import trail_indexes, trail_pages, trail_table
from sharegate.stores.sqlite import SqliteStore, open_sqlite
from tests.stores.conformance import AuditContract
from tests.stores.records import START
from tests.stores.sqlite.files import KEY, other_program

FILTERS: dict[str, Any] = {
    "share": "s1",
    "link": "l1",
    "visit": "v1",
    "person": "ann",
    "path": "a",
    "reason": "no_rule",
    "action": ("link.joined", "request.answered"),
    "outcome": ("denied", "allowed"),
    "since": START,
    "until": START + 9,
    "writer": "gate",
}


def combinations() -> Iterator[Query]:
    """Every filter with every other, both ways round."""
    values = [
        ((), *((name, one) for one in (told if isinstance(told, tuple) else (told,)))) for name, told in FILTERS.items()
    ]
    for chosen in itertools.product(*values):
        for newest_first in (True, False):
            yield Query(**dict(filter(None, chosen)), newest_first=newest_first, limit=50)


@pytest.fixture
async def file(path: Path, store: SqliteStore) -> Path:
    """A store with a few entries in it."""
    await store.append(AuditContract.chain(9, share="s1"))
    return path


def plan(connection: sqlite3.Connection, sql: str, values: list[Any]) -> list[str]:
    return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]


async def test_every_page_goes_along_one_index(file: Path) -> None:
    """Of each combination of filters, from the beginning and after an entry: one search in one index, nothing sorted
    and no table read through. Only where nothing is asked for but time, that is the index of all entries."""
    seen: set[str] = set()
    with other_program(file) as connection:
        for query in combinations():
            way = trail_pages.way_of(query)
            seen.add(way.index)
            for after in (None, (START, 5), (None, 5)):
                for sql, values in trail_pages.statements(query, after, 100):
                    steps = plan(connection, sql, values)
                    assert len(steps) == 1, (sql, steps)
                    step = steps[0]
                    assert step.startswith(f"SEARCH trail USING INDEX {way.index} ("), (query, step)
                    for column in way.columns:
                        assert f"{column}=?" in step, (query, step)
                    assert sql.endswith("LIMIT ?") and values[-1] == 100
    assert seen == {way.index for way in trail_pages.WAYS}


async def test_what_else_is_asked_of_the_history_goes_along_an_index(file: Path) -> None:
    """The head of a chain, its entries after a number, the names of the writers, and what is left to be erased: no
    step reads the table through but to write it out."""
    asked: list[str] = []
    with other_program(file) as connection:
        connection.set_trace_callback(asked.append)
        trail_table.head(connection, "gate")
        trail_table.writers(connection)
        trail_table.held(connection, (START, START + 5))
        trail_table.read(connection, Query(writer="gate", after_seq=3, limit=5))
        trail_table.read(connection, Query(newest_first=True, limit=1))
        trail_table.read(connection, Query(action="gate.started", since=START, newest_first=True, limit=9))
        trail_pages.page(connection, Query(limit=2), Mark(writer="gate", seq=3), 9)
        connection.set_trace_callback(None)
        assert len(asked) >= 9
        for sql in asked:
            for step in plan(connection, sql, []):
                assert "TEMP B-TREE" not in step, (sql, step)
                if step.startswith("SCAN trail"):
                    assert "USING INDEX trail_personal" in step or "USING INDEX trail_at" in step, (sql, step)


@pytest.mark.parametrize(
    "asked",
    [{"share": "s1", "path": "deep"}, {"path": "deep"}, {"visit": "v1", "path": "deep"}, {"writer": "x"}],
    ids=str,
)
async def test_work_for_a_page_is_bounded(path: Path, store: SqliteStore, asked: dict[str, Any]) -> None:
    """Where entries have to be looked at one by one, a page of a history that is eight times as long takes no more
    steps."""
    steps: list[int] = []
    whole = AuditContract.chain(8000, share="s1", visit="v1", path="a")
    for begin, end in ((0, 1000), (1000, 8000)):
        await store.append(whole[begin:end])
        with other_program(path) as connection:
            taken: list[int] = []
            connection.set_progress_handler(lambda taken=taken: taken.append(1) and None, 100)
            found = trail_pages.page(connection, Query(**asked, limit=5, newest_first=True), None, 500)
            assert found.events == [] and found.after is not None
            steps.append(len(taken))
    assert steps[1] <= steps[0] * 1.2 + 5, steps


async def test_entries_of_one_moment_are_not_read_again_for_each_page(path: Path, store: SqliteStore) -> None:
    """A clock stood still for long: the last pages of that moment take as few steps as the first."""
    await store.append(AuditContract.chain(5000, share="s1", at=START))
    steps = []
    with other_program(path) as connection:
        for seq in (4990, 20):
            taken: list[int] = []
            connection.set_progress_handler(lambda taken=taken: taken.append(1) and None, 50)
            after = Mark(writer="gate", seq=seq)
            found = trail_pages.page(connection, Query(share="s1", limit=5, newest_first=True), after, 500)
            assert [one.seq for one in found.events] == list(range(seq - 1, seq - 6, -1))
            steps.append(len(taken))
    assert steps[1] <= steps[0] + 2, steps


async def test_attack_an_entry_without_a_moment_hides_no_others(path: Path, store: SqliteStore) -> None:
    """Somebody edits the file so that entries have no time, or a word for one: all entries still come, each once."""
    await store.append(AuditContract.chain(9, share="s1"))
    with other_program(path) as connection:
        connection.execute("DROP TRIGGER trail_is_fixed")
        connection.execute("UPDATE trail SET body = 'no json' WHERE seq IN (2, 7)")
        connection.execute("UPDATE trail SET body = json_set(body, '$.at', 'noon') WHERE seq = 4")
        connection.execute("UPDATE trail SET body = json_remove(body, '$.at') WHERE seq = 5")
    for newest_first in (True, False):
        found = await AuditContract().paged(store, Query(limit=1, newest_first=newest_first))
        assert sorted(seq for _, seq in found) == list(range(1, 10)) and len(found) == 9
        found = await AuditContract().paged(store, Query(share="s1", limit=2, newest_first=newest_first))
        assert sorted(seq for _, seq in found) == [1, 3, 4, 5, 6, 8, 9]


async def test_attack_a_name_that_does_not_read(path: Path, store: SqliteStore) -> None:
    """Somebody edits the file so that what is kept beside an entry is no JSON, or of another shape: others are found,
    nothing stumbles, and `verify` says so."""
    await store.append(AuditContract.chain(6, share="s1"))
    with other_program(path) as connection:
        connection.execute("DROP TRIGGER trail_is_fixed")
        for seq, kept in ((2, "no json"), (3, '["ann"]'), (4, '{"name": ["00", "Ann", "bo"]}'), (5, '{"name": 7}')):
            connection.execute("UPDATE trail SET personal = ? WHERE seq = ?", (kept.encode(), seq))
    assert [one.seq for one in (await store.page(Query(person="ann", limit=9))).events] == [1, 6]
    assert not (await verify_store(store)).intact


async def test_indexes_are_made_where_they_are_missing(
    path: Path, store: SqliteStore, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store of an older version has none of them: opening it makes them, says so when that takes a while, and what
    was written before is found along them."""
    await store.append(
        AuditContract.chain(30, share="s1", link="l1", action=lambda i: list(Action)[i], outcome=Outcome.DENIED)
    )
    await store.close()
    with other_program(path) as connection:
        for name in trail_indexes.INDEXES:
            connection.execute(f"DROP INDEX {name}")
    monkeypatch.setattr(trail_indexes, "MANY", 30)
    with caplog.at_level(logging.WARNING, "sharegate.stores"):
        again = await open_sqlite(path, key=KEY)
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2 * len(trail_indexes.INDEXES)
    assert told[0] == f"the history has 30 entries: making index 1 of {len(trail_indexes.INDEXES)}, once"
    try:
        for asked in ({"link": "l1"}, {"share": "s1", "outcome": "denied"}, {"action": "link.refused"}):
            query = Query(**asked, limit=100)
            page = await again.page(query)
            assert page.events and page.events == await again.read(query)
    finally:
        await again.close()


def test_the_ordinary_actions_are_actions() -> None:
    """What the indexes leave out exists, and what pages ask for by action is not among it."""
    assert set(trail_indexes.ROUTINE) < {action.value for action in Action}
