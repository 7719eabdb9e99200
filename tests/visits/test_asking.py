"""Cells that visitors ask to have run, and what becomes of them meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from sharegate.shares.model import Grant
from sharegate.visits.asking import SETTLING_SECONDS, Asking
from sharegate.visits.hands import Hands, HandState
from tests.conftest import Clock
from tests.house import ANN, house

NOTEBOOK = "sub/shared/nb.ipynb"


@pytest_asyncio.fixture
async def grant(tmp_path: Path, clock: Clock) -> AsyncIterator[Grant]:
    async with house(tmp_path, clock) as home:
        _, (link,) = await home.share()
        entry = await home.door.open(home.token(link), "", ANN)
        yield await home.authenticator.by_cookie(entry.share.id, entry.visit.id, [entry.cookie])


@pytest.mark.parametrize("now", [{"c": "1+2"}, {"d": "1+1"}, {}], ids=["changed", "gone", "empty"])
async def test_a_hand_goes_down_when_its_cell_is_another(grant: Grant, clock: Clock, now: dict[str, str]) -> None:
    """As soon as the typing before it must have arrived, and not while it is on its way."""
    hands = Hands(clock)
    ended: list[HandState] = []
    hands.ask(grant, NOTEBOOK, "c", "1+1")
    hands.subscribe(lambda hand: ended.append(hand.state))
    asking = Asking(hands, lambda *_: now, clock)
    asking.look()
    assert ended == []
    clock.forward(SETTLING_SECONDS)
    asking.look()
    assert ended == [HandState.CHANGED] and hands.waiting() == []


async def test_a_hand_stays_up_for_what_was_asked(grant: Grant, clock: Clock) -> None:
    """Its own source, other cells, and a document that the gate does not have end nothing; nothing is read for none."""
    hands = Hands(clock)
    read: list[tuple[str, str]] = []
    found: list[dict[str, str] | None] = [{"c": "1+1", "d": "else"}, None]

    def sources(upstream: str, path: str) -> dict[str, str] | None:
        read.append((upstream, path))
        return found.pop(0)

    asking = Asking(hands, sources, clock)
    asking.look()
    assert read == []
    hand = hands.ask(grant, NOTEBOOK, "c", "1+1")
    clock.forward(SETTLING_SECONDS)
    asking.look()
    asking.look()
    assert hands.waiting() == [hand]
    assert read == [(grant.share.upstream, NOTEBOOK)] * 2
