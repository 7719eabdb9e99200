"""Whole copies of the file: before its format changes, for a backup, and put back from one.

A copy is taken in one read transaction (SQLite's backup API): it is the store of one moment, while others go on
writing. It is one file of mode 0600 that was synced before it has its name.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sharegate.errors import StoreUnavailable
from sharegate.stores.schema import APPLICATION_ID, VERSION, format_of

Progress = Callable[[int, int], None]
_STEP_PAGES = 2048
_BESIDE = ("-wal", "-shm")
# A table that is there from when older records are put in place until everything in them is closed.
_PUT_BACK = "put_back"
# So long a gate that writes meanwhile may have the file.
_BUSY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Migrated:
    """What opening did: from which format to which, and where the copy of the former lies."""

    before: int
    after: int
    copy: Path

    def __str__(self) -> str:
        return f"from format {self.before} to {self.after}; the former is kept as {self.copy.name}"


def copied(source: sqlite3.Connection, target: Path, progress: Progress | None = None) -> None:
    """Write the store behind `source` to the new file `target`. Raises StoreUnavailable, and nothing is left then.
    `progress` is told pages done and pages in all."""
    part = target.with_name(f".{target.name}.part")
    part.unlink(missing_ok=True)

    def told(_: int, remaining: int, total: int) -> None:
        if progress is not None:
            progress(total - remaining, total)

    try:
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
        with contextlib.closing(sqlite3.connect(part, isolation_level=None)) as copy:
            copy.execute("PRAGMA synchronous = FULL")
            # What others write is not seen meanwhile: otherwise the copy would begin anew each time.
            source.execute("BEGIN")
            try:
                source.execute("SELECT count FROM beat").fetchone()
                source.backup(copy, pages=_STEP_PAGES, progress=told)
            finally:
                source.execute("ROLLBACK")
            copy.execute("PRAGMA journal_mode = DELETE").fetchone()  # one file, without a log beside it
        _synced(part)
        os.link(part, target)  # unlike a renaming, this never takes the place of another file
        part.unlink()
        _synced(target.parent)
    except (sqlite3.Error, OSError) as error:
        part.unlink(missing_ok=True)
        raise StoreUnavailable(f"no copy could be written to {target}: {error}") from error


def keep_before_migration(file: Path) -> Migrated | None:
    """Copy a store of an older format beside itself; None when there is nothing to copy. Raises sqlite3.Error, OSError,
    and StoreUnavailable when it cannot be copied: then nothing is migrated either."""
    if not file.exists() or file.stat().st_size == 0:
        return None
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        version = format_of(connection)
        (owner,) = connection.execute("PRAGMA application_id").fetchone()
        # Another program's file is refused by who migrates.
        if owner != APPLICATION_ID or not 0 < version < VERSION:
            return None
        moment = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        target = file.with_name(f"{file.name}.format{version}-{moment}")
        number = 1
        while target.exists():
            number += 1
            target = file.with_name(f"{file.name}.format{version}-{moment}-{number}")
        copied(connection, target)
    return Migrated(version, VERSION, target)


def older_copies(file: Path) -> list[Path]:
    """The copies that migrations and restoring left beside the store, oldest first."""
    found = [*file.parent.glob(f"{file.name}.format*"), *file.parent.glob(f"{file.name}.before-restore-*")]
    return sorted(found, key=lambda path: path.name)


def laid_beside(source: Path, file: Path) -> Path:
    """A synced copy of `source` beside `file`, for `put_in_place`. Raises StoreUnavailable; nothing is left then."""
    part = file.with_name(f".{file.name}.part")
    try:
        part.unlink(missing_ok=True)
        made = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(made, "wb") as out, source.open("rb") as data:
            shutil.copyfileobj(data, out, 1 << 20)
            out.flush()
            os.fsync(out.fileno())
    except OSError as error:
        part.unlink(missing_ok=True)
        raise StoreUnavailable(f"the copy could not be put in place: {error}") from error
    return part


def put_in_place(part: Path, file: Path) -> Path | None:
    """Put what was laid beside it where the store is; the former store is kept beside it, and its path returned.

    The caller holds the store's lock. There is no moment without a store at `file`: a gate that started then would make
    an empty one. Raises StoreUnavailable; the former store stands there then.
    """
    moment = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    kept = file.with_name(f"{file.name}.before-restore-{moment}")
    moved: list[tuple[Path, Path]] = []
    try:
        if not file.exists():
            part.replace(file)
            return None
        _fold(file)
        os.link(file, kept)
        for suffix in _BESIDE:
            beside, away = file.with_name(file.name + suffix), kept.with_name(kept.name + suffix)
            if beside.exists():  # a damaged store: its log goes with it, never with what comes in its place
                beside.replace(away)
                moved.append((away, beside))
        part.replace(file)
    except OSError as error:
        with contextlib.suppress(OSError):  # what cannot be put back is kept under the other name
            for away, beside in moved:
                away.replace(beside)
            if file.samefile(kept):
                kept.unlink()
        part.unlink(missing_ok=True)
        raise StoreUnavailable(f"the copy could not be put in place: {error}") from error
    with contextlib.suppress(OSError):  # it stands there, and is found at the next start or not
        _synced(file.parent)
    return kept


def mark_put_back(part: Path) -> None:
    """Say in the copy itself that it is older than what stood in its place: whoever opens it to let people in closes it
    first, also when what put it there was killed. Raises StoreUnavailable."""
    try:
        with contextlib.closing(sqlite3.connect(part, isolation_level=None)) as copy:
            copy.execute("PRAGMA synchronous = FULL")
            copy.execute(f"CREATE TABLE IF NOT EXISTS {_PUT_BACK} (pause INTEGER)")
    except sqlite3.Error as error:
        raise StoreUnavailable(f"the copy could not be put in place: {error}") from error


def was_put_back(file: Path) -> bool:
    """Whether it is older than what stood in its place, and nobody has closed it since. Raises StoreUnavailable."""
    try:
        with contextlib.closing(sqlite3.connect(file, isolation_level=None, timeout=_BUSY_SECONDS)) as store:
            found = store.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (_PUT_BACK,)).fetchone()
    except sqlite3.Error as error:
        raise StoreUnavailable(f"{file} cannot be read: {error}") from error
    return found is not None


def settled(file: Path) -> None:
    """What was put back is closed. Raises StoreUnavailable."""
    try:
        with contextlib.closing(sqlite3.connect(file, isolation_level=None, timeout=_BUSY_SECONDS)) as store:
            store.execute("PRAGMA synchronous = FULL")
            store.execute(f"DROP TABLE IF EXISTS {_PUT_BACK}")
    except sqlite3.Error as error:
        raise StoreUnavailable(f"{file} cannot be written: {error}") from error


def _fold(file: Path) -> None:
    """Bring what is in the log into the file, where that works."""
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(file, isolation_level=None)) as old:
        old.execute("PRAGMA journal_mode = DELETE").fetchone()


def _synced(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
