"""Which snapshots are forgotten: the oldest are thinned out first, and never the newest one of a document."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sharegate.versions.model import Limits, Snapshot

HOUR = 3600.0
DAY = 86400.0


def thinned(snapshots: Sequence[Snapshot], now: float, limits: Limits) -> list[str]:
    """Ids of those to forget, of one server.

    Everything of the last hour stays, then one an hour for a day, then one a day until `days` are over. What is past
    the number per document goes too, the oldest first.
    """
    gone: list[str] = []
    for document in _by_document(snapshots):
        newest, *older = sorted(document, key=lambda one: (one.taken, one.id), reverse=True)
        kept = 1
        last = _span(newest.taken, now)
        for one in older:
            span = _span(one.taken, now)
            past = now - one.taken > limits.days * DAY or kept >= limits.per_document
            # Within a span the newest stands for all; a span of the last hour is one snapshot.
            if past or (span is not None and span == last):
                gone.append(one.id)
            else:
                kept += 1
                last = span
    return gone


def oldest_first(snapshots: Iterable[Snapshot]) -> list[Snapshot]:
    """In the order in which they make room: the oldest first, the newest of each document not at all."""
    newest = {one.id for document in _by_document(snapshots) for one in [max(document, key=lambda s: (s.taken, s.id))]}
    return sorted((one for one in snapshots if one.id not in newest), key=lambda one: (one.taken, one.id))


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
