"""Asking a provider: JSON, over TLS that is checked, without redirects, within seconds and a size.

What the provider's own words lead to is asked in the same way; it decides the address, and nothing else.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

SECONDS = 10.0
MOST_BYTES = 512 << 10
_OF_A_PERSON = "application/json, application/jwt"


class Away(Exception):
    """The provider did not answer as providers do. The words are for the owner; they repeat nothing that it said."""


class Answered(Away):
    """It answered with a refusal. `status` is its own."""

    def __init__(self, status: int) -> None:
        super().__init__(f"it answered {status}")
        self.status = status


class Fetch:
    """Asks anew each time: no cookie, no connection and no redirect leads from one answer to the next. `near`: plain
    http to this computer is accepted."""

    def __init__(self, ca_file: Path | None = None, *, near: bool = False, seconds: float = SECONDS) -> None:
        self._ca_file = ca_file
        self._near = near
        self._seconds = seconds

    def check(self, url: str) -> str:
        """Raises Away for an address that is not asked."""
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname or "", parts.port
        except ValueError:
            raise Away("it named an address that is none") from None
        near = self._near and parts.scheme == "http" and _here(host)
        if not (parts.scheme == "https" or near) or not host or parts.username or parts.fragment or len(url) > 2000:
            raise Away("it named an address that is not https")
        return url

    async def get(self, url: str) -> dict[str, Any]:
        """Raises Away."""
        return _object((await self._ask("GET", url, {}, None))[1])

    async def about(self, url: str, token: str) -> dict[str, Any] | str:
        """What is known of whose access token this is (RFC 6750 section 2.1): an object, or as text a token that has
        it. Raises Away."""
        kind, body = await self._ask("GET", url, {"Authorization": f"Bearer {token}", "Accept": _OF_A_PERSON}, None)
        if kind != "application/jwt":
            return _object(body)
        return body.decode("ascii", "replace")

    async def post(self, url: str, form: Mapping[str, str], login: tuple[str, str] | None) -> dict[str, Any]:
        """`login` is sent as RFC 6749 section 2.3.1 has it, encoded already. Raises Away."""
        head = {"Authorization": aiohttp.encode_basic_auth(*login)} if login is not None else {}
        return _object((await self._ask("POST", url, head, form))[1])

    async def _ask(
        self, method: str, url: str, more: Mapping[str, str], form: Mapping[str, str] | None
    ) -> tuple[str, bytes]:
        """The kind of the answer, and all of it."""
        self.check(url)
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", **more}
        try:
            context = ssl.create_default_context(cafile=self._ca_file)
        except (OSError, ssl.SSLError) as error:
            raise Away(f"oidc_ca_file cannot be read ({type(error).__name__})") from None
        try:
            async with (
                aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(ssl=context, force_close=True),
                    cookie_jar=aiohttp.DummyCookieJar(),
                    timeout=aiohttp.ClientTimeout(total=self._seconds),
                    auto_decompress=False,
                    trust_env=False,
                ) as session,
                session.request(method, url, data=form, headers=headers, allow_redirects=False) as answer,
            ):
                if answer.status != 200:
                    raise Answered(answer.status)
                if "Content-Encoding" in answer.headers:
                    raise Away("it answered in a packed form that nobody asked for")
                return answer.content_type, await _read(answer)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise Away(f"it cannot be reached ({type(error).__name__})") from None


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    found = bytearray()
    async for part in answer.content.iter_chunked(1 << 14):
        found += part
        if len(found) > MOST_BYTES:
            raise Away("its answer is larger than any of these is")
    return bytes(found)


def _object(data: bytes) -> dict[str, Any]:
    try:
        read = json.loads(data)
    except (ValueError, RecursionError):
        raise Away("its answer is not JSON") from None
    if not isinstance(read, dict):
        raise Away("its answer is no JSON object")
    return read


def _here(host: str) -> bool:
    return host in ("localhost", "127.0.0.1", "::1") or host.endswith(".localhost")
