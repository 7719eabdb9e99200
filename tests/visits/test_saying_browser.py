"""What a visitor can say from the door's pages, in a real browser: *Report this share*."""

from __future__ import annotations

import pytest

from sharegate.errors import Reason
from sharegate.visits.pages import Ended, Ending
from tests.browser import axe
from tests.visits.conftest import TOKEN, ScriptedGate, Tab, about

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

SUMMARY = "details.report summary"
SEND = 'form[data-form="report"] button[type=submit]'


@pytest.mark.parametrize("state", ["open", "in_use", "ended", "paused"])
async def test_a_report_from_the_door(tab: Tab, door: ScriptedGate, state: str) -> None:
    """However the link stands: what is wrong, some words, thank you. Nothing else is posted."""
    door.about = about(state=state, ended_why="expired" if state == "ended" else "")
    await tab.join()
    await tab.page.click(SUMMARY)
    await tab.page.click(SEND)
    assert "Say first what is wrong." in await tab.text()
    await tab.page.click("text=It asks for passwords")
    await tab.page.fill("textarea", "  It asks for mine\nagain ")
    assert await axe.serious(tab.page) == []
    await tab.page.click(SEND)
    await tab.page.locator("[data-form-done]").wait_for(state="visible")
    assert "Thank you. The report was sent." in await tab.text()
    said = {"token": TOKEN, "concern": "phishing", "text": "It asks for mine\nagain"}
    assert door.posts == [("/join/about", {"token": TOKEN}), ("/join/report", said)]


async def test_a_report_that_is_refused_keeps_the_words(tab: Tab, door: ScriptedGate) -> None:
    """The visitor reads why, and can send again."""
    door.refuse["/join/report"] = Reason.REPORT_LIMIT
    await tab.join(section="offer")
    await tab.page.click(SUMMARY)
    await tab.page.click("text=It is something else")
    await tab.page.fill("textarea", "kept")
    await tab.page.click(SEND)
    await tab.page.locator("#report-trouble", has_text="Too much at once.").wait_for()
    assert await tab.page.input_value("textarea") == "kept"


@pytest.mark.parametrize("state", ["outside", ""])
async def test_nothing_can_be_reported_of_what_is_not_known(tab: Tab, door: ScriptedGate, state: str) -> None:
    """From outside its networks, or by a link that leads nowhere."""
    if state:
        door.about = about(state=state)
    else:
        door.refuse["/join/about"] = Reason.BAD_CREDENTIAL
    await tab.join(section=state or "unknown")
    assert await tab.page.locator(SUMMARY).is_hidden()


@pytest.mark.parametrize("address", ["/s/k7f2k7f2k7/~vvvvvvvvvv/-/ended", "/~vvvvvvvvvv/-/ended"])
async def test_a_report_of_a_visit_that_is_over(tab: Tab, door: ScriptedGate, address: str) -> None:
    """It goes to the visit's own address, in path mode and on a host of its share."""
    door.ending = Ending(why=Ended.REVOKED, owner="Ann", share="Week 3", at=1_800_000_000.0)
    await tab.page.goto(door.url + address)
    await tab.page.click(SUMMARY)
    await tab.page.click("text=It shows private data of people")
    assert await axe.serious(tab.page) == []
    await tab.page.click(SEND)
    await tab.page.locator("[data-form-done]").wait_for(state="visible")
    assert door.posts == [(address.removesuffix("ended") + "report", {"concern": "private", "text": ""})]


async def test_strangers_are_offered_nothing(tab: Tab, door: ScriptedGate) -> None:
    """The page of a visit that nobody proves to have held has no form."""
    door.ending = Ending()
    await tab.page.goto(door.url + "/s/k7f2k7f2k7/~vvvvvvvvvv/-/ended")
    assert await tab.page.locator("form").count() == 0


ASK = 'form[data-form="time"] button[type=submit]'


async def test_more_time_is_asked_for_at_the_door(tab: Tab, door: ScriptedGate) -> None:
    """One click; then the page says that it was asked, and opens by itself when there is more."""
    door.about = about(state="ended", ended_why="expired", ended_at=1_800_000_000.0, time="may")
    await tab.join(section="over")
    assert await axe.serious(tab.page) == []
    assert "Ask Ann for more time" in await tab.text()
    await tab.page.click(ASK)
    await tab.page.locator("p.note", has_text="You asked for more time. Ann has not answered yet.").wait_for()
    assert await tab.page.locator(ASK).is_hidden()
    assert door.posts[-1] == ("/join/time", {"token": TOKEN})
    door.about = about()
    await tab.page.locator('[data-section="offer"]').wait_for(state="visible", timeout=30_000)


@pytest.mark.parametrize(
    ("time", "words"), [("waiting", "has not answered yet"), ("refused", "Ann did not give more time."), ("", "")]
)
async def test_how_asking_stands_is_told_when_somebody_comes_back(
    tab: Tab, door: ScriptedGate, time: str, words: str
) -> None:
    """Who waits, or was refused, is not asked to ask again."""
    door.about = about(state="ended", ended_why="expired", time=time)
    await tab.join(section="over")
    assert words in await tab.text() and await tab.page.locator(ASK).is_hidden()


async def test_more_time_for_a_visit_that_is_over(tab: Tab, door: ScriptedGate) -> None:
    """At the visit's own address, also in German."""
    door.ending = Ending(why=Ended.EXPIRED, owner="Ann", share="Week 3", at=1_800_000_000.0, time="may")
    await tab.page.goto(door.url + "/s/k7f2k7f2k7/~vvvvvvvvvv/lab/../-/ended")
    await tab.page.click(ASK)
    await tab.page.locator("p.note", has_text="You asked for more time.").wait_for()
    assert door.posts == [("/s/k7f2k7f2k7/~vvvvvvvvvv/-/time", {})]
