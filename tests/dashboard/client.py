"""Who asks the dashboard's address: browsers and programs."""

from __future__ import annotations

import re
from typing import Any

import aiohttp

from sharegate.dashboard.login import Viewer
from tests.dashboard.conftest import Office

Said = tuple[int, dict[str, Any]]


class Program:
    """A program on this computer. `token` is what it shows, "" for nothing."""

    def __init__(self, office: Office, token: str = "") -> None:
        self.token = token
        self.http = aiohttp.ClientSession(office.running.dashboard_url, cookie_jar=aiohttp.DummyCookieJar())

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    async def whole(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[aiohttp.ClientResponse, Any]:
        """The answer, and what it says (None for nothing)."""
        headers = self.headers() | more.pop("headers", {})
        async with self.http.request(method, path, json=body, headers=headers, **more) as answer:
            said = await answer.read()
            return answer, await answer.json(content_type=None) if said else None

    async def ask(self, method: str, path: str, body: Any = None, **more: Any) -> Said:
        answer, said = await self.whole(method, path, body, **more)
        return answer.status, said

    async def close(self) -> None:
        await self.http.close()


class Signed(Program):
    """A browser that is signed in, as `sharegate open` does it or as `viewer`; with `csrf` it shows what its pages
    show."""

    def __init__(self, office: Office, *, csrf: bool = True, viewer: Viewer | None = None) -> None:
        super().__init__(office)
        self._office = office
        self._csrf = csrf
        self._viewer = viewer
        self._shown: dict[str, str] = {}

    def headers(self) -> dict[str, str]:
        return self._shown

    async def enter(self) -> None:
        url = self._office.running.dashboard_url
        if self._viewer is not None:
            code = self._office.running.api._opening._logins.invite(self._viewer)
        else:
            code = (await self._office.call("POST", "logins"))["url"].partition("#")[2]
        async with self.http.post("/login", json={"code": code}, headers={"Origin": url}) as answer:
            cookie = answer.headers["Set-Cookie"].partition(";")[0]
        self._shown = {"Cookie": cookie}
        async with self.http.get("/", headers=self._shown) as answer:
            found = re.search(r'<meta name="csrf" content="([^"]+)">', await answer.text())
        assert found is not None
        if self._csrf:
            self._shown |= {"Origin": url, "X-CSRF-Token": found[1]}
