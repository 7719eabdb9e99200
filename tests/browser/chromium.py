"""Headless Chromium for tests: launch, collect what the console says, take pictures."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser as AsyncBrowser
from playwright.async_api import async_playwright
from playwright.async_api import expect as async_expect
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Page, Request, expect, sync_playwright

# Nothing but what the page under test asks for may leave the machine.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--no-first-run",
]
# As patient as everything else that waits for a page: what comes is not waited for any longer, and what does not come
# within the five seconds of the default may well come on a machine that does much else.
for _expect in (expect, async_expect):
    _expect.set_options(timeout=30_000)


def executable() -> str | None:
    """Chromium as Debian or the environment provides it; None when there is none."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


@dataclass
class Watched:
    """A page and everything it complained about. `foreign` are addresses outside `origin` it tried to load."""

    page: Page
    origin: str
    console: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def on_console(self, message: ConsoleMessage) -> None:
        self.console.append(f"{message.type}: {message.text}")

    def on_error(self, error: Error) -> None:
        self.errors.append(str(error))

    def on_request(self, request: Request) -> None:
        if not request.url.startswith((self.origin, self.origin.replace("http", "ws", 1), "data:", "blob:")):
            self.foreign.append(request.url)

    @property
    def violations(self) -> list[str]:
        """What the browser refused because of the page's Content-Security-Policy."""
        return [line for line in self.console if "Content Security Policy" in line or "Content-Security-Policy" in line]

    def picture(self, path: Path) -> None:
        self.page.screenshot(path=str(path))


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """One browser for as long as the block lasts."""
    path = executable()
    if path is None:
        raise RuntimeError("Chromium is not installed (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextlib.asynccontextmanager
async def launched(*flags: str) -> AsyncIterator[AsyncBrowser]:
    """The same for tests that await; they are skipped where there is none."""
    path = executable()
    if path is None:
        pytest.skip("Chromium is not installed")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=[*FLAGS, *flags])
        try:
            yield browser
        finally:
            await browser.close()


def named(host: str) -> str:
    """The flag by which `host` and all below it are this computer."""
    return f"--host-resolver-rules=MAP *.{host} 127.0.0.1, MAP {host} 127.0.0.1"


def person(browser: Browser, **options: Any) -> BrowserContext:
    """A browser profile of its own: another person, or another device."""
    return browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})


def watch(context: BrowserContext, origin: str) -> Watched:
    """A new page whose complaints are collected."""
    page = context.new_page()
    watched = Watched(page, origin)
    page.on("console", watched.on_console)
    page.on("pageerror", watched.on_error)
    page.on("request", watched.on_request)
    return watched
