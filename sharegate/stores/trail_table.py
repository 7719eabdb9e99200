"""The trail's table: appended to, read by filters, and blanked where retention says so. Never changed otherwise."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from typing import Any

from sharegate.audit.interfaces import Held, Query, Sealed
from sharegate.stores.trail_indexes import NOTABLE, ROUTINE

_COLUMNS = "writer, seq, previous, digest, body, personal"


def append(connection: sqlite3.Connection, events: list[Sealed]) -> None:
    """Raises ValueError when an event does not follow the last one of its writer."""
    heads: dict[str, tuple[int, str]] = {}
    for event in events:
        last = heads.get(event.writer) or head(connection, event.writer)
        if (event.seq, event.previous) != (last[0] + 1, last[1]):
            raise ValueError(f"event {event.seq} of {event.writer} does not follow event {last[0]}")
        heads[event.writer] = (event.seq, event.digest)
    connection.executemany(
        f"INSERT INTO trail ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",  # noqa: S608 -- our own names
        [(one.writer, one.seq, one.previous, one.digest, one.body.decode(), one.personal) for one in events],
    )


def head(connection: sqlite3.Connection, writer: str) -> tuple[int, str]:
    row = connection.execute(
        "SELECT seq, digest FROM trail WHERE writer = ? ORDER BY seq DESC LIMIT 1", (writer,)
    ).fetchone()
    return (row[0], row[1]) if row is not None else (0, "")


def read(connection: sqlite3.Connection, query: Query) -> list[Sealed]:
    where, values = _where(query)
    order = "at DESC, rowid DESC" if query.newest_first else "writer, seq"
    columns = "writer, seq, previous, digest, CAST(body AS BLOB), CAST(personal AS BLOB)"
    sql = f"SELECT {columns} FROM trail WHERE {where} ORDER BY {order}"  # noqa: S608 -- our own names
    if query.limit:
        sql += " LIMIT ?"
        values.append(query.limit)
    return [sealed(row) for row in connection.execute(sql, values)]


def each(connection: sqlite3.Connection) -> Iterator[Sealed]:
    """All of it, without holding it in memory: each writer's events in order."""
    columns = "writer, seq, previous, digest, CAST(body AS BLOB), CAST(personal AS BLOB)"
    for row in connection.execute(f"SELECT {columns} FROM trail ORDER BY writer, seq"):  # noqa: S608 -- our own names
        yield sealed(row)


def writers(connection: sqlite3.Connection) -> list[str]:
    # From one to the next, however many entries each has.
    return [
        row[0]
        for row in connection.execute(
            "WITH RECURSIVE each (writer) AS (SELECT min(writer) FROM trail UNION ALL SELECT (SELECT min(trail.writer)"
            " FROM trail WHERE trail.writer > each.writer) FROM each WHERE each.writer IS NOT NULL)"
            " SELECT writer FROM each WHERE writer IS NOT NULL"
        )
    ]


def held(connection: sqlite3.Connection, moments: tuple[float, ...]) -> Held:
    """What is left to be blanked, counted along its index."""
    (entries,) = connection.execute("SELECT count(*) FROM trail WHERE personal != x''").fetchone()
    first = connection.execute(
        "SELECT at FROM trail WHERE personal != x'' AND at IS NOT NULL ORDER BY at LIMIT 1"
    ).fetchone()
    older = "SELECT count(*) FROM trail WHERE personal != x'' AND at < ?"
    counts = tuple(int(connection.execute(older, (moment,)).fetchone()[0]) for moment in moments)
    return Held(entries, first[0] if first and isinstance(first[0], float) else None, counts)


def erase(connection: sqlite3.Connection, query: Query, most: int) -> int:
    """Of at most so many events: there may be more when it returns as many."""
    where, values = _where(query)
    fitting = f"SELECT rowid FROM trail WHERE personal != x'' AND {where} LIMIT ?"  # noqa: S608 -- our own names
    return connection.execute(
        f"UPDATE trail SET personal = x'' WHERE rowid IN ({fitting})",  # noqa: S608 -- our own names
        [*values, most],
    ).rowcount


def erase_events(connection: sqlite3.Connection, writer: str, seqs: list[int]) -> int:
    erased = connection.executemany(
        "UPDATE trail SET personal = x'' WHERE personal != x'' AND writer = ? AND seq = ?",
        [(writer, seq) for seq in seqs],
    )
    return max(erased.rowcount, 0)


def _where(query: Query) -> tuple[str, list[Any]]:
    parts, values = conditions(query)
    if query.action and query.action not in ROUTINE:
        parts.append(NOTABLE)  # says which index may be used
    return " AND ".join(["1", *parts]), values


def conditions(query: Query, *, without: Collection[str] = ()) -> tuple[list[str], list[Any]]:
    """What a filter asks of an entry, but for these of its fields, and the values for it."""
    parts: list[str] = []
    values: list[Any] = []
    for column in ("writer", "share", "link", "visit", "person", "reason", "action", "outcome"):
        wanted = getattr(query, column)
        if wanted and column not in without:
            parts.append(f"{column} = ?")
            values.append(str(wanted))
    if query.path:
        # Whole segments, and no LIKE: a path may hold its wildcards.
        below = query.path.rstrip("/") + "/"
        parts.append("(path = ? OR substr(path, 1, ?) = ?)")
        values += [query.path.rstrip("/"), len(below), below]
    for field, condition in (("since", "at >= ?"), ("until", "at < ?"), ("after_seq", "seq > ?")):
        if getattr(query, field) and field not in without:
            parts.append(condition)
            values.append(getattr(query, field))
    return parts, values


def sealed(row: tuple[Any, ...]) -> Sealed:
    writer, seq, previous, digest, body, personal = row
    # Whoever altered the file may have altered a value's type too; `verify` is to say so, not to stumble.
    return Sealed(
        writer=str(writer),
        seq=seq if isinstance(seq, int) else 0,
        previous=str(previous),
        digest=str(digest),
        body=body or b"",
        personal=personal or b"",
    )
