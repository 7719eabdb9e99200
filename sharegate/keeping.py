"""What is kept while visitors write in live documents: versions, the log that a person's work is taken back from, who
wrote where; and the alarm when a document collapses or doubles."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import weakref
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from pycrdt import Doc

from sharegate.audit.events import Action, AuditEvent
from sharegate.audit.interfaces import Recorder
from sharegate.channels.epoch import Epoch
from sharegate.channels.guard import Judged
from sharegate.channels.room import Room
from sharegate.errors import StoreUnavailable
from sharegate.shares.model import Grant
from sharegate.versions.alarms import QUIET, WITHIN, Happened, Seen, alarm
from sharegate.versions.authors import Amount, Authors
from sharegate.versions.document import read
from sharegate.versions.edits import EditLog
from sharegate.versions.interfaces import KeptVersions
from sharegate.versions.model import Cause, Content, Kind, Limits, Place, Snapshot, facts
from sharegate.versions.snapshots import NOBODY, Keeper, OnAccount

log = logging.getLogger("sharegate")

EVERY_SECONDS = 1.0
# So many rounds in a row in which something could not be stored: visitors' writing is refused until it can be.
FAILURES = 3


@dataclass
class _Book:
    """What is kept of one epoch that visitors write in. `fresh`: who has written since the last look."""

    epoch: Epoch
    log: EditLog
    opened: bool = False
    begun: bool = False
    beginning: asyncio.Lock = field(default_factory=asyncio.Lock)
    kept_for: set[str] = field(default_factory=set)
    last: Snapshot | None = None
    written: bool = False
    fresh: dict[str, None] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    told: dict[Happened, float] = field(default_factory=dict)


class Keeping:
    """`begin` before a visit's first change, `changed` and `followed` after each; `run` beside the gate."""

    def __init__(
        self, keeper: Keeper, store: KeptVersions, limits: Limits, trail: Recorder, now: Callable[[], float]
    ) -> None:
        self._keeper = keeper
        self._store = store
        self._limits = limits
        self._trail = trail
        self._now = now
        self._authors = Authors(store, now)
        self._books: WeakKeyDictionary[Room, _Book] = WeakKeyDictionary()
        self._ended: list[EditLog] = []
        self._failures = 0
        self._due = asyncio.Event()
        # Given by whoever can ask the servers. Denied when the file cannot be read: nothing is written then.
        self.read_file: Callable[[Room], Awaitable[Content | None]] = _no_file

    # -- around a change ------------------------------------------------------------------------------------------

    def check(self) -> None:
        """StoreUnavailable while what visitors do cannot be kept: it could not be taken back."""
        if self._failures >= FAILURES:
            raise StoreUnavailable("changes cannot be kept")

    async def begin(self, room: Room, grant: Grant) -> None:
        """Keep the document as it is, and begin the log; both are durable when this returns. StoreUnavailable."""
        epoch = room.epoch
        book = self._book(room, epoch)
        async with book.beginning:
            visit = grant.visit.id
            if visit not in book.kept_for:
                account = OnAccount(visit=visit, link=grant.link.id, share=grant.share.id)
                kept = await self.keep(room, epoch, Cause.FIRST_WRITE, account)
                if epoch.unsaved:
                    await self._keep_file(room, account)
                book.kept_for.add(visit)
                book.last = kept
                if not book.seen:
                    book.seen = [Seen(kept.taken, facts(content_of(epoch)), kept.id)]
            await self._begin_log(book)

    async def _keep_file(self, room: Room, account: OnAccount) -> None:
        """What only the file has goes with the next save."""
        content = await self.read_file(room)
        if content is not None:
            path = str(room.path or "")
            file = room.name.file_id
            await self._keeper.take(room.upstream, path, content, Cause.FIRST_WRITE, file=file, by=account)

    async def begun(self, room: Room, epoch: Epoch) -> EditLog:
        """The log of the room's present history, begun now if nobody wrote in it. StoreUnavailable."""
        book = self._book(room, epoch)
        async with book.beginning:
            await self._begin_log(book)
        return book.log

    async def _begin_log(self, book: _Book) -> None:
        if not book.begun:
            # What comes from now on stands in the log behind the whole document.
            book.opened = True
            await book.log.begin()
            book.begun = True

    def followed(self, room: Room, update: bytes) -> None:
        book = self._books.get(room)
        if book is not None and book.opened and room.is_of(book.epoch) and book.log.append("", update):
            self._due.set()

    def changed(self, room: Room, visit: str, update: bytes, judged: Judged) -> None:
        book = self._book(room, room.epoch)
        due = book.log.append(visit, update)
        if judged.correction:
            due |= book.log.append("", judged.correction)
        # How much of an update is which cell's is not known here: its bytes are counted, in equal parts.
        cells = judged.cells or ("",)
        amount = Amount(inserted=-(-len(update) // len(cells)))
        due |= self._authors.wrote(room.upstream, room.name.file_id, visit, dict.fromkeys(cells, amount))
        book.written = True
        book.fresh[visit] = None
        if due:
            self._due.set()

    def log_of(self, room: Room) -> EditLog | None:
        """The log of the room's present history, if visitors wrote in it."""
        book = self._books.get(room)
        return book.log if book is not None and book.begun and room.is_of(book.epoch) else None

    async def keep(self, room: Room, epoch: Epoch, cause: Cause, account: OnAccount = NOBODY) -> Snapshot:
        """The document as it is now. StoreUnavailable, also for one that cannot be read."""
        try:
            content = content_of(epoch)
        except ValueError as error:  # fails closed
            raise StoreUnavailable(f"the document cannot be kept: {error}") from None
        name, path = room.name, str(room.path or "")
        pair = ":".join(name.pair)
        return await self._keeper.take(room.upstream, path, content, cause, file=name.file_id, room=pair, by=account)

    def _book(self, room: Room, epoch: Epoch) -> _Book:
        book = self._books.get(room)
        if book is None or book.epoch is not epoch:
            if book is not None:
                self._ended.append(book.log)
            place = Place(room.upstream, room.name.file_id, epoch.id, str(room.path or ""))
            log_ = EditLog(self._store, place, self._limits, lambda: epoch.whole, self._now)
            book = self._books[room] = _Book(epoch, log_)
            # A room may be forgotten before the next round.
            weakref.finalize(room, self._ended.append, log_).atexit = False
        return book

    # -- beside it ------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """About once a second: store what waits, keep versions, look for alarms. At the end what waits is stored."""
        try:
            while True:
                try:
                    async with asyncio.timeout(EVERY_SECONDS):
                        await self._due.wait()
                except TimeoutError:
                    pass
                self._due.clear()
                await self.round()
        finally:
            with contextlib.suppress(StoreUnavailable):  # the gate stops either way; nobody writes any more
                await self.flush()

    async def round(self) -> None:
        try:
            await self._round()
            self._failures = 0
        except Exception as error:  # fails closed: what waits is kept for the next time, then writing is refused
            self._failures += 1
            if self._failures == FAILURES:
                log.error("visitors' writing is refused, because it cannot be kept: %s", error)

    async def flush(self) -> None:
        """Store what waits. StoreUnavailable."""
        while self._ended:
            await self._ended[0].flush()
            del self._ended[0]
        for room, book in list(self._books.items()):
            if book.begun:
                await book.log.flush()
            if not room.is_of(book.epoch):
                self._books.pop(room, None)
        await self._authors.flush()

    async def _round(self) -> None:
        await self.flush()
        for room, book in list(self._books.items()):
            if book.fresh and room.is_of(book.epoch):
                await self._look(room, book)
                last = book.last.taken if book.last is not None else None
                if self._keeper.due(last, written=book.written):
                    book.written = False
                    book.last = await self.keep(room, book.epoch, Cause.INTERVAL)

    async def _look(self, room: Room, book: _Book) -> None:
        visits, book.fresh = tuple(book.fresh), {}
        kind = _kind(book.epoch)
        content = await asyncio.to_thread(_content, book.epoch.whole, kind)
        now = self._now()
        snapshot = book.last.id if book.last is not None else ""
        book.seen = [each for each in book.seen if now - each.at <= WITHIN]
        book.seen.append(Seen(now, facts(content), snapshot, visits))
        found = alarm(book.seen)
        if found is None or now - book.told.get(found.what, float("-inf")) < QUIET:
            return
        book.told[found.what] = now
        event = AuditEvent(
            action=Action.DOCUMENT_ALARM,
            actor="gate",
            visit=found.visits[0] if len(found.visits) == 1 else "",
            path=str(room.path or ""),
            detail=found.detail,
        )
        await self._keeper.name(found.snapshot)
        await self._trail.record(event)
        book.last = await self.keep(room, book.epoch, Cause.ALARM)


async def _no_file(room: Room) -> Content | None:
    return None


def content_of(epoch: Epoch) -> Content:
    """Raises ValueError for a document that cannot be read."""
    return read(epoch.doc, _kind(epoch))


def _kind(epoch: Epoch) -> Kind:
    if epoch.kind is None:
        raise ValueError("a document of an unknown kind")
    return Kind(epoch.kind.value)


def _content(whole: bytes, kind: Kind) -> Content:
    """In a thread: a document that no page changes meanwhile."""
    doc: Doc[Any] = Doc()
    doc.apply_update(whole)
    return read(doc, kind)
