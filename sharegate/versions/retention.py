"""Which snapshots are forgotten, and which never: a visitor who writes without end must not drive out what was there
before.

**Protected** are, as long as `days` are not over, the first version that was kept of a document on a visit's account
(what stood there before that visit wrote), and what an alarm names; for three days also the first of each day, because
a visit may come back for weeks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sharegate.versions.model import Cause, Limits, Snapshot

HOUR = 3600.0
DAY = 86400.0
# So long the first version of a visit's each day is protected.
FRESH = 3 * DAY

_BEFORE = frozenset({Cause.FIRST_WRITE, Cause.BEFORE_OVERWRITE, Cause.BEFORE_DELETE})
# What comes without end while somebody writes without end.
_RUN = frozenset({Cause.BEFORE_OVERWRITE, Cause.INTERVAL, Cause.ALARM})


def protected(snapshots: Iterable[Snapshot], now: float, limits: Limits) -> set[str]:
    """Ids of those that only their age may end, and of the newest of each document, which nothing does."""
    found: set[str] = set()
    for document in _by_document(snapshots):
        ordered = sorted(document, key=_when)
        found.add(ordered[-1].id)
        seen: set[object] = set()
        for one in ordered:
            if _over(one, now, limits):
                continue
            if one.named:
                found.add(one.id)
            if one.visit and one.cause in _BEFORE:
                day = (one.visit, one.taken // DAY)
                if one.visit not in seen or (day not in seen and now - one.taken <= FRESH):
                    found.add(one.id)
                seen |= {one.visit, day}
    return found


def thinned(snapshots: Sequence[Snapshot], now: float, limits: Limits) -> list[str]:
    """Ids of those to forget, of one server.

    Everything of the last hour stays, then one an hour for a day, then one a day until `days` are over. What is past
    the number per document goes too: first from the middle of what was kept for one visit, the longest run first; then
    what else was kept for visitors, the oldest first; then what was kept for the owner.
    """
    safe = protected(snapshots, now, limits)
    gone: list[str] = []
    for document in _by_document(snapshots):
        left: list[Snapshot] = []
        last: tuple[str, int] | None = None
        for one in sorted(document, key=_when, reverse=True):
            span = _span(one.taken, now)
            # Within a span the newest stands for all; a span of the last hour is one snapshot.
            if one.id not in safe and (_over(one, now, limits) or (span is not None and span == last)):
                gone.append(one.id)
                continue
            left.append(one)
            last = span
        gone += _past_number(left[::-1], safe, limits.per_document)
    return gone


def oldest_first(snapshots: Sequence[Snapshot], now: float, limits: Limits) -> list[Snapshot]:
    """In the order in which they make room: what was kept for visitors, then what was kept for the owner, each the
    oldest first; protected ones not at all."""
    safe = protected(snapshots, now, limits)
    return sorted((one for one in snapshots if one.id not in safe), key=lambda one: (_rank(one), *_when(one)))


def _past_number(ordered: list[Snapshot], safe: set[str], most: int) -> list[str]:
    """`ordered` are those of one document, the oldest first."""
    gone: list[str] = []
    runs: dict[str, list[Snapshot]] = {}
    for one in ordered:
        if one.id not in safe and (one.cause in _RUN or (one.visit and one.cause in _BEFORE)):
            runs.setdefault(one.visit, []).append(one)
    excess = len(ordered) - most
    while len(gone) < excess:
        run = max(runs.values(), key=len, default=[])
        if len(run) < 3:
            break
        # The first of a run is what stood there before it, and the newest what stood there at its end.
        gone.append(run.pop(len(run) // 2).id)
    went = safe | set(gone)
    rest = sorted((one for one in ordered if one.id not in went), key=lambda one: (_rank(one), *_when(one)))
    return gone + [one.id for one in rest[: max(0, excess - len(gone))]]


def _rank(one: Snapshot) -> int:
    if one.cause in _RUN:
        return 0
    return 1 if one.cause in _BEFORE else 2


def _when(one: Snapshot) -> tuple[float, str]:
    return one.taken, one.id


def _over(one: Snapshot, now: float, limits: Limits) -> bool:
    return now - one.taken > limits.days * DAY


def _by_document(snapshots: Iterable[Snapshot]) -> list[list[Snapshot]]:
    found: dict[tuple[str, str], list[Snapshot]] = {}
    for one in snapshots:
        found.setdefault((one.upstream, one.path), []).append(one)
    return list(found.values())


def _span(taken: float, now: float) -> tuple[str, int] | None:
    """The hour or day that a snapshot stands for; None for one of the last hour, which stands for itself."""
    age = now - taken
    if age <= HOUR:
        return None
    return ("hour", int(taken // HOUR)) if age <= DAY else ("day", int(taken // DAY))
