"""The owner's two ways in: a Unix socket for the CLI, and a loopback address for health and keys.

The socket lies in a 0700 directory and each connection's peer is checked to be this very user, so it needs no password.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
import stat
import struct
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from sharegate import __version__
from sharegate.config import loopback
from sharegate.dashboard.api import Api
from sharegate.dashboard.health import OK
from sharegate.dashboard.refusals import error_body
from sharegate.errors import Invalid, Refused
from sharegate.shares.keys import KeyRing, private_directory

log = logging.getLogger("sharegate.dashboard")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
MAX_BODY = 1 << 20
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}


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


@web.middleware
async def _in_shape(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What the library refuses by itself has the same shape as what the API refuses."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        known = {403: "not_yours", 404: "not_found", 405: "not_allowed", 413: "too_large"}
        return _refused(error.status, known.get(error.status, "failed"), error.reason)


def _refused(status: int, code: str, message: str) -> web.Response:
    return web.json_response(error_body(code, message), status=status, headers=_HEADERS)


def _read(data: bytes) -> dict[str, Any] | None:
    """None for what is no JSON object, names a field twice, or holds a number that is none."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a field twice")
        return found

    def no_number(name: str) -> None:
        raise ValueError(name)

    try:
        read = json.loads(data, object_pairs_hook=once, parse_constant=no_number)
    except (ValueError, RecursionError):  # fails closed
        return None
    return read if isinstance(read, dict) else None


class OwnerListener:
    """Serves the API on a Unix socket, and on the dashboard's address `/health`, `/ready`, `/metrics` and
    `/.well-known/jwks.json`. `ready` gives each check's word, `metrics` the exposition."""

    def __init__(
        self,
        api: Api,
        ring: KeyRing,
        ready: Callable[[], Awaitable[dict[str, str]]],
        metrics: Callable[[], Awaitable[bytes]],
        *,
        share_hosts: str = "",
    ) -> None:
        self._api = api
        self._share_hosts = share_hosts
        self._ring = ring
        self._ready = ready
        self._metrics = metrics
        self._private = web.AppRunner(self._private_app(), access_log=None, shutdown_timeout=1.0)
        self._public = web.AppRunner(self._public_app(), access_log=None, shutdown_timeout=1.0)
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
        await self._private.cleanup()
        await self._public.cleanup()
        if self._socket_path is not None:
            self._socket_path.unlink(missing_ok=True)

    # -- the Unix socket ------------------------------------------------------------------------------------------

    def _private_app(self) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY, middlewares=[_in_shape])
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
        body: dict[str, Any] | None = None
        if request.can_read_body:
            body = _read(await request.read())
            if body is None:
                return _refused(400, "invalid", "the body is no JSON object")
        status, answer = await self._api.call(request.method, request.path, dict(request.query), body)
        return web.json_response(answer, status=status, headers=_HEADERS)

    async def _changes(self, request: web.Request) -> web.StreamResponse:
        self._check_peer(request)
        response = web.StreamResponse(headers={**_HEADERS, "Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            async for change in self._api.changes():
                await response.write(json.dumps(change).encode() + b"\n")
        return response

    # -- the dashboard's address ----------------------------------------------------------------------------------

    @web.middleware
    async def _from_here(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """A page of another site may not ask, by its own name (DNS rebinding, or a share's) or by ours."""
        try:
            host = urlsplit(f"//{request.headers['Host']}").hostname or ""
        except (KeyError, ValueError):
            host = ""
        shares = bool(self._share_hosts) and host.endswith(f".{self._share_hosts}")
        foreign = shares or request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin")
        if foreign or len(request.headers.getall("Host", [])) != 1 or not loopback(host):
            return _refused(421, "bad_host", "this address is for this computer")
        return await handler(request)

    def _public_app(self) -> web.Application:
        app = web.Application(client_max_size=1024, middlewares=[_in_shape, self._from_here])
        app.router.add_get("/health", self._health)
        app.router.add_get("/ready", self._is_ready)
        app.router.add_get("/metrics", self._numbers)
        app.router.add_get("/.well-known/jwks.json", self._jwks)
        return app

    async def _health(self, request: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "version": __version__}, headers=_HEADERS)

    async def _is_ready(self, request: web.Request) -> web.Response:
        checks = await self._ready()
        ready = all(said == OK for said in checks.values())
        said = {"status": "ready" if ready else "not ready", "checks": checks}
        return web.json_response(said, status=200 if ready else 503, headers=_HEADERS)

    async def _numbers(self, request: web.Request) -> web.Response:
        return web.Response(body=await self._metrics(), headers={**_HEADERS, "Content-Type": METRICS_TYPE})

    async def _jwks(self, request: web.Request) -> web.Response:
        try:
            keys = self._ring.jwks()
        except Invalid:  # fails closed; what is wrong with which file is for the log and `doctor`
            log.exception("the keys cannot be read")
            return _refused(503, "keys_unreadable", "the keys cannot be read now")
        return web.json_response(keys, headers=_HEADERS)
