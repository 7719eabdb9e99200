"""What all gates of one server count together."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from sharegate.errors import StoreUnavailable
from sharegate.limits import Rate
from sharegate.store_url import StoreUrl
from sharegate.stores.redis.store import RedisStore, open_redis
from sharegate.tally import Limit, Tally
from tests.conftest import Clock
from tests.real.redis import running_redis
from tests.stores import conformance
from tests.stores.redis.gates import KEY, Opener

pytestmark = pytest.mark.redis


class TestTally(conformance.TallyContract):
    @pytest.fixture
    async def tallied(self, store: RedisStore, another: Opener, clock: Clock) -> tuple[Tally, Tally, Clock]:
        other = await another()
        return store.tally(now=clock, pace=lambda: 0.0), other.tally(now=clock, pace=lambda: 0.0), clock


HERE = Limit("here", Rate(per=6, seconds=6000, burst=3)).of("192.0.2.77")


async def test_attack_gates_whose_clocks_differ_fill_a_bucket(store: RedisStore, another: Opener) -> None:
    """Taking turns at a gate that is late and one that is early: what the early one is ahead counts once."""
    late, early = Clock(), Clock(Clock().now + 1000)
    gates = [store.tally(now=late, pace=late), (await another()).tally(now=early, pace=early)]
    taken = [not any(await gates[n % 2].take([HERE])) for n in range(40)]
    assert taken.count(True) == 4 and not any(taken[4:])
    late.forward(999)
    assert (await gates[0].take([HERE]))[0] > 1000


async def test_attack_whoever_has_the_server_reads_who_guessed(store: RedisStore, clock: Clock) -> None:
    """Buckets are named by an HMAC, and go by themselves when they are full again, in seconds of the server."""
    tally = store.tally(now=clock, pace=clock)
    await tally.take([HERE])
    (key,) = await store._server.ask("KEYS", "*tally:*")
    assert HERE.key.encode() not in key and hashlib.sha256(HERE.key.encode()).hexdigest().encode() not in key
    assert 1000 < await store._server.ask("TTL", key) <= 1060
    await tally.spend([HERE], -1)
    assert await store._server.ask("KEYS", "*tally:*") == []


async def test_a_count_that_arrives_twice_is_taken_once(store: RedisStore, clock: Clock) -> None:
    """The answer to the first was lost on the way."""
    tally = store.tally(now=clock, pace=clock)
    run = store._server.run

    async def doubled(*what: Any) -> Any:
        await run(*what)
        return await run(*what)

    store._server.run = doubled  # type: ignore[method-assign]
    assert [any(await tally.take([HERE])) for _ in range(4)] == [False, False, False, True]


async def test_without_the_server_nobody_is_let_try(tmp_path: Path, clock: Clock) -> None:
    """Fails closed, as everything does then."""
    with running_redis() as own:
        store = await open_redis(StoreUrl.parse(own.url), key=KEY, folder=tmp_path / "own")
        tally = store.tally(now=clock, pace=clock)
        assert await tally.take([HERE]) == [0]
    try:
        for ask in (tally.take([HERE]), tally.waits([HERE]), tally.spend([HERE], -1)):
            with pytest.raises(StoreUnavailable):
                await ask
    finally:
        await store.close()
