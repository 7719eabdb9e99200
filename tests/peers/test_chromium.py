"""A real browser through nginx: HTTP/2 for the page, a WebSocket beside it, cookies and headers for TLS."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.attacks.pages import make, owning, until
from tests.browser.chromium import launched, named
from tests.peers.conftest import NAME, Way
from tests.real.jupyter import JupyterServer
from tests.story.people import Tab

pytestmark = [pytest.mark.peers, pytest.mark.real, pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with launched(named(NAME)) as running:
        yield running


@pytest.mark.parametrize("way", ["gate", "nginx", "nginx-chp"], indirect=True)
async def test_an_editor_writes_with_the_owner(way: Way, browser: Browser, lab: JupyterServer) -> None:
    """Join, JupyterLab with a live document both ways, and the end, as a person sees them."""
    path = make(lab, f"browser-{way.name}.md", "start\n")
    made = await way.gate.share(role="edit", **{"for": ["Bo"]})
    context = await browser.new_context(ignore_https_errors=True)
    # Chromium trusts authorities of the system only; the certificate itself is checked by the other tests.
    tab = await Tab.open(context)
    protocols: set[str] = set()
    session = await context.new_cdp_session(tab.page)
    session.on("Network.responseReceived", lambda event: protocols.add(event["response"].get("protocol", "")))
    await session.send("Network.enable")
    try:
        await tab.enter(made["links"][0]["url"])
        async with owning(lab) as owner:
            theirs = await owner.open(path)
            await tab.page.locator(".jp-DirListing-item", has_text=f"browser-{way.name}.md").dblclick(timeout=60000)
            assert tab.page.url.startswith(f"{way.origin}/s/")
            text = tab.page.locator(".jp-FileEditor .cm-content")
            await text.wait_for(timeout=60000)
            theirs.type("from the owner\n")
            await tab.page.locator(".jp-FileEditor .cm-line", has_text="from the owner").wait_for(timeout=30000)
            await text.click()
            await tab.page.keyboard.press("Control+End")
            await tab.page.keyboard.type("from Bo")
            await until(lambda: "from Bo" in str(theirs.source), 30)
        assert ("h2" in protocols) is (way.nginx is not None)
        assert all(cookie["secure"] for cookie in await context.cookies())
        await way.gate.call("POST", f"shares/{made['share']['id']}/revoke", {})
        await tab.reads("Olga ended sharing")
    finally:
        await context.close()
