"""*Share* in a real browser, over a running gate."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.dashboard.conftest import Office
from tests.dashboard.pages.conftest import Scene

pytestmark = pytest.mark.browser


async def look(office: Office, page: Page, share: str, tab: str = "") -> None:
    await page.goto(f"{office.running.dashboard_url}/shares/{share}{tab}")
    await page.locator("#live[data-state=live]").wait_for(state="attached")


async def test_people_are_told_with_their_devices_and_can_be_put_out(office: Office, page: Page, scene: Scene) -> None:
    """Whoever is over is folded away."""
    made = await scene.fill()
    await look(office, page, made["share"]["id"])
    ann = page.locator(".row", has_text="Ann")
    await ann.get_by_text("2 devices").click()
    await expect(ann.locator(".devices")).to_contain_text("Firefox on Linux")
    await ann.get_by_role("button", name="End visit").click()
    await page.get_by_role("dialog").get_by_role("button", name="End visit").click()
    await expect(page.get_by_text("1 visit that is over")).to_be_visible()
    left = (await office.call("GET", "visits", share=made["share"]["id"], open="1"))["visits"]
    assert [one["name"] for one in left] == ["Bo"]


async def test_a_list_of_people_is_added(office: Office, page: Page) -> None:
    """What is wrong is told by its row, and nothing is made; then everybody has a link."""
    made = await office.share(**{"for": ["Ann"]})
    await look(office, page, made["share"]["id"], "/links")
    await page.get_by_text("Add a list of people").click()
    form = page.locator("#roster")
    await form.get_by_role("textbox", name="The list").fill("name,email\nBo,nowhere\n")
    await form.get_by_role("button", name="Show who gets a link").click()
    await expect(form).to_contain_text("no e-mail address")
    await expect(form).to_contain_text("Row 2")
    await form.get_by_role("textbox", name="The list").fill("name\nann\nBo\n")
    await form.get_by_role("button", name="Show who gets a link").click()
    await form.get_by_role("button", name="Make 1 link").click()
    # A link, not what was shown before it was made; and not by its letters alone: "Notebook" has them, too.
    await expect(page.locator("li[id^=link-]", has=page.get_by_text("Bo", exact=True))).to_be_visible()
    share = (await office.call("GET", f"shares/{made['share']['id']}"))["share"]
    assert [link["name"] for link in share["links"]] == ["Ann", "Bo"]


async def test_a_code_for_the_wall(office: Office, page: Page) -> None:
    """Made, shown large with its picture, shown again, and ended."""
    made = await office.share(anyone=True, visits=30)
    link = made["links"][0]["id"]
    await look(office, page, made["share"]["id"], "/links")
    await page.get_by_role("link", name="Code for a wall").click()
    await page.get_by_role("button", name="Make a code").click()
    code = page.locator(".wall-code")
    await expect(code).to_be_visible()
    told = await office.call("GET", f"links/{link}/code")
    assert await code.inner_text() == told["code"] != ""
    await expect(page.get_by_role("img", name="QR code")).to_be_visible()
    await page.reload()
    await expect(code).to_have_text(told["code"])
    await page.get_by_role("button", name="End it now").click()
    await expect(code).to_have_count(0)
    assert (await office.call("GET", f"links/{link}/code"))["expires"] is None


async def test_how_long_a_code_for_the_wall_works(office: Office, page: Page) -> None:
    """As long as was chosen, to the minute, and no longer than a day; what is left is shown."""
    made = await office.share(anyone=True, visits=30)
    link = made["links"][0]["id"]
    await page.goto(f"{office.running.dashboard_url}/links/{link}/code")
    await page.get_by_label("For how long").select_option("2700")
    await page.get_by_role("button", name="Make a code").click()
    first = page.locator(".wall-code")
    await expect(page.locator("main")).to_contain_text("Ends in 45 minutes")
    told = await office.call("GET", f"links/{link}/code")
    assert told["expires"] == office.clock() + 2700
    await expect(first).to_have_text(told["code"])

    await page.get_by_label("For how long").select_option("some minutes …")
    await page.get_by_role("spinbutton").fill("1441")
    await page.get_by_role("button", name="Make another code").click()
    await expect(page.locator("[data-fault=seconds]")).to_contain_text("not from a minute to a day")
    assert (await office.call("GET", f"links/{link}/code"))["expires"] == office.clock() + 2700
    await page.get_by_role("spinbutton").fill("25")
    await page.get_by_role("button", name="Make another code").click()
    await expect(page.locator("main")).to_contain_text("Ends in 25 minutes")
    assert (await office.call("GET", f"links/{link}/code"))["expires"] == office.clock() + 1500


async def test_a_code_is_typed(office: Office, page: Page) -> None:
    """What the picture brings is filled in and leaves the address; a wrong one is told, the right one leads to the
    door."""
    made = await office.share(anyone=True, visits=30)
    told = await office.call("POST", f"links/{made['links'][0]['id']}/code", {})
    await page.goto(f"{told['address']}#{told['code'].replace(' ', '')}")
    field = page.get_by_label("Code")
    await expect(field).to_have_value(told["code"])
    assert page.url == told["address"]
    await field.fill("2222")
    await page.get_by_role("button", name="Go on").click()
    await expect(page.get_by_role("alert")).to_contain_text("all eight")
    await field.fill("2222 2222")
    await page.get_by_role("button", name="Go on").click()
    await expect(page.get_by_role("alert")).to_contain_text("This code opens nothing.")
    await field.fill(told["code"].lower())
    await page.get_by_role("button", name="Go on").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Olga shares")
    assert page.url.endswith("/join")


async def test_a_link_is_added_changed_and_revoked(office: Office, page: Page) -> None:
    """Only what was changed is said; what is being typed is not lost while things happen."""
    made = await office.share(role="edit", **{"for": ["Ann"]})
    share = made["share"]["id"]
    await look(office, page, share, "/links")
    await page.get_by_text("Add a link").click()
    await page.locator("#add").get_by_label("Name", exact=True).fill("Cy")
    await office.call("PATCH", f"shares/{share}", {"name": "Third week"})
    await expect(page.get_by_role("heading", level=1)).to_have_text("Third week")
    await page.get_by_role("button", name="Make the link").click()
    row = page.locator(".row", has_text="Cy")
    await row.get_by_text("Change it").click()
    await row.get_by_label("May").select_option("view")
    await row.get_by_role("button", name="Change").click()
    await expect(page.locator("#notice")).to_contain_text("Changed")
    links = (await office.call("GET", f"shares/{share}"))["share"]["links"]
    assert [(one["name"], one["role"]) for one in links] == [("Ann", None), ("Cy", "view")]
    (event,) = (await office.call("GET", "audit", action="link.changed"))["events"]
    assert event["detail"] == "role"
    await row.get_by_role("button", name="Revoke").click()
    await page.get_by_role("dialog").get_by_role("button", name="Revoke it").click()
    await expect(row.locator(".chip")).to_have_text("revoked")


async def test_a_link_is_made_to_ask_for_more_and_for_less(office: Office, page: Page) -> None:
    """What a link asks for is set, shown in words and taken away; a passphrase is never shown."""
    made = await office.share(**{"for": ["Ann"]})
    await look(office, page, made["share"]["id"], "/links")
    row = page.locator(".row", has_text="Ann")
    await row.get_by_text("Change it").click()
    await row.get_by_label("Everybody knocks first").check()
    await row.get_by_label("With a passphrase").fill("correct horse")
    await row.get_by_label("Only from these networks").fill("10.0.0.0/8\nno network")
    await row.get_by_role("button", name="Change").click()
    await expect(row.locator("[data-fault=networks]")).not_to_be_empty()
    await row.get_by_label("Only from these networks").fill("10.0.0.0/8")
    await row.get_by_role("button", name="Change").click()
    await expect(row.locator(".words")).to_contain_text("asks first · with a passphrase · from 10.0.0.0/8")
    assert "correct horse" not in await page.content()
    await page.reload()
    await row.get_by_text("Change it").click()
    await row.get_by_label("No passphrase any more").check()
    await row.get_by_label("Everybody knocks first").uncheck()
    await row.get_by_label("Only from these networks").fill("")
    await row.get_by_role("button", name="Change").click()
    await expect(row.locator(".words")).not_to_contain_text("passphrase")
    (link,) = (await office.call("GET", f"shares/{made['share']['id']}"))["share"]["links"]
    assert (link["ask"], link["passphrase"], link["networks"], link["not_before"]) == (False, False, [], None)


async def test_settings_are_changed_and_the_share_revoked(office: Office, page: Page, scene: Scene) -> None:
    """The question says what ends."""
    made = await office.share(**{"for": ["Ann"]})
    share = made["share"]["id"]
    await scene.visit(made, "Ann")
    await look(office, page, share, "/settings")
    await page.get_by_label("A word to visitors").fill("Start here")
    await page.locator("#settings").get_by_role("button", name="Change").click()
    await expect(page.locator("#notice")).to_contain_text("Changed")
    assert (await office.call("GET", f"shares/{share}"))["share"]["message"] == "Start here"
    await page.get_by_role("button", name="Revoke").click()
    await expect(page.get_by_role("dialog")).to_contain_text("1 visit will be over at once")
    await page.get_by_role("dialog").get_by_role("button", name="Revoke it").click()
    await expect(page.get_by_text("This share was revoked.")).to_be_visible()


async def test_tabs_have_addresses_and_history_tells_the_newest(office: Office, page: Page) -> None:
    """Back leads back."""
    share = (await office.share(**{"for": ["Ann"]}))["share"]["id"]
    await look(office, page, share)
    await page.get_by_role("link", name="History").last.click()
    await page.wait_for_url("**/history")
    await expect(page.locator(".events li").first).to_be_visible()
    await page.get_by_role("link", name="Files and versions").click()
    await expect(page.get_by_text("No version is kept yet.")).to_be_visible()
    await page.go_back()
    await expect(page.locator(".events li").first).to_be_visible()


async def test_a_share_that_is_not_there_is_told(office: Office, page: Page) -> None:
    """On a page."""
    await page.goto(f"{office.running.dashboard_url}/shares/nothing")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("share")
