"""Snapshots and their contents: decided on a whole shelf (all versions of one server), as of one revision of it. The
server takes the result only if the shelf is still of that revision. stores/version_tables.py does the same in SQL.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from sharegate.errors import AccountFull, NotFound, StoreUnavailable
from sharegate.stores.redis.connection import Server
from sharegate.stores.redis.names import Names
from sharegate.stores.redis.packing import packed
from sharegate.stores.redis.scripts import REPLACE
from sharegate.versions.model import Limits, Snapshot
from sharegate.versions.retention import oldest_first, thinned

T = TypeVar("T")
ATTEMPTS = 50


@dataclass(slots=True)
class Shelf:
    """`sizes`: bytes that each content takes, by its name."""

    upstream: str
    revision: bytes
    snapshots: dict[str, Snapshot]
    sizes: dict[str, int]

    @property
    def stored(self) -> int:
        return sum(self.sizes.values())

    def copy(self) -> Shelf:
        return Shelf(self.upstream, self.revision, dict(self.snapshots), dict(self.sizes))

    def forget(self, ids: Iterable[str]) -> None:
        for id in ids:
            self.snapshots.pop(id, None)
        wanted = {one.digest for one in self.snapshots.values()}
        self.sizes = {name: size for name, size in self.sizes.items() if name in wanted}

    def keep(self, snapshot: Snapshot, size: int, limits: Limits) -> Snapshot:
        """See version_tables.keep."""
        if snapshot.id in self.snapshots:
            raise ValueError(f"there is a version {snapshot.id} already")
        stored = self.sizes.setdefault(snapshot.digest, size)
        snapshot = msgspec.structs.replace(snapshot, stored=stored)
        self.snapshots[snapshot.id] = snapshot
        same = [one for one in self.newest() if one.path == snapshot.path]
        self.forget(thinned(same, snapshot.taken, limits))
        if self.stored > limits.bytes:
            self.thin(snapshot.taken, limits)
        if self.stored > limits.bytes:
            raise StoreUnavailable("what may not be forgotten fills all the room there is: raise versions_megabytes")
        self._check_account(snapshot, limits)
        return snapshot

    def thin(self, now: float, limits: Limits) -> int:
        gone = thinned(self.newest(), now, limits)
        self.forget(gone)
        count = len(gone)
        for one in oldest_first(self.newest(), now, limits):
            if self.stored <= limits.bytes:
                break
            self.forget([one.id])
            count += 1
        return count

    def newest(self) -> list[Snapshot]:
        return sorted(self.snapshots.values(), key=lambda one: (one.taken, one.id), reverse=True)

    def _check_account(self, snapshot: Snapshot, limits: Limits) -> None:
        """Nothing of an account is forgotten to make room for more of it: it may be others' work."""
        for kind, whose, most in (
            ("visit", snapshot.visit, limits.visit_bytes),
            ("link", snapshot.link, limits.link_bytes),
        ):
            if not whose:
                continue
            names = {one.digest for one in self.snapshots.values() if getattr(one, kind) == whose}
            # One document is kept, however large it is.
            if len(names) > 1 and sum(self.sizes[name] for name in names) > most:
                raise AccountFull(f"what is kept on one {kind}'s account fills its part of versions_megabytes")


class Shelves:
    """All shelves on one server. What was read last is kept as long as its revision is the one on the server."""

    def __init__(self, server: Server, names: Names) -> None:
        self._server, self._names = server, names
        self._known: dict[str, Shelf] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def keep(self, snapshot: Snapshot, sealed: bytes, limits: Limits) -> Snapshot:
        """`snapshot.digest` names the content. Raises what Shelf.keep raises."""
        if await self._upstream_of(snapshot.id) is not None:
            raise ValueError(f"there is a version {snapshot.id} already")
        tried = False

        def keep(shelf: Shelf) -> Snapshot:
            nonlocal tried
            known = shelf.snapshots.get(snapshot.id)
            # The answer to the first attempt was lost on its way, and somebody else changed the shelf since.
            if tried and known is not None:
                return known
            tried = True
            return shelf.keep(snapshot, len(sealed), limits)

        return await self._change(snapshot.upstream, keep, {snapshot.digest: sealed})

    async def name(self, id: str) -> None:
        upstream = await self._upstream_of(id)
        if upstream is None:
            return

        def named(shelf: Shelf) -> None:
            if id in shelf.snapshots:
                shelf.snapshots[id] = msgspec.structs.replace(shelf.snapshots[id], named=True)

        await self._change(upstream, named)

    async def find(self, id: str) -> Snapshot | None:
        """The one whose id begins with `id`; None when there is none or more than one."""
        if not id:
            return None
        upstream = await self._upstream_of(id)
        if upstream is None:
            members = await self._server.ask(
                "ZRANGEBYLEX", self._names.version_ids, b"[" + id.encode(), b"[" + id.encode() + b"\xff", "LIMIT", 0, 2
            )
            if len(members) != 1:
                return None
            id, upstream = _member(members[0])
        body = await self._server.ask("HGET", self._names.shelf(upstream), id)
        return None if body is None else _snapshot(body)

    async def listed(self, upstream: str, path: str, file: str, limit: int) -> list[Snapshot]:
        found: list[Snapshot] = []
        for one in [upstream] if upstream else await self.upstreams():
            shelf = await self._shelf(one)
            found += [
                snapshot
                for snapshot in shelf.snapshots.values()
                if not path or snapshot.path == path or (file and snapshot.file == file)
            ]
        found.sort(key=lambda one: (one.taken, one.id), reverse=True)
        return found[:limit] if limit else found

    async def content(self, id: str) -> tuple[str, bytes]:
        """Name and sealed content. Raises NotFound."""
        upstream = await self._upstream_of(id)
        body = None if upstream is None else await self._server.ask("HGET", self._names.shelf(upstream), id)
        if body is None:
            raise NotFound("version", id)
        name = _snapshot(body).digest
        sealed = await self._server.ask("HGET", self._names.contents, name)
        if sealed is None:
            raise NotFound("version", id)
        return name, sealed

    async def thin(self, now: float, limits: Limits) -> int:
        return sum([await self._change(one, lambda shelf: shelf.thin(now, limits)) for one in await self.upstreams()])

    async def upstreams(self) -> list[str]:
        return sorted(one.decode() for one in await self._server.ask("SMEMBERS", self._names.shelves))

    # -- parts ----------------------------------------------------------------------------------------------------

    async def _change(self, upstream: str, change: Callable[[Shelf], T], sealed: dict[str, bytes] | None = None) -> T:
        async with self._locks.setdefault(upstream, asyncio.Lock()):
            for _ in range(ATTEMPTS):
                before = await self._shelf(upstream)
                after = before.copy()
                result = change(after)
                writes = self._writes(before, after, sealed or {})
                if not writes:
                    return result
                revision = secrets.token_hex(8).encode()
                replaced = packed(writes)
                self._known.pop(upstream, None)
                # One that arrives twice is refused the second time, and is then seen to be there by its revision.
                taken = await self._server.run(
                    REPLACE, [self._names.revision(upstream)], before.revision, revision, replaced
                )
                if taken or await self._server.ask("GET", self._names.revision(upstream)) == revision:
                    after.revision = revision
                    self._known[upstream] = after
                    return result
        raise StoreUnavailable("the versions of this server are changed by too many at once")

    def _writes(self, before: Shelf, after: Shelf, sealed: dict[str, bytes]) -> list[list[Any]]:
        names, upstream = self._names, after.upstream
        writes: list[list[Any]] = []
        for name in after.sizes.keys() - before.sizes.keys():
            writes.append(["HSET", names.contents, name, sealed[name]])
            writes.append(["HSET", names.sizes(upstream), name, str(after.sizes[name])])
        for name in before.sizes.keys() - after.sizes.keys():
            writes += [["HDEL", names.contents, name], ["HDEL", names.sizes(upstream), name]]
        for id, snapshot in after.snapshots.items():
            if before.snapshots.get(id) != snapshot:
                writes.append(["HSET", names.shelf(upstream), id, msgspec.json.encode(snapshot)])
                writes.append(["ZADD", names.version_ids, "0", f"{id}\0{upstream}"])
        for id in before.snapshots.keys() - after.snapshots.keys():
            writes.append(["HDEL", names.shelf(upstream), id])
            writes.append(["ZREM", names.version_ids, f"{id}\0{upstream}"])
        if writes:
            writes.append(["SADD", names.shelves, upstream])
        return writes

    async def _shelf(self, upstream: str) -> Shelf:
        names = self._names
        known = self._known.get(upstream)
        if known is not None and (await self._server.ask("GET", names.revision(upstream)) or b"") == known.revision:
            return known
        revision, snapshots, sizes = await self._server.several(
            [("GET", names.revision(upstream)), ("HGETALL", names.shelf(upstream)), ("HGETALL", names.sizes(upstream))],
            together=True,
        )
        shelf = Shelf(
            upstream,
            revision or b"",
            {id.decode(): _snapshot(body) for id, body in snapshots.items()},
            {name.decode(): int(size) for name, size in sizes.items()},
        )
        self._known[upstream] = shelf
        return shelf

    async def _upstream_of(self, id: str) -> str | None:
        members = await self._server.ask(
            "ZRANGEBYLEX",
            self._names.version_ids,
            b"[" + id.encode() + b"\0",
            b"(" + id.encode() + b"\1",
            "LIMIT",
            0,
            1,
        )
        return _member(members[0])[1] if members else None


def _member(member: bytes) -> tuple[str, str]:
    id, _, upstream = member.decode().partition("\0")
    return id, upstream


def _snapshot(body: bytes) -> Snapshot:
    try:
        return msgspec.json.decode(body, type=Snapshot)
    except msgspec.DecodeError:  # fails closed
        raise StoreUnavailable("the record of a version is damaged") from None
