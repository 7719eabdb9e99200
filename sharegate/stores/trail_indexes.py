"""The indexes by which pages of the history are found, beside those that the numbered steps make (schema.py).

They are made from what is in the table, so that they need no step. Most entries are a visitor's ordinary work; what is
asked for by action, outcome or reason is the rest, and only that is in those indexes.
"""

from __future__ import annotations

import logging
import sqlite3
import time

log = logging.getLogger("sharegate.stores")

# What a visitor's ordinary work writes.
ROUTINE = (
    "request.answered",
    "channel.opened",
    "channel.closed",
    "channel.summary",
    "document.written",
    "document.corrected",
    "snapshot.taken",
)
# An index is used where a question has its condition word for word. Whoever changes one gives the index another name.
NOTABLE = "action NOT IN (" + ", ".join(f"'{action}'" for action in ROUTINE) + ")"
UNUSUAL = "outcome != 'allowed'"

INDEXES = {
    # What identifies people is found without reading all the history from which it has gone already.
    "trail_personal": "(at) WHERE personal != x''",
    "trail_link": "(link, at) WHERE link IS NOT NULL",
    "trail_person": "(person, at) WHERE person IS NOT NULL",
    "trail_acts": f"(action, at) WHERE {NOTABLE}",
    "trail_acts_of": f"(share, action, at) WHERE {NOTABLE} AND share IS NOT NULL",
    "trail_outcome": f"(outcome, at) WHERE {UNUSUAL}",
    "trail_outcome_of": f"(share, outcome, at) WHERE {UNUSUAL} AND share IS NOT NULL",
    "trail_reason": "(reason, at) WHERE reason IS NOT NULL",
}
# Entries from which on making an index takes so long that it is said.
MANY = 200_000


def make(connection: sqlite3.Connection) -> None:
    """Make those that are missing, each for itself: who is interrupted goes on where they were. Raises
    sqlite3.Error."""
    there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}
    missing = [name for name in INDEXES if name not in there]
    (entries,) = connection.execute("SELECT coalesce(max(rowid), 0) FROM trail").fetchone() if missing else (0,)
    for number, name in enumerate(missing, 1):
        began = time.monotonic()
        if entries >= MANY:
            log.warning("the history has %d entries: making index %d of %d, once", entries, number, len(missing))
        connection.execute(f"CREATE INDEX IF NOT EXISTS {name} ON trail {INDEXES[name]}")
        if entries >= MANY:
            log.warning("index %d of %d was made in %.0f s", number, len(missing), time.monotonic() - began)
