"""Cells that visitors ask to have run, and what becomes of them meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from sharegate.shares.model import Grant
from sharegate.visits.asking import CLOSED_SECONDS, SETTLING_SECONDS, Asking
from sharegate.visits.hands import Hands, HandState
from tests.conftest import Clock
from tests.house import ANN, house
from tests.visits.notebooks import Open, raised

NOTEBOOK = "sub/shared/nb.ipynb"


@pytest_asyncio.fixture
async def grant(tmp_path: Path, clock: Clock) -> AsyncIterator[Grant]:
    async with house(tmp_path, clock) as home:
        _, (link,) = await home.share()
        entry = await home.door.open(home.token(link), "", ANN)
        yield await home.authenticator.by_cookie(entry.share.id, entry.visit.id, [entry.cookie])


@pytest.fixture
def there() -> Open:
    return Open()


@pytest.fixture
def hands(clock: Clock, there: Open) -> Hands:
    return raised(clock, there)


def ended(hands: Hands) -> list[HandState]:
    seen: list[HandState] = []
    hands.subscribe(lambda hand: seen.append(hand.state))
    return seen


OTHERS: list[dict[str, str]] = [{"c": "1+2"}, {"d": "1+1"}, {}]


@pytest.mark.parametrize("now", OTHERS, ids=["changed", "gone", "empty"])
async def test_a_hand_goes_down_when_its_cell_is_another(
    grant: Grant, clock: Clock, there: Open, hands: Hands, now: dict[str, str]
) -> None:
    """As soon as the typing before it must have arrived; meanwhile the owner is not shown it."""
    there.cells = {NOTEBOOK: now}
    hand = hands.ask(grant, NOTEBOOK, "c", "1+1")
    seen = ended(hands)
    asking = Asking(hands, clock)
    asking.look()
    assert seen == [] and hands.waiting() == [hand] and hands.standing() == []
    clock.forward(SETTLING_SECONDS)
    asking.look()
    assert seen == [HandState.CHANGED] and hands.waiting() == []


@pytest.mark.parametrize("now", OTHERS, ids=["changed", "gone", "empty"])
async def test_a_hand_that_stood_goes_down_at_once(
    grant: Grant, clock: Clock, there: Open, hands: Hands, now: dict[str, str]
) -> None:
    """Typing that was on its way is said to the owner when it is there; what changes after that ends the ask."""
    hands.ask(grant, NOTEBOOK, "c", "1+1")
    seen = ended(hands)
    asking = Asking(hands, clock)
    asking.look()
    there.cells = {NOTEBOOK: {"c": "1+1"}}
    asking.look()
    asking.look()
    assert seen == [HandState.WAITING]
    there.cells = {NOTEBOOK: now}
    asking.look()
    assert seen[1:] == [HandState.CHANGED] and hands.waiting() == []


async def test_a_hand_whose_notebook_nobody_has_open(grant: Grant, clock: Clock, there: Open, hands: Hands) -> None:
    """It is shown to nobody, stands again when a page comes back with the same text, and goes down after a while."""
    there.cells = {NOTEBOOK: {"c": "1+1"}}
    hand = hands.ask(grant, NOTEBOOK, "c", "1+1")
    seen = ended(hands)
    asking = Asking(hands, clock)
    asking.look()
    clock.forward(CLOSED_SECONDS)
    asking.look()
    there.closed = True
    asking.look()
    clock.forward(CLOSED_SECONDS / 2)
    asking.look()
    assert hands.standing() == [] and hands.waiting() == [hand]
    there.closed = False
    asking.look()
    assert hands.standing() == [hand]
    there.closed = True
    clock.forward(CLOSED_SECONDS)
    asking.look()
    assert seen == [HandState.WAITING, HandState.CLOSED] and hands.waiting() == []


async def test_nothing_is_read_for_nobody(grant: Grant, clock: Clock, there: Open, hands: Hands) -> None:
    """While no hand is up no notebook is read; a hand stays up for what was asked, whatever else is there."""
    asking = Asking(hands, clock)
    asking.look()
    assert there.read == []
    there.cells = {NOTEBOOK: {"c": "1+1", "d": "else"}}
    hand = hands.ask(grant, NOTEBOOK, "c", "1+1")
    clock.forward(SETTLING_SECONDS)
    asking.look()
    assert hands.waiting() == [hand]
    assert there.read == [(grant.share.upstream, hand.room, NOTEBOOK)]
