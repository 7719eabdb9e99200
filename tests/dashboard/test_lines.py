"""What a list says of a share, made from its records."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sharegate.dashboard.lines import MOST_NAMES, line
from sharegate.shares.model import LinkKind, VisitKind
from tests.dashboard.conftest import Office
from tests.stores.records import LATER, START, a_knock, a_link, a_share, a_visit


async def test_a_line_is_what_its_share_shows(office: Office) -> None:
    """The counts of a line are those that the share's own views tell."""
    made = await office.share(**{"for": ["Ann", "Bo"]})
    await office.call("POST", f"links/{made['links'][1]['id']}/pause")
    await office.call("POST", f"shares/{made['share']['id']}/preview")
    register = office.running.api.register
    await register.fresh()
    line = register.get(made["share"]["id"])
    view = (await office.call("GET", f"shares/{made['share']['id']}"))["share"]
    assert line is not None and line.state == view["state"]
    assert line.links == sum(link["state"] == "active" for link in view["links"]) == 1
    assert line.inside == view["visits_open"] + view["programs"] and line.width.links == len(view["links"])


def test_lines_are_compared_by_what_they_say() -> None:
    """So that the test of the lists cannot pass by comparing nothing."""
    share = a_share()
    one, other = line(share, [], [], [], START), line(msgspec.structs.replace(share, name="x"), [], [], [], START)
    assert one == line(share, [], [], [], START) != other


def test_who_is_in_who_could_be_and_who_came() -> None:
    """A device is nobody further, a preview nobody at all; who left was here; of many names some are told."""
    links = [a_link(), a_link("l2", paused=True)]
    visits = [
        *(a_visit(f"v{number}", name=f"Visitor {number}") for number in range(MOST_NAMES + 2)),
        a_visit("d1", kind=VisitKind.DEVICE, name="Visitor 1"),
        a_visit("p1", kind=VisitKind.PREVIEW),
        a_visit("e1", name="Left", ended=START + 1),
        a_visit("x1", link="l2", name="Visitor 1"),
    ]
    found = line(a_share(), links, visits, [a_knock()], START + 2)
    assert (found.people, len(found.names)) == (MOST_NAMES + 3, MOST_NAMES)
    assert found.open == MOST_NAMES + 4 and found.persons == MOST_NAMES + 3
    assert (found.inside, found.visits, found.knocks, found.links) == (MOST_NAMES + 4, len(visits), 1, 1)


@pytest.mark.parametrize(
    ("fields", "state", "open_visits"),
    [
        ({}, "active", 1),
        ({"paused": True}, "paused", 0),
        ({"suspended": True}, "suspended", 0),
        ({"revoked": START}, "revoked", 0),
        ({"expires": START + 2}, "expired", 0),
    ],
)
def test_a_share_that_is_shut_lets_nobody_in(fields: dict[str, Any], state: str, open_visits: int) -> None:
    """And stands in its lists by its state."""
    found = line(a_share(**fields), [a_link()], [a_visit()], [], START + 2)
    assert (found.state, found.open) == (state, open_visits)
    assert found.stands == (state in ("active", "paused", "suspended")) == bool(found.said)


def test_a_line_is_true_until_something_ends_by_itself() -> None:
    """The share, a link or a visit, whichever is first; at the end nothing is left to end."""
    links = [a_link(expires=START + 20), a_link("l2", kind=LinkKind.PREVIEW, expires=START + 5)]
    visits = [a_visit(expires=START + 10), a_visit("v2", expires=START + 3, ended=START)]
    found = [line(a_share(), links, visits, [], START + at).until - START for at in (0, 5, 10, 20)]
    assert found == [5, 10, 20, LATER - START]
    assert line(a_share(), links, visits, [], LATER).until == float("inf")
