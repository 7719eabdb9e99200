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
from tests.dashboard.pages.party import party

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


async def story(office: Office) -> str:
    """Ann's link went on to Bo, who was let in, and to Eve, who was not; the id of the share."""
    there = await party(office)
    await office.token("shares:read", "trail:read", days=30)
    return there.id


async def take(page: Page, url: str, picture: Path, *, waits: bool = True) -> None:
    """`waits`: somebody knocks, which the title counts."""
    await page.goto(url)
    await page.locator("#live[data-state=live]").wait_for(state="attached")
    if waits:
        await page.locator("#waiting:visible").wait_for()
    await page.screenshot(path=str(picture))
    size = picture.stat().st_size
    if size > LARGEST:
        raise SystemExit(f"{picture} has {size} bytes, more than {LARGEST}")
    print(f"{picture}: {size} bytes")


OFFICE = (("now", "/"), ("new", "/new?path=week3"), ("share", "/shares/{share}/links"))
# The story of a link that was passed on, and what its admins see of it.
STORY = (
    ("history", "/history"),
    ("passing", "/shares/{share}/passing"),
    ("prove", "/shares/{share}/prove"),
    ("overview", "/admin"),
    ("review", "/admin/review"),
    ("search", "/admin/search?q=ann"),
    ("keys", "/admin/keys?stolen=1"),
    ("tokens", "/admin/tokens"),
)


async def main(folder: Path) -> None:
    path = executable()
    if path is None:
        raise SystemExit("Chromium is not installed")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=FLAGS)
        for pictures, begin, waits in ((OFFICE, scene, True), (STORY, story, False)):
            with tempfile.TemporaryDirectory() as name:
                os.environ["JUPYTER_RUNTIME_DIR"] = str(Path(name) / "no servers")
                async with opened(Path(name), Clock()) as office:
                    share = await begin(office)
                    context = await browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})
                    page = await sign_in(office, context)
                    for picture, address in pictures:
                        url = office.running.dashboard_url + address.format(share=share)
                        await take(page, url, folder / f"dashboard-{picture}.png", waits=waits)
                    await context.close()
        await browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("docs/images"))
    asyncio.run(main(parser.parse_args().folder))
