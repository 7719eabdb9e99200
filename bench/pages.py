"""A notebook's page in Chromium, cold (nothing kept) and warm (the same browser again), directly and by the gate."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

from playwright.async_api import Browser, BrowserContext, async_playwright

from bench.channels import ways
from bench.process import Gate
from sharegate.demo.visitor import RobotVisitor
from tests.browser.chromium import FLAGS, executable

NOTEBOOK = "sub/shared/nb.ipynb"
# The editor of a cell of text is there as well, and not shown while the text is.
READY = ".jp-NotebookPanel .jp-Cell .cm-content:visible, .jp-NotebookPanel .jp-MarkdownOutput:visible"


async def load(context: BrowserContext, url: str) -> float:
    """Milliseconds until the notebook's first cell is shown."""
    page = await context.new_page()
    began = time.perf_counter()
    await page.goto(url)
    await page.wait_for_selector(READY, timeout=60_000)
    took = (time.perf_counter() - began) * 1000
    await page.close()
    return took


async def both(browser: Browser, url: str, cookie: dict[str, str] | None) -> tuple[float, float]:
    """Cold, then warm."""
    context = await browser.new_context()
    if cookie is not None:
        await context.add_cookies([cookie])
    cold = await load(context, url)
    await load(context, url)  # what the first one left unfinished
    warm = await load(context, url)
    await context.close()
    return cold, warm


async def visiting(ours: Gate, folder: Path) -> tuple[str, dict[str, str]]:
    """The notebook's address through the gate, and the cookie that opens it."""
    made = await ours.call("POST", "shares", {"path": str(folder / "root/sub/shared"), "for": ["Cleo"]})
    robot = RobotVisitor("Cleo", made["links"][0]["url"])
    assert await robot.enter()
    value = next(each.value for each in robot._session.cookie_jar if each.key == "sharegate-visit")
    url = f"{ours.origin}{robot.base}lab/tree/{NOTEBOOK}"
    cookie = {"name": "sharegate-visit", "value": value, "url": f"{ours.origin}{robot.base}"}
    await robot.close()
    return url, cookie


async def measure(folder: Path, rounds: int) -> None:
    async with ways(folder) as (found, ours), async_playwright() as playwright:
        direct = found[0]
        token = direct.headers["Authorization"].removeprefix("token ")
        url, cookie = await visiting(ours, folder)
        asked = {
            "direct": (f"{direct.base}lab/tree/{NOTEBOOK}?reset&token={token}", None),
            "gate": (url, cookie),
        }
        browser = await playwright.chromium.launch(executable_path=executable(), args=FLAGS)
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in asked}
        for number in range(rounds + 1):
            for name, (address, shown) in asked.items():
                result = await both(browser, address, shown)
                if number:
                    taken[name].append(result)
        await browser.close()
    print("| a notebook's page | cold: ms (rounds) | warm: ms (rounds) |\n|---|---|---|")
    for name, results in taken.items():
        cells = []
        for column in zip(*results, strict=True):
            cells.append(f"{statistics.median(column):.0f} ({min(column):.0f} to {max(column):.0f})")
        print(f"| {name} | {' | '.join(cells)} |")
    pairs = list(zip(taken["gate"], taken["direct"], strict=True))
    ratios = [statistics.median(ours[i] / theirs[i] for ours, theirs in pairs) for i in (0, 1)]
    print(f"\nThrough the gate to direct: cold {ratios[0]:.2f}, warm {ratios[1]:.2f}.")
