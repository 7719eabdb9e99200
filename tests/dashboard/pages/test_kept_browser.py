"""*What is kept of people* in a real browser: what is due leaves at a click."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.conftest import Clock
from tests.dashboard.conftest import Office, opened

pytestmark = pytest.mark.browser

DAY = 86400.0


@pytest.fixture
async def office(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Office]:
    """Something of Ann is older than it may be kept."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "no servers"))
    async with opened(tmp_path, clock, retention_days=1) as running:
        await running.share(**{"for": ["Ann"]})
        clock.forward(2 * DAY)
        yield running


async def due(office: Office) -> int:
    return int((await office.call("GET", "audit/retention"))["due"])


async def ask(office: Office, page: Page, answer: str) -> None:
    await page.goto(f"{office.running.dashboard_url}/history/kept")
    await page.get_by_role("button", name="Let go of what is due now").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("gone for ever")
    await dialog.get_by_role("button", name=answer).click()


async def test_what_is_due_leaves_at_a_click(office: Office, page: Page) -> None:
    """It is asked before; then the names are gone, the acts stand, and nothing is due."""
    assert await due(office) > 0
    await ask(office, page, "Keep it as it is")
    assert await due(office) > 0
    await ask(office, page, "Let go of it")
    await expect(page.get_by_role("button", name="Let go of what is due now")).to_have_count(0)
    assert await due(office) == 0
    made = (await office.call("GET", "audit", action="link.created"))["events"]
    assert [event["name"] for event in made] == [""]


async def test_nothing_leaves_while_the_clock_is_doubted(office: Office, page: Page, clock: Clock) -> None:
    """A date that leapt ahead would let go of everything: the page says so, and names the date before it goes on."""
    clock.forward(30 * DAY)
    await page.goto((await office.call("POST", "logins"))["url"])  # what was signed in is over by then
    await page.wait_for_url(office.running.dashboard_url + "/")
    await page.goto(f"{office.running.dashboard_url}/history/kept")
    await expect(page.locator("main")).to_contain_text("ahead of what it last was")
    await page.get_by_role("button", name="Let go of what is due now").click()
    today = datetime.fromtimestamp(clock(), UTC)
    await expect(page.get_by_role("dialog")).to_contain_text(f"{today.day} {today:%B %Y}")
    await page.get_by_role("dialog").get_by_role("button", name="Keep it as it is").click()
    assert await due(office) > 0
    # A page from before the leap says nothing of it, and nothing goes.
    await page.locator("#due").evaluate("button => button.removeAttribute('data-body')")
    await page.locator("#due").click()
    await page.get_by_role("dialog").get_by_role("button", name="The date is right").click()
    await expect(page.locator("#notice-words")).to_contain_text("ahead of what it last was")
    assert await due(office) > 0
    await ask(office, page, "The date is right: let go of it")
    await expect(page.get_by_role("button", name="Let go of what is due now")).to_have_count(0)
    assert await due(office) == 0
