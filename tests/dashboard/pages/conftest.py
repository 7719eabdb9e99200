"""A browser in which the owner is signed in, in front of a running gate in which something is going on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page

from sharegate.shares.model import VisitKind
from tests.browser import axe
from tests.browser.chromium import launched
from tests.dashboard.conftest import Office
from tests.stores.records import a_knock, a_visit

PHONE, DESK = (390, 844), (1280, 860)
EVIL = '<img src=x onerror="window.owned=1">'
LONG = "W" * 60
# Pages of ours may write to the clipboard, and may not read it.
COPYING = """() => {
  const write = navigator.clipboard.writeText.bind(navigator.clipboard);
  navigator.clipboard.writeText = async (text) => { await write(text); window.copied = text; };
}"""
CELL = "import csv\nrows = list(csv.DictReader(open('stations.csv')))\nsum(int(row['height_m']) for row in rows)"


@pytest_asyncio.fixture
async def chromium() -> AsyncIterator[Browser]:
    async with launched() as running:
        yield running


async def sign_in(office: Office, context: BrowserContext) -> Page:
    """As `sharegate open` does."""
    page = await context.new_page()
    await page.goto((await office.call("POST", "logins"))["url"])
    await page.locator("#live[data-state=live]").wait_for(state="attached")
    return page


@pytest_asyncio.fixture
async def page(office: Office, chromium: Browser) -> AsyncIterator[Page]:
    """On *Now*, at a desk. What it complains of fails the test."""
    context = await chromium.new_context(viewport={"width": DESK[0], "height": DESK[1]})
    await context.grant_permissions(["clipboard-write"])
    page = await sign_in(office, context)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if "Content Security Policy" in line.text else None)
    yield page
    await context.close()
    assert errors == []


async def fine(page: Page) -> None:
    """As assistive technology reads it, no wider than a phone, and nothing of what others wrote has run."""
    assert await axe.serious(page) == []
    await page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    await page.set_viewport_size({"width": DESK[0], "height": DESK[1]})
    assert await page.evaluate("window.owned") is None


class Scene:
    """Who is in and who knocks, put into the records as the gate itself does it."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.store: Any = office.running.gate._store
        api: Any = office.running.api
        self.presence = api._people._views._presence
        self.hands = api._asks._hands

    async def visit(self, made: dict[str, Any], name: str, *, number: int = 0, where: str = "", **more: Any) -> str:
        link = made["links"][number]
        id = f"v{abs(hash((link['id'], name, str(more)))) % 10**9}"
        visit = a_visit(
            id,
            share=link["share"],
            link=link["id"],
            name=name,
            created=self.office.clock() - 900,
            expires=self.office.clock() + 9e5,
            address="192.0.2.0/24",
            agent="Firefox on Linux",
            **more,
        )
        await self.store.open_visit(visit, seats=None)
        if where:
            self.presence.page_opened(id)
            self.presence.touch(id, where)
        return id

    async def knock(self, made: dict[str, Any], name: str, *, came_from: str = "", **more: Any) -> str:
        link = made["links"][0]
        id = f"n{abs(hash((link['id'], name))) % 10**9}"
        knock = a_knock(
            id,
            share=link["share"],
            link=link["id"],
            name=name,
            came_from=came_from,
            created=self.office.clock() - 20,
            address="192.0.2.0/24",
            agent="Safari on iPhone",
            **more,
        )
        await self.store.add_knock(knock, limit=10)
        return id

    async def fill(self) -> dict[str, Any]:
        """A class in full swing: every state that a page can show, and names that try to break it."""
        folder = self.office.folder
        (folder / "week3" / "intro.ipynb").write_text("{}")
        (folder / "week3" / ".env").write_text("")
        (folder / ".ssh").mkdir()
        (folder / "data").symlink_to("/etc")
        edit = await self.office.share("week3", role="edit", message="Start with intro.ipynb", **{"for": ["Ann", "Bo"]})
        course = await self.office.share("week4", name="Week 4", anyone=True, visits=60)
        notes = await self.office.share("notes.md", **{"for": ["Cy"]})
        odd = await self.office.share("week4", name=LONG, **{"for": [EVIL]})
        await self.office.call("POST", f"shares/{notes['share']['id']}/pause")
        ann = await self.visit(edit, "Ann", where="week3/intro.ipynb")
        await self.visit(edit, "Ann", kind=VisitKind.DEVICE, came_from=ann)
        await self.visit(edit, "Bo", number=1)
        for name in ("Dora Lee", "Émile 🎓", "Fatima"):
            await self.visit(course, name, where="week4")
        await self.visit(odd, EVIL, where=f"week4/{LONG}")
        await self.knock(edit, "Eve", came_from=ann)
        await self.knock(course, LONG)
        return edit


@pytest.fixture
def scene(office: Office) -> Scene:
    return Scene(office)
