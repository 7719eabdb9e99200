"""ShareStore, UpstreamStore, AuditStore and the stores of versions on one SQLite file.

Writes go through one thread and are committed in groups, `synchronous=FULL`; records are read from a mirror in memory
that changes only after a commit. The trail, overlays, device codes and versions are read from the file on a second
connection. Any failure of SQLite becomes StoreUnavailable, and neither the file nor the mirror has changed then.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from sharegate.audit.interfaces import LOOKS, Held, Mark, Page, Query, Sealed
from sharegate.errors import NotFound, StoreUnavailable
from sharegate.shares.api_tokens import ApiToken, AskedOnce
from sharegate.shares.interfaces import Change
from sharegate.shares.model import DeviceCode, Knock, KnockState, Link, MailCode, RulesInForce, Share, Visit
from sharegate.shares.more_time import TimeAsk
from sharegate.shares.reports import Report
from sharegate.stores import records, trail_pages, trail_table
from sharegate.stores.copies import Migrated, keep_before_migration
from sharegate.stores.crypt import ContentBox, CredentialBox
from sharegate.stores.files import connect, load, private
from sharegate.stores.lock import ProcessLock
from sharegate.stores.mirror import Mirror, Mirrored
from sharegate.stores.retention import Pruned, forget, prune
from sharegate.stores.version_store import VersionTables
from sharegate.stores.writer import Work, Writer, Written
from sharegate.tally import OwnTally, Tally
from sharegate.upstream.model import Credential, Upstream

T = TypeVar("T")

# Events that are blanked in one job. Others are served in between: a revocation does not wait for what is let go of.
BLANKED_AT_ONCE = 1000


async def open_sqlite(path: str | os.PathLike[str], *, key: bytes) -> SqliteStore:
    """Open the store at `path`, creating it (file 0600, new directories 0700). `key` (32 bytes) seals credentials and
    versions.

    Raises Refused (`store_in_use`, `store_newer`, `store_foreign`, `store_exposed`) and StoreUnavailable.
    """
    file = Path(path).absolute()
    boxes = CredentialBox(key), ContentBox(key)
    return await asyncio.to_thread(_opened, file, boxes, asyncio.get_running_loop())


def _opened(file: Path, boxes: tuple[CredentialBox, ContentBox], loop: asyncio.AbstractEventLoop) -> SqliteStore:
    with contextlib.ExitStack() as opened:
        try:
            private(file)
            lock = ProcessLock.take(file.with_name(file.name + ".lock"))
            opened.callback(lock.release)
            migrated = keep_before_migration(file)
            writing = connect(file)
            opened.callback(writing.close)
            mirror = load(writing, boxes[0])
            reading = connect(file, read_only=True)
            opened.callback(reading.close)
        except (sqlite3.Error, OSError) as error:  # fails closed
            raise StoreUnavailable(f"the store {file} cannot be opened: {error}") from error
        store = SqliteStore(file, boxes, lock, writing, reading, mirror, loop, migrated)
        opened.pop_all()
        return store


class SqliteStore(Mirrored, VersionTables):
    """Made by `open_sqlite`, used on the event loop that opened it."""

    def __init__(
        self,
        path: Path,
        boxes: tuple[CredentialBox, ContentBox],
        lock: ProcessLock,
        writing: sqlite3.Connection,
        reading: sqlite3.Connection,
        mirror: Mirror,
        loop: asyncio.AbstractEventLoop,
        migrated: Migrated | None = None,
    ) -> None:
        self.path = path
        self.migrated = migrated
        self._box, self._content_box = boxes
        self._lock = lock
        self._reading = reading
        self._memory = mirror
        self._loop = loop
        super().__init__()
        self._writer = Writer(writing, path, self._committed, loop)
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="sharegate store reader")
        self._rules: RulesInForce | None = None
        self._closed = False

    @property
    def writer(self) -> str:
        """The name of the gate's chain in the trail: there is one gate."""
        return "gate"

    @property
    def place(self) -> str:
        """Where records are, for people."""
        return str(self.path)

    # -- records --------------------------------------------------------------------------------------------------

    @property
    def _mirror(self) -> Mirror:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        return self._memory

    async def add_share(self, share: Share, links: list[Link]) -> None:
        await self._writer.run(lambda connection, written: records.add_share(connection, written, share, links))

    async def add_link(self, link: Link) -> None:
        await self._writer.run(lambda connection, written: records.add_link(connection, written, link))

    async def add_links(self, links: list[Link]) -> None:
        await self._writer.run(lambda connection, written: records.add_links(connection, written, links))

    async def change_share(self, id: str, *, was: Mapping[str, Any] | None = None, **fields: Any) -> Share:
        return await self._writer.run(
            lambda connection, written: records.change_share(connection, written, id, fields, was or {})
        )

    async def change_link(self, id: str, *, was: Mapping[str, Any] | None = None, **fields: Any) -> Link:
        return await self._writer.run(
            lambda connection, written: records.change_link(connection, written, id, fields, was or {})
        )

    async def change_visit(self, id: str, *, was: Mapping[str, Any] | None = None, **fields: Any) -> Visit:
        return await self._writer.run(
            lambda connection, written: records.change_visit(connection, written, id, fields, was or {})
        )

    async def open_visit(self, visit: Visit, *, seats: int | None) -> Visit:
        return await self._writer.run(lambda connection, written: records.open_visit(connection, written, visit, seats))

    async def end_visits(self, ids: list[str], *, at: float, reason: str) -> list[Visit]:
        return await self._writer.run(
            lambda connection, written: records.end_visits(connection, written, ids, at, reason)
        )

    async def add_knock(self, knock: Knock, *, limit: int) -> None:
        await self._writer.run(lambda connection, written: records.add_knock(connection, written, knock, limit))

    async def decide_knock(self, id: str, *, state: str, at: float, visit: Visit | None = None) -> Knock:
        decided = KnockState(state)
        return await self._writer.run(
            lambda connection, written: records.decide_knock(connection, written, id, decided, at, visit)
        )

    async def add_device_code(self, code: DeviceCode) -> None:
        await self._writer.run(lambda connection, _: records.add_device_code(connection, code))

    async def device_code(self, code_hash: str) -> DeviceCode | None:
        row = await self._read(
            lambda reading: reading.execute(
                "SELECT body FROM device_codes WHERE code_hash = ?", (code_hash,)
            ).fetchone()
        )
        return msgspec.json.decode(row[0], type=DeviceCode) if row is not None else None

    async def spend_device_code(self, code_hash: str, visit: Visit, *, at: float, devices: int) -> Visit:
        return await self._writer.run(
            lambda connection, written: records.spend_device_code(connection, written, code_hash, visit, at, devices)
        )

    async def put_mail_code(self, code: MailCode) -> None:
        await self._writer.run(lambda connection, _: records.put_mail_code(connection, code))

    async def try_mail_code(self, id: str, code_hash: str, *, at: float, tries: int) -> bool:
        return await self._writer.run(lambda connection, _: records.try_mail_code(connection, id, code_hash, at, tries))

    async def overlay(self, visit: str, kind: str) -> dict[str, bytes]:
        rows = await self._read(
            lambda reading: reading.execute(
                "SELECT name, data FROM overlays WHERE visit = ? AND kind = ? ORDER BY name", (visit, kind)
            ).fetchall()
        )
        return dict(rows)

    async def put_overlay(
        self, visit: str, kind: str, name: str, data: bytes | None, *, items: int, total_bytes: int
    ) -> None:
        await self._writer.run(
            lambda connection, _: records.put_overlay(connection, visit, kind, name, data, items, total_bytes)
        )

    async def forget(self, *, visits: list[str], links: list[str], knocks: list[str]) -> None:
        await self._writer.run(
            lambda connection, written: forget(connection, written, visits, links, knocks), scrub=True
        )

    async def rules_in_force(self) -> RulesInForce | None:
        _ = self._mirror
        return self._rules

    async def put_rules_in_force(self, rules: RulesInForce) -> None:
        """In memory: no other gate has this file."""
        _ = self._mirror
        self._rules = rules
        self._tell("rules", rules.id)

    async def add_api_token(self, token: ApiToken, *, limit: int, at: float) -> None:
        await self._writer.run(lambda connection, written: records.add_api_token(connection, written, token, limit, at))

    async def change_api_token(self, id: str, **fields: Any) -> ApiToken:
        return await self._writer.run(
            lambda connection, written: records.change(connection, written, ApiToken, id, fields)
        )

    async def ask_once(self, asked: AskedOnce, *, since: float, limit: int) -> None:
        await self._writer.run(lambda connection, written: records.ask_once(connection, written, asked, since, limit))

    async def answer_once(self, id: str, answer: bytes, *, total: int) -> None:
        await self._writer.run(lambda connection, written: records.answer_once(connection, written, id, answer, total))

    async def unask(self, id: str) -> None:
        await self._writer.run(lambda connection, written: records.unask(connection, written, id))

    def tally(self, *, now: Callable[[], float], pace: Callable[[], float]) -> Tally:
        """Of this gate, in memory: no other one has this file."""
        return OwnTally(pace)

    # -- what visitors say ----------------------------------------------------------------------------------------

    async def add_report(self, report: Report, *, per_share: int, overall: int) -> bool:
        return await self._writer.run(
            lambda connection, written: records.add_report(connection, written, report, per_share, overall)
        )

    async def change_report(self, id: str, *, was: Mapping[str, Any] | None = None, **fields: Any) -> Report:
        return await self._writer.run(
            lambda connection, written: records.change_report(connection, written, id, fields, was or {})
        )

    async def add_time_ask(self, ask: TimeAsk, *, limit: int) -> None:
        await self._writer.run(lambda connection, written: records.add_time_ask(connection, written, ask, limit))

    async def change_time_ask(self, id: str, *, was: Mapping[str, Any] | None = None, **fields: Any) -> TimeAsk:
        return await self._writer.run(
            lambda connection, written: records.change_time_ask(connection, written, id, fields, was or {})
        )

    # -- servers --------------------------------------------------------------------------------------------------

    async def upstreams(self) -> list[Upstream]:
        return list(self._mirror.upstreams.values())

    async def put_upstream(self, upstream: Upstream) -> None:
        token = self._box.seal(upstream.token.secret, upstream=upstream.id, url=upstream.url)
        body = records.encoded(records.read_back(msgspec.structs.replace(upstream, token=Credential(""))))

        def work(connection: sqlite3.Connection, written: list[Written]) -> None:
            connection.execute(
                "INSERT INTO upstreams (id, body, token) VALUES (?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET body = excluded.body, token = excluded.token",
                (upstream.id, body, token),
            )
            written.append(Written("upstream", upstream.id, upstream))

        await self._writer.run(work)

    async def remove_upstream(self, id: str) -> None:
        """Raises NotFound."""

        def work(connection: sqlite3.Connection, written: list[Written]) -> None:
            if not connection.execute("DELETE FROM upstreams WHERE id = ?", (id,)).rowcount:
                raise NotFound("server", id)
            written.append(Written("upstream", id, None))

        await self._writer.run(work)

    # -- trail ----------------------------------------------------------------------------------------------------

    async def append(self, events: list[Sealed]) -> None:
        """Raises ValueError when an event does not follow the last one of its writer."""
        await self._writer.run(lambda connection, _: trail_table.append(connection, events))

    async def head(self, writer: str) -> tuple[int, str]:
        return await self._read(lambda reading: trail_table.head(reading, writer))

    async def read(self, query: Query) -> list[Sealed]:
        return await self._read(lambda reading: trail_table.read(reading, query))

    async def page(self, query: Query, after: Mark | None = None, *, looks: int = LOOKS) -> Page:
        """Raises NotFound when there is no entry `after`."""
        return await self._read(lambda reading: trail_pages.page(reading, query, after, looks))

    async def held(self, moments: tuple[float, ...]) -> Held:
        return await self._read(lambda reading: trail_table.held(reading, moments))

    async def writers(self) -> list[str]:
        return await self._read(trail_table.writers)

    async def erase(self, query: Query) -> int:
        """Blank the personal values of the events that fit; the chain still verifies. Returns how many. Where it
        raises, some may be blanked already."""
        erased, part = 0, BLANKED_AT_ONCE
        while part == BLANKED_AT_ONCE:
            part = await self._writer.run(
                lambda connection, _: trail_table.erase(connection, query, BLANKED_AT_ONCE), scrub=True
            )
            erased += part
        return erased

    async def erase_events(self, writer: str, seqs: list[int]) -> int:
        """Blank the personal values of exactly these events of a writer; returns how many held something. Where it
        raises, some may be blanked already."""
        erased = 0
        for at in range(0, len(seqs), BLANKED_AT_ONCE):
            erased += await self._blank(writer, seqs[at : at + BLANKED_AT_ONCE])
        return erased

    # -- keeping --------------------------------------------------------------------------------------------------

    async def prune(self, now: float) -> Pruned:
        """Forget what nobody needs any more; retention.py has the periods. The trail is not touched."""
        return await self._writer.run(lambda connection, written: prune(connection, written, now), scrub=True)

    async def ready(self) -> None:
        """Writes and commits one row, so that a full disk is seen before it matters. Raises StoreUnavailable."""
        await self._writer.run(lambda connection, _: connection.execute("UPDATE beat SET count = count + 1"))

    async def close(self) -> None:
        """Finish what was asked before, then let go of the file. Idempotent."""
        if self._closed:
            return
        self._closed = True
        await self._writer.close()
        await asyncio.to_thread(self._reader.shutdown)
        self._reading.close()
        self._lock.release()

    # -- parts ----------------------------------------------------------------------------------------------------

    def _committed(self, written: list[Written]) -> None:
        self._memory.apply(written)
        for one in written:
            self._tell(one.kind, one.id)

    def _tell(self, kind: str, id: str) -> None:
        for listener in list(self._listeners.values()):
            try:
                listener(Change(kind, id))
            except Exception as error:  # fails closed for the others: they must learn of a revocation all the same
                self._loop.call_exception_handler({"message": "a listener to the store failed", "exception": error})

    async def _blank(self, writer: str, seqs: list[int]) -> int:
        return await self._writer.run(
            lambda connection, _: trail_table.erase_events(connection, writer, seqs), scrub=True
        )

    async def _write(self, work: Work[T], *, scrub: bool = False) -> T:
        return await self._writer.run(work, scrub=scrub)

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        try:
            return await self._loop.run_in_executor(self._reader, work, self._reading)
        except (sqlite3.Error, msgspec.DecodeError) as error:  # fails closed
            raise StoreUnavailable(f"the store cannot be read: {error}") from error

    def __repr__(self) -> str:
        return f"<SqliteStore {self.path}>"
