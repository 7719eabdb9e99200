"""`/ready`, check by check."""

from __future__ import annotations

import asyncio

import pytest

from sharegate.condition import checks
from sharegate.dashboard.health import Health
from sharegate.errors import StoreUnavailable


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


class Heard:
    """A store whose every write works, and whose history is heard of or not."""

    writer = "gate"

    def __init__(self, *, heard: bool) -> None:
        self._heard = heard

    async def ready(self) -> None:
        return None

    async def head(self, writer: str) -> tuple[int, str]:
        if not self._heard:
            raise StoreUnavailable("not heard of")
        return 1, writer

    def signing_key(self) -> Heard:
        return self

    def sign(self, data: bytes) -> bytes:
        return data


@pytest.mark.parametrize(("heard", "said"), [(True, "ok"), (False, "failed")])
async def test_a_history_that_cannot_be_read_is_not_ready(heard: bool, said: str) -> None:
    """Though the last event was written and none has been since."""
    store = Heard(heard=heard)
    assert (await Health(checks(store, store, store, lambda: False)).look())["history"] == said
