"""Records for the tests of stores."""

from __future__ import annotations

from typing import Any

from sharegate.shares.api_tokens import ApiToken, AskedOnce
from sharegate.shares.model import DeviceCode, Knock, Link, MailCode, Share, Visit, VisitKind
from sharegate.shares.more_time import TimeAsk
from sharegate.shares.reports import Concern, Report
from sharegate.upstream.model import Credential, Upstream

START = 1_800_000_000.0
LATER = START + 86400.0


def a_share(id: str = "s1", **fields: Any) -> Share:
    return Share(
        **{"id": id, "upstream": "u1", "owner": "ann", "root": "project", "created": START, "expires": LATER} | fields
    )


def a_link(id: str = "l1", **fields: Any) -> Link:
    return Link(**{"id": id, "share": "s1", "letter": id[-1], "created": START, "expires": LATER} | fields)


def a_visit(id: str = "v1", **fields: Any) -> Visit:
    return Visit(**{"id": id, "share": "s1", "link": "l1", "number": 0, "created": START, "expires": LATER} | fields)


def a_knock(id: str = "k1", **fields: Any) -> Knock:
    return Knock(**{"id": id, "share": "s1", "link": "l1", "name": "Eve", "created": START} | fields)


def a_device(id: str = "d1", **fields: Any) -> Visit:
    return a_visit(id, **{"kind": VisitKind.DEVICE} | fields)


def a_code(code_hash: str = "h1", **fields: Any) -> DeviceCode:
    return DeviceCode(**{"code_hash": code_hash, "visit": "v1", "expires": START + 300} | fields)


def a_token(id: str = "t1", **fields: Any) -> ApiToken:
    of = {"id": id, "name": "CI", "secret_hash": f"hash of {id}", "capabilities": ("shares:read", "trail:read")}
    return ApiToken(**of | {"created": START, "expires": LATER} | fields)


def asked(id: str = "q1", **fields: Any) -> AskedOnce:
    return AskedOnce(**{"id": id, "who": "token:t1", "digest": "d", "at": START} | fields)


def a_report(id: str = "r1", **fields: Any) -> Report:
    of = {"id": id, "share": "s1", "link": "l1", "visit": "v1", "concern": Concern.PHISHING, "text": "odd"}
    return Report(**of | {"name": "Ann", "address": "192.0.2.0", "created": START} | fields)


def a_time_ask(id: str = "a1", **fields: Any) -> TimeAsk:
    of = {"id": id, "share": "s1", "link": "l1", "visit": "v1", "browser_hash": "b1", "created": START}
    return TimeAsk(**of | fields)


def a_mail_code(id: str = "m1", **fields: Any) -> MailCode:
    return MailCode(**{"id": id, "code_hash": "h1", "expires": START + 600} | fields)


def an_upstream(id: str = "u1", **fields: Any) -> Upstream:
    return Upstream(
        **{
            "id": id,
            "name": "lab",
            "owner": "ann",
            "url": "http://127.0.0.1:8888/",
            "token": Credential("raw server token"),
        }
        | fields
    )
