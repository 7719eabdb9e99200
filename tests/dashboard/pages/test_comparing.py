"""Two versions of a document beside each other."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.dashboard.conftest import SERVER, Office
from tests.dashboard.pages.reading import reading
from tests.dashboard.test_versions import PATH, Desk, append


@pytest.fixture
async def desk(office: Office) -> Desk:
    return await Desk(office).sit()


async def test_two_versions_and_one_with_now(desk: Desk) -> None:
    """What one has and the other has not, in both directions, and nothing where they are alike."""
    office = desk.office
    (first,) = await desk.list()
    taken = (await office.call("POST", "snapshots", {"path": str(office.folder / PATH)}))["snapshot"]
    async with reading(office) as reader:
        source = await reader.get(f"/compare?one={first['id']}&other={taken['id']}")
        assert 'data-sign="+"' in source and "ANN" in source and first["label"] in source and taken["label"] in source
        back = await reader.get(f"/compare?one={taken['id']}&other={first['id']}")
        assert "one ANN" in back[back.index('data-sign="-"') :].split("\n")[0]
        assert "Nothing: they are alike." in await reader.words(f"/compare?one={taken['id']}&other={taken['id']}")
        now = await reader.words(f"/compare?one={first['id']}")
        assert "how it is now" in now and "ANN" in now and "week3" in now


@pytest.mark.parametrize("query", ["", "?one=", "?one=nobody", "?one=../x", "?one={first}&other=nobody"])
async def test_what_is_no_version_is_told(desk: Desk, query: str) -> None:
    """404, and nothing else is asked."""
    (first,) = await desk.list()
    async with reading(desk.office) as reader:
        await reader.get("/compare" + query.format(first=first["id"]), 404)


async def test_without_the_document_open_versions_compare_all_the_same(desk: Desk) -> None:
    """Only how it is now cannot be told, and that is said."""
    (first,) = await desk.list()
    desk.office.running.api.versions.live = None
    async with reading(desk.office) as reader:
        assert "They cannot be compared" in await reader.words(f"/compare?one={first['id']}")
        assert "alike" in await reader.words(f"/compare?one={first['id']}&other={first['id']}")


@pytest.mark.browser
async def test_versions_are_chosen_from_the_shares_files(desk: Desk, page: Page) -> None:
    """From the share to what changed, and the other way round."""
    office = desk.office
    office.clock.forward(60)
    taken = (await office.call("POST", "snapshots", {"path": str(office.folder / PATH)}))["snapshot"]
    await desk.documents.write(SERVER, PATH, "ann", append(" MORE"))
    share = (await office.call("GET", "shares"))["shares"][0]["id"]
    await page.goto(f"{office.running.dashboard_url}/shares/{share}/versions")
    await page.get_by_text("Compare", exact=True).click()
    await page.locator("select[name=other]").select_option(taken["id"])
    await page.get_by_role("button", name="See what changed").click()
    await expect(page.locator(".line[data-sign='+']")).to_contain_text("ANN")
    await page.get_by_role("link", name="The other way round").click()
    await expect(page.locator(".line[data-sign='-']")).to_contain_text("ANN")
    assert "MORE" not in await page.locator("main").inner_text()
