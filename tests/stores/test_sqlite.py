"""The SQLite store: the common suite, and what only a file on a disk can suffer."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sharegate.audit.chain import Fault, opened, seal, verify_store
from sharegate.audit.events import Action, AuditEvent
from sharegate.audit.interfaces import Query
from sharegate.errors import Denied, Refused, StoreUnavailable
from sharegate.shares.interfaces import Change
from sharegate.stores.schema import MIGRATIONS, VERSION
from sharegate.stores.sqlite import SqliteStore, open_sqlite
from sharegate.versions.model import EditKind
from tests.conftest import Clock
from tests.stores import conformance
from tests.stores.records import LATER, START, a_code, a_knock, a_link, a_share, a_visit, an_upstream
from tests.stores.version_contract import PLACE, PLENTY, VersionContract, a_snapshot, edit

KEY = b"k" * 32


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


class TestShares(conformance.ShareContract):
    pass


class TestAudit(conformance.AuditContract):
    pass


class TestVersions(VersionContract):
    pass


@contextlib.contextmanager
def other_program(path: Path) -> Iterator[sqlite3.Connection]:
    """Somebody else who has the file open."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


def event(**fields: Any) -> AuditEvent:
    return AuditEvent(action=Action.LINK_JOINED, actor="visitor", at=START, **fields)


async def everything(store: SqliteStore) -> list[Any]:
    """What the store answers, and what is in its file."""
    on_disk = await store._read(
        lambda reading: [
            reading.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
            for (table,) in reading.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        ]
    )
    return [
        on_disk,
        await store.shares(),
        await store.links("s1"),
        await store.visits("s1"),
        await store.knocks(waiting_only=False),
        await store.upstreams(),
        await store.read(Query()),
        await store.overlay("v1", "workspace"),
    ]


def all_writes(store: SqliteStore) -> list[Awaitable[Any]]:
    return [
        store.add_share(a_share("s9"), [a_link("l9", share="s9")]),
        store.add_link(a_link("l9")),
        store.change_share("s1", revoked=START),
        store.change_link("l1", paused=True),
        store.open_visit(a_visit("v9"), seats=None),
        store.change_visit("v1", name="x"),
        store.end_visits(["v1"], at=START, reason="left"),
        store.add_knock(a_knock("k9"), limit=9),
        store.decide_knock("k1", state="refused", at=START),
        store.add_device_code(a_code("h9")),
        store.put_overlay("v1", "workspace", "b", b"2", items=9, total_bytes=99),
        store.put_upstream(an_upstream("u9")),
        store.remove_upstream("u1"),
        store.append([seal(event(), writer="gate", seq=2, previous="")]),
        store.erase(Query()),
        store.prune(LATER * 2),
        store.ready(),
    ]


async def plant(store: SqliteStore) -> None:
    await store.add_share(a_share(), [a_link()])
    await store.open_visit(a_visit(address="192.0.2.0/24"), seats=1)
    await store.add_knock(a_knock(), limit=1)
    await store.put_overlay("v1", "workspace", "a", b"1", items=9, total_bytes=99)
    await store.put_upstream(an_upstream())
    await store.append([seal(event(name="Ann"), writer="gate", seq=1, previous="")])


async def refuses_all_writes(store: SqliteStore) -> None:
    before = await everything(store)
    heard: list[Change] = []
    stop = store.subscribe(heard.append)
    results = await asyncio.gather(*all_writes(store), return_exceptions=True)
    stop()
    assert [type(result) for result in results] == [StoreUnavailable] * len(results)
    assert await everything(store) == before
    assert heard == []


# -- the file ---------------------------------------------------------------------------------------------------------


async def test_the_file_is_private(path: Path, store: SqliteStore) -> None:
    """Directory 0700; database, log and lock 0600."""
    await store.ready()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert set(modes) >= {"sharegate.db", "sharegate.db-wal", "sharegate.db.lock"}
    assert set(modes.values()) == {0o600}


async def test_a_file_that_others_could_read_is_made_private(path: Path) -> None:
    """An older file with a wider mode is narrowed when it is opened."""
    await (await open_sqlite(path, key=KEY)).close()
    path.chmod(0o644)
    await (await open_sqlite(path, key=KEY)).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_attack_a_directory_in_which_others_may_write(path: Path) -> None:
    """Who may write there could replace the store: refused with the remedy."""
    path.parent.mkdir()
    path.parent.chmod(0o777)
    with pytest.raises(Refused, match="chmod 700"):
        await open_sqlite(path, key=KEY)


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


# -- one process ------------------------------------------------------------------------------------------------------

_HOLDER = """
import asyncio, sys
from sharegate.stores.sqlite import open_sqlite
async def main():
    store = await open_sqlite(sys.argv[1], key=b"k" * 32)
    print("open", flush=True)
    sys.stdin.read()
    await store.close()
asyncio.run(main())
"""


async def test_a_second_process_is_refused_by_name_of_the_first(path: Path) -> None:
    """While one process holds the store another is told its number; after that one is killed it may open."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        with pytest.raises(Refused, match=f"in use by process {holder.pid}") as refused:
            await open_sqlite(path, key=KEY)
        assert refused.value.code == "store_in_use"
        holder.kill()
        holder.wait()
    await (await open_sqlite(path, key=KEY)).close()


async def test_a_second_store_in_one_process_is_refused_too(path: Path, store: SqliteStore) -> None:
    """The lock is on the opened file, not on the process."""
    with pytest.raises(Refused, match=f"process {os.getpid()}"):
        await open_sqlite(path, key=KEY)
    await store.close()
    await (await open_sqlite(path, key=KEY)).close()


# -- what a disk does -------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("part", ["directory", "file"])
def test_a_read_only_store_is_not_opened(path: Path, part: str) -> None:
    """Without the right to write there is no durability, so there is no store."""
    code = """
import asyncio, os, sys
from sharegate.errors import StoreUnavailable
from sharegate.stores.sqlite import open_sqlite
if os.getuid() == 0:  # root may write everything
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    asyncio.run(open_sqlite(sys.argv[1], key=b"k" * 32))
except StoreUnavailable as error:
    print("unavailable:", error)
"""
    path.parent.mkdir(mode=0o700)
    if os.getuid() == 0:  # the child asks as nobody, who needs to get there
        os.chown(path.parent, 65534, 65534)
        for directory in (path.parent.parent, path.parent.parent.parent, path.parent.parent.parent.parent):
            directory.chmod(0o755)
    if part == "file":
        path.touch(0o400)
        if os.getuid() == 0:
            os.chown(path, 65534, 65534)
    else:
        path.parent.chmod(0o500)
    run = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    path.parent.chmod(0o700)
    assert run.stdout.startswith("unavailable:"), run.stderr


async def test_a_file_that_becomes_read_only_refuses_writes(store: SqliteStore) -> None:
    """A connection that may not write any more refuses everything unchanged."""
    await plant(store)
    await store._writer.run(lambda connection, _: None)
    store._writer._connection.execute("PRAGMA query_only = ON")
    await refuses_all_writes(store)


async def test_a_newer_schema_is_not_opened(path: Path) -> None:
    """A store of a newer version is refused with both numbers and stays as it was."""
    await (await open_sqlite(path, key=KEY)).close()
    with other_program(path) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    before = path.read_bytes()
    with pytest.raises(Refused, match=rf"format {VERSION + 1}, this one reads up to {VERSION}"):
        await open_sqlite(path, key=KEY)
    assert path.read_bytes() == before


async def test_another_programs_database_is_not_touched(path: Path) -> None:
    """A file with tables that are not ours is refused and keeps them."""
    path.parent.mkdir(mode=0o700)
    with other_program(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    with pytest.raises(Refused, match="not a store of sharegate"):
        await open_sqlite(path, key=KEY)
    with other_program(path) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]


@pytest.mark.parametrize("junk", [b"no database at all" * 1000, b"SQLite format 3\x00" + b"\xff" * 8000])
async def test_a_corrupt_file_is_not_opened(path: Path, junk: bytes) -> None:
    """Neither opened nor overwritten, and the lock is free afterwards."""
    path.parent.mkdir(mode=0o700)
    path.write_bytes(junk)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="cannot be opened"):
            await open_sqlite(path, key=KEY)
    assert path.read_bytes() == junk


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


# -- secrets ----------------------------------------------------------------------------------------------------------


async def test_a_credential_is_nowhere_in_the_files(path: Path, store: SqliteStore) -> None:
    """Neither database nor log holds the raw token."""
    await store.put_upstream(an_upstream())
    await store.put_upstream(an_upstream())
    assert b"raw server token" not in b"".join(file.read_bytes() for file in path.parent.iterdir())
    await store.close()
    assert b"raw server token" not in path.read_bytes()


async def test_another_key_opens_nothing(path: Path, store: SqliteStore) -> None:
    """A wrong key is an unavailable store, a key of a wrong length a mistake of the caller."""
    await store.put_upstream(an_upstream())
    await store.close()
    with pytest.raises(StoreUnavailable, match="another key"):
        await open_sqlite(path, key=b"x" * 32)
    with pytest.raises(ValueError, match="32"):
        await open_sqlite(path, key=b"short")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE upstreams SET token = (SELECT token FROM upstreams WHERE id = 'u2') WHERE id = 'u1'",
        "UPDATE upstreams SET body = replace(body, '127.0.0.1', 'evil.example') WHERE id = 'u1'",
    ],
)
async def test_attack_a_credential_moved_to_another_server_or_address(
    path: Path, store: SqliteStore, statement: str
) -> None:
    """Who can write the file cannot have a token sent to a server that it is not for."""
    await store.put_upstream(an_upstream("u1"))
    await store.put_upstream(an_upstream("u2"))
    await store.close()
    with other_program(path) as connection:
        connection.execute(statement)
    with pytest.raises(StoreUnavailable, match="does not open"):
        await open_sqlite(path, key=KEY)


# -- the trail --------------------------------------------------------------------------------------------------------


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
                cwd=Path(__file__).parents[2],
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


# -- versions ---------------------------------------------------------------------------------------------------------


def on_disk(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.parent.iterdir() if file.is_file())


async def test_attack_reading_documents_from_the_file(path: Path, store: SqliteStore) -> None:
    """Neither a snapshot nor a log holds a byte of the document in clear, in the file or its log."""
    secret = b"the answer to exercise 3"
    await store.keep_version(a_snapshot(), secret, limits=PLENTY)
    await store.append_edits(PLACE, [edit(EditKind.STATE, secret), edit(data=secret, origin="v1")], limit=1 << 20)
    found = on_disk(path)
    assert b"week3/a.ipynb" in found, "the file was read"
    assert secret not in found and b"exercise" not in found
    import hashlib
    import zlib

    assert zlib.compress(secret, 6)[2:-4] not in found
    assert hashlib.sha256(secret).hexdigest().encode() not in found and hashlib.sha256(secret).digest() not in found


async def test_another_key_opens_no_version(path: Path, store: SqliteStore) -> None:
    """Fails closed, and the file stays as it is."""
    await store.keep_version(a_snapshot(), b"document", limits=PLENTY)
    await store.append_edits(PLACE, [edit(EditKind.STATE)], limit=1 << 20)
    await store.close()
    other = await open_sqlite(path, key=b"x" * 32)
    with pytest.raises(StoreUnavailable):
        await other.version_content("n1")
    with pytest.raises(StoreUnavailable):
        await other.edits(PLACE)
    await other.close()
    again = await open_sqlite(path, key=KEY)
    assert await again.version_content("n1") == b"document"
    await again.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE contents SET data = (SELECT data FROM contents WHERE name != c.name LIMIT 1) FROM contents c"
        " WHERE contents.name = c.name",
        "UPDATE contents SET data = substr(data, 1, 13) || x'00' || substr(data, 15)",
        "UPDATE contents SET data = x''",
    ],
)
async def test_attack_altered_contents(path: Path, store: SqliteStore, statement: str) -> None:
    """Swapped, changed or cut contents do not open."""
    await store.keep_version(a_snapshot("n1"), b"one", limits=PLENTY)
    await store.keep_version(a_snapshot("n2"), b"two", limits=PLENTY)
    with other_program(path) as connection:
        connection.execute(statement)
    for id in ("n1", "n2"):
        with pytest.raises(StoreUnavailable):
            await store.version_content(id)


async def test_attack_changes_put_on_another_account(path: Path, store: SqliteStore) -> None:
    """An entry whose origin was altered in the file does not open."""
    await store.append_edits(PLACE, [edit(EditKind.STATE), edit(origin="v1")], limit=1 << 20)
    with other_program(path) as connection:
        connection.execute("UPDATE edits SET origin = 'v2' WHERE origin = 'v1'")
    with pytest.raises(StoreUnavailable):
        await store.edits(PLACE)


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


async def test_a_store_of_the_first_format_is_brought_up(path: Path) -> None:
    """Its records are all there, and versions can be kept in it."""
    path.parent.mkdir(mode=0o700)
    with other_program(path) as connection:
        for statement in MIGRATIONS[0]:
            connection.execute(statement)
        connection.execute("PRAGMA application_id = 0x73676174")
        connection.execute("PRAGMA user_version = 1")
        connection.execute("INSERT INTO shares VALUES ('s1', ?)", (msgspec.json.encode(a_share()).decode(),))
    store = await open_sqlite(path, key=KEY)
    assert await store.shares() == [a_share()]
    await store.keep_version(a_snapshot(), b"one", limits=PLENTY)
    await store.close()
