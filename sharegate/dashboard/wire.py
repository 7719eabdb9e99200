"""What the owner's two listeners have in common: how a body is read, and in which shape everything is answered."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from sharegate.dashboard.refusals import error_body
from sharegate.messages import Headers

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
MAX_BODY = 1 << 20
_DIGITS = 18
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}


KNOWN = {403: "not_yours", 404: "not_found", 405: "method_not_allowed", 413: "too_large"}


@web.middleware
async def in_shape(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What the library refuses by itself has the same shape as what the API refuses."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return refused(error.status, KNOWN.get(error.status, "failed"), error.reason)


def fields(request: web.Request) -> Headers:
    return Headers((name, value) for name, value in request.headers.items())


def is_json(request: web.Request) -> bool:
    return request.content_type == "application/json" and (request.charset or "utf-8").lower() == "utf-8"


def packed(request: web.Request) -> bool:
    """Whether the body is to be read as something else than what came (RFC 9110, section 8.4)."""
    return any(said.strip().lower() not in ("", "identity") for said in request.headers.getall("Content-Encoding", []))


def refused(status: int, code: str, message: str, **more: Any) -> web.Response:
    return web.json_response(error_body(code, message, **more), status=status, headers=HEADERS)


async def body_of(request: web.Request) -> dict[str, Any] | None:
    """{} for none at all; None for what is no JSON object in UTF-8, names a field twice, or holds a number that is
    none; also for what is packed, or broke off on the way."""
    if not request.can_read_body:
        return {}
    if packed(request):
        return None
    try:
        data = await request.read()
    except web.RequestPayloadError:  # fails closed
        return None
    return read_object(data)


def read_object(data: bytes) -> dict[str, Any] | None:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a field twice")
        return found

    def no_number(name: str) -> None:
        raise ValueError(name)

    try:
        # Of bytes the library guesses the encoding; JSON is UTF-8 (RFC 8259, section 8.1).
        text = data.decode()
        read = json.loads(text, object_pairs_hook=once, parse_constant=no_number, parse_int=_whole)
    except (ValueError, RecursionError):  # fails closed
        return None
    return read if isinstance(read, dict) else None


def _whole(text: str) -> int | float:
    """What no field can mean is a float: nothing that is compared with one, or made one, overflows."""
    return int(text) if len(text) <= _DIGITS else float(text)
