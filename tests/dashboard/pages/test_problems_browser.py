"""Refusals as the dashboard's pages show them, in a real browser."""

from __future__ import annotations

import pytest
from playwright.async_api import async_playwright

from tests.browser.chromium import FLAGS, executable
from tests.dashboard.conftest import Office

pytestmark = pytest.mark.browser


@pytest.mark.timeout(180)
async def test_pages_show_what_was_refused_and_what_to_do(office: Office) -> None:
    """A key that was used; and a button whose share ended meanwhile."""
    share = (await office.share())["share"]["id"]
    address = (await office.call("POST", "logins"))["url"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable(), args=FLAGS)
        try:
            page = await (await browser.new_context()).new_page()
            complaints: list[str] = []
            page.on("pageerror", lambda error: complaints.append(str(error)))
            await page.goto(address)
            pause = page.locator(f"#share-{share}").get_by_role("button", name="Pause")
            await pause.wait_for()
            # Its scripts may come after what it shows.
            await page.locator("#live[data-state=live]").wait_for(state="attached")
            # The page is not told: it does what it showed.
            await page.evaluate("document.body.addEventListener('changed', (e) => e.stopImmediatePropagation(), true)")
            await page.locator("main").evaluate("element => element.removeAttribute('hx-get')")
            await office.running.gate._store.change_share(share, revoked=office.clock())  # type: ignore[attr-defined]
            await pause.click()
            said = page.locator("#notice-words", has_text="It was revoked, which is for ever. Make a new one.")
            await said.wait_for()

            other = await (await browser.new_context()).new_page()
            await other.goto(address)
            await other.get_by_text("this address works once, for two minutes. Run sharegate open again").wait_for()
            assert complaints == []
        finally:
            await browser.close()
