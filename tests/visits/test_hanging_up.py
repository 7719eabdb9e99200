"""Whoever hangs up between what is stored and what is recorded: it is recorded all the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio

from sharegate.messages import Headers, Request
from sharegate.shares.interfaces import ShareStore
from sharegate.shares.model import Grant, KnockState
from sharegate.visits.join import Door
from sharegate.visits.more_time import MoreTime
from sharegate.visits.own import OwnAddresses
from sharegate.visits.programs import Programs, read_token
from sharegate.visits.reporting import Reporting
from sharegate.visits.site import Site
from tests.conftest import Clock
from tests.house import ADDRESSES, ANN, EVE, House, house


class Hanging:
    """A store whose asker hangs up at the moment in which it has stored something."""

    _CHANGES = ("open_visit", "change_visit", "end_visits", "add_knock", "add_device_code", "spend_device_code")

    def __init__(self, store: ShareStore) -> None:
        self._store = store
        self.asker: asyncio.Task[Any] | None = None

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        return self._then_gone(found) if name in self._CHANGES else found

    def _then_gone(self, change: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Coroutine[Any, Any, Any]]:
        async def changing(*arguments: Any, **named: Any) -> Any:
            changed = await change(*arguments, **named)
            if self.asker is not None:
                self.asker.cancel()
                self.asker = None
                await asyncio.sleep(0)
            return changed

        return changing

    async def ask(self, call: Coroutine[Any, Any, Any]) -> None:
        self.asker = asyncio.create_task(call)
        with pytest.raises(asyncio.CancelledError):
            await self.asker


@pytest_asyncio.fixture
async def home(tmp_path: Path, clock: Clock) -> AsyncIterator[House]:
    async with house(tmp_path, clock) as built:
        yield built


@pytest.fixture
def hanging(home: House) -> Hanging:
    return Hanging(home.store)


@pytest.fixture
def door(home: House, hanging: Hanging) -> Door:
    store = cast("ShareStore", hanging)
    return Door(store, home.authenticator, home.notes, ADDRESSES, home.clock, role_sentence=str, key=b"k" * 32)


async def inside(home: House, door: Door) -> tuple[str, Grant]:
    """The token of Ann's link, and Ann."""
    _, (link,) = await home.share()
    entry = await door.open(home.token(link), "", ANN)
    grant = await home.authenticator.by_cookie(entry.share.id, entry.visit.id, [entry.cookie])
    home.notes.events.clear()
    return home.token(link), grant


async def test_attack_a_program_that_hangs_up_while_it_joins(home: House, hanging: Hanging) -> None:
    """Its visit is one that the history knows; the next request of the program goes on with it."""
    programs = Programs(cast("ShareStore", hanging), home.authenticator, home.notes, home.clock)
    share, (link,) = await home.share(clients=True)
    request = Request("GET", "/s/x/api", Headers([("Authorization", f"Bearer {home.token(link)}")]), ANN.address)
    asked = read_token(request, "")
    await hanging.ask(programs.enter(asked, share.id))
    await programs.finished()
    (visit,) = await home.store.visits(share.id, open_only=True)

    assert [(event.action.value, event.visit) for event in home.notes.events] == [("program.joined", visit.id)]
    assert (await programs.enter(asked, share.id)).visit.id == visit.id
    assert home.notes.actions() == ["program.joined"]


async def test_attack_a_program_that_hangs_up_when_nothing_can_be_recorded(home: House, hanging: Hanging) -> None:
    """What is not recorded is taken back, though nobody waits for it."""
    programs = Programs(cast("ShareStore", hanging), home.authenticator, home.notes, home.clock)
    share, (link,) = await home.share(clients=True)
    request = Request("GET", "/s/x/api", Headers([("Authorization", f"Bearer {home.token(link)}")]), ANN.address)
    home.notes.broken = True
    await hanging.ask(programs.enter(read_token(request, ""), share.id))
    await programs.finished()

    assert await home.store.visits(share.id, open_only=True) == []


async def test_attack_a_browser_that_hangs_up_while_it_joins(home: House, hanging: Hanging, door: Door) -> None:
    """At the first opening, and when it comes back."""
    _, (link,) = await home.share()
    await hanging.ask(door.open(home.token(link), "", replace(ANN, browser="b" * 43)))
    await door.finished()
    assert home.notes.actions() == ["link.joined"]
    await hanging.ask(door.open(home.token(link), "", replace(ANN, browser="b" * 43)))
    await door.finished()
    assert home.notes.actions() == ["link.joined", "link.reentered"]


async def test_attack_a_knock_of_somebody_who_hangs_up(home: House, hanging: Hanging, door: Door) -> None:
    """What waits at the door was recorded; and so is entering, once admitted."""
    token, _ = await inside(home, door)
    eve = replace(EVE, browser="e" * 43)
    await hanging.ask(door.knock_by_link(token, "Eve", False, eve))
    await door.finished()
    (knock,) = await home.store.knocks()
    assert home.notes.actions() == ["link.passed_on", "knock.made"]
    await home.knocks.admit(knock.id, None)
    await hanging.ask(door.knock_state(knock.id, eve))
    await door.finished()
    assert home.notes.actions() == ["link.passed_on", "knock.made", "link.joined"]
    assert (await door.knock_state(knock.id, eve)).state is KnockState.ADMITTED


async def test_attack_a_device_that_hangs_up(home: House, hanging: Hanging, door: Door) -> None:
    """The code that was made, and the device that was added by one."""
    _, ann = await inside(home, door)
    await hanging.ask(door.device_code(ann))
    await door.finished()
    assert home.notes.actions() == ["device.code_made"]
    code, _ = await door.device_code(ann)
    await hanging.ask(door.open_device(code, EVE))
    await door.finished()
    assert home.notes.actions() == ["device.code_made", "device.code_made", "device.added"]


async def test_a_page_that_leaves_and_is_gone(home: House, hanging: Hanging, door: Door) -> None:
    """A closed window does not wait for an answer."""
    _, ann = await inside(home, door)
    store = cast("ShareStore", hanging)
    reporting = Reporting(store, home.notes, home.clock)
    own = OwnAddresses(
        store,
        home.authenticator,
        door,
        home.notes,
        ADDRESSES,
        home.clock,
        site=Site(ADDRESSES),
        reporting=reporting,
        more_time=MoreTime(store, home.notes, home.clock),
    )
    await hanging.ask(own.answer(Request("POST", "/", Headers([]), ANN.address), ann, ("leave",)))
    await own.finished()
    assert home.notes.actions() == ["visit.left"]
