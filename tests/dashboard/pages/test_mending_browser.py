"""What an owner does on a share's pages when something is to be put right, in a real browser."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.dashboard.conftest import SERVER, Office
from tests.dashboard.pages.conftest import Scene
from tests.dashboard.test_versions import PATH, Desk, cells

pytestmark = pytest.mark.browser


async def look(office: Office, page: Page, path: str) -> None:
    await page.goto(office.running.dashboard_url + path)
    await page.locator("#live[data-state=live]").wait_for(state="attached")


async def state(office: Office, share: str) -> Any:
    return (await office.call("GET", f"shares/{share}"))["share"]["state"]


async def test_a_suspended_share_is_confirmed(office: Office, page: Page) -> None:
    """The page says what happened, and confirming opens it again; while nothing is there, it is refused in words."""
    share = (await office.share())["share"]["id"]
    store: Any = office.running.api._store
    await store.change_share(share, suspended=True)
    (office.folder / "week3").rename(office.folder / "away")
    await look(office, page, f"/shares/{share}")
    await expect(page.get_by_text("was moved, replaced or turned into a link")).to_be_visible()
    await page.get_by_role("button", name="Confirm").click()
    await expect(page.locator("#notice-words")).to_contain_text("There is no directory 'week3'")
    assert await state(office, share) == "suspended"
    (office.folder / "week3").mkdir()
    await page.get_by_role("button", name="Confirm").click()
    await expect(page.locator("#notice-words")).to_have_text("Open again.")
    await expect(page.get_by_role("button", name="Confirm")).to_have_count(0)
    assert await state(office, share) == "active"


async def test_a_share_is_seen_as_visitors_do(office: Office, page: Page) -> None:
    """In a window of its own at the gate's address, by a link that is counted nowhere."""
    share = (await office.share())["share"]["id"]
    await look(office, page, f"/shares/{share}/settings")
    async with page.expect_popup() as opened:
        await page.get_by_role("button", name="See it as visitors do").click()
    door = await opened.value
    await door.wait_for_url(f"{office.running.gate_url}/**")
    await expect(door.get_by_role("heading").first).to_be_visible()
    assert await door.evaluate("window.opener") is None
    await door.close()
    told = (await office.call("GET", f"shares/{share}"))["share"]
    assert told["visits_open"] == 0 and len(told["links"]) == 1


async def test_a_link_gets_another_address(office: Office, page: Page, scene: Scene) -> None:
    """After a question; the old one is over, and whoever came by it stays as the question says."""
    made = await office.share(**{"for": ["Ann"]})
    share, link = made["share"]["id"], made["links"][0]["id"]
    before = (await office.call("GET", f"links/{link}/url"))["url"]
    await look(office, page, f"/shares/{share}/links")
    await page.get_by_text("Change it").click()
    replace = page.locator(f"[data-call='POST /api/v1/links/{link}/replace']")
    await replace.click()
    await page.locator("#ask-no").click()
    assert (await office.call("GET", f"shares/{share}"))["share"]["links"][0]["id"] == link
    assert "link.replaced" not in await office.actions()
    await replace.click()
    await page.locator("#ask-yes").click()
    await expect(page.locator("#notice")).to_be_visible()
    assert "link.replaced" in await office.actions()
    (standing,) = [
        one for one in (await office.call("GET", f"shares/{share}"))["share"]["links"] if one["state"] == "active"
    ]
    assert (await office.call("GET", f"links/{standing['id']}/url"))["url"] != before


async def test_single_cells_are_restored(office: Office, page: Page) -> None:
    """The others stay as they are now."""
    desk = await Desk(office).sit()
    (first,) = await desk.list()

    def writes(doc: Any) -> None:
        source = cells(doc)[1]["source"]
        source += " BO"

    await desk.documents.write(SERVER, PATH, "bo", writes)
    await look(office, page, f"/versions/{first['id']}")
    await page.get_by_label("Cell 1").check()
    await page.get_by_role("button", name="Go back to this version").click()
    await page.locator("#ask-yes").click()
    await page.wait_for_url("**/versions")
    assert [str(cell["source"]) for cell in desk.content.cells] == ["one", "two BO"]


async def test_servers_are_added_and_forgotten(office: Office, page: Page) -> None:
    """One on this computer is for the terminal, which the page says beside the field; nothing typed is lost."""
    await look(office, page, "/new/server")
    await page.get_by_label("Address").fill("http://127.0.0.1:8888/")
    await page.get_by_role("button", name="Add").click()
    await expect(page.locator("[data-fault~=url]")).to_contain_text("added in its terminal")
    await expect(page.get_by_label("Address")).to_have_value("http://127.0.0.1:8888/")
    await page.get_by_role("button", name="Forget").click()
    await page.locator("#ask-yes").click()
    await expect(page.get_by_role("button", name="Forget")).to_have_count(0)
    assert (await office.call("GET", "servers"))["servers"] == []
    assert "upstream.removed" in await office.actions()
