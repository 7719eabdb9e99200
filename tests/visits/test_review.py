"""The door under people who mean harm or simply wait."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from sharegate.errors import Denied, Reason, StoreUnavailable
from sharegate.shares.issue import NewLink
from sharegate.shares.model import KnockState
from sharegate.visits.entry import Comer
from sharegate.visits.knocking import KNOCK_LASTS
from tests.conftest import Clock
from tests.house import ANN, EVE, House, house


@pytest_asyncio.fixture
async def home(tmp_path: Path, clock: Clock) -> AsyncIterator[House]:
    async with house(tmp_path, clock) as made:
        yield made


async def test_attack_bad_tokens_of_one_network_keep_nobody_out(home: House) -> None:
    """Whoever shares an address with a guesser (a school, a proxy in front) still gets in by a good link."""
    _, (link,) = await home.share()
    reasons = set()
    for _ in range(200):
        with pytest.raises(Denied) as denied:
            await home.door.about("x.y.z", EVE)
        reasons.add(denied.value.reason)

    assert reasons == {Reason.BAD_CREDENTIAL, Reason.CREDENTIAL_LIMIT}
    neighbour = Comer("", EVE.address, "Mozilla/5.0 Firefox")
    assert (await home.door.open(home.token(link), "", neighbour)).visit.name == "Ann"


async def test_one_link_is_not_opened_without_end_from_one_network(home: House) -> None:
    """A good token is limited too, by link and network."""
    _, (link,) = await home.share()
    reasons = set()
    for _ in range(1000):
        try:
            await home.door.about(home.token(link), EVE)
        except Denied as denied:
            reasons.add(denied.reason)

    assert reasons == {Reason.JOIN_LIMIT}


async def test_knocks_that_nobody_answered_make_room(home: House, clock: Clock) -> None:
    """After twelve hours a knock is over: others can knock again, and so can who waited."""
    _, (link,) = await home.share()
    await home.door.open(home.token(link), "", ANN)
    comers = [Comer("", f"203.0.{number}.7", "x") for number in range(8)]
    first = [await home.door.knock_by_link(home.token(link), "E", False, comer) for comer in comers]
    clock.forward(KNOCK_LASTS + 1)
    back = Comer(first[0].browser, comers[0].address, "x")
    assert (await home.door.knock_state(first[0].knock, back)).state is KnockState.GONE
    again = await home.door.knock_by_link(home.token(link), "E", False, back)

    assert again.knock != first[0].knock
    assert (await home.door.knock_state(again.knock, back)).state is KnockState.WAITING
    assert [knock.id for knock in await home.store.knocks()] == [again.knock]


@pytest.mark.parametrize("end", ["revoked", "crowded", "nobody's"])
async def test_attack_knocking_twice_at_an_address_tells_nothing(home: House, end: str) -> None:
    """Revoked, crowded or made up: an address answers each knock of a browser alike, and the second like the first."""
    share, (link,) = await home.share()
    entry = await home.door.open(home.token(link), "", ANN)
    address = entry.location if end != "nobody's" else f"/s/{share.id}/~zzzzzzzzzz/lab"
    if end == "revoked":
        await home.issuer.revoke_share(share.id)
    if end == "crowded":
        for number in range(8):
            await home.door.knock_by_link(home.token(link), "E", False, Comer("", f"203.0.{number}.7", "x"))
    first = await home.door.knock_by_address(address, "Eve", False, EVE)
    known = replace(EVE, browser=first.browser)
    second = await home.door.knock_by_address(address, "Eve", False, known)

    assert first.state is second.state is KnockState.WAITING
    assert (first.knock, first.browser) == (second.knock, second.browser)
    assert len(first.knock) == 10 and first.entry is None
    assert (await home.door.knock_state(first.knock, known)).state is KnockState.WAITING


async def test_a_preview_stays_short_when_its_share_is_extended(home: House, clock: Clock) -> None:
    """A preview made in a share's last minutes does not become a link that nobody sees in the list."""
    share, _ = await home.share(expires=clock() + 120)
    preview = await home.issuer.preview(share.id)
    await home.issuer.change_share(share.id, {"expires": clock() + 7 * 86400})

    kept = await home.store.link(preview.id)
    assert kept is not None and kept.expires <= clock() + 300


async def test_a_device_that_could_not_be_recorded_holds_no_place(home: House) -> None:
    """No record, no device: the place stays free."""
    share, (link,) = await home.share(NewLink(name="Ann", devices=1))
    ann = await home.door.open(home.token(link), "", ANN)
    code, _ = await home.door.device_code(await home.authenticator.by_cookie(share.id, ann.visit.id, [ann.cookie]))
    home.notes.broken = True
    with pytest.raises(StoreUnavailable):
        await home.door.open_device(code, EVE)
    home.notes.broken = False

    assert [visit.id for visit in await home.store.visits(share.id, open_only=True)] == [ann.visit.id]
