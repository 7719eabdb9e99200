"""Connections that wait: who gets which, how many there are, and for how long."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator

import msgspec
import pytest

from sharegate.errors import Denied, Reason
from sharegate.upstream import pool as pools
from sharegate.upstream.address import address_of
from sharegate.upstream.model import Upstream
from sharegate.upstream.pool import Deadlines, Pending, Pool
from sharegate.upstream.wire import Wire
from tests.upstream.scripted import Recorder, ok, saying, scripted


async def trusting(_: Upstream) -> None: ...


@contextlib.asynccontextmanager
async def pooling(per_server: int = 8) -> AsyncIterator[tuple[Pool, Recorder]]:
    async with scripted(saying(ok())) as server:
        pool = Pool(vet=trusting, pending=Pending(), per_server=per_server, connect=2, trust=None)
        try:
            yield pool, server
        finally:
            pool.close()


async def asked(pool: Pool, upstream: Upstream) -> Wire:
    """A connection over which one request was sent and answered."""
    wire, _ = await pool.wire(upstream, address_of(upstream.url))
    exchange = wire.ask("GET", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await exchange.head
    assert await exchange.wait() == b"ok"
    return wire


async def test_the_one_used_last_is_used_next() -> None:
    """The others are left to end."""
    async with pooling() as (pool, server):
        first, second = [(await pool.wire(server.upstream, address_of(server.upstream.url)))[0] for _ in range(2)]
        for wire in (first, second):
            await wire.ask("GET", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").head
        assert pool.idle(server.upstream) is second
        assert pool.idle(server.upstream) is first
        assert pool.idle(server.upstream) is None


async def test_attack_a_connection_belongs_to_the_process_that_was_looked_at() -> None:
    """A record that names another process, person or address gets a connection of its own."""
    async with pooling() as (pool, server):
        wire = await asked(pool, server.upstream)
        for changed in ({"pid": os.getpid() + 1}, {"uid": os.getuid() + 1}, {"url": server.upstream.url + "more/"}):
            assert pool.idle(msgspec.structs.replace(server.upstream, **changed)) is None
        assert pool.idle(server.upstream) is wire


async def test_who_comes_too_many_waits_for_a_connection() -> None:
    """And gets the first that is free; whoever gave up waiting takes nobody's turn."""
    async with pooling(per_server=1) as (pool, server):
        where = server.upstream, address_of(server.upstream.url)
        wire, _ = await pool.wire(*where)
        given_up, waiting = (asyncio.ensure_future(pool.wire(*where)) for _ in range(2))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.wait([given_up])
        await wire.ask("GET", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").head
        async with asyncio.timeout(25):
            assert await waiting == (wire, True)
        waiting = asyncio.ensure_future(pool.wire(*where))
        await asyncio.sleep(0)
        wire.abort()
        async with asyncio.timeout(25):
            assert (await waiting)[1] is False
        assert server.connections == 2


async def test_what_waits_for_too_long_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the pool itself, before the server does it under a request."""
    monkeypatch.setattr(pools, "IDLE_SECONDS", 0.05)
    async with pooling() as (pool, server):
        wire = await asked(pool, server.upstream)
        async with asyncio.timeout(25):
            while wire.usable:
                await asyncio.sleep(0.01)
        assert pool.idle(server.upstream) is None


async def test_what_was_asked_before_a_sleep_is_not_used_after_it() -> None:
    """Its answer is taken, and the connection ends with it."""
    async with pooling() as (pool, server):
        wire, _ = await pool.wire(server.upstream, address_of(server.upstream.url))
        exchange = wire.ask("GET", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        pool.forget()
        assert (await exchange.head).status == 200
        assert pool.idle(server.upstream) is None and not wire.usable


async def test_a_closed_pool_leaves_nothing_open() -> None:
    """Neither what waits nor what is asked."""
    async with pooling() as (pool, server):
        idle = await asked(pool, server.upstream)
        busy = await pool.new(server.upstream, address_of(server.upstream.url))
        busy.ask("GET", b"half a head")
        pool.close()
        assert not idle.usable and not busy.usable


async def test_a_burst_waits_for_its_turn() -> None:
    """More at once than connections may be made: each gets one, or one that another had used."""
    most = 0

    async def slow(_: Upstream) -> None:
        nonlocal most
        most = max(most, pool._pending._counts.total())  # who counts is asked: nobody else sees it
        await asyncio.sleep(0.01)

    async with scripted(saying(ok())) as server:
        pool = Pool(vet=slow, pending=Pending(4), per_server=64, connect=5, trust=None)
        await asyncio.gather(*(asked(pool, server.upstream) for _ in range(24)))
        pool.close()
    assert most == 4


async def test_nobody_overtakes_who_waits() -> None:
    """A connection that is free goes to the first who waits, not to whoever asks at that moment."""
    async with pooling(per_server=1) as (pool, server):
        where = server.upstream, address_of(server.upstream.url)
        wire, _ = await pool.wire(*where)
        first, second = (asyncio.ensure_future(pool.wire(*where)) for _ in range(2))
        await asyncio.sleep(0)
        exchange = wire.ask("GET", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await exchange.head
        assert pool.idle(server.upstream) is None
        async with asyncio.timeout(25):
            assert await first == (wire, True)
            await wire.ask("GET", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").head
            assert await second == (wire, True)


async def test_whose_turn_it_was_passes_the_connection_on() -> None:
    """Who gives up in the very moment in which it is theirs."""
    async with pooling(per_server=1) as (pool, server):
        where = server.upstream, address_of(server.upstream.url)
        wire, _ = await pool.wire(*where)
        given_up, waiting = (asyncio.ensure_future(pool.wire(*where)) for _ in range(2))
        await asyncio.sleep(0)
        pool._done(wire)
        given_up.cancel()
        async with asyncio.timeout(25):
            assert await waiting == (wire, True)
        assert given_up.cancelled()


async def test_a_place_that_a_websocket_had_wakes_who_waits() -> None:
    """Those are counted together; with no connection open as well as with some."""
    async with scripted(saying(ok())) as server:
        pending = Pending(1)
        pool = Pool(vet=trusting, pending=pending, per_server=8, connect=30, trust=None)
        where = server.upstream, address_of(server.upstream.url)
        for _ in range(2):
            pending.enter(server.upstream.id)
            waiting = asyncio.ensure_future(pool.wire(*where))
            await asyncio.sleep(0.05)
            assert not waiting.done()
            pending.leave(server.upstream.id)
            async with asyncio.timeout(25):
                assert (await waiting)[1] is False
        pool.close()


async def test_a_server_that_nobody_asks_is_forgotten() -> None:
    """Also after somebody waited in vain."""
    async with scripted(saying(ok())) as server:
        pending = Pending(1)
        pool = Pool(vet=trusting, pending=pending, per_server=8, connect=0.05, trust=None)
        pending.enter(server.upstream.id)
        with pytest.raises(Denied) as denied:
            await pool.wire(server.upstream, address_of(server.upstream.url))
        assert denied.value.reason is Reason.UPSTREAM_AWAY
        assert not pool._servers


async def test_a_refused_look_leaves_nothing_counted() -> None:
    """Who was refused takes no place from the next."""

    async def refusing(_: Upstream) -> None:
        raise Denied(Reason.UPSTREAM_NOT_OURS, "")

    async with scripted(saying(ok())) as server:
        pool = Pool(vet=refusing, pending=Pending(1), per_server=1, connect=2, trust=None)
        for _ in range(3):
            with pytest.raises(Denied) as denied:
                await pool.wire(server.upstream, address_of(server.upstream.url))
            assert denied.value.reason is Reason.UPSTREAM_NOT_OURS
        assert server.connections == 0


async def test_each_answer_has_its_own_deadline() -> None:
    """One timer for all; a shorter one is not held up by a longer one, and a later one not forgotten."""
    async with pooling() as (pool, server):
        where = server.upstream, address_of(server.upstream.url)
        wires = [await pool.new(*where) for _ in range(4)]
        long, short, later, free = [wire.ask("GET", b"half a head") for wire in wires]
        deadlines = Deadlines()
        deadlines.set(long, 100)
        deadlines.set(short, 0.01)
        deadlines.set(later, 0.05)
        deadlines.set(free, 0.01)
        deadlines.set(free, None)
        for exchange in (short, later):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(25):
                    await asyncio.shield(exchange.head)
        assert short.head.exception() is not None and later.head.exception() is not None
        assert not long.head.done() and not free.head.done()
        deadlines.close()
