"""The trail: a hash of events per writer, sorted sets that say which are whose, and beside them what may be erased.

The sets are for finding. What an event says is read of its body, which the chain covers; but an event that somebody
with a hand on the server takes out of a set is not found by a filter any more. Verifying does not use the sets.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterable, Sequence

import msgspec

from sharegate.audit.interfaces import Query, Sealed
from sharegate.stores.redis.connection import Server
from sharegate.stores.redis.names import Names
from sharegate.stores.redis.packing import packed
from sharegate.stores.redis.scripts import APPEND

_PAGE = 500


class _Told(msgspec.Struct):
    """What a filter asks of a body. The body leaves out what is usual."""

    at: float = 0.0
    share: str = ""
    link: str = ""
    visit: str = ""
    path: str = ""
    reason: str = ""
    action: str = ""
    outcome: str = "allowed"


class _Kept(msgspec.Struct, array_like=True, frozen=True):
    previous: str
    digest: str
    body: bytes


class _Head(msgspec.Struct, array_like=True, frozen=True):
    seq: str
    digest: str
    token: str


class RedisTrail:
    """AuditStore on one server."""

    def __init__(self, server: Server, names: Names) -> None:
        self._server, self._names = server, names

    async def append(self, events: Sequence[Sealed]) -> None:
        """Raises ValueError when an event does not follow the last one of its writer."""
        if not events:
            return
        names = self._names
        entries = []
        for one in events:
            told = _told(one.body) or _Told()
            kept = msgspec.msgpack.encode(_Kept(one.previous, one.digest, one.body))
            where = (repr(told.at), _member(one.writer, one.seq), told.share, told.visit)
            entries.append((one.writer, str(one.seq), one.previous, one.digest, kept, one.personal, *where))
        answer = await self._server.run(
            APPEND,
            [names.heads, names.by_time, names.unerased],
            names.prefix,
            secrets.token_hex(8),
            packed(entries),
        )
        if not answer[0]:
            seq, writer, last = (part.decode("utf-8", "replace") for part in answer[1:])
            raise ValueError(f"event {seq} of {writer} does not follow event {last}")

    async def head(self, writer: str) -> tuple[int, str]:
        found = await self._server.ask("HGET", self._names.heads, writer)
        if found is None:
            return 0, ""
        head = msgspec.msgpack.decode(found, type=_Head)
        return int(head.seq), head.digest

    async def writers(self) -> list[str]:
        return sorted(name.decode() for name in await self._server.ask("HKEYS", self._names.heads))

    async def read(self, query: Query) -> list[Sealed]:
        found: list[Sealed] = []
        async for page in self._pages(query):
            found += [one for one in await self._sealed(page) if _fits(one, query)]
            if query.limit and len(found) >= query.limit:
                return found[: query.limit]
        return found

    async def erase(self, query: Query) -> int:
        """Blank the personal values of the events that fit; the chain still verifies. Returns how many."""
        erased, after = 0, 0
        bounds = _bounds(query)
        while members := await self._server.ask("ZRANGEBYSCORE", self._names.unerased, *bounds, "LIMIT", after, _PAGE):
            fitting = [one for one in await self._sealed(_places(members)) if _fits(one, query)]
            for writer in {one.writer for one in fitting}:
                erased += await self.erase_events(writer, [one.seq for one in fitting if one.writer == writer])
            after += len(members) - len(fitting)
        return erased

    async def erase_events(self, writer: str, seqs: Sequence[int]) -> int:
        """Blank the personal values of exactly these events of a writer; returns how many held something."""
        erased = 0
        # In parts: the server serves others in between.
        for at in range(0, len(seqs), _PAGE):
            commands: list[tuple[str, str, str]] = []
            for seq in seqs[at : at + _PAGE]:
                commands.append(("HDEL", self._names.personal(writer), str(seq)))
                commands.append(("ZREM", self._names.unerased, _member(writer, seq)))
            erased += sum((await self._server.several(commands, together=True))[::2])
        return erased

    # -- parts ----------------------------------------------------------------------------------------------------

    async def _pages(self, query: Query) -> AsyncIterator[list[tuple[str, int]]]:
        """Where the events are that may fit, in the order in which they are wanted."""
        index = self._names.of_visit(query.visit) if query.visit else self._names.of_share(query.share)
        if query.newest_first:
            index = index if query.visit or query.share else self._names.by_time
            async for page in self._newest(index, query):
                yield page
        elif query.visit or query.share:
            places = sorted(_places(await self._server.ask("ZRANGE", index, 0, -1)))
            for at in range(0, len(places), _PAGE):
                yield places[at : at + _PAGE]
        else:
            for writer in [query.writer] if query.writer else await self.writers():
                last, _ = await self.head(writer)
                for seq in range(query.after_seq + 1, last + 1, _PAGE):
                    yield [(writer, one) for one in range(seq, min(seq + _PAGE, last + 1))]

    async def _newest(self, index: str, query: Query) -> AsyncIterator[list[tuple[str, int]]]:
        seen: set[bytes] = set()
        low, high = _bounds(query)
        at = 0
        while members := await self._server.ask("ZREVRANGEBYSCORE", index, high, low, "LIMIT", at, _PAGE):
            # What is appended meanwhile pushes the others on, so that some come twice.
            yield _places(one for one in members if one not in seen)
            seen.update(members)
            at += len(members)

    async def _sealed(self, places: Sequence[tuple[str, int]]) -> list[Sealed]:
        """Those that are there, in this order."""
        commands: list[tuple[str, str, str]] = []
        for writer, seq in places:
            commands.append(("HGET", self._names.events(writer), str(seq)))
            commands.append(("HGET", self._names.personal(writer), str(seq)))
        answers = await self._server.several(commands)
        return [
            _one(writer, seq, kept, personal or b"")
            for (writer, seq), kept, personal in zip(places, answers[::2], answers[1::2], strict=True)
            if kept is not None
        ]


def _one(writer: str, seq: int, kept: bytes, personal: bytes) -> Sealed:
    try:
        found = msgspec.msgpack.decode(kept, type=_Kept)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # Altered: `verify` is to say so, not to stumble.
        found = _Kept("", "", b"")
    return Sealed(
        writer=writer, seq=seq, previous=found.previous, digest=found.digest, body=found.body, personal=personal
    )


def _told(body: bytes) -> _Told | None:
    try:
        return msgspec.json.decode(body, type=_Told)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _fits(one: Sealed, query: Query) -> bool:
    """A body that does not read (altered) fits no filter of what it says, and is found by `audit verify`."""
    if (query.writer and one.writer != query.writer) or one.seq <= query.after_seq:
        return False
    wanted = {
        name: str(getattr(query, name))
        for name in ("share", "link", "visit", "reason", "action", "outcome")
        if getattr(query, name)
    }
    if not (wanted or query.path or query.since or query.until):
        return True
    told = _told(one.body)
    if told is None or any(getattr(told, name) != value for name, value in wanted.items()):
        return False
    if query.path:
        # Whole segments.
        path = query.path.rstrip("/")
        if told.path != path and not told.path.startswith(path + "/"):
            return False
    return not ((query.since and told.at < query.since) or (query.until and told.at >= query.until))


def _bounds(query: Query) -> tuple[str, str]:
    return (repr(query.since) if query.since else "-inf", f"({query.until!r}" if query.until else "+inf")


def _member(writer: str, seq: int) -> str:
    # Of equal scores the server sorts by this, so that the numbers are of one length.
    return f"{seq:012d} {writer}"


def _places(members: Iterable[bytes]) -> list[tuple[str, int]]:
    found = []
    for member in members:
        seq, _, writer = member.decode("utf-8", "replace").partition(" ")
        if seq.isdigit():
            found.append((writer, int(seq)))
    return found
