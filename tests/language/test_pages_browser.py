"""Visitors' pages in a real browser that asks for German."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from sharegate.errors import Reason
from sharegate.language.catalogue import ENGLISH, PLACEHOLDER
from sharegate.visits.pages import Ended, Ending
from tests.visits.conftest import INSIDE, TOKEN, ScriptedGate, Tab, about

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

OPEN = "button:visible[type=submit]"
# What the gate tells about a link, as it does to somebody who reads German.
TOLD = about(
    role_sentence="nur ansehen",
    recorded=["wann Sie kommen und gehen", "welche Dateien Sie öffnen"],
)
# Pieces of English sentences that are long enough not to stand in a German one.
PIECES = [piece for text in ENGLISH.sentences.values() for piece in PLACEHOLDER.split(text)[::2] if len(piece) > 8]


@pytest_asyncio.fixture(loop_scope="module")
async def tab(chromium: Browser, door: ScriptedGate) -> AsyncIterator[Tab]:
    """A tab in a fresh profile; its console must stay silent but for Chromium's notes of refusals."""
    context = await chromium.new_context(locale="de-AT", timezone_id="Europe/Vienna")
    tab = Tab(await context.new_page(), door)
    yield tab
    await context.close()
    assert tab.unexpected() == []


async def _german(tab: Tab) -> str:
    """What stands there, after looking for English in it, and in its title."""
    text = await tab.text()
    assert await tab.page.evaluate("[document.documentElement.lang, document.documentElement.dir]") == ["de", "ltr"]
    assert [piece for piece in PIECES if piece.strip() in f"{await tab.page.title()} {text}"] == []
    return text


async def test_the_door_is_in_german(tab: Tab, door: ScriptedGate) -> None:
    """Sentences, date and duration; what the owner named stays."""
    door.about = TOLD
    await tab.join(section="offer")
    text = await _german(tab)
    for words in ("Ann teilt „Week 3“ mit Ihnen.", "nur ansehen", "2. Oktober 2096", "Start with nb.ipynb."):
        assert words in text
    assert re.search(r"in \d+ Monaten", text)
    await tab.page.click(OPEN)
    await tab.page.wait_for_url(door.url + INSIDE)


async def test_knocking_is_in_german(tab: Tab, door: ScriptedGate) -> None:
    """What is missing, waiting, and being turned away."""
    door.about = {**TOLD, "state": "in_use"}
    door.states = ["waiting", "refused"]
    await tab.join(section="in_use")
    await tab.page.click(OPEN)
    assert "Sagen Sie erst, wer Sie sind." in await _german(tab)
    await tab.page.get_by_label("Ich bin Bo").locator("visible=true").check()
    await tab.page.click(OPEN)
    await tab.see("waiting")
    assert "Warten auf Ann." in await _german(tab)
    await tab.see("refused")
    assert "Ann hat Sie nicht hereingelassen." in await _german(tab)


async def test_a_refusal_at_the_door_is_in_german(tab: Tab, door: ScriptedGate) -> None:
    """The gate's own sentence, with its reference, and how long to wait."""
    door.about = TOLD
    door.refuse["/join"] = Reason.JOIN_LIMIT
    door.retry_after = 7
    await tab.join(section="offer")
    await tab.page.click(OPEN)
    await tab.page.locator('[data-form="open"] .trouble:not(:empty)').wait_for()
    text = await _german(tab)
    assert "Zu viel auf einmal." in text and "in 7 s noch einmal. (Kennung r4nd0m)" in text


@pytest.mark.parametrize(
    ("state", "why", "words"),
    [
        ("ended", "revoked", "Ann hat diesen Link beendet."),
        ("ended", "expired", "Dieser Link ist abgelaufen."),
        ("paused", "paused", "Ann hat diesen Link angehalten."),
        ("not_yet", "", "Dieser Link öffnet sich später."),
        ("outside", "", "Von hier aus öffnet sich dieser Link nicht."),
        ("full", "", "Alle, für die dieser Link Platz hat, sind drin."),
    ],
)
async def test_each_state_is_in_german(tab: Tab, door: ScriptedGate, state: str, why: str, words: str) -> None:
    """With a moment where there is one."""
    door.about = {**TOLD, "state": state, "ended_why": why, "ended_by": "Ann", "opens": 3.9e9}
    await tab.join()
    await tab.page.get_by_role("heading", name=words).wait_for()
    await _german(tab)


async def test_nobody_is_named_where_nobody_is_known(tab: Tab, door: ScriptedGate) -> None:
    """An owner without a name has words in place of it that fit each sentence."""
    nameless = {"name": "", "kind": "file", "folder": "", "message": ""}
    door.about = {**TOLD, "owner": "", "state": "in_use", "share": nameless}
    await tab.join(section="in_use")
    assert "Jemand teilt eine Datei" in await _german(tab)


@pytest.mark.parametrize("why", Ended)
async def test_a_visit_that_is_over_is_in_german(tab: Tab, door: ScriptedGate, why: Ended) -> None:
    """Also its moment, in the reader's own time zone."""
    door.ending = Ending(why, "Ann", "Week 3", 1_790_000_000)
    await tab.page.goto(f"{door.url}/s/k7f2/~v/-/ended")
    await tab.page.get_by_text("16:13").wait_for()
    assert "21. September" in await _german(tab)


@pytest.mark.parametrize("path", ["/s/other/~v/lab", "/join", "/refused/outside_root", "/refused/no_credential"])
async def test_the_pages_of_strangers_are_in_german(tab: Tab, door: ScriptedGate, path: str) -> None:
    """The address of somebody's visit, the empty door, and refusals."""
    await tab.page.goto(door.url + path)
    await tab.page.locator("h1:visible").wait_for()
    await _german(tab)


async def test_without_scripts_the_page_says_so_in_german(chromium: Browser, door: ScriptedGate) -> None:
    """The words of the page need no script."""
    context = await chromium.new_context(locale="de-DE", java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{door.url}/join#{TOKEN}")
    assert "Diese Seite braucht JavaScript." in await page.locator("main").inner_text()
    await context.close()
