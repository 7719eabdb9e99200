"""Tokens of programs, made in a page: shown once, listed, revoked."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from sharegate.shares.api_tokens import ApiCapability
from tests.dashboard.client import Program
from tests.dashboard.conftest import Office
from tests.dashboard.pages.reading import reading


async def test_tokens_that_stand_come_first(office: Office) -> None:
    """The newest before the older; what each may do and when it was used; no secret."""
    secret = await office.token("shares:read", days=30)
    office.clock.forward(60)
    made = await office.call("POST", "tokens", {"name": "LMS", "capabilities": ["gate:read"], "expires": 1.9e9 - 7e7})
    over = await office.call("POST", "tokens", {"name": "old", "capabilities": ["gate:read"], "expires": 1.9e9 - 7e7})
    await office.call("POST", f"tokens/{over['token']['id']}/revoke")
    async with reading(office) as reader:
        told = await reader.words("/admin/tokens")
        source = await reader.get("/admin/tokens")
    assert told.index("LMS") < told.index("CI") < told.index("1 token that is over") < told.index("old")
    assert "never used" in told and "shares:read" in told
    for each in ApiCapability:
        assert f'value="{each.value}"' in source
    for each in (secret, made["secret"], over["secret"]):
        assert each[-24:] not in source


@pytest.mark.browser
async def test_a_token_is_made_shown_once_and_ended(office: Office, page: Page) -> None:
    """It works until it is ended; after a look elsewhere it stands nowhere any more."""
    await page.goto(office.running.dashboard_url + "/admin/tokens")
    await page.get_by_role("button", name="Make a token").click()
    await expect(page.locator("#f-name")).to_be_focused()
    await page.get_by_label("What it is for").fill("<b>nightly</b>")
    await page.get_by_label("gate:read").check()
    await page.get_by_role("button", name="Make a token").click()
    await expect(page.get_by_role("heading", name="The token, shown this once")).to_be_focused()
    secret = await page.get_by_label("Token", exact=True).input_value()
    await expect(page.locator("#tokens strong")).to_have_text("<b>nightly</b>")
    program = Program(office, secret)
    try:
        assert (await program.ask("GET", "/api/v1/gate"))[0] == 200
        await page.goto(office.running.dashboard_url + "/admin")
        await page.go_back()
        assert secret not in await page.content()
        assert await page.get_by_label("Token", exact=True).input_value() == ""
        await page.get_by_role("button", name="End it").click()
        await page.get_by_role("dialog").get_by_role("button", name="End it").click()
        await expect(page.get_by_text("There is none.")).to_be_visible()
        assert (await program.ask("GET", "/api/v1/gate"))[0] == 401
    finally:
        await program.close()
