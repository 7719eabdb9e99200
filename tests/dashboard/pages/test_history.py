"""The history's pages, read over HTTP from a running gate."""

from __future__ import annotations

import re
from typing import Any

import pytest

from sharegate.audit.events import Action
from sharegate.dashboard.pages.filters import FIELDS
from tests.dashboard.conftest import Office
from tests.dashboard.pages.hostile import EVERYTHING
from tests.dashboard.pages.party import party
from tests.dashboard.pages.reading import foreign, reading, words


def entries(source: str) -> list[str]:
    """The sentences of a page, the newest first."""
    found = re.findall(r'<p class="told">(.*?)</p>', source, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]*>", "", each).split()) for each in found]


async def test_entries_are_sentences_the_newest_first(office: Office) -> None:
    """With the moment to the millisecond, the share they are of, and a lane for each person."""
    await party(office)
    async with reading(office) as reader:
        source = await reader.get("/history")
    said = entries(source)
    assert said[0].startswith("Ann left.") and said[-1].startswith("Sharegate started")
    assert any("week3" in each and each.startswith("Eve knocked") for each in said)
    lanes = re.findall(r'<p class="lane-name"><bdi>([^<]*)', source)
    assert lanes[:4] == ["The owner", "Ann", "Bo", "Eve"] and lanes[-1] == "sharegate"
    assert re.search(r'datetime="2027-01-15T\d\d:\d\d:\d\d\.\d{3}Z" data-form="exact"', source)
    targets = re.findall(r'href="#(e[^"]*)"', source)
    assert set(targets) <= set(re.findall(r' id="(e[^"]*)"', source)) and len(targets) > len(said)


@pytest.mark.parametrize(
    ("query", "some", "nobody"),
    [
        ("share={share}&who=Bo", "Bo was refused", "Ann"),
        ("share={share}&who={label}", "Bo was refused", "Ann"),
        ("who={label}", "Bo was refused", "Ann"),
        ("visit={visit}", "Bo was refused", "Ann"),
        ("outcome=denied", "Bo was refused", "Ann"),
        ("action=knock.made", "Eve knocked", "Ann"),
        ("path=week4", "week4/solutions.ipynb", "Ann"),
        ("reason=not_found", "week4/solutions.ipynb", "Ann"),
        ("since=2100-01-01", "", "Ann"),
        ("until=2001-01-01T00:00&zone=Europe/Berlin", "", "Ann"),
    ],
)
async def test_filters_leave_out_the_rest(office: Office, query: str, some: str, nobody: str) -> None:
    """By share, person, action, outcome, file and time; what was typed stands in the form again."""
    there = await party(office)
    visits = (await office.call("GET", "visits", share=there.id))["visits"]
    bo = next(visit for visit in visits if visit["name"] == "Bo")
    async with reading(office) as reader:
        source = await reader.get("/history?" + query.format(share=there.id, label=bo["label"], visit=bo["id"]))
    said = entries(source)
    assert all(nobody not in each for each in said) and "not everything is shown" in source
    assert any(some in each for each in said) if some else said == [] and "Nothing here fits" in source


async def test_a_person_of_several_devices_is_one(office: Office) -> None:
    """All that came by their link."""
    there = await party(office)
    async with reading(office) as reader:
        said = entries(await reader.get(f"/history?share={there.id}&who=ann"))
    assert any("came in on another device" in each for each in said) and len(said) >= 8


async def test_whoever_left_is_found_in_their_share(office: Office) -> None:
    """By the name they had, in their share and over all of them."""
    there = await party(office)
    await office.call("POST", f"visits/{there.visits['Bo'].id}/end")
    async with reading(office) as reader:
        source = await reader.get("/history?who=bO")
        # The download is of the same.
        assert "/api/v1/audit/download?person=bO&amp;format=csv" in source
        over_all = entries(source)
        said = entries(await reader.get(f"/history?who=Bo&share={there.id}"))
        nobody = await reader.get("/history?who=Nobody")
    assert any("Bo was refused" in each for each in said)
    assert any("Bo was refused" in each for each in over_all) and not any("Ann" in each for each in over_all)
    assert entries(nobody) == [] and "Nothing here fits" in nobody


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("since=yesterday", "f-since"),
        ("until=31.12.2026", "f-until"),
        ("who=srv2345678", "f-who"),
    ],
)
async def test_what_cannot_be_asked_is_told_beside_the_field(office: Office, query: str, field: str) -> None:
    """The page stands, with what was typed and what to do."""
    await party(office)
    async with reading(office) as reader:
        source = await reader.get("/history?" + query)
    assert 'role="alert"' in source and entries(source) == []
    # A download of everything would not be what the filter leaves.
    assert "/api/v1/audit/download" not in source
    tag = re.search(rf'<input id="{field}"[^>]*>', source)
    assert tag is not None and 'aria-invalid="true"' in tag[0] and query.partition("=")[2] in tag[0]


@pytest.mark.parametrize("text", EVERYTHING.values(), ids=EVERYTHING)
async def test_attack_hostile_values_in_the_trail(office: Office, text: str) -> None:
    """In every field of an entry: no element, no attribute, no control or direction of theirs is in the page."""
    there = await party(office)
    fields: dict[str, Any] = dict.fromkeys(("name", "path", "detail", "address", "agent", "reason", "rule"), text)
    for action in (Action.LINK_JOINED, Action.REQUEST_DENIED, Action.LINK_PASSED_ON, Action.VISIT_ENDED):
        await there.record(action, **fields)
    async with reading(office) as reader:
        source = await reader.get("/history")
    assert foreign(source) == []
    assert not set(source) & {"\x1b", "\x07", "\x00", "\u202e", "\u202c", "\u2066"}
    assert ">49<" not in source and len(source) < 300_000


@pytest.mark.parametrize("text", EVERYTHING.values(), ids=EVERYTHING)
async def test_attack_hostile_values_in_the_address(office: Office, text: str) -> None:
    """In every field of the form: they come back as text, or are refused in words."""
    await party(office)
    async with reading(office) as reader:
        for field in (*FIELDS, "cursor"):
            async with reader.http.get("/history", params={field: text}) as answer:
                source = await answer.text()
            assert answer.status in (200, 400), (field, source[-500:])
            assert foreign(source) == []


async def test_the_history_is_read_as_a_whole_when_the_page_asks(office: Office) -> None:
    """The first page says that it reads; what it then asks for has the verdict, and its limits in words."""
    await party(office)
    async with reading(office) as reader:
        first = await reader.get("/history/intact")
        assert 'hx-get="/history/intact?read=1"' in first and "Reading all entries" in words(first)
        told = await reader.words("/history/intact?read=1")
    assert "✓ History intact" in told and "Entries read" in told and "write all of it anew" in told


async def test_what_is_kept_and_what_forgetting_would_mean(office: Office) -> None:
    """The preview changes nothing; the form beside it calls the API, after which nobody of that name is there."""
    await party(office)
    before = await office.everything()
    async with reading(office) as reader:
        told = await reader.words("/history/kept?person=ann")
        assert "Forgetting ann would" in told and "end the link of Ann for good" in told and "What stays" in told
        assert await office.everything() == before
        unknown = await reader.words("/history/kept?person=Nobody")
        assert "no person" in unknown.lower() and "would" not in unknown.partition("See what would go")[2]
        await office.call("POST", "audit/erase", {"person": "ann"})
        assert not any("Ann" in each for each in entries(await reader.get("/history")))
        assert "✓ Forgotten" in await reader.words("/history/kept?forgotten=1")


async def test_a_page_tells_how_long_names_are_kept(office: Office) -> None:
    """And how many entries leave within a day, a week and a month."""
    await party(office)
    office.clock.forward(399 * 86400.0)
    async with reading(office) as reader:
        told = await reader.words("/history/kept")
    assert "after 400 days" in told and "Within a week 1" in told


async def test_forgetting_begins_where_people_are_seen(office: Office) -> None:
    """From a share's page: one visit that is over, or everybody who was there; each leads to what that would be."""
    here = await party(office)
    visit = here.visits["Ann"].id
    await office.call("POST", f"visits/{visit}/end")
    async with reading(office) as reader:
        source = await reader.get(f"/shares/{here.id}")
        for address in (f"/history/kept?visit={visit}", f"/history/kept?share={here.id}"):
            assert f'href="{address}"' in source
            assert "What stays" in await reader.words(address)
