"""An upstream's answer as values: which statuses mean what to a visitor, and how its JSON is read and written."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

from sharegate.errors import Denied, Reason

# Not decoded, not understood, passed on as it is: a notebook's content keeps every digit and every order of keys.
Raw = msgspec.Raw

T = TypeVar("T")

_DONE = frozenset({200, 201, 202, 204})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CONDITIONS = frozenset({"if-none-match", "if-modified-since"})
# One JSON escape at a time, from the left, so that a backslash that is itself escaped is never misread:
# a surrogate pair | a lone surrogate | any other escape.
_ESCAPES = re.compile(
    rb"(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|(\\.)", re.DOTALL
)


def check_status(status: int, *, reading: bool, sent: tuple[tuple[str, str], ...]) -> None:
    """Let a success, redirect, 206, 304 or 416 pass; raise Denied for every other status.

    An upstream's error never reaches a visitor, neither its body nor its reason phrase: Jupyter's carry the raw token,
    absolute paths, and the first bytes of files. `sent` are the visitor's header fields that went upstream: 206, 304
    and 416 answer what was asked or are no answer.
    """
    names = {name.lower() for name, _ in sent}
    if status in _DONE or status in _REDIRECTS:
        return
    if (status in (206, 416) and "range" in names) or (status == 304 and names & _CONDITIONS):
        return
    detail = f"the server answered {status}"
    if status in (403, 404, 410) or (reading and status == 400):
        raise Denied(Reason.NOT_FOUND, detail)
    if status == 413:
        raise Denied(Reason.BODY_TOO_LARGE, detail)
    if not reading and status == 409:
        raise Denied(Reason.CONFLICT, detail)
    if not reading and status in (400, 415, 422):
        raise Denied(Reason.BAD_BODY, detail)
    raise Denied(Reason.UPSTREAM_BAD_ANSWER, detail)


def read_object(data: bytes | Raw) -> dict[str, Raw]:
    """One JSON object, its values not decoded yet. Raises Denied(`upstream_bad_answer`)."""
    return _decode(data, dict[str, Raw])


def read_list(data: bytes | Raw) -> list[Raw]:
    """One JSON array, its items not decoded yet. Raises Denied(`upstream_bad_answer`)."""
    return _decode(data, list[Raw])


def read_value(data: bytes | Raw) -> Any:
    """Any JSON value. Raises Denied(`upstream_bad_answer`)."""
    return _decode(data, object)


def text_of(values: dict[str, Raw], name: str) -> str:
    """A value that has to be a string."""
    value = read_value(values[name]) if name in values else None
    if not isinstance(value, str):
        raise unusable(f"{name} is no string")
    return value


def write(value: Any) -> bytes:
    """JSON, with undecoded parts set in as they came."""
    return msgspec.json.encode(value)


def unusable(detail: str) -> Denied:
    return Denied(Reason.UPSTREAM_BAD_ANSWER, detail)


def _decode(data: bytes | Raw, kind: type[T]) -> T:
    try:
        try:
            return msgspec.json.decode(data, type=kind)
        except msgspec.DecodeError:
            # A file whose name is not UTF-8 comes as a lone surrogate, which msgspec rightly refuses. It becomes
            # U+FFFD, so that the rest of the listing stays readable; what is broken otherwise stays refused.
            return msgspec.json.decode(_ESCAPES.sub(_mend, bytes(data)), type=kind)
    except (msgspec.DecodeError, RecursionError):
        raise unusable("not the JSON that was expected") from None


def _mend(found: re.Match[bytes]) -> bytes:
    return b"\\ufffd" if found[2] else found[0]
