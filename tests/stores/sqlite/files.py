"""A store's file in other hands, records planted in it, and every way to write."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Awaitable, Iterator
from pathlib import Path
from typing import Any

from sharegate.audit.chain import seal
from sharegate.audit.events import Action, AuditEvent
from sharegate.audit.interfaces import Query
from sharegate.errors import StoreUnavailable
from sharegate.shares.interfaces import Change
from sharegate.stores.sqlite import SqliteStore
from tests.stores.records import LATER, START, a_code, a_knock, a_link, a_share, a_visit, an_upstream

KEY = b"k" * 32


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
