"""What no longer fits the rules shrinks, is paused or ends; what fits is left alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharegate.shares.fitting import Consequence, Given, InForce, fit
from sharegate.shares.model import Link, LinkKind, Role, Share, Visit, VisitKind

NOW = 1_800_000_000.0
DAY = 86400.0


@dataclass(frozen=True)
class Told:
    max_expires_seconds: float = 30 * DAY
    default_expires_seconds: float = 7 * DAY
    roles: tuple[Role, ...] = (Role.VIEW, Role.EDIT)
    anyone: bool = True
    max_visits: int = 500
    max_devices: int = 10
    clients: bool = True
    own_extensions: bool = True
    runnable_files: bool = True
    coowners: bool = True


def share(**more: Any) -> Share:
    usual = {"id": "s", "upstream": "u", "owner": "Olga", "root": "week3", "created": NOW - DAY, "expires": NOW + DAY}
    return Share(**usual | more)


def link(id: str = "l", **more: Any) -> Link:
    return Link(**{"id": id, "share": "s", "letter": id, "created": NOW - DAY, "expires": NOW + DAY} | more)


def visit(id: str, link: str = "l", **more: Any) -> Visit:
    usual = {"id": id, "share": "s", "link": link, "number": 1, "created": NOW - 60, "expires": NOW + DAY}
    return Visit(**usual | more)


def done(one: Given, found: list[Consequence]) -> Given:
    """The records as they are after it was applied."""
    shares = {one.share.id: one.share} | {each.id: each for each in one.links}
    for each in found:
        if each.kind != "visit":
            shares[each.id] = msgspec.structs.replace(shares[each.id], **each.fields)
    ended = {each.id for each in found if each.kind == "visit"}
    first, *links = shares.values()
    assert isinstance(first, Share)
    return Given(first, [one for one in links if isinstance(one, Link)], [v for v in one.visits if v.id not in ended])


def of(found: list[Consequence]) -> list[tuple[str, str, bool, dict[str, Any]]]:
    return [(each.kind, each.id, each.stops, dict(each.fields)) for each in found]


def test_what_fits_is_left_alone() -> None:
    """Nothing happens to what the rules permit, nor to what was revoked."""
    fits = Given(share(role=Role.EDIT), [link(kind=LinkKind.OPEN, visits=500)], [visit("v")])
    gone = Given(share(revoked=NOW, role=Role.RUN), [link()], [])
    assert fit(Told(), [fits, gone], NOW) == []


def test_a_role_that_is_not_given_any_more_becomes_the_next_lower() -> None:
    """For the share, and for a link that had it by itself."""
    rules = Told(roles=(Role.VIEW,))
    found = fit(rules, [Given(share(role=Role.EDIT), [link(role=Role.EDIT), link("m")], [])], NOW)
    assert of(found) == [("share", "s", False, {"role": Role.VIEW})]
    own = fit(Told(roles=(Role.EDIT,)), [Given(share(role=Role.EDIT), [link(role=Role.VIEW), link("m")], [])], NOW)
    assert of(own) == [("link", "l", True, {"paused": True})]


def test_a_role_below_which_there_is_none_is_paused() -> None:
    """Not revoked: the rules may change back."""
    found = fit(Told(roles=(Role.EDIT,)), [Given(share(), [link()], [visit("v")])], NOW)
    assert of(found) == [("share", "s", True, {"paused": True})]


def test_an_end_beyond_the_longest_comes_nearer() -> None:
    """Counted from now; links that end later than their share follow."""
    given = Given(share(expires=NOW + 90 * DAY), [link(expires=NOW + 90 * DAY), link("m", expires=NOW + DAY)], [])
    found = fit(Told(), [given], NOW)
    assert of(found) == [
        ("share", "s", False, {"expires": NOW + 30 * DAY}),
        ("link", "l", False, {"expires": NOW + 30 * DAY}),
    ]


def test_links_for_anyone_are_paused_where_there_may_be_none() -> None:
    """A link for one person stays."""
    given = Given(share(), [link(kind=LinkKind.OPEN, visits=5), link("m")], [visit("v")])
    assert of(fit(Told(anyone=False), [given], NOW)) == [("link", "l", True, {"paused": True})]


def test_too_many_people_are_ended_from_the_newest_with_their_devices() -> None:
    """Whom the owner let in by hand stays, and so do the first."""
    visits = [visit(f"v{n}", created=NOW - 100 + n, number=n) for n in range(4)]
    device = visit("d", kind=VisitKind.DEVICE, came_from="v3")
    knocked = visit("k", kind=VisitKind.KNOCK, created=NOW)
    given = Given(share(), [link(kind=LinkKind.OPEN, visits=10)], [*visits, device, knocked])
    found = fit(Told(max_visits=2), [given], NOW)
    assert {each.id for each in found if each.kind == "visit"} == {"v2", "v3", "d"}
    assert of(found)[-1] == ("link", "l", False, {"visits": 2})


def test_too_many_devices_are_ended_from_the_newest() -> None:
    """For each person apart."""
    devices = [visit(f"d{n}", kind=VisitKind.DEVICE, came_from="v", created=NOW - 50 + n, number=n) for n in range(3)]
    other = visit("e", kind=VisitKind.DEVICE, came_from="w")
    found = fit(Told(max_devices=1), [Given(share(), [link(devices=3)], [visit("v"), *devices, other])], NOW)
    assert {each.id for each in found if each.kind == "visit"} == {"d1", "d2"}
    assert of(found)[-1] == ("link", "l", False, {"devices": 1})


def test_nobody_is_overlooked_for_a_moment_that_lies_ahead() -> None:
    """Ends are counted from it; who is inside is judged by now."""
    visits = [visit(f"v{n}", created=NOW - 100 + n, number=n) for n in range(3)]
    program = visit("p", kind=VisitKind.CLIENT)
    given = Given(share(expires=NOW + 90 * DAY), [link(kind=LinkKind.OPEN, visits=3)], [*visits, program])
    found = fit(Told(max_visits=1, clients=False), [given], NOW, moment=NOW + 10 * DAY)
    assert ("share", "s", False, {"expires": NOW + 40 * DAY}) in of(found)
    assert {each.id for each in found if each.kind == "visit"} == {"v1", "v2"}
    programs = Given(share(clients=True, expires=NOW + DAY), [link()], [program])
    assert [each.id for each in fit(Told(clients=False), [programs], NOW, moment=NOW + 10 * DAY)] == ["s", "p"]


def test_people_and_devices_are_counted_though_the_link_has_the_right_number() -> None:
    """What was left out once, by a fault or a crash, is found by the next look."""
    visits = [visit(f"v{n}", created=NOW - 100 + n, number=n) for n in range(3)]
    devices = [visit(f"d{n}", kind=VisitKind.DEVICE, came_from="v0", created=NOW - 50 + n) for n in range(2)]
    given = Given(share(), [link(kind=LinkKind.OPEN, visits=1, devices=1)], [*visits, *devices])
    found = fit(Told(max_visits=1, max_devices=1), [given], NOW)
    assert [(each.kind, each.id) for each in found] == [("visit", "v1"), ("visit", "v2"), ("visit", "d1")]


def test_programs_extensions_and_runnable_files_are_taken_back() -> None:
    """A program that is in is out."""
    given = Given(share(clients=True, own_extensions=True, runnable_files=True), [link()], [])
    program = visit("p", kind=VisitKind.CLIENT)
    found = fit(
        Told(clients=False, own_extensions=False, runnable_files=False), [replace(given, visits=[program])], NOW
    )
    off = {"clients": False, "own_extensions": False, "runnable_files": False}
    assert of(found) == [("share", "s", False, off), ("visit", "p", True, {})]


roles = st.sampled_from(list(Role))
rules = st.builds(
    Told,
    max_expires_seconds=st.sampled_from([DAY / 2, DAY, 90 * DAY]),
    roles=st.lists(roles, min_size=1, unique=True).map(tuple),
    anyone=st.booleans(),
    max_visits=st.integers(1, 3),
    max_devices=st.integers(1, 3),
    clients=st.booleans(),
    own_extensions=st.booleans(),
    runnable_files=st.booleans(),
    coowners=st.booleans(),
)
kinds = st.sampled_from([VisitKind.BROWSER, VisitKind.DEVICE, VisitKind.KNOCK, VisitKind.CLIENT])


@st.composite
def givens(draw: st.DrawFn) -> Given:
    flag = st.booleans()
    one = share(
        role=draw(roles), clients=draw(flag), own_extensions=draw(flag), runnable_files=draw(flag), paused=draw(flag),
        expires=NOW + draw(st.sampled_from([-DAY, DAY, 200 * DAY])),
    )  # fmt: skip
    links = [
        link(
            f"l{n}", kind=draw(st.sampled_from([LinkKind.OPEN, LinkKind.PERSON])), role=draw(st.none() | roles),
            coowner=draw(flag),
            visits=draw(st.none() | st.integers(1, 4)), devices=draw(st.integers(0, 4)), paused=draw(flag),
            expires=NOW + draw(st.sampled_from([-DAY, DAY, 300 * DAY])),
        )
        for n in range(draw(st.integers(0, 2)))
    ]  # fmt: skip
    visits = [
        visit(f"v{n}", draw(st.sampled_from(links)).id, kind=draw(kinds), role=draw(st.none() | roles), number=n)
        for n in range(draw(st.integers(0, 6)) if links else 0)
    ]
    return Given(one, links, visits)


@given(rules, givens())
def test_applied_once_everything_fits(rules: Told, given: Given) -> None:
    """A second look finds nothing, and no end was moved away or role raised."""
    found = fit(rules, [given], NOW)
    after = done(given, found)
    assert fit(rules, [after], NOW) == []
    order = list(Role)
    assert order.index(after.share.role) <= order.index(given.share.role)
    assert after.share.expires <= given.share.expires and after.share.expires <= NOW + rules.max_expires_seconds
    if not after.share.paused:
        assert after.share.role in rules.roles
    for one in after.links:
        if one.kind is LinkKind.OPEN and not one.paused:
            assert rules.anyone and one.visits is not None and one.visits <= rules.max_visits


@pytest.mark.parametrize("name", [name for name in vars(Told()) if not name.startswith("_")])
def test_rules_in_force_say_what_was_put_in(name: str) -> None:
    """Whoever was given them sees the new ones at once."""
    held = InForce(Told())
    held.rules = Told(DAY, DAY, (Role.VIEW,), False, 1, 1, False, False, False)
    assert getattr(held, name) == getattr(held.rules, name)
