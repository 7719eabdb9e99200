"""A timeline with one lane for each person: when they were in, and how much they did in each hour."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from sharegate.audit.events import COOWNER, Action, Outcome
from sharegate.audit.interfaces import Sealed
from sharegate.shares.model import Visit, VisitKind

HOUR = 3600.0
MOST_LANES = 200
_COOWNER = f"{COOWNER}:"
_READING = ("", "GET", "HEAD")
_EDITS = frozenset({Action.DOCUMENT_WRITTEN, Action.CHANNEL_SUMMARY, Action.DOCUMENT_RESTORED, Action.DOCUMENT_UNDONE})


class Glance(msgspec.Struct, frozen=True):
    """What is needed of an entry where many are counted, read without what identifies people."""

    action: str
    at: float
    actor: str
    outcome: str = Outcome.ALLOWED.value
    visit: str = ""
    method: str = ""
    rule: str = ""
    count: int = 1


def glance(sealed: Sealed) -> Glance | None:
    """None for an entry that does not read; `verify` says which."""
    try:
        return msgspec.json.decode(sealed.body, type=Glance)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


@dataclass(slots=True)
class Done:
    """`acts` are those of a co-owner at the door."""

    opens: int = 0
    edits: int = 0
    denials: int = 0
    acts: int = 0


@dataclass(slots=True)
class Stay:
    """From when until when somebody was in; `until` None: still. `how` it ended, as the visit says."""

    since: float
    until: float | None
    how: str = ""


@dataclass(slots=True)
class Lane:
    """One person: their first visit, with all devices of theirs. `hours` by the moment at which each begins."""

    visit: Visit
    devices: int = 0
    stays: list[Stay] = field(default_factory=list)
    hours: dict[float, Done] = field(default_factory=dict)
    last: float = 0.0

    def plain(self) -> dict[str, Any]:
        return {
            "visit": self.visit.id,
            "kind": self.visit.kind.value,
            "name": self.visit.name,
            "devices": self.devices,
            "last": self.last,
            "stays": [{"since": stay.since, "until": stay.until, "how": stay.how} for stay in self.stays],
            "hours": [
                {"at": at, "opens": done.opens, "edits": done.edits, "denials": done.denials, "acts": done.acts}
                for at, done in sorted(self.hours.items())
            ],
        }


def lanes(
    glances: Iterable[Glance], visits: Iterable[Visit], *, since: float, until: float, now: float
) -> tuple[list[Lane], int]:
    """Who was in between two moments, those who did something last first; and how many more people there are."""
    known = {visit.id: visit for visit in visits}
    found: dict[str, Lane] = {}
    for visit in known.values():
        stay = _stay(visit, now)
        if visit.kind is VisitKind.PREVIEW or stay.since >= until or (stay.until is not None and stay.until < since):
            continue
        lane = _lane(found, known, visit)
        lane.devices += visit.kind is VisitKind.DEVICE
        lane.stays.append(stay)
        lane.last = max(lane.last, stay.since)
    for seen in glances:
        coowner = known.get(seen.actor.removeprefix(_COOWNER)) if seen.actor.startswith(_COOWNER) else None
        if coowner is not None:  # theirs, whomever it was about
            lane = _lane(found, known, coowner)
            lane.last = max(lane.last, seen.at)
            lane.hours.setdefault(seen.at // HOUR * HOUR, Done()).acts += seen.count
            continue
        owner = known.get(seen.visit)
        # What an owner, or a program of theirs, does about a visit is none of its visitor's doings.
        if owner is None or owner.kind is VisitKind.PREVIEW or seen.actor != "visitor":
            continue
        lane = _lane(found, known, owner)
        lane.last = max(lane.last, seen.at)
        _count(lane.hours.setdefault(seen.at // HOUR * HOUR, Done()), seen)
    for lane in found.values():
        lane.stays = _joined(lane.stays)
        lane.hours = {at: done for at, done in lane.hours.items() if done != Done()}
    ordered = sorted(found.values(), key=lambda lane: (-lane.last, lane.visit.id))
    return ordered[:MOST_LANES], max(0, len(ordered) - MOST_LANES)


def _lane(found: dict[str, Lane], known: Mapping[str, Visit], visit: Visit) -> Lane:
    person = known.get(visit.came_from, visit) if visit.kind is VisitKind.DEVICE else visit
    return found.setdefault(person.id, Lane(person))


def _stay(visit: Visit, now: float) -> Stay:
    if visit.ended is not None:
        return Stay(visit.created, max(visit.ended, visit.created), visit.ended_reason)
    return Stay(visit.created, visit.expires, "expired") if visit.expires <= now else Stay(visit.created, None)


def _joined(stays: list[Stay]) -> list[Stay]:
    """Several devices at once are one stay, which ends with the last of them."""
    found: list[Stay] = []
    for stay in sorted(stays, key=lambda stay: stay.since):
        last = found[-1] if found else None
        if last is None or (last.until is not None and stay.since > last.until):
            found.append(stay)
        elif last.until is not None and (stay.until is None or stay.until > last.until):
            last.until, last.how = stay.until, stay.how
    return found


def _count(done: Done, seen: Glance) -> None:
    if seen.outcome == Outcome.DENIED.value:
        done.denials += seen.count
    elif seen.action in _EDITS or (
        seen.action == Action.REQUEST_ANSWERED.value
        and seen.rule.startswith("contents")
        and seen.method not in _READING
    ):
        done.edits += seen.count
    elif seen.action == Action.CHANNEL_OPENED.value or (
        seen.action == Action.REQUEST_ANSWERED.value and seen.method in _READING
    ):
        done.opens += seen.count
