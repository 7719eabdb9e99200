"""Who knows a link's passphrase, and who guesses."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from sharegate.errors import Denied, Reason
from sharegate.shares.conditions import fingerprint
from sharegate.shares.model import Link
from sharegate.shares.passphrases import hashed
from sharegate.tally import OwnTally
from sharegate.visits import passphrase as module
from sharegate.visits.passphrase import (
    AT_ONCE,
    FROM_AGAIN,
    FROM_ANEW,
    FROM_INSIDE,
    PER_HOUR,
    PER_MINUTE,
    WAITING,
    PassphraseProof,
)
from sharegate.visits.proving import Shown
from tests.conftest import Clock
from tests.house import ANN, EVE
from tests.stores.records import a_link

RIGHT = Shown(passphrase="green bicycle 7")
WRONG = Shown(passphrase="blue bicycle 7")


@cache
def encoded() -> str:
    return hashed(RIGHT.passphrase)


def link(id: str = "l1") -> Link:
    return a_link(id, passphrase=encoded())


@pytest.fixture
def proof(clock: Clock) -> PassphraseProof:
    return PassphraseProof(OwnTally(clock))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison without its cost, where its number is what matters."""
    monkeypatch.setattr(module, "matches", lambda _, given: given == RIGHT.passphrase)


async def denied(work: Any) -> Denied:
    with pytest.raises(Denied) as caught:
        await work
    return caught.value


async def test_the_right_one_is_proved_with_the_hash_that_it_was_compared_with(proof: PassphraseProof) -> None:
    """What is remembered of it is the fingerprint of the link's hash."""
    assert await proof.prove(link(), RIGHT, ANN, known=False) == {"passphrase": fingerprint(encoded())}
    assert (await denied(proof.prove(link(), WRONG, ANN, known=False))).reason is Reason.PASSPHRASE_WRONG
    assert (await denied(proof.prove(link(), Shown(), ANN, known=False))).reason is Reason.PASSPHRASE_NEEDED
    assert "bicycle" not in repr(RIGHT)


async def test_attack_guessing_from_one_network_is_slow(proof: PassphraseProof, clock: Clock, quick: None) -> None:
    """Ten, then one in six seconds; sixty, then one a minute; with when to come again. Another /64 is another one."""
    here = replace(ANN, address="2001:db8::1")
    there = replace(ANN, address="2001:db8::ffff")
    for _ in range(int(PER_MINUTE.per)):
        assert (await denied(proof.prove(link(), WRONG, here, known=False))).reason is Reason.PASSPHRASE_WRONG
    told = await denied(proof.prove(link(), RIGHT, there, known=False))
    assert told.reason is Reason.JOIN_LIMIT and 0 < told.wait <= 60
    await proof.prove(link(), RIGHT, replace(ANN, address="2001:db8:0:1::1"), known=False)
    await proof.prove(link("l2"), RIGHT, here, known=False)
    clock.forward(told.wait)
    await proof.prove(link(), RIGHT, there, known=False)

    tried = int(PER_MINUTE.per)
    while True:
        clock.forward(PER_MINUTE.seconds / PER_MINUTE.per)
        told = await denied(proof.prove(link(), WRONG, here, known=False))
        if told.reason is Reason.JOIN_LIMIT:
            break
        tried += 1
    assert PER_HOUR.per <= tried <= PER_HOUR.per * 1.2 and told.wait > 10


async def test_a_class_behind_one_address_comes_in(proof: PassphraseProof, quick: None) -> None:
    """The right passphrase costs nothing, also when sixty send it at the same moment."""
    for _ in range(3):
        await asyncio.gather(*(proof.prove(link(), RIGHT, ANN, known=False) for _ in range(60)))


async def test_attack_many_guesses_at_the_same_moment_are_not_all_compared(
    proof: PassphraseProof, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is counted before it is compared."""
    compared: list[str] = []
    monkeypatch.setattr(module, "matches", lambda _, given: bool(compared.append(given)))
    work = [proof.prove(link(), WRONG, ANN, known=False) for _ in range(90)]
    reasons = [one.reason for one in await asyncio.gather(*work, return_exceptions=True)]  # type: ignore[union-attr]
    assert len(compared) == reasons.count(Reason.PASSPHRASE_WRONG) == PER_MINUTE.per
    assert set(reasons) == {Reason.PASSPHRASE_WRONG, Reason.JOIN_LIMIT}


async def wrong_from(proof: PassphraseProof, addresses: list[str], times: int = 1) -> int:
    """How many wrong ones are compared, until one is told to wait."""
    for count, address in enumerate(one for one in addresses for _ in range(times)):
        told = await denied(proof.prove(link(), WRONG, replace(EVE, address=address), known=False))
        if told.reason is Reason.JOIN_LIMIT:
            assert told.wait
            return count
    return len(addresses) * times


async def test_attack_twenty_networks_do_not_shut_a_links_door(proof: PassphraseProof, quick: None) -> None:
    """Ten wrong ones from each: networks that were wrong wait then. Who comes from elsewhere comes in, and so does
    whoever is in, and at other links all do."""
    await wrong_from(proof, [f"198.51.{number}.9" for number in range(20)], times=10)
    told = await denied(proof.prove(link(), RIGHT, replace(EVE, address="198.51.3.77"), known=False))
    assert told.reason is Reason.JOIN_LIMIT and told.wait
    await proof.prove(link(), RIGHT, ANN, known=False)
    await proof.prove(link(), RIGHT, replace(EVE, browser="in"), known=True)
    await proof.prove(link("l2"), RIGHT, EVE, known=False)


async def test_attack_guessing_from_very_many_networks_is_slow(
    proof: PassphraseProof, quick: None, clock: Clock
) -> None:
    """So many at once, and so many an hour; then newcomers wait, and whoever has a visit by the link does not."""
    everywhere = [f"{first}.{second}.7.9" for first in (11, 12) for second in range(200)]
    assert await wrong_from(proof, everywhere) == FROM_ANEW.burst + FROM_AGAIN.burst
    assert (await denied(proof.prove(link(), RIGHT, ANN, known=False))).wait
    await proof.prove(link(), RIGHT, replace(ANN, browser="in"), known=True)
    clock.forward(3600)
    hour = [f"{first}.{second}.7.9" for first in (13, 14, 15, 16) for second in range(250)]
    assert await wrong_from(proof, hour) == FROM_ANEW.burst + FROM_AGAIN.burst


async def test_attack_one_persons_many_networks_are_one_neighbourhood(proof: PassphraseProof, quick: None) -> None:
    """A /48 has 65,536 networks: after the first wrong one all of them are counted as wrong lately."""
    mine = [f"2001:db8:7:{number:x}::1" for number in range(1000)]
    assert await wrong_from(proof, mine) == 1 + FROM_AGAIN.burst
    for number in range(50):
        await proof.prove(link(), RIGHT, replace(ANN, address=f"2001:db8:{number + 100:x}::1"), known=False)


async def test_attack_who_is_in_does_not_guess_without_end(proof: PassphraseProof, quick: None) -> None:
    """Each browser has what a network has, wherever it is, and all of them have an end; strangers do not notice."""
    for number in range(int(PER_MINUTE.per)):
        inside = replace(EVE, browser="one", address=f"198.51.{number}.9")
        assert (await denied(proof.prove(link(), WRONG, inside, known=True))).reason is Reason.PASSPHRASE_WRONG
    one_more = replace(EVE, browser="one", address="203.0.113.9")
    assert (await denied(proof.prove(link(), RIGHT, one_more, known=True))).reason is Reason.JOIN_LIMIT
    for number in range(int(FROM_INSIDE.burst - PER_MINUTE.per)):
        inside = replace(EVE, browser=f"browser-{number}")
        assert (await denied(proof.prove(link(), WRONG, inside, known=True))).reason is Reason.PASSPHRASE_WRONG
    assert (await denied(proof.prove(link(), RIGHT, replace(ANN, browser="a"), known=True))).wait
    await proof.prove(link(), RIGHT, ANN, known=False)


async def test_few_are_compared_at_once_and_few_wait(proof: PassphraseProof, monkeypatch: pytest.MonkeyPatch) -> None:
    """In threads, so that the gate goes on. When too many wait, whoever came last where most wait is told to come
    again: one link's crowd does not keep out another link's people."""
    go, running, most = threading.Event(), 0, 0
    lock = threading.Lock()

    def slow(_: str, given: str) -> bool:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        go.wait(10)
        with lock:
            running -= 1
        return True

    monkeypatch.setattr(module, "matches", slow)
    crowd = [
        asyncio.create_task(proof.prove(link(), RIGHT, replace(EVE, address=f"198.51.{number % 100}.7"), known=False))
        for number in range(WAITING + AT_ONCE)
    ]
    await asyncio.sleep(0)
    try:
        one_more = await denied(proof.prove(link(), RIGHT, replace(EVE, address="198.51.1.7"), known=False))
        assert one_more.reason is Reason.JOIN_LIMIT and one_more.wait
        other = asyncio.create_task(proof.prove(link("l2"), RIGHT, ANN, known=False))
    finally:
        go.set()
        results = await asyncio.gather(*crowd, return_exceptions=True)
    assert await other
    assert most == AT_ONCE
    assert [one.reason for one in results if isinstance(one, Denied)] == [Reason.JOIN_LIMIT]
    await proof.prove(link(), RIGHT, EVE, known=False)
