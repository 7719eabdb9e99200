"""The dashboard's button in Chromium, at a provider of accounts that somebody else wrote."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.browser.axe import serious
from tests.conftest import Clock
from tests.dashboard.conftest import Office, opened
from tests.dashboard.pages.conftest import chromium as chromium_of_the_pages
from tests.oidc.mock import real_provider

pytestmark = [pytest.mark.browser]
chromium = chromium_of_the_pages
SHOTS = os.environ.get("SHOTS")
OLGA = {"sub": "olga-1", "email": "olga@uni.example", "email_verified": True}
EVE = {"sub": "eve-2", "email": "eve@uni.example", "email_verified": True}


@pytest.fixture
async def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Office]:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "no servers"))
    secret = tmp_path / "secret"
    secret.write_text("of the client")
    secret.chmod(0o600)
    async with real_provider(OLGA, EVE) as issuer:
        mine = {"oidc_issuer": issuer, "oidc_client_id": "gate", "oidc_name": "Uni", "oidc_owner": [OLGA["email"]]}
        async with opened(tmp_path, Clock(time.time()), oidc_client_secret_file=str(secret), **mine) as office:
            yield office


async def test_the_owner_signs_in_and_somebody_else_does_not(office: Office, chromium: Browser) -> None:
    """Back from the provider the page leads on, with a cookie that no other site's link would carry along."""
    context = await chromium.new_context(viewport={"width": 390, "height": 844})
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", lambda line: complaints.append(line.text) if "Content Security Policy" in line.text else None)
    await page.goto(office.running.dashboard_url + "/login")
    assert await serious(page) == []
    if SHOTS:
        for scheme in ("light", "dark"):
            for width, height in ((390, 844), (1280, 860)):
                await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                await page.set_viewport_size({"width": width, "height": height})
                await page.screenshot(path=f"{SHOTS}/login-{width}-{scheme}.png")
    await page.get_by_role("button", name="Sign in with Uni").click()
    await page.get_by_role("button", name="eve-2", exact=True).click()
    await page.get_by_text("neither the owner's nor an admin's").wait_for()
    await page.get_by_role("button", name="Sign in with Uni").click()
    await page.get_by_role("button", name="olga-1", exact=True).click()
    await page.get_by_role("heading", name="All is quiet.").wait_for()
    assert page.url == office.running.dashboard_url + "/"
    assert await page.get_by_role("link", name="Admin").count() == 0
    (cookie,) = [one for one in await context.cookies() if one["name"] == "sharegate-dashboard"]
    assert cookie["httpOnly"] and cookie["sameSite"] == "Strict"
    # Its scripts may come after what it shows.
    await page.locator("#live[data-state=live]").wait_for(state="attached")
    await page.get_by_role("button", name="Sign out").click()
    # The provider's own page, which asks; its style comes from elsewhere, and is not waited for.
    await page.wait_for_url(f"{office.running.config.oidc_issuer}/oauth2/end_session?*", wait_until="commit")
    await page.get_by_text("Important").wait_for()
    assert await page.get_by_text("id_token_hint", exact=True).count() == 1
    await page.get_by_role("button", name="End session").click(no_wait_after=True)
    await page.get_by_role("button", name="Sign in with Uni").wait_for()
    assert page.url == office.running.dashboard_url + "/login"
    assert not [one for one in await context.cookies() if one["name"] == "sharegate-dashboard"]
    await context.close()
    assert complaints == []
