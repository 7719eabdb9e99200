"""Pages of the history in order of time: along one index, a bounded number of entries each.

A filter has a way: the index that holds the fewest entries of those that may fit. What else it asks for is compared
entry by entry, and after so many of those the page ends, whether it is full or not; the next goes on from there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sharegate.audit.interfaces import Mark, Page, Query
from sharegate.errors import NotFound
from sharegate.stores.trail_indexes import NOTABLE, ROUTINE, UNUSUAL
from sharegate.stores.trail_table import conditions, sealed

_COLUMNS = "rowid, writer, seq, previous, digest, CAST(body AS BLOB), CAST(personal AS BLOB)"


@dataclass(frozen=True, slots=True)
class Way:
    """An index that begins with these columns and goes on by time. `only` is the condition of what is in it."""

    index: str
    columns: tuple[str, ...] = ()
    only: str = ""

    def leads(self, query: Query) -> bool:
        if not all(getattr(query, column) for column in self.columns):
            return False
        return not (
            (self.only == NOTABLE and query.action in ROUTINE) or (self.only == UNUSUAL and query.outcome == "allowed")
        )


# The first that leads is taken: the fewer entries fit, the earlier it stands.
WAYS = (
    Way("trail_visit", ("visit",)),
    Way("trail_link", ("link",)),
    Way("trail_person", ("person",)),
    Way("trail_acts_of", ("share", "action"), NOTABLE),
    Way("trail_outcome_of", ("share", "outcome"), UNUSUAL),
    Way("trail_acts", ("action",), NOTABLE),
    Way("trail_reason", ("reason",)),
    Way("trail_outcome", ("outcome",), UNUSUAL),
    Way("trail_share", ("share",)),
    Way("trail_at"),
)


def way_of(query: Query) -> Way:
    return next(way for way in WAYS if way.leads(query))


def page(connection: sqlite3.Connection, query: Query, after: Mark | None, looks: int) -> Page:
    """See AuditStore.page. Raises NotFound."""
    rows = _rows(connection, query, after, looks)
    way = way_of(query)
    exact = not conditions(query, without=way.columns)[0]
    events = []
    for looked, (fits, row) in enumerate(rows, 1):
        if fits:
            events.append(sealed(row[1:]))
        if looked == looks or len(events) == query.limit:
            # Where each entry fits, one more says whether there is a next page.
            more = not exact or next(rows, None) is not None
            return Page(events=events, after=Mark(writer=str(row[1]), seq=row[2]) if more else None)
    return Page(events=events)


def _rows(
    connection: sqlite3.Connection, query: Query, after: Mark | None, looks: int
) -> Iterator[tuple[bool, tuple[Any, ...]]]:
    for sql, values in statements(query, _found(connection, after), looks + 1):
        for fits, *row in connection.execute(sql, values):
            yield bool(fits), tuple(row)


def _found(connection: sqlite3.Connection, after: Mark | None) -> tuple[Any, int] | None:
    if after is None:
        return None
    row = connection.execute(
        "SELECT at, rowid FROM trail WHERE writer = ? AND seq = ?", (after.writer, after.seq)
    ).fetchone()
    if row is None:
        raise NotFound("entry of the history", f"{after.seq} of {after.writer}")
    return row[0], row[1]


def statements(query: Query, after: tuple[Any, int] | None, most: int) -> list[tuple[str, list[Any]]]:
    """The questions that follow each other until a page is full. Entries of one moment are in the order in which they
    were written; `after` is the moment and row of the last one. An entry that was altered may have no moment: it comes
    as the oldest."""
    way = way_of(query)
    asked, chosen = conditions(query, without=(*way.columns, "since", "until"))
    fits = " AND ".join(asked) or "1"
    along = [f"{column} = ?" for column in way.columns] + ([way.only] if way.only else [])
    values = [str(getattr(query, column)) for column in way.columns]
    direction = "DESC" if query.newest_first else "ASC"
    found = []
    for part, given in _parts(query, after):
        where = " AND ".join([*along, *part])
        found.append(
            (
                f"SELECT {fits}, {_COLUMNS} FROM trail INDEXED BY {way.index} WHERE {where}"  # noqa: S608 -- our own names
                f" ORDER BY at {direction}, rowid {direction} LIMIT ?",
                [*chosen, *values, *given, most],
            )
        )
    return found


Part = tuple[list[str], list[Any]]


def _parts(query: Query, after: tuple[Any, int] | None) -> list[Part]:
    """Conditions on the moment that follow each other. Each names the moment once in each direction: of two the search
    might begin at the wrong one, and each page would go through all before it."""
    newest_first = query.newest_first
    beyond = "<" if newest_first else ">"
    timeless: list[Part] = [] if query.since or query.until else [(["at IS NULL"], [])]
    low: Part = (["at >= ?"], [query.since]) if query.since else ([], [])
    high: Part = (["at < ?"], [query.until]) if query.until else ([], [])
    if after is None:
        whole = (low[0] + high[0] or ["at IS NOT NULL"], low[1] + high[1])
        return [whole, *timeless] if newest_first else [*timeless, whole]
    at, row = after
    if at is None:
        rest: list[Part] = [(["at IS NULL", f"rowid {beyond} ?"], [row])] if timeless else []
        return rest if newest_first else [*rest, (low[0] + high[0] or ["at IS NOT NULL"], low[1] + high[1])]
    same: Part = (["at = ?", f"rowid {beyond} ?"], [at, row])
    end = low if newest_first else high
    further: Part = ([f"at {beyond} ?", *end[0]], [at, *end[1]])
    return [same, further, *timeless] if newest_first else [same, further]
