"""What visitors are called inside a document."""

from __future__ import annotations

import asyncio
import unicodedata
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharegate.names import clean_name
from sharegate.shares.addresses import GateAddresses
from sharegate.shares.interfaces import Change
from sharegate.shares.model import Grant, Link, LinkKind, Role, Share, Visit, VisitKind
from sharegate.visits.entry import badge
from sharegate.visits.names import OWNERS, REMEMBERED, Names, fold
from tests.conftest import Clock


def grant(
    visit: str,
    name: str,
    *,
    typed: bool = False,
    upstream: str = "u1",
    owner: str = "Olga",
    link: LinkKind = LinkKind.PERSON,
    **fields: Any,
) -> Grant:
    share = Share(id=f"s-{upstream}", upstream=upstream, owner=owner, root="sub", created=0.0, expires=9e9)
    by = Link(
        id=f"l-{visit}",
        share=share.id,
        letter="a",
        kind=LinkKind.OPEN if typed else link,
        name="" if typed else name,
        created=0.0,
        expires=9e9,
    )
    who = Visit(
        **{"id": visit, "share": share.id, "link": by.id, "number": 1, "name": name, "created": 0.0, "expires": 9e9}
        | fields
    )
    return Grant(share, by, who, Role.EDIT, frozenset(), 9e9, GateAddresses("http://127.0.0.1:8870").of(share.id))


def test_two_anns_are_told_apart() -> None:
    """The second person of a name gets a number, and both keep what they have."""
    names = Names(Clock())
    first, second = grant("v1", "Ann"), grant("v2", "Ann")
    assert [names.of(first), names.of(second), names.of(first), names.of(second)] == ["Ann", "Ann (2)"] * 2
    assert names.identity(second)["display_name"] == names.identity(second)["name"] == "Ann (2)"
    assert names.identity(second)["username"] == "sharegate-v2"


def test_devices_of_one_person_have_one_name() -> None:
    """Whichever of them comes first."""
    device = {"kind": VisitKind.DEVICE, "came_from": "v1"}
    for order in ((0, 1), (1, 0)):
        names = Names(Clock())
        both = [grant("v1", "Ann"), grant("v9", "Ann", **device)]
        assert {names.of(both[at]) for at in order} == {"Ann"}
        assert names.of(grant("v2", "Ann")) == "Ann (2)"


def test_a_knock_from_a_persons_visit_is_another_person() -> None:
    """It came from the same visit, but nobody knows that it is the same person: the name is said, not known."""
    names = Names(Clock())
    names.of(grant("v1", "Ann"))
    knocked = grant("v2", "Ann", kind=VisitKind.KNOCK, came_from="v1")
    assert names.of(knocked) == "“Ann” (2)"
    assert names.of(grant("v3", "Ann", kind=VisitKind.DEVICE, came_from="v2")) == "“Ann” (2)"


def test_attack_a_device_of_somebody_who_knocked_comes_first() -> None:
    """Its name is said, too, where the visit from which it came was not seen in a document."""
    names = Names(Clock())
    device = grant("v3", "Ann", kind=VisitKind.DEVICE, came_from="v2", admitted=True)
    assert names.of(device) == "“Ann”"


def test_a_typed_name_is_in_quotation_marks() -> None:
    """At an open link's door everybody types what they like."""
    names = Names(Clock())
    assert names.of(grant("v1", "Bo", typed=True)) == "“Bo”"
    assert names.identity(grant("v1", "Bo", typed=True))["initials"] == "B"
    assert names.of(grant("v2", "Bo")) == "Bo (2)"
    assert names.of(grant("v3", "", typed=True)) == "Visitor"


@pytest.mark.parametrize("name", ["Bo” (owner) “", "«Bo»", "Bo” · own link", "\uff02Bo\uff02", "‟Bo‹"])
def test_attack_nobody_types_the_end_of_the_quotation(name: str) -> None:
    """Between the gate's two marks there is none."""
    shown = Names(Clock()).of(grant("v1", name, typed=True))
    assert (shown[0], shown[-1]) == ("“", "”")
    assert not set(shown[1:-1]) & set("“”„‟«»‹›\uff02")


@pytest.mark.parametrize("name", ["ann", "ANN", "Ａｎｎ", "Ann.", "A nn", "ａNN!", "Ann’"])
def test_attack_look_alikes_are_told_apart(name: str) -> None:
    """Case, width, spaces and signs make no other person."""
    names = Names(Clock())
    names.of(grant("v1", "Ann"))
    assert names.of(grant("v2", name)) == f"{name} (2)"


def test_attack_a_number_is_not_typed() -> None:
    """Whoever is called "Ann (2)" already is not mistaken for the second Ann, in either order."""
    names = Names(Clock())
    assert names.of(grant("v1", "Ann (2)")) == "Ann (2)"
    assert names.of(grant("v2", "Ann")) == "Ann"
    assert names.of(grant("v3", "Ann")) == "Ann (3)"
    assert names.of(grant("v4", "Ann (2)", typed=True)) == "“Ann (2)” (2)"


def test_attack_a_visitor_has_never_the_owners_name() -> None:
    """Neither the one that the share says, nor one that the owner's own page says later."""
    names = Names(Clock())
    assert names.of(grant("v1", "olga")) == "olga (2)"
    ann, ann2 = grant("v2", "Ann"), grant("v3", "Ann")
    assert [names.of(ann), names.of(ann2)] == ["Ann", "Ann (2)"]
    names.heard("u1", "ann@example.org", "ANN")
    assert [names.of(ann), names.of(ann2)] == ["Ann (3)", "Ann (2)"]
    names.heard("u1", "x", "Ann (3)")
    assert names.of(ann) == "Ann (4)"
    assert names.of(grant("v4", "Olga")) == "Olga (3)"


def test_what_the_gate_itself_said_is_not_the_owners_name() -> None:
    """After a restart the server still tells of visitors as an earlier gate named them."""
    names = Names(Clock())
    names.heard("u1", "sharegate-v1", "Ann")
    names.heard("u1", "", "")
    assert names.of(grant("v1", "Ann")) == "Ann"


def test_servers_are_apart() -> None:
    """Who is called what at one server says nothing at another."""
    names = Names(Clock())
    names.heard("u2", "x", "Ann")
    assert names.of(grant("v1", "Ann")) == "Ann"
    assert names.of(grant("v2", "Ann", upstream="u2")) == "Ann (2)"
    assert names.of(grant("v3", "Ann", upstream="u3")) == "Ann"


def test_a_changed_name_is_shown_and_the_old_one_free() -> None:
    """The identity follows the record."""
    names = Names(Clock())
    names.of(grant("v1", "Ann"))
    assert names.of(grant("v1", "Anna")) == "Anna"
    assert names.of(grant("v2", "Ann")) == "Ann"


def test_the_owners_preview_has_nobodys_name() -> None:
    """A preview is the owner, who is not to be taken for a visitor of that name, nor for the owner's own page."""
    names = Names(Clock())
    assert names.of(grant("v1", "Olga", link=LinkKind.PREVIEW, kind=VisitKind.PREVIEW)) == "Preview"


def test_a_name_is_free_when_the_last_device_is_gone() -> None:
    """And not before; who has a number keeps it."""
    names = Names(Clock())
    first, second = grant("v1", "Ann"), grant("v2", "Ann")
    names.of(first)
    names.of(grant("v9", "Ann", kind=VisitKind.DEVICE, came_from="v1"))
    names.of(second)
    names.gone("v1")
    assert names.of(grant("v3", "Ann")) == "Ann (3)"
    names.gone("v9")
    assert names.of(grant("v4", "Ann")) == "Ann"
    assert names.of(second) == "Ann (2)"


class Store:
    """What is read of a store."""

    def __init__(self, *grants: Grant) -> None:
        self.grants = grants

    async def share(self, id: str) -> Share | None:
        return next((each.share for each in self.grants if each.share.id == id), None)

    async def link(self, id: str) -> Link | None:
        return next((each.link for each in self.grants if each.link.id == id), None)

    async def shares(self) -> list[Share]:
        return list({each.share.id: each.share for each in self.grants}.values())

    async def links(self, share: str) -> list[Link]:
        return [each.link for each in self.grants if each.link.share == share]

    async def visits(self, share: str, *, link: str | None = None, open_only: bool = False) -> list[Visit]:
        assert open_only
        return [each.visit for each in self.grants if each.visit.share == share and each.visit.ended is None]

    async def visit(self, id: str) -> Visit | None:
        return next((each.visit for each in self.grants if each.visit.id == id), None)


async def test_who_is_in_when_the_gate_starts_is_named_in_the_order_of_coming() -> None:
    """Not in the order in which their pages come back."""
    first, second = grant("v1", "Ann", created=5.0), grant("v2", "Ann", created=3.0)
    gone = grant("v3", "Ann", created=1.0, ended=2.0)
    revoked = grant("v4", "Ann", created=1.0)
    revoked = replace(revoked, link=msgspec.structs.replace(revoked.link, revoked=2.0))
    ended = grant("v5", "Ann", created=1.0)
    ended = replace(ended, share=msgspec.structs.replace(ended.share, id="s2", revoked=2.0))
    ended = replace(ended, link=msgspec.structs.replace(ended.link, share="s2"))
    ended = replace(ended, visit=msgspec.structs.replace(ended.visit, share="s2"))
    names = Names(Clock())
    await names.open(Store(first, second, gone, revoked, ended))
    assert (names.of(first), names.of(second)) == ("Ann (2)", "Ann")


@pytest.mark.parametrize("kind", ["visit", "link", "share"])
async def test_what_ended_gives_its_names_back(kind: str) -> None:
    """As soon as the store says so; another change of it gives back nothing."""
    names = Names(Clock())
    ann = grant("v1", "Ann")
    names.of(ann)
    id = getattr(ann, kind).id
    names.changed(Change(kind, id), Store(ann))
    names.changed(Change("knock", id), Store())
    names.changed(Change(kind, "other"), Store())
    await asyncio.gather(*names._tasks)
    assert names.of(grant("v2", "Ann", upstream="u1")) == "Ann (2)"
    names.gone("v2")
    field = "ended" if kind == "visit" else "revoked"
    ended = replace(ann, **{kind: msgspec.structs.replace(getattr(ann, kind), **{field: 1.0})})
    names.changed(Change(kind, id), Store(ended))
    await asyncio.gather(*names._tasks)
    assert names.of(grant("v3", "Ann")) == "Ann"


def test_a_visit_that_expired_gives_its_name_back(clock: Clock) -> None:
    """Unless it was prolonged, or one of its devices goes on."""
    names = Names(clock)
    ann = replace(grant("v1", "Ann"), expires=clock() + 10)
    names.of(ann)
    clock.forward(9)
    assert names.of(grant("v2", "Ann")) == "Ann (2)"
    names.of(replace(ann, expires=clock() + 10))
    names.of(replace(grant("v9", "Ann", kind=VisitKind.DEVICE, came_from="v1"), expires=clock() + 20))
    clock.forward(19)
    assert names.of(grant("v3", "Ann")) == "Ann (3)"
    clock.forward(1)
    assert names.of(grant("v4", "Ann")) == "Ann"


def test_what_is_remembered_is_bounded() -> None:
    """People, and names of the owner's side: those heard of longest ago are forgotten."""
    names = Names(Clock())
    for number in range(REMEMBERED + 50):
        names.of(grant(f"v{number}", f"P{number}"))
    for number in range(OWNERS + 50):
        names.heard("u1", "x", f"O{number}")
    (place,) = names._places.values()
    assert len(place.people) == len(place.taken) == REMEMBERED
    assert len(place.owners) == OWNERS
    assert names.of(grant("new", "Olga")) == "Olga (2)"


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 8),
            st.sampled_from(["Ann", "ann", "Ann (2)", "Ａnn", "Ann (3)", "Bo", "!", "!!", "2", "Olga"]),
            st.booleans(),
            st.sampled_from(["of", "gone", "heard"]),
        ),
        max_size=60,
    )
)
def test_no_two_persons_and_no_owner_ever_share_a_name(steps: list[tuple[int, str, bool, str]]) -> None:
    """Whoever comes, goes, changes names or turns out to be the owner."""
    names = Names(Clock())
    here: dict[str, Grant] = {}
    owners = {fold("Olga")}
    for number, name, typed, what in steps:
        visit = f"v{number}"
        if what == "of":
            here[visit] = grant(visit, name, typed=typed)
            names.of(here[visit])
        elif what == "gone":
            here.pop(visit, None)
            names.gone(visit)
        else:
            names.heard("u1", "someone", name)
            owners.add(fold(name))
        shown = [fold(names.of(each)) for each in here.values()]
        assert len(set(shown)) == len(shown)
        assert not owners & set(shown)
        (place,) = names._places.values() if names._places else [None]
        assert place is None or set(place.taken) == {fold(person.shown) for person in place.people.values()}


@settings(deadline=None)
@given(st.text(max_size=80))
def test_normal_forms_and_case_fold_alike(name: str) -> None:
    """However a keyboard composes a letter."""
    assert fold(unicodedata.normalize("NFD", name)) == fold(unicodedata.normalize("NFC", name))
    assert fold(unicodedata.normalize("NFKC", name)) == fold(name) == fold(name.casefold())


def test_a_proved_address_is_a_name_that_nobody_typed() -> None:
    """At the cursor it stands without quotation marks in place of what was typed; the name of the owner's link stays.
    Who types an address at the door has not proved it."""
    names = Names(Clock())
    assert names.of(grant("v1", "Eve", typed=True, email="ann@berkeley.edu")) == "ann@berkeley.edu"
    assert names.of(grant("v2", "Ann", email="ann@example.org")) == "Ann"
    assert names.of(grant("v3", "ann@berkeley.edu", typed=True)).startswith("“ann@berkeley.edu”")


def test_who_is_vouched_for_has_a_badge() -> None:
    """A proved address before all else; the check mark can be typed by nobody."""
    for fields, shown in (
        ({"typed": True, "email": "ann@berkeley.edu"}, "✓ ann@berkeley.edu"),
        ({"email": "ann@berkeley.edu"}, "✓ ann@berkeley.edu"),
        ({}, "Ann · own link"),
        ({"typed": True}, 'says "Ann"'),
    ):
        who = grant("v1", "Ann", **fields)
        assert badge(who.link, who.visit) == shown
    assert "✓" not in clean_name("✓ ann@berkeley.edu")
