"""The owner's two ways in: a Unix socket for the CLI, and a loopback address for browsers, health and keys (web.py).

The socket lies in a 0700 directory and each connection's peer is checked to be this very user, so it needs no password.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import stat
import struct
import sys
from pathlib import Path

from aiohttp import web

from sharegate.dashboard.api import Api
from sharegate.dashboard.serving import Runner
from sharegate.dashboard.web import Dashboard
from sharegate.dashboard.wire import HEADERS, MAX_BODY, body_of, in_shape, refused
from sharegate.errors import Refused
from sharegate.shares.keys import private_directory


def peer_uid(connection: socket.socket) -> int | None:
    """The user at the other end of a Unix socket; None where the system does not tell."""
    if hasattr(socket, "SO_PEERCRED"):
        data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return int(struct.unpack("3i", data)[1])
    if sys.platform == "darwin":
        # struct xucred: version, user, … (sys/ucred.h); SOL_LOCAL is 0, LOCAL_PEERCRED 1 (sys/un.h).
        version, uid = struct.unpack_from("=II", connection.getsockopt(0, 1, 76))
        return int(uid) if version == 0 else None
    return None


class OwnerListener:
    """Serves the API on a Unix socket, and `dashboard` on its address."""

    def __init__(self, api: Api, dashboard: Dashboard) -> None:
        self._api = api
        self._dashboard = dashboard
        self._private = Runner(self._private_app())
        self._public = Runner(dashboard.app())
        self._socket_path: Path | None = None

    async def start(self, bound: socket.socket, socket_path: Path) -> None:
        """Listen. Raises Refused when the socket's path is too long for the system."""
        if len(os.fsencode(socket_path)) > 100:
            raise Refused("socket_path", f"{socket_path} is too long for a socket", "Choose a shorter data_dir")
        private_directory(socket_path.parent)
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISSOCK(socket_path.lstat().st_mode):
                socket_path.unlink()  # the store's lock says that no other gate runs on this data
        await self._private.setup()
        await web.UnixSite(self._private, str(socket_path)).start()
        socket_path.chmod(0o600)
        self._socket_path = socket_path
        await self._public.setup()
        await web.SockSite(self._public, bound).start()

    async def stop(self) -> None:
        self._dashboard.close()
        await self._private.cleanup()
        await self._public.cleanup()
        if self._socket_path is not None:
            self._socket_path.unlink(missing_ok=True)

    # -- the Unix socket ------------------------------------------------------------------------------------------

    def _private_app(self) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY, middlewares=[in_shape])
        app.router.add_get("/api/v1/changes", self._changes)
        app.router.add_route("*", "/{tail:.*}", self._call)
        return app

    @staticmethod
    def _check_peer(request: web.Request) -> None:
        connection = request.transport.get_extra_info("socket") if request.transport is not None else None
        uid = peer_uid(connection) if connection is not None else None
        # Unknown is refused as well: the directory's mode alone is not what we promise.
        if uid is None or uid not in (os.getuid(), 0):
            raise web.HTTPForbidden(text="")

    async def _call(self, request: web.Request) -> web.Response:
        self._check_peer(request)
        body = await body_of(request)
        if body is None:
            return refused(400, "invalid", "the body is no JSON object")
        status, answer = await self._api.call(request.method, request.path, dict(request.query), body)
        return web.json_response(answer, status=status, headers=HEADERS)

    async def _changes(self, request: web.Request) -> web.StreamResponse:
        self._check_peer(request)
        response = web.StreamResponse(headers={**HEADERS, "Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            async for change in self._api.changes():
                await response.write(json.dumps(change).encode() + b"\n")
        return response
