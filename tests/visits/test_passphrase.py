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
from sharegate.visits import passphrase as module
from sharegate.visits.passphrase import AT_ONCE, FROM_EVERYWHERE, PER_HOUR, PER_MINUTE, WAITING, PassphraseProof
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
    return PassphraseProof(clock)


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


async def test_attack_guessing_from_many_networks_is_slow_and_locks_out_nobody_who_is_in(
    proof: PassphraseProof, quick: None
) -> None:
    """Newcomers wait then; whoever has a visit by the link, and other links, do not notice."""
    for number in range(int(FROM_EVERYWHERE.burst)):
        eve = replace(EVE, address=f"198.51.{number}.9")
        assert (await denied(proof.prove(link(), WRONG, eve, known=False))).reason is Reason.PASSPHRASE_WRONG
    told = await denied(proof.prove(link(), RIGHT, ANN, known=False))
    assert told.reason is Reason.JOIN_LIMIT and told.wait
    await proof.prove(link(), RIGHT, ANN, known=True)
    await proof.prove(link("l2"), RIGHT, ANN, known=False)


async def test_few_are_compared_at_once_and_few_wait(proof: PassphraseProof, monkeypatch: pytest.MonkeyPatch) -> None:
    """In threads, so that the gate goes on; whoever comes when too many wait is told to come again."""
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
    waiting = [
        asyncio.create_task(proof.prove(link(), RIGHT, replace(ANN, address=f"192.0.{number}.7"), known=True))
        for number in range(WAITING)
    ]
    await asyncio.sleep(0)
    try:
        told = await denied(proof.prove(link(), RIGHT, EVE, known=True))
        assert told.reason is Reason.JOIN_LIMIT and told.wait
    finally:
        go.set()
        await asyncio.gather(*waiting)
    assert most == AT_ONCE
    await proof.prove(link(), RIGHT, EVE, known=True)
