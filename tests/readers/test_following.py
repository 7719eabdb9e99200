"""Waiting for a change: one look for all who wait at a place."""

from __future__ import annotations

import asyncio

import pytest

from sharegate.errors import Denied, Reason
from sharegate.readers.following import Following, stamp

PLACE = ("share", "sub/nb.ipynb")


async def test_all_who_wait_share_one_look() -> None:
    """Sixty phones cost a server about as much as one: each for itself would look four times. On a busy machine some
    wake so late that there is a fifth look."""
    looks = 0

    async def look() -> str:
        nonlocal looks
        looks += 1
        await asyncio.sleep(0)
        return "a" if looks < 4 else "b"

    following = Following(every=0.01, patience=5)
    assert all(await asyncio.gather(*[following.changed(PLACE, "a", look) for _ in range(60)]))
    assert 4 <= looks < 60


async def test_what_stays_is_told_in_the_end() -> None:
    """Nobody waits for ever."""

    async def look() -> str:
        return "a"

    following = Following(every=0.01, patience=0.05)
    assert not await following.changed(PLACE, "a", look)
    assert following._places == {}


async def test_what_a_look_finds_is_raised() -> None:
    """For each who waits; and whoever comes next looks anew."""

    async def gone() -> str:
        raise Denied(Reason.NOT_FOUND)

    following = Following(every=0.01, patience=5)
    told = await asyncio.gather(*[following.changed(PLACE, "a", gone) for _ in range(3)], return_exceptions=True)
    assert [type(one) for one in told] == [Denied] * 3 and following._places == {}


async def test_nobody_waits_for_a_gate_that_stops() -> None:
    """Whoever waits is answered at once, and so is whoever comes meanwhile."""

    async def look() -> str:
        return "a"

    following = Following(every=3600, patience=3600)
    waiting = [asyncio.create_task(following.changed(PLACE, "a", look)) for _ in range(3)]
    await asyncio.sleep(0)
    following.finish()
    async with asyncio.timeout(25):
        assert await asyncio.gather(*waiting, following.changed(PLACE, "a", look)) == [False] * 4


@pytest.mark.parametrize("name", ["path", "type", "last_modified", "size"])
def test_a_stamp_is_of_what_stands_there(name: str) -> None:
    """Another file, another kind, another moment or another size is another stamp."""
    model = {"path": "a", "type": "file", "last_modified": "2026-01-01T00:00:00Z", "size": 3}
    assert stamp(model) == stamp(dict(model)) != stamp({**model, name: "other"})
