"""Idempotency keys on a movable clock: asked once, answered again, bounded."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sharegate.dashboard import once
from sharegate.dashboard.once import Once
from tests.conftest import Clock


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


async def ask(kept: Once, making: Making, key: str = "k", request: bytes = b"r", who: str = "w") -> Any:
    return await kept.answer(who, [key], request, making, lambda said: 100)


async def test_the_same_request_is_answered_once_for_a_day(clock: Clock) -> None:
    """After that it is a new one."""
    kept, making = Once(clock), Making()
    assert await ask(kept, making) == await ask(kept, making) == (200, {"made": 1})
    assert (await ask(kept, making, who="other"))[1] == {"made": 2}
    clock.forward(86399)
    assert (await ask(kept, making))[1] == {"made": 1}
    clock.forward(1)
    assert (await ask(kept, making))[1] == {"made": 3}


async def test_race_the_same_request_twice_at_once(clock: Clock) -> None:
    """One is made; the other is told that it is being answered, and gets the same when it comes back."""
    kept, making = Once(clock), Making()
    making.waits = asyncio.Event()
    first = asyncio.ensure_future(ask(kept, making))
    while not making.made:
        await asyncio.sleep(0)
    status, said = await ask(kept, making)
    assert (status, said["error"]["code"]) == (409, "in_progress")
    making.waits.set()
    assert await first == await ask(kept, making) == (200, {"made": 1})


async def test_who_hangs_up_is_answered_when_they_come_back(clock: Clock) -> None:
    """What was begun is done once."""
    kept, making = Once(clock), Making()
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


async def test_a_refusal_may_be_asked_again(clock: Clock) -> None:
    """Nothing was made: the key is free."""
    kept, making = Once(clock), Making()
    making.status = 503
    assert (await ask(kept, making))[0] == 503
    making.status = 200
    assert (await ask(kept, making, request=b"another"))[1] == {"made": 2}


async def test_memory_is_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """In number and in bytes for each asker, and askers whose keys are old are forgotten."""
    kept, making = Once(clock), Making()
    for number in range(once.MOST_OF_ONE + 5):
        await ask(kept, making, f"k{number}")
    assert len(kept._kept["w"]) == once.MOST_OF_ONE
    monkeypatch.setattr(once, "MOST_BYTES_OF_ONE", 1000)
    await ask(kept, making, "last")
    assert len(kept._kept["w"]) == 10
    assert (await ask(kept, making, "last"))[1] == {"made": making.made}
    clock.forward(86400)
    await ask(kept, making, who="another")
    assert set(kept._kept) == {"another"}
