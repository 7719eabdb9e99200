"""Where a jupyter-collaboration file id points now, asked of the server (jupyter_server_fileid FilePathHandler)."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from sharegate.errors import Denied, Reason
from sharegate.upstream.interfaces import Forwarder, Outgoing, UpstreamDirectory

_ID = re.compile(r"[A-Za-z0-9\-]{1,64}\Z")
_LIMIT = 64 * 1024
_MAX_KEPT = 4096


class _Answer(msgspec.Struct):
    id: str
    path: str


@dataclass(frozen=True, slots=True)
class _Known:
    asked: float
    path: str | None


class UpstreamFileIds:
    """Implements channels.interfaces.FileIds.

    An answer is used again for `fresh` seconds, counted from when it was asked for, and concurrent askers share one
    question: a room with fifty visitors costs one request per round. Failures are shared but never kept.
    """

    def __init__(
        self,
        directory: UpstreamDirectory,
        forwarder: Forwarder,
        *,
        fresh: float = 0.5,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._directory = directory
        self._forwarder = forwarder
        self._fresh = fresh
        self._clock = clock
        self._known: dict[tuple[str, str], _Known] = {}
        self._asking: dict[tuple[str, str], asyncio.Task[str | None]] = {}

    async def path_of(self, upstream: str, file_id: str) -> str | None:
        """As the Protocol says; also None for what cannot be an id, without asking."""
        if not _ID.match(file_id):
            return None
        key = (upstream, file_id)
        known = self._known.get(key)
        if known is not None and self._clock() - known.asked < self._fresh:
            return known.path
        return await self._shared(key)

    @property
    def newest(self) -> _Newest:
        """Implements FreshFileIds: never an answer that was asked for before the call."""
        return _Newest(self)

    async def newest_path_of(self, upstream: str, file_id: str) -> str | None:
        """As `path_of`. A question that is under way is waited for and then asked again, once for all who wait."""
        if not _ID.match(file_id):
            return None
        key = (upstream, file_id)
        earlier = self._asking.get(key)
        if earlier is not None:
            await asyncio.wait({earlier})
        return await self._shared(key)

    async def _shared(self, key: tuple[str, str]) -> str | None:
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._ask(key))
            task.add_done_callback(lambda done: self._answered(key, done))
        # An asker that is cancelled must not cancel the others' question.
        return await asyncio.shield(task)

    def _answered(self, key: tuple[str, str], task: asyncio.Task[str | None]) -> None:
        if self._asking.get(key) is task:
            del self._asking[key]
        if not task.cancelled():
            # Marks the error as seen, for the case that every asker went away.
            task.exception()

    async def _ask(self, key: tuple[str, str]) -> str | None:
        upstream, file_id = key
        asked = self._clock()
        server = await self._directory.find(upstream)
        # Our asking must not look like work to whoever stops idle servers (APIHandler.update_api_activity).
        query = (("id", file_id), ("no_track_activity", "1"))
        answer = await self._forwarder.forward(server, Outgoing("GET", "api/fileid/path", query))
        data = await answer.read(_LIMIT)
        path: str | None = None
        # 404 is an id that it does not know, or a server without the extension: no path either way.
        if answer.status != 404:
            try:
                found = msgspec.json.decode(data, type=_Answer)
            except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError):
                found = None
            if answer.status != 200 or found is None or found.id != file_id:
                # Fails closed: nobody is told a path that the server did not clearly give for this id.
                raise Denied(Reason.UPSTREAM_BAD_ANSWER, f"file id question answered with {answer.status}")
            path = found.path
        if len(self._known) >= _MAX_KEPT:
            self._known.clear()
        self._known[key] = _Known(asked, path)
        return path


class _Newest:
    def __init__(self, file_ids: UpstreamFileIds) -> None:
        self._file_ids = file_ids

    async def path_of(self, upstream: str, file_id: str) -> str | None:
        return await self._file_ids.newest_path_of(upstream, file_id)
