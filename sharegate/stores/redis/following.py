"""The records in memory, and the stream that keeps them true: every commit of every gate, in order, pushed by XREAD.

`current` gives them only as long as this process has lately heard from the server: what it was told is complete up to
the moment in which the last question that was answered was asked. Past `patience` seconds it refuses, since another
gate may have revoked something meanwhile. When the server is heard again, the stream is read on from where it was left,
or everything is read anew when the stream does not reach back that far.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from sharegate.errors import Refused, StoreUnavailable
from sharegate.stores.crypt import CredentialBox
from sharegate.stores.redis.connection import Server
from sharegate.stores.redis.fitness import check_server
from sharegate.stores.redis.lease import Lease
from sharegate.stores.redis.names import KINDS, Names
from sharegate.stores.redis.records import Arrival, Records, differing, entry_of, loaded
from sharegate.stores.writer import Written

log = logging.getLogger("sharegate.stores")

PATIENCE = 3.0
# The server answers at least so often; a question that takes much longer is given up.
BLOCK_MS = 500
SILENCE_SECONDS = 2.0
# Another gate writes by what it knew for so long at most: with what it last heard, and a question on its way.
BEHIND_SECONDS = PATIENCE + SILENCE_SECONDS
AGAIN_SECONDS = 0.2
STOP_SECONDS = 0.2
# Commits that are kept in the stream: whoever is further behind reads everything anew.
KEPT = 10_000
_AT_ONCE = 1000
_TOKENS = 4096
LOST = "lost what it had acknowledged, or an older copy was restored"
_ROUNDS_PER_LOOK = 20


def clock() -> float:
    """Seconds that go on while the computer sleeps, where the system has such a clock: a lid that was shut for an hour
    must not look like a moment."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boottime is None else time.clock_gettime(boottime)


class Following:
    """`tell` is called on the event loop after each commit, in order, when the records show it already."""

    def __init__(
        self,
        server: Server,
        names: Names,
        box: CredentialBox,
        lease: Lease,
        id: str,
        tell: Callable[[list[Written]], None],
        *,
        now: Callable[[], float] = clock,
        patience: float = PATIENCE,
    ) -> None:
        self._server = server
        self._pushing = server.another(seconds=SILENCE_SECONDS)
        self._names, self._box, self._lease, self._id = names, box, lease, id
        self._tell = tell
        self._now, self._patience = now, patience
        self._records = Records()
        self._tokens: OrderedDict[str, None] = OrderedDict()
        self._true_at = -float("inf")
        self._broken = ""
        self._unfit = ""
        self._stopping = False
        self._heard = True
        self._reading = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    # -- reading --------------------------------------------------------------------------------------------------

    @property
    def current(self) -> Records:
        """Raises StoreUnavailable when they may not be true any more."""
        self.check()
        if self._now() - self._true_at > self._patience:
            raise StoreUnavailable(f"the store {self._server.url} was not heard of for {self._patience:g} seconds")
        return self._records

    @property
    def records(self) -> Records:
        """As they are known, be they true or not: to decide on what the server will judge."""
        return self._records

    def check(self) -> None:
        """Raises StoreUnavailable when waiting does not help, or writes would not last."""
        if self._broken or self._unfit:
            raise StoreUnavailable(self._broken or self._unfit)

    def came(self, token: str) -> bool:
        """Whether the commit with this token is one that was followed lately."""
        return token in self._tokens or token == self._records.token

    # -- applying -------------------------------------------------------------------------------------------------

    def committed(self, position: int, token: str, written: list[tuple[Written, Arrival | None]], at: float) -> None:
        """Our own commit, decided on everything before it. `at` is when the server was asked."""
        self._apply(position, token, self._records.token, written)
        self._true_at = max(self._true_at, at)

    def confirmed(self, at: float) -> None:
        """The server said that nothing is missing."""
        self._true_at = max(self._true_at, at)

    def _apply(self, position: int, token: str, before: str, written: list[tuple[Written, Arrival | None]]) -> bool:
        """False when something before it is missing. Raises StoreUnavailable for one that follows on another commit."""
        if position <= self._records.position:
            return True
        if position != self._records.position + 1:
            return False
        if before != self._records.token:
            self._breaks(LOST)
            raise StoreUnavailable(self._broken)
        told = self._records.apply(position, token, written)
        self._tokens[token] = None
        while len(self._tokens) > _TOKENS:
            self._tokens.popitem(last=False)
        self._tell(told)
        return True

    async def load(self) -> None:
        """Read everything anew. Raises StoreUnavailable, also for a record that does not read."""
        async with self._reading:
            await self._load()

    async def _load(self) -> None:
        asked, known = self._now(), self._known
        commands: list[tuple[str, ...]] = [("HMGET", self._names.meta, "id", "position", "token")]
        commands += [("HGETALL", self._names.records(kind)) for kind in KINDS]
        meta, *tables = await self._server.several(commands, together=True)
        position, token = self._position(meta, known), (meta[2] or b"").decode()
        # In a thread: a hundred thousand visits take a second, and others are answered meanwhile.
        records = await asyncio.to_thread(loaded, position, token, list(zip(KINDS, tables, strict=True)), self._box)
        # Our own commits may have come meanwhile; they can only where nothing was missing.
        if position >= self._records.position:
            told = list(differing(self._records, records))
            self._records = records
            self._tell(told)
        self._true_at = max(self._true_at, asked)

    async def catch_up(self) -> bool:
        """Follow all commits that there are. False when everything had to be read anew. Raises StoreUnavailable."""
        async with self._reading:
            while True:
                asked, known = self._now(), self._known
                meta, entries = await self._server.several(
                    [
                        ("HMGET", self._names.meta, "id", "position", "token"),
                        ("XRANGE", self._names.changes, f"({known[0]}-0", "+", "COUNT", _AT_ONCE),
                    ],
                    together=True,
                )
                position = self._position(meta, known)
                if not self._follow(entries) or (not entries and position > self._records.position):
                    await self._load()
                    return False
                if self._records.position >= position:
                    self._true_at = max(self._true_at, asked)
                    return True

    async def forget_changes(self) -> None:
        """Let the stream forget how records were before: what was blanked in them stands there yet, and in what was
        trimmed too. A gate that is behind reads everything anew."""
        await self._server.ask("DEL", self._names.changes)

    def _follow(self, entries: list[Any]) -> bool:
        for id, fields in entries:
            position = int(id.split(b"-")[0])
            if position > self._records.position:
                token, before, written = entry_of(fields[b"d"], self._box)
                if not self._apply(position, token, before, written):
                    return False
        return True

    @property
    def _known(self) -> tuple[int, str]:
        return self._records.position, self._records.token

    def _position(self, meta: list[bytes | None], known: tuple[int, str]) -> int:
        """Raises StoreUnavailable, for good, when this is not the store any more that was followed. `known` is how far
        it was followed when it was asked: it answers late, and our own commits go on meanwhile. Where nothing was
        followed yet there is nothing to compare with."""
        id, position, token = meta
        if id is None or position is None:
            self._breaks("was emptied")
        elif id.decode() != self._id:
            self._breaks("is another one than before")
        elif int(position) < known[0] or (int(position) == known[0] and known[1] not in ("", (token or b"").decode())):
            self._breaks(LOST)
        else:
            return int(position)
        raise StoreUnavailable(self._broken)

    def _breaks(self, how: str) -> None:
        if not self._broken:
            self._broken = f"the store {self._server.url} {how}: look there, then start the gate again"
            log.error(self._broken)

    # -- following ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._task = asyncio.create_task(self._follow_for_ever(), name="following the store")

    async def stop(self) -> None:
        self._stopping = True
        while self._task is not None and not self._task.done():
            self._task.cancel()
            # A cancellation may be lost in the library; the next one is not.
            await asyncio.wait({self._task}, timeout=STOP_SECONDS)
        await self._pushing.close()

    async def _follow_for_ever(self) -> None:
        rounds = 0
        while not self._broken and not self._stopping:
            try:
                if rounds % _ROUNDS_PER_LOOK == 0:
                    await self.look()
                await self._round()
                rounds += 1
                if not self._heard:
                    log.warning("the store %s is heard again", self._server.url)
                self._heard = True
            except StoreUnavailable as error:  # fails closed: nothing counts as true past the patience
                if self._heard and not self._broken:
                    log.warning("%s", error)
                self._heard, rounds = False, 0
                await asyncio.sleep(AGAIN_SECONDS)
            except Exception:  # fails closed, the same
                log.exception("following the store")
                self._heard, rounds = False, 0
                await asyncio.sleep(AGAIN_SECONDS)

    async def look(self) -> None:
        """Whether writes still last. Raises StoreUnavailable when not; reading is refused too until they do."""
        try:
            await check_server(self._server)
        except Refused as refused:
            self._unfit = str(refused)
            raise StoreUnavailable(self._unfit) from None
        self._unfit = ""

    async def _round(self) -> None:
        """Renew the lease (which shows that this server takes writes), look at the position, wait for changes."""
        asked, known = self._now(), self._known
        lease, meta, streams = await self._pushing.several(
            [
                self._lease.renewal(),
                ("HMGET", self._names.meta, "id", "position", "token"),
                ("XREAD", "COUNT", _AT_ONCE, "BLOCK", BLOCK_MS, "STREAMS", self._names.changes, f"{known[0]}-0"),
            ]
        )
        if lease != b"ok":
            self._breaks(f"has another gate named {self._lease.gate} by now")
            raise StoreUnavailable(self._broken)
        position = self._position(meta, known)
        entries = _entries(streams)
        # A position ahead of us with nothing to read means that the stream was cut.
        if not self._follow(entries) or (not entries and position > self._records.position):
            await self.load()
            return
        if len(entries) < _AT_ONCE:
            self._true_at = max(self._true_at, asked)


def _entries(streams: Any) -> list[Any]:
    """Of one stream, as XREAD answers: nothing, a list of (name, entries), or a dict of those."""
    if not streams:
        return []
    found = next(iter(streams.values())) if isinstance(streams, dict) else streams[0][1]
    return list(found[0] if found and isinstance(found[0], list) else found)
