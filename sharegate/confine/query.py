"""The one reading of a query string (application/x-www-form-urlencoded, WHATWG URL section 5.1, read strictly)."""

from __future__ import annotations

import re

from sharegate.errors import Denied, Reason

MAX_QUERY = 8192
MAX_ARGUMENTS = 64

_QUERY = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@%/?\[\]|^`{}\"<>\\]*\Z")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")
_DIGITS = re.compile(r"[0-9]{1,20}\Z")
_BUSTERS = frozenset({"_", "t"})


def read_query(raw: str) -> dict[str, str]:
    """Decode a raw query once: name → value. Raises Denied(`bad_query`).

    A name given twice is refused, because Jupyter takes the last of some and the first of others. Empty pieces
    (`?&1712`) and bare names (`?content`, the empty value) are what JupyterLab's URL builder writes.
    """
    if not raw:
        return {}
    if len(raw) > MAX_QUERY:
        raise Denied(Reason.BAD_QUERY, "query too long")
    if not _QUERY.match(raw):
        raise Denied(Reason.BAD_QUERY, "a character that must be encoded")
    if _BAD_ESCAPE.search(raw):
        raise Denied(Reason.BAD_QUERY, "broken percent-encoding")
    pieces = [piece for piece in raw.split("&") if piece]
    if len(pieces) > MAX_ARGUMENTS:
        raise Denied(Reason.BAD_QUERY, "too many arguments")
    found: dict[str, str] = {}
    for piece in pieces:
        name, _, value = piece.partition("=")
        name, value = _decode(name), _decode(value)
        if not name:
            raise Denied(Reason.BAD_QUERY, "argument without a name")
        if name in found:
            raise Denied(Reason.BAD_QUERY, "argument given twice")
        found[name] = value
    return found


def is_cache_buster(name: str, value: str) -> bool:
    """Whether an argument only defeats caches: `?1712345678901`, `_=1712345678901`, `t=1712345678901`.

    JupyterLab adds the first to every request that must not come from a cache.
    """
    if _DIGITS.match(name):
        return value == ""
    return name in _BUSTERS and bool(_DIGITS.match(value))


def _decode(piece: str) -> str:
    raw = _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), piece.replace("+", " ").encode("ascii"))
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        # Fails closed: bytes that are not UTF-8 have as many readings as there are readers.
        raise Denied(Reason.BAD_QUERY, "not UTF-8") from None
    if _CONTROL.search(text):
        raise Denied(Reason.BAD_QUERY, "control character")
    return text
