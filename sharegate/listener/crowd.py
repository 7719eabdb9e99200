"""How many connections there may be, and who gives way when there are too many.

A connection is somebody's as soon as a request over it showed a visit's credential; until then it is a stranger's.
Strangers have a share of their own for each address, and when the gate is full the stranger who has been waiting
longest gives way to whoever comes. Nobody's visit is given up for a newcomer; a connection past what one visit needs
stays a stranger's, for one visitor is not to fill the gate either.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sharegate.limits import network

# Turned away with a word and a moment to read it; past so many at once without.
POLITE = 64


class Line(Protocol):
    """One connection."""

    def give_up(self) -> None:
        """Drop it at once."""


@dataclass(eq=False, slots=True)
class Place:
    """A connection's place in the crowd. `address` is the place that who connected counts for."""

    crowd: Crowd
    line: Line
    address: str
    busy: bool = False
    known: bool = False
    visit: str = ""
    left: bool = False

    def asking(self) -> None:
        """A request came: it is not given up before it was answered."""
        self.busy = True
        self.crowd._waits(self, False)

    def answered(self) -> None:
        """It waits for its next request."""
        self.busy = False
        if not self.left and not self.known:
            self.crowd._waits(self, True)

    def is_known(self, visit: str) -> None:
        """A request showed this visit's credential: the connection is no stranger's any more, if the visit has not too
        many."""
        if not self.known and not self.left:
            self.crowd._is_known(self, visit)

    def leave(self) -> None:
        """Idempotent."""
        if not self.left:
            self.left = True
            self.crowd._left(self)


class Crowd:
    """All connections of one listener. `most` at once; `strangers_per_address` of those that are nobody's yet, but for
    addresses of which `shared` says that many people come from there (a proxy's); `per_visit` that are one visit's
    own."""

    def __init__(
        self,
        most: int,
        strangers_per_address: int,
        *,
        shared: Callable[[str], bool] = lambda _: False,
        per_visit: int = 1 << 30,
    ) -> None:
        self.most = most
        self.refused = 0
        self._per_address = strangers_per_address
        self._shared = shared
        self._per_visit = per_visit
        self._visits: dict[str, int] = {}
        self._count = 0
        self._strangers: dict[str, int] = {}
        self._waiting: dict[Place, None] = {}  # strangers without a request, longest first

    def __len__(self) -> int:
        return self._count

    def enter(self, line: Line, address: str) -> Place | None:
        """A place, or None when there is none; then the connection is not counted."""
        place = network(address)
        mine = self._strangers.get(place, 0)
        if mine >= self._per_address and not self._shared(address):
            self.refused += 1
            return None
        if self._count >= self.most and not self._make_room():
            self.refused += 1
            return None
        taken = Place(self, line, place)
        self._count += 1
        self._strangers[place] = self._strangers.get(place, 0) + 1
        self._waiting[taken] = None
        return taken

    def _make_room(self) -> bool:
        oldest = next(iter(self._waiting), None)
        if oldest is None:
            return False
        self.refused += 1
        oldest.leave()
        oldest.line.give_up()
        return True

    def _waits(self, place: Place, waits: bool) -> None:
        self._waiting.pop(place, None)
        if waits:
            self._waiting[place] = None

    def _is_known(self, place: Place, visit: str) -> None:
        has = self._visits.get(visit, 0)
        if has >= self._per_visit:
            return
        place.known, place.visit = True, visit
        self._visits[visit] = has + 1
        self._waiting.pop(place, None)
        self._no_stranger(place.address)

    def _left(self, place: Place) -> None:
        self._count -= 1
        self._waiting.pop(place, None)
        if not place.known:
            self._no_stranger(place.address)
        elif self._visits[place.visit] > 1:
            self._visits[place.visit] -= 1
        else:
            del self._visits[place.visit]

    def _no_stranger(self, address: str) -> None:
        left = self._strangers[address] - 1
        if left:
            self._strangers[address] = left
        else:
            del self._strangers[address]
