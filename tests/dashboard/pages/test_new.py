"""*New share* in a real browser, over a running gate."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.dashboard.conftest import Office
from tests.dashboard.pages.conftest import COPYING, LONG

pytestmark = pytest.mark.browser


async def look(office: Office, page: Page) -> None:
    await page.goto(f"{office.running.dashboard_url}/new")
    await page.locator("#live[data-state=live]").wait_for(state="attached")


async def test_a_folder_is_found_and_shared_with_a_person(office: Office, page: Page) -> None:
    """Through the folders to the link: what is chosen shows what will be seen; the link can be copied."""
    (office.folder / "week3" / "lab").mkdir()
    (office.folder / "week3" / "lab" / "a.ipynb").write_text("{}")
    await look(office, page)
    await page.locator("[name=for]").fill("Ann")
    await page.get_by_role("button", name="Open week3").click()
    await page.get_by_role("radio", name="lab", exact=True).check()
    await expect(page.locator("#reach li[data-place=root]")).to_have_text("lab")
    await expect(page.locator("#reach li[data-place=inside]")).to_have_text("a.ipynb")
    await expect(page.locator("#reach li[data-place=told]")).to_contain_text("week3")
    await expect(page.get_by_role("heading", name="Ann will see")).to_be_visible()
    await page.get_by_role("radio", name="can edit text").check()
    await page.get_by_role("button", name="Make the link").dblclick()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Here is the link.")
    shares = (await office.call("GET", "shares"))["shares"]
    assert [(one["root"], one["role"], one["links"][0]["name"]) for one in shares] == [("week3/lab", "edit", "Ann")]
    url = (await office.call("GET", f"links/{shares[0]['links'][0]['id']}/url"))["url"]
    await expect(page.get_by_label("The link", exact=True)).to_have_value(url)
    await page.evaluate(COPYING)
    await page.get_by_role("button", name="Copy", exact=True).click()
    await expect(page.locator("#notice")).to_contain_text("Copied")
    assert await page.evaluate("window.copied") == url
    await expect(page.get_by_alt_text("The link as a QR code")).to_be_visible()
    assert url in await page.locator("textarea").input_value()


async def test_attack_a_name_without_end_stays_on_the_page(office: Office, page: Page) -> None:
    """Of whom a link is for, where it is handed out: on a phone nothing is wider than the page."""
    made = await office.share(**{"for": [LONG, "Bo"], "name": LONG})
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.goto(f"{office.running.dashboard_url}/shares/{made['share']['id']}/given")
    await expect(page.get_by_role("heading", name=LONG)).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


async def test_a_class_has_one_link_for_sixty(office: Office, page: Page) -> None:
    """The preset asks for a number only."""
    await look(office, page)
    await page.get_by_role("radio", name="week4").check()
    await page.get_by_role("radio", name="My class").check()
    await page.get_by_role("button", name="Make the link").click()
    await page.get_by_label("The link", exact=True).wait_for()
    (share,) = (await office.call("GET", "shares"))["shares"]
    (link,) = share["links"]
    assert link["kind"] == "open" and link["visits_max"] == 60


async def test_a_link_may_ask_for_more_from_the_beginning(office: Office, page: Page) -> None:
    """Under More; somebody's address is proved by mail."""
    await look(office, page)
    await page.get_by_role("radio", name="week4").check()
    await page.locator("[name=for]").fill("Ann")
    await page.get_by_text("More", exact=True).click()
    await page.get_by_label("Everybody knocks first").check()
    await page.get_by_label("With a passphrase").fill("short")
    await page.get_by_label("Only who proves this e-mail address").fill("ann@example.org")
    await page.get_by_role("button", name="Make the link").click()
    await expect(page.locator("[data-fault=passphrase]")).not_to_be_empty()
    await page.get_by_label("With a passphrase").fill("long enough")
    await page.get_by_role("button", name="Make the link").click()
    await page.get_by_label("The link", exact=True).wait_for()
    (share,) = (await office.call("GET", "shares"))["shares"]
    (link,) = share["links"]
    assert link["ask"] and link["passphrase"] and link["recipient"] == "ann@example.org"


async def test_what_cannot_be_shared_says_why(office: Office, page: Page) -> None:
    """It is there, greyed, and cannot be chosen."""
    (office.folder / ".ssh").mkdir()
    (office.folder / "out").symlink_to("/etc")
    await look(office, page)
    await expect(page.locator("#picker li", has_text="out")).to_contain_text("a link; share what it leads to")
    assert await page.locator("#picker li", has_text="out").locator("input, button").count() == 0
    await page.get_by_text("1 hidden, never shared").click()
    await expect(page.locator("#picker li", has_text=".ssh")).to_contain_text("hidden, never shared")


async def test_a_fault_stands_beside_its_field_and_nothing_typed_is_lost(office: Office, page: Page) -> None:
    """Also inside what was folded away."""
    await look(office, page)
    await page.locator("[name=for]").fill("Ann")
    await page.get_by_role("button", name="Make the link").click()
    await expect(page.locator("#making .trouble, [data-fault~=path]").filter(has_text="path")).not_to_have_count(0)
    await page.get_by_role("radio", name="week3").check()
    await page.get_by_text("More", exact=True).click()
    await page.get_by_label("Begin with").fill("../../etc/passwd")
    await page.get_by_text("More", exact=True).click()
    await page.get_by_role("button", name="Make the link").click()
    field = page.get_by_label("Begin with")
    await expect(field).to_be_focused()
    await expect(field).to_have_attribute("aria-invalid", "true")
    await expect(page.locator("[data-fault~=open]")).to_contain_text("Name a file inside the folder")
    assert await page.locator("[name=for]").input_value() == "Ann"
    assert (await office.call("GET", "shares"))["shares"] == []
