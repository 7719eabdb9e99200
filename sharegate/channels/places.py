"""Where every item of a room's document lies, known before any library has read it.

An item names its neighbours; its parent and key follow from them. Where the two neighbours lie apart, yjs up to 13.5
(JupyterLab) takes the right one's place and yrs the left one's: a word that a copy of ours shows in a cell's text is
`state.path` in the owner's page. So each item is placed by our own reading, and what could be read in two ways is
refused: neighbours that lie apart, neighbours or parents that do not exist or come later, texts cut inside a character,
and whatever no page writes into a list, map or text.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from sharegate.channels.blocks import Blocks, Ranges, Work, by_client
from sharegate.channels.scan import ARRAY, MAP, TEXT, Clocks, Content, Id, Struct, UpdateSummary
from sharegate.channels.writers import refused

NOTEBOOK_ROOTS: Mapping[str, int] = {"state": MAP, "meta": MAP, "cells": ARRAY}
FILE_ROOTS: Mapping[str, int] = {"state": MAP, "source": TEXT}

# What stands at a clock, besides the kinds of shared types (0 to 6).
_PLAIN, _DEAD, _UNKNOWN = -1, -2, -3

# What is kept of places, above twice what was read of the whole document, before that is read anew.
_LITTER = 20_000
_LITTER_BLOCKS = 25_000


class Place(NamedTuple):
    """Inside `parent` (a root or the item of a shared type), under `key` in a map. `depth`: types around it."""

    parent: str | Id
    key: str | None
    shape: int
    depth: int


# Inside something that was deleted and forgotten: nobody will see it. And: nothing is known (upstream only).
GONE = Place("", None, _DEAD, 0)
NOWHERE = Place("", None, _UNKNOWN, 0)


class _Run:
    """Clocks of one client, in stretches: at one place, of one kind, each item behind the one before."""

    __slots__ = ("end", "halves", "kinds", "places", "starts")

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.places: list[Place] = []
        self.kinds: list[int] = []
        self.halves = array("I")  # clocks before which a text may not be cut
        self.end = 0

    def at(self, clock: int) -> tuple[Place, int]:
        index = bisect_right(self.starts, clock) - 1
        return self.places[index], self.kinds[index]

    def gaps(self, start: int, end: int) -> bool:
        """Whether something between these clocks is not known."""
        return _UNKNOWN in self.kinds[bisect_right(self.starts, start) - 1 : bisect_left(self.starts, end)]

    def add(self, start: int, end: int, place: Place, kind: int, *, behind: bool) -> None:
        if not (behind and self.starts and kind < 0 and self.kinds[-1] == kind and self.places[-1] == place):
            self.starts.append(start)
            self.places.append(place)
            self.kinds.append(kind)
        self.end = end


class Places:
    """Sans-I/O, one per epoch of a room. Every update that the document takes is learned, in the same order.

    `roots`: what the document consists of, and as which kind of shared type (`NOTEBOOK_ROOTS`, `FILE_ROOTS`).
    """

    def __init__(self, roots: Mapping[str, int], *, nesting: int = 64) -> None:
        self._roots = dict(roots)
        self._nesting = nesting
        self._runs: dict[int, _Run] = {}
        self._deleted: dict[int, Ranges] = {}
        self._blocks = Blocks(self._deleted)
        self._kept = self._read = self._read_blocks = 0

    @classmethod
    def of(cls, roots: Mapping[str, int], whole: UpdateSummary) -> Places:
        """Of a document that one update holds."""
        places = cls(roots)
        places.learn(whole)
        places.read_anew()
        return places

    def read_anew(self) -> None:
        """What is kept by now counts as what the document needs."""
        self._read, self._read_blocks = self._kept, self._blocks.count

    @property
    def littered(self) -> bool:
        """Whether much may be kept of what was deleted long ago: it only grows, until the whole document is read."""
        more = self._kept - self._read > self._read + _LITTER
        return more or self._blocks.count - self._read_blocks > _LITTER_BLOCKS

    @property
    def blocks(self) -> int:
        """In how many pieces the document is, about."""
        return self._blocks.count

    def work(self, summary: UpdateSummary) -> Work:
        """What applying an update would take. `summary` has `structs`."""
        return self._blocks.work(summary)

    def check(self, summary: UpdateSummary) -> None:
        """Denied(`update_refused`) when something new would be read in two ways or lies where no page writes.

        `summary` is of a scan with `structs`, within limits without `ahead`. Nothing is learned. Linear but for one
        look-up (logarithmic) per neighbour.
        """
        reading = _Reading(self._runs, self._roots, summary, self._nesting, strict=True)
        reading.everything()
        reading.known_again()
        for gone in summary.deleted:
            if reading.splits((gone.client, gone.start)) or reading.splits((gone.client, gone.end)):
                raise refused("deletes half a character")

    def learn(self, summary: UpdateSummary) -> None:
        """The document took this update, from upstream or after `check`. Never refuses; `summary` has `structs`."""
        blocks = self._blocks.count
        self._blocks.learn(summary)
        self._kept += self._blocks.count - blocks
        reading = _Reading(self._runs, self._roots, summary, self._nesting, strict=False)
        for client, struct, place, kind in reading.everything():
            run = self._runs.setdefault(client, _Run())
            if struct.start > run.end:
                run.add(run.end, struct.start, NOWHERE, _UNKNOWN, behind=False)
            halves, stretches = len(run.halves), len(run.starts)
            run.halves.extend(half for half in _halves(struct) if half > run.end)
            behind = struct.start < run.end or struct.left == (client, struct.start - 1)
            run.add(max(struct.start, run.end), struct.end, place, kind, behind=behind)
            self._kept += len(run.halves) - halves + len(run.starts) - stretches
        for client, gone in by_client(summary.deleted).items():
            self._deleted.setdefault(client, Ranges()).add_all(gone)

    def repeats(self, summary: UpdateSummary) -> bool:
        """Whether all structs and all deletions are known: applying the update would change nothing."""
        for each in summary.clocks:
            run = self._runs.get(each.client)
            if each.end > (run.end if run is not None else 0):
                return False
        return all(gone.client in self._deleted and self._deleted[gone.client].hold(gone) for gone in summary.deleted)


class _Reading:
    """The state of placing one update's structs."""

    def __init__(
        self, runs: Mapping[int, _Run], roots: Mapping[str, int], summary: UpdateSummary, nesting: int, *, strict: bool
    ) -> None:
        self.runs = runs
        self.roots = roots
        self.nesting = nesting
        self.strict = strict
        self.sections: dict[int, list[Struct]] = {}
        self.starts: dict[int, list[int]] = {}
        self.found: dict[int, list[Place | None]] = {}
        self.repeated: list[tuple[int, Struct]] = []
        self.summary = summary
        self.deleted: dict[int, Ranges] | None = None
        self.halves: dict[Id, list[int]] = {}  # by client and index, once somebody asked
        for client, structs in summary.sections.items():
            known = self.known(client)
            if strict:
                self.repeated.extend((client, struct) for struct in structs if struct.end <= known)
            new = structs if not structs or structs[0].start >= known else [s for s in structs if s.end > known]
            if new:
                self.sections[client] = new
                self.starts[client] = [struct.start for struct in new]
                self.found[client] = [None] * len(new)

    def known(self, client: int) -> int:
        run = self.runs.get(client)
        return run.end if run is not None else 0

    def everything(self) -> list[tuple[int, Struct, Place, int]]:
        """Each new struct with its client, place and kind; by client, in order of clocks."""
        return list(self._everything())

    def known_again(self) -> None:
        """yjs looks up the neighbours and parents also of structs that it knows already, and cuts texts there. What the
        server's document has a gap at is nobody's to write: whoever has the true words would never see them again."""
        for client, struct in self.repeated:
            if struct.content is not Content.SKIP and self.runs[client].gaps(struct.start, struct.end):
                raise refused("fills a gap")
            for named in (struct.left, struct.right, struct.parent):
                if isinstance(named, tuple) and self._at(named)[1] == _UNKNOWN:
                    raise refused("repeats something else")
            self._whole(struct)

    def _whole(self, struct: Struct) -> None:
        left, right = struct.left, struct.right
        if (left is not None and self.splits((left[0], left[1] + 1))) or (right is not None and self.splits(right)):
            raise refused("cuts a character in two")

    def _reversed(self, left: Id, right: Id) -> bool:
        """Whether the right neighbour is found by cutting it off from what was just found as the left one."""
        return left[0] == right[0] and right[1] <= left[1] and self._stretch(left) == self._stretch(right)

    def _stretch(self, named: Id) -> tuple[bool, int | None]:
        client, clock = named
        if clock < self.known(client):
            return True, bisect_right(self.runs[client].starts, clock)
        return False, self._index(client, clock)

    def _everything(self) -> Iterator[tuple[int, Struct, Place, int]]:
        for client, structs in self.sections.items():
            known = self.known(client)
            if self.strict and structs[0].start > known:
                raise refused("clocks with a gap")
            for index, struct in enumerate(structs):
                place = self.found[client][index] or self._follow(client, index)
                kind = _kind(struct)
                if self.strict:
                    self._judge(client, struct, place, kind, known)
                yield client, struct, place, kind

    def splits(self, where: Id) -> bool:
        """Whether a character would be cut in two before this clock."""
        client, clock = where
        if clock <= self.known(client) and client in self.runs and _holds(self.runs[client].halves, clock):
            return True
        index = self._index(client, clock - 1)
        if index is None or not self.sections[client][index].text:
            return False
        halves = self.halves.get((client, index))
        if halves is None:
            halves = self.halves[client, index] = _halves(self.sections[client][index])
        return _holds(halves, clock)

    def _judge(self, client: int, struct: Struct, place: Place, kind: int, known: int) -> None:
        """Whether a page writes such a struct there, and every library reads it alike."""
        if struct.start < known and struct.content is not Content.GC:
            # Libraries take the rest only, behind what is known: it lies there, whatever the struct says.
            before, was = self.runs[client].at(known - 1)
            if before != place or kind not in (was, _DEAD) or self.splits((client, known)):
                raise refused("clocks that were something else")
        self._whole(struct)
        if place is GONE:
            return
        left, right = struct.left, struct.right
        if left is not None and right is not None and self._reversed(left, right):
            raise refused("neighbours in the wrong order")
        if struct.content is Content.DELETED:
            return
        if place.depth >= self.nesting:
            raise refused("shared types nested too deep")
        content, shape = struct.content, place.shape
        value = content is Content.ANY or (content is Content.TYPE and kind in (ARRAY, MAP, TEXT))
        if shape == TEXT:
            fits = place.key is None and content is Content.STRING
        elif shape == ARRAY:
            fits = place.key is None and value
        else:
            # Behind what stood there before, never in front of something: there it would replace nothing.
            fits = shape == MAP and place.key is not None and value and struct.right is None
            # Of several values under one key only the last may live, or yjs fails when it forgets them.
            fits = fits and (struct.end == struct.start + 1 or self._deletes(client, struct))
        if not fits:
            raise refused("what no page writes there")

    def _deletes(self, client: int, struct: Struct) -> bool:
        if self.deleted is None:
            self.deleted = {}
            for gone_client, gone in by_client(self.summary.deleted).items():
                self.deleted.setdefault(gone_client, Ranges()).add_all(gone)
        ranges = self.deleted.get(client)
        return ranges is not None and ranges.hold(Clocks(client, struct.start, struct.end))

    def _follow(self, client: int, index: int) -> Place:
        """The place of one struct; places all that it depends on first, each once, without recursion."""
        way = [(client, index)]
        on_way = {(client, index)}
        while way:
            at = way[-1]
            struct = self.sections[at[0]][at[1]]
            missing = None
            for named in (struct.left, struct.right, struct.parent):
                if isinstance(named, tuple):
                    missing = self._unplaced(named)
                    if missing is not None:
                        break
            if missing is None:
                self.found[at[0]][at[1]] = self._place(struct)
                on_way.discard(at)
                way.pop()
            elif missing in on_way:
                if self.strict:
                    raise refused("items that lie in each other")
                self.found[missing[0]][missing[1]] = NOWHERE
            else:
                way.append(missing)
                on_way.add(missing)
        return self.found[client][index] or NOWHERE

    def _unplaced(self, named: Id) -> tuple[int, int] | None:
        """Where in this update the struct is that holds the clock, when it is new and has no place yet."""
        client, clock = named
        if clock < self.known(client):
            return None
        index = self._index(client, clock)
        if index is None or self.found[client][index] is not None:
            return None
        return client, index

    def _index(self, client: int, clock: int) -> int | None:
        starts = self.starts.get(client)
        if not starts or clock < starts[0] or clock >= self.sections[client][-1].end:
            return None
        return bisect_right(starts, clock) - 1

    def _at(self, named: Id) -> tuple[Place, int]:
        client, clock = named
        if clock < self.known(client):
            return self.runs[client].at(clock)
        index = self._index(client, clock)
        if index is None:
            return NOWHERE, _UNKNOWN
        return self.found[client][index] or NOWHERE, _kind(self.sections[client][index])

    def _place(self, struct: Struct) -> Place:
        if struct.content is Content.GC:
            return GONE
        left = self._at(struct.left)[0] if struct.left is not None else None
        right = self._at(struct.right)[0] if struct.right is not None else None
        place = left or right
        if place is not None:
            if self.strict and (place.shape == _UNKNOWN or (right is not None and right.shape == _UNKNOWN)):
                raise refused("a neighbour that does not exist")
            if self.strict and right is not None and right != place:
                raise refused("neighbours that lie apart")
            return place
        if isinstance(struct.parent, str):
            shape = self.roots.get(struct.parent, _UNKNOWN)
            if self.strict and shape == _UNKNOWN:
                raise refused("an unknown root")
            return Place(struct.parent, struct.key, shape, 0)
        if struct.parent is None:
            return NOWHERE
        around, kind = self._at(struct.parent)
        if kind == _DEAD or around is GONE:
            return GONE
        if self.strict and kind < 0:
            raise refused("a parent that does not exist")
        return Place(struct.parent, struct.key, kind, around.depth + 1)


def _kind(struct: Struct) -> int:
    if struct.content is Content.TYPE:
        return struct.shared
    if struct.content in (Content.GC, Content.DELETED):
        return _DEAD
    return _UNKNOWN if struct.content is Content.SKIP else _PLAIN


def _holds(ordered: Sequence[int], value: int) -> bool:
    index = bisect_left(ordered, value)
    return index < len(ordered) and ordered[index] == value


def _halves(struct: Struct) -> list[int]:
    """The clocks between the two halves of a character, in order."""
    if not struct.text:
        return []
    clock = struct.start
    halves = []
    for character in struct.text:
        clock += 1
        if ord(character) > 0xFFFF:
            halves.append(clock)
            clock += 1
    return halves
