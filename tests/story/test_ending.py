"""Who may come in by a link, and what the end of a visit looks like on both sides."""

from __future__ import annotations

import time

import pytest

from tests.gatehouse import Gatehouse
from tests.story.conftest import People
from tests.story.people import Project, Tab, until

pytestmark = [pytest.mark.browser, pytest.mark.real, pytest.mark.asyncio(loop_scope="package")]


def _visit(tab: Tab) -> str:
    """The handle of the visit that this page belongs to."""
    return tab.page.url.partition("/~")[2].partition("/")[0]


async def _waiting(gate: Gatehouse, share: str) -> str:
    async def look() -> str | None:
        knocks = (await gate.call("GET", "knocks"))["knocks"]
        return next((each["id"] for each in knocks if each["share"] == share), None)

    return await until(look, what="a knock")


@pytest.mark.ways
async def test_a_link_is_for_one_browser_and_others_knock(
    gate: Gatehouse, project: Project, owner: Tab, visitor: Tab, person: People
) -> None:
    """The same browser comes back into its visit; another one knocks, is admitted, put out, and refused."""
    made = await gate.share(project.path, open_file="nb.ipynb", **{"for": ["Ann"]})
    share, url = made["share"]["id"], made["links"][0]["url"]
    await visitor.enter(url)
    await visitor.notebook()
    first = _visit(visitor)
    await visitor.enter(url, button="Continue")
    await visitor.notebook()
    assert _visit(visitor) == first
    assert len((await gate.call("GET", "visits", None, share=share))["visits"]) == 1

    bo = await Tab.open(await person())
    await bo.knock(url, who="I am somebody else", name="Bo")
    await gate.call("POST", f"knocks/{await _waiting(gate, share)}/admit", {})
    await bo.notebook()
    assert _visit(bo) != first
    await owner.type_at_the_end("  # for both", 1)
    await bo.shows("# for both")
    await visitor.shows("# for both")

    ended = (await gate.call("POST", f"visits/{_visit(bo)}/end", {}))["ended"]
    assert (ended["visits"], ended["pages"]) == (1, 1)
    await bo.reads("This visit has ended")
    assert "for both" not in await bo.page.content()
    await owner.type_at_the_end("  # for Ann alone", 1)
    await visitor.shows("# for Ann alone")
    assert await visitor.page.locator("h1:visible", has_text="ended").count() == 0

    await bo.knock(url, who="I am somebody else", name="Bo")
    await gate.call("POST", f"knocks/{await _waiting(gate, share)}/refuse", {})
    await bo.reads("did not let you in")
    passed = (await gate.call("GET", "audit/passed-on", None, share=share))["people"]
    assert [each["name"] for each in passed[0]["onward"]] == ["Bo", "Bo"]
    assert [each["how"] for each in passed[0]["onward"]] == ["admitted", "refused"]


@pytest.mark.ways
async def test_the_address_of_a_page_admits_nobody(
    gate: Gatehouse, project: Project, visitor: Tab, person: People
) -> None:
    """Pasted into another browser it shows nothing of the share and offers to knock; the owner sees what was done, and
    may let in."""
    made = await gate.share(project.path, open_file="nb.ipynb", **{"for": ["Ann"]})
    share = made["share"]["id"]
    await visitor.enter(made["links"][0]["url"])
    await visitor.notebook()
    bo = await Tab.open(await person())
    await bo.page.goto(visitor.page.url)
    await bo.reads("This address belongs to somebody")
    assert "nb.ipynb" not in await bo.page.locator("body").inner_text()
    assert (await gate.call("GET", "knocks"))["knocks"] == []

    await bo.page.get_by_text("Or knock").click()
    await bo.page.get_by_label("Somebody sent me this address").check()
    await bo.page.get_by_label("Your name").fill("Bo")
    await bo.page.get_by_role("button", name="Knock", exact=True).click()
    await bo.reads("Waiting for")
    await gate.call("POST", f"knocks/{await _waiting(gate, share)}/admit", {})
    await bo.notebook()
    assert _visit(bo) != _visit(visitor)
    passed = (await gate.call("GET", "audit/passed-on", None, share=share))["people"]
    assert [(each["name"], each["how"]) for each in passed[0]["onward"]] == [("", "tried"), ("Bo", "admitted")]
    assert "shared by Olga" in await visitor.banner()


@pytest.mark.ways
async def test_revoking_takes_the_page_away_while_the_owner_types_on(
    gate: Gatehouse, project: Project, owner: Tab, visitor: Tab
) -> None:
    """The visitor reads what happened; the owner's document, file and server go on; the link says that it was ended."""
    made = await gate.share(project.path, open_file="nb.ipynb", **{"for": ["Ann"]})
    url = made["links"][0]["url"]
    await visitor.enter(url)
    await visitor.notebook()
    address = visitor.page.url
    await owner.type_at_the_end("  # bef", 1)
    asked = time.perf_counter()
    ended = (await gate.call("POST", f"shares/{made['share']['id']}/revoke", {}))["ended"]
    await owner.page.keyboard.type("ore and after")
    await visitor.reads("Olga ended sharing", within=5)
    told = (time.perf_counter() - asked) * 1000
    print(f"\nrevoke to notice: {told:.0f} ms (while the owner typed); the gate says {ended}")
    assert "ask Olga" in await visitor.page.locator("#sharegate-end").inner_text()
    assert "Shared notebook" not in await visitor.page.content()

    await project.saved("# before and after")
    await owner.type_at_the_end("  # undisturbed", 1)
    await project.saved("# undisturbed")
    assert await owner.page.locator(".jp-Dialog").count() == 0
    assert owner.console == []

    await visitor.page.goto(address)
    await visitor.reads("Olga ended sharing")
    await visitor.follow(url)
    await visitor.reads("Olga ended this link")
    assert await visitor.page.locator("[data-form=open]").is_hidden()


async def test_a_pause_is_no_end(gate: Gatehouse, project: Project, owner: Tab, visitor: Tab) -> None:
    """A pause takes the page away; after resuming, the same link leads back into the same visit."""
    made = await gate.share(project.path, open_file="nb.ipynb", **{"for": ["Ann"]})
    share, url = made["share"]["id"], made["links"][0]["url"]
    await visitor.enter(url)
    await visitor.notebook()
    visit, address = _visit(visitor), visitor.page.url
    await gate.call("POST", f"shares/{share}/pause", {})
    await visitor.reads("Olga paused sharing")
    await visitor.page.goto(address)
    await visitor.reads("Olga paused sharing")
    await visitor.follow(url)
    await visitor.reads("Olga paused this link")

    await gate.call("POST", f"shares/{share}/resume", {})
    await visitor.enter(url, button="Continue")
    await visitor.notebook()
    assert _visit(visitor) == visit
    await owner.type_at_the_end("  # again", 1)
    await visitor.shows("# again")


async def test_try_again_on_the_page_of_a_pause_comes_back(gate: Gatehouse, project: Project, visitor: Tab) -> None:
    """The notice of a pause has a button, and after resuming it leads back to where the visitor was."""
    made = await gate.share(project.path, open_file="nb.ipynb", **{"for": ["Ann"]})
    await visitor.enter(made["links"][0]["url"])
    await visitor.notebook()
    await gate.call("POST", f"links/{made['links'][0]['id']}/pause", {})
    await visitor.reads("Olga paused this link")
    await gate.call("POST", f"links/{made['links'][0]['id']}/resume", {})
    await visitor.page.get_by_role("button", name="Try again").click()
    await visitor.notebook()


@pytest.mark.ways
async def test_another_device_of_the_same_person(
    gate: Gatehouse, project: Project, visitor: Tab, person: People
) -> None:
    """A code from the banner lets a third browser in as the same person, once."""
    made = await gate.share(project.path, open_file="nb.ipynb", **{"for": ["Ann"]})
    await visitor.enter(made["links"][0]["url"])
    await visitor.notebook()
    await visitor.page.locator("#sharegate").get_by_role("button", name="Use on another device").click()
    code = (await visitor.page.locator(".sg-code").inner_text()).strip()

    phone = await Tab.open(await person(viewport={"width": 390, "height": 800}))
    door = gate.addresses.of(made["share"]["id"])
    await phone.page.goto(door.join)
    await phone.page.get_by_label("Link or code").fill(code)
    await phone.page.get_by_role("button", name="Continue").click()
    await phone.page.get_by_role("button", name="Open here").click()
    await phone.notebook()
    visits = (await gate.call("GET", "visits", None, share=made["share"]["id"], open="1"))["visits"]
    assert [visit["name"] for visit in visits] == ["Ann", "Ann"]
    assert next(visit for visit in visits if visit["id"] == _visit(visitor))["devices"] == 2
    names = [await tab.page.evaluate("() => jupyterapp.serviceManager.user.identity.name") for tab in (visitor, phone)]
    # Anns of earlier tests may still be in, so she may have a number: the same one on both devices.
    assert names[0] == names[1] and names[0].startswith("Ann")

    eve = await Tab.open(await person())
    await eve.page.goto(door.link(f"code={code.replace(' ', '')}"))
    await eve.page.get_by_role("button", name="Open here").click()
    await eve.page.locator("[data-form=device] .trouble", has_text="code").wait_for()
