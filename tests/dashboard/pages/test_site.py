"""Every page as assistive technology reads it, in light and dark, at a desk and on a phone."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser

from tests.browser import axe
from tests.dashboard.conftest import Office
from tests.dashboard.pages.conftest import DESK, PHONE, Scene, sign_in

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_serious(office: Office, chromium: Browser, scene: Scene, scheme: str) -> None:
    """On no page, and nothing is wider than the screen."""
    axe.source()  # skips here, before anything is started
    made = await scene.fill()
    share = f"/shares/{made['share']['id']}"
    pages = ["/", "/new?path=week3", "/new/server", "/new/teams", share, f"{share}/given", "/nothing"]
    pages += [f"{share}/{tab}" for tab in ("links", "versions", "history", "settings")]
    found: dict[str, list[str]] = {}
    context = await chromium.new_context(color_scheme=scheme)  # type: ignore[arg-type]  # one of the two words
    page = await sign_in(office, context)
    for width, height in (DESK, PHONE):
        await page.set_viewport_size({"width": width, "height": height})
        for path in pages:
            await page.goto(office.running.dashboard_url + path)
            await page.locator("#live[data-state=live]").wait_for(state="attached")
            await page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
            found[f"{path} at {width}"] = await axe.serious(page)
            assert await page.evaluate("document.documentElement.scrollWidth") <= width, path
    await context.close()
    assert {path: lines for path, lines in found.items() if lines} == {}
