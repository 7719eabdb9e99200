"""What the house requires of links: when they are given, when they are changed, and when the rules change."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from sharegate.errors import Refused
from sharegate.shares.fitting import Given, fit
from sharegate.shares.issue import NewLink
from sharegate.shares.model import Link, LinkKind, Role, VisitKind
from sharegate.shares.required import CONDITIONS, check_required, listed
from tests.conftest import Clock
from tests.house import House, house
from tests.shares.test_fitting import DAY, NOW, Told, done, link, of, share, visit

ASKS: dict[str, Any] = {
    "recipient": "ann@example.org",
    "domain": "example.org",
    "passphrase": "$argon2id$x",
    "networks": ("10.0.0.0/8",),
    "ask": True,
}
EDITS = ("recipient", "passphrase")


@pytest_asyncio.fixture
async def home(tmp_path: Path, clock: Clock) -> AsyncIterator[House]:
    async with house(tmp_path, clock) as built:
        yield built


def ruled(home: House, **rules: Any) -> None:
    home.issuer._rules = replace(home.policies.sharing, **rules)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_one_of_the_conditions_is_enough(condition: str) -> None:
    """Each is a field of a link; a link to view need not ask, and neither need one that is paused or revoked."""
    rules = Told(edit_asks_for=tuple(CONDITIONS))
    edits = share(role=Role.EDIT)
    check_required(rules, edits, link(**{condition: ASKS[condition]}))
    for fine in (link(role=Role.VIEW), link(paused=True), link(revoked=NOW), link(kind=LinkKind.PREVIEW)):
        check_required(rules, edits, fine)
    with pytest.raises(Refused) as told:
        check_required(rules, edits, link())
    assert told.value.code == "condition_required" and CONDITIONS[condition] in str(told.value)
    assert listed([condition]) == CONDITIONS[condition]


async def test_a_link_to_edit_asks_for_something(home: House) -> None:
    """When it is made, with its share or later, and when it or its share is changed; one to view is given as before."""
    ruled(home, edit_asks_for=EDITS)
    with pytest.raises(Refused) as told:
        await home.share(role="edit")
    assert told.value.code == "condition_required"
    assert await home.store.shares() == []
    shared, (held,) = await home.share(NewLink("Ann", passphrase="between us all"), role="edit")
    for changes in ({"passphrase": None}, {"passphrase": "", "ask": True}):
        with pytest.raises(Refused, match="one e-mail address or a passphrase"):
            await home.issuer.change_link(held.id, changes)
    await home.issuer.change_link(held.id, {"passphrase": "", "recipient": "ann@example.org"})
    with pytest.raises(Refused):
        await home.issuer.add_link(shared.id, NewLink("Bo"))
    looks, (only,) = await home.share(NewLink("Cy"))
    with pytest.raises(Refused):
        await home.issuer.change_share(looks.id, {"role": "edit"})
    assert (await home.store.share(looks.id) or shared).role is Role.VIEW
    await home.issuer.change_link(only.id, {"passphrase": "between us all"})
    assert (await home.issuer.change_share(looks.id, {"role": "edit"})).role is Role.EDIT


async def test_a_paused_link_is_not_opened_again_without(home: House) -> None:
    """Until it asks for what is required."""
    _, (held,) = await home.share(role="edit")
    await home.issuer.pause_link(held.id, paused=True)
    ruled(home, edit_asks_for=("ask",))
    with pytest.raises(Refused):
        await home.issuer.pause_link(held.id, paused=False)
    await home.issuer.change_link(held.id, {"ask": True})
    assert not (await home.issuer.pause_link(held.id, paused=False)).paused


async def test_a_link_for_anyone_asks_and_ends_in_time(home: House) -> None:
    """It ends with the rules' time where its share lasts longer, also when that is extended."""
    ruled(home, anyone_asks_for=("ask", "networks"), anyone_max_expires_seconds=2 * DAY)
    with pytest.raises(Refused, match="a link for anyone"):
        await home.share(NewLink(anyone=True))
    shared, (held, person) = await home.share(NewLink(anyone=True, ask=True), NewLink("Ann"))
    assert (held.expires, person.expires) == (home.clock() + 2 * DAY, shared.expires)
    with pytest.raises(Refused):
        await home.issuer.change_link(held.id, {"ask": False})
    changed = await home.issuer.change_link(held.id, {"expires": home.clock() + 3 * DAY})
    assert changed.expires == home.clock() + 2 * DAY
    short, (ends,) = await home.share(NewLink(anyone=True, ask=True), expires=home.clock() + DAY)
    await home.issuer.change_share(short.id, {"expires": home.clock() + 9 * DAY})
    again = await home.store.link(ends.id)
    assert again is not None and again.expires == home.clock() + 2 * DAY


def test_what_new_rules_do_to_what_was_given() -> None:
    """Who could edit by a link that asks for nothing can look; links for anyone are paused, or end sooner; what asks is
    left alone, and doing it twice changes nothing more."""
    given = Given(
        share(role=Role.EDIT, expires=NOW + 9 * DAY),
        [
            link("a", expires=NOW + 9 * DAY),
            link("b", passphrase="x", expires=NOW + 9 * DAY),
            link("c", kind=LinkKind.OPEN, visits=5, role=Role.VIEW, expires=NOW + 9 * DAY),
            link("d", kind=LinkKind.OPEN, visits=5, role=Role.VIEW, ask=True, expires=NOW + 9 * DAY),
            link("e", role=Role.VIEW, expires=NOW + 9 * DAY),
        ],
        [visit("v", "a"), visit("w", "c", kind=VisitKind.BROWSER)],
    )
    rules = Told(edit_asks_for=EDITS, anyone_asks_for=("ask",), anyone_max_expires_seconds=3 * DAY)
    found = fit(rules, [given], NOW)
    assert of(found) == [
        ("link", "a", False, {"role": Role.VIEW}),
        ("link", "c", True, {"paused": True, "expires": NOW + 3 * DAY}),
        ("link", "d", False, {"expires": NOW + 3 * DAY}),
    ]
    assert "one e-mail address or a passphrase" in found[0].what
    after = done(given, found)
    assert fit(rules, [after], NOW) == []
    for one in after.links:
        if not one.paused:
            check_required(rules, after.share, one)


def test_without_a_role_to_view_a_link_is_paused() -> None:
    """There is nothing less to give."""
    rules = Told(roles=(Role.EDIT,), edit_asks_for=("ask",))
    given = Given(share(role=Role.EDIT), [link()], [])
    found = fit(rules, [given], NOW)
    assert of(found) == [("link", "l", True, {"paused": True})]
    assert fit(rules, [done(given, found)], NOW) == []


def test_every_condition_is_one_of_a_link() -> None:
    """A name that no link has would be asked for in vain."""
    assert set(CONDITIONS) <= {field.name for field in msgspec.structs.fields(Link)}
