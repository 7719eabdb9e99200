"""The picture of a share: owner, links, people, devices, knocks, refusals and attempts, each where it came from."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sharegate.audit.events import Action, AuditEvent, Outcome
from sharegate.shares.model import Knock, KnockState, LinkKind, VisitKind
from sharegate.visits.passing import DEEPEST, MOST_NODES, Node, NodeKind, Picture, bounded, plain
from tests.stores.records import START, a_knock, a_link, a_share, a_visit

LASTS = 12 * 3600.0


def picture(now: float = START + 1000) -> Picture:
    return Picture(
        a_share(owner="Olga"),
        label="k7f2",
        link_state=lambda link: "revoked" if link.revoked else "active",
        visit_state=lambda visit: "ended" if visit.ended else "open",
        now=now,
        lasts=LASTS,
    )


def event(action: Action, at: float, **fields: Any) -> AuditEvent:
    return AuditEvent(action=action, actor="visitor", at=START + at, share="s1", **{"link": "l1"} | fields)


def drawn(root: Node) -> list[str]:
    """One line per node: how deep, what, who, how it stands."""
    lines, stack = [], [(root, 0)]
    while stack:
        node, depth = stack.pop()
        said = [node.kind.value, node.label or node.name, node.state or str(node.count)]
        lines.append("  " * depth + " ".join(filter(None, said)))
        stack += [(child, depth + 1) for child in reversed(node.below)]
    return lines


LINKS = [a_link("l1", letter="a", name="Ann"), a_link("l2", letter="b", kind=LinkKind.OPEN)]
ANN = a_visit("ann", number=1, name="Ann", address="192.0.2.0/24")
BOB = a_visit(
    "bob", number=2, name="Bob", kind=VisitKind.KNOCK, came_from="ann", created=START + 20, address="198.51.100.0/24"
)
STORY = [
    event(Action.LINK_PASSED_ON, 10, name="Bob", came_from="ann", detail="link opened elsewhere; same network"),
    event(Action.KNOCK_MADE, 10, name="Bob", came_from="ann", detail="k1", address="198.51.100.0/24"),
    event(Action.KNOCK_ADMITTED, 20, name="Bob", came_from="ann", detail="k1", visit="bob"),
    event(
        Action.STRANGER_DENIED,
        30,
        came_from="bob",
        reason="no_credential",
        outcome=Outcome.DENIED,
        address="203.0.113.0/24",
    ),
    event(Action.STRANGER_DENIED, 90, came_from="bob", reason="no_credential", count=4, address="203.0.113.0/24"),
    event(Action.LINK_PASSED_ON, 40, name="Eve", came_from="bob", detail="address opened elsewhere"),
    event(Action.KNOCK_MADE, 40, name="Eve", came_from="bob", detail="k2"),
    event(Action.LINK_REFUSED, 50, reason="link_in_use"),
    event(Action.LINK_REFUSED, 60, reason="link_in_use", address="203.0.113.0/24"),
]


def test_the_story_of_ann_bob_and_eve() -> None:
    """Ann passes her link to Bob, who knocks and is let in; his address comes to Eve, who knocks in vain."""
    knocks = [a_knock("k2", name="Eve", came_from="bob", by_address=True, created=START + 40, state=KnockState.REFUSED)]
    visits = [ANN, a_visit("ann2", number=3, name="Ann", kind=VisitKind.DEVICE, came_from="ann"), BOB]
    root = picture().tree(LINKS, visits, knocks, STORY)
    assert drawn(root) == [
        "owner k7f2 1",
        "  link k7f2.a active",
        "    person k7f2.a1 open",
        "      device k7f2.a3 open",
        "      person k7f2.a2 open",
        "        attempt 5",
        "        knock Eve refused",
        "    refused 2",
        "  link k7f2.b active",
    ]
    ann = root.below[0].below[0]
    bob = ann.below[1]
    assert (ann.badge, ann.network) == ("Ann · own link", "192.0.2.0/24")
    assert bob.knocked and not bob.by_address and bob.signs == "link opened elsewhere; same network"
    assert bob.badge == 'says "Bob"' and bob.came_from == "ann"
    attempt, eve = bob.below
    assert (attempt.network, attempt.at, attempt.last) == ("203.0.113.0/24", START + 30, START + 90)
    assert eve.by_address and eve.signs == "address opened elsewhere"
    assert root.below[0].below[1].reason == "link_in_use"


def test_what_the_records_forgot_the_history_tells() -> None:
    """Knocks are forgotten after a month: who was not let in stands there all the same."""
    root = picture().tree(LINKS, [ANN, BOB], [], [*STORY, event(Action.KNOCK_REFUSED, 70, detail="k2")])
    assert "        knock Eve refused" in drawn(root)


@pytest.mark.parametrize(
    ("knock", "now", "state"),
    [
        (a_knock(), START + LASTS - 1, "waiting"),
        (a_knock(), START + LASTS, "gone"),
        (a_knock(state=KnockState.GONE), START + 1, "gone"),
        (a_knock(state=KnockState.ADMITTED, visit="unknown"), START + 1, "admitted"),
    ],
    ids=["waits", "waited too long", "left", "let in, and their visit is not there"],
)
def test_how_a_knock_stands(knock: Knock, now: float, state: str) -> None:
    """In the records, and in the history alone."""
    (link,) = picture(now).tree([a_link()], [], [knock], []).below
    assert [(node.kind, node.state) for node in link.below] == [(NodeKind.KNOCK, state)]
    if knock.state is KnockState.WAITING:
        made = AuditEvent(action=Action.KNOCK_MADE, actor="visitor", at=START, link="l1", detail="k1")
        (link,) = picture(now).tree([a_link()], [], [], [made]).below
        assert [node.state for node in link.below] == [state]


def test_a_sign_without_a_knock_is_an_attempt() -> None:
    """The gate was stopped between the two entries; the same sign again is counted."""
    signs = [event(Action.LINK_PASSED_ON, at, came_from="ann", detail="link opened elsewhere") for at in (1, 2)]
    root = picture().tree(LINKS, [ANN], [], signs)
    (attempt,) = root.below[0].below[0].below
    assert (attempt.kind, attempt.count, attempt.signs) == (NodeKind.ATTEMPT, 2, "link opened elsewhere")


def test_who_was_erased_stays_without_a_name() -> None:
    """What came from them still hangs there."""
    gone = a_visit("ann", number=1, ended=START + 500, ended_reason="erased")
    root = picture().tree(LINKS, [gone, BOB], [], STORY[:3])
    ann = root.below[0].below[0]
    assert ann.erased and (ann.name, ann.network, ann.badge) == ("", "", "no name")
    assert [child.id for child in ann.below] == ["bob"]


def test_what_leads_nowhere_hangs_at_its_link() -> None:
    """A knock without an origin, a visit whose origin is not there, a program; previews are not shown."""
    visits = [
        a_visit("v1", kind=VisitKind.KNOCK),
        a_visit("v2", kind=VisitKind.KNOCK, came_from="nobody"),
        a_visit("v3", kind=VisitKind.CLIENT),
        a_visit("v4", kind=VisitKind.PREVIEW),
        a_visit("v5", link="unknown"),
    ]
    root = picture().tree([a_link(), a_link("l9", kind=LinkKind.PREVIEW)], visits, [], [])
    assert [node.id for node in root.below] == ["l1", "v5"]
    assert [node.id for node in root.below[0].below] == ["v1", "v2", "v3"]
    assert root.below[0].below[2].kind is NodeKind.PROGRAM


def test_attack_a_circle_of_visits() -> None:
    """Records that were made up hang nobody up, and each visit is shown once."""
    visits = [a_visit("v1", came_from="v2"), a_visit("v2", came_from="v3"), a_visit("v3", came_from="v1")]
    visits += [a_visit("v4", came_from="v4"), a_visit("v5", came_from="v1")]
    lines = drawn(picture().tree([a_link(letter="a")], visits, [], []))
    assert len([line for line in lines if "person" in line]) == 5


def test_thousands_of_visits_are_cut_and_counted() -> None:
    """Those from whom something came, those at the door and those inside are kept; nothing is left out of the count."""
    visits = [a_visit(f"v{n}", number=n, created=START + n, ended=START + n + 1) for n in range(5000)]
    visits += [a_visit("in", number=5001), a_visit("onward", number=5002, kind=VisitKind.KNOCK, came_from="v7")]
    root = picture().tree([a_link()], visits, [a_knock(created=START + 1)], [])
    below = root.below[0].below
    assert len(below) == 101 and below[-1].kind is NodeKind.MORE
    assert {"v7", "in", "k1", "v4999"} <= {node.id for node in below}
    assert below[-1].count + sum(1 + len(node.below) for node in below[:-1]) == 5003


def test_the_picture_has_so_many_nodes_and_no_more() -> None:
    """However many links with people there are."""
    links = [a_link(f"l{n}", letter="a") for n in range(90)]
    visits = [a_visit(f"v{n}", link=f"l{n % 90}", created=START + n) for n in range(90 * 40)]
    lines = drawn(picture().tree(links, visits, [], []))
    shown = [line for line in lines if "more" not in line]
    more = [int(line.split()[-1]) for line in lines if "more" in line]
    assert len(shown) <= MOST_NODES and len(shown) + sum(more) == 1 + 90 + 90 * 40


def test_attack_a_chain_of_people_is_cut_where_json_would_end() -> None:
    """Each came from the one before: no deeper than can be written."""
    visits = [a_visit("v0")]
    visits += [a_visit(f"v{n}", kind=VisitKind.KNOCK, came_from=f"v{n - 1}") for n in range(1, 1500)]
    told = json.dumps(plain(picture().tree([a_link()], visits, [], [])))
    depth = told.count('"below": [{')
    assert depth == DEEPEST and '"kind": "more"' in told and f'"count": {1500 - DEEPEST + 2}' in told


def test_nothing_to_show_is_an_owner_with_their_links() -> None:
    """And no bound makes that less."""
    root = bounded(picture().tree([a_link()], [], [], []), most_below=0)
    assert drawn(root) == ["owner k7f2 1", "  more 1"]
    assert isinstance(plain(root)["below"], list)
