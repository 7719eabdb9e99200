"""A person who opens a program's address in Chromium, token and all."""

from __future__ import annotations

import pytest
from playwright.async_api import Request, async_playwright

from tests.browser.chromium import FLAGS, executable
from tests.gatehouse import Program

pytestmark = [pytest.mark.real, pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def test_they_come_to_the_door_and_the_token_stays_in_the_browser(viewer: Program) -> None:
    """Nothing after the first request has it: no address, header or `Referer`; the door shows the link."""
    if executable() is None:
        pytest.skip("Chromium is not installed")
    sent: list[tuple[str, str]] = []

    async def note(request: Request) -> None:
        sent.append((request.url.partition("#")[0], str(await request.all_headers())))

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable(), args=FLAGS)
        page = await browser.new_page()
        page.on("request", note)
        await page.goto(f"{viewer.gate.origin}{viewer.base}lab/tree/sub/shared?token={viewer.cookie}")
        await page.locator('[data-section="offer"]').wait_for(state="visible", timeout=30_000)
        shown = await page.evaluate("[location.href, document.referrer].join(' ')")
        script = f"fetch('{viewer.base}api/me?token={viewer.cookie}').then(answer => answer.status)"
        refused = await page.evaluate(script)
        await browser.close()

    later = [each for each in sent if f"{viewer.base}" not in each[0]]
    assert any(url.endswith("/join") for url, _ in later)
    assert not [each for each in later if viewer.cookie in each[0] + each[1]]
    assert viewer.cookie not in shown
    assert refused == 403
    assert (await viewer.gate.call("GET", "visits"))["visits"] == []
