"""Token buckets and counters: what they grant, on a clock that only the test moves, and how little they remember."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharegate.errors import Denied, Reason
from sharegate.limits import Buckets, Folding, Rate, Running, Steady, neighbourhood, network
from tests.conftest import Clock

R = Reason.REQUEST_LIMIT


def taken(buckets: Buckets, key: str, amount: float = 1) -> int:
    """How often `amount` can be taken in a row."""
    count = 0
    while count < 100_000:
        try:
            buckets.take(key, amount, R)
        except Denied:
            return count
        count += 1
    raise AssertionError("no end")


def test_a_bucket_grants_its_burst_and_then_its_rate(clock: Clock) -> None:
    """10 a minute with a burst of 3: three at once, then one each six seconds, never more than three saved up."""
    buckets = Buckets(Rate(10, 60, 3), clock)
    assert taken(buckets, "a") == 3
    clock.forward(5.9)
    assert taken(buckets, "a") == 0
    clock.forward(0.2)
    assert taken(buckets, "a") == 1
    clock.forward(3600)
    assert taken(buckets, "a") == 3


def test_keys_do_not_share_a_bucket(clock: Clock) -> None:
    """Who used up one bucket has not used up another's."""
    buckets = Buckets(Rate(1, 60, 2), clock)
    assert taken(buckets, "a") == 2
    assert taken(buckets, "b") == 2


def test_what_was_spent_into_debt_is_paid_back_first(clock: Clock) -> None:
    """A download larger than a minute's share stops everything until it is paid for."""
    buckets = Buckets(Rate(60, 60, 60), clock)
    buckets.check("a", R)
    buckets.spend("a", 120)
    with pytest.raises(Denied):
        buckets.check("a", R)
    clock.forward(59)
    with pytest.raises(Denied):
        buckets.check("a", R)
    clock.forward(2)
    buckets.check("a", R)


def test_the_wait_that_is_told_is_long_enough(clock: Clock) -> None:
    """After the seconds told, the amount can be taken."""
    buckets = Buckets(Rate(7, 60, 2), clock)
    assert buckets.wait("a") == 0
    taken(buckets, "a")
    wait = buckets.wait("a", 2)
    assert wait > 0
    clock.forward(wait)
    buckets.take("a", 2, R)


def test_a_clock_that_runs_backwards_gives_nothing(clock: Clock) -> None:
    """Setting the computer's clock back does not fill a bucket, and does not empty it."""
    buckets = Buckets(Rate(60, 60, 5), clock)
    assert taken(buckets, "a", 3) == 1
    clock.forward(-3600)
    assert taken(buckets, "a") == 2


def test_a_million_strangers_do_not_fill_the_memory(clock: Clock) -> None:
    """Only the most recent keys are remembered, and the busy ones are not the ones that are forgotten."""
    buckets = Buckets(Rate(1, 60, 1), clock, remembered=50)
    buckets.take("busy", 1, R)
    for number in range(1000):
        buckets.take(f"stranger {number}", 1, R)
        with pytest.raises(Denied):
            buckets.take("busy", 1, R)
        buckets.spend("busy", 0)
    assert len(buckets._levels) == 50


def test_a_bucket_that_is_full_again_is_not_kept(clock: Clock) -> None:
    """Who came once costs memory only for as long as it may change an answer; who still owes something is kept."""
    buckets = Buckets(Rate(60, 60, 10), clock)
    for number in range(1000):
        buckets.take(f"passer-by {number}", 1, R)
    assert len(buckets._levels) == 1000
    clock.forward(2)
    buckets.take("debtor", 10, R)
    for number in range(1000):
        buckets.take(f"another {number}", 1, R)
    assert len(buckets._levels) == 1001
    with pytest.raises(Denied):
        buckets.take("debtor", 1, R)


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(1, 5)), max_size=60))
def test_no_order_of_takes_gets_more_than_rate_and_burst(steps: list[tuple[float, int]]) -> None:
    """Whatever the rhythm, what was granted is never more than burst plus rate times time."""
    clock = Clock(0)
    buckets = Buckets(Rate(12, 60, 10), clock)
    granted = 0
    for pause, amount in steps:
        clock.forward(pause)
        try:
            buckets.take("a", amount, R)
        except Denied:
            continue
        granted += amount
    assert granted <= 10 + clock.now * 12 / 60 + 1e-6


def test_so_many_run_at_once_and_no_more() -> None:
    """The limit counts those that run now; who leaves makes room; a key without runners is forgotten."""
    running = Running(2, R)
    running.enter("a")
    running.enter("a")
    with pytest.raises(Denied) as refused:
        running.enter("a")
    assert refused.value.reason is R
    running.enter("b")
    running.leave("a")
    running.enter("a")
    for key in ("a", "a", "b"):
        running.leave(key)
    assert running._counts == {}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.8", False),
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.7", "192.0.2.7", True),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("", "192.0.2.7", False),
    ],
)
def test_what_counts_as_one_place(one: str, other: str, same: bool) -> None:
    """An IPv4 address is a place; of IPv6 the /64 is, for whoever has one address there has all of them."""
    assert (network(one) == network(other)) is same


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.7", "192.0.2.8", True),
        ("192.0.2.7", "192.0.3.7", False),
        ("2001:db8:7::1", "2001:db8:7:ffff::1", True),
        ("2001:db8:7::1", "2001:db8:8::1", False),
        ("::ffff:192.0.2.7", "192.0.2.200", True),
        ("", "192.0.2.7", False),
    ],
)
def test_what_counts_as_one_neighbourhood(one: str, other: str, same: bool) -> None:
    """What one person can easily have many networks of."""
    assert (neighbourhood(one) == neighbourhood(other)) is same


@given(st.text(max_size=300))
def test_any_address_is_some_place_of_bounded_size(address: str) -> None:
    """Nothing that a connection says of itself makes a long key or an error."""
    assert len(network(address)) <= 64 and len(neighbourhood(address)) <= 64


def test_what_can_be_caused_without_end_is_folded_into_counts(clock: Clock) -> None:
    """The first at once, then one in ten seconds that stands for all in between; kinds apart."""
    folding = Folding(10, clock)

    assert [folding.due("a") for _ in range(4)] == [1, 0, 0, 0]
    assert folding.due("b") == 1
    clock.forward(10)
    assert [folding.due("a"), folding.due("a")] == [4, 0]


def test_folding_remembers_a_bounded_number_of_kinds(clock: Clock) -> None:
    """The kinds are chosen by strangers: the oldest are forgotten."""
    folding = Folding(10, clock, remembered=2)
    for kind in "abc":
        folding.due(kind)

    assert folding.due("c") == 0
    assert folding.due("a") == 1


async def test_patience_is_paid_for_by_what_comes(clock: Clock) -> None:
    """A drip uses it up; who goes on at the slowest speed never does; what is waited for elsewhere costs nothing."""

    def after(seconds: float, size: int) -> Callable[[], Awaitable[bytes]]:
        async def read() -> bytes:
            clock.forward(seconds)
            return b"x" * size

        return read

    steady = Steady(10, slowest=100, now=clock)
    for _ in range(100):
        assert len(await steady.piece(after(5, 500))) == 500
        clock.forward(1000)

    dripping = Steady(10, slowest=100, now=clock)
    for _ in range(11):
        await dripping.piece(after(1, 1))
    with pytest.raises(TimeoutError):
        await dripping.piece(after(1, 1))

    # A great piece is not a credit for later.
    rich = Steady(10, slowest=100, now=clock)
    await rich.piece(after(0, 1_000_000))
    await rich.piece(after(11, 1))
    with pytest.raises(TimeoutError):
        await rich.piece(after(0, 1))
