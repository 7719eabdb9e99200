"""Reading the dashboard's pages over real HTTP, signed in."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from html import unescape
from html.parser import HTMLParser

import aiohttp

from sharegate.dashboard.login import Viewer
from tests.dashboard.conftest import Office


class Reader:
    """One browser that is signed in. `csrf` is its session's token."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self.http = http
        self.url = url
        self.csrf = ""

    async def get(self, path: str, status: int = 200) -> str:
        """The page's source. Fails the test for another status."""
        async with self.http.get(path) as answer:
            text = await answer.text()
            assert answer.status == status, text[-2000:]
        return text

    async def words(self, path: str, status: int = 200) -> str:
        """What a person reads there: without elements, and with one blank between words."""
        return words(await self.get(path, status))


def words(source: str) -> str:
    main = source[source.index("<main") : source.index("</main>")]
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", main)).split())


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.bad: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ("img", "iframe", "object", "style", "base") or any(name.startswith("on") for name in given):
            self.bad.append(f"{tag} {given}")
        if tag == "script" and not (given.get("src") or "").startswith("/static/"):
            self.bad.append(f"{tag} {given}")
        for name in ("href", "src", "action", "hx-get"):
            address = given.get(name) or "/"
            if not address.startswith(("/", "#")) or address.startswith("//"):
                self.bad.append(f"{tag} {name}={address}")
        if "style" in given:
            self.bad.append(f"{tag} style")


def foreign(source: str) -> list[str]:
    """What no page of ours has: scripts and styles in it, handlers, frames and addresses elsewhere."""
    elements = _Elements()
    elements.feed(source)
    return elements.bad


@contextlib.asynccontextmanager
async def reading(office: Office, *, admin: bool = True) -> AsyncIterator[Reader]:
    """As whoever has the one-time code."""
    url = office.running.dashboard_url
    code = office.running.api._opening._logins.invite(Viewer("Olga", admin=admin, owner="Olga"))
    # The jar of this library leaves addresses out: the dashboard's name is a host name.
    async with aiohttp.ClientSession(url, cookie_jar=aiohttp.CookieJar()) as http:
        async with http.post("/login", json={"code": code}, headers={"Origin": url}) as answer:
            assert answer.status == 200
        reader = Reader(http, url)
        found = re.search(r'<meta name="csrf" content="([^"]+)">', await reader.get("/"))
        assert found is not None
        reader.csrf = found[1]
        yield reader
