"""What gates do with a Redis store: plant records, write in every way there is, and hear of each other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from sharegate.audit.chain import seal
from sharegate.audit.events import Action, AuditEvent
from sharegate.audit.interfaces import Query
from sharegate.errors import StoreUnavailable
from sharegate.shares.interfaces import Change
from sharegate.stores.redis.store import RedisStore
from sharegate.versions.model import EditKind
from tests.stores.records import LATER, START, a_code, a_knock, a_link, a_share, a_visit, an_upstream
from tests.stores.version_contract import PLACE, PLENTY, a_snapshot, edit

KEY = b"k" * 32
Opener = Callable[..., Awaitable[RedisStore]]


async def until(true: Callable[[], Any], what: str = "", seconds: float = 25.0) -> None:
    """Wait for what another task does, at most so long."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.005)


def heard(store: RedisStore) -> list[Change]:
    changes: list[Change] = []
    store.subscribe(changes.append)
    return changes


async def refuses(store: RedisStore) -> bool:
    try:
        await store.share("s1")
    except StoreUnavailable:
        return True
    return False


async def plant(store: RedisStore) -> None:
    await store.add_share(a_share(), [a_link()])
    await store.open_visit(a_visit(address="192.0.2.0/24"), seats=1)
    await store.add_knock(a_knock(), limit=1)
    await store.add_device_code(a_code())
    await store.put_overlay("v1", "workspace", "a", b"1", items=9, total_bytes=99)
    await store.put_upstream(an_upstream())
    await store.append([seal(event(name="Ann"), writer="gate", seq=1, previous="")])


def event(**fields: Any) -> AuditEvent:
    return AuditEvent(action=Action.LINK_JOINED, actor="visitor", at=START, **fields)


def all_writes(store: RedisStore) -> list[Awaitable[Any]]:
    return [
        store.add_share(a_share("s9"), [a_link("l9", share="s9")]),
        store.change_share("s1", revoked=START),
        store.open_visit(a_visit("v9"), seats=None),
        store.end_visits(["v1"], at=START, reason="left"),
        store.decide_knock("k1", state="refused", at=START),
        store.add_device_code(a_code("h9")),
        store.put_overlay("v1", "workspace", "b", b"2", items=9, total_bytes=99),
        store.put_upstream(an_upstream("u9")),
        store.remove_upstream("u1"),
        store.append([seal(event(), writer="gate", seq=2, previous="")]),
        store.erase(Query()),
        store.prune(LATER * 2),
        store.keep_version(a_snapshot(), b"x", limits=PLENTY),
        store.append_edits(PLACE, [edit(EditKind.STATE)], limit=1 << 20),
        store.add_authorship([]),
        store.thin_versions(LATER, limits=PLENTY),
        store.ready(),
    ]
