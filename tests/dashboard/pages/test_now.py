"""*Now* in a real browser, over a running gate."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, Route, expect

from sharegate.audit.events import Action, AuditEvent
from sharegate.shares.conditions import fingerprint
from sharegate.shares.model import Grant, Role
from tests.dashboard.conftest import Office
from tests.dashboard.pages.conftest import COPYING, EVIL, LONG, Scene
from tests.visits.notebooks import Open

pytestmark = pytest.mark.browser


async def test_an_empty_office_says_what_to_do(page: Page) -> None:
    """Nobody knocks, nobody is here, nothing is shared."""
    await expect(page.get_by_role("heading", level=1)).to_have_text("All is quiet.")
    await page.get_by_role("link", name="Share a folder").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Share a folder")


async def test_a_knock_before_the_page_hears_anything_is_on_it(office: Office, page: Page, scene: Scene) -> None:
    """While its scripts are on their way: it was written already, and nobody would tell it."""
    made = await office.share(**{"for": ["Ann"]})

    async def late(route: Route) -> None:
        await scene.knock(made, "Eve")
        await route.continue_()

    await page.route("**/board.js", late)
    await page.goto(office.running.dashboard_url)
    await expect(page.get_by_role("button", name="Refuse")).to_be_visible()


async def test_a_page_that_is_left_open_hears_a_knock(office: Office, page: Page, scene: Scene) -> None:
    """It appears, is counted in the title of any page, and is said politely; what has the focus keeps it."""
    made = await office.share(role="edit", **{"for": ["Ann"]})
    pause = page.get_by_role("button", name="Pause")
    await pause.focus()
    ann = await scene.visit(made, "Ann")
    await scene.knock(made, "Eve", came_from=ann)
    await expect(page.get_by_role("heading", name="“Eve” knocks")).to_be_visible()
    await expect(page).to_have_title("(1) Now · sharegate")
    await expect(page.locator("#say")).to_have_text("Eve knocks at week3.")
    await expect(page.locator("#knocks")).to_contain_text("same network")
    assert await page.locator("#say").get_attribute("aria-live") == "polite"
    await expect(pause).to_be_focused()


async def test_what_was_proved_stands_with_a_knock_and_so_does_what_was_not(
    office: Office, page: Page, scene: Scene
) -> None:
    """The address that they read mail at, beside the name that they typed; what the link asks for and they lack."""
    made = await office.share(anyone=True, visits=60, passphrase="green bicycle 7")
    await scene.store.change_link(made["links"][0]["id"], domain="berkeley.edu", ask=True)
    link = await scene.store.link(made["links"][0]["id"])
    await scene.knock(made, "Ann", email="ann@berkeley.edu", passphrase=fingerprint(link.passphrase))
    await scene.knock(made, EVIL)
    ann, evil = (page.get_by_role("article").filter(has_text=name) for name in ("“Ann”", EVIL))
    await expect(ann).to_contain_text("They showed that they read the mailbox of ann@berkeley.edu.")
    await expect(ann).not_to_contain_text("did not show")
    await expect(evil).to_contain_text("The link asks for a passphrase and an e-mail address, which they did not show.")
    await expect(evil).not_to_contain_text("mailbox")


@pytest.mark.parametrize(("button", "role"), [("Admit, can view", "view"), ("Admit, can edit text", "edit")])
async def test_admitting_says_as_what(office: Office, page: Page, scene: Scene, button: str, role: str) -> None:
    """At most what the link is for; the visit has that role."""
    made = await office.share(role="edit", **{"for": ["Ann"]})
    await scene.knock(made, "Eve")
    await page.get_by_role("button", name=button).click()
    await expect(page.locator("#notice")).to_contain_text("Let in: Eve")
    await expect(page).to_have_title("Now · sharegate")
    assert "knock.admitted" in await office.actions()
    (event,) = (await office.call("GET", "audit", action="knock.admitted"))["events"]
    visit = await scene.store.visit(event["visit"])
    assert visit.role is not None and visit.role.value == role


async def test_refusing_is_one_click(office: Office, page: Page, scene: Scene) -> None:
    """And is told."""
    await scene.knock(await office.share(**{"for": ["Ann"]}), "Eve")
    await page.get_by_role("button", name="Refuse").click()
    await expect(page.locator("#knocks")).to_have_count(0)
    assert "knock.refused" in await office.actions()


async def test_a_question_stays_open_while_things_happen(office: Office, page: Page, scene: Scene) -> None:
    """Ending a visit is asked first; what happens meanwhile does not close the question, and No changes nothing."""
    made = await office.share(**{"for": ["Ann"]})
    await scene.visit(made, "Ann", where="week3")
    await page.get_by_role("button", name="End visit").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("Ann will be out at once")
    await expect(dialog.get_by_role("button", name="Keep it as it is")).to_be_focused()
    await scene.knock(made, "Eve")
    await expect(page.get_by_text("“Eve” knocks")).to_be_attached()
    await expect(dialog).to_be_visible()
    await page.keyboard.press("Escape")
    assert (await office.call("GET", "visits", open="1"))["visits"]
    await page.get_by_role("button", name="End visit").click()
    await dialog.get_by_role("button", name="End visit").click()
    await expect(page.locator("#people")).to_contain_text("Nobody is here.")
    assert (await office.call("GET", "visits", open="1"))["visits"] == []


async def test_a_door_copies_pauses_and_opens_again(office: Office, page: Page) -> None:
    """A share's one link is copied as it is; pausing shows."""
    made = await office.share(**{"for": ["Ann"]})
    await page.evaluate(COPYING)
    await page.get_by_role("button", name="Copy link").click()
    await expect(page.locator("#notice")).to_contain_text("Copied")
    assert await page.evaluate("window.copied") == made["links"][0]["url"]
    await page.get_by_role("button", name="Pause").click()
    await expect(page.locator(".door .chip")).to_have_text("paused")
    await page.get_by_role("button", name="Resume").click()
    await expect(page.locator(".door .chip")).to_have_text("open")


async def test_a_refusal_is_told_where_it_is_seen(office: Office, page: Page, scene: Scene) -> None:
    """What cannot be done says why and what to do."""
    made = await office.share(**{"for": ["Ann"]})
    await scene.knock(made, "Eve")
    await page.get_by_text("“Eve” knocks").wait_for()
    await office.call("POST", f"shares/{made['share']['id']}/pause")
    await page.get_by_role("button", name="Admit").first.click()
    await expect(page.locator("#notice")).to_contain_text("Resume or extend it first")


async def test_a_raised_hand_shows_the_cell_with_nothing_invisible_in_it(
    office: Office, page: Page, scene: Scene
) -> None:
    """Attack: a cell whose end is turned around or that is markup. The answer is to the source that was shown."""
    made = await office.share(role="edit", **{"for": ["Ann"]})
    ann = await scene.visit(made, "Ann", where="week3")
    share, link = await scene.store.share(made["share"]["id"]), await scene.store.link(made["links"][0]["id"])
    visit = await scene.store.visit(ann)
    notebooks = Open()
    scene.hands.notebooks = notebooks
    path, source = "week3/intro.ipynb", f"x = 1 \u202e# {EVIL}\nprint(x)"
    notebooks.cells = {path: {"c1": source}}
    grant = Grant(share, link, visit, Role.EDIT, frozenset(), share.expires, None)  # type: ignore[arg-type]  # unread
    scene.hands.ask(grant, path, "c1", source)
    card = page.locator("#asks article")
    await expect(card).to_contain_text("asks you to run a cell")
    shown = await card.locator("pre").inner_text()
    assert "\u202e" not in shown and EVIL in shown and "print(x)" in shown
    await expect(page).to_have_title("(1) Now · sharegate")
    await card.get_by_role("button", name="I ran it").click()
    await expect(card).to_have_count(0)
    assert "run.answered" in await office.actions()


async def test_a_document_that_looks_damaged_is_told_until_it_is_seen(office: Office, page: Page) -> None:
    """With a way out."""
    detail = "collapsed: 900 characters in 4 cells became 0 in 1 within a minute"
    event = AuditEvent(action=Action.DOCUMENT_ALARM, actor="gate", path="week3/intro.ipynb", detail=detail)
    office.running.api.happened(event)
    alarm = page.locator("#alarms article")
    await expect(alarm).to_contain_text("lost most of what was in it")
    await alarm.get_by_role("button", name="It is all right").click()
    await expect(alarm).to_have_count(0)


async def test_attack_names_that_are_markup_or_endless(page: Page, scene: Scene) -> None:
    """They are text, and nothing is pushed off the page, at a desk or on a phone."""
    await scene.fill()
    await expect(page.get_by_text(f'says "{EVIL}"')).to_be_visible()
    await expect(page.get_by_text(LONG).first).to_be_visible()
    assert await page.locator("main img").count() == 0 and await page.evaluate("window.owned") is None
    for width in (390, 1280):
        await page.set_viewport_size({"width": width, "height": 800})
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
