"""Signing in in Chromium, at a provider of accounts that somebody else wrote."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from tests.browser.axe import serious
from tests.conftest import Clock
from tests.dashboard.conftest import Office, opened
from tests.dashboard.pages.conftest import chromium as chromium_of_the_pages
from tests.oidc.mock import real_provider

pytestmark = [pytest.mark.browser]
chromium = chromium_of_the_pages
ANN = {"sub": "ann-1", "email": "ann@uni.example", "email_verified": True, "groups": ["physics-101"]}
EVE = {"sub": "eve-2", "email": "eve@uni.example", "email_verified": True}
SHOTS = os.environ.get("SHOTS")


@pytest.fixture(params=["", "localhost"], ids=["path mode", "share hosts"])
async def office(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> AsyncIterator[Office]:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "no servers"))
    secret = tmp_path / "secret"
    secret.write_text("of the client")
    secret.chmod(0o600)
    async with real_provider(ANN, EVE) as issuer:
        mine = {"oidc_issuer": issuer, "oidc_client_id": "gate", "oidc_name": "Uni", "share_hosts": request.param}
        mine["oidc_client_secret_file"] = str(secret)
        async with opened(tmp_path, Clock(time.time()), **mine) as office:
            yield office


@pytest.fixture
async def page(chromium: Browser) -> AsyncIterator[Page]:
    context = await chromium.new_context(viewport={"width": 390, "height": 844})
    page = await context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if "Content Security Policy" in line.text else None)
    yield page
    await context.close()
    assert complaints == []


async def shot(page: Page, name: str) -> None:
    if SHOTS:
        for scheme in ("light", "dark"):
            for width, height in ((390, 844), (1280, 860)):
                await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                await page.set_viewport_size({"width": width, "height": height})
                await page.screenshot(path=f"{SHOTS}/{name}-{width}-{scheme}.png", full_page=True)


async def at_the_provider(page: Page, subject: str) -> None:
    await page.get_by_role("button", name=subject, exact=True).click()


async def test_somebody_signs_in_and_opens(office: Office, page: Page) -> None:
    """The button leads to the provider and back to the same door; then it opens by a click. The link stays theirs."""
    made = await office.share("week3", name="Week 3", **{"for": ["Ann"], "account": "ann@uni.example"})
    url = made["links"][0]["url"]
    await page.goto(url)
    button = page.get_by_role("button", name="Sign in with Uni").locator("visible=true")
    await button.wait_for()
    assert "Week 3" not in await page.inner_text("body")
    assert await serious(page) == []
    await shot(page, "sign-in")
    await button.click()
    await at_the_provider(page, "eve-2")
    await page.get_by_text("this link is for another account").locator("visible=true").wait_for()
    await shot(page, "another-account")
    await page.get_by_role("button", name="Sign in with Uni").locator("visible=true").click()
    await at_the_provider(page, "ann-1")
    await page.get_by_text("Signed in as ann@uni.example").locator("visible=true").wait_for()
    assert "#" not in page.url and page.url.endswith("/join")
    assert await serious(page) == []
    await shot(page, "signed-in")
    async with page.expect_response(
        lambda answer: answer.url.endswith("/join") and answer.request.method != "GET"
    ) as said:
        await page.get_by_role("button", name="Open").locator("visible=true").click()
    assert (await said.value).status == 200
    (visit,) = (await office.call("GET", "visits"))["visits"]
    assert visit["badge"] == "✓ ann@uni.example"
