"""Entries of the history as a picture: one lane for each person, in which every entry has its place in time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

# The end of the year 9999: an altered entry may be of no day of a calendar.
LAST = 253402300799.0

# Lanes that are drawn; the others are counted.
MOST_LANES = 24
# Parts of the width in which entries of one kind are one mark.
STEPS = 160
FEWEST = 3

# What a mark means, by the action's name or its beginning. The first that fits counts.
_KINDS = (
    ("link.passed_on", "passed"),
    ("program.elsewhere", "passed"),
    ("knock.made", "passed"),
    ("link.refused", "refused"),
    ("knock.refused", "refused"),
    ("channel.refused", "refused"),
    ("document.refused", "refused"),
    ("request.denied", "refused"),
    ("stranger.", "refused"),
    ("document.alarm", "refused"),
    ("link.joined", "came"),
    ("link.reentered", "came"),
    ("device.", "came"),
    ("program.", "came"),
    ("visit.", "left"),
    ("channel.closed", "left"),
    ("document.", "wrote"),
    ("request.", "read"),
    ("channel.", "read"),
)
KINDS = {
    "came": "came in",
    "read": "looked at something",
    "wrote": "changed something",
    "left": "left",
    "passed": "passed on, or knocked",
    "refused": "refused",
    "did": "did something here",
}
_NOBODY = {"owner": "The owner", "admin": "An admin", "gate": "sharegate", "stranger": "Without a link"}


@dataclass(slots=True)
class Mark:
    """`x` in per cent of the width. Of several entries in one place: the newest, and how many there are."""

    x: float
    kind: str
    anchor: str
    text: str
    at: float
    count: int = 1

    @property
    def said(self) -> str:
        return f"{self.text} And {self.count - 1} more." if self.count > 1 else self.text


@dataclass(slots=True)
class Lane:
    """`spans` are (from, width) in per cent: the time between a person's first and last entry of one visit."""

    name: str
    person: bool
    marks: list[Mark] = field(default_factory=list)
    spans: list[tuple[float, float]] = field(default_factory=list)
    entries: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Timeline:
    """`more` counts the people who have no lane."""

    lanes: Sequence[Lane]
    begins: float
    ends: float
    more: int = 0

    @property
    def middle(self) -> float:
        return (self.begins + self.ends) / 2


def kind_of(event: Json) -> str:
    """Which mark an entry has."""
    action = event["action"]
    if event["outcome"] == "denied":
        return "refused"
    if action == "request.answered" and event.get("method", "") not in ("", "GET", "HEAD"):
        # Layouts and settings stay with the visit and change nothing of the owner's (audit/export.py).
        return "wrote" if event.get("rule", "").partition("-")[0] == "contents" else "read"
    if event["actor"] in ("owner", "admin", "gate") and not action.startswith(("link.passed", "document.alarm")):
        return "did"
    return next((kind for begins, kind in _KINDS if action.startswith(begins)), "did")


def drawn(events: Iterable[Json], anchors: Sequence[str]) -> Timeline | None:
    """The lanes of a page of entries; None for so few that their sentences say it all. `anchors` are the entries' names
    in the page, in the same order."""
    found = [(event, anchor) for event, anchor in zip(events, anchors, strict=True) if 0 < event["at"] < LAST]
    if len(found) < FEWEST:
        return None
    begins = min(event["at"] for event, _ in found)
    ends = max(event["at"] for event, _ in found)
    wide = max(ends - begins, 1.0)
    lanes: dict[tuple[str, ...], Lane] = {}
    cells: dict[tuple[tuple[str, ...], str, int], Mark] = {}
    visits: dict[tuple[tuple[str, ...], str], tuple[float, float]] = {}
    for event, anchor in sorted(found, key=lambda each: each[0]["at"]):
        key, name, person = _whose(event)
        lane = lanes.setdefault(key, Lane(name, person))
        lane.entries += 1
        kind = kind_of(event)
        lane.refused += kind == "refused"
        # Half a mark of room on both sides.
        x = 1.5 + 97 * (event["at"] - begins) / wide
        place = (key, kind, round(x * STEPS / 100))
        count = cells[place].count + 1 if place in cells else 1
        cells[place] = Mark(round(x, 2), kind, anchor, event["text"], event["at"], count)
        if person and event["visit"]:
            first, _ = visits.get((key, event["visit"]), (x, x))
            visits[key, event["visit"]] = first, x
    for (key, _, _), mark in cells.items():
        lanes[key].marks.append(mark)
    for (key, _), (first, last) in visits.items():
        lanes[key].spans.append((round(first, 2), round(last - first, 2)))
    # Whoever shares, then people as they came, strangers, and the gate's own.
    order = {"owner": 0, "admin": 0, "stranger": 2, "gate": 3}
    ordered = [lanes[key] for key in sorted(lanes, key=lambda key: order.get(key[0], 1))]
    return Timeline(ordered[:MOST_LANES], begins, ends, max(0, len(ordered) - MOST_LANES))


def _whose(event: Json) -> tuple[tuple[str, ...], str, bool]:
    """A lane's key, its name, and whether it is a visitor's."""
    actor, name = event["actor"], event["name"]
    if actor in ("owner", "admin", "gate") and event["action"] not in ("link.passed_on", "document.alarm"):
        return (actor,), _NOBODY[actor], False
    if name:
        # Two people of one name by two links are two people.
        return ("person", event["share"], event["link"], name), name, True
    if event["visit"]:
        return ("visit", event["visit"]), "A visitor", True
    return (actor,), _NOBODY.get(actor, "Somebody"), False
