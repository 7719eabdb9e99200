"""`/ready`, check by check."""

from __future__ import annotations

import asyncio

from sharegate.dashboard.health import Health


async def fine() -> None:
    return None


async def broken() -> None:
    raise OSError("/home/ann/secret is full")


async def hangs() -> None:
    await asyncio.Event().wait()


async def test_each_check_says_its_word_and_no_more() -> None:
    """What is wrong with it is not told to whoever asks, and one that hangs does not hold up the answer."""
    said = await Health({"store": fine, "history": broken, "keys": hangs}, patience=0.01).look()
    assert said == {"store": "ok", "history": "failed", "keys": "slow"}
