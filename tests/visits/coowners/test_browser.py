"""A co-owner's page in Chromium: what is seen, clicked and heard."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.axe import serious
from tests.browser.chromium import launched
from tests.gatehouse import Inside
from tests.visits.coowners.school import School

pytestmark = [pytest.mark.browser]

# Where pictures are put, to be looked at.
PICTURES = os.environ.get("PICTURES", "")
EVIL = '<img src=x onerror="window.owned=1">'


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with launched() as running:
        yield running


async def opened(browser: Browser, tia: Inside, heading: str = "Who comes in", **options: object) -> Page:
    """Tia's page, opened from a page below her visit."""
    context = await browser.new_context(**{"viewport": {"width": 1280, "height": 860}, **options})  # type: ignore[arg-type]
    place = tia.addresses.visit_cookie(tia.base.rpartition("~")[2].rstrip("/"))
    page = await context.new_page()
    headers = {
        "Content-Type": "text/html",
        "Set-Cookie": f"{place.name}={tia.cookie}; Path={place.path}; HttpOnly; SameSite=Lax",
    }
    start = f"{tia.origin}{tia.base}lab"
    link = f'<!doctype html><title>Lab</title><a href="{tia.base}-/coowner">Who comes in</a>'
    await page.route(start, lambda route: route.fulfill(body=link, headers=headers))
    await page.goto(start)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if "Content Security Policy" in line.text else None)
    page.errors = errors  # type: ignore[attr-defined]
    await page.get_by_text("Who comes in").click()
    await page.get_by_role("heading", name=heading).wait_for()
    await page.locator("#door-acts button").first.wait_for()
    return page


async def settled(page: Page) -> None:
    """Until what has just appeared may be clicked."""
    await page.evaluate("new Promise((done) => setTimeout(done, 800))")


async def filled(school: School, *people: str) -> tuple[Inside, list[str]]:
    """Tia is in, another co-owner, and visitors; two knock, of whom one passed something on."""
    made = await school.share(*(people or ("Tia", "Tom", "Ann", "Bo")))
    tia = await school.coowner(made)
    await school.coowner(made, 1)
    for number in (2, 3):
        await school.gate.visit(made, number)
    knocks = [await school.knock(made["links"][2], "Eve"), await school.knock(made["links"][0], "Tia")]
    return tia, knocks


async def test_a_click_lets_in_and_puts_out(school: School, browser: Browser) -> None:
    """Who knocks, with doubts; who is in; the pause, which asks first, and goes on."""
    tia, knocks = await filled(school)
    page = await opened(browser, tia)
    eve = page.locator(f"#row-{knocks[0]}")
    await expect(eve).to_contain_text("Eve")
    await expect(eve).to_contain_text("same network")
    await expect(page.locator(f"#row-{knocks[1]}")).to_contain_text("Olga answers this one")
    assert await page.locator(f"#row-{knocks[1]} button").count() == 0
    await settled(page)
    await eve.get_by_role("button", name="Let in").click()
    await expect(page.locator("#people")).to_contain_text("Eve")
    ann = page.locator("#people .row", has_text="Ann")
    await settled(page)
    await ann.get_by_role("button", name="Put out").click()
    await expect(ann.get_by_role("button", name="No", exact=True)).to_be_focused()
    await settled(page)
    await ann.get_by_role("button", name="Put out now").click()
    await expect(page.locator("#people")).not_to_contain_text("Ann")
    for who in ("Tia", "Tom"):
        row = page.locator("#people .row", has_text=who)
        await expect(row).to_be_visible()
        assert await row.get_by_role("button").count() == 0
    await page.get_by_role("button", name="Pause").click()
    await settled(page)
    await page.get_by_role("button", name="Pause it").click()
    await expect(page.locator("#door")).to_contain_text("Paused")
    await settled(page)
    await page.get_by_role("button", name="Let it go on").click()
    await expect(page.locator("#door")).to_contain_text("Open")
    assert page.errors == []  # type: ignore[attr-defined]
    await page.context.close()


async def test_the_page_is_over_when_the_mark_is_taken(school: School, browser: Browser) -> None:
    """Without a click: nothing of what it showed is left."""
    tia, _ = await filled(school)
    page = await opened(browser, tia)
    await school.gate.call("DELETE", f"links/{tia.link['id']}/coowner")
    await expect(page.get_by_role("heading", name="This page is over")).to_be_visible()
    assert "Eve" not in await page.locator("body").inner_text()
    await page.reload()
    await expect(page.get_by_role("heading", name="Who comes in")).to_have_count(0)
    await page.context.close()


async def test_attack_markup_in_names(school: School, browser: Browser) -> None:
    """Whatever people say that they are called is text."""
    made = await school.share("Tia", EVIL)
    tia = await school.coowner(made)
    await school.gate.visit(made, 1)
    await school.knock(made["links"][1], EVIL)
    page = await opened(browser, tia)
    await expect(page.locator("#knocks")).to_contain_text("<img src=x")
    await expect(page.locator("#people")).to_contain_text("<img src=x")
    assert await page.locator("img").count() == 0 and await page.evaluate("window.owned") is None
    await page.context.close()


async def test_an_answer_that_is_no_yes_is_told(school: School, browser: Browser) -> None:
    """Beside what was clicked, and by voice; the button works again."""
    tia, knocks = await filled(school)
    page = await opened(browser, tia)
    await settled(page)
    link = (await school.gate.call("GET", "shares"))["shares"][0]["links"][2]
    await school.gate.call("POST", f"links/{link['id']}/pause")
    await page.locator(f"#row-{knocks[0]}").get_by_role("button", name="Let in").click()
    await expect(page.locator(f"#trouble-{knocks[0]}")).to_contain_text("does not stand in this moment")
    await expect(page.locator("#say")).to_contain_text("does not stand in this moment")
    await page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
async def test_everybody_can_use_it(school: School, browser: Browser, scheme: str, width: int) -> None:
    """Nothing serious for axe; nothing wider than a phone; by keyboard alone."""
    tia, _ = await filled(school, "Tia", "Tom", "Ann " + "W" * 50, "Bo")
    page = await opened(browser, tia, color_scheme=scheme, viewport={"width": width, "height": 860})
    await page.locator("#knocks .row").nth(1).wait_for()
    await settled(page)
    await page.locator("#people .row", has_text="Bo").get_by_role("button", name="Put out").click()
    assert await serious(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if PICTURES:
        await page.screenshot(path=str(Path(PICTURES) / f"coowner-{scheme}-{width}.png"), full_page=True)
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.matches('button, body')")
    await page.context.close()


async def test_it_speaks_the_readers_language(school: School, browser: Browser) -> None:
    """Also where it explains why it does not open."""
    tia, knocks = await filled(school)
    page = await opened(browser, tia, locale="de-DE", heading="Wer hereinkommt")
    await expect(page.locator(f"#row-{knocks[0]}")).to_contain_text("nennt sich „Eve“ am Link für Ann")
    await expect(page.locator(f"#row-{knocks[0]}")).to_contain_text("gleiches Netz")
    await expect(page.get_by_role("button", name="Hereinlassen")).to_be_visible()
    assert await page.locator("html").get_attribute("lang") == "de"
    if PICTURES:
        await page.screenshot(path=str(Path(PICTURES) / "coowner-german.png"), full_page=True)
    await page.context.close()
    reply = await school.page(tia, Accept_Language="de", Sec_Fetch_Site="cross-site")
    assert b"Ein Link auf einer anderen Website" in reply.body
