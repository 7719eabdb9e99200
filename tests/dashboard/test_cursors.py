"""Lists by page: each record once, whatever comes and goes meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from sharegate.dashboard.cursors import Page
from sharegate.errors import Invalid
from tests.dashboard.conftest import Office
from tests.dashboard.pages.party import party


def cut(
    rows: list[tuple[Any, ...]], query: dict[str, str], question: tuple[str, ...] = ()
) -> tuple[list[tuple[Any, ...]], str]:
    kinds = (str, float) if rows and isinstance(rows[0][0], str) else (float, str)
    page = Page[tuple[Any, ...]](query, question, kinds)
    for row in sorted(rows):
        page.add(row, row)
    return page.rows, page.next


def pages(rows: list[tuple[Any, ...]], most: int) -> list[list[tuple[Any, ...]]]:
    found: list[list[tuple[Any, ...]]] = []
    cursor = ""
    while True:
        asked = {"limit": str(most), "cursor": cursor}
        page, cursor = cut(rows, asked, ("all",))
        found.append(page)
        if not cursor:
            return found


def test_each_row_comes_once_in_its_order() -> None:
    """However small the pages are, and however many stand in one place of the order."""
    rows: list[tuple[Any, ...]] = [(float(number // 3), f"id{number:02}") for number in (7, 3, 9, 1, 0, 5, 2, 8, 4, 6)]
    for most in (1, 3, 9, 10, 1000):
        found = pages(rows, most)
        assert [row for page in found for row in page] == sorted(rows)
        assert [len(page) for page in found[:-1]] == [most] * (len(found) - 1) and found[-1]
    assert pages([], 5) == [[]]


def test_what_comes_and_goes_moves_nothing() -> None:
    """The row that a page ended with may be gone, and others may stand before it now."""
    rows: list[tuple[Any, ...]] = [(float(number), "x") for number in range(6)]
    page, cursor = cut(rows, {"limit": "3"})
    assert page == rows[:3]
    changed = [(-1.0, "new"), *rows[:2], *rows[3:], (9.0, "new")]
    page, cursor = cut(changed, {"limit": "3", "cursor": cursor})
    assert page == rows[3:]
    assert cut(changed, {"limit": "3", "cursor": cursor}) == ([(9.0, "new")], "")
    assert cut([], {"cursor": cursor}) == ([], "")


def test_attack_a_cursor_that_was_not_given_out() -> None:
    """Of another question, of another list, or made up: refused in words."""
    rows: list[tuple[Any, ...]] = [(float(number), "x") for number in range(6)]
    _, cursor = cut(rows, {"limit": "3", "all": "1"}, ("all",))
    _, other = cut([(b, a) for a, b in rows], {"limit": "3"}, ("all",))
    for wrong in ("x", "A" * 500, "é", "gA", cursor[:-2], cursor, other):
        with pytest.raises(Invalid) as told:
            cut(rows, {"cursor": wrong}, ("all",))
        assert told.value.field == "cursor" and told.value.remedy


async def every(office: Office, name: str, most: int, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        answer = await office.call("GET", name, limit=str(most), cursor=cursor, **query)
        assert len(answer[name]) <= most
        found += answer[name]
        cursor = answer["next"]
        if not cursor:
            return found


async def test_shares_and_visits_by_page(office: Office) -> None:
    """The same as in one piece, with each filter; a cursor is for the list and the filter that it was given out for."""
    there = await party(office)
    for number in range(4):
        office.clock.forward(1)
        made = await office.share("week4", name=f"No {number}")
        if number % 2:
            await office.call("POST", f"shares/{made['share']['id']}/revoke")
    for name, queries in (
        ("shares", ({}, {"all": "1"})),
        ("visits", ({}, {"open": "1"}, {"share": there.id}, {"share": there.id, "open": "1"})),
    ):
        for query in queries:
            whole = (await office.call("GET", name, **query))[name]
            for most in (1, 2, 1000):
                assert await every(office, name, most, **query) == whole
    assert len(await every(office, "shares", 2, all="1")) == 5 and len(await every(office, "shares", 2)) == 3
    first = await office.call("GET", "shares", limit="1")
    for name, query in (("shares", {"all": "1"}), ("visits", {})):
        status, answer = await office.ask("GET", name, cursor=first["next"], **query)
        assert (status, answer["error"]["field"]) == (400, "cursor")
    for limit in ("0", "1001", "x"):
        status, answer = await office.ask("GET", "shares", limit=limit)
        assert (status, answer["error"]["field"]) == (400, "limit")
