"""The push channel: a gate that does not follow every commit refuses, and nothing is written behind its back."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import Any

import pytest

from sharegate.audit.interfaces import Query
from sharegate.errors import StoreUnavailable
from sharegate.shares.interfaces import Change
from sharegate.stores.redis.scripts import REPLACE, Script
from sharegate.stores.redis.store import RedisStore
from tests.conftest import Clock
from tests.real.redis import RedisServer
from tests.real.relay import relay
from tests.stores.records import LATER, START, a_link, a_share, a_visit
from tests.stores.redis.gates import Opener, all_writes, heard, plant, refuses, until
from tests.stores.version_contract import PLACE, PLENTY, a_snapshot, noise

pytestmark = pytest.mark.redis


async def test_a_gate_that_heard_nothing_for_three_seconds_refuses(
    server: RedisServer, store: RedisStore, another: Opener, clock: Clock
) -> None:
    """Not before; it comes back by itself, with what it missed, and tells of it."""
    async with relay(server.socket) as line:
        far = await another(url=f"redis://127.0.0.1:{line.port}", now=clock)
        await store.add_share(a_share(), [a_link()])
        changes = heard(far)
        await until(lambda: far._following.records.position == 1)
        line.cut()
        await until(lambda: not far._following._heard)
        assert not await refuses(far)
        clock.forward(2.9)
        assert not await refuses(far)
        clock.forward(0.2)
        assert await refuses(far)
        with pytest.raises(StoreUnavailable, match="not heard of for 3 seconds"):
            await far.shares()
        with pytest.raises(StoreUnavailable):
            await far.ready()
        await store.change_share("s1", revoked=START)
        assert await refuses(far)
        changes.clear()
        line.mend()
        await until(lambda: changes)
        assert changes == [Change("share", "s1")]
        await far.ready()
        assert (await far.share("s1")).revoked == START  # type: ignore[union-attr]


async def test_a_line_that_hangs_is_lost_too(
    server: RedisServer, store: RedisStore, another: Opener, clock: Clock
) -> None:
    """Nothing is closed and nothing comes: the same refusal, the same return."""
    async with relay(server.socket) as line:
        far = await another(url=f"redis://127.0.0.1:{line.port}", now=clock)
        await store.add_share(a_share(), [])
        await until(lambda: far._following.records.position == 1)
        line.hold()
        clock.forward(3.1)
        assert await refuses(far)
        await store.change_share("s1", paused=True)
        assert await refuses(far)
        line.mend()
        await until(lambda: far._following._true_at == clock())
        assert (await far.share("s1")).paused  # type: ignore[union-attr]


async def test_a_line_that_lives_keeps_a_quiet_gate_open(store: RedisStore, another: Opener, clock: Clock) -> None:
    """Without a single commit, the reader proves again and again that there was none."""
    far = await another(now=clock)
    for _ in range(3):
        clock.forward(3.1)
        assert await refuses(far)
        await until(lambda: far._following._true_at == clock())
        assert not await refuses(far)


@pytest.mark.parametrize("then", ["nothing", "more"])
async def test_a_stream_that_was_cut_is_made_up_for(
    server: RedisServer, store: RedisStore, another: Opener, clock: Clock, then: str
) -> None:
    """Whoever is behind what the stream holds reads everything anew, and tells of what is different."""
    async with relay(server.socket) as line:
        far = await another(url=f"redis://127.0.0.1:{line.port}", now=clock)
        await plant(store)
        await until(lambda: far._following.records.position == store._following.records.position)
        changes = heard(far)
        line.cut()
        await until(lambda: not far._following._heard)
        await store.change_share("s1", revoked=START)
        await store.prune(LATER * 2)
        await store.remove_upstream("u1")
        server.command("XTRIM", "sharegate:changes", "MAXLEN", "0")
        if then == "more":
            await store.change_share("s1", message="later")
        line.mend()
        await until(lambda: changes)
        assert {(one.kind, one.id) for one in changes} == {
            *(("share", "s1"), ("visit", "v1"), ("knock", "k1"), ("upstream", "u1"))
        }
        assert (await far.share("s1")).revoked == START  # type: ignore[union-attr]
        assert await far.upstreams() == [] and await far.knocks(waiting_only=False) == []


async def test_a_write_whose_answer_is_lost_happens_once(
    server: RedisServer, store: RedisStore, another: Opener
) -> None:
    """The line is cut again and again while visits are opened: none is doubled, and what was acknowledged is there."""
    async with relay(server.socket) as line:
        far = await another(url=f"redis://127.0.0.1:{line.port}")
        await store.add_share(a_share(), [a_link()])
        acknowledged = []
        for i in range(30):
            task = asyncio.create_task(far.open_visit(a_visit(f"v{i}"), seats=None))
            for _ in range(i % 7):
                await asyncio.sleep(0)
            line.cut()
            line.mend()
            with contextlib.suppress(StoreUnavailable):
                acknowledged.append((await task).id)
        await store.ready()
        visits = await store.visits("s1")
        assert [one.number for one in visits] == list(range(1, len(visits) + 1))
        assert acknowledged and set(acknowledged) <= {one.id for one in visits}


async def test_a_version_whose_answer_is_lost_is_kept_once(store: RedisStore, another: Opener) -> None:
    """Though somebody else kept another one before it was asked again."""
    other = await another()
    run = store._server.run
    lost = []

    async def losing(script: Script, *arguments: Any) -> Any:
        answer = await run(script, *arguments)
        if script is REPLACE and not lost:
            lost.append(answer)
            await other.keep_version(a_snapshot("n2"), noise(2), limits=PLENTY)
            return 0
        return answer

    store._server.run = losing  # type: ignore[method-assign]
    kept = await store.keep_version(a_snapshot("n1"), noise(1), limits=PLENTY)
    assert lost == [1] and await store.version("n1") == kept
    assert sorted(one.id for one in await store.versions()) == ["n1", "n2"]
    with pytest.raises(ValueError):
        await store.keep_version(a_snapshot("n1"), noise(1), limits=PLENTY)


async def test_attack_a_store_that_goes_back_in_time(server: RedisServer, store: RedisStore) -> None:
    """An older copy, or an emptied server, would forget revocations: the gate refuses until somebody starts it anew."""
    await store.add_share(a_share(), [])
    await store.change_share("s1", revoked=START)
    server.command("HSET", "sharegate:meta", "position", "1")
    await until(lambda: store._following._broken)
    server.command("HSET", "sharegate:meta", "position", "2")
    for ask in (store.share("s1"), store.change_share("s1", paused=True), store.ready(), store.append([])):
        with pytest.raises(StoreUnavailable, match="lost what it had acknowledged"):
            await ask


async def test_attack_a_history_that_was_written_anew(server: RedisServer, store: RedisStore, another: Opener) -> None:
    """The server went back, and others went on from there: what this gate had seen, a revocation perhaps, is not in the
    new history. It notices though the position has passed its own."""
    async with relay(server.socket) as line:
        far = await another(url=f"redis://127.0.0.1:{line.port}")
        await store.add_share(a_share(), [])
        token = server.command("HGET", "sharegate:meta", "token").strip()
        await store.change_share("s1", revoked=START)
        await until(lambda: far._following.records.position == 2)
        line.cut()
        await until(lambda: not far._following._heard)
        await store.close()
        server.command("HSET", "sharegate:meta", "position", "1", "token", token)
        server.command("DEL", "sharegate:changes")
        others = await another()
        for at in range(3):
            await others.change_share("s1", message=str(at))
        line.mend()
        await until(lambda: far._following._broken)
        with pytest.raises(StoreUnavailable, match="lost what it had acknowledged"):
            await far.share("s1")


async def test_what_does_not_follow_is_not_written_at_all(server: RedisServer, store: RedisStore) -> None:
    """Somebody's entry in our stream makes the next one impossible; then the record stays as it was, too."""
    await store.add_share(a_share(), [])
    server.command("XADD", "sharegate:changes", "7-0", "d", "x")
    with pytest.raises(StoreUnavailable):
        await store.change_share("s1", revoked=START)
    assert server.command("HGET", "sharegate:meta", "position").strip() == b"1"
    assert b'"revoked":null' in server.command("HGET", "sharegate:record:share", "s1")


async def test_an_emptied_or_exchanged_server_is_refused(server: RedisServer, another: Opener) -> None:
    """Another store under the same address is not the one that was followed."""
    emptied, exchanged = await another(), await another(prefix="p2")
    server.command("HSET", "p2:meta", "id", "other")
    await until(lambda: exchanged._following._broken)
    server.command("FLUSHALL")
    await until(lambda: emptied._following._broken)
    with pytest.raises(StoreUnavailable, match="was emptied"):
        await emptied.shares()
    with pytest.raises(StoreUnavailable, match="another one than before"):
        await exchanged.shares()


async def test_requests_cost_no_round_trip(server: RedisServer, another: Opener) -> None:
    """A thousand reads of records ask the server nothing."""
    store = await another()
    await store.add_share(a_share(), [a_link()])

    async def forbidden(*_: object) -> None:
        raise AssertionError("asked")

    for name in ("ask", "several", "run"):
        setattr(store._server, name, forbidden)
    for _ in range(1000):
        assert await store.share("s1") and await store.link("l1") and await store.visits("s1") == []
    for name in ("ask", "several", "run"):
        delattr(store._server, name)


async def test_no_command_looks_at_all_keys(server: RedisServer, store: RedisStore) -> None:
    """A server that serves others too is not held up by a gate."""
    await plant(store)
    server.command("CONFIG", "RESETSTAT")
    await asyncio.gather(*all_writes(store), return_exceptions=True)
    for _ in range(3):
        await store.read(Query(newest_first=True, limit=3))
        await store.versions(upstream="u1")
        await store.edits(PLACE)
        await store.edited_by("v1")
    used = set(re.findall(rb"cmdstat_([a-z|]+):", server.command("INFO", "commandstats")))
    assert b"evalsha" in used and not used & {b"keys", b"scan", b"sscan", b"hscan", b"randomkey", b"flushall"}
    assert store._following.records.position > 5
