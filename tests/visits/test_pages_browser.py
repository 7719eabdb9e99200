"""The door's pages in a real browser, over a gate that answers as the test says."""

from __future__ import annotations

import asyncio
import re
import time

import pytest
from playwright.async_api import Browser

from sharegate.errors import Reason
from sharegate.visits.pages import Ended, Ending
from tests.visits.conftest import INSIDE, TOKEN, ScriptedGate, Tab, about
from tests.visits.looks import OPEN

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def test_an_open_link_shows_who_shares_what_and_spends_nothing(tab: Tab, door: ScriptedGate) -> None:
    """Before a click the page tells owner, share, role, end, message and record, and has posted `about` only."""
    await tab.join(section="offer")
    text = await tab.text()
    for words in (
        "week3/",
        "Ann shares “Week 3” with you.",
        "Start with nb.ipynb.",
        "can view",
        "when you come and go",
        "2 October 2096",
        "CE",
    ):
        assert words in text
    assert re.search(r"\(?in \d+ months", text)
    assert door.posts == [("/join/about", {"token": TOKEN})]
    assert door.origins == {door.url}


async def test_how_long_there_is_left(tab: Tab, door: ScriptedGate) -> None:
    """Days to come are the nearest number, so that seven stay seven for a while; the rest is rounded down."""
    await tab.join(section="offer")
    said = await tab.page.evaluate("""async () => {
      const script = [...document.scripts].find((one) => one.type === 'module' && one.src).src;
      const { distance } = await import(new URL('moments.js', script));
      return [6.9 * 86400, 6.4 * 86400, 2 * 86400, 47.9 * 3600, 119 * 60, 30, -6.9 * 86400, -30]
        .map((seconds) => distance(1e9 + seconds, 1e9));
    }""")
    ahead = ["in 7 days", "in 6 days", "in 2 days", "in 47 hours", "in 1 hour"]
    assert said[:5] == ahead and said[6] == "6 days ago"


async def test_a_click_on_open_joins_and_leaves_the_door_behind(tab: Tab, door: ScriptedGate) -> None:
    """Open posts the token and goes to the visit; the door is no longer in the tab's history."""
    await tab.page.goto(f"{door.url}/elsewhere")
    await tab.join(section="offer")
    await tab.page.click(OPEN)
    await tab.page.wait_for_url(door.url + INSIDE)
    assert door.posts[1:] == [("/join", {"token": TOKEN, "name": ""})]
    assert door.origins == {door.url}
    await tab.page.go_back()
    assert tab.page.url == f"{door.url}/elsewhere"


@pytest.mark.parametrize("state", ["open", "in_use", "ended"])
async def test_the_token_stays_nowhere_but_in_the_scripts_memory(tab: Tab, door: ScriptedGate, state: str) -> None:
    """After load the token is in no address, history entry, storage, element, field or console line."""
    door.about = about(state=state, ended_why="expired" if state == "ended" else "")
    await tab.join()
    await tab.page.wait_for_function("document.title !== 'Shared with you · sharegate'")
    assert tab.page.url == f"{door.url}/join"
    everything = await tab.everything()
    for part in TOKEN.split("."):
        assert part not in everything


async def test_a_script_of_another_page_finds_no_token_after_the_visit_began(tab: Tab, door: ScriptedGate) -> None:
    """Attack: the owner's own script on the gate's origin looks for the token that opened the page it runs in."""
    await tab.join(section="offer")
    await tab.page.click(OPEN)
    await tab.page.wait_for_url(door.url + INSIDE)
    assert TOKEN not in await tab.everything()


async def test_names_and_messages_with_markup_are_shown_as_text(tab: Tab, door: ScriptedGate) -> None:
    """Attack: markup in every text of the answer makes no element and runs nothing."""
    evil = '<img src=x onerror="window.owned=1"><script>window.owned=1</script>'
    door.about = about(
        owner=evil,
        owner_badge=evil + "2",
        share={"name": evil, "kind": "directory", "folder": evil, "message": evil},
        link={"name": evil, "kind": "person"},
        role_sentence=evil,
        recorded=[evil],
    )
    await tab.join(section="offer")
    assert (await tab.text()).count("window.owned=1") >= 12
    assert await tab.page.locator("main img, main script").count() == 0
    assert await tab.page.evaluate("window.owned") is None


async def test_an_open_link_asks_for_a_name(tab: Tab, door: ScriptedGate) -> None:
    """With ask_name the name is required before anything is posted, then posted with the token."""
    door.about = about(ask_name=True, link={"name": "", "kind": "open"})
    await tab.join(section="offer")
    await tab.page.click(OPEN)
    assert "Type your name first." in await tab.text()
    assert await tab.page.evaluate("document.activeElement.name") == "name"
    assert door.posted() == ["/join/about"]
    await tab.page.get_by_label("Your name").locator("visible=true").fill(" \u200b")
    await tab.page.keyboard.press("Enter")
    assert "Type your name first." in await tab.text()
    await tab.page.get_by_label("Your name").locator("visible=true").fill("  Eve ")
    await tab.page.keyboard.press("Enter")
    await tab.page.wait_for_url(door.url + INSIDE)
    assert door.posts[-1] == ("/join", {"token": TOKEN, "name": "Eve"})


async def test_the_same_browser_is_offered_to_continue(tab: Tab, door: ScriptedGate) -> None:
    """State `reenter` shows Continue, and a click posts the join."""
    door.about = about(state="reenter")
    await tab.join(section="offer")
    assert await tab.page.locator(OPEN).inner_text() == "Continue"
    await tab.page.click(OPEN)
    await tab.page.wait_for_url(door.url + INSIDE)


async def test_a_link_in_use_lets_the_other_browser_knock_and_wait(tab: Tab, door: ScriptedGate) -> None:
    """ "I am somebody else" with a name knocks; the page waits in sight and enters once it is admitted."""
    door.about = about(state="in_use")
    door.states = ["waiting", "admitted"]
    await tab.join(section="in_use")
    assert "This link is in use by Bo." in await tab.text()
    await tab.page.click(OPEN)
    assert "Say first who you are." in await tab.text()
    await tab.page.get_by_label("I am somebody else").locator("visible=true").check()
    await tab.page.get_by_label("Your name").locator("visible=true").fill("Eve")
    assert door.posted() == ["/join/about"]
    await tab.page.click(OPEN)
    await tab.see("waiting")
    assert "Waiting for Ann. Keep this page open." in await tab.text()
    assert await tab.page.evaluate("document.activeElement.tagName") == "H1"
    await tab.page.wait_for_url(door.url + INSIDE, timeout=30_000)
    assert door.posts[1] == ("/join/knock", {"token": TOKEN, "name": "Eve", "same_person": False})
    assert door.posts[2:] == [("/join/knock/state", {"knock": "kn0ck"})] * 2


async def test_the_same_person_says_so(tab: Tab, door: ScriptedGate) -> None:
    """ "I am Bo" fills the name and knocks as the same person."""
    door.about = about(state="in_use")
    await tab.join(section="in_use")
    await tab.page.get_by_label("I am Bo").locator("visible=true").check()
    await tab.page.click(OPEN)
    await tab.see("waiting")
    assert door.posts[1] == ("/join/knock", {"token": TOKEN, "name": "Bo", "same_person": True})


@pytest.mark.parametrize(("state", "words"), [("refused", "Ann did not let you in."), ("gone", "not answered")])
async def test_a_knock_that_ends_without_entry_says_what_to_do(
    tab: Tab, door: ScriptedGate, state: str, words: str
) -> None:
    """Refused and gone are told politely; only a knock that went unanswered can be repeated."""
    door.about = about(state="full", link={"name": "", "kind": "open"})
    door.states = [state]
    await tab.join(section="full")
    await tab.page.get_by_label("Your name").locator("visible=true").fill("Eve")
    await tab.page.click(OPEN)
    await tab.see(state)
    text = await tab.text()
    assert words in text and "write to Ann" in text
    again = tab.page.locator('[data-do="knock-again"]:visible')
    assert await again.count() == (1 if state == "gone" else 0)
    if state == "gone":
        await again.click()
        await tab.see("full")


async def test_waiting_survives_a_gate_that_is_away(tab: Tab, door: ScriptedGate) -> None:
    """A poll that fails for a passing reason is told and repeated, and the answer still arrives."""
    door.about = about(state="in_use")
    door.states = ["admitted"]
    door.refuse["/join/knock/state"] = Reason.DRAINING
    await tab.join(section="in_use")
    await tab.page.get_by_label("I am Bo").locator("visible=true").check()
    await tab.page.click(OPEN)
    await tab.page.get_by_text("This page keeps trying.").wait_for(timeout=30_000)
    await tab.page.wait_for_url(door.url + INSIDE, timeout=30_000)


@pytest.mark.parametrize(
    ("state", "why", "by", "words", "knock"),
    [
        ("ended", "revoked", "Ann", ["Ann ended this link.", "ask Ann for a new link"], False),
        ("ended", "expired", "", ["This link has expired.", "Ask Ann to extend it"], True),
        ("ended", "replaced", "Ann", ["This link was replaced by a newer one."], True),
        ("ended", "", "", ["no longer opens anything"], True),
        ("paused", "paused", "Ann", ["Ann paused this link.", "when Ann resumes it"], True),
        ("paused", "suspended", "", ["Sharing is suspended.", "has to confirm"], True),
    ],
)
async def test_a_link_that_is_over_says_what_happened(
    tab: Tab, door: ScriptedGate, state: str, why: str, by: str, words: list[str], knock: bool
) -> None:
    """Each way a link can be over has its own words and its own advice; what is revoked takes no knocks."""
    door.about = about(state=state, ended_why=why, ended_by=by, ended_at=1_790_000_000)
    await tab.join(section="over")
    text = await tab.text()
    assert all(word in text for word in words)
    assert "21 September" in text
    assert door.posted() == ["/join/about"]
    aside = tab.page.locator('[data-section="over"] summary')
    assert await aside.is_visible() is knock
    if knock:
        await aside.click()
        await tab.page.get_by_label("Your name").locator("visible=true").fill("Eve")
        await tab.page.click(OPEN)
        await tab.see("waiting")


async def test_a_link_taken_by_another_browser_meanwhile_is_shown_as_such(tab: Tab, door: ScriptedGate) -> None:
    """When Open is refused because the link changed, the page looks again and shows its new state."""
    await tab.join(section="offer")
    door.refuse["/join"] = Reason.LINK_IN_USE
    door.about = about(state="in_use")
    await tab.page.click(OPEN)
    await tab.see("in_use")
    assert door.posted() == ["/join/about", "/join", "/join/about"]


async def test_too_many_tries_says_how_long_to_wait(tab: Tab, door: ScriptedGate) -> None:
    """A 429 tells the seconds of Retry-After and keeps the button from being pressed meanwhile."""
    door.retry_after = 7
    await tab.join(section="offer")
    door.refuse["/join"] = Reason.JOIN_LIMIT
    await tab.page.click(OPEN)
    await tab.page.get_by_text("Try again in 7 s.").wait_for()
    await tab.page.click(OPEN, force=True)
    assert door.posted() == ["/join/about", "/join"]


async def test_a_double_click_opens_once(tab: Tab, door: ScriptedGate) -> None:
    """Two clicks on Open make one join."""
    await tab.join(section="offer")
    await tab.page.evaluate(
        "() => { const b = document.querySelector('[data-form=open] button[type=submit]'); b.click(); b.click(); }"
    )
    await tab.page.wait_for_url(door.url + INSIDE)
    assert door.posted() == ["/join/about", "/join"]


async def test_a_gate_that_fails_can_be_asked_again(tab: Tab, door: ScriptedGate) -> None:
    """A passing fault keeps the token in memory and Try again shows the link."""
    door.refuse["/join/about"] = Reason.STORE_UNAVAILABLE
    await tab.join(section="problem")
    assert "The gate cannot keep its records" in await tab.text()
    await tab.page.locator('[data-do="again"]:visible').click()
    await tab.see("offer")


async def test_several_owners_at_one_address_are_told(tab: Tab, door: ScriptedGate) -> None:
    """shared_origin is said in words, and is silent otherwise."""
    await tab.join(section="offer")
    assert "Several owners" not in await tab.text()
    door.about = about(shared_origin=True)
    await tab.page.reload()
    await tab.join(section="offer")
    assert "Several owners may share from this address" in await tab.text()


async def test_an_address_of_somebody_elses_visit_offers_to_knock(tab: Tab, door: ScriptedGate) -> None:
    """Opening the address posts nothing; the form knocks with the path, without the query."""
    address = "/s/other/~vvvvvvvvvv/lab/tree/week3"
    await tab.page.goto(f"{door.url}{address}?reset=1")
    assert "This address belongs to somebody’s visit." in await tab.text()
    assert door.posts == []
    await tab.page.get_by_text("Or knock").click()
    await tab.page.get_by_label("Somebody sent me this address").check()
    await tab.page.get_by_label("Your name").fill("Eve")
    await tab.page.click(OPEN)
    await tab.see("waiting")
    assert "Waiting for the owner." in await tab.text()
    assert door.posts[0] == ("/join/knock", {"address": address, "name": "Eve", "same_person": False})
    assert door.origins == {door.url}


async def test_an_ended_page_tells_the_moment_in_the_readers_zone(tab: Tab, door: ScriptedGate) -> None:
    """The end of a visit is shown in local time."""
    door.ending = Ending(Ended.REVOKED, "Ann", "Week 3", 1_790_000_000)
    await tab.page.goto(f"{door.url}/s/x/~y/-/ended")
    await tab.page.get_by_text("CEST").wait_for()
    assert "Ann ended this link." in await tab.text()


@pytest.mark.parametrize("width", [1200, 390, 320])
async def test_nothing_shifts_and_nothing_overflows(tab: Tab, door: ScriptedGate, width: int) -> None:
    """While the answer arrives no visible thing moves, and no width of screen has to scroll sideways."""
    door.about = about(
        share={"name": "W" * 60, "kind": "directory", "folder": "f" * 120, "message": "m" * 500}, ask_name=True
    )
    await tab.page.set_viewport_size({"width": width, "height": 800})
    await tab.page.add_init_script(
        """window.shifts = 0;
        new PerformanceObserver(list => { for (const one of list.getEntries()) window.shifts += one.value; })
          .observe({type: "layout-shift", buffered: true});"""
    )
    await tab.join(section="offer")
    await tab.page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done, 50)))")
    assert await tab.page.evaluate("window.shifts") < 0.001
    assert await tab.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_the_page_can_be_used_by_keyboard_and_announces_itself(tab: Tab, door: ScriptedGate) -> None:
    """The first Tab reaches Open, its heading was announced, and headings and fields have names."""
    await tab.join(section="offer")
    assert await tab.page.locator("#say").inner_text() == "Ann shares “Week 3” with you."
    await tab.page.keyboard.press("Tab")
    assert await tab.page.evaluate("document.activeElement.innerText") == "Open"
    assert await tab.page.locator("h1:visible").count() == 1


async def test_without_scripts_the_page_says_what_it_needs(chromium: Browser, door: ScriptedGate) -> None:
    """The noscript sentence stands alone: no form that could not work."""
    context = await chromium.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{door.url}/join#{TOKEN}")
    assert "This page needs JavaScript." in await page.locator("main").inner_text()
    assert await page.locator("[data-section]:visible").count() == 0
    await context.close()


async def test_the_page_cannot_be_framed(chromium: Browser, door: ScriptedGate) -> None:
    """Attack: a page that frames the door to have Open clicked gets an error frame."""
    context = await chromium.new_context()
    page = await context.new_page()
    await page.goto(f"{door.url}/elsewhere")
    await page.evaluate(
        "url => new Promise(done => { const f = document.createElement('iframe'); f.onload = done; f.src = url;"
        " document.body.append(f); })",
        f"{door.url}/join#{TOKEN}",
    )
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline and not door.posts:
        await asyncio.sleep(0.1)
    assert door.posts == []
    assert "Looking at your link" not in await page.frames[1].content()
    await context.close()
