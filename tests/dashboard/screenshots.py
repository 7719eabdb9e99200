"""The pictures of the dashboard in docs/: a class in full swing. Run by scripts/screenshots-dashboard."""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
from pathlib import Path

from playwright.async_api import Page, async_playwright

from tests.browser.chromium import FLAGS, executable
from tests.conftest import Clock
from tests.dashboard.conftest import Office, opened
from tests.dashboard.pages.conftest import Scene, sign_in

WIDTH, HEIGHT = 1280, 800
LARGEST = 200_000  # bytes


async def scene(office: Office) -> str:
    """Somebody knocks, somebody is here, three doors; the id of a share."""
    (office.folder / "week3" / "intro.ipynb").write_text("{}")
    (office.folder / "week3" / "stations.csv").write_text("a,b")
    (office.folder / "solutions").mkdir()
    (office.folder / ".ssh").mkdir()
    (office.folder / "archive").symlink_to("/srv")
    scene = Scene(office)
    week = await office.share("week3", role="edit", name="Week 3", **{"for": ["Ann", "Bo"]})
    course = await office.share("week4", name="Week 4", anyone=True, visits=60)
    notes = await office.share("notes.md", **{"for": ["Cy"]})
    await office.call("POST", f"shares/{notes['share']['id']}/pause")
    ann = await scene.visit(week, "Ann", where="week3/intro.ipynb")
    await scene.visit(course, "Dora Lee", where="week4")
    await scene.visit(course, "Fatima", where="week4")
    await scene.knock(week, "Eve", came_from=ann)
    return str(week["share"]["id"])


async def take(page: Page, url: str, picture: Path) -> None:
    await page.goto(url)
    await page.locator("#live[data-state=live]").wait_for(state="attached")
    await page.locator("#waiting:visible").wait_for()
    await page.screenshot(path=str(picture))
    size = picture.stat().st_size
    if size > LARGEST:
        raise SystemExit(f"{picture} has {size} bytes, more than {LARGEST}")
    print(f"{picture}: {size} bytes")


async def main(folder: Path) -> None:
    path = executable()
    if path is None:
        raise SystemExit("Chromium is not installed")
    with tempfile.TemporaryDirectory() as name:
        os.environ["JUPYTER_RUNTIME_DIR"] = str(Path(name) / "no servers")
        async with opened(Path(name), Clock()) as office, async_playwright() as playwright:
            share = await scene(office)
            browser = await playwright.chromium.launch(executable_path=path, args=FLAGS)
            context = await browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})
            page = await sign_in(office, context)
            url = office.running.dashboard_url
            for picture, address in (("now", "/"), ("new", "/new?path=week3"), ("share", f"/shares/{share}/links")):
                await take(page, url + address, folder / f"dashboard-{picture}.png")
            await browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("docs/images"))
    asyncio.run(main(parser.parse_args().folder))
