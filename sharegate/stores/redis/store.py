"""ShareStore, UpstreamStore, AuditStore and the stores of versions on one Redis or Valkey server, for several gates.

Records are read from a mirror in memory that a stream of all commits keeps true (following.py). A write is decided on
the mirror and taken by the server only when nobody else committed meanwhile (writing.py). It is on the server's disk
when it is acknowledged, which is checked of the server's configuration (fitness.py). The trail, overlays and versions
are read from the server. Any failure becomes StoreUnavailable.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from sharegate.audit.interfaces import LOOKS, Held, Mark, Page, Query, Sealed
from sharegate.errors import Denied, NotFound, Reason, StoreUnavailable
from sharegate.shares.api_tokens import ApiToken, AskedOnce
from sharegate.shares.interfaces import Change
from sharegate.shares.model import DeviceCode, Knock, KnockState, Link, MailCode, RulesInForce, Share, Visit
from sharegate.shares.more_time import TimeAsk
from sharegate.shares.reports import Report
from sharegate.store_url import StoreUrl
from sharegate.stores.crypt import ContentBox, CredentialBox
from sharegate.stores.lock import ProcessLock
from sharegate.stores.mirror import Mirror, Mirrored
from sharegate.stores.records import read_back
from sharegate.stores.redis import draft, fitness, lease
from sharegate.stores.redis.connection import Server
from sharegate.stores.redis.draft import Decision
from sharegate.stores.redis.edits import Edits
from sharegate.stores.redis.following import PATIENCE, Following, clock
from sharegate.stores.redis.names import Names
from sharegate.stores.redis.pruning import Rewriting, forget_overlays, forget_people, prune_overlays, prune_records
from sharegate.stores.redis.scripts import OVERLAY
from sharegate.stores.redis.shelf import Shelves
from sharegate.stores.redis.tally import RedisTally
from sharegate.stores.redis.trail import RedisTrail
from sharegate.stores.redis.writing import Committing
from sharegate.stores.retention import Pruned
from sharegate.stores.version_store import entry_place, maybe_threaded, place_of
from sharegate.stores.writer import Written
from sharegate.tally import Tally
from sharegate.upstream.model import Credential, Upstream
from sharegate.versions.model import Authorship, Edit, Limits, Place, Snapshot

T = TypeVar("T")


async def open_redis(
    url: StoreUrl,
    *,
    key: bytes,
    folder: Path,
    gate: str = "",
    prefix: str = "sharegate",
    ca_file: Path | None = None,
    now: Callable[[], float] = clock,
    patience: float = PATIENCE,
) -> RedisStore:
    """Open the store at `url`, creating it. `key` (32 bytes) seals credentials and versions. `folder` is this gate's
    own: what is in it tells this gate from others, and one process at a time may use it. `gate` names its chain in the
    trail ("": made from the folder). `now` counts seconds, for `patience`.

    Raises Refused (`store_in_use`, `gate_name_taken`, `store_newer`, `store_foreign`, `store_other_key`,
    `store_unfit`, `store_not_durable`) and StoreUnavailable.
    """
    boxes = CredentialBox(key), ContentBox(key)
    names = Names(prefix)
    async with contextlib.AsyncExitStack() as opened:
        held = lease.lock(folder)
        opened.callback(held.release)
        instance = lease.instance_of(folder)
        server = Server(url, ca_file=ca_file)
        opened.push_async_callback(server.close)
        await fitness.check_server(server)
        id = await fitness.claim(server, names, boxes[1])
        mine = await lease.take(server, names, gate or f"gate-{instance[:8]}", instance)
        opened.push_async_callback(lease.release, server, mine)
        store = RedisStore(server, names, boxes, held, mine, id, now, patience)
        opened.push_async_callback(store._following.stop)
        opened.push_async_callback(store._rewriting.stop)
        await store._following.load()
        await store._rewriting.resume()
        opened.push_async_callback(store._trail.completing.stop)
        await store._trail.completing.begin()
        store._following.start()
        opened.pop_all()
        return store


class RedisStore(Mirrored):
    """Made by `open_redis`, used on the event loop that opened it."""

    def __init__(
        self,
        server: Server,
        names: Names,
        boxes: tuple[CredentialBox, ContentBox],
        held: ProcessLock,
        mine: lease.Lease,
        id: str,
        now: Callable[[], float],
        patience: float,
    ) -> None:
        self._server, self._names = server, names
        self._box, self._content_box = boxes
        self._lock, self._lease = held, mine
        super().__init__()
        self._following = Following(server, names, boxes[0], mine, id, self._committed, now=now, patience=patience)
        self._committing = Committing(server, names, self._following, now)
        self._trail = RedisTrail(server, names)
        self._shelves = Shelves(server, names)
        self._edits = Edits(server, names)
        self._rewriting = Rewriting(server, names, self._following.forget_changes)
        self._closed = False

    @property
    def writer(self) -> str:
        """The name of this gate's chain in the trail."""
        return self._lease.gate

    @property
    def place(self) -> str:
        """Where records are, for people."""
        return f"{self._server.url} (prefix {self._names.prefix}, as {self.writer})"

    # -- records --------------------------------------------------------------------------------------------------

    @property
    def _mirror(self) -> Mirror:
        self._check_open()
        return self._following.current.mirror

    async def add_share(self, share: Share, links: list[Link]) -> None:
        await self._commit(lambda made: draft.add_share(made, share, links))

    async def add_link(self, link: Link) -> None:
        await self._commit(lambda made: draft.add_link(made, link))

    async def add_links(self, links: list[Link]) -> None:
        await self._commit(lambda made: draft.add_links(made, links))

    async def change_share(self, id: str, *, was: Mapping[str, Any] | None = None, **fields: Any) -> Share:
        return await self._commit(lambda made: draft.change_share(made, id, fields, was or {}))

    async def change_link(self, id: str, *, was: Mapping[str, Any] | None = None, **fields: Any) -> Link:
        return await self._commit(lambda made: draft.change_link(made, id, fields, was or {}))

    async def change_visit(self, id: str, *, was: Mapping[str, Any] | None = None, **fields: Any) -> Visit:
        return await self._commit(lambda made: draft.change_visit(made, id, fields, was or {}))

    async def open_visit(self, visit: Visit, *, seats: int | None) -> Visit:
        return await self._commit(lambda made: draft.open_visit(made, visit, seats))

    async def end_visits(self, ids: list[str], *, at: float, reason: str) -> list[Visit]:
        return await self._commit(lambda made: draft.end_visits(made, ids, at, reason))

    async def add_knock(self, knock: Knock, *, limit: int) -> None:
        await self._commit(lambda made: draft.add_knock(made, knock, limit))

    async def decide_knock(self, id: str, *, state: str, at: float, visit: Visit | None = None) -> Knock:
        decided = KnockState(state)
        return await self._commit(lambda made: draft.decide_knock(made, id, decided, at, visit))

    async def add_device_code(self, code: DeviceCode) -> None:
        await self._commit(lambda made: draft.add_device_code(made, code))

    async def device_code(self, code_hash: str) -> DeviceCode | None:
        self._check_open()
        return self._following.current.codes.get(code_hash)

    async def spend_device_code(self, code_hash: str, visit: Visit, *, at: float, devices: int) -> Visit:
        return await self._commit(lambda made: draft.spend_device_code(made, code_hash, visit, at, devices))

    async def put_mail_code(self, code: MailCode) -> None:
        await self._commit(lambda made: draft.put_mail_code(made, code))

    async def try_mail_code(self, id: str, code_hash: str, *, at: float, tries: int) -> bool:
        return await self._commit(lambda made: draft.try_mail_code(made, id, code_hash, at, tries))

    async def overlay(self, visit: str, kind: str) -> dict[str, bytes]:
        self._check_open()
        table = await self._server.ask("HGETALL", self._names.overlay(visit, kind))
        return {name.decode(): data for name, data in sorted(table.items())}

    async def put_overlay(
        self, visit: str, kind: str, name: str, data: bytes | None, *, items: int, total_bytes: int
    ) -> None:
        self._writable()
        known = self._mirror.visits.get(visit)
        if known is None:
            raise NotFound("visit", visit)
        if known.ended is not None:
            raise Denied(Reason.VISIT_ENDED, known.ended_reason)
        key = self._names.overlay(visit, kind)
        if data is None:
            await self._server.ask("HDEL", key, name)
            return
        keys = [key, self._names.overlaid, self._names.records("visit")]
        taken, *past = await self._server.run(OVERLAY, keys, name, data, items, total_bytes, f"{visit}\0{kind}", visit)
        if taken < 0:
            raise Denied(Reason.VISIT_ENDED)
        if not taken:
            raise Denied(Reason.OVERLAY_LIMIT, f"{past[0]} entries, {past[1]} bytes")

    async def forget(self, *, visits: list[str], links: list[str], knocks: list[str]) -> None:
        """Blank what identifies people in these records: names, addresses, agents, the hashes of their cookies; a
        waiting knock is gone; layouts and device codes of the visits are deleted. Unknown ids are ignored. May be asked
        again where it raised."""
        self._writable()
        await self._rewriting.owe()
        try:
            await self._commit(lambda made: forget_people(made, visits, links, knocks))
            # After the commit no cookie of theirs opens anything, so that no further layout comes.
            await forget_overlays(self._server, self._names, visits)
            await self._following.forget_changes()
        finally:
            self._rewriting.begin()

    async def rules_in_force(self) -> RulesInForce | None:
        self._check_open()
        return self._following.current.rules

    async def put_rules_in_force(self, rules: RulesInForce) -> None:
        await self._commit(lambda made: draft.put_rules(made, rules))

    async def add_api_token(self, token: ApiToken, *, limit: int, at: float) -> None:
        await self._commit(lambda made: draft.add_api_token(made, token, limit, at))

    async def change_api_token(self, id: str, **fields: Any) -> ApiToken:
        return await self._commit(lambda made: draft.change(made, ApiToken, id, fields))

    async def ask_once(self, asked: AskedOnce, *, since: float, limit: int) -> None:
        await self._commit(lambda made: draft.ask_once(made, asked, since, limit))

    async def answer_once(self, id: str, answer: bytes, *, total: int) -> None:
        await self._commit(lambda made: draft.answer_once(made, id, answer, total))

    async def unask(self, id: str) -> None:
        await self._commit(lambda made: draft.unask(made, id))

    def tally(self, *, now: Callable[[], float], pace: Callable[[], float]) -> Tally:
        """Of all gates. `now` is the time of day."""
        return RedisTally(self._server, self._names, self._content_box, now)

    # -- what visitors say ----------------------------------------------------------------------------------------

    async def add_report(self, report: Report, *, per_share: int, overall: int) -> bool:
        return await self._commit(lambda made: draft.add_report(made, report, per_share, overall))

    async def change_report(self, id: str, *, was: Mapping[str, Any] | None = None, **fields: Any) -> Report:
        return await self._commit(lambda made: draft.change_report(made, id, fields, was or {}))

    async def add_time_ask(self, ask: TimeAsk, *, limit: int) -> None:
        await self._commit(lambda made: draft.add_time_ask(made, ask, limit))

    async def change_time_ask(self, id: str, *, was: Mapping[str, Any] | None = None, **fields: Any) -> TimeAsk:
        return await self._commit(lambda made: draft.change_time_ask(made, id, fields, was or {}))

    # -- servers --------------------------------------------------------------------------------------------------

    async def upstreams(self) -> list[Upstream]:
        return list(self._mirror.upstreams.values())

    async def put_upstream(self, upstream: Upstream) -> None:
        sealed = self._box.seal(upstream.token.secret, upstream=upstream.id, url=upstream.url)
        plain = read_back(msgspec.structs.replace(upstream, token=Credential("")))
        whole = msgspec.structs.replace(plain, token=upstream.token)
        await self._commit(lambda made: draft.put_upstream(made, whole, sealed))

    async def remove_upstream(self, id: str) -> None:
        """Raises NotFound."""
        await self._commit(lambda made: draft.remove_upstream(made, id))

    # -- trail ----------------------------------------------------------------------------------------------------

    async def append(self, events: list[Sealed]) -> None:
        """Raises ValueError when an event does not follow the last one of its writer."""
        self._writable()
        await self._trail.append(events)

    async def head(self, writer: str) -> tuple[int, str]:
        self._check_open()
        return await self._trail.head(writer)

    async def read(self, query: Query) -> list[Sealed]:
        self._check_open()
        return await self._trail.read(query)

    async def page(self, query: Query, after: Mark | None = None, *, looks: int = LOOKS) -> Page:
        """Raises NotFound when there is no entry `after`."""
        self._check_open()
        return await self._trail.page(query, after, looks=looks)

    async def held(self, moments: tuple[float, ...]) -> Held:
        self._check_open()
        return await self._trail.held(moments)

    async def writers(self) -> list[str]:
        self._check_open()
        return await self._trail.writers()

    async def erase(self, query: Query) -> int:
        """Blank the personal values of the events that fit; the chain still verifies. Returns how many."""
        self._writable()
        return await self._trail.erase(query)

    async def erase_events(self, writer: str, seqs: list[int]) -> int:
        """Blank the personal values of exactly these events of a writer; returns how many held something."""
        self._writable()
        if not seqs:
            return 0
        await self._rewriting.owe()
        try:
            return await self._trail.erase_events(writer, seqs)
        finally:
            self._rewriting.begin()

    # -- versions -------------------------------------------------------------------------------------------------

    async def keep_version(self, snapshot: Snapshot, content: bytes, *, limits: Limits) -> Snapshot:
        self._writable()
        name = await maybe_threaded(len(content), lambda: self._content_box.name(content, upstream=snapshot.upstream))
        sealed = await maybe_threaded(len(content), lambda: self._content_box.seal(content, place=place_of(name)))
        named = read_back(msgspec.structs.replace(snapshot, digest=name, size=len(content)))
        return await self._shelves.keep(named, sealed, limits)

    async def name_version(self, id: str) -> None:
        self._writable()
        await self._shelves.name(id)

    async def version(self, id: str) -> Snapshot | None:
        self._check_open()
        return await self._shelves.find(id)

    async def versions(self, *, upstream: str = "", path: str = "", file: str = "", limit: int = 0) -> list[Snapshot]:
        self._check_open()
        return await self._shelves.listed(upstream, path, file, limit)

    async def version_content(self, id: str) -> bytes:
        self._check_open()
        name, sealed = await self._shelves.content(id)
        return await maybe_threaded(len(sealed), lambda: self._content_box.open(sealed, place=place_of(name)))

    async def thin_versions(self, now: float, *, limits: Limits) -> int:
        self._writable()
        gone = await self._shelves.thin(now, limits)
        await self._edits.thin(now, limits)
        return gone

    async def add_authorship(self, entries: Sequence[Authorship]) -> None:
        self._writable()
        await self._edits.add_authors(entries)

    async def authorship(self, upstream: str, file: str) -> list[Authorship]:
        self._check_open()
        return await self._edits.authors(upstream, file)

    async def append_edits(self, place: Place, edits: Sequence[Edit], *, limit: int) -> None:
        self._writable()

        def seal() -> list[tuple[Edit, bytes]]:
            return [(edit, self._content_box.seal(edit.data, place=entry_place(place, edit))) for edit in edits]

        sealed = await maybe_threaded(sum(len(edit.data) for edit in edits), seal)
        await self._edits.append(place, sealed, limit)

    async def edits(self, place: Place) -> list[Edit]:
        self._check_open()
        found = await self._edits.edits(place)

        def opened() -> list[Edit]:
            return [
                msgspec.structs.replace(edit, data=self._content_box.open(edit.data, place=entry_place(place, edit)))
                for edit in found
            ]

        return await maybe_threaded(sum(len(edit.data) for edit in found), opened)

    async def edited_by(self, origin: str) -> list[Place]:
        self._check_open()
        return await self._edits.edited_by(origin)

    async def logs_of(self, upstream: str, file: str) -> list[Place]:
        self._check_open()
        return await self._edits.logs_of(upstream, file)

    # -- keeping --------------------------------------------------------------------------------------------------

    async def prune(self, now: float) -> Pruned:
        """Forget what nobody needs any more; retention.py has the periods. The trail is not touched."""
        pruned = await self._commit(lambda made: prune_records(made, now))
        if pruned.knocks or pruned.visits:
            await self._following.forget_changes()
        overlays = await prune_overlays(self._server, self._names, self._mirror, now)
        return Pruned(pruned.codes, overlays, pruned.knocks, pruned.visits, pruned.tokens)

    async def ready(self) -> None:
        """Looks whether the server would still keep what it acknowledges, and writes. Raises StoreUnavailable."""
        self._check_open()
        await self._following.look()
        await self._commit(lambda _: None)
        await self._server.ask("HINCRBY", self._names.meta, "beat", 1)
        _ = self._mirror

    async def check(self) -> list[str]:
        """What is wrong with what is stored, one sentence each; reading it all anew is part of it. Raises
        StoreUnavailable when it cannot be read."""
        self._check_open()
        await self._following.look()
        await self._following.load()
        return await fitness.faults(self._server, self._names)

    async def close(self) -> None:
        """Finish what was asked before, then let go. Idempotent."""
        if self._closed:
            return
        self._closed = True
        await self._committing.close()
        await self._rewriting.stop()
        await self._trail.completing.stop()
        await self._following.stop()
        await lease.release(self._server, self._lease)
        await self._server.close()
        self._lock.release()

    # -- parts ----------------------------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailable("the store is closed")

    def _writable(self) -> None:
        """What goes past the committing writer asks here whether it would last."""
        self._check_open()
        self._following.check()

    async def _commit(self, decision: Decision[T]) -> T:
        return await self._committing.run(decision)

    def _committed(self, written: list[Written]) -> None:
        loop = asyncio.get_running_loop()
        for one in written:
            for listener in list(self._listeners.values()):
                try:
                    listener(Change(one.kind, one.id))
                except Exception as error:  # fails closed for the others: they must learn of a revocation all the same
                    loop.call_exception_handler({"message": "a listener to the store failed", "exception": error})

    def __repr__(self) -> str:
        return f"<RedisStore {self.place}>"
