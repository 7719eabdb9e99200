"""One history of a room's document as the gate holds it: what is in it, who may write where, how changes come in."""

from __future__ import annotations

import asyncio
import secrets
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pycrdt import Doc, Map

from sharegate.channels.admission import RoomName
from sharegate.channels.guard import KINDS, DocumentGuard, Judged
from sharegate.channels.history import held
from sharegate.channels.scan import FROM_UPSTREAM, Clocks, UpdateSummary, scan_update
from sharegate.channels.writers import Writers
from sharegate.errors import Denied, Reason
from sharegate.policy.documents import DocumentRules

EMPTY = b"\x00"


class Epoch:
    """Begins with the document as the server gave it. Documents of a kind that the guard does not know are read only
    for everybody. `saved` is what the server is known to have written to the file.

    Every change is applied in one piece, on the event loop: nothing awaits between its judgement and its place in the
    document.
    """

    def __init__(self, room: RoomName, doc: Doc[Any], rules: DocumentRules) -> None:
        self._doc = doc
        self._state = doc.get("state", type=Map)
        self._written = self._state.get("hash")
        self._whole: bytes | None = None
        self._held: Mapping[int, int] | None = None
        self.saved: Mapping[int, int] = self.held
        # Pages choose their ids among 32 bits; the gate's is longer.
        own = 2**32 + secrets.randbelow(2**52)
        self._writers = Writers()
        self._writers.reserve(own)
        self._writers.upstream(scan_update(self.whole, FROM_UPSTREAM))
        kind = KINDS.get(room.pair)
        self._guard = (
            None if kind is None else DocumentGuard(kind, str(room), rules, client_id=own, live=lambda: self.whole)
        )

    # -- what is in it --------------------------------------------------------------------------------------------

    @property
    def read_only(self) -> bool:
        return self._guard is None

    @property
    def whole(self) -> bytes:
        """All of the document, as one update."""
        if self._whole is None:
            self._whole = self._doc.get_update()
        return self._whole

    @property
    def held(self) -> Mapping[int, int]:
        """CRDT client id → clock."""
        if self._held is None:
            self._held = held(self._doc)
        return self._held

    @property
    def vector(self) -> bytes:
        return self._doc.get_state()

    def since(self, vector: bytes) -> bytes:
        """What a peer with this state vector lacks."""
        return self.whole if vector == EMPTY else self._doc.get_update(vector)

    def content(self) -> dict[str, Any] | str | None:
        """The document as plain values, a notebook's or a text's; None for one that is read only."""
        return None if self._guard is None else self._guard.content()

    def others(self, visit: str, client: int) -> bool:
        """Whether a CRDT client id is somebody else's than the visit's."""
        owner = self._writers.owner_of(client)
        return owner not in ("", visit) or (client in self.held and owner != visit)

    # -- changes --------------------------------------------------------------------------------------------------

    def follow(self, update: bytes, summary: UpdateSummary) -> None:
        """A change of the server's. Denied(`upstream_bad_answer`) when the library cannot apply it."""
        self._apply(update)
        self._writers.upstream(summary)
        if self._guard is not None:
            self._guard.follow(update)
        # The server writes a new hash with each file that it wrote (jupyter_server_ydoc rooms.py).
        written = self._state.get("hash")
        if written != self._written:
            self._written = written
            self.saved = self.held

    def repeats(self, summary: UpdateSummary, *, whole: bool) -> bool:
        """Whether an update holds nothing new. A step 2 (`whole`) always lists all that was ever deleted; of what was
        just deleted it is not asked whether that was deleted before."""
        if any(part.end > self.held.get(part.client, 0) for part in summary.clocks):
            return False
        return not summary.deleted or (whole and _within(summary.deleted, self._deleted()))

    def _deleted(self) -> tuple[Clocks, ...]:
        return scan_update(self._doc.get_update(self.vector), FROM_UPSTREAM).deleted

    def take(self, visit: str, update: bytes, summary: UpdateSummary) -> Judged:
        """A visitor's change, which is not a repetition. Its sender has applied it already.

        Denied(`update_refused`) with nothing changed: the CRDT client ids under which it was written are barred then.
        """
        if self._guard is None:
            raise Denied(Reason.UPDATE_REFUSED, "read only")
        try:
            self._writers.check(visit, summary, self.held)
            judged = self._guard.judge(
                update, summary=summary, settled=lambda after: self._writers.settled(summary, after)
            )
        except Denied:
            self._writers.bar(part.client for part in summary.clocks if part.end > self.held.get(part.client, 0))
            raise
        self._apply(judged.update)
        return judged

    def rejoin(self, update: bytes) -> None:
        """The same history, as a server has it that comes back."""
        self.follow(update, scan_update(update, FROM_UPSTREAM))

    def saw_saved(self, held: Mapping[int, int]) -> None:
        """The server said that it saved what it was sent before."""
        self.saved = {**self.saved, **{each: max(clock, self.saved.get(each, 0)) for each, clock in held.items()}}

    def write(self, change: Callable[[Doc[Any]], object]) -> bytes:
        """The gate itself changes the document. Denied(`update_refused`) when that leaves what is no document."""
        if self._guard is None:
            raise Denied(Reason.UPDATE_REFUSED, "read only")
        update = self._guard.write(change)
        self._apply(update)
        return update

    def _apply(self, update: bytes) -> None:
        self._whole = self._held = None
        apply(self._doc, update)


def _within(parts: Iterable[Clocks], known: Iterable[Clocks]) -> bool:
    """Whether each of `parts` lies in what `known` covers."""
    starts: dict[int, list[int]] = {}
    ends: dict[int, list[int]] = {}
    for each in sorted(known, key=lambda each: (each.client, each.start)):
        if ends.setdefault(each.client, []) and ends[each.client][-1] >= each.start:
            ends[each.client][-1] = max(ends[each.client][-1], each.end)
        else:
            starts.setdefault(each.client, []).append(each.start)
            ends[each.client].append(each.end)
    for part in parts:
        at = bisect_right(starts.get(part.client, []), part.start) - 1
        if part.start < part.end and (at < 0 or ends[part.client][at] < part.end):
            return False
    return True


def apply(doc: Doc[Any], update: bytes) -> None:
    """Denied(`upstream_bad_answer`) when the library cannot: the document is unreadable."""
    try:
        doc.apply_update(update)
    except BaseException as error:  # a panic of the library is no Exception; fails closed
        if isinstance(error, asyncio.CancelledError | KeyboardInterrupt | SystemExit):
            raise
        raise Denied(Reason.UPSTREAM_BAD_ANSWER, "an update that cannot be applied") from None
