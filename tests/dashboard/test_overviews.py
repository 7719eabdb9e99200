"""Doors and owners, by page number."""

from __future__ import annotations

from typing import Any

import pytest

from sharegate.dashboard.login import Viewer
from sharegate.shares.model import VisitKind
from tests.dashboard.client import Signed
from tests.dashboard.conftest import Office
from tests.stores.records import a_knock, a_link, a_share, a_visit

DAY = 86400.0


@pytest.fixture
async def store(office: Office) -> Any:
    """Twelve shares of two owners, the last of whose visits has most names; one is over."""
    store, now = office.running.gate._store, office.clock()  # type: ignore[attr-defined]
    for number in range(12):
        id, times = f"s{number:03d}", {"created": now - 50 + number, "expires": now + DAY}
        link = a_link(f"l{number}", share=id, **times)
        await store.add_share(a_share(id, owner=("Olga", "Otto")[number % 2], name=f"n{number}", **times), [link])
        for visit in range(number % 4):
            here = a_visit(f"v{number}x{visit}", share=id, link=link.id, name=f"Ann {visit}", **times)
            await store.open_visit(here, seats=None)
    await store.add_knock(a_knock("k2", share="s004", link="l4", created=office.clock()), limit=9)
    await store.change_share("s004", revoked=now)
    return store


async def listed(office: Office, name: str, **query: str) -> tuple[list[Any], dict[str, Any]]:
    """All pages, each of three, and the last answer."""
    rows, page = [], 1
    while True:
        answer = await office.call("GET", name, limit="3", page=str(page), **query)
        assert (answer["page"], answer["limit"]) == (page, 3)
        rows += answer["doors" if name == "doors" else "shares"]
        if len(rows) >= answer["count"]:
            assert len(rows) == answer["count"]
            return rows, answer
        page += 1


async def test_where_somebody_is_comes_first_and_every_door_once(office: Office, store: Any) -> None:
    """Who has a page open or knocks makes a share come first, on whatever page it was; a visit that only could come
    back does not."""
    rows, _ = await listed(office, "doors")
    assert [one["id"] for one in rows] == [f"s{number:03d}" for number in range(12) if number != 4]
    presence = office.running.api._overviews._presence
    presence.page_opened("v11x0")
    presence.page_opened("v7x1")
    await store.add_knock(a_knock("k1", share="s009", link="l9", created=office.clock()), limit=9)
    rows, _ = await listed(office, "doors")
    first = ["s007", "s009", "s011"]
    rest = [f"s{number:03d}" for number in range(12) if number not in (4, 7, 9, 11)]
    assert [one["id"] for one in rows] == first + rest
    here = (await office.call("GET", "visits", here="1"))["visits"]
    assert [one["id"] for one in here] == ["v7x1", "v11x0"] and all(one["here"] for one in here)
    assert [one["share_name"] for one in here] == ["n7", "n11"]
    presence.page_closed("v7x1")
    rows, _ = await listed(office, "doors")
    assert [one["id"] for one in rows][:2] == ["s009", "s011"]
    last = await office.call("GET", "doors", page="99", limit="5")
    assert (last["page"], len(last["doors"])) == (3, 1), "past the end is the last page"


async def test_attack_doors_of_another_owner(office: Office, store: Any) -> None:
    """An owner has pages of their own shares, also where somebody is in others' or knocks there."""
    presence = office.running.api._overviews._presence
    presence.page_opened("v2x0")
    await store.add_knock(a_knock("k1", share="s006", link="l6", created=office.clock()), limit=9)
    otto = Signed(office, viewer=Viewer("Otto", owner="Otto"))
    await otto.enter()
    _, answer = await otto.ask("GET", "/api/v1/doors")
    assert {one["owner"] for one in answer["doors"]} == {"Otto"} and answer["count"] == 6
    _, answer = await otto.ask("GET", "/api/v1/visits?here=1")
    assert answer["visits"] == []
    _, answer = await otto.ask("GET", "/api/v1/gate")
    assert answer["counts"]["shares"] == 6 and answer["counts"]["knocks"] == 0
    status, _ = await otto.ask("GET", "/api/v1/overview")
    assert status == 403
    await otto.close()


async def test_owner_by_owner_the_widest_known_first(office: Office, store: Any) -> None:
    """With how many came, and the sums of all pages on each; what is over stands behind, where it is asked for."""
    rows, answer = await listed(office, "overview")
    told = [(one["share"]["owner"], one["people_count"]) for one in rows]
    assert told == [("Olga", 2)] * 3 + [("Olga", 0)] * 2 + [("Otto", 3)] * 3 + [("Otto", 1)] * 3
    assert answer["counts"] == {"owners": 2, "shares": 11, "links": 11, "people": 18, "inside": 18}
    assert answer["owners"] == [{"name": "Otto", "count": 6}]
    assert [one["last"] is None for one in rows] == [one["people_count"] == 0 for one in rows]
    assert rows[0]["people"] == ['says "Ann 0"', 'says "Ann 1"']
    await store.change_share("s002", paused=True)
    rows, answer = await listed(office, "overview", all="1")
    assert [one["share"]["id"] for one in rows][4:6] == ["s002", "s004"] and answer["counts"]["shares"] == 12
    shut = a_visit("d1", share="s003", link="l3", kind=VisitKind.DEVICE, created=office.clock(), expires=9e9)
    await store.open_visit(shut, seats=None)
    again = await office.call("GET", "overview")
    assert (again["counts"]["people"], again["counts"]["inside"]) == (18, 19), "a device is nobody further"
