"""Lanes and marks of the history's picture."""

from __future__ import annotations

import math
from typing import Any

import pytest

from sharegate.audit.events import Action
from sharegate.dashboard.pages.timeline import KINDS, MOST_LANES, STEPS, drawn, kind_of

NOW = 1_800_000_000.0


def event(at: float, name: str = "Ann", **more: Any) -> dict[str, Any]:
    given = {"action": "request.answered", "outcome": "allowed", "actor": "visitor", "method": "GET", "rule": "lab-x"}
    places = {"share": "s", "link": "l", "visit": "v" + name, "text": f"{name} did."}
    return {"at": NOW + at, "name": name, **given, **places, **more}


def lanes(*events: dict[str, Any]) -> Any:
    return drawn(events, [f"e{number}" for number in range(len(events))])


def test_each_person_has_a_lane_and_each_entry_a_place_in_time() -> None:
    """Owner first, then people as they came, the gate last; marks stand between the edges in the order of time."""
    found = lanes(
        event(100, "", actor="gate", action="gate.started", visit=""),
        event(0, "Bo"),
        event(50),
        event(100, "Bo"),
        event(60, "Ann", actor="owner", action="knock.admitted"),
    )
    assert [lane.name for lane in found.lanes] == ["The owner", "Bo", "Ann", "sharegate"]
    assert [mark.x for mark in found.lanes[1].marks] == [1.5, 98.5] and found.lanes[1].spans == [(1.5, 97.0)]
    assert found.lanes[2].marks[0].x == 50.0 and found.begins == NOW and found.ends == NOW + 100


def test_people_of_one_name_by_two_links_are_two() -> None:
    """And somebody without a name is not everybody without one."""
    found = lanes(event(0), event(1, link="other"), event(2, "", visit="a"), event(3, "", visit="b"))
    assert len(found.lanes) == 4


def test_entries_in_one_place_are_one_mark_that_counts() -> None:
    """So that a busy hour is no black bar; the newest of them is where it leads to."""
    found = lanes(event(0), *(event(50 + number / 1000) for number in range(300)), event(100))
    marks = found.lanes[0].marks
    assert len(marks) <= 5 and sum(mark.count for mark in marks) == 302
    assert any("more" in mark.said for mark in marks)


def test_a_page_of_people_has_an_end() -> None:
    """Those who have no lane are counted."""
    found = lanes(*(event(number, f"P{number}") for number in range(MOST_LANES + 7)))
    assert len(found.lanes) == MOST_LANES and found.more == 7


@pytest.mark.parametrize("at", [-1.0, 0.0, 1e300, math.inf])
def test_attack_an_altered_entry_of_no_calendar(at: float) -> None:
    """It has no place in the picture, and does not stretch it."""
    found = lanes(event(0), event(1), event(2), event(0, "Eve") | {"at": at})
    assert [lane.name for lane in found.lanes] == ["Ann"]


def test_too_little_for_a_picture() -> None:
    """Two entries say it all by themselves."""
    assert lanes() is None and lanes(event(0), event(1)) is None


def test_entries_of_one_moment_are_drawn() -> None:
    """Nothing is divided by the time between them."""
    assert len(lanes(event(0), event(0), event(0)).lanes[0].marks) == 1 <= STEPS


@pytest.mark.parametrize("action", list(Action))
def test_every_action_has_a_mark(action: Action) -> None:
    """One of those that are explained; a refusal is one whoever acted."""
    assert kind_of(event(0) | {"action": action.value}) in KINDS
    assert kind_of(event(0) | {"action": action.value, "outcome": "denied"}) == "refused"


def test_what_stays_with_a_visit_is_no_change() -> None:
    """Layouts and settings that a page keeps for itself look like reading."""
    assert kind_of(event(0, method="PUT", rule="own-workspace")) == "read"
    assert kind_of(event(0, method="PUT", rule="contents-put")) == "wrote"
