"""The picture of the product in the README: a visitor follows the owner's live notebook. Run by scripts/screenshot."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path

from playwright.async_api import Browser, async_playwright

from sharegate.demo import project
from tests.browser.chromium import FLAGS, executable
from tests.gatehouse import gatehouse
from tests.real.jupyter import JupyterServer, running_jupyter
from tests.story.people import Tab, until

WIDTH, HEIGHT = 1280, 800
LARGEST = 200_000  # bytes
# A server with a login knows its owner's name; this one has a token only and would make up an anonymous one.
NAMED = """
from jupyter_server.auth.identity import IdentityProvider, User

class Olga(IdentityProvider):
    def generate_anonymous_user(self, handler):
        return User("olga", "Olga", "Olga", "O", None, None)

c.ServerApp.identity_provider_class = Olga
c.LabApp.expose_app_in_browser = True
"""
NEW_CELL = (
    "heights = {row['station']: int(row['height_m']) for row in stations}",
    "max(heights, key=heights.get)  # Ann, does this look righ",
)


async def take(browser: Browser, server: JupyterServer, folder: Path, picture: Path) -> None:
    """A picture of what the visitor sees while the owner types."""
    notebook = f"{project.SHARED}/{project.NOTEBOOK}"
    async with gatehouse(folder, server) as gate:
        owner = await Tab.open(await browser.new_context())
        await owner.page.goto(f"{server.url}lab/tree/{notebook}?token={server.token}")
        await owner.notebook("stations")
        await owner.page.wait_for_function(
            "() => jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'", timeout=60_000
        )
        await owner.page.evaluate("() => jupyterapp.commands.execute('notebook:run-all-cells')")
        await owner.page.locator(".jp-OutputArea-output", has_text="82.33").wait_for(timeout=60_000)
        for command in ("notebook:insert-cell-below", "notebook:enter-edit-mode"):
            await owner.page.evaluate("(id) => jupyterapp.commands.execute(id)", command)

        made = await gate.share(project.SHARED, open_file=project.NOTEBOOK, **{"for": ["Ann"]})
        visitor = await Tab.open(
            await browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, timezone_id="Europe/Berlin")
        )
        await visitor.enter(made["links"][0]["url"])
        await visitor.notebook("stations")
        await visitor.code(1).click()
        await owner.page.keyboard.type(NEW_CELL[0])
        await owner.page.keyboard.press("Enter")
        await owner.page.keyboard.type(NEW_CELL[1])
        await visitor.shows("look righ")
        # The owner's name goes with the cursor for a few seconds after each move.
        await visitor.page.locator(".jp-remote-userInfo, .jp-remote-cursor").first.wait_for(state="attached")

        async def at_rest() -> bool:
            return await visitor.page.locator(".jp-mod-dirty").count() == 0

        await until(at_rest, what="the document saved")
        await owner.page.keyboard.type("t?")
        await visitor.shows("look righ")
        picture.parent.mkdir(parents=True, exist_ok=True)
        await visitor.page.screenshot(path=str(picture))


async def main(picture: Path) -> None:
    path = executable()
    if path is None:
        raise SystemExit("Chromium is not installed")
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        project.plant(home / "root")
        (home / "config").mkdir()
        (home / "config" / "jupyter_server_config.py").write_text(NAMED)
        with running_jupyter(home) as server:
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(executable_path=path, args=FLAGS)
                await take(browser, server, home, picture)
                await browser.close()
    size = picture.stat().st_size
    if size > LARGEST:
        raise SystemExit(f"{picture} has {size} bytes, more than {LARGEST}")
    print(f"{picture}: {WIDTH}x{HEIGHT}, {size} bytes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", nargs="?", type=Path, default=Path("docs/images/visitor.png"))
    asyncio.run(main(parser.parse_args().picture))
