"""What visitors say, on the owner's and the admins' pages: asks for more time, reports, and who is told of what."""

from __future__ import annotations

import pytest
from playwright.async_api import Page

from tests.dashboard.conftest import Office
from tests.dashboard.pages.party import said

pytestmark = pytest.mark.browser

DAY = 86400.0


async def test_more_time_is_given_with_a_click(office: Office, page: Page) -> None:
    """The other ask is over with it, for the share's end is everybody's; the headline says what waits."""
    made = await said(office)
    await page.goto(office.running.dashboard_url)
    assert "2 people ask for more time." in await page.inner_text("h1")
    assert "all 3 links" in await page.inner_text("#times")
    await page.click("#times article:first-of-type button.main")
    await page.locator("#times").wait_for(state="detached")
    (share,) = (await office.call("GET", "shares"))["shares"]
    assert share["expires"] == made["share"]["expires"] + 7 * DAY


async def test_a_report_is_closed_and_its_share_paused(office: Office, page: Page) -> None:
    """From the same page, with a note; what is closed is still found."""
    made = await said(office)
    await page.goto(office.running.dashboard_url + "/admin/reports")
    assert "3 reports wait" in await page.inner_text("#reports-title")
    assert await page.locator("#reports bdi", has_text="\u202e").count() == 0
    card = page.locator("#reports li", has_text="my password")
    await card.get_by_label("What came of it").fill("asked Olga")
    await card.get_by_role("button", name="Close it").click()
    await page.locator("#reports-title", has_text="2 reports wait").wait_for()
    await page.locator("#reports li").first.get_by_role("button", name="Pause the share").click()
    await page.get_by_role("button", name="Pause it").click()
    await page.locator("#reports .state.paused").first.wait_for()
    assert (await office.call("GET", f"shares/{made['share']['id']}"))["share"]["state"] == "paused"
    await page.click("text=Also those that are closed")
    await page.locator("text=asked Olga").wait_for()
