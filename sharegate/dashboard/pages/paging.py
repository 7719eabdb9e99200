"""Long lists, a page at a time: by a number in the address, which stays what it is while things come and go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from sharegate.dashboard.pages.source import Json

_LARGEST = 1_000_000


@dataclass(frozen=True, slots=True)
class Cut:
    """Some of `count` rows, the first of them number `first` (from 1); `before` and `after` are addresses, "" for none,
    `here` is this page's own."""

    rows: list[Any]
    count: int
    first: int
    before: str
    after: str
    here: str


def asked(query: dict[str, str]) -> int:
    """The number of the page that `query` names, 1 for what is none."""
    text = query.get("page", "")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 8 else 1
    return min(max(number, 1), _LARGEST)


def cut(rows: list[Any], query: dict[str, str], most: int, base: str, **kept: str) -> Cut:
    """The page that `query` names. One past the end is the last: the list may have become shorter."""
    page = min(asked(query), max(1, -(-len(rows) // most)))
    begin = (page - 1) * most
    return placed(rows[begin : begin + most], {"count": len(rows), "page": page, "limit": most}, base, **kept)


def placed(rows: list[Any], told: Json, base: str, **kept: str) -> Cut:
    """The rows of a page as an answer of the API tells its place: `page` of `count` rows, `limit` on each."""
    page, most = told["page"], told["limit"]
    last = max(1, -(-told["count"] // most))

    def address(number: int) -> str:
        values: Json = kept | ({"page": number} if number > 1 else {})
        return f"{base}?{urlencode(values)}" if values else base

    return Cut(
        rows=rows,
        count=told["count"],
        first=(page - 1) * most + 1,
        before=address(page - 1) if page > 1 else "",
        after=address(page + 1) if page < last else "",
        here=address(page),
    )
