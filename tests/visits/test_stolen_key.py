"""A signing key that is refused while somebody enters by a token that was verified a moment before."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio

from sharegate.errors import Denied, Reason
from sharegate.messages import Headers, Request
from sharegate.shares.interfaces import ShareStore
from sharegate.shares.keys import KeyRing
from sharegate.shares.model import Visit
from sharegate.visits.join import Door
from sharegate.visits.programs import Asked, Programs, read_token
from tests.conftest import Clock
from tests.house import ADDRESSES, ANN, House, house


class Rotating:
    """A store beside which the owner refuses the key, and ends whoever is inside, just before a visit is opened."""

    def __init__(self, store: ShareStore, folder: Path) -> None:
        self._store = store
        self._folder = folder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def open_visit(self, visit: Visit, *, seats: int | None) -> Visit:
        KeyRing.open(self._folder / "keys", visit.created).rotate(visit.created, compromised=True)
        inside = await self._store.visits(visit.share, open_only=True)
        await self._store.end_visits([each.id for each in inside], at=visit.created, reason="a stolen key")
        return await self._store.open_visit(visit, seats=seats)


@pytest_asyncio.fixture
async def home(tmp_path: Path, clock: Clock) -> AsyncIterator[House]:
    async with house(tmp_path, clock) as built:
        yield built


@pytest.fixture
def rotating(home: House, tmp_path: Path) -> ShareStore:
    return cast("ShareStore", Rotating(home.store, tmp_path))


def asked(token: str) -> Asked:
    return read_token(Request("GET", "/s/x/api", Headers([("Authorization", f"Bearer {token}")]), ANN.address), "")


async def test_attack_a_program_that_enters_while_its_key_is_refused(home: House, rotating: ShareStore) -> None:
    """It is refused, and leaves no visit that the next good token would go on with."""
    programs = Programs(rotating, home.authenticator, home.notes, home.clock)
    share, (link,) = await home.share(clients=True)
    with pytest.raises(Denied) as caught:
        await programs.enter(asked(home.token(link)), share.id)

    assert caught.value.reason is Reason.BAD_CREDENTIAL
    assert await home.store.visits(share.id, open_only=True) == []
    assert home.notes.actions() == ["program.joined", "visit.ended"]


async def test_attack_a_program_that_is_inside_while_its_key_is_refused(home: House, tmp_path: Path) -> None:
    """The visit is known, and its token was verified: what stops it is asked again."""
    programs = Programs(home.store, home.authenticator, home.notes, home.clock)
    share, (link,) = await home.share(clients=True)
    token = home.token(link)
    await programs.enter(asked(token), share.id)
    known = programs._known

    async def meanwhile(link: Any) -> Visit | None:
        KeyRing.open(tmp_path / "keys", home.clock()).rotate(home.clock(), compromised=True)
        return await known(link)

    programs._known = meanwhile  # type: ignore[method-assign]
    with pytest.raises(Denied) as caught:
        await programs.enter(asked(token), share.id)
    assert caught.value.reason is Reason.BAD_CREDENTIAL


async def test_attack_a_browser_that_enters_while_its_links_key_is_refused(home: House, rotating: ShareStore) -> None:
    """The seat is free again, for whoever has the link's new address."""
    door = Door(rotating, home.authenticator, home.notes, ADDRESSES, home.clock, role_sentence=str, key=b"k" * 32)
    share, (link,) = await home.share()
    with pytest.raises(Denied) as caught:
        await door.open(home.token(link), "", ANN)

    assert caught.value.reason is Reason.BAD_CREDENTIAL
    assert await home.store.visits(share.id, open_only=True) == []
    assert home.notes.actions() == ["link.joined", "visit.ended"]
