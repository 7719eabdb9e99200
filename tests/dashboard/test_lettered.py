"""Links that are added at the same moment: one at a time, and again where a letter was taken elsewhere. Races are in
test_two_tabs.py and test_two_offices.py."""

from __future__ import annotations

import asyncio

import pytest

from sharegate.dashboard.lettered import TRIES, Lettered
from sharegate.errors import Refused


class Adding:
    """Something to be made, which fails so often because another gate was first."""

    def __init__(self, taken: int) -> None:
        self.taken = taken
        self.inside = 0
        self.most = 0

    async def __call__(self) -> int:
        self.inside += 1
        self.most = max(self.most, self.inside)
        await asyncio.sleep(0)
        self.inside -= 1
        self.taken -= 1
        if self.taken >= 0:
            raise ValueError("taken")
        return self.taken


async def test_a_letter_that_was_taken_is_tried_again() -> None:
    """Until it works, or others go on for too long; after that the next one has its turn."""
    lettered = Lettered()
    assert await lettered.made(Adding(TRIES - 1)) == -1
    with pytest.raises(Refused) as refused:
        await lettered.made(Adding(TRIES))
    assert refused.value.code == "changed" and refused.value.remedy
    assert await lettered.made(Adding(0)) == -1


async def test_one_at_a_time() -> None:
    """At this gate nobody takes another's letter."""
    lettered, adding = Lettered(), Adding(0)
    await asyncio.gather(*(lettered.made(adding) for _ in range(5)))
    assert adding.most == 1


async def test_what_is_refused_is_not_tried_again() -> None:
    """Only a letter that was taken."""

    async def refused() -> int:
        tried.append(1)
        raise Refused("no", "not so")

    tried: list[int] = []
    with pytest.raises(Refused, match="not so"):
        await Lettered().made(refused)
    assert len(tried) == 1
