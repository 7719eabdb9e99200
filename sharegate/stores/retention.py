"""What is forgotten and when. Who came by which link is kept; where from and with what is not kept for ever.

The trail has a retention of its own (AuditStore.erase).
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from sharegate.errors import NotFound
from sharegate.shares.api_tokens import ApiToken, AskedOnce
from sharegate.shares.model import Knock, KnockState, Link, Visit
from sharegate.shares.more_time import TimeAsk
from sharegate.shares.reports import Report
from sharegate.stores import records
from sharegate.stores.deciding import FORGOTTEN_REPORT, NO_MARK, forgotten_ask, forgotten_link, marked_for, unanswered
from sharegate.stores.writer import Written

DAY = 86400.0
# An ended visit never opens again; an expired one does when its owner extends it.
OVERLAYS_AFTER_END = 1 * DAY
OVERLAYS_AFTER_EXPIRY = 30 * DAY
# Whoever knocked may come back to see the answer.
KNOCKS_KEPT = 30 * DAY
ADDRESSES_KEPT = 90 * DAY
# Of reports, after an admin was done with them.
REPORTS_KEPT = 90 * DAY
# Whoever asked for more time may come back to see the answer.
TIMES_KEPT = 30 * DAY
# Of the API, after they ended: what the history says of one can be looked up so long.
TOKENS_KEPT = 90 * DAY
# What was asked with an idempotency key: so long as the key counts (dashboard/once.py).
ASKED_KEPT = 1 * DAY


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many entries went; `visits` lost their address and agent only. `tokens` are of the API."""

    codes: int = 0
    overlays: int = 0
    knocks: int = 0
    visits: int = 0
    tokens: int = 0


def prune(connection: sqlite3.Connection, written: list[Written], now: float) -> Pruned:
    codes = connection.execute("DELETE FROM device_codes WHERE expires <= ?", (now,)).rowcount
    asked = [
        id
        for id, body in connection.execute("SELECT id, body FROM asked_once")
        if msgspec.json.decode(body, type=AskedOnce).at <= now - ASKED_KEPT
    ]
    for id in asked:
        connection.execute("DELETE FROM asked_once WHERE id = ?", (id,))
        written.append(Written("asked", id, None))
    codes += connection.execute("DELETE FROM mail_codes WHERE expires <= ?", (now,)).rowcount
    overlays = connection.execute(
        "DELETE FROM overlays WHERE visit IN (SELECT id FROM visits WHERE ended <= ? OR expires <= ?)",
        (now - OVERLAYS_AFTER_END, now - OVERLAYS_AFTER_EXPIRY),
    ).rowcount
    knocks = [id for (id,) in connection.execute("SELECT id FROM knocks WHERE created <= ?", (now - KNOCKS_KEPT,))]
    for id in knocks:
        connection.execute("DELETE FROM knocks WHERE id = ?", (id,))
        written.append(Written("knock", id, None))
    visits = [
        id
        for (id,) in connection.execute(
            "SELECT id FROM visits WHERE (ended <= ?1 OR expires <= ?1)"
            " AND (json_extract(body, '$.address') != '' OR json_extract(body, '$.agent') != '')",
            (now - ADDRESSES_KEPT,),
        )
    ]
    for id in visits:
        records.change(connection, written, Visit, id, {"address": "", "agent": ""})
    tokens = [
        token.id
        for (body,) in connection.execute("SELECT body FROM api_tokens")
        if forgotten(token := msgspec.json.decode(body, type=ApiToken), now)
    ]
    for id in tokens:
        connection.execute("DELETE FROM api_tokens WHERE id = ?", (id,))
        written.append(Written("token", id, None))
    said = [msgspec.json.decode(body, type=Report) for (body,) in connection.execute("SELECT body FROM reports")]
    for report in said:
        if settled(report, now):
            connection.execute("DELETE FROM reports WHERE id = ?", (report.id,))
            written.append(Written("report", report.id, None))
        elif report.address and report.created <= now - ADDRESSES_KEPT:
            records.change(connection, written, Report, report.id, {"address": ""})
    asks = [msgspec.json.decode(body, type=TimeAsk) for (body,) in connection.execute("SELECT body FROM time_asks")]
    for ask in asks:
        if ask.created <= now - TIMES_KEPT:
            connection.execute("DELETE FROM time_asks WHERE id = ?", (ask.id,))
            written.append(Written("time", ask.id, None))
    return Pruned(codes, overlays, len(knocks), len(visits), len(tokens))


def settled(report: Report, now: float) -> bool:
    """Whether an admin was done with it so long ago that it goes."""
    return report.closed is not None and report.closed <= now - REPORTS_KEPT


def forgotten(token: ApiToken, now: float) -> bool:
    """Whether a token of the API ended so long ago that its record goes."""
    return min(token.expires, token.expires if token.revoked is None else token.revoked) <= now - TOKENS_KEPT


def forget(
    connection: sqlite3.Connection, written: list[Written], visits: list[str], links: list[str], knocks: list[str]
) -> None:
    """Blank what identifies people. Nobody has a cookie whose hash is empty. Answers that are kept for who asks again
    may name anybody: nobody can tell, for they are sealed."""
    nobody = {"name": "", "address": "", "agent": "", "browser_hash": ""}
    for id in visits:
        with suppress(NotFound):
            visit = records.find(connection, Visit, id)
            with suppress(NotFound):  # the link is gone, and its mark with it; the visit is forgotten all the same
                if marked_for(records.find(connection, Link, visit.link), visit):
                    records.change(connection, written, Link, visit.link, NO_MARK)
            records.change(connection, written, Visit, id, {**nobody, "cookie_hash": "", "email": "", "account": None})
        connection.execute("DELETE FROM overlays WHERE visit = ?", (id,))
        connection.execute("DELETE FROM device_codes WHERE json_extract(body, '$.visit') = ?", (id,))
    for id in links:
        with suppress(NotFound):
            records.change(connection, written, Link, id, forgotten_link(records.find(connection, Link, id)))
    for id in knocks:
        with suppress(NotFound):
            waits = records.find(connection, Knock, id).state is KnockState.WAITING
            gone = {"state": KnockState.GONE} if waits else {}
            records.change(connection, written, Knock, id, {**nobody, "email": "", "account": None, **gone})
    theirs, by = set(visits), set(links)
    for (body,) in connection.execute("SELECT body FROM reports").fetchall():
        report = msgspec.json.decode(body, type=Report)
        if report.visit in theirs or report.link in by:
            records.change(connection, written, Report, report.id, FORGOTTEN_REPORT)
    for asked in records.all_asked(connection):
        if asked.answer:
            records.put_asked(connection, written, unanswered(asked))
    for (body,) in connection.execute("SELECT body FROM time_asks").fetchall():
        ask = msgspec.json.decode(body, type=TimeAsk)
        if ask.visit in theirs or ask.link in by:
            records.change(connection, written, TimeAsk, ask.id, forgotten_ask(ask))
