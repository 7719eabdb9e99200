"""`python -m bench trail --events 10000000`: what each page of the history costs, at 10,000, 1,000,000 and so many
entries, in a SQLite file; and at 10,000 and at most 1,000,000 on a Redis server.

The entries are real ones: sealed and chained as the gate does it, and put in by the store's own functions. One share
has a third of them; in the others little happens.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import multiprocessing
import random
import sqlite3
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from sharegate.audit.chain import seal
from sharegate.audit.cursors import cursor_of
from sharegate.audit.events import Action, AuditEvent, Outcome
from sharegate.audit.history import PASSING, StoredHistory
from sharegate.audit.interfaces import Mark, Query, Sealed
from sharegate.shares.model import Link, Share, Visit
from sharegate.store_url import StoreUrl
from sharegate.stores import trail_indexes, trail_table
from sharegate.stores.opening import Store
from sharegate.stores.redis.store import open_redis
from sharegate.stores.schema import MIGRATIONS
from sharegate.stores.sqlite import open_sqlite
from tests.real.redis import running_redis

KEY = bytes(32)
START = 1_700_000_000.0
SHARES = 200
VISITS = 40
BUSY = "s000000000"
BATCH = 20_000
# Of visitors' work a hundredth is anything else.
_ROUTINE = (Action.REQUEST_ANSWERED,) * 70 + (Action.CHANNEL_OPENED, Action.CHANNEL_CLOSED) * 5
_ROUTINE += (Action.CHANNEL_SUMMARY,) * 15 + (Action.DOCUMENT_WRITTEN,) * 4
_OTHERS = (Action.LINK_JOINED, Action.LINK_REENTERED, Action.KNOCK_MADE, Action.KNOCK_ADMITTED, Action.LINK_PASSED_ON)
_ROUNDS = 15

Question = Callable[[StoredHistory], Awaitable[Any]]


def share_of(number: int) -> str:
    return f"s{number:09d}"


def event(random_: random.Random, seq: int, seconds: float) -> AuditEvent:
    busy = random_.random() < 1 / 3
    share = 0 if busy else random_.randrange(1, SHARES)
    visit = random_.randrange(VISITS)
    said: dict[str, Any] = {
        "share": share_of(share),
        "link": f"l{share:05d}{visit % 4:06d}",
        "visit": f"v{share:05d}{visit:04d}",
        "at": START + seq * seconds,
        "name": f"Visitor {visit}",
        "address": "192.0.2.0/24",
    }
    chance = random_.random()
    if chance < 0.99:
        action = random_.choice(_ROUTINE)
        path = f"lectures/week{random_.randrange(12)}/notebook{random_.randrange(40)}.ipynb"
        return AuditEvent(
            action=action, actor="visitor", rule="contents-read", method="GET", path=path, status=200, **said
        )
    if chance < 0.994:
        return AuditEvent(
            action=Action.REQUEST_DENIED,
            outcome=Outcome.DENIED,
            actor="visitor",
            reason="outside_root" if chance < 0.993 else "no_capability",
            path="etc/passwd",
            status=404,
            **said,
        )
    return AuditEvent(action=random_.choice(_OTHERS), actor="visitor", detail=f"k{seq}", **said)


def sealed(first: int, last: int, head: str, seconds: float, personal_from: int) -> Iterator[list[Sealed]]:
    """In parts. What identifies people is kept of the newest, as retention leaves it."""
    random_ = random.Random(first)
    for begin in range(first, last + 1, BATCH):
        part = []
        for seq in range(begin, min(begin + BATCH, last + 1)):
            one = seal(event(random_, seq, seconds), writer="gate", seq=seq, previous=head)
            head = one.digest
            if seq < personal_from:
                one = Sealed(writer="gate", seq=seq, previous=one.previous, digest=head, body=one.body)
            part.append(one)
        yield part


def _sealing(pipe: Any, *how: Any) -> None:
    for part in sealed(*how):
        pipe.send([(one.seq, one.previous, one.digest, one.body, one.personal) for one in part])
    pipe.send(None)
    pipe.close()


def beside(*how: Any) -> Iterator[list[Sealed]]:
    """The same, made by another process: sealing takes longer than writing."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_sealing, args=(there, *how), daemon=True)
    process.start()
    there.close()
    while (part := here.recv()) is not None:
        yield [Sealed(writer="gate", seq=a, previous=b, digest=c, body=d, personal=e) for a, b, c, d, e in part]
    process.join()


def told(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def grow(file: Path, size: int, seconds: float) -> None:
    """Bring the file to so many entries, without its indexes, which are made anew at the next opening."""
    began = time.monotonic()
    connection = sqlite3.connect(file, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous = OFF")
        made = [sql for step in MIGRATIONS for sql in step if sql.startswith("CREATE INDEX trail_")]
        for name in [*trail_indexes.INDEXES, *(sql.split()[2] for sql in made)]:
            connection.execute(f"DROP INDEX IF EXISTS {name}")
        seq, digest = trail_table.head(connection, "gate")
        for part in beside(seq + 1, size, digest, seconds, size - size // 4):
            connection.execute("BEGIN")
            trail_table.append(connection, part)
            connection.execute("COMMIT")
            if part[-1].seq % 500_000 < BATCH:
                told(f"{part[-1].seq:,} entries after {time.monotonic() - began:.0f} s")
        for sql in made:
            connection.execute(sql)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        newest = trail_table.read(connection, Query(writer="gate", after_seq=max(0, size - 5000)))
        assert all(after.previous == before.digest for before, after in itertools.pairwise(newest))
    finally:
        connection.close()
    told(f"{size:,} entries written in {time.monotonic() - began:.0f} s")


def questions(size: int, seconds: float) -> dict[str, Question]:
    """By what they are for; each is one call of the owner's API, or what most of its time goes to."""
    end = START + size * seconds
    quiet = share_of(7)

    def page(**asked: Any) -> Question:
        return lambda history: history.page(Query(limit=50, newest_first=True, **asked))

    async def middle(history: StoredHistory) -> Any:
        query = Query(limit=50, newest_first=True)
        return await history.page(query, cursor_of(query, Mark(writer="gate", seq=size // 2)))

    return {
        "all, the newest 50": page(),
        "all, 50 in the middle": middle,
        "a busy share": page(share=BUSY),
        "a busy share, one day": page(share=BUSY, since=end / 2 + START / 2, until=end / 2 + START / 2 + 86400),
        "a quiet share": page(share=quiet),
        "one visit": page(visit="v000070003"),
        "one link": page(link="l00007000003"),
        "one person, over all shares": page(person="visitor 7"),
        "a person who was never here": page(person="nobody"),
        "a busy share: who came": page(share=BUSY, action="link.joined"),
        "a busy share: what was refused": page(share=BUSY, outcome="denied"),
        "all refusals for one reason": page(reason="no_capability"),
        "all joins": page(action="link.joined"),
        "a busy share, one folder": page(share=BUSY, path="lectures/week3"),
        "a file that nobody opened (20,000 looked at)": page(share=BUSY, path="nowhere"),
        "the passing-on tree: its events": lambda history: history.some(BUSY, PASSING),
        "a timeline of one day": lambda history: history.lanes(
            BUSY, _visits(BUSY), since=end - 86400, until=end, now=end
        ),
        "access review: one share": lambda history: history.last_visited(quiet, 50),
    }


def _visits(share: str) -> list[Visit]:
    number = int(share[1:])
    return [
        Visit(
            id=f"v{number:05d}{visit:04d}",
            share=share,
            link=f"l{number:05d}{visit % 4:06d}",
            number=visit,
            created=START,
            expires=START + 10**9,
        )
        for visit in range(VISITS)
    ]


async def plant(store: Store) -> None:
    """The records that pages look at beside the history."""
    for number in (0, 7):
        share = share_of(number)
        links = [
            Link(id=f"l{number:05d}{at:06d}", share=share, letter="abcd"[at], created=START, expires=START + 10**9)
            for at in range(4)
        ]
        await store.add_share(
            Share(id=share, upstream="u", owner="Olga", root="lectures", created=START, expires=START + 10**9), links
        )


async def asked(store: Store, size: int, seconds: float) -> dict[str, float]:
    """Milliseconds, median."""
    history = StoredHistory(store, store)
    took = {}
    for name, question in questions(size, seconds).items():
        times = []
        for _ in range(_ROUNDS):
            began = time.perf_counter()
            await question(history)
            times.append((time.perf_counter() - began) * 1000)
        took[name] = statistics.median(times)
        told(f"  {name}: {took[name]:.1f} ms (first {times[0]:.1f})")
    times = []
    for _ in range(3):
        began = time.perf_counter()
        await store.held((START, START + size * seconds))
        times.append((time.perf_counter() - began) * 1000)
    took["what identifies people, counted (a quarter holds it)"] = statistics.median(times)
    return took


async def in_a_file(folder: Path, sizes: list[int]) -> None:
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    file = folder / "store" / "sharegate.db"
    results: dict[int, dict[str, float]] = {}
    opening: dict[int, float] = {}
    # A year, whatever the size: a longer history has more in each hour.
    store = await open_sqlite(file, key=KEY)
    await plant(store)
    await store.close()
    for size in sizes:
        seconds = 2.0
        grow(file, size, seconds)
        began = time.monotonic()
        store = await open_sqlite(file, key=KEY)
        opening[size] = time.monotonic() - began
        try:
            results[size] = await asked(store, size, seconds)
        finally:
            await store.close()
        began = time.monotonic()
        await (await open_sqlite(file, key=KEY)).close()
        told(f"{size:,}: opened in {time.monotonic() - began:.2f} s, {file.stat().st_size / 1e9:.2f} GB")
    table(results)
    print("\nMaking the indexes once, when a store of an older version is opened: ", end="")
    print(", ".join(f"{size:,} entries {took:.1f} s" for size, took in opening.items()))


async def on_a_server(folder: Path, sizes: list[int]) -> None:
    results: dict[int, dict[str, float]] = {}
    with running_redis() as server:
        store = await open_redis(StoreUrl.parse(server.url), key=KEY, folder=folder / "run")
        try:
            await plant(store)
            seq, digest = 0, ""
            for size in sizes:
                parts = beside(seq + 1, size, digest, 2.0, size - size // 4)
                # The store has to be followed meanwhile.
                while part := await asyncio.to_thread(next, parts, None):
                    for begin in range(0, len(part), 1000):
                        await store.append(part[begin : begin + 1000])
                    seq, digest = part[-1].seq, part[-1].digest
                told(f"{size:,} entries on the server")
                results[size] = await asked(store, size, 2.0)
        finally:
            await store.close()
    table(results)


def table(results: dict[int, dict[str, float]]) -> None:
    sizes = list(results)
    print("| ms for | " + " | ".join(f"{size:,} entries" for size in sizes) + " | last to first |")
    print("|---|" + "---|" * (len(sizes) + 1))
    for name in results[sizes[0]]:
        values = [results[size][name] for size in sizes]
        print(f"| {name} | " + " | ".join(f"{value:.1f}" for value in values) + f" | {values[-1] / values[0]:.1f} |")


async def measure(folder: Path, events: int) -> None:
    sizes = [size for size in (10_000, 1_000_000) if size < events] + [events]
    print(f"SQLite {sqlite3.sqlite_version}\n")
    await in_a_file(folder, sizes)
    print("\nOn a Redis server:\n")
    await on_a_server(folder, [size for size in sizes if size <= 1_000_000])


if __name__ == "__main__":
    asyncio.run(measure(Path(sys.argv[1]), int(sys.argv[2])))
