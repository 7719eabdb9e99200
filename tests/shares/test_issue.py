"""What an owner may share, and what is refused with field and remedy."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from sharegate.errors import Denied, Invalid, NotFound, Reason, Refused
from sharegate.shares.interfaces import RootFacts
from sharegate.shares.issue import Issuer, NewLink, NewShare, letters
from sharegate.shares.model import LinkKind, RootIdentity, RootKind
from tests.conftest import Clock
from tests.house import House, house
from tests.stores.records import a_visit


@pytest_asyncio.fixture
async def home(tmp_path: Path, clock: Clock) -> AsyncIterator[House]:
    async with house(tmp_path, clock) as built:
        yield built


def new(**changes: Any) -> NewShare:
    return NewShare(**{"upstream": "u2345", "path": "sub/shared", "owner": "Olga", **changes})


async def test_defaults_are_view_seven_days_one_person(home: House) -> None:
    """And the share is named after its folder."""
    share, (link,), overlaps = await home.issuer.create(new())

    assert (share.role, share.name, share.kind) == ("view", "shared", RootKind.DIRECTORY)
    assert share.expires == home.clock() + 7 * 86400
    assert (link.kind, link.visits, link.devices, link.letter) == (LinkKind.PERSON, 1, 3, "a")
    assert not share.clients
    assert overlaps == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"path": "sub/../secret"}, "path"),
        ({"path": "sub//shared"}, "path"),
        ({"path": "sub/\x00"}, "path"),
        ({"path": "nowhere"}, "path"),
        ({"role": "root"}, "role"),
        ({"expires": 5.0}, "expires"),
        ({"expires": "soon"}, "expires"),
        ({"expires": True}, "expires"),
        ({"name": "x" * 61}, "name"),
        ({"message": "x" * 501}, "message"),
        ({"open_file": "../x"}, "open"),
        ({"open_file": ".hidden"}, "open"),
        ({"open_file": "sub/shared"}, "open"),
        ({"links": ()}, "links"),
        ({"links": (NewLink(name="Ann", anyone=True),)}, "for"),
        ({"links": (NewLink(visits=2),)}, "visits"),
        ({"links": (NewLink(anyone=True, visits=0),)}, "visits"),
        ({"links": (NewLink(devices=-1),)}, "devices"),
        ({"links": (NewLink(name="x" * 61),)}, "for"),
    ],
)
async def test_bad_input_names_its_field_and_changes_nothing(home: House, changes: dict[str, Any], field: str) -> None:
    """No share, no link, a remedy."""
    home.ground.facts["nowhere"] = None
    with pytest.raises(Invalid) as caught:
        await home.issuer.create(new(**changes))

    assert caught.value.field == field
    assert caught.value.remedy
    assert await home.store.shares() == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"path": ""}, "root_of_server"),
        ({"path": "/"}, "root_of_server"),
        ({"path": ".ssh"}, "hidden_path"),
        ({"path": "sub/.git/x"}, "hidden_path"),
        ({"path": "keys"}, "protected_path"),
        ({"role": "run"}, "role_not_available"),
        ({"expires": 1e12}, "expires_too_late"),
        ({"links": (NewLink(anyone=True, visits=10**6),)}, "too_many_visits"),
        ({"links": (NewLink(devices=99),)}, "too_many_devices"),
    ],
)
async def test_what_the_rules_forbid_is_refused(home: House, changes: dict[str, Any], code: str) -> None:
    """Refused, not invalid: exit code 3, and nothing is stored."""
    home.ground.facts["keys"] = RootFacts(RootKind.DIRECTORY, RootIdentity(1, 2), protected="/data/keys")
    with pytest.raises(Refused) as caught:
        await home.issuer.create(new(**changes))

    assert caught.value.code == code
    assert await home.store.shares() == []


async def test_links_for_programs_are_made_where_the_rules_permit_them(home: House) -> None:
    """At first or later; what the rules say decides over the owner."""
    share, *_ = await home.issuer.create(new(clients=True))
    assert share.clients
    assert not (await home.issuer.change_share(share.id, {"clients": False})).clients
    assert (await home.issuer.change_share(share.id, {"clients": True})).clients
    with pytest.raises(Invalid, match="clients"):
        await home.issuer.change_share(share.id, {"clients": "yes"})

    strict = Issuer(home.store, home.tokens, home.ground, replace(home.policies.sharing, clients=False), home.clock)
    for call in (strict.create(new(clients=True)), strict.change_share(share.id, {"clients": True})):
        with pytest.raises(Refused) as caught:
            await call
        assert caught.value.code == "clients_off"
    assert not (await strict.change_share(share.id, {"clients": False})).clients


async def test_overlapping_shares_are_shown(home: House) -> None:
    """Inside, around and the same; not a sibling, not one that was revoked."""
    outer, *_ = await home.issuer.create(new(path="sub"))
    gone, *_ = await home.issuer.create(new(path="sub/shared"))
    await home.issuer.revoke_share(gone.id)
    await home.issuer.create(new(path="sub2"))
    _, _, overlaps = await home.issuer.create(new(path="sub/shared/inner"))

    assert [share.id for share in overlaps] == [outer.id]


async def test_a_file_is_shared_by_itself(home: House) -> None:
    """Its kind is the file's; it needs no file to open."""
    home.ground.facts["sub/a.ipynb"] = RootFacts(RootKind.FILE, RootIdentity(1, 3))
    share, *_ = await home.issuer.create(new(path="sub/a.ipynb"))
    assert share.kind is RootKind.FILE
    with pytest.raises(Invalid):
        await home.issuer.create(new(path="sub/a.ipynb", open_file="b"))


@pytest.mark.parametrize("given", ["nb.ipynb", "sub/shared/nb.ipynb"])
async def test_the_file_to_open_may_be_named_from_the_folder_or_the_root(home: House, given: str) -> None:
    """Both spellings land on the same file."""
    share, *_ = await home.issuer.create(new(open_file=given))

    assert share.open_file == "sub/shared/nb.ipynb"


async def test_a_link_never_outlives_its_share(home: House) -> None:
    """An end of its own may only be nearer."""
    share, _, _ = await home.issuer.create(new(expires=home.clock() + 100))
    later = await home.issuer.add_link(share.id, NewLink(name="Bo", expires=home.clock() + 10_000))
    nearer = await home.issuer.add_link(share.id, NewLink(name="Cy", expires=home.clock() + 50))

    assert later.expires == share.expires
    assert nearer.expires == home.clock() + 50
    assert (later.letter, nearer.letter) == ("b", "c")


async def test_confirming_takes_what_stands_there_now(home: House) -> None:
    """A suspended share goes on with the new identity; another kind of thing is refused."""
    share, *_ = await home.issuer.create(new())
    await home.store.change_share(share.id, suspended=True)
    home.ground.facts["sub/shared"] = RootFacts(RootKind.DIRECTORY, RootIdentity(9, 9))
    confirmed = await home.issuer.confirm(share.id)
    assert (confirmed.suspended, confirmed.identity) == (False, RootIdentity(9, 9))
    home.ground.facts["sub/shared"] = RootFacts(RootKind.FILE)
    with pytest.raises(Refused):
        await home.issuer.confirm(share.id)


async def test_what_does_not_exist_is_not_found(home: House) -> None:
    """Shares, links and visits alike."""
    for call in (
        home.issuer.pause_share("nope", paused=True),
        home.issuer.revoke_link("nope"),
        home.issuer.end_visit("nope", "x"),
        home.issuer.change_share("nope", {"name": "x"}),
    ):
        with pytest.raises(NotFound):
            await call


async def test_two_who_replace_a_link_at_once(home: House) -> None:
    """The URL that one of them is told ends with the other's."""
    _, (link,) = await home.share()
    replaced = await asyncio.gather(*(home.issuer.replace(link.id) for _ in range(5)))
    assert sorted(each.serial for each in replaced) == [2, 3, 4, 5, 6]


@pytest.mark.parametrize("changes", [{}, {"root": "secret"}, {"identity": None}, {"role": "run"}, {"expires": 1}])
async def test_a_change_that_is_none_or_not_allowed_changes_nothing(home: House, changes: dict[str, Any]) -> None:
    """The root of a share cannot be changed; a role that is not available cannot be given."""
    share, *_ = await home.issuer.create(new())
    with pytest.raises((Invalid, Refused)):
        await home.issuer.change_share(share.id, changes)

    assert await home.store.share(share.id) == share


def test_letters_go_on_after_z() -> None:
    """a … z, aa, ab …: no two links of a share have one name."""
    names = [letters(number) for number in range(800)]

    assert names[:2] == ["a", "b"]
    assert names[25:28] == ["z", "aa", "ab"]
    assert len(set(names)) == 800


async def test_files_that_run_by_themselves_are_allowed_and_forbidden(home: House) -> None:
    """Per share, when it is made and later; the rules of the house may forbid it."""
    share, _, _ = await home.issuer.create(new())
    assert not share.runnable_files
    assert (await home.issuer.change_share(share.id, {"runnable_files": True})).runnable_files
    assert not (await home.issuer.change_share(share.id, {"runnable_files": False})).runnable_files
    for odd in ("true", 1, None):
        with pytest.raises(Invalid) as invalid:
            await home.issuer.change_share(share.id, {"runnable_files": odd})
        assert invalid.value.field == "runnable_files"

    home.issuer._rules = replace(home.policies.sharing, runnable_files=False)
    for act in (
        home.issuer.create(new(runnable_files=True)),
        home.issuer.change_share(share.id, {"runnable_files": True}),
    ):
        with pytest.raises(Refused) as refused:
            await act
        assert refused.value.code == "runnable_files"
    stored = await home.store.share(share.id)
    assert stored is not None and not stored.runnable_files


async def test_a_lowered_number_puts_nobody_out_who_comes_back_with_a_later_end(home: House) -> None:
    """Whoever was inside when the link expired is inside again; nobody new comes in before there are fewer."""
    _, (link,) = await home.share(NewLink(anyone=True, visits=3))
    ends = home.clock() + 3600
    await home.issuer.change_link(link.id, {"expires": ends})
    come = [a_visit(f"w{n}", link=link.id, share=link.share, expires=ends) for n in range(4)]
    for visit in come[:3]:
        await home.store.open_visit(visit, seats=3)
    home.clock.forward(7200)
    await home.issuer.change_link(link.id, {"visits": 1})
    later = home.clock() + 3600
    changed = await home.issuer.change_link(link.id, {"expires": later})
    back = await home.store.visits(link.share, link=link.id, open_only=True)
    assert [(one.id, one.expires) for one in back] == [(f"w{n}", later) for n in range(3)]
    with pytest.raises(Denied) as caught:
        await home.store.open_visit(come[3], seats=changed.visits)
    assert caught.value.reason is Reason.SEATS_TAKEN
