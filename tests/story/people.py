"""People of the story in headless Chromium: each has a browser profile of their own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import nbformat
from playwright.async_api import BrowserContext, ConsoleMessage, Error, Page

from tests.real.jupyter import JupyterServer

T = TypeVar("T")
LOADED = 60_000  # ms: JupyterLab on a busy machine

# What every JupyterLab says on its own account, through the gate or not. Everything else counts as a fault.
CONSOLE_ALLOWED = (
    # Chromium without a graphics card, about its own software rendering of canvases.
    "GPU stall due to ReadPixels",
)

# The document in front, as this browser has it.
DOCUMENT = """() => {
  const shared = jupyterapp.shell.currentWidget.context.model.sharedModel;
  return JSON.stringify(shared.cells ? shared.toJSON() : shared.getSource());
}"""


async def until(
    look: Callable[[], Awaitable[T | None]], *, within: float = 30.0, every: float = 0.05, what: str = ""
) -> T:
    """The first answer that is true; fails the test when none comes in time."""
    loop = asyncio.get_running_loop()
    end = loop.time() + within
    while True:
        answer = await look()
        if answer:
            return answer
        assert loop.time() < end, f"{what or look} did not come true in {within} s (last: {answer!r})"
        await asyncio.sleep(every)


@dataclass
class Tab:
    """One page of one person, and what it complained about."""

    page: Page
    console: list[str] = field(default_factory=list)

    @classmethod
    async def open(cls, context: BrowserContext) -> Tab:
        tab = cls(await context.new_page())
        tab.page.on("console", tab._said)
        tab.page.on("pageerror", tab._failed)
        return tab

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not any(known in message.text for known in CONSOLE_ALLOWED):
            self.console.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")

    def _failed(self, error: Error) -> None:
        self.console.append(f"thrown: {error}")

    # -- the door -------------------------------------------------------------------------------------------------

    async def follow(self, url: str) -> None:
        """Follow a link anew, as from a message; a second time the address differs in nothing but the fragment."""
        await self.page.goto("about:blank")
        await self.page.goto(url)

    async def heading(self) -> str:
        """The heading in sight, spaces made plain; empty while there is none."""
        shown = await self.page.locator("h1:visible").all_inner_texts()
        return " ".join(" ".join(shown).split())

    async def reads(self, words: str, *, within: float = 30.0) -> None:
        """Wait until the heading contains these words."""

        async def look() -> bool:
            return words in await self.heading()

        await until(look, within=within, what=f"heading {words!r}")

    async def enter(self, url: str, *, button: str = "Open") -> None:
        """Follow the link and click."""
        await self.follow(url)
        await self.page.get_by_role("button", name=button, exact=True).click()

    async def knock(self, url: str, *, who: str = "", name: str = "") -> None:
        """Follow a link that is in use and knock."""
        await self.follow(url)
        await self.reads("in use")
        if who:
            await self.page.get_by_label(who).locator("visible=true").check()
        if name:
            await self.page.locator('[data-form="in_use"] input[name=name]').fill(name)
        await self.page.locator('[data-form="in_use"] button[type=submit]').click()
        await self.reads("Waiting for")

    # -- JupyterLab -----------------------------------------------------------------------------------------------

    async def notebook(self, words: str = "print(6*7)") -> None:
        """Wait until a notebook with these words stands there, ready."""
        await self.page.locator(".jp-Notebook .jp-Cell", has_text=words).first.wait_for(timeout=LOADED)
        await self.page.wait_for_function(
            "() => window.jupyterapp?.shell.currentWidget?.context?.isReady", timeout=LOADED
        )

    async def open_file(self, path: str, factory: str = "") -> None:
        """Open a file by JupyterLab's own command and wait until it is there."""
        asked = {"path": path, **({"factory": factory} if factory else {})}
        await self.page.evaluate("(asked) => jupyterapp.commands.execute('docmanager:open', asked)", asked)
        await self.page.wait_for_function(
            "(path) => { const w = jupyterapp.shell.currentWidget?.context; return w?.path === path && w.isReady; }",
            arg=path,
            timeout=LOADED,
        )

    async def document(self) -> str:
        return str(await self.page.evaluate(DOCUMENT))

    async def open_paths(self) -> list[str]:
        """What is open in the main area, in order of the tabs."""
        found: list[str] = await self.page.evaluate(
            "() => [...(window.jupyterapp?.shell.widgets('main') ?? [])].map((w) => w.context?.path).filter(Boolean)"
        )
        return found

    def code(self, number: int = 0) -> Any:
        """The text of a code cell."""
        return self.page.locator(".jp-CodeCell .cm-content").nth(number)

    async def shows(self, words: str, *, within: float = 30.0) -> None:
        async def look() -> bool:
            return words in " ".join(await self.page.locator(".jp-CodeCell .cm-content").all_inner_texts())

        await until(look, within=within, what=f"{words!r} in a cell", every=0.01)

    async def type_at_the_end(self, words: str, number: int = 0) -> None:
        await self.code(number).click()
        await self.page.keyboard.press("Control+End")
        await self.page.keyboard.type(words)

    async def banner(self) -> str:
        return " ".join((await self.page.locator("#sharegate").inner_text()).split())

    async def says(self, *words: str, within: float = 40.0) -> None:
        """Wait until the banner's status is one of these sentences (an empty one: it has nothing to say)."""

        async def look() -> bool:
            shown = self.page.locator("#sharegate .sg-status")
            return await shown.count() == 1 and (await shown.inner_text()).strip() in words

        await until(look, within=within, what=f"banner {words!r}")


@dataclass
class Project:
    """A folder of one test: `sub/<name>` with a notebook and two text files."""

    server: JupyterServer
    name: str

    @property
    def path(self) -> str:
        return f"sub/{self.name}"

    @property
    def notebook(self) -> str:
        return f"{self.path}/nb.ipynb"

    @property
    def notes(self) -> str:
        return f"{self.path}/notes.md"

    def disk(self, path: str) -> Path:
        return self.server.root / path

    def plant(self) -> Project:
        folder = self.disk(self.path)
        folder.mkdir(parents=True)
        book = nbformat.v4.new_notebook()
        book.metadata = {
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
        book.cells = [
            nbformat.v4.new_markdown_cell("# Shared notebook", id="cell-title"),
            nbformat.v4.new_code_cell("print(6*7)", id="cell-code"),
            nbformat.v4.new_code_cell("x = 'second'", id="cell-second"),
        ]
        nbformat.write(book, folder / "nb.ipynb")
        (folder / "notes.md").write_text("shared notes\n")
        (folder / "data.csv").write_text("a,b\n1,2\n")
        (folder / "long.txt").write_text("".join(f"line {number}\n" for number in range(400)))
        return self

    async def saved(self, words: str, path: str = "") -> None:
        """Wait until the file on disk holds these words (jupyter-collaboration saves by itself)."""
        file = self.disk(path or self.notebook)

        async def look() -> bool:
            return words in file.read_text()

        await until(look, what=f"{words!r} on disk")

    def text(self) -> str:
        """The sources of the notebook on disk."""
        cells = json.loads(self.disk(self.notebook).read_text())["cells"]
        return "\n".join("".join(cell["source"]) for cell in cells)


def expose_app(home: Path) -> None:
    """Have the owner's page tell its inner state to tests (in the visitor's page the gate does)."""
    (home / "config").mkdir()
    (home / "config" / "jupyter_server_config.json").write_text(json.dumps({"LabApp": {"expose_app_in_browser": True}}))


async def owner_tab(context: BrowserContext, project: Project, path: str = "") -> Tab:
    """The owner's own JupyterLab, not through the gate, in a workspace of this test."""
    server = project.server
    tab = await Tab.open(context)
    await tab.page.goto(
        f"{server.url}lab/workspaces/{project.name}/tree/{path or project.notebook}?token={server.token}"
    )
    await tab.notebook()
    return tab
