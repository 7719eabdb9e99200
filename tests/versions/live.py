"""Live documents without rooms: real CRDT documents, real logs, the real keeper. What a room does, in a few lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pycrdt import Doc

from sharegate.errors import NotFound
from sharegate.versions.document import read
from sharegate.versions.edits import EditLog
from sharegate.versions.interfaces import Done, EditStore
from sharegate.versions.model import Cause, Content, Kind, Limits, Place, Snapshot
from sharegate.versions.restore import apply, plan
from sharegate.versions.snapshots import NOBODY, Keeper, OnAccount
from sharegate.versions.undo import take_back


class OpenDocuments:
    """Implements LiveDocuments. `open` puts a document on the table, `write` changes it on a visit's account."""

    def __init__(self, keeper: Keeper, store: EditStore, limits: Limits, now: Callable[[], float]) -> None:
        self._keeper = keeper
        self._store = store
        self._limits = limits
        self._now = now
        self.docs: dict[tuple[str, str], tuple[Doc[Any], Kind, EditLog]] = {}
        self.lies: dict[str, str] = {}

    async def open(self, upstream: str, path: str, doc: Doc[Any], kind: Kind = Kind.NOTEBOOK) -> EditLog:
        place = Place(upstream, f"id-of-{path}", "epoch", path)
        log = EditLog(self._store, place, self._limits, doc.get_update, self._now)
        self.docs[upstream, path] = doc, kind, log
        self.lies[place.file] = path
        await log.begin()
        return log

    async def write(self, upstream: str, path: str, visit: str, act: Callable[[Doc[Any]], None]) -> None:
        doc, _, log = self._find(upstream, path)
        if not any(one.visit == visit for one in await self._keeper.list(upstream=upstream, path=path)):
            await self._kept(upstream, path, Cause.FIRST_WRITE, OnAccount(visit=visit))
        page: Doc[Any] = Doc()
        page.apply_update(doc.get_update())
        updates: list[bytes] = []
        page.observe(lambda event: updates.append(event.update))
        with page.transaction():
            act(page)
        for update in updates:
            doc.apply_update(update)
            log.append(visit, update)
        await log.flush()

    def move(self, upstream: str, path: str, to: str) -> None:
        self.docs[upstream, to] = self.docs.pop((upstream, path))
        self.lies[self._id(path)] = to

    def _id(self, path: str) -> str:
        return next((file for file, there in self.lies.items() if there == path), "")

    async def path_of(self, upstream: str, file: str) -> str | None:
        return self.lies.get(file)

    async def file_at(self, upstream: str, path: str) -> str:
        return self._id(path)

    async def present(self, upstream: str, path: str) -> Content:
        doc, kind, _ = self._find(upstream, path)
        return read(doc, kind)

    async def take(self, upstream: str, path: str) -> Snapshot:
        return await self._kept(upstream, path, Cause.ASKED)

    async def restore(self, upstream: str, path: str, wanted: Content, cells: tuple[str, ...] | None) -> Done:
        doc, kind, log = self._find(upstream, path)
        before = await self._kept(upstream, path, Cause.BEFORE_RESTORE)
        updates: list[bytes] = []
        listening = doc.observe(lambda event: updates.append(event.update))
        apply(plan(read(doc, kind), wanted, cells), doc)
        doc.unobserve(listening)
        for update in updates:
            log.append("", update)
        await log.flush()
        return Done(before, {})

    async def flush(self) -> None:
        for _, _, log in self.docs.values():
            await log.flush()

    async def undo(self, place: Place, visit: str, *, preview: bool) -> Done:
        doc, kind, log = self._find(place.upstream, self.lies[place.file])
        await log.flush()
        undone = take_back(await log._store.edits(place), visit, kind)
        if preview:
            return Done(None, undone.to_json())
        before = await self._kept(place.upstream, self.lies[place.file], Cause.BEFORE_UNDO)
        if undone.update:
            doc.apply_update(undone.update)
        log.undone(visit, undone.update)
        await log.flush()
        return Done(before, undone.to_json())

    def _find(self, upstream: str, path: str) -> tuple[Doc[Any], Kind, EditLog]:
        if (upstream, path) not in self.docs:
            raise NotFound("file", path)
        return self.docs[upstream, path]

    async def _kept(self, upstream: str, path: str, cause: Cause, by: OnAccount = NOBODY) -> Snapshot:
        content = await self.present(upstream, path)
        return await self._keeper.take(upstream, path, content, cause, file=self._id(path), room="json:notebook", by=by)
