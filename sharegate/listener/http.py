"""aiohttp in front of the gate: translates its requests and sockets to sharegate.messages and back, decides nothing."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import WSCloseCode, WSMsgType, web

from sharegate.errors import Denied, Reason
from sharegate.messages import Answer, Body, Frame, FrameKind, Headers, Request, Response, Socket, Upgrade

log = logging.getLogger("sharegate.listener")

PIECE = 64 * 1024
CLOSING_SECONDS = 1.0
VISITOR_MESSAGE = 1024 * 1024

Handle = Callable[[Request], Awaitable[Answer]]


class _Body:
    """A request body. `100 Continue` is sent when the gate first wants to read, not before it has judged the head."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self._expected = request.headers.get("Expect", "").lower() == "100-continue"

    async def _invite(self) -> None:
        if self._expected:
            self._expected = False
            transport = self._request.transport
            if transport is not None and not transport.is_closing():
                transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    async def read(self, limit: int) -> bytes:
        declared = self._request.content_length
        if declared is not None and declared > limit:
            raise Denied(Reason.BODY_TOO_LARGE, f"{declared} bytes announced")
        parts: list[bytes] = []
        size = 0
        async for part in self.stream():
            size += len(part)
            if size > limit:
                raise Denied(Reason.BODY_TOO_LARGE, f"more than {limit} bytes")
            parts.append(part)
        return b"".join(parts)

    async def stream(self) -> AsyncIterator[bytes]:
        await self._invite()
        try:
            async for part in self._request.content.iter_any():
                yield part
        except (web.RequestPayloadError, ConnectionError, ValueError):  # fails closed: half a body is no body
            raise Denied(Reason.BAD_BODY, "broken off or malformed") from None


class _VisitorSocket:
    """The visitor's end of an accepted WebSocket."""

    def __init__(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        self._request = request
        self._socket = socket

    async def receive(self) -> Frame:
        message = await self._socket.receive()
        if message.type is WSMsgType.BINARY:
            return Frame(FrameKind.BINARY, bytes(message.data))
        if message.type is WSMsgType.TEXT:
            return Frame(FrameKind.TEXT, message.data.encode("utf-8", "surrogatepass"))
        if message.type is WSMsgType.CLOSE:
            return Frame.close(int(message.data or 1005), str(message.extra or ""))
        return Frame.close(self._socket.close_code or 1006)

    async def send(self, frame: Frame) -> None:
        try:
            if frame.kind is FrameKind.BINARY:
                await self._socket.send_bytes(frame.data)
            else:
                await self._socket.send_str(frame.data.decode())
        except (ConnectionError, RuntimeError) as error:
            raise ConnectionError("the visitor is gone") from error

    async def close(self, code: int, reason: str = "") -> None:
        # A peer that does not answer the closing handshake, or does not drain, is dropped.
        try:
            async with asyncio.timeout(CLOSING_SECONDS):
                await self._socket.close(code=code, message=reason.encode()[:123])
        except (TimeoutError, ConnectionError, RuntimeError):
            self.abort()

    def abort(self) -> None:
        if self._request.transport is not None:
            self._request.transport.abort()


def _pass_by(transport: asyncio.Transport | None) -> None:
    if transport is not None:
        transport.abort()


class Listener:
    """One address that accepts connections and hands each request to `handle`."""

    def __init__(self, handle: Handle, *, body_limit: int = 8 * 1024**3) -> None:
        self._handle = handle
        self._app = web.Application(client_max_size=body_limit)
        self._app.router.add_route("*", "/{tail:.*}", self._serve, expect_handler=self._expect)
        self._runner = web.AppRunner(
            self._app,
            access_log=None,
            handler_cancellation=True,
            max_line_size=16384,
            max_field_size=16384,
            shutdown_timeout=2.0,
            auto_decompress=False,
        )

    async def start(self, bound: socket.socket) -> None:
        """Serve on a socket that listens already."""
        if self._runner.server is None:
            await self._runner.setup()
        await web.SockSite(self._runner, bound).start()

    async def stop(self) -> None:
        await self._runner.cleanup()

    @staticmethod
    async def _expect(request: web.Request) -> None:
        # Answered in _Body, after the gate has judged; anything but 100-continue is refused (RFC 9110 section 10.1.1).
        if request.headers.get("Expect", "").lower() != "100-continue":
            raise web.HTTPExpectationFailed(text="")

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        seen = Request(
            method=request.method,
            target=request.raw_path if request.raw_path.startswith("/") else "*",
            headers=Headers((name.decode("latin-1"), value.decode("latin-1")) for name, value in request.raw_headers),
            peer=_peer(request),
            scheme=request.scheme,
            body=_Body(request),
        )
        answer = await self._handle(seen)
        if isinstance(answer, Upgrade):
            return await self._upgrade(request, answer)
        return await self._respond(request, answer)

    async def _respond(self, request: web.Request, answer: Response) -> web.StreamResponse:
        try:
            response = web.StreamResponse(status=answer.status)
            response.headers["Server"] = "sharegate"
            for name, value in answer.headers:
                response.headers.add(name, value)
            if isinstance(answer.body, bytes):
                if request.method == "HEAD" or answer.status in (204, 304):
                    response.headers.setdefault("Content-Length", str(len(answer.body)))
                    if answer.status in (204, 304):
                        response.headers.popall("Content-Length", None)
                    await response.prepare(request)
                else:
                    response.headers["Content-Length"] = str(len(answer.body))
                    await response.prepare(request)
                    await response.write(answer.body)
                await response.write_eof()
                return response
            await response.prepare(request)
            try:
                async for part in answer.body:
                    for start in range(0, len(part), PIECE):
                        await response.write(part[start : start + PIECE])
                await response.write_eof()
            except (asyncio.CancelledError, ConnectionError):
                _pass_by(request.transport)
                raise
            except Exception as error:  # fails closed: what was cut must look cut, never like a clean end
                log.info("answer broken off: %s", type(error).__name__)
                _pass_by(request.transport)
            return response
        finally:
            if answer.done is not None:
                await asyncio.shield(answer.done())

    async def _upgrade(self, request: web.Request, answer: Upgrade) -> web.StreamResponse:
        protocols = (answer.subprotocol,) if answer.subprotocol else ()
        # No compression: frames are inspected, and a deflate bomb must not reach the reader.
        socket = web.WebSocketResponse(
            protocols=protocols, compress=False, max_msg_size=VISITOR_MESSAGE, timeout=CLOSING_SECONDS, heartbeat=30.0
        )
        for name, value in answer.headers:
            socket.headers.add(name, value)
        mine: Socket = _VisitorSocket(request, socket)
        try:
            try:
                await socket.prepare(request)
            except BaseException:
                if answer.abandon is not None:
                    await asyncio.shield(answer.abandon())
                raise
            await answer.serve(mine)
        finally:
            if not socket.closed:
                with contextlib.suppress(Exception):  # fails closed: the connection is dropped either way
                    await mine.close(WSCloseCode.GOING_AWAY)
        return socket


def _peer(request: web.Request) -> str:
    transport = request.transport
    found = transport.get_extra_info("peername") if transport is not None else None
    return str(found[0]) if isinstance(found, tuple) and found else ""


_: type[Body] = _Body
