"""Whether a page is fit for all: by eye in light and dark, enlarged, on a phone, by ear, and by keyboard alone."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import ConsoleMessage, Page, Request

from tests.browser import axe

DESK, PHONE = (1280, 860), (360, 740)
# A desk at 200 % and at 400 % (WCAG 1.4.4 and 1.4.10): enlarging a page is what makes its window narrow.
ENLARGED = ((640, 430), (320, 256))
# Where pictures are put, to be looked at.
SHOTS = os.environ.get("SHOTS", "")
# Chromium's own note of an answer of 400 and up: no fault of the page.
_NOISE = "Failed to load resource: the server responded with a status of"

_READ = """() => ({
  title: document.title,
  lang: document.documentElement.lang,
  headings: [...document.querySelectorAll("h1")].filter((one) => one.checkVisibility({ visibilityProperty: true }))
    .map((one) => one.innerText.trim()),
})"""

# What sticks out of the window, sideways: the page as a whole, or a control that its frame cuts off.
_WIDE = """() => {
  const found = [];
  const page = document.documentElement;
  if (page.scrollWidth > innerWidth) found.push(`the page is ${page.scrollWidth} wide`);
  const rolls = (one) => one && (/auto|scroll/.test(getComputedStyle(one).overflowX) || rolls(one.parentElement));
  for (const one of document.querySelectorAll("a[href], button, input, select, textarea, summary")) {
    if (!one.checkVisibility({ visibilityProperty: true }) || rolls(one.parentElement)) continue;
    if (one.closest(".unseen, .skip")) continue;
    const box = one.getBoundingClientRect();
    if (box.width && (box.right > innerWidth + 1 || box.left < -1)) found.push(one.outerHTML.slice(0, 120));
  }
  return found;
}"""

# What Tab has to come to. Of radio buttons with one name that is one; a page behind a dialog is out of reach.
_CONTROLS = """() => {
  const within = document.querySelector("dialog:modal") ?? document.body;
  const groups = new Set();
  window.fitControls = [...within.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")]
    .filter((one) => {
      if (one.matches(":disabled, [type=hidden], [tabindex='-1']") || one.closest("[inert]")) return false;
      if (!one.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true })) return false;
      if (one.type !== "radio" || !one.name) return true;
      const same = [...within.querySelectorAll(`input[type=radio][name="${one.name}"]`)]
        .filter((other) => other.form === one.form);
      if (same.some((other) => other.checked)) return one.checked;
      return same[0] === one;
    });
  document.activeElement?.blur();
  getSelection().removeAllRanges();
  return window.fitControls.length;
}"""
# Where the focus is now: which of them, and whether one sees it.
_FOCUS = """() => {
  const one = document.activeElement;
  const style = getComputedStyle(one);
  const seen = (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1) || style.boxShadow !== "none";
  return [window.fitControls.indexOf(one), one === document.body || seen, one.outerHTML.slice(0, 120)];
}"""
_LARGE_LETTERS = "(size) => { document.documentElement.style.fontSize = size; }"


@asynccontextmanager
async def complaining(page: Page, origin: str) -> AsyncIterator[list[str]]:
    """What the page complains of while this lasts: its console, what its policy refused, and addresses elsewhere."""
    found: list[str] = []

    def said(line: ConsoleMessage) -> None:
        if line.type in ("error", "warning") and not line.text.startswith(_NOISE):
            found.append(f"{line.type}: {line.text}")

    def thrown(error: Exception) -> None:
        found.append(f"thrown: {error}")

    def asked(request: Request) -> None:
        if not request.url.startswith((origin, origin.replace("http", "ws", 1), "data:", "blob:")):
            found.append(f"elsewhere: {request.url}")

    events: tuple[tuple[Any, Any], ...] = (("console", said), ("pageerror", thrown), ("request", asked))
    for event, hear in events:
        page.on(event, hear)
    yield found
    for event, hear in events:
        page.remove_listener(event, hear)


async def unfit(page: Page, picture: str = "", *, title: str = " · sharegate", words: bool = False) -> list[str]:
    """What keeps somebody from using the page as it stands, a line each. It stays where it is, and as wide as a desk.

    `picture` names the pictures that are taken where the environment names a folder for them (SHOTS). With `words`
    nothing is looked at but what depends on the words: for a page that was looked at in another language.
    """
    found = await _read(page, title)
    for width, height in (PHONE, DESK):
        await page.set_viewport_size({"width": width, "height": height})
        found += [f"at {width}: {line}" for line in await page.evaluate(_WIDE)]
        # Between light and dark nothing but colours differs.
        for scheme, rules in (("dark", ("color-contrast",)), ("light", ())):
            await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
            if not words:
                found += [f"{scheme} at {width}: {line}" for line in await axe.serious(page, *rules)]
            if SHOTS and picture:
                await page.screenshot(path=Path(SHOTS) / f"{picture}-{width}-{scheme}.png", full_page=True)
    if not words:
        found += await _keyboard(page)
    for width, height in ENLARGED:
        await page.set_viewport_size({"width": width, "height": height})
        found += [f"at {width}: {line}" for line in await page.evaluate(_WIDE)]
    await page.set_viewport_size({"width": DESK[0], "height": DESK[1]})
    await page.evaluate(_LARGE_LETTERS, "200%")
    found += [f"letters of 200 %: {line}" for line in await page.evaluate(_WIDE)]
    await page.evaluate(_LARGE_LETTERS, "")
    return found


async def _read(page: Page, title: str) -> list[str]:
    """What is read out first: the language, a title of its own, one heading."""
    shown = await page.evaluate(_READ)
    found = []
    if not shown["title"].endswith(title) or shown["title"] == title:
        found.append(f"title: {shown['title']!r}")
    if not shown["lang"]:
        found.append("no language")
    if len(shown["headings"]) != 1 or not shown["headings"][0]:
        found.append(f"not one heading: {shown['headings']}")
    return found


async def _keyboard(page: Page) -> list[str]:
    """Which controls Tab does not come to, and where nobody would see that it did."""
    number = await page.evaluate(_CONTROLS)
    reached: set[int] = set()
    unseen: dict[str, None] = {}
    # A field for a moment has a stop for each of its parts, and what scrolls has one too.
    for _ in range(3 * number + 30):
        if len(reached) == number:
            break
        await page.keyboard.press("Tab")
        which, seen, what = await page.evaluate(_FOCUS)
        reached |= {which} - {-1}
        if not seen:
            unseen[what] = None
    missed = [index for index in range(number) if index not in reached]
    names = await page.evaluate("(all) => all.map((one) => fitControls[one].outerHTML.slice(0, 120))", missed)
    return [f"out of Tab's reach: {name}" for name in names] + [f"focus is not seen: {what}" for what in unseen]
