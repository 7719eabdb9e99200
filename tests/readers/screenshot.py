"""The picture in docs/visitors.md: a notebook on a phone. Run by scripts/screenshot-reading."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path

from playwright.async_api import async_playwright

from tests.browser.chromium import FLAGS, executable
from tests.gatehouse import gatehouse
from tests.readers.sample import course, written
from tests.real.jupyter import plant, running_jupyter


async def main(picture: Path) -> None:
    path = executable()
    if path is None:
        raise SystemExit("Chromium is not installed")
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        (home / "root").mkdir()
        (home / "gate").mkdir()
        plant(home / "root")
        (home / "root" / "sub" / "shared" / "week3.ipynb").write_bytes(written(course()))
        with running_jupyter(home) as server:
            async with gatehouse(home / "gate", server) as gate, async_playwright() as playwright:
                ann = await gate.visit()
                browser = await playwright.chromium.launch(executable_path=path, args=FLAGS)
                context = await browser.new_context(
                    viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, device_scale_factor=1.5
                )
                cookie = {"name": ann.cookie_name, "value": ann.cookie, "url": f"{ann.origin}{ann.base}"}
                await context.add_cookies([cookie])  # type: ignore[list-item]
                page = await context.new_page()
                await page.goto(f"{ann.origin}{ann.base}-/read/sub/shared/week3.ipynb")
                await page.locator("#state[data-state=live]").wait_for()
                await page.screenshot(path=str(picture))
                await browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("picture", nargs="?", type=Path, default=Path("docs/images/reading-phone.png"))
    asyncio.run(main(parser.parse_args().picture))
