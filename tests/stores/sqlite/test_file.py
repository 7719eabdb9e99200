"""Which file is opened: a private one, of this format, by one process that may write."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from sharegate.errors import Refused, StoreUnavailable
from sharegate.stores.schema import MIGRATIONS, VERSION
from sharegate.stores.sqlite import SqliteStore, open_sqlite
from tests.stores.records import a_share
from tests.stores.sqlite.files import KEY, other_program
from tests.stores.version_contract import PLENTY, a_snapshot

# -- whose it is ------------------------------------------------------------------------------------------------------


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


# -- what is in it ----------------------------------------------------------------------------------------------------


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
