"""The timeline: one lane for each person, with their devices in it, and what they did by the hour."""

from __future__ import annotations

import msgspec

from sharegate.audit.chain import seal
from sharegate.audit.events import Action, AuditEvent, Outcome
from sharegate.audit.interfaces import Sealed
from sharegate.audit.lanes import HOUR, MOST_LANES, Glance, Stay, glance, lanes
from sharegate.shares.model import Visit, VisitKind

DAY = 24 * HOUR


def visit(id: str, created: float, **more: object) -> Visit:
    return Visit(**{"id": id, "share": "s", "link": "l", "number": 1, "created": created, "expires": 10 * DAY} | more)  # type: ignore[arg-type]


def seen(visit: str, at: float, action: Action = Action.CHANNEL_OPENED, **more: object) -> Glance:
    return Glance(action=action.value, at=at, actor="visitor", visit=visit, **more)  # type: ignore[arg-type]


def test_devices_are_in_the_lane_of_their_person() -> None:
    """A stay lasts until the last device has left; who comes back has a second one."""
    people = [
        visit("ann", 1 * HOUR, ended=3 * HOUR, ended_reason="left"),
        visit("ann2", 2 * HOUR, kind=VisitKind.DEVICE, came_from="ann", ended=5 * HOUR, ended_reason="ended"),
        visit("ann3", 7 * HOUR, kind=VisitKind.DEVICE, came_from="ann"),
        visit("bob", 1.5 * HOUR, expires=4 * HOUR),
        visit("look", 1 * HOUR, kind=VisitKind.PREVIEW),
    ]
    found, more = lanes([], people, since=0, until=DAY, now=8 * HOUR)
    assert more == 0 and [lane.visit.id for lane in found] == ["ann", "bob"]
    ann, bob = found
    assert ann.devices == 2
    assert ann.stays == [Stay(HOUR, 5 * HOUR, "ended"), Stay(7 * HOUR, None)]
    assert bob.stays == [Stay(1.5 * HOUR, 4 * HOUR, "expired")]


def test_what_was_done_is_counted_by_the_hour() -> None:
    """Opened, changed and denied; what a page keeps for itself is no change."""
    done = [
        seen("ann", HOUR + 1),
        seen("ann2", HOUR + 2, Action.REQUEST_ANSWERED, method="GET", rule="contents-read"),
        seen("ann", HOUR + 3, Action.REQUEST_ANSWERED, method="PUT", rule="contents-write"),
        seen("ann", HOUR + 4, Action.REQUEST_ANSWERED, method="PUT", rule="lab-settings"),
        seen("ann", 2 * HOUR, Action.CHANNEL_SUMMARY, count=3),
        seen("ann", 2 * HOUR + 1, Action.REQUEST_DENIED, outcome=Outcome.DENIED.value, count=9),
        seen("nobody", HOUR),
        seen("ann", 3 * HOUR, Action.CHANNEL_CLOSED),
    ]
    people = [visit("ann", 0), visit("ann2", 0, kind=VisitKind.DEVICE, came_from="ann")]
    ((lane,), _) = lanes(done, people, since=0, until=DAY, now=DAY)
    assert lane.plain()["hours"] == [
        {"at": HOUR, "opens": 2, "edits": 1, "denials": 0, "acts": 0},
        {"at": 2 * HOUR, "opens": 0, "edits": 3, "denials": 9, "acts": 0},
    ]
    assert lane.last == 3 * HOUR


def test_only_who_was_in_between_the_moments_has_a_lane() -> None:
    """Whoever left before or came afterwards has none; a device whose person is not known is its own."""
    people = [
        visit("before", 0, ended=HOUR),
        visit("after", 5 * HOUR),
        visit("across", 0, ended=9 * HOUR),
        visit("alone", 2 * HOUR, kind=VisitKind.DEVICE, came_from="gone"),
    ]
    found, _ = lanes([], people, since=2 * HOUR, until=4 * HOUR, now=DAY)
    assert {lane.visit.id for lane in found} == {"across", "alone"}


def test_thousands_of_people_are_cut_and_counted() -> None:
    """Those who did something last are shown."""
    people = [visit(f"v{number:04d}", float(number)) for number in range(MOST_LANES + 55)]
    found, more = lanes([seen("v0003", HOUR)], people, since=0, until=DAY, now=DAY)
    assert (len(found), more, found[0].visit.id) == (MOST_LANES, 55, "v0003")


def test_an_entry_that_does_not_read_is_passed_over() -> None:
    """It is found by verifying."""
    event = AuditEvent(action=Action.LINK_JOINED, actor="visitor", at=5.0, visit="v", name="Ann")
    sealed = seal(event, writer="gate", seq=1, previous="")
    assert glance(sealed) == Glance(action="link.joined", at=5.0, actor="visitor", visit="v")
    for body in (b"", b"[]", b"\xff", b'{"action": 5}', b"[" * 100_000):
        assert glance(Sealed(**msgspec.structs.asdict(sealed) | {"body": body})) is None


def test_what_a_co_owner_does_is_in_their_lane() -> None:
    """Whomever they let in or put out: none of it is the other's doing."""
    done = [
        Glance(action=Action.KNOCK_ADMITTED.value, at=HOUR + 1, actor="coowner:tia", visit="eve"),
        Glance(action=Action.VISIT_ENDED.value, at=HOUR + 2, actor="coowner:tia", visit="ann"),
        Glance(action=Action.SHARE_PAUSED.value, at=2 * HOUR, actor="coowner:tia"),
        Glance(action=Action.SHARE_PAUSED.value, at=2 * HOUR, actor="coowner:gone"),
        Glance(action=Action.KNOCK_ADMITTED.value, at=HOUR, actor="owner", visit="tia"),
    ]
    people = [visit("tia", 0), visit("ann", 0), visit("eve", HOUR)]
    found, _ = lanes(done, people, since=0, until=DAY, now=DAY)
    hours = {lane.visit.id: lane.plain()["hours"] for lane in found}
    nothing = {"opens": 0, "edits": 0, "denials": 0}
    assert hours == {
        "tia": [{"at": HOUR, **nothing, "acts": 2}, {"at": 2 * HOUR, **nothing, "acts": 1}],
        "ann": [],
        "eve": [],
    }
    assert found[0].visit.id == "tia"
