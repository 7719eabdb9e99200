"""The picture of who passed what on to whom, as a page."""

from __future__ import annotations

import re
from typing import Any

import pytest

from sharegate.audit.events import Action, Outcome
from sharegate.dashboard.pages.passing import nodes
from tests.dashboard.conftest import Office
from tests.dashboard.pages.hostile import EVERYTHING
from tests.dashboard.pages.party import party
from tests.dashboard.pages.reading import foreign, reading, words


def depths(source: str) -> dict[str, int]:
    """How deep each name stands in the lists."""
    found, depth = {}, 0
    main = source[source.index('<ul class="tree"') :]
    name = r'<span class="node-name">(.*?)</span>(?=\s*(?:<span|<code|</span))'
    for piece in re.finditer(rf"<ul|</ul|{name}", main, re.DOTALL):
        if piece[0].startswith("<ul"):
            depth += 1
        elif piece[0] == "</ul":
            depth -= 1
        else:
            found[words(f"<main>{piece[1]}</main>")] = depth
    assert depth == 0
    return found


async def test_the_picture_leads_from_the_owner_to_whoever_was_not_let_in(office: Office) -> None:
    """Real lists in each other: owner, link, Ann, Bo, and Eve's attempt; states stand there in words."""
    there = await party(office)
    async with reading(office) as reader:
        source = await reader.get(f"/shares/{there.id}/passing")
    deep = depths(source)
    assert deep["Olga"] == 1 and deep["Link for Ann"] == deep["Link for Cleo"] == 2
    assert deep['says "Bo"'] == 4 and deep['says "Eve"'] == 5
    told = words(source)
    assert "was let in, can come in" in told and "knocked, and was not let in" in told and "own device" in told
    assert "by the link" in told and "opened in another browser" in told


async def test_each_end_and_each_attempt_has_its_words(office: Office) -> None:
    """Whoever was put out, whoever waits for a paused link, whoever opened an address, whoever waits at the door."""
    there = await party(office)
    links = there.share["links"]
    refused = {"actor": "stranger", "outcome": Outcome.DENIED, "address": "203.0.113.0/24"}
    for _ in range(3):
        origin = there.visits["Bo"].id
        await there.record(
            Action.STRANGER_DENIED, reason="no_credential", link=links[0]["id"], came_from=origin, **refused
        )
    await there.record(Action.LINK_REFUSED, reason="link_used", link=links[1]["id"], **refused)
    await there.came("Cleo", links[1])
    await there.knocked("Dora", links[1], "Ann")
    await office.call("POST", f"visits/{there.visits['Bo'].id}/end")
    await office.call("POST", f"links/{links[1]['id']}/pause")
    async with reading(office) as reader:
        told = await reader.words(f"/shares/{there.id}/passing")
    assert "is out: ended by the owner" in told and "is paused" in told and "cannot come in" in told
    assert "somebody opened it elsewhere, and did not come in 3 times by the address of a page" in told
    assert "somebody opened it, and was not let in" in told and 'says "Dora" is waiting at the door by the link' in told


async def test_who_was_forgotten_is_somebody(office: Office) -> None:
    """The place in the picture stays."""
    there = await party(office)
    await office.call("POST", "audit/erase", {"person": "Bo"})
    async with reading(office) as reader:
        told = await reader.words(f"/shares/{there.id}/passing")
    assert "Bo" not in told and "somebody who was erased" in told


async def test_many_are_counted(office: Office) -> None:
    """Beyond a hundred below one."""
    there = await party(office)
    for number in range(130):
        await there.came(f"Guest {number}", there.share["links"][1])
    async with reading(office) as reader:
        assert "and 30 more" in await reader.words(f"/shares/{there.id}/passing")


@pytest.mark.parametrize("text", EVERYTHING.values(), ids=EVERYTHING)
async def test_attack_hostile_names_in_the_picture(office: Office, text: str) -> None:
    """They are text, in the page of the share and in the report of all."""
    there = await party(office, text[:60].replace("\0", ""), "Bo", "Eve")
    await there.answered(await there.knocked(text, there.share["links"][0], "Bo"))
    async with reading(office) as reader:
        for path in (f"/shares/{there.id}/passing", "/admin/passed-on"):
            assert foreign(await reader.get(path)) == []


async def test_a_picture_of_nothing_is_no_page(office: Office) -> None:
    """A share that is not there."""
    async with reading(office) as reader:
        await reader.get("/shares/k7f2k7f2k7/passing", 404)


async def test_the_report_is_of_all_shares(office: Office) -> None:
    """Each with its owner, and a way to its picture."""
    there = await party(office)
    async with reading(office) as reader:
        source = await reader.get("/admin/passed-on")
    assert f'href="/shares/{there.id}/passing"' in source and "Bo knocked, and was let in" in words(source)


def person(**more: Any) -> dict[str, Any]:
    values = {"name": "Ann", "share": "s", "link": "l", "visit": "v", "came_from": "", "at": 1.0, "how": "joined"}
    return values | {"signs": "", "reason": "", "count": 1, "words": "", "onward": []} | more


def test_attack_a_chain_of_ten_thousand_people() -> None:
    """It is cut where it gets too deep to be drawn, and the rest is counted."""
    root = last = person()
    for _ in range(10_000):
        last["onward"] = [person()]
        last = last["onward"][0]
    node, depth = nodes(root), 0
    while node["below"]:
        node = node["below"][0]
        depth += 1
        if node["kind"] == "more":
            break
    assert depth == 40 and node["count"] == 10_000 - 39
