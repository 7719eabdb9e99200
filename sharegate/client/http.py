"""Requests and WebSockets with the token in a header: never in an address, a repr or an error."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from urllib.parse import quote

import aiohttp
import msgspec
from yarl import URL

from sharegate import __version__
from sharegate.client.address import Address
from sharegate.client.errors import Unreachable, kind_of, refusal

AGENT = f"sharegate-client/{__version__}"
PAUSE = 0.5
MAX_MESSAGE = 64 << 20


class Http:
    """One connection pool to one share. `patience`: seconds for which a gate that is away is asked again."""

    def __init__(self, address: Address, *, timeout: float, patience: float) -> None:
        self._address = address
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self.patience = patience
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        return f"<Http {self._address.url}>"

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers={"User-Agent": AGENT}, cookie_jar=aiohttp.DummyCookieJar(), timeout=self._timeout
            )
        return self._session

    def _url(self, path: str) -> URL:
        """`path` below the share, percent-encoded."""
        return URL(f"{self._address.url}/{path}", encoded=True)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._address.token}", "Accept": "application/json"}

    async def ask(self, method: str, path: str, body: Any = None) -> bytes:
        """The body of a good answer; a ShareError for any other. Reading is tried again while the gate is away."""
        until = time.monotonic() + self.patience
        while True:
            error = None
            try:
                return await self._once(method, path, body)
            except Unreachable as unreachable:
                error = unreachable
            if method != "GET" or time.monotonic() + PAUSE > until:
                raise error
            await asyncio.sleep(PAUSE)

    async def _once(self, method: str, path: str, body: Any) -> bytes:
        headers = self._headers()
        data = None
        if body is not None:
            data, headers["Content-Type"] = msgspec.json.encode(body), "application/json"
        fault = ""
        try:
            async with self._open().request(
                method, self._url(path), data=data, headers=headers, allow_redirects=False
            ) as answer:
                read = await answer.read()
                if answer.status < 300:
                    return read
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            fault = type(error).__name__
        # Raised out here: what the library raises holds the request, its headers too.
        if fault:
            raise Unreachable("unreachable", f"The gate does not answer: {fault}")
        raise refusal(status, read)

    async def socket(self, path: str) -> aiohttp.ClientWebSocketResponse:
        """An open WebSocket, or why there is none."""
        address = self._url(path)
        fault, status = "", 0
        try:
            return await self._open().ws_connect(
                address, headers=self._headers(), heartbeat=20.0, max_msg_size=MAX_MESSAGE
            )
        except aiohttp.WSServerHandshakeError as error:
            status = error.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            fault = type(error).__name__
        if fault:
            raise Unreachable("unreachable", f"The gate does not answer: {fault}")
        # The library does not show what a refused handshake says: the same credential is told elsewhere.
        await self.ask("GET", "-/share")
        passing = status >= 500 or status == 429
        kind = Unreachable if passing else kind_of("", status)
        raise kind(f"http_{status}", f"The live connection was refused with {status}.")


def encoded(path: str) -> str:
    """A path as it stands in an address."""
    return "/".join(quote(part, safe="") for part in path.split("/") if part)
