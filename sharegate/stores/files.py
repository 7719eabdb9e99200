"""Opening the file: private to its user, in the modes that durability needs, its records read into memory."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from sharegate.errors import Refused, StoreUnavailable
from sharegate.shares.api_tokens import ApiToken, AskedOnce
from sharegate.shares.model import Knock, Link, Share, Visit
from sharegate.shares.more_time import TimeAsk
from sharegate.shares.reports import Report
from sharegate.stores.crypt import CredentialBox
from sharegate.stores.mirror import Mirror
from sharegate.stores.schema import migrate
from sharegate.stores.writer import Written
from sharegate.upstream.model import Credential, Upstream

R = TypeVar("R", bound=msgspec.Struct)

# Longer than another program's short transaction (a backup's), shorter than a visitor's patience.
BUSY_MS = 400
_WAL_BYTES = 16 << 20


def private(file: Path) -> None:
    """Make directory (0700) and file (0600). Raises Refused(`store_exposed`) where others could replace the file."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = os.stat(file.parent)
    if stat.S_IMODE(found.st_mode) & 0o022:
        raise Refused(
            "store_exposed",
            f"other users of this computer may write in {file.parent}",
            f"Run: chmod 700 {file.parent}",
        )
    # SQLite gives the -wal and -shm files the mode of this one.
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o077:
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def connect(file: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection in the store's modes, migrated unless `read_only`. Raises sqlite3.Error, Refused."""
    # Threads take turns: each connection belongs to one thread once the store is open.
    connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False, timeout=BUSY_MS / 1000)
    try:
        if read_only:
            connection.execute("PRAGMA query_only = ON")
            # An altered text must be readable for `audit verify` to find it.
            connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
            connection.execute("SELECT count FROM beat").fetchone()  # opens file and log now, not at the first question
            return connection
        for pragma in (
            "synchronous = FULL",
            "fullfsync = ON",  # macOS: fsync alone does not reach the disk
            "secure_delete = ON",  # what retention erases is overwritten
            f"journal_size_limit = {_WAL_BYTES}",
        ):
            connection.execute(f"PRAGMA {pragma}")
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise StoreUnavailable(f"the file system of {file} cannot keep the store: no write-ahead log ({mode})")
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def load(connection: sqlite3.Connection, box: CredentialBox) -> Mirror:
    """All records, oldest first. Raises StoreUnavailable for one that does not read or a credential that does not
    open: a gate that had forgotten a revocation would be worse than none."""
    written: list[Written] = []
    for type, kind, table in (
        (Share, "share", "shares"),
        (Link, "link", "links"),
        (Visit, "visit", "visits"),
        (Knock, "knock", "knocks"),
        (ApiToken, "token", "api_tokens"),
        (AskedOnce, "asked", "asked_once"),
        (Report, "report", "reports"),
        (TimeAsk, "time", "time_asks"),
    ):
        for id, body in connection.execute(f"SELECT id, body FROM {table} ORDER BY rowid"):  # noqa: S608 -- our own names
            written.append(Written(kind, id, _decoded(type, kind, id, body)))
    for id, body, token in connection.execute("SELECT id, body, token FROM upstreams ORDER BY rowid"):
        upstream = _decoded(Upstream, "server", id, body)
        secret = Credential(box.open(token, upstream=upstream.id, url=upstream.url))
        written.append(Written("upstream", id, msgspec.structs.replace(upstream, token=secret)))
    mirror = Mirror()
    mirror.apply(written)
    return mirror


def _decoded(type: type[R], kind: str, id: str, body: Any) -> R:
    try:
        record = msgspec.json.decode(body, type=type)
    except (msgspec.DecodeError, TypeError) as error:  # fails closed
        raise StoreUnavailable(f"the stored {kind} {id} is damaged: {error}") from error
    if getattr(record, "id", None) != id:
        raise StoreUnavailable(f"the stored {kind} {id} is damaged: it holds another one")
    return record
