"""One look for all visitors of a share at where a room's file lies."""

from __future__ import annotations

import asyncio

import pytest

from sharegate.channels.interfaces import Confirm
from sharegate.channels.place import FRESH_SECONDS, Place
from sharegate.errors import Denied, Reason
from tests.channels.looks import Ids, Looks
from tests.conftest import Clock


async def test_visitors_who_ask_together_share_a_look(clock: Clock) -> None:
    """Five hundred askers cost one look; a quarter of a second later there is a new one."""
    looks = Looks()
    place = Place(looks, Ids(), now=clock)
    await asyncio.gather(*(place.fresh() for _ in range(500)))
    await place.fresh()
    assert len(looks.made) == 1
    clock.forward(FRESH_SECONDS)
    await place.fresh()
    assert len(looks.made) == 2


async def test_a_look_counts_from_when_it_began(clock: Clock) -> None:
    """An answer that was long on its way is old when it comes."""
    looks = Looks()
    looks.go.clear()
    place = Place(looks, Ids(), now=clock)
    first = asyncio.create_task(place.fresh())
    while not looks.made:
        await asyncio.sleep(0)
    clock.forward(FRESH_SECONDS)
    looks.go.set()
    await first
    await place.fresh()
    assert len(looks.made) == 2


async def test_a_refusal_is_everybodys_and_not_kept(clock: Clock) -> None:
    """All who asked hear of it; who asks next has a look made."""
    looks = Looks()
    looks.refuse = Reason.ROOM_LEFT_ROOT
    place = Place(looks, Ids(), now=clock)
    answers = await asyncio.gather(*(place.fresh() for _ in range(3)), return_exceptions=True)
    assert [str(answer) for answer in answers] == ["room_left_root"] * 3
    looks.refuse = None
    await place.fresh()
    assert len(looks.made) == 2


async def test_an_asker_who_goes_takes_nobody_along(clock: Clock) -> None:
    """The look goes on for the others."""
    looks = Looks()
    looks.go.clear()
    place = Place(looks, Ids(), now=clock)
    one, other = asyncio.create_task(place.fresh()), asyncio.create_task(place.fresh())
    await asyncio.sleep(0)
    one.cancel()
    looks.go.set()
    await other
    assert looks.made == ["a moment ago"]


async def test_news_are_confirmed_by_a_look_of_their_own(clock: Clock) -> None:
    """However fresh the last look is; what may be news of a move asks for the newest path."""
    looks = Looks()
    place = Place(looks, Ids(), now=clock)
    await place.fresh()
    await place.confirm(Confirm.NOTHING)
    await place.confirm(Confirm.PLACE)
    await place.confirm(Confirm.NEWEST)
    assert looks.made == ["a moment ago", "a moment ago", "newest"]
    looks.refuse = Reason.LINK_OUT
    with pytest.raises(Denied, match="link_out"):
        await place.confirm(Confirm.PLACE)
