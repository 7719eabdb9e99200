"""A visitor who comes from another address of this computer, by a name that only tests know."""

from __future__ import annotations

import io
import json
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from sharegate.demo.visitor import RobotVisitor

# Where visitors come from; the proxies and the gate have 127.0.0.1.
HERE = "127.0.0.2"


class _Loopback(AbstractResolver):
    """Every name is this computer."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=0)]

    async def close(self) -> None:
        """There is nothing to close."""


def connector(trusted: ssl.SSLContext, here: str = HERE) -> aiohttp.TCPConnector:
    return aiohttp.TCPConnector(ssl=trusted, resolver=_Loopback(), local_addr=(here, 0), limit=0)


@dataclass
class Told:
    """An answer, read whole."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Person(RobotVisitor):
    """A visitor who may ask for anything."""

    @property
    def origin(self) -> str:
        return self._origin

    async def ask(
        self,
        method: str,
        path: str,
        data: bytes | AsyncIterator[bytes] | None = None,
        *,
        whole: bool = False,
        **headers: str,
    ) -> Told:
        """Below the visit, with a page's manners; `whole`: the path from the gate's own root. In names of `headers`
        an underscore is a hyphen."""
        async with self.asking(method, path, data, whole=whole, **headers) as answer:
            return Told(answer.status, {k.lower(): v for k, v in answer.headers.items()}, await answer.read())

    def asking(self, method: str, path: str, data: Any = None, *, whole: bool = False, **headers: str) -> Any:
        """The same with the answer open, to be used with `async with`."""
        manners = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
        if method not in ("GET", "HEAD"):
            manners |= {"Origin": self._origin, "Content-Type": "application/json"}
        manners |= {name.replace("_", "-"): value for name, value in headers.items()}
        target = URL(self._origin + ("" if whole else self.base) + path, encoded=True)
        sent = io.BytesIO(data) if isinstance(data, bytes) else data
        return self._session.request(method, target, data=sent, headers=manners, allow_redirects=False)

    async def quiet_socket(self, path: str) -> aiohttp.ClientWebSocketResponse:
        """A WebSocket whose pings are shown and not answered by themselves."""
        address = URL(self._origin + self.base + path, encoded=True)
        return await self._session.ws_connect(address, headers={"Origin": self._origin}, autoping=False)

    def cookies(self) -> list[Any]:
        return list(self._session.cookie_jar)
