"""In which sorted sets an event of the trail stands, and which of them leads to what a filter asks for. stores/
trail_indexes.py and trail_pages.py say the same for SQLite.

Some sets are younger than the trail: what was written before, or by a gate of an older version, is put into them when a
gate opens the store, and looked for again before somebody is led along them.
"""

from __future__ import annotations

import asyncio
import logging

import msgspec

from sharegate.audit.chain import person_of
from sharegate.audit.interfaces import Query
from sharegate.errors import StoreUnavailable
from sharegate.stores.redis.connection import Server
from sharegate.stores.redis.names import Names
from sharegate.stores.trail_indexes import MANY, ROUTINE

log = logging.getLogger("sharegate.stores")
_AT_ONCE = 1000
_AGAIN_SECONDS = 5.0


class Told(msgspec.Struct):
    """What a filter asks of a body. The body leaves out what is usual."""

    at: float = 0.0
    share: str = ""
    link: str = ""
    visit: str = ""
    path: str = ""
    reason: str = ""
    action: str = ""
    outcome: str = "allowed"


class Kept(msgspec.Struct, array_like=True, frozen=True):
    previous: str
    digest: str
    body: bytes


def told(body: bytes) -> Told | None:
    """None for a body that does not read: it was altered."""
    try:
        return msgspec.json.decode(body, type=Told)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def kept(packed: bytes) -> Kept:
    """An altered entry reads as an empty one: `verify` is to say so, not to stumble."""
    try:
        return msgspec.msgpack.decode(packed, type=Kept)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Kept("", "", b"")


def member(writer: str, seq: int) -> str:
    # Of equal scores the server sorts by this, so that the numbers are of one length.
    return f"{seq:012d} {writer}"


def sets_of(event: Told, personal: bytes, names: Names) -> list[str]:
    """Beside that of all events, and of those that hold something personal."""
    first = [names.of_share(event.share)] if event.share else []
    if event.visit:
        first.append(names.of_visit(event.visit))
    return first + _younger(event, personal, names)


def _younger(event: Told, personal: bytes, names: Names) -> list[str]:
    found = [names.of_link(event.link)] if event.link else []
    if person := person_of(personal):
        found.append(names.of_person(person))
    shares = ("", event.share) if event.share else ("",)
    if event.action and event.action not in ROUTINE:
        found += [names.of_act(share, event.action) for share in shares]
    if event.outcome != "allowed":
        found += [names.of_outcome(share, event.outcome) for share in shares]
    if event.reason:
        found.append(names.of_reason(event.reason))
    return found


def leading(query: Query, names: Names, *, complete: bool) -> tuple[str, frozenset[str]]:
    """The set with the fewest events of those that may fit, and the fields of the filter that all in it fit. The sets
    that are younger than the trail only where they are `complete`."""
    notable = bool(query.action) and query.action not in ROUTINE
    unusual = bool(query.outcome) and query.outcome != "allowed"
    ways = (
        (bool(query.visit), names.of_visit(query.visit), {"visit"}),
        (complete and bool(query.link), names.of_link(query.link), {"link"}),
        # Who is led here looks at each name: of an event that is erased while sets are completed, it may be too many.
        (complete and bool(query.person), names.of_person(query.person), {"person"}),
        (complete and notable and bool(query.share), names.of_act(query.share, query.action), {"share", "action"}),
        (
            complete and unusual and bool(query.share),
            names.of_outcome(query.share, query.outcome),
            {"share", "outcome"},
        ),
        (complete and notable, names.of_act("", query.action), {"action"}),
        (complete and bool(query.reason), names.of_reason(query.reason), {"reason"}),
        (complete and unusual, names.of_outcome("", query.outcome), {"outcome"}),
        (bool(query.share), names.of_share(query.share), {"share"}),
    )
    for leads, name, fields in ways:
        if leads:
            return name, frozenset(fields)
    return names.by_time, frozenset()


class Completing:
    """Puts into the younger sets what an older version wrote. `complete` once that is done."""

    def __init__(self, server: Server, names: Names) -> None:
        self._server, self._names = server, names
        self._task: asyncio.Task[None] | None = None
        self.complete = False

    async def begin(self) -> None:
        """A short history is done when this returns, a long one beside everything else. Raises StoreUnavailable."""
        owed = await self._owed()
        if sum(last - done for done, last in owed.values()) <= _AT_ONCE:
            await self._make_up(owed)
            self.complete = not await self._owed()
        if not self.complete:
            self._task = asyncio.create_task(self._settle(), name="completing the store's sets")

    async def current(self) -> bool:
        """Whether all is in the younger sets now: a gate of an older version that still runs goes on writing past them.
        A little is made up at once, more beside everything else. Raises StoreUnavailable."""
        if not self.complete:
            return False
        owed = await self._owed()
        if sum(last - done for done, last in owed.values()) <= _AT_ONCE:
            await self._make_up(owed)
        elif self.complete:
            self.complete = False
            self._task = asyncio.create_task(self._settle(), name="completing the store's sets")
        return self.complete

    async def stop(self) -> None:
        while self._task is not None and not self._task.done():
            self._task.cancel()
            # A cancellation may be lost in the library; the next one is not.
            await asyncio.wait({self._task}, timeout=1.0)

    async def _settle(self) -> None:
        said = False
        while not self.complete:
            try:
                owed = await self._owed()
                left = sum(last - done for done, last in owed.values())
                if left >= MANY and not said:
                    log.warning(
                        "%d entries of the history are put into their sets, once; pages are slower until then", left
                    )
                    said = True
                await self._make_up(owed)
                self.complete = not owed
            except StoreUnavailable:  # fails open: pages are found by the older sets, and it is tried again
                await asyncio.sleep(_AGAIN_SECONDS)
        if said:
            log.warning("the entries of the history are in their sets")

    async def _owed(self) -> dict[str, tuple[int, int]]:
        """Of each writer: up to where its events are in all sets, and its last."""
        heads = await self._server.ask("HGETALL", self._names.heads)
        done = await self._server.ask("HGETALL", self._names.indexed)
        heads, done = (_pairs(found) for found in (heads, done))
        owed = {}
        for writer, packed in heads.items():
            last, first = int(msgspec.msgpack.decode(packed)[0]), int(done.get(writer, b"0"))
            if first < last:
                owed[writer.decode()] = first, last
        return owed

    async def _make_up(self, owed: dict[str, tuple[int, int]]) -> None:
        for writer, (done, last) in owed.items():
            for first in range(done + 1, last + 1, _AT_ONCE):
                seqs = range(first, min(first + _AT_ONCE, last + 1))
                asked = [("HMGET", of(writer), *seqs) for of in (self._names.events, self._names.personal)]
                found, personal = await self._server.several(asked)
                commands: list[tuple[object, ...]] = []
                for seq, packed, own in zip(seqs, found, personal, strict=True):
                    event = told(kept(packed).body) if packed is not None else None
                    if event is not None:
                        for name in _younger(event, own or b"", self._names):
                            commands.append(("ZADD", name, repr(event.at), member(writer, seq)))
                commands.append(("HSET", self._names.indexed, writer, seqs[-1]))
                await self._server.several(commands)


def _pairs(found: object) -> dict[bytes, bytes]:
    """What HGETALL answers, by either protocol."""
    if isinstance(found, dict):
        return found
    assert isinstance(found, list)
    return dict(zip(found[::2], found[1::2], strict=True))
