"""Where the next page of the history begins, as a word that callers hand back and cannot read."""

from __future__ import annotations

import base64
import binascii
import hashlib

import msgspec

from sharegate.audit.interfaces import Mark, Query
from sharegate.errors import Invalid

_LONGEST = 400


class _Cursor(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    question: str
    writer: str
    seq: int


def cursor_of(query: Query, mark: Mark) -> str:
    """What follows on `mark`, for the same question."""
    packed = msgspec.msgpack.encode(_Cursor(_question(query), mark.writer, mark.seq))
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def mark_of(query: Query, cursor: str) -> Mark | None:
    """None for "", the beginning. Raises Invalid for what was not given out, or to another question."""
    if not cursor:
        return None
    if len(cursor) > _LONGEST or not cursor.isascii():
        raise _not_ours()
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        read = msgspec.msgpack.decode(packed, type=_Cursor)
    except (binascii.Error, msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
        raise _not_ours() from None
    if not read.writer or not 0 < read.seq < 2**53:
        raise _not_ours()
    if read.question != _question(query):
        raise Invalid("cursor", "belongs to another question", "Ask with the same filters and order, or begin anew")
    return Mark(writer=read.writer, seq=read.seq)


def gone() -> Invalid:
    """For a cursor whose entry is not there any more."""
    return Invalid("cursor", "leads to an entry that is not there: other records were put in place", "Begin anew")


def _not_ours() -> Invalid:
    return Invalid("cursor", "is not one that was given out", "Begin anew")


def _question(query: Query) -> str:
    """How much is asked for at once may change from page to page."""
    asked = msgspec.json.encode(msgspec.structs.replace(query, limit=0))
    return hashlib.sha256(asked).hexdigest()[:16]
