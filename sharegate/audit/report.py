"""Who passed what on to whom, as far as the trail can tell: a tree from each visit to those that came from it.

Passing on is seen, not proved: a link opened in another browser, an address of somebody's page used elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sharegate.audit.events import Action, AuditEvent


class Arrival(StrEnum):
    """How somebody came to the door, and what became of it."""

    JOINED = "joined"
    DEVICE = "device"
    WAITING = "waiting"
    ADMITTED = "admitted"
    REFUSED = "refused"
    TRIED = "tried"  # with the address of somebody's page, and did not come in
    SEEN = "seen"  # only the passing on was recorded
    UNKNOWN = "unknown"  # named as an origin, but outside what was read


_WORDS = {
    Arrival.JOINED: "opened the link",
    Arrival.DEVICE: "own device",
    Arrival.WAITING: "knocked, not answered yet",
    Arrival.ADMITTED: "knocked, let in",
    Arrival.REFUSED: "knocked, not let in",
    Arrival.TRIED: "opened the address of their page, did not come in",
    Arrival.SEEN: "opened it elsewhere",
    Arrival.UNKNOWN: "came earlier",
}


@dataclass(slots=True, eq=False)
class Passed:
    """One visit, or one knock that became none (`visit` empty), and who came from it (oldest first). `count`: how
    often; `reason`: why nobody came in by an address."""

    share: str
    link: str
    visit: str = ""
    name: str = ""
    at: float = 0.0
    how: Arrival = Arrival.UNKNOWN
    came_from: str = ""
    signs: str = ""
    reason: str = ""
    count: int = 1
    onward: list[Passed] = field(default_factory=list)

    @property
    def words(self) -> str:
        named = f"{self.name or 'somebody'}: {_WORDS[self.how]}"
        if self.count > 1:
            named += f", {self.count} times"
        return f"{named} ({self.signs})" if self.signs else named


def passed_on(events: Iterable[AuditEvent], *, everybody: bool = False) -> list[Passed]:
    """The trees in which something was passed on, oldest first; with `everybody` also visits that passed on nothing.

    A passing on whose origin is not known is a tree of its own (its `visit` and `came_from` are empty).
    """
    reading = _Reading()
    for event in sorted(events, key=lambda event: (event.at, event.seq)):
        reading.take(event)
    trees = reading.trees()
    return [tree for tree in trees if everybody or tree.onward or tree.how not in (Arrival.JOINED, Arrival.DEVICE)]


def plain(trees: Iterable[Passed]) -> list[dict[str, Any]]:
    """The trees as plain values for JSON: a person's fields, `words`, and `onward` (a list of the same)."""
    trees = list(trees)
    people = list(trees)
    for person in people:  # grows while it runs: parents come before their children
        people += person.onward
    values: dict[int, dict[str, Any]] = {}
    for person in reversed(people):
        values[id(person)] = {
            "name": person.name,
            "share": person.share,
            "link": person.link,
            "visit": person.visit,
            "came_from": person.came_from,
            "at": person.at,
            "how": person.how.value,
            "signs": person.signs,
            "reason": person.reason,
            "count": person.count,
            "words": person.words,
            "onward": [values[id(child)] for child in person.onward],
        }
    return [values[id(tree)] for tree in trees]


def lines(trees: Iterable[Passed]) -> Iterator[str]:
    """The trees as text, one person per line."""
    for tree in trees:
        yield tree.words
        yield from _below(tree, "")


def _below(tree: Passed, margin: str) -> Iterator[str]:
    # Iterative: a chain of people is as long as they like to make it.
    stack = [(child, margin, child is tree.onward[-1]) for child in reversed(tree.onward)]
    while stack:
        child, margin, last = stack.pop()
        yield f"{margin}{'└─' if last else '├─'} {child.words}"
        inner = margin + ("   " if last else "│  ")
        stack += [(grandchild, inner, grandchild is child.onward[-1]) for grandchild in reversed(child.onward)]


class _Reading:
    def __init__(self) -> None:
        self._visits: dict[str, Passed] = {}
        self._knocks: dict[str, Passed] = {}  # by the knock's id, which its events carry as `detail`
        self._seen: list[Passed] = []
        self._tried: dict[str, Passed] = {}  # by whose page it was

    def take(self, event: AuditEvent) -> None:
        match event.action:
            case Action.LINK_JOINED:
                self._arrived(event, Arrival.JOINED)
            case Action.DEVICE_ADDED:
                self._arrived(event, Arrival.DEVICE)
            case Action.LINK_PASSED_ON:
                self._seen.append(self._new(event, Arrival.SEEN, signs=event.detail))
            case Action.KNOCK_MADE:
                self._knocks[event.detail] = self._of_sign(event) or self._added(self._new(event, Arrival.WAITING))
                self._knocks[event.detail].how = Arrival.WAITING
            case Action.KNOCK_ADMITTED:
                self._answered(event, Arrival.ADMITTED)
            case Action.KNOCK_REFUSED:
                self._answered(event, Arrival.REFUSED)
            case Action.STRANGER_DENIED if event.came_from:
                self._attempt(event)
            case _:
                pass

    def trees(self) -> list[Passed]:
        people = [*dict.fromkeys([*self._visits.values(), *self._seen, *self._tried.values()])]
        for person in list(people):
            origin = person.came_from
            if origin and origin not in self._visits:
                self._visits[origin] = Passed(person.share, person.link, visit=origin, at=person.at)
                people.append(self._visits[origin])
        roots = []
        for person in sorted(people, key=lambda person: person.at):
            parent = self._visits.get(person.came_from)
            if parent is None or self._leads_back(parent, person):
                roots.append(person)
            else:
                parent.onward.append(person)
        return roots

    def _leads_back(self, parent: Passed, person: Passed) -> bool:
        """Whether `parent` itself came from `person`: a trail that says so was made up, and must not hang us."""
        seen: set[int] = set()
        up: Passed | None = parent
        while up is not None and id(up) not in seen:
            if up is person:
                return True
            seen.add(id(up))
            up = self._visits.get(up.came_from)
        return False

    def _arrived(self, event: AuditEvent, how: Arrival) -> None:
        # Somebody who was let in opens the page afterwards: that is the same visit.
        if event.visit and event.visit not in self._visits:
            self._visits[event.visit] = self._new(event, how)

    def _answered(self, event: AuditEvent, how: Arrival) -> None:
        person = self._knocks.get(event.detail) or self._added(self._new(event, how))
        person.how = how
        person.name = person.name or event.name
        if event.visit:
            person.visit = event.visit
            self._visits.setdefault(event.visit, person)

    def _attempt(self, event: AuditEvent) -> None:
        """What happens often is one line that counts."""
        if event.came_from in self._tried:
            self._tried[event.came_from].count += event.count
        else:
            tried = self._tried[event.came_from] = self._new(event, Arrival.TRIED)
            tried.reason, tried.count = event.reason, event.count

    def _of_sign(self, event: AuditEvent) -> Passed | None:
        """A knock follows the sign that something was passed on: one person, not two."""
        for person in reversed(self._seen):
            if person.how is Arrival.SEEN and (person.link, person.came_from, person.name) == (
                event.link,
                event.came_from,
                event.name,
            ):
                return person
        return None

    def _added(self, person: Passed) -> Passed:
        self._seen.append(person)
        return person

    def _new(self, event: AuditEvent, how: Arrival, signs: str = "") -> Passed:
        return Passed(
            share=event.share,
            link=event.link,
            visit=event.visit,
            name=event.name,
            at=event.at,
            how=how,
            came_from=event.came_from,
            signs=signs,
        )
