"""A co-owner works in JupyterLab and goes from its banner to the page where people are let in: in three browsers."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.gatehouse import Gatehouse
from tests.story.conftest import People
from tests.story.people import LOADED, Project, Tab, until

pytestmark = [pytest.mark.browser, pytest.mark.real, pytest.mark.asyncio(loop_scope="package")]


async def test_a_co_owner_lets_somebody_in_from_the_notebooks_page(
    gate: Gatehouse, project: Project, visitor: Tab, person: People
) -> None:
    """Ann's banner gets the link when she is marked, and opens a tab of its own. Bo knocks with Dora's link, is let in
    there and has the notebook; Ann's goes on. Taken back, the link is gone from the banner and the page is over."""
    made = await gate.share(project.notebook, role="edit", **{"for": ["Ann", "Dora"]})
    link = made["links"][0]["id"]
    await gate.visit(made, 1, "Dora")
    await visitor.enter(made["links"][0]["url"])
    await visitor.notebook()
    others = visitor.page.locator("#sharegate .sg-others")
    await expect(others).to_be_hidden()
    await gate.call("POST", f"links/{link}/coowner")
    await expect(others).to_be_visible(timeout=LOADED)

    bo = await Tab.open(await person())
    await bo.knock(made["links"][1]["url"], who="I am somebody else", name="Bo")
    async with visitor.page.context.expect_page() as opened:
        await visitor.page.get_by_role("link", name="Who comes in").click()
    desk = await opened.value
    assert await desk.evaluate("window.opener") is None
    button = desk.locator(".row", has_text="Bo").get_by_role("button", name="Let in")
    await button.wait_for(timeout=LOADED)
    inside = desk.locator("#people .row", has_text="Bo")

    async def let_in() -> bool:
        # What has just appeared takes no click for a moment.
        if await button.count():
            await button.click()
        return await inside.count() == 1

    await until(let_in, what="Bo among those inside", every=0.3)
    await bo.notebook()
    await visitor.type_at_the_end("  # Ann goes on")
    await bo.shows("# Ann goes on")
    (told,) = await gate.events(action="knock.admitted", share=made["share"]["id"])
    assert told["actor"].startswith("coowner:")

    await gate.call("DELETE", f"links/{link}/coowner")
    await expect(others).to_be_hidden(timeout=LOADED)
    await expect(desk.get_by_role("heading", name="This page is over")).to_be_visible(timeout=LOADED)
    assert visitor.console == [] and bo.console == []
