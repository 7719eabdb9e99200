"""What visitors say, on the owner's and the admins' pages: asks for more time, reports, and who is told of what."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page

from tests.browser import axe
from tests.dashboard.conftest import Office
from tests.dashboard.pages.conftest import DESK, EVIL, LONG, PHONE, sign_in
from tests.dashboard.visitors import comes

pytestmark = pytest.mark.browser

DAY = 86400.0


async def said(office: Office) -> dict[str, Any]:
    """Two ask for more time, three report: with all that a page must bear."""
    made = await office.share(**{"for": ["Ann", EVIL, LONG], "expires": office.clock() + 0.5 * DAY, "name": "Week 3"})
    ann, evil, long = [await comes(office, made, "x", number) for number in range(3)]
    for who in (ann, evil):
        assert (await who.post(who.base + "-/time", {})).status == 200
    for who, text in ((ann, "It asks for\nmy password"), (evil, EVIL + "\u202egnp"), (long, LONG * 16)):
        reply = await who.post(who.base + "-/report", {"concern": "phishing", "text": text})
        assert reply.status == 200
    return made


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_serious(office: Office, chromium: Browser, scheme: str) -> None:
    """On none of these pages, and nothing is wider than the screen. `SHOTS` names a folder for pictures of them."""
    axe.source()  # skips here, before anything is started
    await said(office)
    found: dict[str, list[str]] = {}
    context = await chromium.new_context(color_scheme=scheme)  # type: ignore[arg-type]  # one of the two words
    page = await sign_in(office, context)
    for width, height in (DESK, PHONE):
        await page.set_viewport_size({"width": width, "height": height})
        for path in ("/", "/admin/reports", "/admin/notifications"):
            await page.goto(office.running.dashboard_url + path)
            await page.locator("#live[data-state=live]").wait_for(state="attached")
            found[f"{path} at {width}"] = await axe.serious(page)
            assert await page.evaluate("document.documentElement.scrollWidth") <= width, path
            if folder := os.environ.get("SHOTS"):
                name = f"{path.rpartition('/')[2] or 'now'}-{scheme}-{width}.png"
                await page.screenshot(path=Path(folder) / name, full_page=True)
    assert await page.evaluate("window.owned") is None
    await context.close()
    assert {path: lines for path, lines in found.items() if lines} == {}


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
