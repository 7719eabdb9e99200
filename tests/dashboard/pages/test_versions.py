"""A version and the undoing of a person in a real browser, over documents that are open."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.dashboard.conftest import SERVER, Office
from tests.dashboard.test_versions import PATH, Desk, append

pytestmark = pytest.mark.browser


@pytest.fixture
async def desk(office: Office) -> Desk:
    return await Desk(office).sit()


async def test_a_version_shows_what_going_back_would_change_and_goes_back(desk: Desk, page: Page) -> None:
    """From the share's files to the version; the document is as it was, and what was there is kept."""
    office = desk.office
    share = (await office.call("GET", "shares"))["shares"][0]["id"]
    await page.goto(f"{office.running.dashboard_url}/shares/{share}/versions")
    await page.locator("a[href^='/versions/']").last.click()
    await expect(page.locator(".line[data-sign='-']").first).to_contain_text("ANN")
    await page.get_by_role("button", name="Go back to this version").click()
    await expect(page.get_by_role("dialog")).to_contain_text("kept as a version first")
    await page.get_by_role("dialog").get_by_role("button", name="Go back").click()
    await page.wait_for_url("**/versions")
    await expect(page.locator(".row", has_text="before it was restored")).to_be_visible()
    assert "document.restored" in await office.actions()


async def test_attack_a_version_whose_lines_turn_around(desk: Desk, page: Page) -> None:
    """What has no shape has one, as in the terminal."""
    await desk.documents.write(SERVER, PATH, "ann", append(" \u202e\u2066# <b>evil</b>"))
    await page.goto(f"{desk.office.running.dashboard_url}/undo/ann")
    line = page.locator(".line[data-sign='-']").first
    await expect(line).to_contain_text("# <b>evil</b>")
    assert "\u202e" not in await line.inner_text() and "�" in await line.inner_text()


async def test_undoing_a_person_is_looked_at_first(desk: Desk, page: Page) -> None:
    """Looking changes nothing; then it is undone."""
    office = desk.office
    await page.goto(f"{office.running.dashboard_url}/undo/ann")
    await expect(page.locator(".line[data-sign='-']").first).to_contain_text("ANN")
    assert "document.undone" not in await office.actions()
    await page.get_by_role("button", name="Undo these changes").click()
    await page.get_by_role("dialog").get_by_role("button", name="Undo it").click()
    await page.wait_for_url("**/shares/*")
    assert "document.undone" in await office.actions()


async def test_nothing_to_undo_is_told(desk: Desk, page: Page) -> None:
    """And what to do instead."""
    await page.goto(f"{desk.office.running.dashboard_url}/undo/bo")
    await expect(page.get_by_text("There is nothing to take back.")).to_be_visible()


async def test_what_changed_since_the_page_was_shown_is_shown_anew(desk: Desk, page: Page) -> None:
    """What was clicked is not done; the page has the new preview, and its button does that."""
    await page.goto(f"{desk.office.running.dashboard_url}/undo/ann")
    await desk.documents.write(SERVER, PATH, "ann", append(" MORE"))
    for attempt in range(2):
        await page.get_by_role("button", name="Undo these changes").click()
        await page.get_by_role("dialog").get_by_role("button", name="Undo it").click()
        if attempt == 0:
            await expect(page.locator("#notice-words")).to_contain_text("Something changed since this was shown")
            await expect(page.locator(".line[data-sign='-']").first).to_contain_text("MORE")
            assert "document.undone" not in await desk.office.actions()
    await page.wait_for_url("**/shares/*")
    assert desk.content.cells[0]["source"] == "one"
