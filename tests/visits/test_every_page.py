"""Every page that a visitor meets, in Chromium, in each language: fit for everybody, and silent."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from sharegate.errors import Reason
from sharegate.visits import pages
from sharegate.visits.pages import Ended, Ending
from tests.browser.fit import unfit
from tests.visits.conftest import TOKEN, ScriptedGate, Tab, about
from tests.visits.looks import HIDDEN, OPEN

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

TEMPLATES = Path(pages.__file__).parent / "templates"
OPEN_LINK = {"name": "", "kind": "open"}
MAIL = {"mail": {"to": "b…@berkeley.edu", "domain": ""}, **HIDDEN}
DOMAIN = {"mail": {"to": "", "domain": "berkeley.edu"}, "ask_name": True, **HIDDEN, "link": OPEN_LINK}
SIGN_IN = {"to": "b…@berkeley.edu", "domain": "", "provider": "Berkeley", "signed": "", "fits": False, "problem": ""}


async def click(tab: Tab, what: str = OPEN) -> None:
    await tab.page.locator(what).first.click()


async def knocks(tab: Tab) -> None:
    await tab.page.locator("input[name=name]:visible").fill("Eve")
    await click(tab)
    await tab.page.locator('[data-section="in_use"]').wait_for(state="hidden")


async def unfold(tab: Tab) -> None:
    for summary in await tab.page.locator("summary:visible").all():
        await summary.click()


async def mail(tab: Tab) -> None:
    await click(tab)
    await tab.page.locator("input.code:visible").wait_for()


async def mail_to(tab: Tab) -> None:
    await tab.page.locator("input[name=email]:visible").fill("bo@berkeley.edu")
    await mail(tab)


async def trouble(tab: Tab) -> None:
    await click(tab)
    await tab.page.locator(".trouble:visible:not(:empty)").first.wait_for()


async def report(tab: Tab) -> None:
    await unfold(tab)
    await tab.page.locator('[data-form="report"] input').first.check()
    await click(tab, '[data-form="report"] button')
    await tab.page.locator("[data-form-done]").wait_for(state="visible")


async def asks(tab: Tab) -> None:
    await click(tab, '[data-form="time"] button')
    await tab.page.locator('[data-when="time=waiting"]').wait_for(state="visible")


async def code(tab: Tab) -> None:
    await tab.page.locator('[data-form="start"] input').fill("ABCD 2345")
    await click(tab)


async def nothing(tab: Tab) -> None:
    """As it stands when it has come."""


Act = Callable[[Tab], Awaitable[None]]
# The section that shows in the end, how the link stands, and what somebody does there.
DOOR: dict[str, tuple[str, dict[str, Any], Act]] = {
    "one person": ("offer", {}, unfold),
    "a class": ("offer", {"ask_name": True, "link": OPEN_LINK}, nothing),
    "a name is missing": ("offer", {"ask_name": True, "link": OPEN_LINK}, trouble),
    "again": ("offer", {"state": "reenter"}, nothing),
    "several owners": ("offer", {"shared_origin": True, "owner_badge": "✓ ann@berkeley.edu"}, nothing),
    "a passphrase": ("offer", {"needs": ["passphrase"], **HIDDEN}, trouble),
    "mail": ("offer", {"needs": ["email"], **MAIL}, nothing),
    "mailed": ("offer", {"needs": ["email"], **MAIL}, mail),
    "mail at a domain": ("offer", {"needs": ["email"], **DOMAIN}, nothing),
    "mailed at a domain": ("offer", {"needs": ["email"], **DOMAIN}, mail_to),
    "signing in": ("offer", {"needs": ["account"], **HIDDEN, "account": SIGN_IN}, nothing),
    "another account": (
        "offer",
        {"needs": ["account"], **HIDDEN, "account": {**SIGN_IN, "signed": "eve@berkeley.edu"}},
        nothing,
    ),
    "signed in": (
        "offer",
        {"needs": ["account"], "account": {**SIGN_IN, "signed": "bo@berkeley.edu", "fits": True}},
        nothing,
    ),
    "no provider": ("offer", {"needs": ["account"], **HIDDEN, "account": {**SIGN_IN, "provider": ""}}, nothing),
    "asks": ("asks", {"needs": ["approval"]}, nothing),
    "asks for all": ("asks", {"needs": ["approval", "email", "passphrase"], **MAIL}, nothing),
    "not yet": ("not_yet", {"state": "not_yet", "opens": 3.9e9}, nothing),
    "outside": ("outside", {"state": "outside", **HIDDEN}, nothing),
    "in use": ("in_use", {"state": "in_use"}, nothing),
    "full": ("full", {"state": "full", "link": OPEN_LINK}, nothing),
    "ended": ("over", {"state": "ended", "ended_why": "revoked", "ended_by": "Ann", "ended_at": 1.79e9}, unfold),
    "paused": ("over", {"state": "paused", "ended_why": "paused", "ended_by": "Ann"}, unfold),
    "suspended": ("over", {"state": "paused", "ended_why": "suspended"}, nothing),
    "replaced": ("over", {"state": "ended", "ended_why": "replaced"}, nothing),
    "expired": ("over", {"state": "ended", "ended_why": "expired", "time": "may", "ended_at": 1.79e9}, nothing),
    "more time asked": ("over", {"state": "ended", "ended_why": "expired", "time": "may"}, asks),
    "no more time": ("over", {"state": "ended", "ended_why": "expired", "time": "refused"}, nothing),
    "reported": ("offer", {}, report),
}
KNOCKED = {"waiting": "waiting", "turned away": "refused", "not answered": "gone"}
OTHERS: dict[str, tuple[str, str]] = {
    "the empty door": ("/join", "start"),
    "an address": ("/s/other/~v/lab", "address"),
    "a code": ("/code", "code"),
    "left": ("/s/k7f2/~v/-/ended", "ended"),
    "closed": ("/refused/no_credential", "refusal"),
    "missing": ("/refused/outside_root", "refusal"),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["en", "de"])
async def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest_asyncio.fixture(loop_scope="module")
async def tab(chromium: Browser, door: ScriptedGate, language: str) -> AsyncIterator[Tab]:
    """A tab in a fresh profile; its console must stay silent but for Chromium's notes of refusals."""
    context = await chromium.new_context(locale=language, timezone_id="Europe/Berlin")
    page = await context.new_page()
    tab = Tab(page, door)
    page.on("request", lambda asked: asked.url.startswith(door.url) or tab.console.append(f"elsewhere: {asked.url}"))
    yield tab
    await context.close()
    assert tab.unexpected() == []


async def fit(tab: Tab, language: str, name: str) -> None:
    assert await tab.page.evaluate("document.documentElement.lang") == language
    # In another language nothing but the length of words differs.
    assert await unfit(tab.page, f"visitor-{name.replace(' ', '-')}-{language}", words=language != "en") == []


@pytest.mark.parametrize("name", DOOR)
async def test_the_door(tab: Tab, door: ScriptedGate, language: str, name: str) -> None:
    """However a link stands, and while somebody uses it."""
    section, told, act = DOOR[name]
    door.about = about(**told)
    await tab.join(section=section)
    await act(tab)
    await tab.see(section)
    await fit(tab, language, name)


@pytest.mark.parametrize("name", KNOCKED)
async def test_after_a_knock(tab: Tab, door: ScriptedGate, language: str, name: str) -> None:
    """While it waits, and when nobody opens."""
    door.about = about(state="in_use")
    door.states = [KNOCKED[name]]
    await tab.join(section="in_use")
    await tab.page.locator('[data-section="in_use"] input[value="other"]').check()
    await knocks(tab)
    await tab.see(KNOCKED[name])
    await fit(tab, language, name)


@pytest.mark.parametrize("name", OTHERS)
async def test_the_pages_beside_the_door(tab: Tab, door: ScriptedGate, language: str, name: str) -> None:
    """With all that can be opened on them open."""
    address, section = OTHERS[name]
    await tab.page.goto(door.url + address)
    await tab.see(section)
    await unfold(tab)
    await fit(tab, language, name)


@pytest.mark.parametrize("why", Ended)
async def test_a_visit_that_is_over(tab: Tab, door: ScriptedGate, language: str, why: Ended) -> None:
    """For each reason, with what can be asked for there."""
    time = "may" if why is Ended.EXPIRED else ""
    door.ending = Ending(why, "Ann", "Week 3", 1_790_000_000, time=time)
    await tab.page.goto(f"{door.url}/s/k7f2/~v/-/ended")
    await tab.see("ended")
    await unfold(tab)
    await fit(tab, language, f"ended {why}")


async def test_a_device_of_ones_own(tab: Tab, language: str) -> None:
    """A code that was typed waits for a click."""
    await tab.join("", section="start")
    await code(tab)
    await tab.see("device")
    await fit(tab, language, "device")


@pytest.mark.parametrize(("reason", "section"), [(Reason.BAD_CREDENTIAL, "unknown"), (Reason.DRAINING, "problem")])
async def test_a_link_that_leads_nowhere(
    tab: Tab, door: ScriptedGate, language: str, reason: Reason, section: str
) -> None:
    """One that we did not sign, and a gate that does not answer for now."""
    door.refuse["/join/about"] = reason
    await tab.join(section=section)
    await fit(tab, language, section)


async def test_a_gate_that_is_out_of_reach(tab: Tab, language: str) -> None:
    """Without a network."""
    await tab.join("", section="start")
    await tab.page.context.set_offline(True)
    await tab.page.evaluate("token => { location.hash = token }", TOKEN)
    await tab.see("problem")
    await fit(tab, language, "offline")
    tab.expected.append("net::ERR_INTERNET_DISCONNECTED")


async def test_no_section_is_forgotten() -> None:
    """Each that the templates have is looked at above; these two are there for a moment only."""
    looked = {section for section, *_ in DOOR.values()} | set(KNOCKED.values()) | {s for _, s in OTHERS.values()}
    looked |= {"device", "unknown", "problem", "looking", "admitted"}
    sources = "".join(path.read_text() for path in TEMPLATES.glob("*.html"))
    assert set(re.findall(r'data-section="(\w+)"', sources)) - looked == set()
