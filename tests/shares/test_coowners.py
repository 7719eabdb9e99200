"""Marks of co-owners: whose they are, and in which browser they hold."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec import structs

from sharegate.errors import NotFound, Refused
from sharegate.shares.coowners import Marks, bind, holder, is_coowner
from sharegate.shares.issue import NewLink
from sharegate.shares.model import Link, LinkKind, Visit, VisitKind
from tests.conftest import Clock
from tests.house import ANN, EVE, House, house

LINK = Link(id="l", share="s", letter="a", created=1.0, expires=9.0, coowner=True, coowner_browser="hers")
VISIT = Visit(id="v", share="s", link="l", number=1, browser_hash="hers", created=1.0, expires=9.0)


@pytest_asyncio.fixture
async def home(tmp_path: Path, clock: Clock) -> AsyncIterator[House]:
    async with house(tmp_path, clock) as built:
        yield built


def marks(home: House, *, allowed: bool = True) -> Marks:
    return Marks(home.store, replace(home.policies.sharing, coowners=allowed), home.clock)


@pytest.mark.parametrize("kind", list(VisitKind))
def test_attack_visits_of_other_kinds(kind: VisitKind) -> None:
    """Who opened the link, or was let in by the owner; no device, preview or program."""
    assert is_coowner(LINK, structs.replace(VISIT, kind=kind)) is (kind in (VisitKind.BROWSER, VisitKind.KNOCK))


@pytest.mark.parametrize(
    "link",
    [{"coowner": False}, {"kind": LinkKind.OPEN}, {"kind": LinkKind.PREVIEW}, {"coowner_browser": ""}, {"id": "other"}],
)
def test_attack_other_links(link: dict[str, object]) -> None:
    """Without the mark, for anyone, for the owner's eyes, bound to nobody, or not theirs."""
    assert not is_coowner(structs.replace(LINK, **link), VISIT)
    assert not is_coowner(structs.replace(LINK, **link), structs.replace(VISIT, browser_hash=""))


def test_attack_other_browsers() -> None:
    """And whoever was let in by a co-owner, also in this very browser."""
    assert is_coowner(LINK, VISIT)
    assert not is_coowner(LINK, structs.replace(VISIT, browser_hash="another"))
    assert not is_coowner(LINK, structs.replace(VISIT, admitted_by="somebody"))


def test_who_is_in_by_a_link() -> None:
    """Whoever opened it, rather than whom the owner let in; of several let in nobody; none whom a co-owner let in."""
    knock = structs.replace(VISIT, id="k", kind=VisitKind.KNOCK)
    device = structs.replace(VISIT, id="d", kind=VisitKind.DEVICE)
    assert holder([knock, VISIT, device], 2.0) is VISIT
    assert holder([knock, device], 2.0) is knock
    assert holder([knock, structs.replace(knock, id="k2")], 2.0) is None
    assert holder([structs.replace(knock, admitted_by="x"), device], 2.0) is None
    assert holder([VISIT], 9.0) is None and holder([structs.replace(VISIT, ended=1.5)], 2.0) is None


async def test_a_mark_is_bound_to_who_is_in(home: House) -> None:
    """And stays theirs, whoever is let in beside them."""
    _, (link,) = await home.share()
    entry = await home.door.open(home.token(link), "", ANN)
    marked, visit = await marks(home).add(link.id)
    assert visit is not None and visit.id == entry.visit.id and is_coowner(marked, visit)
    waiting = await home.door.knock_by_link(home.token(link), "Eve", False, EVE)
    _, let_in = await home.knocks.admit(waiting.knock, None)
    assert not is_coowner(marked, let_in)


async def test_a_mark_that_nobody_has_is_the_first_ones(home: House) -> None:
    """Who opens the link first; nobody who opens it later, when the first has left."""
    _, (link,) = await home.share()
    marked, visit = await marks(home).add(link.id)
    assert visit is None and marked.coowner and marked.coowner_browser == ""
    tia = await home.door.open(home.token(link), "", ANN)
    bound = await home.store.link(link.id)
    assert bound is not None and is_coowner(bound, tia.visit)
    await home.store.end_visits([tia.visit.id], at=home.clock(), reason="left")
    eve = await home.door.open(home.token(link), "", EVE)
    again = await home.store.link(link.id)
    assert again is not None and not is_coowner(again, eve.visit), "who has the link after her is no co-owner"
    await home.store.end_visits([eve.visit.id], at=home.clock(), reason="left")
    back = await home.door.open(home.token(link), "", replace(ANN, browser=tia.browser))
    assert is_coowner(again, back.visit), "in her own browser she is"


async def test_marking_again_binds_anew(home: House) -> None:
    """To whoever is in by then: on another computer, perhaps."""
    _, (link,) = await home.share()
    await home.door.open(home.token(link), "", ANN)
    first, visit = await marks(home).add(link.id)
    assert visit is not None
    await home.store.end_visits([visit.id], at=home.clock(), reason="ended by the owner")
    await home.door.open(home.token(link), "", EVE)
    second, now = await marks(home).add(link.id)
    assert now is not None and is_coowner(second, now) and second.coowner_browser != first.coowner_browser


async def test_what_cannot_be_marked(home: House) -> None:
    """Links for anyone, previews, what was revoked, what is not there; and nothing where the rules forbid it."""
    share, (person, anyone) = await home.share(NewLink(name="Tia"), NewLink(anyone=True))
    preview = await home.issuer.preview(share.id)
    for link in (anyone, preview):
        with pytest.raises(Refused) as refused:
            await marks(home).add(link.id)
        assert refused.value.code == "coowner_link"
    with pytest.raises(Refused) as refused:
        await marks(home, allowed=False).add(person.id)
    assert refused.value.code == "coowners_off"
    await home.issuer.revoke_link(person.id)
    with pytest.raises(Refused) as refused:
        await marks(home).add(person.id)
    assert refused.value.code == "revoked"
    with pytest.raises(NotFound):
        await marks(home).add("nobody")
    assert not any(link.coowner for link in await home.store.links(share.id))


async def test_a_mark_is_taken_away(home: House) -> None:
    """With its browser, and also where the rules forbid co-owners; twice is no fault."""
    _, (link,) = await home.share()
    await home.door.open(home.token(link), "", ANN)
    await marks(home).add(link.id)
    for _ in range(2):
        left = await marks(home, allowed=False).remove(link.id)
        assert (left.coowner, left.coowner_browser) == (False, "")


async def test_binding_is_no_one_elses(home: House) -> None:
    """A mark that is bound, and a link without one, are left as they are."""
    _, (link,) = await home.share()
    entry = await home.door.open(home.token(link), "", ANN)
    assert await bind(home.store, entry.visit) is None
    await marks(home).add(link.id)
    assert await bind(home.store, structs.replace(entry.visit, browser_hash="another")) is None
    unchanged = await home.store.link(link.id)
    assert unchanged is not None and unchanged.coowner_browser == entry.visit.browser_hash
