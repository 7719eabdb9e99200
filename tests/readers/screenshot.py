"""The picture in docs/visitors.md: a folder and a notebook on a phone. Run by scripts/screenshot-reading."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path

from playwright.async_api import async_playwright

from tests.browser.chromium import FLAGS, executable
from tests.gatehouse import gatehouse
from tests.pictures.camera import PHONE, Camera
from tests.readers.sample import course, written
from tests.real.jupyter import running_jupyter


async def main(picture: Path) -> None:
    path = executable()
    if path is None:
        raise SystemExit("Chromium is not installed")
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        (home / "gate").mkdir()
        week = home / "root" / "week3"
        (week / "data").mkdir(parents=True)
        (week / "oxygen.ipynb").write_bytes(written(course()))
        for other in ("notes.md", "questions.md", "reading.pdf"):
            (week / other).write_bytes(b"")
        with running_jupyter(home) as server:
            async with gatehouse(home / "gate", server) as gate, async_playwright() as playwright:
                ann = await gate.visit(await gate.share("week3", name="Week 3", **{"for": ["Ann"]}))
                browser = await playwright.chromium.launch(executable_path=path, args=FLAGS)
                camera = Camera(browser, picture.parent)
                context = await camera.person(viewport={"width": PHONE[0], "height": PHONE[1]}, has_touch=True)
                cookie = {"name": ann.cookie_name, "value": ann.cookie, "url": f"{ann.origin}{ann.base}"}
                await context.add_cookies([cookie])  # type: ignore[list-item]
                page = await context.new_page()
                shots = []
                for place, scheme in (("", "light"), ("/oxygen.ipynb", "light"), ("/oxygen.ipynb", "dark")):
                    await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of the two words
                    await page.goto(f"{ann.origin}{ann.base}-/read/week3{place}")
                    await page.locator("#state[data-state=live]").wait_for()
                    shots.append(await camera.shot(page, picture.stem, tall=PHONE[1]))
                await camera.strip(picture.stem, shots)
                await browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("picture", nargs="?", type=Path, default=Path("docs/images/reading-phone.png"))
    asyncio.run(main(parser.parse_args().picture))
