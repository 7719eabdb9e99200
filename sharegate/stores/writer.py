"""The one writer: a thread that takes what waits, does it in one transaction, commits once, then tells everybody.

Each job runs inside a savepoint of its own, so that one that is denied leaves the others alone. A job must decide and
write only through the connection it is given: it may run a second time when another job of its batch failed.
"""

from __future__ import annotations

import asyncio
import os
import queue
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from sharegate.errors import StoreUnavailable

T = TypeVar("T")
MOST_AT_ONCE = 256
# Whoever reads may keep the log from being emptied. It is tried again after every commit, and so often without one.
SCRUB_AGAIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Written:
    """One record as it is after the commit; `record` is None when it is gone."""

    kind: str
    id: str
    record: Any


Work = Callable[[sqlite3.Connection, list[Written]], T]


@dataclass(slots=True, eq=False)
class _Job(Generic[T]):
    work: Work[T]
    done: asyncio.Future[T]
    scrub: bool = False
    written: list[Written] = field(default_factory=list)
    result: T | None = None
    error: Exception | None = None


class Writer:
    """Owns the writing connection. `on_commit` is called on the event loop, in commit order, before any caller whose
    work was in that commit goes on."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        on_commit: Callable[[list[Written]], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._connection = connection
        self._path = path
        self._file = _identity(path)
        self._on_commit = on_commit
        self._loop = loop
        self._queue: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        self._closed = False
        self._unscrubbed = False  # the thread's
        self._ended: asyncio.Future[None] = loop.create_future()
        self._thread = threading.Thread(target=self._serve, name="sharegate store", daemon=True)
        self._thread.start()

    async def run(self, work: Work[T], *, scrub: bool = False) -> T:
        """The work's result once it is on disk. Raises what the work raised, or StoreUnavailable; nothing has changed
        then. A caller that is cancelled does not stop its work. With `scrub` the write-ahead log is emptied after the
        commit, so that what was erased does not linger there; where somebody reads it, once they do not any more."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        job: _Job[T] = _Job(work, self._loop.create_future(), scrub)
        self._queue.put(job)
        return await job.done

    async def close(self) -> None:
        """Finish what was asked before, then close the connection. Idempotent."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
        await asyncio.shield(self._ended)
        self._thread.join()

    # -- the thread -----------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        stopping = False
        while not stopping:
            waiting = [self._next()]
            while len(waiting) < MOST_AT_ONCE and not self._queue.empty():
                waiting.append(self._queue.get())
            stopping = None in waiting
            jobs = [job for job in waiting if job is not None]
            while jobs:
                jobs = self._commit(jobs)
        try:
            self._connection.close()
        except sqlite3.Error:
            pass  # everything acknowledged was committed before; there is nobody left to tell
        self._tell(self._finish, [])

    def _next(self) -> _Job[Any] | None:
        while self._unscrubbed:
            try:
                return self._queue.get(timeout=SCRUB_AGAIN_SECONDS)
            except queue.Empty:
                self._scrub()
        return self._queue.get()

    def _commit(self, jobs: list[_Job[Any]]) -> list[_Job[Any]]:
        """Do the jobs in one transaction. Returns those that have to be done again without the one that failed."""
        running: _Job[Any] | None = None
        try:
            if _identity(self._path) != self._file:
                raise sqlite3.OperationalError("the file was removed or replaced")
            self._connection.execute("BEGIN IMMEDIATE")
            for running in jobs:
                self._run(running)
            running = None
            # When a commit fails, SQLite has not published it: the next transaction overwrites what it left in the WAL.
            self._connection.execute("COMMIT")
        except Exception as error:  # fails closed: nothing of this transaction happened
            self._roll_back()
            unavailable = f"the store cannot be written: {error}"
            if running is not None and len(jobs) > 1 and not _is_busy(error):
                running.error = StoreUnavailable(unavailable)
                self._tell(self._settle, [running])
                return [job for job in jobs if job is not running]
            for job in jobs:
                job.error = StoreUnavailable(unavailable)
        else:
            if self._unscrubbed or any(job.scrub for job in jobs):
                self._scrub()
        self._tell(self._settle, jobs)
        return []

    def _run(self, job: _Job[Any]) -> None:
        job.written, job.result, job.error = [], None, None
        self._connection.execute("SAVEPOINT job")
        try:
            job.result = job.work(self._connection, job.written)
        except sqlite3.IntegrityError as error:
            job.error = ValueError(str(error))
        except sqlite3.Error:
            raise
        except Exception as error:  # a decision of the work (Denied, NotFound, ...) or its mistake: only this job's
            job.error = error
        if job.error is not None:
            job.written = []
            self._connection.execute("ROLLBACK TO job")
        self._connection.execute("RELEASE job")

    def _scrub(self) -> None:
        """Empty the log. The first attempt waits for who reads just now, those after it do not: others would wait with
        them for as long as a backup takes."""
        try:
            (patience,) = self._connection.execute("PRAGMA busy_timeout").fetchone()
            try:
                if self._unscrubbed:
                    self._connection.execute("PRAGMA busy_timeout = 0")
                (busy, _, _) = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                self._unscrubbed = bool(busy)
            finally:
                self._connection.execute(f"PRAGMA busy_timeout = {patience}")
        except sqlite3.Error:
            self._unscrubbed = True  # fails open: it is blanked where it is read, and the log is emptied later

    def _roll_back(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            pass  # fails closed: the next BEGIN fails too, and says so

    def _tell(self, function: Callable[[list[_Job[Any]]], None], jobs: list[_Job[Any]]) -> None:
        try:
            self._loop.call_soon_threadsafe(function, jobs)
        except RuntimeError:
            pass  # the loop is closed: nobody waits any more

    # -- the loop -------------------------------------------------------------------------------------------------

    def _settle(self, jobs: list[_Job[Any]]) -> None:
        written = [one for job in jobs if job.error is None for one in job.written]
        try:
            self._on_commit(written)
        finally:
            for job in jobs:
                if job.done.done():
                    continue
                if job.error is not None:
                    job.done.set_exception(job.error)
                else:
                    job.done.set_result(job.result)

    def _finish(self, _: list[_Job[Any]]) -> None:
        if not self._ended.done():
            self._ended.set_result(None)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _is_busy(error: Exception) -> bool:
    # Every further attempt of the batch would wait for the same lock.
    return getattr(error, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
