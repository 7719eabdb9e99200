"""Every page of the dashboard, with and without anything on it, in Chromium: fit for everybody, and silent."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
import pytest_asyncio
from playwright.async_api import Page

from sharegate.audit.events import Action
from sharegate.dashboard.pages.site import ADMIN_PAGES, PAGES
from tests.browser import axe
from tests.browser.chromium import launched
from tests.browser.fit import complaining, unfit
from tests.conftest import Clock
from tests.dashboard.conftest import Office, opened
from tests.dashboard.pages.conftest import Scene, sign_in
from tests.dashboard.pages.party import party, said
from tests.dashboard.test_alarms import DETAIL, happen
from tests.dashboard.test_versions import PATH, Desk

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

# Where something is on the page. `{share}` and the like are what was made.
FULL = (
    "/",
    "/new",
    "/new?path=week3",
    "/new/server",
    "/new/teams",
    "/shares/{share}/given",
    "/shares/{share}",
    "/shares/{share}/people",
    "/shares/{share}/links",
    "/shares/{written}/versions",
    "/shares/{share}/history",
    "/shares/{share}/settings",
    "/shares/{share}/prove",
    "/shares/{passed}/passing",
    "/links/{link}/code",
    "/compare?one={version}&other={taken}",
    "/versions/{version}",
    "/undo/ann",
    "/history",
    "/history?outcome=denied&since=2027-01-01T00:00",
    "/history?since=yesterday",
    "/history?share={passed}",
    "/history/intact?read=1",
    "/history/kept?person=ann",
    "/admin",
    "/admin/review",
    "/admin/passed-on",
    "/admin/search?q=ann",
    "/admin/reports",
    "/admin/notifications",
    "/admin/rules?preview=1",
    "/admin/keys?stolen=1",
    "/admin/tokens",
    "/admin/health",
    "/nothing",
)
# Where nothing happened yet.
EMPTY = (
    "/",
    "/new",
    "/history",
    "/history/intact",
    "/history/kept",
    "/admin",
    "/admin/review",
    "/admin/passed-on",
    "/admin/search",
    "/admin/reports",
    "/admin/rules",
    "/admin/tokens",
)


@dataclass
class Desktop:
    """Somebody who is signed in, and the names of what `FULL` is about."""

    office: Office
    page: Page
    names: dict[str, str] = field(default_factory=dict)

    async def faults(self, path: str, picture: str) -> list[str]:
        """Of the page with all that can be opened on it open."""
        url = self.office.running.dashboard_url
        async with complaining(self.page, url) as complaints:
            await self.page.goto(url + path.format(**self.names))
            await self.page.locator("#live[data-state=live]").wait_for(state="attached")
            await self.page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
            found = await unfit(self.page, picture)
        assert await self.page.evaluate("window.owned") is None
        return found + complaints


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def empty(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desktop]:
    """An office in which nothing happened."""
    axe.source()  # skips here, before anything is started
    with pytest.MonkeyPatch.context() as patched:
        home = tmp_path_factory.mktemp("empty")
        patched.setenv("JUPYTER_RUNTIME_DIR", str(home / "no servers"))
        async with launched() as chromium, opened(home, Clock()) as office:
            yield Desktop(office, await sign_in(office, await chromium.new_context(locale="en-GB")))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def full(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desktop]:
    """A class in full swing."""
    axe.source()
    with pytest.MonkeyPatch.context() as patched:
        home = tmp_path_factory.mktemp("full")
        patched.setenv("JUPYTER_RUNTIME_DIR", str(home / "no servers"))
        async with launched() as chromium, opened(home, Clock()) as office:
            names = await everything(office)
            yield Desktop(office, await sign_in(office, await chromium.new_context(locale="en-GB")), names)


async def everything(office: Office) -> dict[str, str]:
    """All that pages can show, and names that try to break them; the names that `FULL` has for it."""
    passed = await party(office)
    for number in range(110):
        await passed.record(Action.REQUEST_ANSWERED, "Ann", path=f"week3/{number}", method="GET", after=200.0)
    desk = await Desk(office).sit()
    office.clock.forward(1)
    taken = (await office.call("POST", "snapshots", {"path": str(office.folder / PATH)}))["snapshot"]
    first = (await desk.list())[-1]
    written = next(share for share in (await office.call("GET", "shares"))["shares"] if share["id"] != passed.id)
    share = await Scene(office).fill()
    await happen(office, Action.DOCUMENT_ALARM, "week3/a.ipynb", detail=DETAIL)
    await office.token("shares:read", "trail:read", days=30)
    await said(office)
    link = share["links"][0]["id"]
    await office.call("POST", f"links/{link}/code")
    named = {"share": share["share"]["id"], "link": link, "passed": passed.id, "written": written["id"]}
    return {**named, "version": first["id"], "taken": taken["id"]}


def named(path: str) -> str:
    """What a picture of it is called."""
    return re.sub(r"[^a-z]+", "-", re.sub(r"{.*?}", "", path)).strip("-") or "now"


@pytest.mark.parametrize("path", FULL)
async def test_a_page_with_everything_on_it(full: Desktop, path: str) -> None:
    """Nothing serious for axe, nothing wider than the window, all by keyboard, nothing in the console."""
    assert await full.faults(path, named(path)) == []


@pytest.mark.parametrize("path", EMPTY)
async def test_a_page_with_nothing_on_it(empty: Desktop, path: str) -> None:
    """The same where nothing happened yet."""
    assert await empty.faults(path, f"empty-{named(path)}") == []


async def test_a_question_that_is_asked_first(full: Desktop) -> None:
    """The dialog is as fit as the page that it stands before, and holds the focus."""
    url, page = full.office.running.dashboard_url, full.page
    async with complaining(page, url) as complaints:
        await page.goto(url)
        await page.get_by_role("button", name="End visit").first.click()
        await page.get_by_role("dialog").wait_for()
        assert await unfit(page, "question") + complaints == []
        await page.get_by_role("button", name="Keep it as it is").click()


async def test_no_page_is_forgotten() -> None:
    """Each address of the dashboard is looked at above."""
    looked = [path.partition("?")[0].format_map(_Any()) for path in FULL]
    pages = {name: re.compile(pattern) for pattern, name, _ in PAGES + ADMIN_PAGES}
    assert [name for name, pattern in pages.items() if not any(map(pattern.fullmatch, looked))] == []


class _Any(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "id"
