"""What we say in a visitor's JupyterLab, in a browser that asks for German."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from sharegate.lab.page import SAID
from sharegate.language.catalogue import ENGLISH, PLACEHOLDER
from tests.browser.chromium import Watched, person, watch
from tests.browser.house import open_notebook
from tests.browser.real_house import RealHouse, open_house
from tests.real.jupyter import JupyterServer, plant

pytestmark = [pytest.mark.browser, pytest.mark.real]

# Pieces of our English sentences, long enough not to stand in a German one by chance.
PIECES = [
    piece.strip()
    for text in ENGLISH.below(*SAID).values()
    for piece in PLACEHOLDER.split(text)[::2]
    if len(piece.strip()) > 7
]
OURS = "#sharegate, #sharegate-toast, .sharegate-dialog, #sharegate-end, #sharegate-kept, #sharegate-empty, .sg-hand"


@pytest.fixture
def house(lab: JupyterServer, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[RealHouse]:
    plant(lab.root)
    with open_house(lab, folder=tmp_path, role=request.param) as opened:
        yield opened


@pytest.fixture
def visitor(browser: Browser, house: RealHouse) -> Iterator[Watched]:
    context = person(browser, locale="de-AT", timezone_id="Europe/Vienna")
    yield watch(context, house.origin)
    context.close()


def german(page: Page) -> str:
    """All that is ours on the page and in what is read aloud of it, after looking for English in it."""
    said: list[str] = page.locator(OURS).evaluate_all(
        """(all) => all.flatMap((one) => [one.innerText, ...[one, ...one.querySelectorAll("*")].flatMap(
             (each) => [each.title, each.ariaLabel])])"""
    )
    text = "\n".join(one for one in said if one)
    assert [piece for piece in PIECES if piece in text] == []
    # JupyterLab's own words are English, so each of ours says that it is not.
    assert set(page.locator(OURS).evaluate_all("(all) => all.map((one) => one.lang)")) == {"de"}
    return text


def shot(page: Page, name: str) -> None:
    if folder := os.environ.get("SHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png")


@pytest.mark.parametrize("house", ["view"], indirect=True)
@pytest.mark.timeout(180)
def test_a_reader_is_told_in_german(visitor: Watched, house: RealHouse) -> None:
    """The banner, its dialogs, what does not go, the notices of the network, and the end."""
    page = visitor.page
    open_notebook(page, house.enter(page.context))
    bar = page.locator("#sharegate")
    expect(bar).to_contain_text("geteilt von Ann")
    expect(bar.locator(".sg-role")).to_have_text("nur ansehen")
    expect(bar.locator(".sg-left")).to_have_text(re.compile(r"^noch \d+ Tage$"))
    assert re.match(r"bis \w+, \d+\. \w+ \d{4}", bar.locator(".sg-left").get_attribute("title") or "")
    shot(page, "banner-de")
    german(page)

    page.locator(".jp-CodeCell .cm-content").first.click()
    page.keyboard.type("x")
    expect(page.locator("#sharegate-toast")).to_have_text("Sie können hier alles ansehen. Ändern kann es nur Ann.")
    bar.get_by_role("button", name="Diese Freigabe melden").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Meldung senden").click()
    expect(dialog.get_by_role("alert")).to_have_text("Sagen Sie erst, was nicht stimmt.")
    shot(page, "report-de")
    german(page)
    dialog.get_by_role("button", name="Abbrechen").click()
    bar.get_by_role("button", name="Auf einem anderen Gerät").click()
    expect(page.locator(".sg-code")).to_be_visible()
    german(page)
    page.get_by_role("dialog").get_by_role("button", name="Schließen").click()

    house.vanish()
    gone = "Der Computer von Ann ist offline. Diese Seite versucht es weiter."
    expect(bar.locator(".sg-status")).to_have_text(gone, timeout=30_000)
    german(page)
    house.come_back()
    expect(page.locator("#sharegate-toast")).to_have_text("Wieder verbunden.", timeout=30_000)
    house.end("share_paused")
    expect(page.locator("h1")).to_have_text("Ann hat das Teilen angehalten", timeout=30_000)
    expect(page.get_by_role("button", name="Noch einmal versuchen")).to_be_visible()
    shot(page, "end-de")
    assert "Derselbe Link gilt dann wieder." in german(page)
    assert visitor.errors == [] and visitor.violations == []


@pytest.mark.parametrize("house", ["edit"], indirect=True)
@pytest.mark.timeout(180)
def test_an_editor_is_told_in_german(visitor: Watched, house: RealHouse) -> None:
    """What may be done, that it is saved, the raised hand and what became of it, in the words of the menus too."""
    page = visitor.page
    open_notebook(page, house.enter(page.context))
    bar = page.locator("#sharegate")
    expect(bar.locator(".sg-role")).to_have_text("Text bearbeiten, nichts ausführen")
    page.locator(".jp-CodeCell .cm-content").first.click()
    page.keyboard.press("Control+End")
    page.keyboard.type("\n# neu")
    expect(bar.locator(".sg-saving")).to_have_text("Gespeichert", timeout=20_000)
    page.keyboard.press("Shift+Enter")
    expect(page.locator(".sg-hand")).to_contain_text("Ann ist gebeten, das auszuführen")
    expect(page.locator("#sharegate-toast")).to_have_text("Ann ist gebeten, diese Zelle auszuführen.")
    label = page.evaluate("() => jupyterapp.commands.label('runmenu:run')")
    assert label == "Ann bitten, die Zelle auszuführen"
    shot(page, "hand-de")
    german(page)
    (ask,) = house.asks()
    house.answer(ask["id"], "decline")
    expect(page.locator("#sharegate-toast")).to_have_text("Ann hat die Zelle nicht ausgeführt.", timeout=20_000)
    page.locator("#sharegate").get_by_role("button", name="Gehen").click()
    german(page)
    page.get_by_role("dialog").get_by_role("button", name="Gehen").click()
    expect(page.locator("h1")).to_have_text("Sie sind gegangen")
    german(page)
    assert visitor.errors == [] and visitor.violations == []
