"""Lists of people who sign in, on the pages that take one: each person with an account of their own."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser import axe
from tests.conftest import Clock
from tests.dashboard.conftest import Office
from tests.dashboard.pages.conftest import DESK, PHONE
from tests.visits.signer import signing

pytestmark = pytest.mark.browser


@pytest.fixture
async def office(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Office]:
    async with signing(tmp_path, clock, monkeypatch) as desk:
        for name in ("red", "blue"):
            (desk.office.folder / "projects" / name).mkdir(parents=True)
        yield desk.office


async def picture(page: Page, name: str) -> None:
    if folder := os.environ.get("SHAREGATE_SHOTS"):
        for scheme, size in (("light", DESK), ("dark", PHONE)):
            await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            await page.set_viewport_size({"width": size[0], "height": size[1]})
            await page.screenshot(path=Path(folder) / f"{name}-{scheme}.png", full_page=True)


async def test_teams_whose_people_sign_in(office: Office, page: Page) -> None:
    """Everybody with the account of their row or address; ticked as it is, nobody who signs in is mailed a code too."""
    await page.goto(f"{office.running.dashboard_url}/new")
    await page.get_by_role("link", name="a share for each team").click()
    await page.get_by_label("Folders of the teams").fill("projects/*")
    roster = "name,email,account,team\nAnn,ann@uni.example,,red\nBo,bo@uni.example,sub:bo-2,blue\n"
    await page.get_by_label("Who is in which team").fill(roster)
    await page.get_by_label("Who signs in at Uni").select_option("own")
    await picture(page, "teams-accounts")
    assert await axe.serious(page) == []
    await page.get_by_role("button", name="Show what would be shared").click()
    await page.get_by_role("button", name="Make 2 links in 2 shares").click()
    await expect(page.get_by_role("heading", name="2 links in 2 shares")).to_be_visible()
    links = [link for share in (await office.everything())["shares"] for link in share["links"]]
    assert {(link["account"], link["recipient"]) for link in links} == {("ann@uni.example", ""), ("sub:bo-2", "")}


async def test_a_list_for_a_share_whose_people_sign_in(office: Office, page: Page) -> None:
    """On the Links page; a row that names nobody's account is told with its row, and nothing is made."""
    made = await office.share(**{"for": ["Olaf"]})
    await page.goto(f"{office.running.dashboard_url}/shares/{made['share']['id']}/links")
    await page.get_by_text("Add a list of people").click()
    form = page.locator("#roster")
    await form.get_by_role("textbox", name="The list").fill("name,account\nAnn,group:staff\n")
    await form.get_by_label("Who signs in at Uni").select_option("own")
    await picture(page, "links-accounts")
    await form.get_by_role("button", name="Show who gets a link").click()
    await expect(form).to_contain_text("stands for several people")
    await form.get_by_role("textbox", name="The list").fill("name,account\nAnn,sub:ann-1\n")
    await form.get_by_role("button", name="Show who gets a link").click()
    await form.get_by_role("button", name="Make 1 link").click()
    await expect(page.locator("#notice-words")).to_contain_text("1 link is made.")
    links = (await office.everything())["shares"][0]["links"]
    assert [link["account"] for link in links] == ["", "sub:ann-1"]
