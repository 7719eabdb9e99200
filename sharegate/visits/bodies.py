"""What browsers send to the gate's own addresses, read strictly, and the answers in JSON."""

from __future__ import annotations

import json
from typing import Any, TypeVar

import msgspec

from sharegate.errors import Denied, Reason
from sharegate.messages import Request, Response

MAX_BODY = 8192
_T = TypeVar("_T")
JSON_HEADERS = (
    ("Content-Type", "application/json"),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox"),
)


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """`{}`."""


class ReportBody(msgspec.Struct, forbid_unknown_fields=True):
    concern: str
    text: str = ""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice")
    return found


async def body_of(request: Request, kind: type[_T]) -> _T:
    """The JSON body as `kind`. Denied(`bad_body`) names no value: it may be a token."""
    if request.headers.get("Content-Type").partition(";")[0].strip().lower() != "application/json":
        raise Denied(Reason.BAD_BODY, "not application/json")
    data = await request.body.read(MAX_BODY)
    try:
        return msgspec.convert(json.loads(data, object_pairs_hook=_unique), kind)
    except (ValueError, RecursionError, msgspec.ValidationError):  # fails closed
        raise Denied(Reason.BAD_BODY, f"no {kind.__name__.strip('_').removesuffix('Body').lower()} in JSON") from None


def in_json(value: dict[str, Any], *extra: tuple[str, str]) -> Response:
    return Response(200, (*JSON_HEADERS, *extra), json.dumps(value).encode())


# All that a report is answered with, whatever becomes of it.
THANKS = in_json({"thanks": True})
