"""A scripted gate behind the real pages, and a headless Chromium that looks at them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser, Page

from sharegate import messages
from sharegate.errors import MEANINGS, Reason
from sharegate.language.catalogue import ANY
from sharegate.visits import pages
from tests.browser.chromium import launched

TOKEN = "eyJhbGciOiJFZERTQSJ9.c2VjcmV0LWNsYWltcw.c2lnbmF0dXJl-_x"
INSIDE = "/s/k7f2k7f2k7/~vvvvvvvvvv/lab/tree/week3"


def about(**changes: Any) -> dict[str, Any]:
    """What the gate tells about an open link for one person, with changes."""
    return {
        "state": "open",
        "needs": [],
        "opens": 0,
        "owner": "Ann",
        "owner_badge": "",
        "share": {"name": "Week 3", "kind": "directory", "folder": "week3", "message": "Start with nb.ipynb."},
        "link": {"name": "Bo", "kind": "person"},
        "role": "view",
        "role_sentence": "can view",
        "expires": 4_000_000_000.0,
        "ended_by": "",
        "ended_at": 0,
        "ended_why": "",
        "time": "",
        "ask_name": False,
        "shared_origin": False,
        "recorded": ["when you come and go", "which files you open", "your network, shortened, and browser"],
        **changes,
    }


@dataclass
class ScriptedGate:
    """Answers as a test says and remembers what was posted, with the headers it came with."""

    url: str = ""
    about: dict[str, Any] = field(default_factory=about)
    refuse: dict[str, Reason] = field(default_factory=dict)
    states: list[str] = field(default_factory=lambda: ["waiting"])
    ending: pages.Ending = field(default_factory=pages.Ending)
    retry_after: int | None = None
    share_hosts: str = ""
    posts: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    origins: set[str | None] = field(default_factory=set)

    def posted(self) -> list[str]:
        return [path for path, _ in self.posts]

    async def page(self, request: web.Request) -> web.StreamResponse:
        language = ANY.of(messages.Headers(request.headers.items()))
        if request.path == "/join":
            return _send(pages.join_page(self.share_hosts, language))
        if request.path.startswith("/join/static/"):
            found = pages.static_file(request.match_info["digest"], request.match_info["name"])
            return _send(found or pages.refusal(MEANINGS[Reason.NOT_FOUND], "r4nd0m", False))
        if request.path.endswith("/-/ended"):
            return _send(pages.ended_page(self.ending, language))
        if request.path == "/code":
            return _send(pages.code_page(language))
        if request.path.startswith("/s/other"):
            return _send(pages.address_page(language))
        if request.path.startswith("/refused/"):
            reason = Reason(request.path.rpartition("/")[2])
            return _send(pages.refusal(MEANINGS[reason], "r4nd0m", True, None, language))
        return web.Response(text="<!doctype html><title>inside</title><h1>inside</h1>", content_type="text/html")

    async def post(self, request: web.Request) -> web.StreamResponse:
        assert request.content_type == "application/json"
        self.origins.add(request.headers.get("Origin"))
        self.posts.append((request.path, await request.json()))
        if reason := self.refuse.pop(request.path, None):
            language = ANY.of(messages.Headers(request.headers.items()))
            return _send(pages.refusal(MEANINGS[reason], "r4nd0m", False, self.retry_after, language))
        if request.path == "/join/about":
            return web.json_response(self.about)
        if request.path.endswith("/time"):
            return web.json_response({"state": "waiting"})
        if request.path == "/join/code":
            return web.json_response({"to": (await request.json())["email"] or "b…@berkeley.edu", "minutes": 10})
        if request.path == "/join/knock":
            return web.json_response({"knock": "kn0ck"})
        if request.path == "/join/knock/state":
            state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
            return web.json_response({"state": state, "location": INSIDE if state == "admitted" else ""})
        return web.json_response({"location": INSIDE})


def _send(answer: messages.Response) -> web.Response:
    assert isinstance(answer.body, bytes)
    return web.Response(status=answer.status, body=answer.body, headers=list(answer.headers))


@contextlib.asynccontextmanager
async def serving(gate: ScriptedGate) -> AsyncIterator[ScriptedGate]:
    app = web.Application()
    app.router.add_get("/join/static/{digest}/{name}", gate.page)
    app.router.add_get("/{rest:.*}", gate.page)
    app.router.add_post("/{rest:.*}", gate.post)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        gate.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield gate
    finally:
        await runner.cleanup()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    async with launched() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def door() -> AsyncIterator[ScriptedGate]:
    """The door's pages over a scripted gate."""
    async with serving(ScriptedGate()) as gate:
        yield gate


@dataclass
class Tab:
    """One browser tab, everything its console said, and words by which what may be said there is known."""

    page: Page
    gate: ScriptedGate
    console: list[str] = field(default_factory=list)
    # Chromium itself notes each answer of 400 and up; that is no fault of the page.
    expected: list[str] = field(default_factory=lambda: ["the server responded with a status of"])

    def __post_init__(self) -> None:
        self.page.on("console", lambda message: self.console.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.console.append(f"pageerror: {error}"))

    def unexpected(self) -> list[str]:
        return [line for line in self.console if not any(words in line for words in self.expected)]

    async def join(self, fragment: str = TOKEN, section: str = "") -> None:
        await self.page.goto(f"{self.gate.url}/join" + (f"#{fragment}" if fragment else ""))
        if section:
            await self.see(section)

    async def see(self, section: str) -> None:
        """Wait until a section shows, and only that one."""
        await self.page.locator(f'[data-section="{section}"]').wait_for(state="visible", timeout=30_000)
        assert await self.page.locator("[data-section]:visible").count() == 1

    async def text(self) -> str:
        """What a person reads on the sheet, in one line."""
        return " ".join((await self.page.locator("main").inner_text()).split())

    async def everything(self) -> str:
        """Whatever this page could leave behind or show to another script of its origin."""
        found: object = await self.page.evaluate(
            """async () => JSON.stringify([
                location.href, document.title, document.cookie, history.state, document.referrer, window.name,
                document.documentElement.outerHTML,
                [...document.querySelectorAll("input")].map(field => field.value),
                Object.entries(localStorage), Object.entries(sessionStorage),
                (await indexedDB.databases()).map(one => one.name), await caches.keys(),
                window.navigation ? navigation.entries().map(one => [one.url, one.getState()]) : [],
                performance.getEntriesByType("resource").map(one => one.name),
                Object.keys(window).filter(key => typeof window[key] === "string").map(key => window[key]),
            ])"""
        )
        return str(found) + json.dumps(self.console)


@pytest_asyncio.fixture(loop_scope="module")
async def tab(chromium: Browser, door: ScriptedGate) -> AsyncIterator[Tab]:
    """A tab in a fresh browser profile. The test fails when its console said something that was not expected."""
    context = await chromium.new_context(locale="en-GB", timezone_id="Europe/Berlin")
    tab = Tab(await context.new_page(), door)
    yield tab
    await context.close()
    assert tab.unexpected() == []


@pytest.fixture
def token() -> str:
    return TOKEN
