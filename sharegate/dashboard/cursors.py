"""Long lists of records, a page at a time: a cursor names the place after which the next page begins, so that what
comes and goes meanwhile moves nothing, and nothing comes twice."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

import msgspec

from sharegate.dashboard.bodies import limit
from sharegate.errors import Invalid

T = TypeVar("T")
Place = tuple[float | str, ...]
# Records of a page, at most and where it is not said how many.
MOST = 1000
_LONGEST = 400


class _Cursor(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    question: str
    place: list[float | str]


class Page(Generic[T]):
    """One page of a list in an order: what is handed to `add` by its places, the smallest first.

    `query` has `limit` and `cursor`; `question` are the names of what else it asks for, which a cursor is bound to.
    `kinds` are those of a place, which is different for each row. Raises Invalid for a cursor that was not given out to
    this question.
    """

    def __init__(self, query: Mapping[str, str], question: Iterable[str], kinds: tuple[type, ...]) -> None:
        self._asked = _digest(query, question)
        self._most = limit(dict(query), MOST, MOST)
        self._rows: list[tuple[Place, T]] = []
        self.after = _begun(query.get("cursor", ""), self._asked, kinds)

    def add(self, place: Place, row: T) -> None:
        if self.after is None or place > self.after:
            self._rows.append((place, row))

    @property
    def wanted(self) -> int:
        """Rows to look for, so that it is known whether there are more."""
        return self._most + 1

    @property
    def full(self) -> bool:
        """What comes behind is for the next page."""
        return len(self._rows) > self._most

    @property
    def rows(self) -> list[T]:
        return [row for _, row in self._rows[: self._most]]

    @property
    def next(self) -> str:
        """The cursor of the next page, "" at the end."""
        return _cursor(self._asked, self._rows[self._most - 1][0]) if self.full else ""


def _digest(query: Mapping[str, str], question: Iterable[str]) -> str:
    told = msgspec.json.encode([[name, query.get(name, "")] for name in question])
    return hashlib.sha256(told).hexdigest()[:16]


def _cursor(asked: str, place: Place) -> str:
    packed = msgspec.msgpack.encode(_Cursor(asked, list(place)))
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def _begun(cursor: str, asked: str, kinds: tuple[type, ...]) -> Place | None:
    if not cursor:
        return None
    wrong = Invalid("cursor", "is not one that was given out", "Begin anew")
    if len(cursor) > _LONGEST or not cursor.isascii():
        raise wrong
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        read = msgspec.msgpack.decode(packed, type=_Cursor)
    except (binascii.Error, msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
        raise wrong from None
    if read.question != asked:
        raise Invalid("cursor", "belongs to another question", "Ask with the same filters, or begin anew")
    if [isinstance(part, str) for part in read.place] != [kind is str for kind in kinds]:
        raise wrong
    return tuple(read.place)
