"""A link that is passed on, as its owner sees it on a page that was left open: in four browsers."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.gatehouse import Gatehouse
from tests.story.conftest import People
from tests.story.people import Project, Tab

pytestmark = [pytest.mark.browser, pytest.mark.real, pytest.mark.asyncio(loop_scope="package")]


async def test_ann_passes_her_link_on_and_the_owner_decides(
    gate: Gatehouse, project: Project, visitor: Tab, person: People
) -> None:
    """Bo knocks with Ann's link: the open page shows it, the owner lets him in to view. Eve has the address of Bo's
    page and is not let in. The owner's picture shows them all. The owner ends Bo's visit; Ann goes on undisturbed, and
    the admin finds what happened."""
    desk = (await Tab.open(await person())).page
    await desk.goto((await gate.call("POST", "logins"))["url"])
    await desk.locator("#live[data-state=live]").wait_for(state="attached")

    await desk.get_by_role("link", name="New share").click()
    *above, last = project.path.split("/")
    for step in above:
        await desk.get_by_role("button", name=f"Open {step}", exact=True).click()
    await desk.get_by_role("radio", name=last, exact=True).check()
    await expect(desk.locator("#reach li[data-place=inside]", has_text="nb.ipynb")).to_be_visible()
    await desk.locator("[name=for]").fill("Ann")
    await desk.get_by_role("radio", name="can edit text").check()
    await desk.get_by_text("More", exact=True).click()
    await desk.get_by_label("Begin with").fill("nb.ipynb")
    await desk.get_by_role("button", name="Make the link").click()
    url = await desk.get_by_label("The link", exact=True).input_value()
    (share,) = [one["id"] for one in (await gate.call("GET", "shares"))["shares"] if one["root"] == project.path]
    await desk.get_by_role("link", name="Now").first.click()
    await visitor.enter(url)
    await visitor.notebook()

    bo = await Tab.open(await person())
    await bo.knock(url, who="I am somebody else", name="Bo")
    knock = desk.locator(".knock", has_text="“Bo” knocks")
    await expect(knock).to_contain_text("Ann’s link")
    await expect(desk).to_have_title("(1) Now · sharegate")
    await knock.get_by_role("button", name="Admit, can view").click()
    await bo.notebook()
    visits = (await gate.call("GET", "visits", None, share=share, open="1"))["visits"]
    assert {one["name"]: one["role"] for one in visits} == {"Ann": "edit", "Bo": "view"}

    eve = await Tab.open(await person())
    await eve.page.goto(bo.page.url)
    assert await eve.page.locator(".jp-Notebook").count() == 0
    assert len((await gate.call("GET", "visits", None, share=share, open="1"))["visits"]) == 2

    # From the owner over the link to Ann, from her to Bo, and from him to somebody who did not come in.
    await desk.goto(f"{desk.url.partition('?')[0].rstrip('/')}/shares/{share}/passing")
    id_of = {one["name"]: one["id"] for one in visits}
    from_ann = desk.locator(f".tree #node-of-{id_of['Ann']} #node-of-{id_of['Bo']}")
    await expect(from_ann).to_contain_text('says "Bo"')
    await expect(from_ann).to_contain_text("was let in, can come in")
    await expect(from_ann.locator("li.attempt")).to_contain_text("opened it elsewhere, and did not come in")
    await desk.get_by_role("link", name="Now").first.click()

    row = desk.locator("#people .row", has_text="Bo")
    await row.get_by_role("button", name="End visit").click()
    await desk.get_by_role("dialog").get_by_role("button", name="End visit").click()
    await bo.reads("ended")
    await expect(row).to_have_count(0)
    await visitor.type_at_the_end("  # Ann goes on")
    await visitor.shows("# Ann goes on")
    await expect(desk.locator("#people .row", has_text="Ann")).to_be_visible()

    await desk.get_by_role("link", name="Admin").click()
    await desk.get_by_role("link", name="Search").click()
    await desk.get_by_role("searchbox").fill("Bo")
    await desk.keyboard.press("Enter")
    found = desk.get_by_role("row", name="Visitor Bo")
    await expect(found.locator(".state")).to_have_text("ended")
    await desk.get_by_role("link", name="Who passed links on").click()
    over_all = desk.locator(f"#node-of-{id_of['Ann']} #node-of-{id_of['Bo']} li.attempt")
    await expect(over_all).to_contain_text("opened it elsewhere, and did not come in")
    await expect(over_all).to_contain_text("by the address of a page")
