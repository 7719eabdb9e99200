"""A browser at the door of a real gate whose links ask people to sign in."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from tests.conftest import Clock
from tests.dashboard.conftest import Office, opened
from tests.oidc.party import CLIENT, SECRET, Party, party

Said = tuple[int, dict[str, Any]]
# What a browser says of a page that it was led to from another site.
ARRIVING = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


class Here(AbstractResolver):
    """Every name is this computer's."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=0)]

    async def close(self) -> None:
        """Nothing is open."""


class Person:
    """One browser. `host` is whose door it is at: the gate's, or a share's own."""

    def __init__(self, office: Office, there: Party, host: str = "") -> None:
        self.there = there
        self.url = host or office.running.gate_url
        # As browsers see names below localhost: this computer, and as safe as https.
        jar = aiohttp.CookieJar(unsafe=True, treat_as_secure_origin=[URL(self.url)])
        self.http = aiohttp.ClientSession(cookie_jar=jar, connector=aiohttp.TCPConnector(resolver=Here()))
        self.headers = {"User-Agent": "Firefox"}

    async def post(self, path: str, body: dict[str, Any]) -> Said:
        headers = {**self.headers, "Origin": self.url}
        async with self.http.post(self.url + path, json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    async def about(self, token: str) -> dict[str, Any]:
        status, said = await self.post("/join/about", {"token": token})
        assert status == 200, said
        return said

    async def leave(self, token: str, **more: Any) -> str:
        """A click on "Sign in": the provider's address."""
        status, said = await self.post("/join/sign", {"token": token, **more})
        assert status == 200, said
        return str(said["location"])

    async def come(self, address: str, **headers: str) -> tuple[int, str]:
        """Back from the provider: the answer, and where it leads."""
        said = {**self.headers, **ARRIVING, **{name.replace("_", "-"): value for name, value in headers.items()}}
        async with self.http.get(address, headers=said, allow_redirects=False) as answer:
            self.said = answer
            led = re.search(r'<a href="([^"]+)" data-onward>', await answer.text())
            return answer.status, led[1] if led else answer.headers.get("Location", "")

    async def sign(self, token: str, **more: Any) -> None:
        """All the way there and back, with hosts of shares by two steps."""
        status, location = await self.come(self.there.sent_back(await self.leave(token, **more)))
        if "/join/signed?" in location:
            status, location = await self.come(location)
        assert (status, location) == (200, f"{self.url}/join#{token}")
        assert token not in str(self.said.headers)

    async def open(self, token: str, **more: Any) -> Said:
        return await self.post("/join", {"token": token, **more})

    async def enter(self, token: str, **more: Any) -> str:
        status, said = await self.open(token, **more)
        assert status == 200, said
        return str(said["location"]).partition("/~")[2].partition("/")[0]

    async def code(self, token: str, **more: Any) -> str:
        """Why they are not let in."""
        status, said = await self.open(token, **more)
        assert status != 200
        return str(said["error"]["code"])

    async def page(self, visit: str, share: str) -> int:
        """Whether the visit goes on."""
        path = f"/s/{share}/~{visit}/-/leave"
        async with self.http.get(self.url + path, headers=self.headers) as answer:
            return answer.status


class Desk:
    """The gate with its provider, and browsers that are closed at the end."""

    def __init__(self, office: Office, there: Party, people: contextlib.AsyncExitStack) -> None:
        self.office = office
        self.there = there
        self._people = people

    def person(self, host: str = "") -> Person:
        made = Person(self.office, self.there, host)
        self._people.push_async_callback(made.http.close)
        return made

    async def link(self, **more: Any) -> tuple[str, str]:
        """A link that asks for this: its id and its token."""
        made = await self.office.share(**more)
        return made["links"][0]["id"], made["links"][0]["url"].partition("#")[2]

    async def visit(self, id: str) -> dict[str, Any]:
        return next(one for one in (await self.office.call("GET", "visits"))["visits"] if one["id"] == id)


@contextlib.asynccontextmanager
async def signing(home: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> AsyncIterator[Desk]:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(home / "no servers"))
    secret = home / "secret"
    secret.write_text(SECRET, encoding="utf-8")
    secret.chmod(0o600)
    async with party() as there, contextlib.AsyncExitStack() as people:
        there.now = clock
        mine = {"oidc_issuer": there.url, "oidc_client_id": CLIENT, "oidc_client_secret_file": str(secret)}
        async with opened(home, clock, **{**mine, "oidc_name": "Uni", **settings}) as office:
            yield Desk(office, there, people)


def fragment(address: str) -> str:
    return urlsplit(address).fragment
