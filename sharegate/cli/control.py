"""How a command reaches the owner's API: through a running gate's Unix socket, or directly when none runs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import stat
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import aiohttp

from sharegate.cli.problems import ApiError
from sharegate.config import Config
from sharegate.errors import Refused, Unreachable

Json = dict[str, Any]

CALL_SECONDS = 60.0
_LONGEST_LINE = 1 << 20


class OwnersApi(Protocol):
    """The API in this process (dashboard.api.Api)."""

    async def call(
        self, method: str, path: str, query: dict[str, str] | None = None, body: Json | None = None
    ) -> tuple[int, Json]: ...

    def changes(self) -> AsyncIterator[Json]: ...


class Control(Protocol):
    """The owner's API as commands see it. `live` tells whether a gate runs, so that visitors can enter."""

    live: bool

    async def call(self, method: str, path: str, *, query: Json | None = None, body: Json | None = None) -> Json:
        """The answer's object. Raises ApiError for a refusal, Unreachable when nobody answers (any more)."""

    def changes(self) -> AsyncGenerator[Json]:
        """What happens from now on. Raises Unreachable when the gate ends."""


class SocketControl:
    """Talks to a running gate."""

    live = True

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def call(self, method: str, path: str, *, query: Json | None = None, body: Json | None = None) -> Json:
        timeout = aiohttp.ClientTimeout(total=CALL_SECONDS)
        try:
            async with self._session.request(
                method, f"http://gate{path}", params=_texts(query), json=body, timeout=timeout
            ) as response:
                status, answer = response.status, await _read_object(response)
        except (aiohttp.ClientError, OSError, TimeoutError):
            raise Unreachable("the gate does not answer") from None
        return _checked(status, answer)

    async def changes(self) -> AsyncGenerator[Json]:
        timeout = aiohttp.ClientTimeout(total=None)
        try:
            async with self._session.get("http://gate/api/v1/changes", timeout=timeout) as response:
                if response.status != 200:
                    _checked(response.status, await _read_object(response))
                while line := await response.content.readline():
                    yield _object(line)
        except (aiohttp.ClientError, OSError, ValueError, TimeoutError):
            raise Unreachable("the gate does not answer any more") from None
        raise Unreachable("the gate has stopped")


class DirectControl:
    """Calls an API that lives in this process: that of `up` itself, or of a store opened without a gate."""

    def __init__(self, api: OwnersApi, *, live: bool) -> None:
        self._api = api
        self.live = live

    async def call(self, method: str, path: str, *, query: Json | None = None, body: Json | None = None) -> Json:
        return _checked(*await self._api.call(method, path, _texts(query), body))

    async def changes(self) -> AsyncGenerator[Json]:
        async for change in self._api.changes():
            yield change


@contextlib.asynccontextmanager
async def control_for(config: Config, *, gate_needed: bool = False) -> AsyncIterator[Control]:
    """The running gate's API, else (unless `gate_needed`) the store opened by this command alone.

    Raises Refused when the socket's directory is not private, Unreachable when a gate is needed and none runs.
    """
    async with contextlib.AsyncExitStack() as closing:
        control = await closing.enter_async_context(_over_socket(config.socket_path))
        if control is not None:
            yield control
            return
        if gate_needed:
            raise Unreachable("no gate runs here; start one with `sharegate up`")
        from sharegate.app import offline

        yield DirectControl(await closing.enter_async_context(offline(config)), live=False)


@contextlib.asynccontextmanager
async def _over_socket(path: Path) -> AsyncIterator[Control | None]:
    """A control over the socket, or None when nobody listens there."""
    if not _private_socket(path):
        yield None
        return
    try:
        # Asked once without aiohttp: a socket file that a killed gate left behind is nobody.
        _, writer = await asyncio.open_unix_connection(str(path))
    except OSError:
        yield None
        return
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    connector = aiohttp.UnixConnector(path=str(path))
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), read_bufsize=_LONGEST_LINE
    ) as session:
        yield SocketControl(session)


def _private_socket(path: Path) -> bool:
    """Whether there is a socket to try. Fails closed: in a directory that others may enter or own it is refused,
    since whoever put a socket there would be told what the owner says."""
    try:
        directory = path.parent.stat()
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise Refused("socket_unsafe", f"{path} cannot be looked at ({error.strerror})") from None
    if directory.st_uid != os.getuid() or stat.S_IMODE(directory.st_mode) & 0o077:
        raise Refused(
            "socket_unsafe",
            f"{path.parent} can be entered by others, so who listens there is not certain",
            f"Make it yours alone: chmod 700 {path.parent}",
        )
    return stat.S_ISSOCK(found.st_mode) and found.st_uid == os.getuid()


async def every(control: Control, name: str, **query: Any) -> list[Json]:
    """All pages of the list `name`. Raises as `call` does."""
    found: list[Json] = []
    cursor = ""
    while True:
        answer = await control.call("GET", api_path(name), query={**query, "cursor": cursor})
        found += answer[name]
        cursor = str(answer.get("next") or "")
        if not cursor:
            return found


def api_path(*parts: str) -> str:
    """`/api/v1/…` with each part quoted."""
    return "/api/v1/" + "/".join(quote(part, safe="") for part in parts)


def _texts(query: Json | None) -> dict[str, str]:
    return {name: str(value) for name, value in (query or {}).items() if value not in (None, "")}


async def _read_object(response: aiohttp.ClientResponse) -> Json:
    return _object(await response.read())


def _object(data: bytes) -> Json:
    try:
        read = json.loads(data)
    except ValueError:
        read = None
    if not isinstance(read, dict):
        raise Unreachable("what listens on the gate's socket does not speak as a gate does")
    return read


def _checked(status: int, answer: Json) -> Json:
    if 200 <= status < 300:
        return answer
    error = answer.get("error")
    raise ApiError(status, error if isinstance(error, dict) else {"code": "failed", "message": f"status {status}"})
