"""The trail: a hash of events per writer, sorted sets that say which are whose, and beside them what may be erased.

The sets are for finding. What an event says is read of its body, which the chain covers; but an event that somebody
with a hand on the server takes out of a set is not found by a filter any more. Verifying does not use the sets.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import msgspec

from sharegate.audit.chain import person_of
from sharegate.audit.interfaces import LOOKS, Held, Mark, Page, Query, Sealed
from sharegate.errors import NotFound, StoreUnavailable
from sharegate.stores.redis.connection import Server
from sharegate.stores.redis.names import Names
from sharegate.stores.redis.packing import packed
from sharegate.stores.redis.scripts import APPEND
from sharegate.stores.redis.sets import Completing, Kept, Told, kept, leading, member, sets_of, told

_PAGE = 500
_ATTEMPTS = 20
_FILTERS = ("writer", "share", "link", "visit", "person", "path", "reason", "action", "outcome", "after_seq")


class _Head(msgspec.Struct, array_like=True, frozen=True):
    seq: str
    digest: str
    token: str


class RedisTrail:
    """AuditStore on one server."""

    def __init__(self, server: Server, names: Names) -> None:
        self._server, self._names = server, names
        self.completing = Completing(server, names)

    async def append(self, events: Sequence[Sealed]) -> None:
        """Raises ValueError when an event does not follow the last one of its writer."""
        if not events:
            return
        names = self._names
        entries = []
        for one in events:
            says = told(one.body) or Told()
            packed_up = msgspec.msgpack.encode(Kept(one.previous, one.digest, one.body))
            where = (repr(says.at), member(one.writer, one.seq), sets_of(says, one.personal, names))
            entries.append((one.writer, str(one.seq), one.previous, one.digest, packed_up, one.personal, *where))
        answer = await self._server.run(
            APPEND,
            [names.heads, names.by_time, names.unerased, names.indexed],
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
        if query.newest_first:
            return await self._newest(query)
        found: list[Sealed] = []
        async for places in self._places(query):
            found += [one for one in await self._sealed(places) if _fits(one, query)]
            if query.limit and len(found) >= query.limit:
                return found[: query.limit]
        return found

    async def page(self, query: Query, after: Mark | None = None, *, looks: int = LOOKS) -> Page:
        """Raises NotFound when there is no entry `after`."""
        name, known = leading(query, self._names, complete=await self.completing.current())
        exact = not [field for field in _FILTERS if getattr(query, field) and field not in known]
        # What identifies people is read at once where each entry fits, or where it says which do.
        named = exact or bool(query.person)
        found: list[Sealed] = []
        looked, last = 0, None if after is None else member(after.writer, after.seq).encode()
        while True:
            # Where each entry fits, one more says whether there is a next page.
            most = min(_PAGE, looks - looked, query.limit + 1) if exact else min(_PAGE, looks - looked)
            members = await self._along(name, query, last, most)
            for one in await self._sealed(places_in(members), personal=named):
                if len(found) == query.limit:
                    return Page(events=found, after=_mark(found[-1]))
                looked += 1
                if _fits(one, query):
                    found.append(one)
                if looked == looks or (len(found) == query.limit and not exact):
                    return Page(events=await self._whole(found, named), after=_mark(one))
            if len(members) < most:
                return Page(events=await self._whole(found, named))
            last = members[-1]

    async def held(self, moments: tuple[float, ...]) -> Held:
        name = self._names.unerased
        commands: list[tuple[Any, ...]] = [("ZCARD", name), ("ZRANGE", name, 0, 0, "WITHSCORES")]
        commands += [("ZCOUNT", name, "-inf", f"({moment!r}") for moment in moments]
        entries, first, *older = await self._server.several(commands)
        return Held(entries, float(first[1]) if first else None, tuple(older))

    async def erase(self, query: Query) -> int:
        """Blank the personal values of the events that fit; the chain still verifies. Returns how many."""
        erased, after = 0, 0
        bounds = _bounds(query)
        while members := await self._server.ask("ZRANGEBYSCORE", self._names.unerased, *bounds, "LIMIT", after, _PAGE):
            fitting = [one for one in await self._sealed(places_in(members)) if _fits(one, query)]
            for writer in {one.writer for one in fitting}:
                erased += await self.erase_events(writer, [one.seq for one in fitting if one.writer == writer])
            after += len(members) - len(fitting)
        return erased

    async def erase_events(self, writer: str, seqs: Sequence[int]) -> int:
        """Blank the personal values of exactly these events of a writer; returns how many held something."""
        erased = 0
        # In parts: the server serves others in between.
        for at in range(0, len(seqs), _PAGE):
            part = seqs[at : at + _PAGE]
            commands: list[tuple[Any, ...]] = [("HDEL", self._names.personal(writer), str(seq)) for seq in part]
            commands += [("ZREM", self._names.unerased, member(writer, seq)) for seq in part]
            held = await self._server.ask("HMGET", self._names.personal(writer), *part)
            for seq, own in zip(part, held, strict=True):
                if person := person_of(own or b""):
                    commands.append(("ZREM", self._names.of_person(person), member(writer, seq)))
            erased += sum((await self._server.several(commands, together=True))[: len(part)])
        return erased

    # -- parts ----------------------------------------------------------------------------------------------------

    async def _along(self, name: str, query: Query, last: bytes | None, most: int) -> list[bytes]:
        """At most so many members of a set that follow on `last`, by time, up to where the filter ends."""
        low, high = _bounds(query)
        if last is None:
            way = ("ZREVRANGEBYSCORE", name, high, low) if query.newest_first else ("ZRANGEBYSCORE", name, low, high)
            return list(await self._server.ask(*way, "LIMIT", 0, most))
        for _ in range(_ATTEMPTS):
            rank = await self._server.ask("ZRANK", name, last)
            if rank is None:
                seq, _, writer = last.decode("utf-8", "replace").partition(" ")
                raise NotFound("entry of the history", f"{int(seq)} of {writer}")
            first, end = (max(0, rank - most), rank) if query.newest_first else (rank, rank + most)
            found = await self._server.ask("ZRANGE", name, first, end, "WITHSCORES")
            pairs = list(zip(found[::2], found[1::2], strict=True))
            if query.newest_first:
                pairs.reverse()
            # Another gate may have put an older event in between the two questions.
            if pairs and pairs[0][0] == last:
                inside = itertools.takewhile(lambda pair: _within(float(pair[1]), query), pairs[1:])
                return [one for one, _ in inside]
        raise StoreUnavailable("the history is written by too many at once")

    async def _whole(self, found: list[Sealed], named: bool) -> list[Sealed]:
        """With what identifies people, which is only asked for of those that fit."""
        return found if named else await self._sealed([(one.writer, one.seq) for one in found])

    async def _places(self, query: Query) -> AsyncIterator[list[tuple[str, int]]]:
        """Where the events are that may fit, by writer and number."""
        for writer in [query.writer] if query.writer else await self.writers():
            last, _ = await self.head(writer)
            for seq in range(query.after_seq + 1, last + 1, _PAGE):
                yield [(writer, one) for one in range(seq, min(seq + _PAGE, last + 1))]

    async def _newest(self, query: Query) -> list[Sealed]:
        found: list[Sealed] = []
        after: Mark | None = None
        while True:
            asked = msgspec.structs.replace(query, limit=min(query.limit or _PAGE, _PAGE))
            page = await self.page(asked, after)
            found += page.events
            after = page.after
            if after is None or (query.limit and len(found) >= query.limit):
                return found[: query.limit or None]

    async def _sealed(self, places: Sequence[tuple[str, int]], *, personal: bool = True) -> list[Sealed]:
        """Those that are there, in this order."""
        by_writer: dict[str, list[int]] = {}
        for writer, seq in places:
            by_writer.setdefault(writer, []).append(seq)
        commands: list[tuple[Any, ...]] = []
        for writer, seqs in by_writer.items():
            commands.append(("HMGET", self._names.events(writer), *seqs))
            if personal:
                commands.append(("HMGET", self._names.personal(writer), *seqs))
        answers = iter(await self._server.several(commands))
        found: dict[tuple[str, int], Sealed] = {}
        for writer, seqs in by_writer.items():
            packed_up = next(answers)
            erasable = next(answers) if personal else [None] * len(seqs)
            for seq, one, own in zip(seqs, packed_up, erasable, strict=True):
                if one is not None:
                    found[writer, seq] = _one(writer, seq, one, own or b"")
        return [found[place] for place in places if place in found]


def _one(writer: str, seq: int, packed_up: bytes, personal: bytes) -> Sealed:
    found = kept(packed_up)
    return Sealed(
        writer=writer, seq=seq, previous=found.previous, digest=found.digest, body=found.body, personal=personal
    )


def _mark(one: Sealed) -> Mark:
    return Mark(writer=one.writer, seq=one.seq)


def _within(moment: float, query: Query) -> bool:
    return moment >= query.since if query.newest_first else not query.until or moment < query.until


def _fits(one: Sealed, query: Query) -> bool:
    """A body that does not read (altered) fits no filter of what it says, and is found by `audit verify`."""
    if (query.writer and one.writer != query.writer) or one.seq <= query.after_seq:
        return False
    wanted = {
        name: str(getattr(query, name))
        for name in ("share", "link", "visit", "reason", "action", "outcome")
        if getattr(query, name)
    }
    if not (wanted or query.person or query.path or query.since or query.until):
        return True
    if query.person and person_of(one.personal) != query.person:
        return False
    says = told(one.body)
    if says is None or any(getattr(says, name) != value for name, value in wanted.items()):
        return False
    if query.path:
        # Whole segments.
        path = query.path.rstrip("/")
        if says.path != path and not says.path.startswith(path + "/"):
            return False
    return not ((query.since and says.at < query.since) or (query.until and says.at >= query.until))


def _bounds(query: Query) -> tuple[str, str]:
    return (repr(query.since) if query.since else "-inf", f"({query.until!r}" if query.until else "+inf")


def places_in(members: Iterable[bytes]) -> list[tuple[str, int]]:
    found = []
    for one in members:
        seq, _, writer = one.decode("utf-8", "replace").partition(" ")
        if seq.isdigit():
            found.append((writer, int(seq)))
    return found
