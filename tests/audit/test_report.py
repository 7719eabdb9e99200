from __future__ import annotations

import msgspec

from sharegate.audit.events import Action, AuditEvent
from sharegate.audit.report import Arrival, lines, passed_on, plain


def event(action: Action, at: float, **fields: str) -> AuditEvent:
    return AuditEvent(action=action, actor="visitor", at=at, share="s", link="l", **fields)


STORY = [
    event(Action.LINK_JOINED, 1, visit="robo", name="Robo"),
    event(Action.LINK_JOINED, 1.5, visit="cleo", name="Cleo"),
    event(Action.DEVICE_ADDED, 2, visit="robo2", name="Robo", came_from="robo"),
    event(Action.LINK_PASSED_ON, 3, name="Eve", came_from="robo", detail="link opened elsewhere; same network"),
    event(Action.KNOCK_MADE, 3, name="Eve", came_from="robo", detail="k1"),
    event(Action.KNOCK_ADMITTED, 4, visit="eve", name="Eve", came_from="robo", detail="k1"),
    event(Action.LINK_JOINED, 5, visit="eve", name="Eve", came_from="robo"),
    event(Action.LINK_PASSED_ON, 6, name="Mal", came_from="eve", detail="address opened elsewhere"),
    event(Action.KNOCK_MADE, 6, name="Mal", came_from="eve", detail="k2"),
    event(Action.KNOCK_REFUSED, 7, name="Mal", came_from="eve", detail="k2"),
    event(Action.LINK_PASSED_ON, 8, came_from="eve", detail="address opened elsewhere"),
]

STORY = [msgspec.structs.replace(one, seq=number) for number, one in enumerate(STORY, 1)]


def test_the_picture_of_a_link_that_was_passed_on() -> None:
    """Each person once, below whom they came from, with what became of them."""
    assert list(lines(passed_on(STORY))) == [
        "Robo: opened the link",
        "├─ Robo: own device",
        "└─ Eve: knocked, let in (link opened elsewhere; same network)",
        "   ├─ Mal: knocked, not let in (address opened elsewhere)",
        "   └─ somebody: opened it elsewhere (address opened elsewhere)",
    ]


def test_addresses_that_were_tried_are_counted_below_whose_they_were() -> None:
    """Somebody whom nothing leads to is nobody who passed something on; what was tried without an address is none."""
    tried = [
        event(Action.STRANGER_DENIED, 9 + n, came_from="eve", reason="other_browser", detail=f"d{n}") for n in range(2)
    ]
    stranger = event(Action.STRANGER_DENIED, 12, reason="no_visit")
    told = list(lines(passed_on([*STORY, *tried, stranger])))
    assert told[-1] == "   └─ somebody: opened the address of their page, did not come in, 2 times" and len(told) == 6
    (robo,) = plain(passed_on([*STORY, *tried]))
    last = robo["onward"][1]["onward"][-1]
    assert (last["how"], last["reason"], last["count"], last["came_from"]) == ("tried", "other_browser", 2, "eve")


def test_order_of_reading_does_not_matter() -> None:
    """Events may come newest first."""
    assert list(lines(passed_on(reversed(STORY)))) == list(lines(passed_on(STORY)))


def test_everybody_includes_those_who_passed_nothing_on() -> None:
    """Cleo passed nothing on and is shown only when asked for."""
    assert [tree.name for tree in passed_on(STORY)] == ["Robo"]
    assert [tree.name for tree in passed_on(STORY, everybody=True)] == ["Robo", "Cleo"]


def test_an_unknown_origin_is_a_tree_of_its_own() -> None:
    """A visit that is named as origin but was not read, and a passing on without any origin, are shown as such."""
    trees = passed_on([STORY[3], event(Action.KNOCK_MADE, 9, name="Zed", detail="k9")])
    assert [(tree.visit, tree.how) for tree in trees] == [("robo", Arrival.UNKNOWN), ("", Arrival.WAITING)]
    assert [tree.name for tree in trees[0].onward] == ["Eve"]


def test_attack_a_circle_of_visits_does_not_hang_the_report() -> None:
    """Origins that lead back to themselves, which only an altered trail has, are cut somewhere."""
    circle = [
        event(Action.LINK_JOINED, 1, visit="a", came_from="b"),
        event(Action.LINK_JOINED, 2, visit="b", came_from="c"),
        event(Action.LINK_JOINED, 3, visit="c", came_from="a"),
        event(Action.LINK_JOINED, 4, visit="d", came_from="d"),
    ]
    trees = passed_on(circle, everybody=True)
    assert sum(1 for _ in lines(trees)) == 4


def test_attack_a_very_long_chain_does_not_exhaust_the_stack() -> None:
    """Three thousand people in a row are a deep picture, not a crash."""
    chain = [event(Action.LINK_JOINED, i, visit=f"v{i}", came_from=f"v{i - 1}" if i else "") for i in range(3000)]
    assert sum(1 for _ in lines(passed_on(chain))) == 3000


def test_plain_values_for_json() -> None:
    """The same trees as nested mappings."""
    (tree,) = plain(passed_on(STORY))
    assert (tree["name"], tree["words"], tree["how"]) == ("Robo", "Robo: opened the link", "joined")
    assert [person["name"] for person in tree["onward"]] == ["Robo", "Eve"]
    assert [person["how"] for person in tree["onward"][1]["onward"]] == ["refused", "seen"]
