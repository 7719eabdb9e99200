"""Which visit may write under which CRDT client id, within one epoch of one room.

Who writes under another's id takes the clocks of that person's next keystrokes: every peer then takes those for known
and drops them for good. So an id belongs to whoever used it first, and clocks go on without a gap.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from sharegate.channels.scan import UpdateSummary
from sharegate.errors import Denied, Reason

PER_VISIT = 1000  # a page that loads again has a new id, and an epoch may last for days
PER_ROOM = 10_000

UPSTREAM = "(upstream)"
GATE = "(gate)"
NOBODY = ""


def refused(detail: str) -> Denied:
    return Denied(Reason.UPDATE_REFUSED, detail)


class Writers:
    """The owners of the client ids of one epoch. Ids are never given back. Sans-I/O, one per room."""

    def __init__(self, *, per_visit: int = PER_VISIT, per_room: int = PER_ROOM) -> None:
        self._per_visit = per_visit
        self._per_room = per_room
        # jupyter-collaboration fills a document from disk under the id 0.
        self._owners: dict[int, str] = {0: UPSTREAM}
        self._held_by: Counter[str] = Counter()
        self._barred: set[int] = set()

    @property
    def barred(self) -> frozenset[int]:
        return frozenset(self._barred)

    def owner_of(self, client_id: int) -> str:
        """A visit, `UPSTREAM`, `GATE` or `NOBODY`."""
        return self._owners.get(client_id, NOBODY)

    def upstream(self, summary: UpdateSummary) -> None:
        """Ids first seen from upstream are its own; visits' updates that it repeats stay the visits'."""
        self.upstream_ids(each.client for each in summary.clocks)

    def upstream_ids(self, client_ids: Iterable[int]) -> None:
        """The same for ids that upstream's awareness names: who has a page open may not have written yet."""
        for client_id in client_ids:
            self._owners.setdefault(client_id, UPSTREAM)

    def reserve(self, client_id: int) -> None:
        """An id under which the gate itself writes. ValueError when it is somebody else's: the gate draws another."""
        if self._owners.setdefault(client_id, GATE) != GATE:
            raise ValueError(client_id)

    def claim(self, visit: str, client_ids: Iterable[int]) -> None:
        """Ids become the visit's before anybody else learns them (awareness). All of them, or Denied and none."""
        new = frozenset(each for each in client_ids if self.owner_of(each) != visit)
        self._may_claim(visit, new)
        self._claim(visit, new)

    def check(self, visit: str, summary: UpdateSummary, held: Mapping[int, int]) -> frozenset[int]:
        """The ids under which the update adds something to what is `held` (client → clock); empty for a repetition.

        They are the visit's afterwards. Denied(`update_refused`), and nothing claimed, when an id is not or may not
        become the visit's, when clocks leave a gap, when a new struct is of a kind that no page writes, or when
        something is deleted that nobody wrote.
        """
        ends: dict[int, int] = {}
        writes = []
        for each in summary.clocks:
            known = held.get(each.client, 0)
            if each.end <= known:
                continue
            if each.start > known:
                raise refused("clocks with a gap")
            if summary.unusual.get(each.client, 0) > known:
                raise refused("contents that no page writes")
            ends[each.client] = each.end
            writes.append(each.client)
        for gone in summary.deleted:
            if gone.end > ends.get(gone.client, 0) and gone.end > held.get(gone.client, 0):
                raise refused("deletes what nobody wrote")
        written = frozenset(writes)
        if written & self._barred:
            raise refused("client id barred")
        new = frozenset(each for each in written if self.owner_of(each) != visit)
        self._may_claim(visit, new)
        self._claim(visit, new)
        return written

    def bar(self, client_ids: Iterable[int]) -> None:
        """Nothing new is taken under these ids until the epoch ends: their page holds what was refused."""
        self._barred.update(client_ids)

    def _may_claim(self, visit: str, new: frozenset[int]) -> None:
        if visit in (UPSTREAM, GATE, NOBODY):
            raise ValueError(f"not a visit: {visit!r}")
        if not new.isdisjoint(self._owners):
            raise refused("client id of somebody else")
        if not new.isdisjoint(self._barred):
            raise refused("client id barred")
        if self._held_by[visit] + len(new) > self._per_visit or self._held_by.total() + len(new) > self._per_room:
            raise refused("too many client ids")

    def _claim(self, visit: str, new: frozenset[int]) -> None:
        for client_id in new:
            self._owners[client_id] = visit
        self._held_by[visit] += len(new)


def settled(summary: UpdateSummary, after: Mapping[int, int]) -> None:
    """Denied(`update_refused`) when something of an update that was applied is still waiting for what does not exist.

    `after`: the document's clocks afterwards. A struct whose neighbours or parent are missing does not move its
    client's clock, nor do those behind it; a deletion waits exactly where it reaches past a clock.
    """
    for each in (*summary.clocks, *summary.deleted):
        if each.end > after.get(each.client, 0):
            raise refused("an update that stays pending")
