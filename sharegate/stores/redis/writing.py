"""The one writer of a process: takes the decisions that wait, makes them on the records as they are known, and asks the
server to commit them together, provided that nobody else committed meanwhile. If somebody did, that is followed first
and everything is decided anew. So each decision is made on the state after exactly all commits before it, whoever made
them, and none can be made twice.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from sharegate.errors import StoreUnavailable
from sharegate.stores.redis.connection import Server
from sharegate.stores.redis.draft import Decision, Draft, Put
from sharegate.stores.redis.following import KEPT, Following
from sharegate.stores.redis.names import Names
from sharegate.stores.redis.packing import packed
from sharegate.stores.redis.records import Arrival, Entry, stored
from sharegate.stores.redis.scripts import COMMIT
from sharegate.stores.writer import Written

T = TypeVar("T")
MOST_AT_ONCE = 256
# Each time somebody else came first, so somebody got on.
ATTEMPTS = 100


@dataclass(slots=True, eq=False)
class _Job(Generic[T]):
    decision: Decision[T]
    done: asyncio.Future[T]
    result: T | None = None
    error: Exception | None = None


class Committing:
    """`now` is the clock of Following."""

    def __init__(self, server: Server, names: Names, following: Following, now: Callable[[], float]) -> None:
        self._server, self._names, self._following, self._now = server, names, following, now
        self._waiting: list[_Job[Any]] = []
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    async def run(self, decision: Decision[T]) -> T:
        """The decision's result once it is committed. Raises what the decision raised, or StoreUnavailable; nothing has
        changed then, as far as can be known: when the server goes while it is asked, the commit may have happened, and
        every gate follows it. A caller that is cancelled does not stop its decision."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        self._following.check()
        job: _Job[T] = _Job(decision, asyncio.get_running_loop().create_future())
        self._waiting.append(job)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._serve(), name="store writer")
        return await job.done

    async def close(self) -> None:
        """Finish what was asked before. Idempotent."""
        self._closed = True
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def _serve(self) -> None:
        while self._waiting:
            jobs, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
            try:
                await self._commit(jobs)
            except Exception as error:  # fails closed: nothing of these happened, as far as can be known
                for job in jobs:
                    job.error = error if isinstance(error, StoreUnavailable) else _unexpected(error)
            for job in jobs:
                _settle(job)

    async def _commit(self, jobs: list[_Job[Any]]) -> None:
        for _ in range(ATTEMPTS):
            draft = Draft(self._following.records)
            for job in jobs:
                job.result, job.error = None, None
                try:
                    job.result = draft.decide(job.decision)
                except Exception as error:  # a decision (Denied, NotFound, ...) or its mistake: only this job's
                    job.error = error
            if await self._committed(draft.puts):
                return
        raise StoreUnavailable("the store is written by too many at once")

    async def _committed(self, puts: list[Put]) -> bool:
        """False when it has to be decided anew. Without anything to write the server only says whether what was decided
        on, a refusal perhaps, is how it is."""
        records = self._following.records
        position, token, asked = records.position, secrets.token_hex(16), self._now()
        written: list[tuple[Written, Arrival | None]] = []
        kept: list[tuple[str, str, bytes | None]] = []
        arrivals: dict[tuple[str, str], Arrival | None] = {}
        for index, put in enumerate(puts):
            key = (put.kind, put.id)
            known = arrivals[key] if key in arrivals else records.arrivals.get(key)
            arrival = None if put.record is None else known or Arrival(position + 1, index)
            arrivals[key] = arrival
            value = None if arrival is None else stored(put.record, arrival, put.token)
            written.append((Written(put.kind, put.id, put.record), arrival))
            kept.append((put.kind, put.id, value))
        writes: list[list[str | bytes]] = [
            ["HDEL", self._names.records(kind), id] if value is None else ["HSET", self._names.records(kind), id, value]
            for kind, id, value in kept
        ]
        taken = await self._server.run(
            COMMIT,
            [self._names.meta, self._names.changes],
            str(position),
            records.token,
            msgspec.msgpack.encode(Entry(token, records.token, kept)),
            token,
            packed(writes),
            str(KEPT),
        )
        if taken and puts:
            self._following.committed(position + 1, token, written, asked)
            return True
        if taken:
            self._following.confirmed(asked)
            return True
        followed = await self._following.catch_up()
        # The answer to a first attempt may have been lost on its way.
        if puts and self._following.came(token):
            return True
        if not followed:
            raise StoreUnavailable("too much was written by others meanwhile; try again")
        return False


def _settle(job: _Job[Any]) -> None:
    if job.done.done():
        return
    if job.error is not None:
        job.done.set_exception(job.error)
    else:
        job.done.set_result(job.result)


def _unexpected(error: Exception) -> StoreUnavailable:
    return StoreUnavailable(f"the store cannot be written: {type(error).__name__}")
