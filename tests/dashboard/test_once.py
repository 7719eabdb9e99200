"""Idempotency keys on a movable clock: asked once, answered again, bounded."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sharegate.dashboard import once
from sharegate.dashboard.once import Once
from sharegate.errors import StoreUnavailable
from sharegate.shares import answered
from sharegate.stores.sqlite import SqliteStore, open_sqlite
from tests.conftest import Clock

KEY = b"k" * 32


class Making:
    """Makes things, each another one; `waits` holds it up."""

    def __init__(self) -> None:
        self.made = 0
        self.status = 200
        self.waits: asyncio.Event | None = None

    async def __call__(self) -> tuple[int, dict[str, Any]]:
        self.made += 1
        number = self.made
        if self.waits is not None:
            await self.waits.wait()
        return self.status, {"made": number}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = await open_sqlite(tmp_path / "store.db", key=b"k" * 32)
    yield store
    await store.close()


async def ask(kept: Once, making: Making, key: str = "k", request: bytes = b"r", who: str = "w") -> Any:
    return await kept.answer(who, [key], request, making, lambda said: 100)


async def test_the_same_request_is_answered_once_for_a_day(store: SqliteStore, clock: Clock) -> None:
    """After that it is a new one."""
    kept, making = Once(store, clock, KEY), Making()
    assert await ask(kept, making) == await ask(kept, making) == (200, {"made": 1})
    assert (await ask(kept, making, who="other"))[1] == {"made": 2}
    clock.forward(86399)
    assert (await ask(kept, making))[1] == {"made": 1}
    clock.forward(1)
    assert (await ask(kept, making))[1] == {"made": 3}


async def test_race_the_same_request_twice_at_once(store: SqliteStore, clock: Clock) -> None:
    """One is made; the other is told that it is being answered, and gets the same when it comes back."""
    kept, making = Once(store, clock, KEY), Making()
    making.waits = asyncio.Event()
    first = asyncio.ensure_future(ask(kept, making))
    while not making.made:
        await asyncio.sleep(0)
    status, said = await ask(kept, making)
    assert (status, said["error"]["code"]) == (409, "in_progress")
    making.waits.set()
    assert await first == await ask(kept, making) == (200, {"made": 1})


async def test_who_hangs_up_is_answered_when_they_come_back(store: SqliteStore, clock: Clock) -> None:
    """What was begun is done once."""
    kept, making = Once(store, clock, KEY), Making()
    making.waits = asyncio.Event()
    first = asyncio.ensure_future(ask(kept, making))
    while not making.made:
        await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    making.waits.set()
    while (answer := await ask(kept, making))[0] == 409:
        await asyncio.sleep(0)
    assert answer == (200, {"made": 1})


async def test_a_refusal_may_be_asked_again(store: SqliteStore, clock: Clock) -> None:
    """Nothing was made: the key is free."""
    kept, making = Once(store, clock, KEY), Making()
    making.status = 403
    assert (await ask(kept, making))[0] == 403
    making.status = 200
    assert (await ask(kept, making, request=b"another"))[1] == {"made": 2}


async def test_after_a_restart_nothing_is_made_twice(store: SqliteStore, clock: Clock) -> None:
    """Whoever asks again has the same answer, as at another gate; another request is still another one."""
    making = Making()
    assert (await ask(Once(store, clock, KEY), making))[0] == 200
    after = Once(store, clock, KEY)
    for _ in range(2):
        assert await ask(after, making) == (200, {"made": 1})
    status, said = await ask(after, making, request=b"another")
    assert (status, said["error"]["code"]) == (422, "key_reused")
    assert (await ask(after, making, who="other"))[1] == {"made": 2}
    clock.forward(86400)
    assert (await ask(after, making))[1] == {"made": 3}


async def test_what_a_killed_gate_was_doing_is_not_done_again(store: SqliteStore, clock: Clock) -> None:
    """So long as another gate may be about it, whoever asks again is to wait. Then it may have been made: that is for
    the asker to see."""
    making = Making()
    making.waits = asyncio.Event()
    first = asyncio.ensure_future(ask(Once(store, clock, KEY), making))
    while not making.made:
        await asyncio.sleep(0)
    for code in ("in_progress", "asked_before"):
        status, said = await ask(Once(store, clock, KEY), making)
        assert (status, said["error"]["code"], making.made) == (409, code, 1)
        clock.forward(once.AT_WORK_SECONDS)
    making.waits.set()
    await first
    assert await ask(Once(store, clock, KEY), making) == (200, {"made": 1})


async def test_race_one_request_at_many_gates(store: SqliteStore, clock: Clock) -> None:
    """Of twenty at once one makes it; the others are told to come back, and have its answer then."""
    making = Making()
    gates = [Once(store, clock, KEY) for _ in range(20)]
    answers = await asyncio.gather(*(ask(gate, making) for gate in gates))
    assert making.made == 1 and (200, {"made": 1}) in answers
    assert {said["error"]["code"] for status, said in answers if status != 200} <= {"in_progress"}
    assert [await ask(gate, making) for gate in gates] == [(200, {"made": 1})] * 20


async def test_race_a_refusal_at_one_gate_frees_the_key_at_all(store: SqliteStore, clock: Clock) -> None:
    """And whoever asked at another one just then is told to ask again."""
    making = Making()
    making.status = 403
    gates = [Once(store, clock, KEY) for _ in range(5)]
    answers = await asyncio.gather(*(ask(gate, making) for gate in gates))
    assert {status for status, _ in answers} <= {403, 409}
    assert {said["error"]["code"] for status, said in answers if status == 409} <= {"in_progress"}
    making.status = 200
    assert (await ask(gates[0], making))[0] == 200


async def test_an_answer_that_is_too_long_is_given_again_by_its_gate_alone(store: SqliteStore, clock: Clock) -> None:
    """What another one says is to look."""
    long = {"made": os.urandom(answered.LONGEST).hex()}

    async def making() -> tuple[int, dict[str, Any]]:
        return 200, long

    here = Once(store, clock, KEY)
    for _ in range(2):
        assert await here.answer("w", ["k"], b"r", making, lambda said: 100) == (200, long)
    status, said = await Once(store, clock, KEY).answer("w", ["k"], b"r", making, lambda said: 100)
    assert (status, said["error"]["code"]) == (409, "asked_before")


async def test_attack_whoever_has_the_store_reads_answers(store: SqliteStore, clock: Clock) -> None:
    """An answer may hold a token that is shown once: it lies there sealed."""
    making = Making()
    await ask(Once(store, clock, KEY), making, key="one-of-theirs")
    kept = await store.asked_once(once._name("w", "one-of-theirs"))
    assert kept is not None and b"made" not in kept.answer and "answer=" not in repr(kept)
    assert answered.SealedAnswers(KEY).open(kept.answer, who="w", key="one-of-theirs") == {"made": 1}
    another = Once(store, clock, b"o" * 32)
    status, said = await ask(another, making, key="one-of-theirs")
    assert status in (409, 422) and "made" not in said and making.made == 1


async def test_what_cannot_be_stored_is_not_begun(store: SqliteStore, clock: Clock) -> None:
    """Fails closed, and the key is free when it can."""
    kept, making = Once(store, clock, KEY), Making()
    await store.close()
    with pytest.raises(StoreUnavailable):
        await ask(kept, making)
    assert making.made == 0 and not kept._kept["w"]


async def test_memory_is_bounded(store: SqliteStore, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """In number and in bytes for each asker, and askers whose keys are old are forgotten."""
    kept, making = Once(store, clock, KEY), Making()
    monkeypatch.setattr(once, "MOST_OF_ONE", 50)
    for number in range(60):
        await ask(kept, making, f"k{number}")
    assert len(kept._kept["w"]) == 50
    monkeypatch.setattr(once, "MOST_BYTES_OF_ONE", 1000)
    await ask(kept, making, "last")
    assert len(kept._kept["w"]) == 10
    assert (await ask(kept, making, "last"))[1] == {"made": making.made}
    clock.forward(86400)
    await ask(kept, making, who="another")
    assert set(kept._kept) == {"another"}


async def test_what_failed_halfway_is_not_made_twice(store: SqliteStore, clock: Clock) -> None:
    """It may have been made before it failed: whoever asks again is told to look."""
    kept, making = Once(store, clock, KEY), Making()
    making.status = 503
    assert (await ask(kept, making))[0] == 503
    making.status = 200
    for gate in (kept, Once(store, clock, KEY)):
        status, said = await ask(gate, making)
        assert status == 409 and said["error"]["code"] == "asked_before" and making.made == 1


async def test_attack_whoever_has_the_store_guesses_at_what_was_asked(store: SqliteStore, clock: Clock) -> None:
    """A request may hold a passphrase: its digest is keyed, with a key that is not in the store."""
    digests = set()
    for key in (KEY, b"other" * 8):
        await ask(Once(store, clock, key), Making(), key=key.hex(), request=b"a passphrase")
        kept = await store.asked_once(once._name("w", key.hex()))
        assert kept is not None
        digests.add(kept.digest)
    assert len(digests | {hashlib.sha256(b"a passphrase").hexdigest()}) == 3
