"""The log of a document's accepted changes, bounded, from which one person's work can be taken back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from pycrdt import merge_updates

from sharegate.versions.interfaces import EditStore
from sharegate.versions.model import Edit, EditKind, Limits, Place

# Bytes that may wait in memory before they are stored.
FLUSH_BYTES = 256 << 10
# A whole document stands in the log after so many parts of its limit, so that old parts can be cut off.
_PARTS = 4


class EditLog:
    """One epoch of one room. `state` gives the whole live document (`Doc.get_update()`) at the moment of the call.

    Call `begin` before the first update, `append` for every accepted change in the order in which the live document
    took it (upstream's and the gate's own with origin ""), `flush` about once a second and at the end.
    """

    def __init__(
        self, store: EditStore, place: Place, limits: Limits, state: Callable[[], bytes], now: Callable[[], float]
    ) -> None:
        self._store = store
        self.place = place
        self._limit = limits.undo_bytes
        self._state = state
        self._now = now
        self._waiting: list[Edit] = []
        self._bytes_waiting = 0
        self._since_state = 0
        self._last_state = 0
        self._storing = asyncio.Lock()

    async def begin(self) -> None:
        """Put the whole document into the log, durably. Raises StoreUnavailable: nobody may write then."""
        self._put_state()
        await self.flush()

    def append(self, origin: str, update: bytes) -> bool:
        """Note one accepted change, after the live document took it. Returns whether a flush is due now.

        What the gate adds to a visit's change (a correction) is a change of its own, with origin "": it stays when the
        visit is undone, and the undo manager must not follow only parts of what the gate's CRDT client wrote.
        """
        self._waiting.append(Edit(kind=EditKind.UPDATE, at=self._now(), origin=origin, data=update))
        self._bytes_waiting += len(update)
        self._since_state += len(update)
        if self._since_state > max(self._limit // _PARTS, self._last_state):
            self._put_state()
        return self._bytes_waiting >= FLUSH_BYTES

    def undone(self, visit: str, update: bytes) -> None:
        """Note that what `visit` had done was taken back by `update` (which the live document has taken)."""
        if update:
            self.append("", update)
        self._waiting.append(Edit(kind=EditKind.UNDONE, at=self._now(), origin=visit))

    async def flush(self) -> None:
        """Store what waits. Raises StoreUnavailable; what waits is then kept for the next time."""
        async with self._storing:
            taken, self._waiting, self._bytes_waiting = self._waiting, [], 0
            if not taken:
                return
            try:
                await self._store.append_edits(self.place, _merged(taken), limit=self._limit)
            except BaseException:
                self._waiting = taken + self._waiting
                self._bytes_waiting = sum(len(edit.data) for edit in self._waiting)
                raise

    def _put_state(self) -> None:
        state = self._state()
        self._waiting.append(Edit(kind=EditKind.STATE, at=self._now(), data=state))
        self._bytes_waiting += len(state)
        self._last_state, self._since_state = len(state), 0


async def logs_to_undo(store: EditStore, place: Place, visit: str) -> list[tuple[Place, list[Edit]]]:
    """The logs of a document in their order, from the first on in which the visit wrote."""
    wrote = {each.epoch for each in await store.edited_by(visit)}
    found: list[tuple[Place, list[Edit]]] = []
    for each in await store.logs_of(place.upstream, place.file):
        if found or each.epoch in wrote:
            found.append((each, await store.edits(each)))
    return found


def wrote_in(edits: Sequence[Edit], visit: str) -> bool:
    return any(edit.kind is EditKind.UPDATE and edit.origin == visit for edit in edits)


def _merged(edits: list[Edit]) -> list[Edit]:
    """Changes of one origin that follow each other become one."""
    found: list[Edit] = []
    run: list[Edit] = []
    for edit in [*edits, None]:
        if run and (edit is None or edit.kind is not EditKind.UPDATE or edit.origin != run[0].origin):
            found.append(_one(run))
            run = []
        if edit is None:
            break
        if edit.kind is EditKind.UPDATE:
            run.append(edit)
        else:
            found.append(edit)
    return found


def _one(run: list[Edit]) -> Edit:
    if len(run) == 1:
        return run[0]
    data = merge_updates(*(edit.data for edit in run))
    return Edit(kind=EditKind.UPDATE, at=run[-1].at, origin=run[0].origin, data=data)
