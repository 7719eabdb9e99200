"""How wide a share is, and what exactly somebody signed off."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from sharegate.shares.model import Link, LinkKind, Role, RootKind, Share, VisitKind
from sharegate.shares.review import UNUSED_AFTER, digest, live, said, unused, width
from tests.stores.records import LATER, START, a_link, a_share, a_visit

NOW = START + 100.0


def test_wider_comes_first() -> None:
    """What may be done counts before where, where before a link for anyone, that before how many are in."""
    anyone = a_link(kind=LinkKind.OPEN)
    ordered = [
        (a_share(role=Role.EDIT, root="a/b/c"), [a_link()], []),
        (a_share(root="a"), [anyone], [a_visit(), a_visit("v2")]),
        (a_share(root="a"), [anyone], [a_visit()]),
        (a_share(root="a"), [a_link()], [a_visit()]),
        (a_share(root="a"), [a_link()], []),
        (a_share(root="a/b"), [anyone], [a_visit()]),
        (a_share(root="a", kind=RootKind.FILE), [anyone], [a_visit()]),
    ]
    orders = [width(share, links, visits, NOW).order for share, links, visits in ordered]
    assert all(wider > narrower for wider, narrower in itertools.pairwise(orders)), orders


def test_who_is_counted() -> None:
    """People, not their devices; who came by a knock or a link for anyone is known by their own word alone; who has
    left, or whose link is gone, is not inside."""
    links = [a_link(), a_link("l2", kind=LinkKind.OPEN), a_link("l3", revoked=START)]
    visits = [
        a_visit("v1"),
        a_visit("v2", kind=VisitKind.DEVICE, came_from="v1"),
        a_visit("v3", kind=VisitKind.KNOCK),
        a_visit("v4", link="l2"),
        a_visit("v5", link="l2", ended=START + 5),
        a_visit("v6", link="l3"),
        a_visit("v7", kind=VisitKind.PREVIEW),
    ]
    found = width(a_share(), links, visits, NOW)
    assert (found.people, found.ever, found.outside, found.links, found.open_links) == (3, 5, 2, 2, 1)


def test_unused_and_live() -> None:
    """What was made lately is not unused, though nobody came; what has ended is not live, what is paused is."""
    share = a_share()
    assert not unused(share, 0.0, START + UNUSED_AFTER - 1) and unused(share, 0.0, START + UNUSED_AFTER)
    assert not unused(share, START + 9, START + UNUSED_AFTER)
    assert live(a_share(paused=True), NOW)
    assert not live(share, LATER) and not live(a_share(revoked=START), NOW)


def told(given: list[tuple[Share, list[Link]]]) -> str:
    return digest((share.id, said(share, links, NOW)) for share, links in given)


def test_the_digest_is_of_what_is_given() -> None:
    """Its order does not matter; who comes and goes is not in it."""
    one: tuple[Share, list[Link]] = (a_share(), [a_link(), a_link("l2")])
    two: tuple[Share, list[Link]] = (a_share("s2"), [])
    assert told([one, two]) == told([two, (one[0], one[1][::-1])])
    assert told([one]) != told([one, two])


@pytest.mark.parametrize(
    "changed",
    [{"role": Role.EDIT}, {"root": "other"}, {"expires": LATER + 1}, {"clients": True}, {"paused": True}],
    ids=str,
)
def test_the_digest_changes_with_a_share(changed: dict[str, object]) -> None:
    """Whatever widens or narrows it."""
    before = told([(a_share(), [a_link()])])
    assert told([(a_share(**changed), [a_link()])]) != before


@pytest.mark.parametrize(
    "changed",
    [{"revoked": START}, {"kind": LinkKind.OPEN}, {"visits": 9}, {"role": Role.VIEW}, {"expires": NOW}],
    ids=str,
)
def test_the_digest_changes_with_a_link(changed: dict[str, object]) -> None:
    """And so does another link, but not the owner's own preview."""
    before = told([(a_share(), [a_link()])])
    assert told([(a_share(), [msgspec.structs.replace(a_link(), **changed)])]) != before
    assert told([(a_share(), [a_link(), a_link("l2")])]) != before
    assert told([(a_share(), [a_link(), a_link("l2", kind=LinkKind.PREVIEW)])]) == before
