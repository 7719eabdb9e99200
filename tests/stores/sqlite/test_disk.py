"""What a disk does: locked, full, gone, read-only, damaged, and kill -9 in the middle of a write."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sharegate.audit.chain import opened, verify_store
from sharegate.audit.interfaces import Query
from sharegate.errors import StoreUnavailable
from sharegate.stores.sqlite import SqliteStore, open_sqlite
from sharegate.versions.model import EditKind
from tests.stores.records import START
from tests.stores.sqlite.files import KEY, other_program, plant, refuses_all_writes
from tests.stores.version_contract import PLACE, PLENTY, a_snapshot, edit


async def test_a_locked_database_refuses_and_recovers(path: Path, store: SqliteStore) -> None:
    """While another program holds the write lock, every write is refused unchanged; reading goes on."""
    await plant(store)
    with other_program(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        await refuses_all_writes(store)
        connection.execute("ROLLBACK")
    await store.ready()
    assert (await store.change_share("s1", paused=True)).paused


async def test_a_full_disk_refuses_and_recovers(store: SqliteStore) -> None:
    """When the log cannot grow, every write is refused unchanged, and works again once there is room."""
    await plant(store)
    await store._writer.run(lambda connection, _: None, scrub=True)  # an empty log has to grow for any write
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, hard))  # Python ignores SIGXFSZ: writes fail with EFBIG
    try:
        await refuses_all_writes(store)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    await store.ready()
    assert (await store.change_share("s1", paused=True)).paused
    assert (await verify_store(store)).intact


async def test_one_write_that_does_not_fit_leaves_the_others_alone(store: SqliteStore) -> None:
    """A layout that fills the last pages is refused; a revocation in the same commit is not."""
    await plant(store)

    def limit(pages: int) -> Callable[[sqlite3.Connection, object], None]:
        def work(connection: sqlite3.Connection, _: object) -> None:
            (used,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count = {used + pages}")

        return work

    await store._writer.run(limit(2))
    held = asyncio.Event()
    loop = asyncio.get_running_loop()
    slow = asyncio.create_task(
        store._writer.run(lambda *_: asyncio.run_coroutine_threadsafe(held.wait(), loop).result(30))
    )
    large = asyncio.create_task(
        store.put_overlay("v1", "workspace", "big", b"x" * 500_000, items=9, total_bytes=1_000_000)
    )
    revoke = asyncio.create_task(store.change_share("s1", revoked=START))
    await asyncio.sleep(0)
    held.set()
    results = await asyncio.gather(slow, large, revoke, return_exceptions=True)
    assert isinstance(results[1], StoreUnavailable)
    assert (await store.share("s1")).revoked == START  # type: ignore[union-attr]
    assert await store.overlay("v1", "workspace") == {"a": b"1"}


async def test_a_removed_or_replaced_file_fails_closed(path: Path, store: SqliteStore) -> None:
    """Writing on into a file that has no name any more would lose everything at the next start."""
    await plant(store)
    path.rename(path.with_name("elsewhere"))
    await refuses_all_writes(store)
    path.touch()
    await refuses_all_writes(store)
    path.with_name("elsewhere").rename(path)
    await store.ready()


async def test_a_file_that_becomes_read_only_refuses_writes(store: SqliteStore) -> None:
    """A connection that may not write any more refuses everything unchanged."""
    await plant(store)
    await store._writer.run(lambda connection, _: None)
    store._writer._connection.execute("PRAGMA query_only = ON")
    await refuses_all_writes(store)


async def test_pages_destroyed_while_open_fail_closed(path: Path, store: SqliteStore) -> None:
    """Garbage in the middle of the file is StoreUnavailable for what needs it, not an exception of SQLite."""
    await plant(store)
    await store._writer.run(lambda connection, _: None, scrub=True)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))
    with other_program(path) as connection, contextlib.suppress(sqlite3.Error):
        connection.execute("SELECT * FROM trail").fetchall()
    # A fresh connection has no page in its cache.
    store._reading.close()
    store._reading = sqlite3.connect(path, check_same_thread=False)
    with pytest.raises(StoreUnavailable, match="cannot be read"):
        await store.read(Query())


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE shares SET body = '{}'",
        "UPDATE visits SET body = 'no json'",
        "UPDATE links SET body = replace(body, 'l1', 'l2')",
        "UPDATE knocks SET body = x'00'",
        "UPDATE upstreams SET token = x'01'",
        "UPDATE upstreams SET token = zeroblob(60)",
    ],
)
async def test_a_damaged_record_is_not_skipped(path: Path, store: SqliteStore, statement: str) -> None:
    """A gate that had forgotten one record, a revocation perhaps, would be worse than none."""
    await plant(store)
    await store.close()
    with other_program(path) as connection:
        connection.execute(statement)
    with pytest.raises(StoreUnavailable, match=r"damaged|does not open"):
        await open_sqlite(path, key=KEY)


async def test_a_full_disk_keeps_no_version(path: Path, store: SqliteStore) -> None:
    """Whoever wanted to change the document is refused, and what was kept before can be read."""
    await store.keep_version(a_snapshot("n1"), b"one", limits=PLENTY)
    pages = store._writer._connection.execute("PRAGMA page_count").fetchone()[0]  # type: ignore[attr-defined]
    store._writer._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreUnavailable):
        await store.keep_version(a_snapshot("n2"), random.Random(1).randbytes(100_000), limits=PLENTY)
    whole = edit(EditKind.STATE, random.Random(2).randbytes(100_000))
    with pytest.raises(StoreUnavailable):
        await store.append_edits(PLACE, [whole], limit=1 << 20)
    assert [one.id for one in await store.versions()] == ["n1"]
    assert await store.version_content("n1") == b"one"


# -- kill -9 ----------------------------------------------------------------------------------------------------------


_WRITER = """
import asyncio, os, sys, time
from sharegate.audit.events import Action, AuditEvent
from sharegate.audit.trail import Trail
from sharegate.stores.sqlite import open_sqlite
from tests.stores.records import a_link, a_share

def say(*words):  # one write, so that a line is whole or not there
    os.write(1, (" ".join(words) + "\\n").encode())

async def owner(store, trail, run, lane):
    number = 0
    while True:
        number += 1
        id = f"{run}-{lane}-{number}"
        await store.add_share(a_share("s" + id), [a_link("l" + id, share="s" + id)])
        say("share", "s" + id)
        await trail.record(AuditEvent(action=Action.SHARE_CREATED, actor="owner", share="s" + id))
        say("event", "s" + id)
        if number % 2:
            await store.change_share("s" + id, revoked=1.0)
            say("revoked", "s" + id)

async def main():
    store = await open_sqlite(sys.argv[1], key=b"k" * 32)
    trail = Trail(store, writer="gate", clock=time.time)
    await trail.open()
    await asyncio.gather(*(owner(store, trail, sys.argv[2], str(lane)) for lane in range(4)))

asyncio.run(main())
"""


async def test_kill_9_loses_nothing_that_was_acknowledged(path: Path) -> None:
    """Fifteen kills at random moments: every acknowledged share, revocation and event is there, the chain verifies."""
    shares: set[str] = set()
    revoked: set[str] = set()
    events: set[str] = set()
    dice = random.Random(20)
    for run in range(15):
        errors = path.parent.parent / "errors"
        with (
            errors.open("wb") as stderr,
            subprocess.Popen(
                [sys.executable, "-c", _WRITER, str(path), str(run)],
                stdout=subprocess.PIPE,
                stderr=stderr,
                cwd=Path(__file__).parents[3],
            ) as writer,
        ):
            assert writer.stdout is not None
            # Not before it acknowledges, then at a moment that it cannot know.
            lines = [writer.stdout.readline()]
            assert lines[0], errors.read_text()
            time.sleep(dice.uniform(0.0, 0.25))
            writer.send_signal(signal.SIGKILL)
            lines += writer.stdout.readlines()
            assert writer.wait() == -signal.SIGKILL
        for line in lines:
            kind, id = line.decode().split()
            {"share": shares, "revoked": revoked, "event": events}[kind].add(id)
        store = await open_sqlite(path, key=KEY)
        try:
            stored = {share.id: share for share in await store.shares()}
            recorded = {opened(one).share for one in await store.read(Query())}
            verdict = await verify_store(store)
            assert shares <= set(stored)
            assert [id for id in stored if not await store.links(id)] == [], "a share never comes without its link"
            assert revoked <= {id for id, share in stored.items() if share.revoked is not None}
            assert events <= recorded
            assert verdict.intact, str(verdict)
        finally:
            await store.close()
    assert len(shares) >= 15 and revoked and events
