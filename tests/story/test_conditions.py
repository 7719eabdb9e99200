"""A link that asks for more while somebody is in, in Chromium: the page tells it, and the same link leads back."""

from __future__ import annotations

import pytest

from tests.gatehouse import Gatehouse
from tests.story.people import Project, Tab

pytestmark = [pytest.mark.browser, pytest.mark.real, pytest.mark.asyncio(loop_scope="package")]

FIRST, SECOND = "green bicycle 7", "blue bicycle 8"


def _visit(tab: Tab) -> str:
    return tab.page.url.partition("/~")[2].partition("/")[0]


async def _type(tab: Tab, passphrase: str, button: str) -> None:
    await tab.page.get_by_label("Passphrase").locator("visible=true").fill(passphrase)
    await tab.page.get_by_role("button", name=button, exact=True).click()


@pytest.mark.ways
async def test_a_passphrase_then_another_one_then_everybody_knocks(
    gate: Gatehouse, project: Project, visitor: Tab
) -> None:
    """Nothing of the folder is told before; each time the page closes at once, and its reader comes back to it."""
    made = await gate.share(project.path, open_file="nb.ipynb", passphrase=FIRST, **{"for": ["Ann"]})
    link = made["links"][0]
    await visitor.follow(link["url"])
    await visitor.reads("Olga shares a folder")
    assert project.path.split("/")[-1] not in await visitor.page.locator("body").inner_text()
    await _type(visitor, SECOND, "Open")
    await visitor.page.get_by_text("That is not the passphrase.").wait_for()
    await _type(visitor, FIRST, "Open")
    await visitor.notebook()
    visit = _visit(visitor)

    await gate.call("PATCH", f"links/{link['id']}", {"passphrase": SECOND})
    await visitor.reads("asks for a passphrase now")
    assert "print(6*7)" not in await visitor.page.content()
    await visitor.follow(link["url"])
    await visitor.reads("Olga shares a folder")
    await _type(visitor, SECOND, "Continue")
    await visitor.notebook()
    assert _visit(visitor) == visit

    await gate.call("PATCH", f"links/{link['id']}", {"passphrase": None, "ask": True})
    await visitor.reads("Olga lets people in one by one now")
    await visitor.follow(link["url"])
    await visitor.reads("Olga lets people in one by one.")
    await visitor.page.get_by_label("I am Ann").locator("visible=true").check()
    await visitor.page.get_by_role("button", name="Knock", exact=True).click()
    await visitor.reads("Waiting for")
    (knock,) = (await gate.call("GET", "knocks"))["knocks"]
    assert (knock["name"], knock["same_person"]) == ("Ann", True)
    await gate.call("POST", f"knocks/{knock['id']}/admit", {})
    await visitor.notebook()
    inside = (await gate.call("GET", "visits", None, share=made["share"]["id"], open="1"))["visits"]
    assert [(each["id"], each["kind"]) for each in inside] == [(_visit(visitor), "knock")]
