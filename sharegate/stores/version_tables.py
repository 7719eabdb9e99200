"""The tables of versions: snapshots and their contents, authors of cells, logs of changes. Sealed by the caller.

Each writing function is called inside a transaction and a savepoint; what it raises undoes what it wrote.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from sharegate.errors import AccountFull, NotFound, StoreUnavailable
from sharegate.versions.model import Authorship, Edit, EditKind, Limits, Place, Snapshot
from sharegate.versions.retention import DAY, oldest_first, thinned

_LOG = "upstream = ? AND file = ? AND epoch = ?"
# What an entry of a log takes besides its data.
_ENTRY_BYTES = 64


# -- snapshots --------------------------------------------------------------------------------------------------------


def keep(connection: sqlite3.Connection, snapshot: Snapshot, sealed: bytes, limits: Limits) -> Snapshot:
    """`snapshot.digest` names the content. Raises StoreUnavailable when the server's limit leaves no room, AccountFull
    when the visit's or link's part of it does not."""
    known = connection.execute("SELECT size FROM contents WHERE name = ?", (snapshot.digest,)).fetchone()
    stored = known[0] if known else len(sealed)
    if known is None:
        connection.execute(
            "INSERT INTO contents (name, upstream, size, data) VALUES (?, ?, ?, ?)",
            (snapshot.digest, snapshot.upstream, stored, sealed),
        )
    snapshot = msgspec.structs.replace(snapshot, stored=stored)
    connection.execute(
        "INSERT INTO versions (id, upstream, path, file, taken, content, body) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            snapshot.id,
            snapshot.upstream,
            snapshot.path,
            snapshot.file,
            snapshot.taken,
            snapshot.digest,
            msgspec.json.encode(snapshot).decode(),
        ),
    )
    # The others of the server are thinned once an hour, and when they have to make room.
    _forget(connection, thinned(listed(connection, snapshot.upstream, snapshot.path, 0), snapshot.taken, limits))
    if _stored(connection, snapshot.upstream) > limits.bytes:
        _thin(connection, snapshot.upstream, snapshot.taken, limits)
    if _stored(connection, snapshot.upstream) > limits.bytes:
        raise StoreUnavailable("what may not be forgotten fills all the room there is: raise versions_megabytes")
    _check_account(connection, snapshot, limits)
    return snapshot


def _check_account(connection: sqlite3.Connection, snapshot: Snapshot, limits: Limits) -> None:
    """Nothing of an account is forgotten to make room for more of it: it may be others' work."""
    for kind, whose, most in (
        ("visit", snapshot.visit, limits.visit_bytes),
        ("link", snapshot.link, limits.link_bytes),
    ):
        if not whose:
            continue
        total, count = connection.execute(
            "SELECT coalesce(sum(size), 0), count(*) FROM contents WHERE name IN (SELECT content FROM versions"
            " WHERE upstream = ? AND json_extract(body, ?) = ?)",
            (snapshot.upstream, f"$.{kind}", whose),
        ).fetchone()
        # One document is kept, however large it is.
        if count > 1 and total > most:
            raise AccountFull(f"what is kept on one {kind}'s account fills its part of versions_megabytes")


def name(connection: sqlite3.Connection, id: str) -> None:
    """An alarm names it. One that is gone is not missed: the alarm does without."""
    connection.execute("UPDATE versions SET body = json_set(body, '$.named', json('true')) WHERE id = ?", (id,))


def find(connection: sqlite3.Connection, id: str) -> Snapshot | None:
    """The one whose id begins with `id`; None when there is none or more than one."""
    rows = connection.execute(
        "SELECT body FROM versions WHERE substr(id, 1, ?) = ? ORDER BY id = ? DESC LIMIT 2", (len(id), id, id)
    ).fetchall()
    found = [_snapshot(body) for (body,) in rows]
    if not found or not id or (len(found) > 1 and found[0].id != id):
        return None
    return found[0]


def listed(connection: sqlite3.Connection, upstream: str, path: str, limit: int, *, file: str = "") -> list[Snapshot]:
    rows = connection.execute(
        "SELECT body FROM versions WHERE (?1 = '' OR upstream = ?1)"
        " AND (?2 = '' OR path = ?2 OR (?4 != '' AND file = ?4)) ORDER BY taken DESC, id DESC LIMIT ?3",
        (upstream, path, limit or -1, file),
    )
    return [_snapshot(body) for (body,) in rows]


def content(connection: sqlite3.Connection, id: str) -> tuple[str, bytes]:
    """Name and sealed content. Raises NotFound."""
    row = connection.execute(
        "SELECT contents.name, contents.data FROM versions JOIN contents ON contents.name = versions.content"
        " WHERE versions.id = ?",
        (id,),
    ).fetchone()
    if row is None:
        raise NotFound("version", id)
    return row[0], row[1]


def thin(connection: sqlite3.Connection, now: float, limits: Limits) -> int:
    upstreams = connection.execute("SELECT upstream FROM versions UNION SELECT upstream FROM edits").fetchall()
    gone = sum(_thin(connection, upstream, now, limits) for (upstream,) in upstreams)
    _thin_logs(connection, now, limits)
    connection.execute("DELETE FROM authors WHERE last < ?", (now - limits.days * DAY,))
    return gone


def _thin(connection: sqlite3.Connection, upstream: str, now: float, limits: Limits) -> int:
    snapshots = listed(connection, upstream, "", 0)
    gone = thinned(snapshots, now, limits)
    _forget(connection, gone)
    went = set(gone)
    for one in oldest_first([one for one in snapshots if one.id not in went], now, limits):
        if _stored(connection, upstream) <= limits.bytes:
            break
        _forget(connection, [one.id])
        gone.append(one.id)
    return len(gone)


def _forget(connection: sqlite3.Connection, ids: Sequence[str]) -> None:
    for id in ids:
        row = connection.execute("DELETE FROM versions WHERE id = ? RETURNING content", (id,)).fetchone()
        if row is not None:
            connection.execute(
                "DELETE FROM contents WHERE name = ?1 AND NOT EXISTS (SELECT 1 FROM versions WHERE content = ?1)", row
            )


def _stored(connection: sqlite3.Connection, upstream: str) -> int:
    (size,) = connection.execute(
        "SELECT coalesce(sum(size), 0) FROM contents WHERE upstream = ?", (upstream,)
    ).fetchone()
    return int(size)


def _snapshot(body: str) -> Snapshot:
    return msgspec.json.decode(body, type=Snapshot)


# -- authors ----------------------------------------------------------------------------------------------------------


def add_authors(connection: sqlite3.Connection, entries: Sequence[Authorship]) -> None:
    connection.executemany(
        "INSERT INTO authors (upstream, file, cell, visit, first, last, inserted, deleted)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET first = min(first, excluded.first),"
        " last = max(last, excluded.last), inserted = inserted + excluded.inserted,"
        " deleted = deleted + excluded.deleted",
        [msgspec.structs.astuple(one) for one in entries],
    )


def authors(connection: sqlite3.Connection, upstream: str, file: str) -> list[Authorship]:
    rows = connection.execute(
        "SELECT upstream, file, cell, visit, first, last, inserted, deleted FROM authors"
        " WHERE upstream = ? AND file = ? ORDER BY first, cell, visit",
        (upstream, file),
    )
    return [
        Authorship(
            upstream=row[0],
            file=row[1],
            cell=row[2],
            visit=row[3],
            first=row[4],
            last=row[5],
            inserted=row[6],
            deleted=row[7],
        )
        for row in rows
    ]


# -- logs -------------------------------------------------------------------------------------------------------------


def append_edits(connection: sqlite3.Connection, place: Place, edits: Sequence[tuple[Edit, bytes]], limit: int) -> None:
    """`edits` come with their sealed data. Raises ValueError for a log that would not begin with a STATE."""
    log = (place.upstream, place.file, place.epoch)
    (last,) = connection.execute(f"SELECT max(seq) FROM edits WHERE {_LOG}", log).fetchone()  # noqa: S608 -- our own names
    if last is None and (not edits or edits[0][0].kind is not EditKind.STATE):
        raise ValueError("a log of changes begins with a whole document")
    connection.executemany(
        "INSERT INTO edits (upstream, file, epoch, seq, path, kind, origin, at, data)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (*log, seq, place.path, edit.kind.value, edit.origin, edit.at, sealed)
            for seq, (edit, sealed) in enumerate(edits, (last or 0) + 1)
        ],
    )
    _cut(connection, log, limit)


def edits(connection: sqlite3.Connection, place: Place) -> list[Edit]:
    """In order, with sealed data."""
    rows = connection.execute(
        f"SELECT kind, at, origin, data FROM edits WHERE {_LOG} ORDER BY seq",  # noqa: S608 -- our own names
        (place.upstream, place.file, place.epoch),
    )
    return [Edit(kind=EditKind(kind), at=at, origin=origin, data=data) for kind, at, origin, data in rows]


def edited_by(connection: sqlite3.Connection, origin: str) -> list[Place]:
    rows = connection.execute(
        "SELECT upstream, file, epoch, path, max(at) FROM edits WHERE origin = ? AND origin != '' AND kind = ?"
        " GROUP BY upstream, file, epoch ORDER BY max(at) DESC, file",
        (origin, EditKind.UPDATE.value),
    )
    return [Place(upstream, file, epoch, path) for upstream, file, epoch, path, _ in rows]


def logs_of(connection: sqlite3.Connection, upstream: str, file: str) -> list[Place]:
    rows = connection.execute(
        "SELECT epoch, path FROM edits WHERE upstream = ? AND file = ? GROUP BY epoch ORDER BY min(at), epoch",
        (upstream, file),
    )
    return [Place(upstream, file, epoch, path) for epoch, path in rows]


def _cut(connection: sqlite3.Connection, log: tuple[str, str, str], limit: int) -> None:
    """Drop whole parts from the front (each begins with a STATE) until the rest fits; never the last part."""
    size, _ = _log_size(connection, log)
    starts = connection.execute(
        f"SELECT seq FROM edits WHERE {_LOG} AND kind = ? ORDER BY seq",  # noqa: S608 -- our own names
        (*log, EditKind.STATE.value),
    ).fetchall()
    for (start,) in starts[1:]:
        if size <= limit:
            break
        connection.execute(f"DELETE FROM edits WHERE {_LOG} AND seq < ?", (*log, start))  # noqa: S608 -- our own names
        size, _ = _log_size(connection, log)


def _log_size(connection: sqlite3.Connection, log: tuple[str, str, str]) -> tuple[int, float]:
    size, last = connection.execute(
        f"SELECT coalesce(sum(length(data) + {_ENTRY_BYTES}), 0), coalesce(max(at), 0) FROM edits WHERE {_LOG}",  # noqa: S608 -- our own names
        log,
    ).fetchone()
    return int(size), float(last)


def _thin_logs(connection: sqlite3.Connection, now: float, limits: Limits) -> None:
    """A log that nobody wrote in for `days` goes; so do the oldest of a server whose logs take more than its limit."""
    logs = connection.execute("SELECT DISTINCT upstream, file, epoch FROM edits").fetchall()
    sizes = {log: _log_size(connection, log) for log in logs}
    total: dict[str, int] = {}
    for log in sorted(sizes, key=lambda log: sizes[log][1], reverse=True):
        size, last = sizes[log]
        total[log[0]] = total.get(log[0], 0) + size
        if last < now - limits.days * DAY or total[log[0]] > limits.bytes:
            connection.execute(f"DELETE FROM edits WHERE {_LOG}", log)  # noqa: S608 -- our own names
