"""Who wrote in which cell, and the logs of changes: a list per part, each of which begins with a whole document."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

import msgspec

from sharegate.errors import StoreUnavailable
from sharegate.stores.redis.connection import Server
from sharegate.stores.redis.names import Names
from sharegate.stores.redis.packing import packed
from sharegate.stores.redis.scripts import APPEND_EDITS, AUTHORS, DROP_LOG, FORGET_AUTHORS, READ_EDITS
from sharegate.versions.model import Authorship, Edit, EditKind, Limits, Place
from sharegate.versions.retention import DAY

# What an entry of a log takes besides its data.
_ENTRY_BYTES = 64


class _Entry(msgspec.Struct, array_like=True, frozen=True):
    kind: str
    at: float
    origin: str
    data: bytes


class Edits:
    """AuthorStore and EditStore on one server; data comes sealed."""

    def __init__(self, server: Server, names: Names) -> None:
        self._server, self._names = server, names

    # -- authors

    async def add_authors(self, entries: Sequence[Authorship]) -> None:
        rows = [
            (_joined(a.upstream, a.file), _joined(a.cell, a.visit), repr(a.first), repr(a.last), a.inserted, a.deleted)
            for a in entries
        ]
        await self._server.run(AUTHORS, [self._names.authors], self._names.prefix, packed(rows), secrets.token_hex(8))

    async def authors(self, upstream: str, file: str) -> list[Authorship]:
        table = await self._server.ask("HGETALL", self._names.authors_of(_joined(upstream, file)))
        found = []
        for field, kept in table.items():
            cell, _, visit = field.decode().partition("\0")
            first, last, inserted, deleted = msgspec.msgpack.decode(kept)
            found.append(
                Authorship(
                    upstream=upstream,
                    file=file,
                    cell=cell,
                    visit=visit,
                    first=float(first),
                    last=float(last),
                    inserted=int(inserted),
                    deleted=int(deleted),
                )
            )
        return sorted(found, key=lambda one: (one.first, one.cell, one.visit))

    # -- logs

    async def append(self, place: Place, edits: Sequence[tuple[Edit, bytes]], limit: int) -> None:
        """`edits` come with their sealed data. Raises ValueError for a log that would not begin with a STATE."""
        entries = [
            (
                msgspec.msgpack.encode(_Entry(edit.kind.value, edit.at, edit.origin, sealed)),
                len(sealed) + _ENTRY_BYTES,
                edit.kind is EditKind.STATE,
                repr(edit.at),
                edit.origin if edit.kind is EditKind.UPDATE else "",
            )
            for edit, sealed in edits
        ]
        taken = await self._server.run(
            APPEND_EDITS,
            [self._names.logs],
            self._names.prefix,
            _joined(place.upstream, place.file, place.epoch),
            _joined(place.upstream, place.file),
            place.path,
            str(limit),
            packed(entries),
            secrets.token_hex(8),
        )
        if not taken:
            raise ValueError("a log of changes begins with a whole document")

    async def edits(self, place: Place) -> list[Edit]:
        """In order, with sealed data."""
        log = self._names.log(_joined(place.upstream, place.file, place.epoch))
        try:
            entries = [
                msgspec.msgpack.decode(entry, type=_Entry)
                for part in await self._server.run(READ_EDITS, [log])
                for entry in part
            ]
            return [Edit(kind=EditKind(one.kind), at=one.at, origin=one.origin, data=one.data) for one in entries]
        except (msgspec.DecodeError, ValueError):  # fails closed
            raise StoreUnavailable("a log of changes is damaged") from None

    async def edited_by(self, origin: str) -> list[Place]:
        if not origin:
            return []
        logs = sorted(await self._server.ask("SMEMBERS", self._names.edited(origin)))
        tables = await self._server.several([("HGETALL", self._by(log)) for log in logs])
        found: list[tuple[float, Place]] = []
        for log, table in zip(logs, tables, strict=True):
            # Parts that were cut have taken their origins with them.
            acts = [
                msgspec.msgpack.decode(kept)
                for field, kept in table.items()
                if field.partition(b"\0")[2] == origin.encode()
            ]
            if acts:
                at, path = max((float(at), path) for at, path in acts)
                found.append((at, _place(log, path)))
        found.sort(key=lambda one: (-one[0], one[1].file))
        return [place for _, place in found]

    async def logs_of(self, upstream: str, file: str) -> list[Place]:
        logs = sorted(await self._server.ask("SMEMBERS", self._names.logs_of(_joined(upstream, file))))
        tables = await self._server.several([("HGETALL", self._names.log(log.decode())) for log in logs])
        found = [
            (begin, _place(log, path))
            for log, table in zip(logs, tables, strict=True)
            if table
            for begin, path in [_begin(table)]
        ]
        return [place for _, place in sorted(found, key=lambda one: (one[0], one[1].epoch))]

    async def thin(self, now: float, limits: Limits) -> None:
        """Authors past their days; logs that nobody wrote in for as long, and the oldest of a server whose logs take
        more than its limit."""
        for document in await self._server.ask("SMEMBERS", self._names.authors):
            keys = [self._names.authors, self._names.authors_of(document.decode())]
            await self._server.run(FORGET_AUTHORS, keys, repr(now - limits.days * DAY), document)
        logs = list(await self._server.ask("SMEMBERS", self._names.logs))
        facts = await self._server.several([("HMGET", self._names.log(log.decode()), "size", "last") for log in logs])
        total: dict[bytes, int] = {}
        known = [(log, size, last) for log, (size, last) in zip(logs, facts, strict=True) if last is not None]
        for log, size, last in sorted(known, key=lambda one: float(one[2]), reverse=True):
            upstream, file, _ = log.split(b"\0")
            total[upstream] = total.get(upstream, 0) + int(size)
            if float(last) < now - limits.days * DAY or total[upstream] > limits.bytes:
                document = upstream + b"\0" + file
                await self._server.run(DROP_LOG, [self._names.logs], self._names.prefix, log, document, last)

    def _by(self, log: bytes) -> str:
        return self._names.log(log.decode()) + ":by"


def _begin(table: dict[bytes, Any]) -> tuple[float, str]:
    first = table[b"first"]
    return min(float(at) for name, at in table.items() if name.startswith(b"begin:")), table[b"path:" + first].decode()


def _place(log: bytes, path: str) -> Place:
    upstream, file, epoch = log.decode().split("\0")
    return Place(upstream, file, epoch, path)


def _joined(*parts: str) -> str:
    return "\0".join(parts)
