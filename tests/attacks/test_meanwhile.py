"""What an owner changes while somebody stands at the door counts for them, too. A proof takes a while, and whoever has
many browsers wait for their turn makes it take longer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from sharegate.errors import Denied, Reason
from sharegate.shares.conditions import Need
from sharegate.shares.issue import NewLink
from sharegate.shares.model import Link, Share, Visit
from sharegate.shares.passphrases import hashed
from sharegate.tally import OwnTally
from sharegate.visits.entry import Comer
from sharegate.visits.join import Door
from sharegate.visits.passphrase import PassphraseProof
from sharegate.visits.proving import Shown
from tests.conftest import Clock
from tests.house import ADDRESSES, ANN, EVE, House, house

WORDS = "green bicycle 7"
Act = Callable[[House, Share, Link], Awaitable[object]]


class Meanwhile:
    """Looks at passphrases as the gate does; when one is found right, the owner acts before the visitor is in."""

    need = Need.PASSPHRASE

    def __init__(self, clock: Clock) -> None:
        self._proof = PassphraseProof(OwnTally(clock))
        self.act: Callable[[], Awaitable[object]] | None = None

    async def prove(self, link: Link, shown: Shown, comer: Comer, *, known: bool) -> dict[str, str]:
        proved = await self._proof.prove(link, shown, comer, known=known)
        if self.act is not None:
            await self.act()
        return proved


@pytest_asyncio.fixture
async def home(tmp_path: Path, clock: Clock) -> AsyncIterator[House]:
    async with house(tmp_path, clock) as built:
        yield built


def door_of(home: House, proof: Meanwhile) -> Door:
    return Door(
        home.store,
        home.authenticator,
        home.notes,
        ADDRESSES,
        home.clock,
        role_sentence=home.policies.roles.sentence,
        key=b"k" * 32,
        proofs=[proof],
    )


async def pause(home: House, share: Share, link: Link) -> None:
    await home.issuer.pause_link(link.id, paused=True)


async def revoke(home: House, share: Share, link: Link) -> None:
    await home.issuer.revoke_share(share.id)


async def replace_it(home: House, share: Share, link: Link) -> None:
    await home.issuer.replace(link.id)


async def fewer(home: House, share: Share, link: Link) -> None:
    await home.issuer.change_link(link.id, {"visits": 1})


async def another_word(home: House, share: Share, link: Link) -> None:
    await home.issuer.change_link(link.id, {"passphrase": "yellow bicycle 8"})


async def ask(home: House, share: Share, link: Link) -> None:
    await home.issuer.change_link(link.id, {"ask": True})


async def from_elsewhere(home: House, share: Share, link: Link) -> None:
    await home.issuer.change_link(link.id, {"networks": ["203.0.113.0/24"]})


async def later(home: House, share: Share, link: Link) -> None:
    await home.issuer.change_link(link.id, {"not_before": home.clock() + 60})


ACTS: dict[str, tuple[Act, Reason]] = {
    "paused": (pause, Reason.LINK_PAUSED),
    "revoked": (revoke, Reason.SHARE_REVOKED),
    "replaced": (replace_it, Reason.LINK_REPLACED),
    "fewer seats": (fewer, Reason.SEATS_TAKEN),
    "another passphrase": (another_word, Reason.PASSPHRASE_NEEDED),
    "asks first": (ask, Reason.APPROVAL_NEEDED),
    "other networks": (from_elsewhere, Reason.OUTSIDE_NETWORKS),
    "not yet": (later, Reason.NOT_YET),
}


@pytest.mark.parametrize(("act", "reason"), ACTS.values(), ids=ACTS.keys())
async def test_race_the_owner_tightens_a_link_while_somebody_proves(home: House, act: Act, reason: Reason) -> None:
    """They are refused by what holds when they come in. No visit is left behind, which would hold a place or come in
    when the link is eased again, and the history does not say that they came in."""
    share, (link,) = await home.share(NewLink(anyone=True, visits=2))
    link = await home.store.change_link(link.id, passphrase=hashed(WORDS))
    proof = Meanwhile(home.clock)
    door, token, shown = door_of(home, proof), home.token(link), Shown(passphrase=WORDS)
    ann = await door.open(token, "Ann", ANN, shown)
    proof.act = lambda: act(home, share, link)
    with pytest.raises(Denied) as caught:
        await door.open(token, "Eve", EVE, shown)
    assert caught.value.reason is reason
    assert [visit.id for visit in await home.store.visits(share.id, open_only=True)] == [ann.visit.id]
    assert home.notes.actions().count("link.joined") == 1


async def test_race_a_link_is_replaced_while_a_visit_is_written(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody stays in by an address that counts no more; who was in before does."""
    share, (link,) = await home.share(NewLink(anyone=True, visits=2))
    token = home.token(link)
    ann = await home.door.open(token, "Ann", ANN)
    written = home.store.open_visit

    async def open_visit(visit: Visit, *, seats: int | None) -> Visit:
        opened = await written(visit, seats=seats)
        await home.issuer.replace(link.id)
        return opened

    monkeypatch.setattr(home.store, "open_visit", open_visit)
    with pytest.raises(Denied) as caught:
        await home.door.open(token, "Eve", EVE)
    assert caught.value.reason is Reason.LINK_REPLACED
    assert [visit.id for visit in await home.store.visits(share.id, open_only=True)] == [ann.visit.id]
    assert home.notes.actions()[-2:] == ["link.joined", "visit.ended"]


async def test_race_a_link_is_replaced_while_somebody_comes_back(home: House) -> None:
    """Whoever is in stays in: the visit is theirs, by a cookie of its own."""
    share, (link,) = await home.share(NewLink(anyone=True, visits=2))
    proof = Meanwhile(home.clock)
    door, token = door_of(home, proof), home.token(link)
    ann = await door.open(token, "Ann", ANN)
    await home.store.change_link(link.id, passphrase=hashed(WORDS))
    proof.act = lambda: replace_it(home, share, link)
    again = await door.open(token, "", Comer(ann.browser, ANN.address, ANN.agent), Shown(passphrase=WORDS))
    assert again.visit.id == ann.visit.id


@pytest.mark.parametrize(
    ("act", "reason"),
    [(ACTS[name][0], ACTS[name][1]) for name in ("revoked", "other networks", "another passphrase")],
    ids=["revoked", "other networks", "another passphrase"],
)
async def test_race_the_owner_tightens_a_link_while_somebody_proves_and_knocks(
    home: House, act: Act, reason: Reason
) -> None:
    """The owner hears of nobody who could not knock by now."""
    share, (link,) = await home.share(NewLink(anyone=True, ask=True))
    link = await home.store.change_link(link.id, passphrase=hashed(WORDS))
    proof = Meanwhile(home.clock)
    door = door_of(home, proof)
    proof.act = lambda: act(home, share, link)
    with pytest.raises(Denied) as caught:
        await door.knock_by_link(home.token(link), "Eve", False, EVE, Shown(passphrase=WORDS))
    assert caught.value.reason is reason
    assert await home.store.knocks() == []
    assert "knock.made" not in home.notes.actions()
