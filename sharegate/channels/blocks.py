"""How many blocks a document is in, and what a change would cut: known before any library applies it.

yrs keeps the blocks of one CRDT client in a list. Each cut of a block moves all that lie behind it, in every copy of
the document: ten thousand cuts of a long text stop the gate and the owner's server for seconds. And a document in more
pieces than are read at once can never be read again. So cuts are counted, and what is in many pieces grows no further.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sharegate.channels.scan import Clocks, Content, Struct, UpdateSummary

_FEW = 500
# Neighbours of one content and client become one block again.
_JOINED = frozenset({Content.GC, Content.DELETED, Content.JSON, Content.STRING, Content.ANY})


class Work(NamedTuple):
    """What applying an update does to a document's blocks.

    `structs`: how many it holds. `cuts`: blocks that are cut in two. `moved`: places in lists that are moved for it, at
    most. `deletes`: ranges that delete something that lives. `blocks`: how many more there are then, about.
    """

    structs: int
    cuts: int
    moved: int
    deletes: int
    blocks: int

    @property
    def cost(self) -> int:
        """In bytes that take as long to judge. A struct and a cut take about 10 µs each, a cut 2 ns more for each block
        behind it, a deletion 4 µs (live document and trial copy together; pycrdt 0.14.13); a megabyte 30 ms."""
        return 320 * self.structs + 512 * self.cuts + self.moved // 8 + 128 * self.deletes


class Ranges:
    """Deleted clocks of one client: disjoint stretches in order."""

    __slots__ = ("ends", "starts")

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.ends: list[int] = []

    def add(self, gone: Clocks) -> None:
        low = bisect_left(self.ends, gone.start)
        high = bisect_right(self.starts, gone.end)
        start = min([gone.start, *self.starts[low : low + 1]]) if low < high else gone.start
        end = max([gone.end, *self.ends[high - 1 : high]]) if low < high else gone.end
        self.starts[low:high] = [start]
        self.ends[low:high] = [end]

    def add_all(self, gone: list[Clocks]) -> None:
        """Few are put where they belong; many are sorted in, since each would move all that lie behind it."""
        if len(gone) < _FEW:
            for each in gone:
                self.add(each)
            return
        pairs = sorted([*zip(self.starts, self.ends, strict=True), *((each.start, each.end) for each in gone)])
        self.starts, self.ends = [], []
        for start, end in pairs:
            if self.ends and start <= self.ends[-1]:
                self.ends[-1] = max(self.ends[-1], end)
            else:
                self.starts.append(start)
                self.ends.append(end)

    def hold(self, gone: Clocks) -> bool:
        index = bisect_right(self.starts, gone.start) - 1
        return gone.start == gone.end or (index >= 0 and gone.end <= self.ends[index])

    def has(self, clock: int) -> bool:
        index = bisect_right(self.starts, clock) - 1
        return index >= 0 and clock < self.ends[index]


def by_client(deleted: Iterable[Clocks]) -> dict[int, list[Clocks]]:
    ranges: dict[int, list[Clocks]] = {}
    for gone in deleted:
        ranges.setdefault(gone.client, []).append(gone)
    return ranges


class _Client:
    """Blocks of one CRDT client. `borders`: where two of them stay apart while they live."""

    __slots__ = ("borders", "count", "end", "last")

    def __init__(self) -> None:
        self.borders: set[int] = set()
        self.count = 0
        self.end = 0
        self.last: Struct | None = None


class Blocks:
    """Sans-I/O. `deleted` is kept by who made this, and has an update's deletions after `learn` only."""

    def __init__(self, deleted: Mapping[int, Ranges]) -> None:
        self._deleted = deleted
        self._clients: dict[int, _Client] = {}
        self.count = 0

    def work(self, summary: UpdateSummary) -> Work:
        """`summary` has `structs`. Never too few cuts: blocks that would grow together at once count as one. Linear but
        for one look-up (logarithmic) per neighbour and range."""
        reading = _Reading(self._clients, self._deleted, summary)
        cuts = moved = 0
        for client, found in reading.cuts.items():
            known = self._clients.get(client)
            behind = (known.count if known is not None else 0) + reading.added.get(client, 0) + len(found)
            cuts += len(found)
            moved += len(found) * behind
        return Work(summary.structs, cuts, moved, reading.deletes, sum(reading.added.values()) + cuts)

    def learn(self, summary: UpdateSummary) -> None:
        """The document took this update. Before its deletions are known."""
        reading = _Reading(self._clients, self._deleted, summary)
        for client, structs in summary.sections.items():
            known = self._clients.setdefault(client, _Client())
            if structs and structs[-1].end > known.end:
                known.borders.update(reading.apart[client])
                known.last, known.end = structs[-1], structs[-1].end
        for client, clock in reading.between:
            if client in self._clients and 0 < clock < self._clients[client].end:
                self._clients[client].borders.add(clock)
        for client, more in reading.added.items():
            self._more(client, more)
        for client, found in reading.cuts.items():
            self._more(client, len(found))

    def _more(self, client: int, count: int) -> None:
        if client in self._clients:
            self._clients[client].count += count
        self.count += count


class _Reading:
    """What one update cuts and adds, by client."""

    def __init__(self, clients: Mapping[int, _Client], deleted: Mapping[int, Ranges], summary: UpdateSummary) -> None:
        self.clients = clients
        self.deleted = deleted
        self.cuts: dict[int, set[int]] = {}
        self.added: dict[int, int] = {}
        self.between: list[tuple[int, int]] = []  # where something is put right between two letters
        self.apart: dict[int, set[int]] = {}  # new blocks that do not grow together with the one before
        self.kept: dict[int, set[int]] = {}  # others that do not, since something comes between
        self.starts: dict[int, set[int]] = {}
        self.ends: dict[int, int] = {}
        self.deletes = 0
        for client, structs in summary.sections.items():
            self._blocks(client, structs)
        for client, structs in summary.sections.items():
            for struct in structs:
                self._neighbours(client, struct)
        for client, gone in by_client(summary.deleted).items():
            self._deletes(client, gone)

    def _blocks(self, client: int, structs: list[Struct]) -> None:
        known = self.clients.get(client)
        end = known.end if known is not None else 0
        last = known.last if known is not None else None
        apart = self.apart[client] = set()
        self.kept[client] = set()
        self.starts[client] = {struct.start for struct in structs}
        self.ends[client] = structs[-1].end if structs else 0
        deleted = self.deleted.get(client)
        if deleted is not None and deleted.has(end - 1):
            last = None  # what lives does not grow together with it
        for struct in structs:
            if struct.end <= end:
                continue
            if struct.start >= end and not _grows(client, last, struct):
                apart.add(struct.start)
            last = struct
        self.added[client] = len(apart)

    def _neighbours(self, client: int, struct: Struct) -> None:
        left, right = struct.left, struct.right
        if left is not None and left != (client, struct.start - 1):
            behind = (left[0], left[1] + 1)
            self._cut(*behind, deletes=False)
            if right == behind:
                known = self.clients.get(client)
                if known is None or struct.start >= known.end:  # others are there already, wherever they say they lie
                    self.between.append(right)
                return
        if right is not None:
            self._cut(*right, deletes=False)

    def _deletes(self, client: int, ranges: list[Clocks]) -> None:
        deleted = self.deleted.get(client)
        for gone in ranges:
            if deleted is not None and deleted.hold(gone):
                continue  # a page repeats all that was ever deleted
            self.deletes += 1
            self._cut(client, gone.start, deletes=True)
            self._cut(client, gone.end, deletes=True)

    def _cut(self, client: int, clock: int, *, deletes: bool) -> None:
        """Something is put before this clock, or is deleted up to it or from it on."""
        known = self.clients.get(client)
        if known is not None and clock < known.end:
            deleted = self.deleted.get(client)
            before = deleted is not None and deleted.has(clock - 1)
            after = deleted is not None and deleted.has(clock)
            cut = clock > 0 and clock not in known.borders
            if before or after:
                # What is deleted grows together, whatever was there before, and is not cut to be deleted again.
                cut = before and after and not deletes
            if cut:
                self.cuts.setdefault(client, set()).add(clock)
        elif client in self.ends and clock < self.ends[client]:
            if clock not in self.starts[client]:
                self.cuts.setdefault(client, set()).add(clock)
            elif clock not in self.apart[client] and clock not in self.kept[client]:
                self.kept[client].add(clock)
                self.added[client] += 1


def _grows(client: int, last: Struct | None, struct: Struct) -> bool:
    """Whether a new block becomes one with the block before it."""
    if last is None or last.end != struct.start or struct.content is not last.content or struct.content not in _JOINED:
        return False
    return struct.content is Content.GC or (struct.left == (client, struct.start - 1) and struct.right == last.right)
