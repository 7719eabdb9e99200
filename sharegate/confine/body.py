"""The one reading of a JSON body, and the limit on one that is passed through."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Callable
from typing import Any, NoReturn, TypeVar

import msgspec

from sharegate.confine.holding import Held
from sharegate.errors import Denied, Reason
from sharegate.messages import Body

T = TypeVar("T")

MAX_DEPTH = 100
# Commas, brackets and braces outside the texts at the top: what parsing costs in time and memory. A megabyte of `{},`
# becomes a third of a million objects; a notebook of 50 MB has half a million items.
MAX_ITEMS = 2_000_000
# Bytes; what is longer is read and written in a thread, so that nobody's frames wait for it.
LONG = 256 * 1024
# JupyterLab hands its JSON to fetch() as a string without naming a type, so the browser calls it text/plain. Cross-site
# forms can send that too; what stops them is the Origin check, not this list.
_JSON_TYPES = frozenset({"", "application/json", "text/plain"})


def read_json(data: bytes, content_type: str) -> dict[str, Any]:
    """Parse a body that must be one JSON object. Raises Denied(`bad_body`).

    Refused: a name given twice at any depth (the last would win upstream), NaN and infinities, bytes that are not
    UTF-8, lone surrogates, more than MAX_DEPTH levels; Denied(`body_too_large`) for more than MAX_ITEMS items.
    """
    media, _, parameters = content_type.partition(";")
    if media.strip().lower() not in _JSON_TYPES:
        raise _bad("content type is not JSON")
    if parameters and parameters.strip().lower().replace('"', "") != "charset=utf-8":
        raise _bad("content type with parameters other than charset=utf-8")
    if len(data) > MAX_ITEMS:
        _check_weight(data)
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_no_twins, parse_constant=_no_constant)
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise _bad("not JSON in UTF-8") from None
    except RecursionError:
        raise _bad("nested too deeply") from None
    except ValueError:
        # Python refuses to read integers of more than 4300 digits.
        raise _bad("a number too long to read") from None
    if not isinstance(value, dict):
        raise _bad("not a JSON object")
    _check_values(value)
    return value


def write_json(value: dict[str, Any]) -> bytes:
    """What goes to the upstream: written from the checked value. Raises Denied(`bad_body`)."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode("utf-8")
    except ValueError:
        # UnicodeEncodeError (a lone surrogate) is a ValueError, and so is 1e999, read as infinity.
        raise _bad("a lone surrogate or a number out of range") from None


async def apart(size: int, work: Callable[..., T], *given: Any) -> T:
    """What `work` returns of `given`, about `size` bytes; it lets others go on meanwhile."""
    if size <= LONG:
        return work(*given)
    thread = asyncio.ensure_future(asyncio.to_thread(work, *given))
    try:
        return await asyncio.shield(thread)
    except asyncio.CancelledError:
        # A thread cannot be stopped: what it holds is held until it is over.
        await asyncio.wait({thread})
        if not thread.cancelled():
            thread.exception()
        raise


async def write_json_apart(value: dict[str, Any], size: int) -> bytes:
    """`write_json` that lets others go on meanwhile; `size` is about how many bytes it will be."""
    return write_json(value) if size <= LONG else await apart(size, _write_in_pieces, value)


def _write_in_pieces(value: dict[str, Any]) -> bytes:
    # The same text as write_json's. That is made in one go, in which no other thread runs.
    encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    written = bytearray()
    try:
        for piece in encoder.iterencode(value):
            written += piece.encode("utf-8")
    except ValueError:
        # As in write_json.
        raise _bad("a lone surrogate or a number out of range") from None
    return bytes(written)


class LimitedBody:
    """A body that is passed through as it is, up to `limit` bytes; where it is read whole after all, it is `held`."""

    def __init__(self, body: Body, limit: int, announced: int | None, held: Held) -> None:
        self._body = body
        self._limit = limit
        self._announced = announced
        self._held = held

    async def read(self, limit: int) -> bytes:
        return await self._held.whole(self._body, min(limit, self._limit), self._announced)

    async def stream(self) -> AsyncIterator[bytes]:
        size = 0
        async for part in self._body.stream():
            size += len(part)
            if size > self._limit:
                raise Denied(Reason.BODY_TOO_LARGE)
            yield part


def _check_weight(data: bytes) -> None:
    """Refuse what is cheap to send and dear to parse. A name that is given twice hides nothing: only what is known to
    be text is left out of the count."""
    try:
        values = msgspec.json.decode(data, type=dict[str, msgspec.Raw]).values()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise _bad("not JSON in UTF-8") from None
    texts = [bytes(value) for value in values if bytes(memoryview(value)[:1]) == b'"']
    items = sum(data.count(mark) - sum(text.count(mark) for text in texts) for mark in (b",", b"[", b"{"))
    if items > MAX_ITEMS:
        raise Denied(Reason.BODY_TOO_LARGE, "more items than the gate reads")


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _bad("a name given twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise _bad(f"{name} is not JSON")


def _check_values(value: object) -> None:
    """Nothing in it that could not be written again, or is nested too deeply. Level by level, so that the check itself
    cannot run out of stack."""
    level: list[object] = [value]
    for _ in range(MAX_DEPTH):
        following: list[object] = []
        for item in level:
            if isinstance(item, str):
                _check_text(item)
            elif isinstance(item, float):
                if not math.isfinite(item):  # as 1e999 is read
                    raise _bad("a number out of range")
            elif isinstance(item, dict):
                for name in item:
                    _check_text(name)
                following.extend(item.values())
            elif isinstance(item, list):
                following.extend(item)
        if not following:
            return
        level = following
    raise _bad("nested too deeply")


def _check_text(text: str) -> None:
    if text.isascii():
        return
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise _bad("a lone surrogate") from None


def _bad(detail: str) -> Denied:
    return Denied(Reason.BAD_BODY, detail)
