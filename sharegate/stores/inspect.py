"""A look at a store's file from outside: whether it is sound, what it holds, how large it is. Changes nothing.

It reads the store of one moment, beside a gate that goes on writing, and also a file that no gate would open.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from sharegate.audit.interfaces import Sealed
from sharegate.errors import NotFound, StoreUnavailable
from sharegate.shares.api_tokens import ApiToken, AskedOnce
from sharegate.shares.model import DeviceCode, Knock, Link, MailCode, Share, Visit
from sharegate.shares.more_time import TimeAsk
from sharegate.shares.reports import Report
from sharegate.stores import trail_table
from sharegate.stores.crypt import ContentBox, CredentialBox
from sharegate.stores.schema import APPLICATION_ID, format_of
from sharegate.stores.version_store import entry_place, place_of
from sharegate.upstream.model import Upstream
from sharegate.versions.model import Edit, EditKind, Place, Snapshot

S = TypeVar("S", bound=msgspec.Struct)
Step = Callable[[str, int, int], None]
_MOST_FAULTS = 20
_RECORDS: tuple[tuple[str, type[msgspec.Struct]], ...] = (
    ("shares", Share),
    ("links", Link),
    ("visits", Visit),
    ("knocks", Knock),
    ("device_codes", DeviceCode),
    ("api_tokens", ApiToken),
    ("asked_once", AskedOnce),
    ("reports", Report),
    ("time_asks", TimeAsk),
    ("mail_codes", MailCode),
    ("upstreams", Upstream),
    ("versions", Snapshot),
)
# (rows that name something, what they are called, what they name): each must be there.
_REFERENCES = (
    ("SELECT links.id FROM links LEFT JOIN shares ON shares.id = links.share WHERE shares.id IS NULL", "link", "share"),
    ("SELECT visits.id FROM visits LEFT JOIN links ON links.id = visits.link WHERE links.id IS NULL", "visit", "link"),
    ("SELECT knocks.id FROM knocks LEFT JOIN links ON links.id = knocks.link WHERE links.id IS NULL", "knock", "link"),
    ("SELECT visit FROM overlays WHERE visit NOT IN (SELECT id FROM visits)", "layout of visit", "visit"),
    ("SELECT id FROM versions WHERE content NOT IN (SELECT name FROM contents)", "version", "content"),
    ("SELECT name FROM contents WHERE name NOT IN (SELECT content FROM versions)", "content", "version"),
)


class Inspection:
    """One store's file, opened for reading. Use as a context manager; raises NotFound and StoreUnavailable."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __enter__(self) -> Inspection:
        if not self._file.is_file():
            raise NotFound("store", str(self._file))
        try:
            self._connection = _opened(self._file)
        except sqlite3.Error as error:
            raise StoreUnavailable(f"the store {self._file} cannot be read: {error}") from error
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()

    def format(self) -> int:
        """Raises StoreUnavailable for a file of another program, and for one that is none of SQLite's."""
        try:
            (owner,) = self._connection.execute("PRAGMA application_id").fetchone()
            version = format_of(self._connection)
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{self._file} is no readable store: {error}") from error
        if owner != APPLICATION_ID:
            raise StoreUnavailable(f"{self._file} is not a store of sharegate")
        return version

    def faults(self, key: bytes | None, step: Step) -> list[str]:
        """What is wrong, in words, at most 20 of each kind; without `key` sealed values are not opened."""
        found: list[str] = []
        checks: list[tuple[str, Callable[[], Iterator[str]]]] = [
            ("file", self._pages),
            ("records", self._records),
            ("references", self._references),
        ]
        if key is not None:
            checks += [
                ("servers' tokens", lambda: self._credentials(CredentialBox(key))),
                ("kept versions", lambda: self._contents(ContentBox(key))),
                ("kept changes", lambda: self._edits(ContentBox(key))),
            ]
        for number, (name, check) in enumerate(checks):
            step(name, number, len(checks))
            try:
                for at, fault in enumerate(check()):
                    if at == _MOST_FAULTS:
                        found.append(f"{name}: and more")
                        break
                    found.append(fault)
            except sqlite3.Error as error:
                found.append(f"{name} cannot be read: {error}")
        return found

    def file_faults(self) -> list[str]:
        """Only what the file itself tells."""
        try:
            return list(self._pages())
        except sqlite3.Error as error:
            return [f"the file cannot be read: {error}"]

    def events(self) -> Iterator[Sealed]:
        """The trail, each writer's entries in order. Raises StoreUnavailable."""
        try:
            yield from trail_table.each(self._connection)
        except sqlite3.Error as error:
            raise StoreUnavailable(f"the history cannot be read: {error}") from error

    def roots(self) -> list[tuple[str, Path]]:
        """What unrevoked shares show of this computer's disk: (share, path). A damaged record shows nothing."""
        shares, servers = self._whole("shares", Share), {each.id: each for each in self._whole("upstreams", Upstream)}
        return [
            (share.id, Path(servers[share.upstream].root_dir, *share.root_path.segments))
            for share in shares
            if share.revoked is None and share.upstream in servers and servers[share.upstream].local
        ]

    def _whole(self, table: str, type: type[S]) -> list[S]:
        found: list[S] = []
        with contextlib.suppress(sqlite3.Error):
            for (body,) in self._connection.execute(f"SELECT body FROM {table}"):  # noqa: S608 -- our own names
                with contextlib.suppress(msgspec.DecodeError, TypeError):  # fails open: who reads it has it checked too
                    found.append(msgspec.json.decode(body, type=type))
        return found

    def counts(self) -> dict[str, int]:
        names = ("shares", "links", "visits", "knocks", "upstreams", "trail", "versions", "edits")
        with contextlib.suppress(sqlite3.Error):
            return {
                name: int(self._connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0])  # noqa: S608 -- our own names
                for name in names
            }
        return {}

    def sizes(self) -> dict[str, int]:
        """Bytes: of the file, of its log, and free on its disk."""
        log = self._file.with_name(self._file.name + "-wal")
        return {
            "file": self._file.stat().st_size,
            "log": log.stat().st_size if log.exists() else 0,
            "free": shutil.disk_usage(self._file.parent).free,
        }

    # -- checks ---------------------------------------------------------------------------------------------------

    def _pages(self) -> Iterator[str]:
        for (text,) in self._connection.execute(f"PRAGMA integrity_check({_MOST_FAULTS})"):
            if text != "ok":
                yield f"the file is damaged: {text}"

    def _records(self) -> Iterator[str]:
        for table, type in _RECORDS:
            name = "code_hash" if table == "device_codes" else "id"
            for id, body in self._connection.execute(f"SELECT {name}, body FROM {table}"):  # noqa: S608 -- our own names
                try:
                    record = msgspec.json.decode(body, type=type)
                except (msgspec.DecodeError, TypeError) as error:
                    yield f"{table}: the record {id} is damaged: {error}"
                    continue
                if getattr(record, name) != id:
                    yield f"{table}: the record {id} holds another one"

    def _references(self) -> Iterator[str]:
        for sql, what, missing in _REFERENCES:
            for (id,) in self._connection.execute(sql):
                yield f"{what} {id}: its {missing} is missing"

    def _credentials(self, box: CredentialBox) -> Iterator[str]:
        for id, body, token in self._connection.execute("SELECT id, body, token FROM upstreams"):
            try:
                upstream = msgspec.json.decode(body, type=Upstream)
                box.open(_bytes(token), upstream=upstream.id, url=upstream.url)
            except (msgspec.DecodeError, TypeError, StoreUnavailable):
                yield f"the token of server {id} does not open: another key, or an altered store"

    def _contents(self, box: ContentBox) -> Iterator[str]:
        for name, data in self._connection.execute("SELECT name, data FROM contents"):
            try:
                box.open(_bytes(data), place=place_of(name))
            except StoreUnavailable:
                yield f"the content {str(name)[:12]} does not open: another key, or an altered store"

    def _edits(self, box: ContentBox) -> Iterator[str]:
        rows = self._connection.execute("SELECT upstream, file, epoch, path, seq, kind, at, origin, data FROM edits")
        for upstream, file, epoch, path, seq, kind, at, origin, data in rows:
            try:
                edit = Edit(kind=EditKind(kind), at=at, origin=origin, data=_bytes(data))
                box.open(edit.data, place=entry_place(Place(upstream, file, epoch, path), edit))
            except (StoreUnavailable, ValueError):
                yield f"change {seq} of {path} does not open: another key, or an altered store"


def _opened(file: Path) -> sqlite3.Connection:
    name = "file:" + quote(str(file))
    try:
        connection = _connected(name + "?mode=ro")
        connection.execute("PRAGMA schema_version").fetchone()
    except sqlite3.OperationalError:
        # On a disk that cannot be written SQLite can make no index of the log; without a log it needs none.
        log = file.with_name(file.name + "-wal")
        if log.exists() and log.stat().st_size:
            raise
        connection = _connected(name + "?mode=ro&immutable=1")
    connection.execute("BEGIN")
    return connection


def _connected(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    # An altered text must be readable for its fault to be told.
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    return connection


def _bytes(value: Any) -> bytes:
    # Whoever altered the file may have altered the value's type.
    return value if isinstance(value, bytes) else b""


def copy_of(file: Path, copy: Callable[[sqlite3.Connection], None]) -> None:
    """Hand a reading connection to whoever copies the file. Raises NotFound, StoreUnavailable."""
    if not file.is_file():
        raise NotFound("store", str(file))
    try:
        connection = sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True, isolation_level=None)
        connection.execute("PRAGMA schema_version").fetchone()
    except sqlite3.Error as error:
        raise StoreUnavailable(f"the store {file} cannot be read: {error}") from error
    with contextlib.closing(connection):
        copy(connection)
