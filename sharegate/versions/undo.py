"""Taking back one visit's changes while everybody else's later work stays.

The log is played again on a document of its own, each entry under its origin, with an undo manager that follows the
one visit; what it undoes is an update for the live document. The CRDT keeps others' characters by itself. Where it
cannot (others wrote in a cell that the visit made or moved), the cell stays as it is and the report says so.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from pycrdt import ArrayEvent, Doc, Map, UndoManager, merge_updates

from sharegate.errors import StoreUnavailable
from sharegate.versions import restore
from sharegate.versions.diff import Difference, difference
from sharegate.versions.document import cells_of, hold_trust, meta_of, read, source_of, trust_of
from sharegate.versions.model import Content, Edit, EditKind, Kind

_WHOLE = 10**12  # milliseconds: everything that the visit did is one step
_MOST_STEPS = 100_000
_PAST = "\x00past"  # no visit's id


class Became(StrEnum):
    """What the undoing makes of a cell. KEPT: it stays as it is, because others wrote in what the visit made."""

    REMOVED = "removed"
    RESTORED = "restored"
    CHANGED = "changed"
    MOVED = "moved"
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class CellUndone:
    """One cell (id "" for a text file). `others` are the origins that changed it after the visit did, "" being the
    owner's side; with any, somebody should look at the result. `at` is its position afterwards, counted from 0; that
    before for one that goes, None for a text file."""

    id: str
    became: Became
    others: tuple[str, ...] = ()
    at: int | None = None


@dataclass(frozen=True, slots=True)
class Undone:
    """`update` is for the live document, written under the CRDT client id `client`; empty when there is nothing to take
    back. The log reaches back to `since`: what the visit did before stays."""

    update: bytes
    client: int
    since: float
    cells: tuple[CellUndone, ...]
    before: Content
    after: Content

    @property
    def difference(self) -> Difference:
        return difference(self.before, self.after)

    def to_json(self) -> dict[str, Any]:
        """The report, for an API's answer."""
        return {
            "since": self.since,
            "cells": [asdict(cell) for cell in self.cells],
            "difference": self.difference.to_json(),
        }


def take_back(edits: Sequence[Edit], visit: str, kind: Kind, *, client: int | None = None) -> Undone:
    """What takes back all that `visit` did and that was not taken back before.

    The live document must hold everything that is in the log. `client` is a CRDT client id that nobody has used in it;
    a random one when None. Takes time in proportion to the log: run it in a thread. Raises StoreUnavailable for a log
    that cannot be played.
    """
    if not edits or edits[0].kind is not EditKind.STATE:
        raise StoreUnavailable("the log of changes does not begin with a whole document")
    client = secrets.randbits(31) + 1 if client is None else client
    try:
        return _Replay(edits, visit, kind, client).undone()
    except (StoreUnavailable, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # fails closed: pycrdt panics with a BaseException; the live document is untouched
        raise StoreUnavailable(f"the log of changes cannot be played: {type(error).__name__}") from error


@dataclass
class _Touched:
    """Who touched what, in order. `made` are cells whose present shape the visit put in; `late` the origins that
    changed a cell since the visit first did; `since_made` those since it put the cell in; `copied` cells that somebody
    else put in anew (moved, pasted) with what the visit had written in them."""

    by_visit: set[str] = field(default_factory=set)
    made: set[str] = field(default_factory=set)
    late: dict[str, set[str]] = field(default_factory=dict)
    since_made: dict[str, set[str]] = field(default_factory=dict)
    copied: set[str] = field(default_factory=set)

    def note(self, origin: str, visit: str, changed: set[str], inserted: set[str]) -> None:
        if origin == visit:
            self.by_visit |= changed
            for id in inserted - self.made:  # what the visit made before and puts in anew may hold words of others
                self.since_made.pop(id, None)
            self.made |= inserted
            return
        for id in changed:
            if id in self.by_visit:
                self.late.setdefault(id, set()).add(origin)
            if id in self.made:
                self.since_made.setdefault(id, set()).add(origin)
            if id in inserted & self.by_visit:
                self.made.discard(id)
                self.copied.add(id)


class _Replay:
    """One log, played once."""

    def __init__(self, edits: Sequence[Edit], visit: str, kind: Kind, client: int) -> None:
        self._edits = edits
        self._visit = visit
        self._kind = kind
        self._client = client
        self._doc: Doc[Any] = Doc(client_id=client, skip_gc=True)
        self._cells = cells_of(self._doc) if kind is Kind.NOTEBOOK else None
        self._ids: list[str] = []
        self._fresh: list[bool] = []  # which cells the undoing put in
        self._changed: set[str] = set()
        self._inserted: set[str] = set()
        self._touched = _Touched()

    def undone(self) -> Undone:
        first = self._edits[0]
        self._doc.apply_update(first.data)
        scopes: list[Any] = [self._cells, meta_of(self._doc)] if self._cells is not None else [source_of(self._doc)]
        past = _past(self._edits, self._visit)
        following = UndoManager(scopes=scopes, capture_timeout_millis=_WHOLE)
        following.include_origin(self._visit)
        watching = self._watched()
        self._play(past)
        self._fresh = [False] * len(self._ids)
        before = read(self._doc, self._kind)
        updates: list[bytes] = []
        listening = self._doc.observe(lambda event: updates.append(event.update))
        trusted = trust_of(self._doc) if self._cells is not None else {}
        for _ in range(_MOST_STEPS):
            if not following.can_undo() or not following.undo():
                break
        watching[0].unobserve(watching[1])
        kept: set[str] = set()
        if self._cells is not None:
            kept = self._keep_others(before)
            with self._doc.transaction():
                hold_trust(self._doc, trusted)
        self._doc.unobserve(listening)
        after = read(self._doc, self._kind)
        changes = [update for update in updates if update != b"\x00\x00"]
        update = merge_updates(*changes) if changes else b""
        cells = tuple(self._report(before, after, kept))
        since = self._edits[past].at if past >= 0 else first.at
        return Undone(update, self._client, since, cells, before, after)

    # -- playing ------------------------------------------------------------------------------------------------------

    def _play(self, past: int) -> None:
        for at, edit in enumerate(self._edits[1:], 1):
            if edit.kind is EditKind.UNDONE:
                continue
            # What was taken back once is not taken back again: that would put deleted text in twice.
            gone = edit.origin == self._visit and at < past
            origin = edit.origin if edit.kind is EditKind.UPDATE and not gone else _PAST
            self._changed, self._inserted = set(), set()
            with self._doc.transaction(origin=origin):
                self._doc.apply_update(edit.data)
            # What a STATE brings that the log had not is work of somebody else's, as far as is known.
            if not gone:
                self._touched.note(edit.origin, self._visit, self._changed, self._inserted)

    def _watched(self) -> tuple[Any, Any]:
        if self._cells is None:
            source = source_of(self._doc)
            return source, source.observe(lambda event: self._changed.add(""))
        self._ids = self._present_ids()
        return self._cells, self._cells.observe_deep(self._seen)

    def _seen(self, events: Sequence[Any]) -> None:
        was = self._ids
        for event in events:
            if len(event.path) == 0 or (len(event.path) == 1 and "id" in getattr(event, "keys", ())):
                self._ids = self._present_ids()
        for event in events:
            if len(event.path):
                at = event.path[0]
                if isinstance(at, int) and at < len(self._ids):
                    self._changed.add(self._ids[at])
                continue
            if isinstance(event, ArrayEvent):
                removed, inserted = _moved(event, was, self._ids)
                self._fresh = _renewed(event, self._fresh)
                self._changed |= removed | inserted
                self._inserted |= inserted

    def _present_ids(self) -> list[str]:
        assert self._cells is not None
        return [str(cell.get("id")) if isinstance(cell, Map) else "" for cell in self._cells]

    # -- what others did ----------------------------------------------------------------------------------------------

    def _keep_others(self, before: Content) -> set[str]:
        """Cells that the visit made and that others wrote in stay as they are now, and no id names two cells."""
        assert self._cells is not None
        kept = {id for id in self._touched.made if self._touched.since_made.get(id)}
        times = Counter(str(cell.get("id")) for cell in before.cells)
        kept = {id for id in kept | self._without_doubles(times) if times[id] == 1}
        if kept:
            here = read(self._doc, Kind.NOTEBOOK)
            restore.apply(restore.plan(here, before, sorted(kept, key=list(times).index)), self._doc)
        return kept

    def _without_doubles(self, times: Counter[str]) -> set[str]:
        """Others had put a cell back that the visit had removed: theirs stays, the one that came back goes."""
        assert self._cells is not None
        now = Counter(self._ids)
        surplus: list[int] = []
        for id in [id for id, number in now.items() if number > max(times[id], 1)]:
            came = [at for at, other in enumerate(self._ids) if other == id and self._fresh[at]]
            # Of several that came back (moved by one, then removed) the fullest stays.
            came.sort(key=lambda at: len(str(self._cells[at].get("source") or "")))  # type: ignore[index]
            surplus += came[: now[id] - max(times[id], 1)]
        doubled = {self._ids[at] for at in surplus}
        with self._doc.transaction():
            for at in sorted(surplus, reverse=True):
                del self._cells[at]
        return doubled

    def _report(self, before: Content, after: Content, kept: set[str]) -> Iterator[CellUndone]:
        others = {id: tuple(sorted(late)) for id, late in self._touched.late.items()}
        if self._cells is None:
            if before != after:
                yield CellUndone("", Became.CHANGED, others.get("", ()))
            return
        names = {
            "added": Became.RESTORED,
            "removed": Became.REMOVED,
            "moved": Became.MOVED,
            "changed": Became.CHANGED,
        }
        told = set()
        for cell in difference(before, after).cells:
            told.add(cell.id)
            became = Became.KEPT if cell.id in kept else names[cell.change.value]
            at = cell.after if cell.after is not None else cell.before
            yield CellUndone(cell.id, became, others.get(cell.id, ()), at)
        for at, present in enumerate(after.cells):
            id = str(present.get("id"))
            if id in (kept | self._touched.copied) - told:
                told.add(id)
                yield CellUndone(id, Became.KEPT, others.get(id, ()), at)


def _past(edits: Sequence[Edit], visit: str) -> int:
    """The place in the log up to which nothing is taken back; -1 for none.

    What was taken back once is not taken back again: that would put deleted text in twice. And where a STATE brought
    changes of the visit's own CRDT clients that the log had missed, undoing begins behind it: the undo manager of yrs
    cannot tell the characters apart that it followed and did not follow within one run of a client (it panics, or
    leaves some), so that what it follows must be the end of the run.
    """
    past = max(
        (at for at, edit in enumerate(edits) if edit.kind is EditKind.UNDONE and edit.origin == visit), default=-1
    )
    doc: Doc[Any] = Doc()
    clocks: dict[int, int] = {}
    followed: set[int] = set()
    missed: set[int] = set()
    for at, edit in enumerate(edits):
        if edit.kind is EditKind.UNDONE:
            continue
        doc.apply_update(edit.data)
        now = state_vector(doc.get_state())
        advanced = {client for client, clock in now.items() if clock > clocks.get(client, 0)}
        if edit.kind is EditKind.STATE:
            missed |= advanced & followed
        elif edit.origin == visit and at > past:
            if advanced & missed:
                past, followed, missed = at - 1, set(), set()
            followed |= advanced
        clocks = now
    return past


def state_vector(data: bytes) -> dict[int, int]:
    """Client → clock, of what pycrdt itself encoded (lib0 varints). Never for bytes from elsewhere."""
    numbers: list[int] = []
    value = shift = 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            numbers.append(value)
            value = shift = 0
    return dict(zip(numbers[1::2], numbers[2::2], strict=True))


def _renewed(event: Any, fresh: list[bool]) -> list[bool]:
    """The same list after the event, with True for what it put in."""
    found: list[bool] = []
    old = 0
    for step in event.delta:
        if "retain" in step:
            found += fresh[old : old + step["retain"]]
            old += step["retain"]
        elif "delete" in step:
            old += step["delete"]
        elif "insert" in step:
            found += [True] * len(step["insert"])
    return found + fresh[old:]


def _moved(event: Any, was: list[str], now: list[str]) -> tuple[set[str], set[str]]:
    """Ids of the cells that were taken out and that were put in."""
    removed: set[str] = set()
    inserted: set[str] = set()
    old = new = 0
    for step in event.delta:
        if "retain" in step:
            old, new = old + step["retain"], new + step["retain"]
        elif "delete" in step:
            removed.update(was[old : old + step["delete"]])
            old += step["delete"]
        elif "insert" in step:
            inserted.update(now[new : new + len(step["insert"])])
            new += len(step["insert"])
    return removed, inserted
