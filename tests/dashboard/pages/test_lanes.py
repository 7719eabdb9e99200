"""The timeline of a share as a picture."""

from __future__ import annotations

import re
from typing import Any

import pytest

from sharegate.audit.events import Action
from sharegate.dashboard.pages.lanes import HIGHEST, MOST, drawn
from tests.dashboard.conftest import Office
from tests.dashboard.pages.party import party
from tests.dashboard.pages.reading import reading, words

HOUR = 3600.0


def lane(**more: Any) -> dict[str, Any]:
    values = {"visit": "v", "label": "k7f2.a1", "badge": "Ann · own link", "name": "Ann", "stays": [], "hours": []}
    return values | more


def answer(*lanes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"since": 0.0, "until": 10 * HOUR, "lanes": list(lanes), "more": 0, "counted_since": None} | more


def test_stays_and_hours_have_their_place() -> None:
    """In per cent of the time that was asked for; what reaches beyond it is cut, who is still in is in until now."""
    stays = [{"since": -HOUR, "until": 5 * HOUR, "how": ""}, {"since": 9 * HOUR, "until": None, "how": ""}]
    hours = [{"at": 2 * HOUR, "opens": 1, "edits": 0, "denials": 3, "acts": 0}]
    found = drawn(answer(lane(stays=stays, hours=hours))).lanes[0]
    assert found.stays == [(0.0, 50.0), (90.0, 10.0)] and found.name == "Ann · own link"
    bar = found.bars[0]
    assert (bar.x, bar.width, bar.edits, bar.denials) == (20.0, 10.0, 0.0, 3) and bar.text == "1 opened, 3 refused"


def test_one_is_seen_beside_a_thousand() -> None:
    """And nothing grows out of its lane."""
    hours = [{"at": 0.0, "opens": count, "edits": count, "denials": 0, "acts": 0} for count in (1, 1000, 10**9)]
    low, high, highest = drawn(answer(lane(hours=hours))).lanes[0].bars
    assert 0 < low.opens < high.opens <= highest.opens == HIGHEST


def test_a_picture_has_an_end() -> None:
    """Whom it leaves out is counted."""
    found = drawn(answer(*(lane() for _ in range(MOST + 5)), more=7))
    assert len(found.lanes) == MOST and found.more == 12


async def test_a_share_is_shown_with_its_hours(office: Office) -> None:
    """Where a share has more entries than one page; whatever else is asked for, its entries are the picture."""
    there = await party(office)
    for number in range(120):
        more = {"path": f"week3/{number}", "method": "PUT" if number % 2 else "GET", "rule": "contents-x"}
        await there.record(Action.REQUEST_ANSWERED, "Bo" if number % 5 else "Ann", after=300.0, **more)
    async with reading(office) as reader:
        source = await reader.get(f"/history?share={there.id}")
        assert "how much they did in each hour" in words(source) and re.search(r"\d opened, \d changed", source)
        assert f"/history?share={there.id}&amp;visit={there.visits['Ann'].id}" in source
        for other in ("&outcome=denied", "&since=1990-01-01", "&who=Bo", "&until=nonsense", "&until=2027-01-15T10:00"):
            assert "in each hour" not in await reader.words(f"/history?share={there.id}{other}"), other


@pytest.mark.parametrize("share", ["nothing", "k7f2k7f2k7", "'"])
async def test_a_share_that_is_not_there_has_no_picture(office: Office, share: str) -> None:
    """The page stands, and is empty."""
    await party(office)
    async with reading(office) as reader:
        assert "Nothing here fits the filter." in await reader.words(f"/history?share={share}")


def test_what_a_co_owner_does_is_seen() -> None:
    """As high as edits, and in words."""
    hours = [{"at": 2 * HOUR, "opens": 0, "edits": 0, "denials": 0, "acts": 3}]
    picture = drawn(answer(lane(hours=hours)))
    (bar,) = picture.lanes[0].bars
    assert bar.edits > 0 and bar.text == "3 at the door"
