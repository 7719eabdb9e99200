"""The decisions that must be atomic, as work for the writer: read, decide and write on one connection.

Each function is called inside a transaction and a savepoint; what it raises undoes what it wrote.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from sharegate.errors import Denied, NotFound, Reason
from sharegate.shares.api_tokens import ApiToken, AskedOnce
from sharegate.shares.model import DeviceCode, Knock, KnockState, Link, MailCode, Share, Visit, VisitKind
from sharegate.shares.more_time import TimeAsk
from sharegate.shares.reports import Report
from sharegate.stores.deciding import (
    GAVE_WAY,
    answered,
    check_ask,
    check_decision,
    check_not_for_ever,
    check_room,
    check_still,
    device_of,
    gives_way,
    let_go,
    link_follows,
    person_of,
    said_already,
    taking_from,
    tried,
    visit_follows,
)
from sharegate.stores.writer import Written

R = TypeVar("R", Share, Link, Visit, Knock, ApiToken, Report, TimeAsk)
S = TypeVar("S", bound=msgspec.Struct)

_TABLES: dict[type[Any], tuple[str, str]] = {
    Share: ("share", "shares"),
    Link: ("link", "links"),
    Visit: ("visit", "visits"),
    Knock: ("knock", "knocks"),
    ApiToken: ("token", "api_tokens"),
    Report: ("report", "reports"),
    TimeAsk: ("time", "time_asks"),
}
# What names a record or says where it belongs never changes.
FIXED = frozenset({"id", "share", "link", "letter", "number", "created", "secret_hash"})


def columns(record: Share | Link | Visit | Knock | ApiToken | Report | TimeAsk) -> dict[str, Any]:
    """A record's row."""
    body = encoded(record)
    match record:
        case Share() | ApiToken() | Report() | TimeAsk():
            return {"id": record.id, "body": body}
        case Link():
            return {"id": record.id, "share": record.share, "letter": record.letter, "body": body}
        case Visit():
            return {
                "id": record.id,
                "share": record.share,
                "link": record.link,
                "number": record.number,
                "kind": record.kind.value,
                "came_from": record.came_from,
                "expires": record.expires,
                "ended": record.ended,
                "body": body,
            }
        case Knock():
            return {
                "id": record.id,
                "link": record.link,
                "state": record.state.value,
                "created": record.created,
                "body": body,
            }


def read_back(record: S) -> S:
    """The record as it will be read from the file. Raises TypeError for a field of a wrong type."""
    try:
        return msgspec.json.decode(msgspec.json.encode(record), type=type(record))
    except msgspec.ValidationError as error:
        raise TypeError(f"{type(record).__name__}: {error}") from None


def encoded(record: msgspec.Struct) -> str:
    return msgspec.json.encode(record).decode()


def find(connection: sqlite3.Connection, type: type[R], id: str) -> R:
    """Raises NotFound."""
    kind, table = _TABLES[type]
    row = connection.execute(f"SELECT body FROM {table} WHERE id = ?", (id,)).fetchone()  # noqa: S608 -- our own names
    if row is None:
        raise NotFound(kind, id)
    return msgspec.json.decode(row[0], type=type)


def add(connection: sqlite3.Connection, written: list[Written], record: R) -> R:
    """Raises ValueError (an IntegrityError inside the writer) when the id, letter or number is taken."""
    kind, table = _TABLES[record.__class__]
    record = read_back(record)
    row: dict[str, Any] = columns(record)
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(row.values()))  # noqa: S608 -- our own names
    written.append(Written(kind, record.id, record))
    return record


def change(connection: sqlite3.Connection, written: list[Written], type: type[R], id: str, fields: dict[str, Any]) -> R:
    """Replace fields. Raises NotFound, and TypeError for a field that the record has not, or of a wrong type."""
    unknown = sorted(set(fields) - set(type.__struct_fields__))
    fixed = sorted(set(fields) & FIXED)
    if unknown or fixed:
        raise TypeError(f"{type.__name__} has no field to change named {', '.join(unknown + fixed)}")
    record = read_back(msgspec.structs.replace(find(connection, type, id), **fields))
    kind, table = _TABLES[type]
    row: dict[str, Any] = columns(record)
    assignments = ", ".join(f"{name} = ?" for name in row)
    connection.execute(f"UPDATE {table} SET {assignments} WHERE id = ?", (*row.values(), id))  # noqa: S608 -- our own names
    written.append(Written(kind, id, record))
    return record


def change_share(
    connection: sqlite3.Connection, written: list[Written], id: str, fields: dict[str, Any], was: Mapping[str, Any]
) -> Share:
    """Links and visits that end with it follow."""
    before = find(connection, Share, id)
    check_still(before, was)
    changed = change(connection, written, Share, id, fields)
    if "expires" in fields:
        rows = connection.execute("SELECT body FROM links WHERE share = ?", (id,)).fetchall()
        for link in (msgspec.json.decode(body, type=Link) for (body,) in rows):
            if link_follows(link, before.expires, changed.expires):
                change_link(connection, written, link.id, {"expires": changed.expires}, {})
    return changed


def change_link(
    connection: sqlite3.Connection, written: list[Written], id: str, fields: dict[str, Any], was: Mapping[str, Any]
) -> Link:
    """Open visits that end with it follow."""
    before = find(connection, Link, id)
    check_still(before, was)
    changed = change(connection, written, Link, id, fields)
    if "expires" in fields:
        rows = connection.execute("SELECT body FROM visits WHERE link = ? AND ended IS NULL", (id,)).fetchall()
        for visit in (msgspec.json.decode(body, type=Visit) for (body,) in rows):
            if visit_follows(visit, before.expires, changed.expires):
                change(connection, written, Visit, visit.id, {"expires": changed.expires})
    return changed


def add_share(connection: sqlite3.Connection, written: list[Written], share: Share, links: list[Link]) -> None:
    add(connection, written, share)
    for link in links:
        if link.share != share.id:
            raise ValueError(f"link {link.id} belongs to share {link.share}, not to {share.id}")
        add(connection, written, link)


def add_link(connection: sqlite3.Connection, written: list[Written], link: Link) -> None:
    find(connection, Share, link.share)
    add(connection, written, link)


def add_links(connection: sqlite3.Connection, written: list[Written], links: list[Link]) -> None:
    for link in links:
        add_link(connection, written, link)


def change_visit(
    connection: sqlite3.Connection, written: list[Written], id: str, fields: dict[str, Any], was: Mapping[str, Any]
) -> Visit:
    check_still(find(connection, Visit, id), was)
    return change(connection, written, Visit, id, fields)


def open_visit(connection: sqlite3.Connection, written: list[Written], visit: Visit, seats: int | None) -> Visit:
    """A visit of a kind that needs no place is never refused one. `visit.created` is the time now."""
    link = find(connection, Link, visit.link)
    if link.share != visit.share:
        raise ValueError(f"link {link.id} belongs to share {link.share}, not to {visit.share}")
    check_not_for_ever(find(connection, Share, link.share), link)
    kinds = taking_from(visit.kind)
    if seats is not None and kinds:
        found = connection.execute(
            "SELECT kind FROM visits WHERE link = ? AND ended IS NULL AND expires > ?", (visit.link, visit.created)
        )
        taken = sum(kind in kinds for (kind,) in found)
        if taken >= seats:
            raise Denied(Reason.SEATS_TAKEN, f"{taken} of {seats}")
    (highest,) = connection.execute("SELECT max(number) FROM visits WHERE link = ?", (visit.link,)).fetchone()
    return add(connection, written, msgspec.structs.replace(visit, number=(highest or 0) + 1))


def end_visits(
    connection: sqlite3.Connection, written: list[Written], ids: list[str], at: float, reason: str
) -> list[Visit]:
    ended = []
    for id in dict.fromkeys(ids):
        row = connection.execute("SELECT 1 FROM visits WHERE id = ? AND ended IS NULL", (id,)).fetchone()
        if row is not None:
            ended.append(change(connection, written, Visit, id, {"ended": at, "ended_reason": reason}))
    return ended


def add_knock(connection: sqlite3.Connection, written: list[Written], knock: Knock, limit: int) -> None:
    link = find(connection, Link, knock.link)
    if link.share != knock.share or knock.state is not KnockState.WAITING:
        raise ValueError("a new knock waits, at a link of its share")
    check_not_for_ever(find(connection, Share, link.share), link)
    (waiting,) = connection.execute(
        "SELECT count(*) FROM knocks WHERE link = ? AND state = 'waiting'", (knock.link,)
    ).fetchone()
    if waiting >= limit:
        raise Denied(Reason.JOIN_LIMIT, f"{waiting} knocks wait at this link")
    add(connection, written, knock)


def decide_knock(
    connection: sqlite3.Connection, written: list[Written], id: str, state: KnockState, at: float, visit: Visit | None
) -> Knock:
    knock = find(connection, Knock, id)
    check_decision(knock, state, visit)
    if visit is None:
        return change(connection, written, Knock, id, {"state": state, "decided": at})
    opened = open_visit(connection, written, visit, None)
    return change(connection, written, Knock, id, {"state": state, "decided": at, "visit": opened.id})


def add_api_token(
    connection: sqlite3.Connection, written: list[Written], token: ApiToken, limit: int, at: float
) -> None:
    bodies = connection.execute("SELECT body FROM api_tokens").fetchall()
    check_room((msgspec.json.decode(body, type=ApiToken) for (body,) in bodies), limit, at)
    add(connection, written, token)


def ask_once(
    connection: sqlite3.Connection, written: list[Written], asked: AskedOnce, since: float, limit: int
) -> None:
    for id in let_go(all_asked(connection), asked, since, limit):
        unask(connection, written, id)
    asked = read_back(asked)
    connection.execute("INSERT INTO asked_once (id, body) VALUES (?, ?)", (asked.id, encoded(asked)))
    written.append(Written("asked", asked.id, asked))


def answer_once(connection: sqlite3.Connection, written: list[Written], id: str, answer: bytes, total: int) -> None:
    for one in answered(all_asked(connection), id, answer, total):
        put_asked(connection, written, one)


def all_asked(connection: sqlite3.Connection) -> list[AskedOnce]:
    bodies = connection.execute("SELECT body FROM asked_once").fetchall()
    return [msgspec.json.decode(body, type=AskedOnce) for (body,) in bodies]


def put_asked(connection: sqlite3.Connection, written: list[Written], asked: AskedOnce) -> None:
    connection.execute("UPDATE asked_once SET body = ? WHERE id = ?", (encoded(asked), asked.id))
    written.append(Written("asked", asked.id, asked))


def unask(connection: sqlite3.Connection, written: list[Written], id: str) -> None:
    connection.execute("DELETE FROM asked_once WHERE id = ?", (id,))
    written.append(Written("asked", id, None))


def add_report(
    connection: sqlite3.Connection, written: list[Written], report: Report, per_share: int, overall: int
) -> bool:
    find(connection, Share, report.share)
    bodies = connection.execute("SELECT body FROM reports").fetchall()
    known = [msgspec.json.decode(body, type=Report) for (body,) in bodies]
    if said_already(known, read_back(report)):
        return False
    if gone := gives_way(known, report, per_share, overall):
        change(connection, written, Report, gone, {"closed": report.created, "note": GAVE_WAY})
    add(connection, written, report)
    return True


def change_report(
    connection: sqlite3.Connection, written: list[Written], id: str, fields: dict[str, Any], was: Mapping[str, Any]
) -> Report:
    check_still(find(connection, Report, id), was)
    return change(connection, written, Report, id, fields)


def add_time_ask(connection: sqlite3.Connection, written: list[Written], ask: TimeAsk, limit: int) -> None:
    find(connection, Link, ask.link)
    bodies = connection.execute("SELECT body FROM time_asks").fetchall()
    check_ask([msgspec.json.decode(body, type=TimeAsk) for (body,) in bodies], ask, limit)
    add(connection, written, ask)


def change_time_ask(
    connection: sqlite3.Connection, written: list[Written], id: str, fields: dict[str, Any], was: Mapping[str, Any]
) -> TimeAsk:
    check_still(find(connection, TimeAsk, id), was)
    return change(connection, written, TimeAsk, id, fields)


def add_device_code(connection: sqlite3.Connection, code: DeviceCode) -> None:
    find(connection, Visit, code.visit)
    connection.execute(
        "INSERT INTO device_codes (code_hash, expires, body) VALUES (?, ?, ?)",
        (code.code_hash, code.expires, encoded(read_back(code))),
    )


def spend_device_code(
    connection: sqlite3.Connection, written: list[Written], code_hash: str, visit: Visit, at: float, devices: int
) -> Visit:
    row = connection.execute("SELECT body FROM device_codes WHERE code_hash = ?", (code_hash,)).fetchone()
    if row is None:
        raise Denied(Reason.DEVICE_CODE_INVALID)
    code = msgspec.json.decode(row[0], type=DeviceCode)
    origin = find(connection, Visit, code.visit)
    person = person_of(code, origin, at)
    (held,) = connection.execute(
        "SELECT count(*) FROM visits WHERE link = ? AND kind = ? AND came_from = ? AND ended IS NULL AND expires > ?",
        (origin.link, VisitKind.DEVICE.value, person, at),
    ).fetchone()
    if held >= devices:
        raise Denied(Reason.DEVICES_TAKEN, f"{held} of {devices}")
    connection.execute("DELETE FROM device_codes WHERE code_hash = ?", (code_hash,))
    return open_visit(connection, written, device_of(visit, origin, person), None)


def put_mail_code(connection: sqlite3.Connection, code: MailCode) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO mail_codes (id, expires, body) VALUES (?, ?, ?)",
        (code.id, code.expires, encoded(read_back(code))),
    )


def try_mail_code(connection: sqlite3.Connection, id: str, code_hash: str, at: float, tries: int) -> bool:
    row = connection.execute("SELECT body FROM mail_codes WHERE id = ?", (id,)).fetchone()
    if row is None:
        return False
    right, kept = tried(msgspec.json.decode(row[0], type=MailCode), code_hash, at, tries)
    if kept is None:
        connection.execute("DELETE FROM mail_codes WHERE id = ?", (id,))
    else:
        put_mail_code(connection, kept)
    return right


def put_overlay(
    connection: sqlite3.Connection, visit: str, kind: str, name: str, data: bytes | None, items: int, total_bytes: int
) -> None:
    """The limits are those of one visit and one kind. Of a visit that is over nothing is kept any more."""
    known = find(connection, Visit, visit)
    if known.ended is not None:
        raise Denied(Reason.VISIT_ENDED, known.ended_reason)
    key = (visit, kind, name)
    if data is None:
        connection.execute("DELETE FROM overlays WHERE visit = ? AND kind = ? AND name = ?", key)
        return
    count, size = connection.execute(
        "SELECT count(*), coalesce(sum(length(data)), 0) FROM overlays WHERE visit = ? AND kind = ? AND name != ?", key
    ).fetchone()
    if count + 1 > items or size + len(data) > total_bytes:
        raise Denied(Reason.OVERLAY_LIMIT, f"{count + 1} entries, {size + len(data)} bytes")
    connection.execute("INSERT OR REPLACE INTO overlays (visit, kind, name, data) VALUES (?, ?, ?, ?)", (*key, data))
