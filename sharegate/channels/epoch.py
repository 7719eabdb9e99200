"""One history of a room's document as the gate holds it: what is in it, who may write where, how changes come in."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from pycrdt import Array, Doc, Map

from sharegate.channels.admission import RoomName
from sharegate.channels.blocks import Work
from sharegate.channels.filed import Filed
from sharegate.channels.guard import KINDS, DocumentGuard, DocumentKind, Judged
from sharegate.channels.history import held
from sharegate.channels.judgement import free
from sharegate.channels.lib0 import large
from sharegate.channels.places import FILE_ROOTS, NOTEBOOK_ROOTS, Places
from sharegate.channels.scan import FROM_UPSTREAM, UpdateSummary, scan_update
from sharegate.channels.writers import NOBODY, Writers, settled
from sharegate.errors import Denied, Reason
from sharegate.policy.documents import DocumentRules
from sharegate.shares.model import new_id

EMPTY = b"\x00"
_MOST_HEARD_OF = 10_000
# What one change may cut: a word is replaced in two thousand places. And how many blocks may be moved for it: a sixth
# of a second in each copy of the document.
MOST_CUTS = 4_000
MOST_MOVED = 200_000_000
# Visitors make no document of more blocks: well below what is read of a server (`FROM_UPSTREAM`), for it has to be read
# again. A cell is about 12.
MOST_BLOCKS = 200_000


class Epoch:
    """Begins with the document as the server gave it. Documents of a kind that the guard does not know are read only
    for everybody. `saved` is what the server is known to have written to the file. `reach`: the ends of what each
    client wrote, which may lie behind a gap: a server keeps no record of the first words of a document's state, and has
    the others when it reads the document from its own records again (jupyter_server_ydoc rooms.py, `__init__`). A
    `damaged` one holds something that waits for ever: it must end.

    What is needed to judge changes is made when somebody comes who may make some (`prepare`). Every change is applied
    in one piece, on the event loop: nothing awaits between its judgement and its place in the document.
    """

    def __init__(
        self, room: RoomName, doc: Doc[Any], rules: DocumentRules, reach: Mapping[int, int] = MappingProxyType({})
    ) -> None:
        self.id = new_id()
        self._room = room
        self._rules = rules
        self._doc = doc
        self._state = doc.get("state", type=Map)
        self.filed = Filed(self._state)
        self._whole: bytes | None = None
        self._held: Mapping[int, int] | None = None
        self._reach: Mapping[int, int] = reach
        self.saved: Mapping[int, int] = self.held
        self._pen: _Pen | None = None
        self._heard_of: set[int] = set()
        self._preparing = asyncio.Lock()
        self._missed: list[tuple[bytes, UpdateSummary]] | None = None
        self.damaged = False

    # -- what is in it --------------------------------------------------------------------------------------------

    @property
    def kind(self) -> DocumentKind | None:
        """None for documents that are read only."""
        return KINDS.get(self._room.pair)

    @property
    def read_only(self) -> bool:
        return self.kind is None

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
    def reach(self) -> Mapping[int, int]:
        """`held`, and what lies behind gaps."""
        return further(self.held, self._reach)

    @property
    def vector(self) -> bytes:
        return self._doc.get_state()

    @property
    def doc(self) -> Doc[Any]:
        """To be read, never changed."""
        return self._doc

    @property
    def unsaved(self) -> bool:
        """Whether the file may lack something of the document."""
        written = (clock > self.saved.get(client, 0) for client, clock in self.held.items())
        return self._state.get("dirty") is True or any(written)

    @property
    def sources(self) -> Mapping[str, str] | None:
        """Cell id → source; None for what is no notebook. An id that two cells have names neither."""
        if self.kind is not DocumentKind.NOTEBOOK:
            return None
        cells = [cell for cell in self._doc.get("cells", type=Array) if isinstance(cell, Map)]
        count = Counter(str(cell.get("id")) for cell in cells)
        return {id: str(cell.get("source")) for cell in cells if count[id := str(cell.get("id"))] == 1}

    def since(self, vector: bytes) -> bytes:
        """What a peer with this state vector lacks."""
        return self.whole if vector == EMPTY else self._doc.get_update(vector)

    def lacks(self, update: bytes) -> bool:
        """Whether a change that was made elsewhere refers to what is not here: it would wait for ever."""
        needs = scan_update(update, FROM_UPSTREAM).needs
        return any(clock > self.held.get(client, 0) for client, clock in needs.items())

    # -- who writes where -----------------------------------------------------------------------------------------

    async def prepare(self) -> None:
        """Make what changes are judged by. The document may change meanwhile."""
        async with self._preparing:
            if self._pen is None and self.kind is not None:
                self._pen = await self._made_pen(self.kind)
            elif self._pen is not None and self._pen.places.littered:
                await self._pen.tidy(self.whole)

    async def _made_pen(self, kind: DocumentKind) -> _Pen:
        missed = self._missed = []
        try:
            known = await asyncio.to_thread(_known, self.whole, _ROOTS[kind])
        finally:
            self._missed = None
        places, writers = known
        pen = _Pen(self._room, kind, self._rules, lambda: self.whole, places, writers)
        pen.writers.upstream_ids(self._heard_of)
        for update, summary in missed:
            pen.follow(update, summary, guarded=False)
        return pen

    def others(self, visit: str, client: int) -> bool:
        """Whether a CRDT client id is somebody else's than the visit's."""
        if self._pen is None:
            return client in self.held
        return self._pen.writers.owner_of(client) not in (NOBODY, visit)

    def claim(self, visit: str, client: int) -> None:
        """The id becomes the visit's before anybody else learns it. Denied(`update_refused`)."""
        if self._pen is not None:
            self._pen.writers.claim(visit, (client,))

    def heard_of(self, clients: Iterable[int]) -> None:
        """Ids of the owner's side: who has a page open may not have written yet."""
        if self._pen is not None:
            self._pen.writers.upstream_ids(clients)
        elif len(self._heard_of) < _MOST_HEARD_OF:
            self._heard_of.update(clients)

    # -- changes --------------------------------------------------------------------------------------------------

    def follow(self, update: bytes, summary: UpdateSummary) -> None:
        """A change of the server's. Denied(`upstream_bad_answer`) when the library cannot apply it, or when it refers
        to what the server has not sent: nothing of it is in the document then, where it would wait for ever."""
        reach = self.reach
        if any(clock > reach.get(client, 0) for client, clock in summary.needs.items()):
            raise _not_sent()
        # The server writes a new hash with each file that it wrote.
        new = {part.client for part in summary.clocks if part.end > reach.get(part.client, 0)}
        if self.filed.follow(summary, new, lambda: self._apply(update)):
            self.saved = self.held
        if self._pen is not None:
            self._pen.follow(update, summary)
        elif self._missed is not None:
            self._missed.append((update, summary))
        # Items that name each other are all there, and wait for ever all the same.
        reach = self.reach
        self.damaged |= any(part.end > reach.get(part.client, 0) for part in summary.clocks)
        if self.damaged:
            raise _not_sent()

    def repeats(self, summary: UpdateSummary) -> bool:
        """Whether a visitor's update holds nothing new: a page says all that was ever deleted when it connects."""
        return self._pen is not None and self._pen.places.repeats(summary)

    def cost(self, summary: UpdateSummary) -> int:
        """What a visitor's update takes to judge and apply, as a number of bytes that takes as long."""
        return summary.cost + (self._pen.cost(summary) if self._pen is not None else 0)

    def take(self, visit: str, update: bytes, summary: UpdateSummary, reads: Callable[[int], None] = free) -> Judged:
        """A visitor's change, which is not a repetition. Its sender has applied it already.

        Denied(`update_refused`) with nothing changed: the CRDT client ids under which it was written are barred then.
        Denied(`update_too_large`), or what `reads` raises (as in `DocumentGuard.judge`), with nothing changed, and that
        is all.
        """
        if self._pen is None:
            raise Denied(Reason.UPDATE_REFUSED, "read only")
        judged = self._pen.judge(visit, update, summary, self.reach, self._reach, reads)
        self._apply(judged.update)
        self._pen.learn(summary, judged.correction)
        return judged

    def write(self, change: Callable[[Doc[Any]], object], *, client: int | None = None) -> bytes:
        """The gate itself changes the document; `client` is the CRDT client id of an update that it made elsewhere.
        Denied(`update_refused`) when that leaves what is no document."""
        if self._pen is None:
            raise Denied(Reason.UPDATE_REFUSED, "read only")
        update = self._pen.write(change, client)
        self._apply(update)
        return update

    def remember(self, outputs: Iterable[object]) -> None:
        """Outputs of cells, from a kept version, that the gate may put back; never trusted. After `prepare`."""
        if self._pen is not None:
            self._pen.remember(outputs)

    def rejoin(self, update: bytes) -> None:
        """The same history, as a server has it that comes back."""
        self.filed.server_changed()
        summary = scan_update(update, FROM_UPSTREAM, structs=True)
        # Whatever gaps it has are the server's own.
        self._reach = further(self._reach, ends(summary))
        self.follow(update, summary)

    def saw_saved(self, held: Mapping[int, int]) -> None:
        """The server said that it saved what it was sent before."""
        self.saved = {**self.saved, **{each: max(clock, self.saved.get(each, 0)) for each, clock in held.items()}}

    def _apply(self, update: bytes) -> None:
        self._whole = self._held = None
        apply(self._doc, update)


class _Pen:
    """What changes are judged by: whose CRDT client ids are whose, where everything lies, the trial copy."""

    def __init__(
        self,
        room: RoomName,
        kind: DocumentKind,
        rules: DocumentRules,
        live: Callable[[], bytes],
        places: Places,
        writers: Writers,
    ) -> None:
        self.places = places
        self.writers = writers
        self._kind = kind
        self._learned: list[UpdateSummary] | None = None  # while the places are read anew
        # Pages choose their ids among 32 bits; the gate's is longer.
        own = 2**32 + secrets.randbelow(2**52)
        writers.reserve(own)
        self._guard = DocumentGuard(kind, str(room), rules, client_id=own, live=live)

    def follow(self, update: bytes, summary: UpdateSummary, *, guarded: bool = True) -> None:
        """`guarded`: the trial copy does not have it yet."""
        if summary.structs and not summary.sections:
            summary = scan_update(update, FROM_UPSTREAM, structs=True)
        self.writers.upstream(summary)
        self._learn(summary)
        if guarded:
            self._guard.follow(update)

    def judge(
        self,
        visit: str,
        update: bytes,
        summary: UpdateSummary,
        held: Mapping[int, int],
        reach: Mapping[int, int],
        reads: Callable[[int], None],
    ) -> Judged:
        written = frozenset(part.client for part in summary.clocks if part.end > held.get(part.client, 0))
        try:
            self.writers.check(visit, summary, held)
            self.places.check(summary)
            if why := self._too_much(self.places.work(summary)):
                raise large(why)
            return self._guard.judge(
                update,
                summary=summary,
                settled=lambda after: settled(summary, further(after, reach)),
                reads=reads,
            )
        except Denied as denied:
            if denied.reason not in (Reason.UPDATE_TOO_LARGE, Reason.BYTES_LIMIT):
                self.writers.bar(each for each in written if self.writers.owner_of(each) in (NOBODY, visit))
            raise

    def learn(self, summary: UpdateSummary, correction: bytes) -> None:
        self._learn(summary)
        if correction:
            self._learn(scan_update(correction, FROM_UPSTREAM, structs=True))

    def _learn(self, summary: UpdateSummary) -> None:
        self.places.learn(summary)
        if self._learned is not None:
            self._learned.append(summary)

    def cost(self, summary: UpdateSummary) -> int:
        """Beside its bytes. What will be refused unseen costs nothing: its page has to be told so, and not to wait."""
        work = self.places.work(summary)
        return 0 if self._too_much(work) else work.cost

    def _too_much(self, work: Work) -> str:
        """A document in too many pieces could not be read again; each cut moves all pieces that lie behind it."""
        if work.cuts > MOST_CUTS or work.moved > MOST_MOVED:
            return "too many cuts"
        if work.blocks > 0 and self.places.blocks + work.blocks > MOST_BLOCKS:
            return "a document in too many pieces"
        return ""

    async def tidy(self, whole: bytes) -> None:
        """Read from the whole document where everything lies, and forget what is kept of the past. One at a time."""
        learned = self._learned = []
        try:
            places = await asyncio.to_thread(_placed, whole, _ROOTS[self._kind])
        except Denied:
            self.places.read_anew()  # what is known stays true, and is kept
            return
        finally:
            self._learned = None
        for summary in learned:
            places.learn(summary)
        self.places = places

    def remember(self, outputs: Iterable[object]) -> None:
        for each in outputs:
            self._guard.remember(each, False)

    def write(self, change: Callable[[Doc[Any]], object], client: int | None) -> bytes:
        if client is not None:
            try:
                self.writers.reserve(client)
            except ValueError:  # fails closed
                raise Denied(Reason.UPDATE_REFUSED, "a client id that somebody has") from None
        update = self._guard.write(change)
        self._learn(scan_update(update, FROM_UPSTREAM, structs=True))
        return update


_ROOTS: Mapping[DocumentKind, Mapping[str, int]] = {
    DocumentKind.NOTEBOOK: NOTEBOOK_ROOTS,
    DocumentKind.TEXT: FILE_ROOTS,
}


def _known(whole: bytes, roots: Mapping[str, int]) -> tuple[Places, Writers]:
    """Where everything of a document lies and whose it is, read from its one update."""
    summary = scan_update(whole, FROM_UPSTREAM, structs=True)
    writers = Writers()
    writers.upstream(summary)
    return Places.of(roots, summary), writers


def _placed(whole: bytes, roots: Mapping[str, int]) -> Places:
    return Places.of(roots, scan_update(whole, FROM_UPSTREAM, structs=True))


def _not_sent() -> Denied:
    return Denied(Reason.UPSTREAM_BAD_ANSWER, "an update that refers to what was not sent")


def ends(summary: UpdateSummary) -> dict[int, int]:
    """CRDT client id → the end of what an update holds of it."""
    return {part.client: part.end for part in summary.clocks}


def further(one: Mapping[int, int], other: Mapping[int, int]) -> Mapping[int, int]:
    """Of each client the later of two ends."""
    more = {client: end for client, end in other.items() if end > one.get(client, 0)}
    return {**one, **more} if more else one


def apply(doc: Doc[Any], update: bytes) -> None:
    """Denied(`upstream_bad_answer`) when the library cannot: the document is unreadable."""
    try:
        doc.apply_update(update)
    except BaseException as error:  # a panic of the library is no Exception; fails closed
        if isinstance(error, asyncio.CancelledError | KeyboardInterrupt | SystemExit):
            raise
        raise Denied(Reason.UPSTREAM_BAD_ANSWER, "an update that cannot be applied") from None
