"""Who wrote in which cell and when, gathered in memory and stored in batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sharegate.versions.interfaces import AuthorStore
from sharegate.versions.model import Authorship

# More cells and visits than this between two flushes: they are stored at once.
_MOST_WAITING = 1000


@dataclass(frozen=True, slots=True)
class Amount:
    """Characters that an update put into a cell and took out of it."""

    inserted: int = 0
    deleted: int = 0


class Authors:
    """Call `wrote` for each accepted update and `flush` now and then, and before the document is left."""

    def __init__(self, store: AuthorStore, now: Callable[[], float]) -> None:
        self._store = store
        self._now = now
        self._waiting: dict[tuple[str, str, str, str], Authorship] = {}

    def wrote(self, upstream: str, file: str, visit: str, cells: Mapping[str, Amount]) -> bool:
        """Note what a visit's update did, by cell id ("" for a text file). Returns whether a flush is due."""
        now = self._now()
        for cell, amount in cells.items():
            key = upstream, file, cell, visit
            known = self._waiting.get(key)
            self._waiting[key] = Authorship(
                upstream=upstream,
                file=file,
                cell=cell,
                visit=visit,
                first=known.first if known else now,
                last=now,
                inserted=amount.inserted + (known.inserted if known else 0),
                deleted=amount.deleted + (known.deleted if known else 0),
            )
        return len(self._waiting) >= _MOST_WAITING

    async def flush(self) -> None:
        """Store what waits. Raises StoreUnavailable; what waits is then kept for the next time."""
        taken, self._waiting = self._waiting, {}
        if not taken:
            return
        try:
            await self._store.add_authorship(list(taken.values()))
        except BaseException:
            newer, self._waiting = self._waiting, taken
            for key, one in newer.items():
                self.wrote(*key[:2], one.visit, {one.cell: Amount(one.inserted, one.deleted)})
            raise
