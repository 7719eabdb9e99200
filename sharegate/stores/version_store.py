"""VersionStore, AuthorStore and EditStore, as a part of the SQLite store: sealing and the way to the tables."""

from __future__ import annotations

import asyncio
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from sharegate.stores import version_tables
from sharegate.stores.crypt import ContentBox
from sharegate.stores.writer import Work
from sharegate.versions.model import Authorship, Edit, Limits, Place, Snapshot

T = TypeVar("T")
# Sealing more than this takes a thread, so that others are answered meanwhile.
_LARGE = 64 << 10


class VersionTables(ABC):
    """What SqliteStore gets its methods for versions from. Contents are sealed before they come near the writer."""

    _content_box: ContentBox

    @abstractmethod
    async def _write(self, work: Work[T], *, scrub: bool = False) -> T: ...

    @abstractmethod
    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T: ...

    async def keep_version(self, snapshot: Snapshot, content: bytes, *, limits: Limits) -> Snapshot:
        name = await maybe_threaded(len(content), lambda: self._content_box.name(content, upstream=snapshot.upstream))
        sealed = await maybe_threaded(len(content), lambda: self._content_box.seal(content, place=place_of(name)))
        named = msgspec.structs.replace(snapshot, digest=name, size=len(content))
        return await self._write(lambda connection, _: version_tables.keep(connection, named, sealed, limits))

    async def name_version(self, id: str) -> None:
        await self._write(lambda connection, _: version_tables.name(connection, id))

    async def version(self, id: str) -> Snapshot | None:
        return await self._read(lambda reading: version_tables.find(reading, id))

    async def versions(self, *, upstream: str = "", path: str = "", file: str = "", limit: int = 0) -> list[Snapshot]:
        return await self._read(lambda reading: version_tables.listed(reading, upstream, path, limit, file=file))

    async def version_content(self, id: str) -> bytes:
        name, sealed = await self._read(lambda reading: version_tables.content(reading, id))
        return await maybe_threaded(len(sealed), lambda: self._content_box.open(sealed, place=place_of(name)))

    async def thin_versions(self, now: float, *, limits: Limits) -> int:
        return await self._write(lambda connection, _: version_tables.thin(connection, now, limits), scrub=True)

    async def add_authorship(self, entries: Sequence[Authorship]) -> None:
        await self._write(lambda connection, _: version_tables.add_authors(connection, entries))

    async def authorship(self, upstream: str, file: str) -> list[Authorship]:
        return await self._read(lambda reading: version_tables.authors(reading, upstream, file))

    async def append_edits(self, place: Place, edits: Sequence[Edit], *, limit: int) -> None:
        def seal() -> list[tuple[Edit, bytes]]:
            return [(edit, self._content_box.seal(edit.data, place=entry_place(place, edit))) for edit in edits]

        sealed = await maybe_threaded(sum(len(edit.data) for edit in edits), seal)
        await self._write(lambda connection, _: version_tables.append_edits(connection, place, sealed, limit))

    async def edits(self, place: Place) -> list[Edit]:
        found = await self._read(lambda reading: version_tables.edits(reading, place))

        def opened() -> list[Edit]:
            return [
                msgspec.structs.replace(edit, data=self._content_box.open(edit.data, place=entry_place(place, edit)))
                for edit in found
            ]

        return await maybe_threaded(sum(len(edit.data) for edit in found), opened)

    async def edited_by(self, origin: str) -> list[Place]:
        return await self._read(lambda reading: version_tables.edited_by(reading, origin))

    async def logs_of(self, upstream: str, file: str) -> list[Place]:
        return await self._read(lambda reading: version_tables.logs_of(reading, upstream, file))


async def maybe_threaded(size: int, work: Callable[[], T]) -> T:
    return await asyncio.to_thread(work) if size > _LARGE else work()


def place_of(name: str) -> str:
    return f"content\x00{name}"


def entry_place(place: Place, edit: Edit) -> str:
    # Whose change it was is part of it: a changed origin makes the entry unreadable.
    return "\x00".join(("edit", place.upstream, place.file, place.epoch, edit.kind.value, edit.origin))
