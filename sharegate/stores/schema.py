"""The tables, as numbered steps. `PRAGMA user_version` says how many have been applied.

A record is its JSON (`body`) plus the columns that uniqueness and look-ups need. A step that was released is never
edited: a change is a new step.
"""

from __future__ import annotations

import sqlite3

from sharegate.errors import Refused
from sharegate.stores import trail_indexes

# "sgat": tells our files from other programs' databases.
APPLICATION_ID = 0x73676174


def _from_body(field: str, kind: str, usual: str = "NULL") -> str:
    # Computed from the body that the chain's hash covers, so that a filter cannot be made to miss an event by altering
    # a column beside it. A body that is no JSON (altered) matches no filter and is found by `audit verify`.
    value = f"coalesce(json_extract(body, '$.{field}'), {usual})"
    return f"{field} {kind} GENERATED ALWAYS AS (CASE WHEN json_valid(body) THEN {value} END)"


# Whose an entry is, by the name that is kept beside it: gone as soon as that is erased, from its index too. What an
# older version wrote has no third part; of that only Latin letters are taken for the same in both cases.
_KEPT = "CAST(personal AS TEXT)"
_PERSON = (
    f"person TEXT GENERATED ALWAYS AS (CASE WHEN json_valid({_KEPT}) THEN"
    f" coalesce(json_extract({_KEPT}, '$.name[2]'), lower(json_extract({_KEPT}, '$.name[1]'))) END)"
)


MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE shares (id TEXT PRIMARY KEY, body TEXT NOT NULL)",
        "CREATE TABLE links (id TEXT PRIMARY KEY, share TEXT NOT NULL, letter TEXT NOT NULL, body TEXT NOT NULL,"
        " UNIQUE (share, letter))",
        "CREATE TABLE visits (id TEXT PRIMARY KEY, share TEXT NOT NULL, link TEXT NOT NULL, number INTEGER NOT NULL,"
        " kind TEXT NOT NULL, came_from TEXT NOT NULL, expires REAL NOT NULL, ended REAL, body TEXT NOT NULL,"
        " UNIQUE (link, number))",
        "CREATE TABLE knocks (id TEXT PRIMARY KEY, link TEXT NOT NULL, state TEXT NOT NULL, created REAL NOT NULL,"
        " body TEXT NOT NULL)",
        "CREATE INDEX knocks_waiting ON knocks (link) WHERE state = 'waiting'",
        "CREATE TABLE device_codes (code_hash TEXT PRIMARY KEY, expires REAL NOT NULL, body TEXT NOT NULL)",
        "CREATE TABLE overlays (visit TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, data BLOB NOT NULL,"
        " PRIMARY KEY (visit, kind, name))",
        "CREATE TABLE upstreams (id TEXT PRIMARY KEY, body TEXT NOT NULL, token BLOB NOT NULL)",
        "CREATE TABLE trail (writer TEXT NOT NULL, seq INTEGER NOT NULL, previous TEXT NOT NULL, digest TEXT NOT NULL,"
        " body TEXT NOT NULL, personal BLOB NOT NULL, "
        + ", ".join(
            [_from_body("at", "REAL"), _from_body("outcome", "TEXT", "'allowed'")]  # the body leaves out what is usual
            + [_from_body(field, "TEXT") for field in ("share", "link", "visit", "path", "reason", "action")]
        )
        + ", PRIMARY KEY (writer, seq))",
        "CREATE INDEX trail_at ON trail (at)",
        "CREATE INDEX trail_share ON trail (share, at) WHERE share IS NOT NULL",
        "CREATE INDEX trail_visit ON trail (visit, at) WHERE visit IS NOT NULL",
        # Against our own mistakes, not against whoever holds the file: that is what the chain is for.
        "CREATE TRIGGER trail_is_kept BEFORE DELETE ON trail BEGIN SELECT raise(ABORT, 'append-only'); END",
        "CREATE TRIGGER trail_is_fixed BEFORE UPDATE ON trail WHEN new.personal != x'' OR new.writer != old.writer"
        " OR new.seq != old.seq OR new.previous != old.previous OR new.digest != old.digest OR new.body != old.body"
        " BEGIN SELECT raise(ABORT, 'append-only'); END",
        "CREATE TABLE beat (id INTEGER PRIMARY KEY CHECK (id = 1), count INTEGER NOT NULL)",
        "INSERT INTO beat VALUES (1, 0)",
    ),
    (
        "CREATE TABLE versions (id TEXT PRIMARY KEY, upstream TEXT NOT NULL, path TEXT NOT NULL, file TEXT NOT NULL,"
        " taken REAL NOT NULL, content TEXT NOT NULL, body TEXT NOT NULL)",
        "CREATE INDEX versions_of ON versions (upstream, path, taken)",
        "CREATE INDEX versions_by_id ON versions (upstream, file, taken) WHERE file != ''",
        "CREATE INDEX versions_with ON versions (content)",
        # Sealed. `size` is what counts against the limit of a server.
        "CREATE TABLE contents (name TEXT PRIMARY KEY, upstream TEXT NOT NULL, size INTEGER NOT NULL,"
        " data BLOB NOT NULL)",
        "CREATE INDEX contents_of ON contents (upstream)",
        "CREATE TABLE authors (upstream TEXT NOT NULL, file TEXT NOT NULL, cell TEXT NOT NULL, visit TEXT NOT NULL,"
        " first REAL NOT NULL, last REAL NOT NULL, inserted INTEGER NOT NULL, deleted INTEGER NOT NULL,"
        " PRIMARY KEY (upstream, file, cell, visit))",
        "CREATE TABLE edits (upstream TEXT NOT NULL, file TEXT NOT NULL, epoch TEXT NOT NULL, seq INTEGER NOT NULL,"
        " path TEXT NOT NULL, kind TEXT NOT NULL, origin TEXT NOT NULL, at REAL NOT NULL, data BLOB NOT NULL,"
        " PRIMARY KEY (upstream, file, epoch, seq))",
        "CREATE INDEX edits_by ON edits (origin) WHERE origin != ''",
    ),
    # From here on links have conditions, too; a version that does not know them would write a link back without them,
    # and so open it.
    (
        "CREATE TABLE api_tokens (id TEXT PRIMARY KEY, body TEXT NOT NULL)",
        "CREATE TABLE asked_once (id TEXT PRIMARY KEY, body TEXT NOT NULL)",
        "CREATE TABLE mail_codes (id TEXT PRIMARY KEY, expires REAL NOT NULL, body TEXT NOT NULL)",
        f"ALTER TABLE trail ADD COLUMN {_PERSON}",
        "CREATE TABLE reports (id TEXT PRIMARY KEY, body TEXT NOT NULL)",
        "CREATE TABLE time_asks (id TEXT PRIMARY KEY, body TEXT NOT NULL)",
    ),
)
VERSION = len(MIGRATIONS)


def format_of(connection: sqlite3.Connection) -> int:
    """How many steps have been applied; 0 for a new file."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the file to VERSION in one transaction. Raises Refused for a newer file or another program's."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = format_of(connection)
        (owner,) = connection.execute("PRAGMA application_id").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if owner != APPLICATION_ID and (tables or version):
            raise Refused("store_foreign", "this is not a store of sharegate", "Give the store a path of its own")
        if version > VERSION:
            raise Refused(
                "store_newer",
                f"the store was written by a newer sharegate (format {version}, this one reads up to {VERSION})",
                "Install that version again, or restore a copy made before the upgrade",
            )
        for step in MIGRATIONS[version:]:
            for statement in step:
                connection.execute(statement)
        if version < VERSION:
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    # Made from what is in the tables, and kept up by any version that writes: no step, and an older version may still
    # open the file.
    trail_indexes.make(connection)
