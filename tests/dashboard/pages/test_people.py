"""A link for each of a list, on *New share* and on a share's Links page, in a real browser: shown first, then made."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, Route, expect

from sharegate.policy.load import builtin_policies
from tests.conftest import Clock
from tests.dashboard.conftest import Office, opened
from tests.dashboard.pages.conftest import DESK, EVIL, PHONE, fine

pytestmark = pytest.mark.browser

USUAL = (builtin_policies() / "sharing.yaml").read_text()
PEOPLE = f"""name,email
Ann Lee,ann@example.org
Bo,
"{EVIL.replace('"', '""')}",cy@example.org
"""


@pytest.fixture
async def office(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Office]:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "no servers"))
    policies = tmp_path / "policies"
    policies.mkdir()
    (policies / "sharing.yaml").write_text(USUAL)
    async with opened(tmp_path, clock, policy_dir=str(policies)) as running:
        yield running


async def picture(page: Page, name: str) -> None:
    """For who looks at them: into the folder that the variable names."""
    if "PICTURES" not in os.environ:
        return
    for scheme, word, (width, height) in (("light", "desk", DESK), ("dark", "phone", PHONE)):
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of the two words
        await page.set_viewport_size({"width": width, "height": height})
        await page.screenshot(path=f"{os.environ['PICTURES']}/people-{name}-{word}.png", full_page=True)
    await page.emulate_media(color_scheme="light")
    await page.set_viewport_size({"width": DESK[0], "height": DESK[1]})


async def new_share(office: Office, page: Page) -> None:
    await page.goto(f"{office.running.dashboard_url}/new")
    await page.locator("#live[data-state=live]").wait_for(state="attached")
    await page.get_by_role("radio", name="week3").check()
    await page.get_by_role("radio", name="A list of people").check()


async def test_a_share_with_a_link_for_each_of_a_list(office: Office, page: Page) -> None:
    """Shown, changed, shown again, and made once, whoever clicks twice; what others wrote is text."""
    await new_share(office, page)
    await page.get_by_role("radio", name="edit").check()
    await page.get_by_role("textbox", name="The list").fill(PEOPLE)
    await page.get_by_role("button", name="Show who gets a link").click()
    await expect(page.get_by_role("heading", name="3 people get a link. Nothing is made yet.")).to_be_focused()
    await expect(page.locator("[data-found] li")).to_have_count(3)
    await expect(page.locator("[data-found] li").first).to_have_text("Ann Lee ann@example.org")
    await expect(page.locator("[data-beside]")).to_contain_text("1 of 3 have no e-mail address.")
    await fine(page)
    await picture(page, "shown")
    assert (await office.call("GET", "shares"))["shares"] == []
    # What was shown is not what stands there any more.
    await page.get_by_role("textbox", name="The list").press("End")
    await page.keyboard.type("\nDi,di@example.org")
    await expect(page.get_by_role("button", name="Make 3 links")).to_be_hidden()
    await page.get_by_role("button", name="Show who gets a link").click()
    await page.get_by_role("button", name="Make 4 links").dblclick()
    await page.wait_for_url("**/links")
    (share,) = (await office.call("GET", "shares"))["shares"]
    assert share["role"] == "edit"
    assert [link["email"] for link in share["links"]] == ["ann@example.org", "", "cy@example.org", "di@example.org"]
    await expect(page.locator("#notice-words")).to_contain_text("4 links are made.")
    await expect(page.get_by_text("Ann Lee", exact=True).first).to_be_visible()
    assert await page.evaluate("window.owned") is None


async def test_what_is_wrong_with_a_list_is_told_by_its_rows(office: Office, page: Page) -> None:
    """Nothing typed is lost and nothing is made; the role and the conditions stay, too."""
    await new_share(office, page)
    bad = "name,email\nAnn,nowhere\n=1,bo@example.org\n"
    await page.get_by_role("textbox", name="The list").fill(bad)
    await page.get_by_role("button", name="Show who gets a link").click()
    rows = page.locator("#rows li")
    await expect(rows).to_have_count(2)
    await expect(rows.nth(0)).to_contain_text("Row 2, email: ")
    await expect(rows.nth(1)).to_have_text("Row 3, name: is a formula of a spreadsheet. Write what it stands for.")
    await expect(page.get_by_role("textbox", name="The list")).to_be_focused()
    assert await page.get_by_role("textbox", name="The list").input_value() == bad
    await fine(page)
    await picture(page, "faults")
    await page.get_by_role("textbox", name="The list").fill("")
    await page.get_by_role("button", name="Show who gets a link").click()
    await expect(page.locator("[data-fault=roster]")).not_to_be_empty()
    assert (await office.call("GET", "shares"))["shares"] == []
    # One person is the form as it was.
    await page.get_by_role("radio", name="One person").check()
    await page.get_by_label("Name (several").fill("Ann")
    await page.get_by_role("button", name="Make the link").click()
    await page.wait_for_url("**/given")


async def test_an_answer_that_comes_late_shows_nothing(office: Office, page: Page) -> None:
    """Of a list that is another one by now nothing is shown, and nothing can be made."""
    await new_share(office, page)
    held = asyncio.Event()

    async def hold(route: Route) -> None:
        await held.wait()
        await route.continue_()

    await page.route("**/api/v1/rosters/share", hold)
    await page.get_by_role("textbox", name="The list").fill("name\nAnn\n")
    await page.get_by_role("button", name="Show who gets a link").click()
    await page.get_by_role("textbox", name="The list").fill("name\nAnn\nBo\n")
    async with page.expect_response("**/api/v1/rosters/share"):
        held.set()
    button = page.get_by_role("button", name="Show who gets a link")
    await expect(button).not_to_have_attribute("aria-disabled", "true")
    await expect(page.locator("[data-shown]")).to_be_hidden()
    await button.click()
    await expect(page.get_by_role("heading", name="2 people get a link. Nothing is made yet.")).to_be_focused()


async def test_a_file_is_read_into_the_list(office: Office, page: Page, tmp_path: Path) -> None:
    """In its encoding; a file of another program is no list; and whoever has a link is told."""
    made = await office.share(**{"for": ["Ann Lee"]})
    await page.goto(f"{office.running.dashboard_url}/shares/{made['share']['id']}/links")
    await page.locator("#live[data-state=live]").wait_for(state="attached")
    await page.get_by_text("Add a list of people").click()
    form = page.locator("#roster")
    sheet = tmp_path / "class.xlsx"
    sheet.write_bytes(b"PK\x03\x04 a workbook")
    await form.get_by_label("or a file").set_input_files(sheet)
    await expect(form.locator("[data-fault=roster]")).to_contain_text("Save as, CSV UTF-8")
    (tmp_path / "class.csv").write_bytes("name\nAnn Lee\nZoë\n".encode("cp1252"))
    await form.get_by_label("or a file").set_input_files(tmp_path / "class.csv")
    await expect(form.locator("[data-read-as]")).to_contain_text("class.csv was read. It is not UTF-8")
    await form.get_by_role("button", name="Show who gets a link").click()
    await expect(form.get_by_role("heading", name="1 person gets a link. Nothing is made yet.")).to_be_focused()
    await expect(form.locator("[data-found] li").first).to_contain_text("Ann Lee · has a link already")
    await fine(page)
    await picture(page, "links")
    # Somebody else's click shows the page anew: what was shown stays.
    await office.call("PATCH", f"shares/{made['share']['id']}", {"name": "Another name"})
    await expect(page.locator("h1")).to_contain_text("Another name")
    await form.get_by_role("button", name="Make 1 link").click()
    await expect(page.locator("#notice-words")).to_contain_text("1 link is made.")
    await expect(page.locator("li[id^=link-]", has=page.get_by_text("Zoë", exact=True))).to_be_visible()
    await expect(form.get_by_role("textbox", name="The list")).to_have_value("")
    share = (await office.call("GET", f"shares/{made['share']['id']}"))["share"]
    assert [link["name"] for link in share["links"]] == ["Ann Lee", "Zoë"]


async def test_what_the_rules_want_is_told_before_anything_is_asked(office: Office, page: Page) -> None:
    """For whom a link is, and what people may do by it; on the page of a share's links, too."""
    told = re.sub(r"(?m)^(\s+edit_asks_for:).*$", r"\1 [passphrase, networks]", USUAL)
    told = re.sub(r"(?m)^(\s+anyone_asks_for:).*$", r"\1 [ask]", told)
    assert told != USUAL
    (office.folder.parent / "policies" / "sharing.yaml").write_text(told)
    await office.call("POST", "rules/reload")
    edit = page.get_by_text("a link by which people edit to ask for a passphrase or networks to come from.")
    anyone = page.get_by_text("a link for anyone to ask for the owner's word on each who opens it.")
    await page.goto(f"{office.running.dashboard_url}/new")
    await expect(page.locator("p.note:visible")).to_have_count(0)
    await page.get_by_role("radio", name="edit").check()
    await expect(edit).to_be_visible()
    for who in ("My class", "Anyone with the link"):
        await page.get_by_role("radio", name=who).check()
        await expect(anyone.locator("visible=true")).to_have_count(1)
    await fine(page)
    await picture(page, "rules")
    made = await office.share(**{"for": ["Ann"]})
    await page.goto(f"{office.running.dashboard_url}/shares/{made['share']['id']}/links")
    await page.get_by_text("Add a link", exact=True).click()
    await page.locator("#add").get_by_role("radio", name="Anyone").check()
    await expect(anyone.locator("visible=true")).to_have_count(1)
    await expect(edit.locator("visible=true")).to_have_count(0)
