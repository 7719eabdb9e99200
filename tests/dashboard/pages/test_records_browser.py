"""The history's and the admins' pages in a real browser, from a running gate."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page

from sharegate.audit.events import Action
from tests.browser.chromium import launched
from tests.dashboard.conftest import Office
from tests.dashboard.pages.hostile import EVERYTHING
from tests.dashboard.pages.party import Party, party

pytestmark = [pytest.mark.browser]


@dataclass
class Seen:
    """A page, and what it complained about."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)

    async def open(self, path: str) -> None:
        await self.page.goto(self.url + path)

    async def text(self) -> str:
        return await self.page.locator("main").inner_text()


@contextlib.asynccontextmanager
async def looking(office: Office, browser: Browser, **options: Any) -> AsyncIterator[Seen]:
    """Signed in as `sharegate open` does it."""
    given = {"viewport": {"width": 1280, "height": 850}, "timezone_id": "Europe/Berlin", "locale": "en-GB"} | options
    context = await browser.new_context(**given)
    page = await context.new_page()
    seen = Seen(page, office.running.dashboard_url)
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    page.on("console", lambda said: seen.complaints.append(said.text) if said.type in ("error", "warning") else None)
    await page.goto((await office.call("POST", "logins"))["url"])
    await page.wait_for_url(seen.url + "/")
    yield seen
    await context.close()
    # A policy that refuses something says so here too.
    assert seen.complaints == []


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with launched() as running:
        yield running


@pytest.fixture
async def there(office: Office) -> Party:
    return await party(office)


async def test_a_filter_by_keyboard_is_an_address_to_keep(office: Office, there: Party, browser: Browser) -> None:
    """What is not asked for does not stand in it; moments are the reader's own."""
    async with looking(office, browser) as seen:
        await seen.open("/history")
        assert "15 Jan 2027, 09:00:00" in await seen.text()
        await seen.page.get_by_text("Filter", exact=True).focus()
        await seen.page.keyboard.press("Enter")
        assert "yours (Europe/Berlin)" in await seen.text()
        await seen.page.get_by_label("File or folder").fill("week4")
        await seen.page.keyboard.press("Enter")
        await seen.page.wait_for_url(seen.url + "/history?path=week4")
        assert await seen.page.locator(".entry").count() == 1
        assert await seen.page.get_by_label("File or folder").input_value() == "week4"
        await seen.page.get_by_label("From").fill("2027-01-15T09:00")
        await seen.page.keyboard.press("Enter")
        await seen.page.wait_for_url("**/history?*since=2027-01-15T09%3A00*")
        assert "zone=Europe%2FBerlin" in seen.page.url


async def test_what_happens_appears_by_itself(office: Office, there: Party, browser: Browser) -> None:
    """And what is being typed into the filter stays."""
    async with looking(office, browser) as seen:
        await seen.open("/history?who=Bo")
        await seen.page.wait_for_selector("#live[data-state=live]")
        before = await seen.page.locator(".entry").count()
        await seen.page.get_by_label("File or folder").fill("week")
        await there.record(Action.REQUEST_ANSWERED, "Bo", path="week3/new.csv", method="GET", rule="contents-get")
        await seen.page.get_by_text("week3/new.csv", exact=True).wait_for()
        assert await seen.page.locator(".entry").count() == before + 1
        assert await seen.page.get_by_label("File or folder").input_value() == "week"
        assert "2027, 09:" in await seen.page.locator(".entry .at").first.inner_text()


async def test_a_mark_leads_to_its_entry_and_a_moment_tells_exactly(
    office: Office, there: Party, browser: Browser
) -> None:
    """By mouse and by keyboard."""
    async with looking(office, browser) as seen:
        await seen.open("/history")
        lane = seen.page.locator(".lane", has_text="Bo")
        await lane.locator("a.mark.refused").click()
        row = seen.page.locator(".entry:target")
        assert "week4/solutions.ipynb" in await row.inner_text()
        exact = row.locator(".exact")
        assert not await exact.is_visible()
        await row.locator(".at").focus()
        assert await exact.is_visible() and ".000 CET" in await exact.inner_text()
        assert "198.51.100.0/24" in await exact.inner_text()


async def test_what_a_page_asks_for_is_a_line_that_unfolds(office: Office, there: Party, browser: Browser) -> None:
    """By keyboard, and by a mark that leads into it; it stays as it is when something happens."""

    async def looks() -> None:
        for path in ("week3/a.csv", "api/me", "week3/b.csv"):
            rule = "me-read" if path == "api/me" else "contents-read"
            await there.record(Action.REQUEST_ANSWERED, "Bo", path=path, method="GET", rule=rule, status=200)

    await looks()
    async with looking(office, browser) as seen:
        await seen.open("/history?who=Bo")
        await seen.page.wait_for_selector("#live[data-state=live]")
        line = seen.page.locator(".run details")
        assert await line.inner_text() == "Bo looked at week3/a.csv and week3/b.csv (3 entries) week3"
        await line.locator("summary").focus()
        await seen.page.keyboard.press("Enter")
        await line.get_by_text("api/me").wait_for()
        await looks()
        await seen.page.get_by_text("(6 entries)").wait_for()
        assert await line.locator(".entry:visible").count() == 6
        await line.locator("summary").click()
        assert await line.locator(".entry:visible").count() == 0
        await seen.page.locator(".lane", has_text="Bo").locator("a.mark.read").last.click()
        await seen.page.locator(".run .entry:target").wait_for()
        await seen.open("/history?path=api")
        assert await seen.page.locator(".run").count() == 0 and await seen.page.locator(".entry").count() == 2


async def test_older_entries_by_the_page(office: Office, there: Party, browser: Browser) -> None:
    """Each entry once, to the beginning and back."""
    for number in range(230):
        await there.record(Action.REQUEST_ANSWERED, "Ann", path=f"week3/{number}.csv", method="GET", after=0.5)
    numbers: list[str] = []
    async with looking(office, browser) as seen:
        await seen.open("/history?action=request.answered")
        while True:
            numbers += await seen.page.locator(".entry").evaluate_all("rows => rows.map(row => row.id)")
            older = seen.page.get_by_role("link", name="Older")
            if not await older.count():
                break
            async with seen.page.expect_navigation():
                await older.click()
        assert "That is the beginning." in await seen.text()
        await seen.page.get_by_role("link", name="Newest").click()
        await seen.page.get_by_text("week3/229.csv", exact=True).wait_for()
    assert len(numbers) == len(set(numbers)) == 234


async def test_the_history_is_told_to_be_intact(office: Office, there: Party, browser: Browser) -> None:
    """The page says what it does meanwhile, and what the verdict cannot tell when somebody asks."""
    async with looking(office, browser) as seen:
        await seen.open("/history/intact")
        await seen.page.get_by_text("✓ History intact").wait_for()
        limits = seen.page.get_by_text("write all of it anew")
        assert not await limits.is_visible()
        await seen.page.get_by_text("What this can and cannot tell").click()
        assert await limits.is_visible()


async def test_a_download_is_a_file(office: Office, there: Party, browser: Browser) -> None:
    """With what the filter leaves."""
    async with looking(office, browser) as seen:
        await seen.open("/history?outcome=denied")
        async with seen.page.expect_download() as started:
            await seen.page.get_by_role("link", name="CSV, for a spreadsheet").click()
        file = await started.value
        assert file.suggested_filename == "sharegate-history.csv"
        rows = list(csv.DictReader(Path(await file.path()).read_text().splitlines()))
    assert [(row["name"], row["path"]) for row in rows] == [("Bo", "week4/solutions.ipynb")]


async def test_a_person_is_forgotten_after_a_look(office: Office, there: Party, browser: Browser) -> None:
    """Nothing happens without the confirmation."""
    async with looking(office, browser) as seen:
        await seen.open("/history/kept")
        await seen.page.get_by_label("Name, as it stands in the history").fill("Eve")
        await seen.page.keyboard.press("Enter")
        await seen.page.get_by_role("button", name="Forget them").wait_for()
        await seen.page.get_by_role("button", name="Forget them").click()
        await seen.page.locator("#ask-no").click()
        assert "trail.erased" not in await office.actions()
        await seen.page.get_by_role("button", name="Forget them").click()
        await seen.page.locator("#ask-yes").click()
        await seen.page.get_by_text("Forgotten.").wait_for()
    assert "trail.erased" in await office.actions()


async def test_an_access_review(office: Office, there: Party, browser: Browser) -> None:
    """Choose, pause, sign."""
    other = (await office.share("week4"))["share"]["id"]
    async with looking(office, browser) as seen:
        await seen.open("/admin/review")
        await seen.page.get_by_role("button", name="Pause what is chosen").click()
        assert "Choose something first." in await seen.text()
        await seen.page.get_by_label("Choose all that are shown").check()
        assert "2 chosen" in await seen.text()
        await seen.page.get_by_label("Choose week3").uncheck()
        await seen.page.get_by_role("button", name="Pause what is chosen").click()
        await seen.page.locator("#ask-yes").click()
        await seen.page.locator(f"#share-{other} .state.paused").wait_for()
        await seen.page.get_by_role("button", name="I have looked at all of it").click()
        await seen.page.get_by_text("2 shares, sha256").wait_for()
    assert (await office.call("GET", f"shares/{there.id}"))["share"]["state"] == "active"


async def test_keys_are_changed_and_given_up(office: Office, there: Party, browser: Browser) -> None:
    """A new one at a click; giving up after a look at what ends."""
    async with looking(office, browser) as seen:
        await seen.open("/admin/keys")
        await seen.page.get_by_role("button", name="Make a new key").click()
        await seen.page.locator("#notice-words", has_text="new key").wait_for()
        await seen.open("/admin/keys")
        assert await seen.page.locator(".cards .state.retired").count() == 1
        await seen.page.get_by_role("button", name="See what would end").click()
        await seen.page.wait_for_url("**/admin/keys?*")
        assert "stop 2 links" in await seen.text()
        await seen.page.get_by_role("button", name="Give up the keys").click()
        await seen.page.locator("#ask-yes").click()
        await seen.page.wait_for_url(seen.url + "/admin/keys")
        assert await seen.page.locator(".cards .state.refused").count() == 2


async def test_attack_hostile_values_do_nothing_in_a_browser(office: Office, there: Party, browser: Browser) -> None:
    """In every field of the trail and in the names of people: nothing runs, nothing is loaded, nothing is moved."""
    for number, text in enumerate(EVERYTHING.values()):
        fields: dict[str, Any] = dict.fromkeys(("name", "path", "detail", "address", "agent", "reason", "rule"), text)
        await there.record(Action.REQUEST_DENIED, **fields)
        await there.came(f"guest {number}", there.share["links"][1], shown=text[:500], agent=text[:500])
        await there.answered(await there.knocked(text[:500], there.share["links"][0], "Bo"))
    async with looking(office, browser, viewport={"width": 390, "height": 850}) as seen:
        loaded: list[str] = []
        seen.page.on("request", lambda asked: loaded.append(asked.url))
        for path in ("/history", "/shares/{share}/passing", "/admin", "/admin/passed-on", "/admin/search?q=guest"):
            await seen.open(path.format(share=there.id))
            assert await seen.page.evaluate("window.owned") is None, path
            assert await seen.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert all(url.startswith((seen.url, "data:")) for url in loaded)
