"""aiohttp in front of the gate: translates its requests and sockets to sharegate.messages and back, decides nothing."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import socket
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import cast

from aiohttp import HttpVersion10, HttpVersion11, WSCloseCode, web

from sharegate.errors import Denied, Reason
from sharegate.limits import Steady
from sharegate.listener.connection import MAX_FIELDS, MAX_HEAD, CarefulConnection, LastWords, reset
from sharegate.listener.crowd import POLITE, Crowd, Place
from sharegate.listener.handshakes import Handshakes, TlsSite
from sharegate.listener.sockets import VisitorSocket, accepting
from sharegate.messages import Answer, Body, Headers, NoBody, Request, Response, Socket, Upgrade

log = logging.getLogger("sharegate.listener")

PIECE = 64 * 1024
# Bytes, with a head below what the library writes without waiting.
SHORT = 32 * 1024
# For a TLS handshake, and for a visitor's last word when a connection over TLS ends.
HANDSHAKE_SECONDS = 10.0
FAREWELL_SECONDS = 2.0
# For reading what somebody had sent who hung up.
LAST_WORDS_SECONDS = 10.0
# For the first head of a connection.
HEAD_SECONDS = 20.0
# Between two requests, between two pieces of a body, and while a visitor does not take what is sent.
IDLE_SECONDS = 75.0
PATIENCE_SECONDS = 30.0
STALLED_SECONDS = 60.0
# Bytes a second, below which an upload uses its patience up.
SLOWEST_UPLOAD = 256.0

_REFUSED = b'{"error":{"code":"bad_request","message":"The request was not understood.","id":""}}'
_REFUSED_HEADERS = {
    "Server": "sharegate",
    "Content-Type": "application/json",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}

_FULL = b'{"error":{"code":"gate_full","message":"The gate is full. Try again in a moment.","id":""}}'
TURNING_SECONDS = 1.0
MANY = 1 << 30

Handle = Callable[[Request], Awaitable[Answer]]


class _Body:
    """A request body. `100 Continue` is sent when the gate first wants to read, not before it has judged the head."""

    def __init__(self, request: web.BaseRequest) -> None:
        self._request = request
        # HTTP/1.0 knows no interim answer (RFC 9110 section 10.1.1).
        asked = request.version != HttpVersion10
        self._expected = asked and request.headers.get("Expect", "").lower() == "100-continue"

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
        patience = Steady(PATIENCE_SECONDS, SLOWEST_UPLOAD)
        try:
            while part := await patience.piece(self._request.content.readany):
                yield part
        # Fails closed: half a body is no body.
        except (web.RequestPayloadError, ConnectionError, TimeoutError, ValueError):
            raise Denied(Reason.BAD_BODY, "broken off or malformed") from None


async def _pieces(body: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """What is sent at once; the body is closed with it, for a generator that is dropped would run on by itself."""
    try:
        async for part in body:
            for start in range(0, len(part), PIECE):
                yield part[start : start + PIECE]
    finally:
        if isinstance(body, AsyncGenerator):
            await body.aclose()


async def _whole(body: bytes) -> AsyncIterator[bytes]:
    if body:
        yield body


async def _drop_when_cut(answer: Response, transport: asyncio.Transport | None) -> None:
    if answer.cut is not None:
        await answer.cut()
        reset(transport)


class _OfOnePiece(web.StreamResponse):
    """An answer whose head waits for its body, so that both go out as one."""

    _send_headers_immediately = False


class _TurnedAway(asyncio.Protocol):
    """A connection for which there is no room: told so, and gone in a second. What it sends is not read, but for taking
    it off the network: a connection closed over unread bytes would be reset before the answer was read."""

    turning = 0

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._last: asyncio.TimerHandle | None = None
        if _TurnedAway.turning >= POLITE:
            transport.abort()
            return
        _TurnedAway.turning += 1
        fields = {**_REFUSED_HEADERS, "Retry-After": "5", "Connection": "close", "Content-Length": str(len(_FULL))}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        transport.write(f"HTTP/1.1 503 Service Unavailable\r\n{head}\r\n".encode() + _FULL)
        self._last = asyncio.get_running_loop().call_later(TURNING_SECONDS, transport.abort)
        if transport.can_write_eof():
            transport.write_eof()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._last is not None:
            self._last.cancel()
            self._last = None
            _TurnedAway.turning -= 1


class _Turning(asyncio.Protocol):
    """Over TLS nothing can be said before the handshake is done."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast("asyncio.Transport", transport)
        transport.set_protocol(_TurnedAway(transport))


class _Connection(CarefulConnection):
    """The library's side of one connection, but for what it says when it cannot read a request: to whom it may concern
    it would quote the line that it did not understand, and log it, with the cookie or token in it.

    The library limits how long a connection may wait for its next request, not for its first.
    """

    _patience: asyncio.TimerHandle | None = None
    crowd = Crowd(MANY, MANY)
    place: Place | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not every loop's TLS transport is an asyncio.Transport by its type; all are one by what they do.
        transport = cast("asyncio.Transport", transport)
        self._line = transport
        if self.place is None:
            self.place = self.crowd.enter(self, _address(transport))
        else:  # its own since before the handshake
            self.place.line = self
        if self.place is None:
            transport.set_protocol(_TurnedAway(transport))
            return
        super().connection_made(transport)
        # Writing is over when the network has everything, not when 64 KB may be left here.
        transport.set_write_buffer_limits(high=1, low=0)
        self._patience = asyncio.get_running_loop().call_later(HEAD_SECONDS, transport.abort)

    def give_up(self) -> None:
        self._line.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        self.asked()
        if self.place is not None:
            self.place.leave()
        super().connection_lost(exc)

    def asked(self) -> None:
        """A whole head has come."""
        if self._patience is not None:
            self._patience.cancel()
        if self.place is not None:
            self.place.asking()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if isinstance(exc, ConnectionError):
            raise ConnectionError("the visitor is gone") from None
        if status >= 500:
            log.error("fault while answering %s", request.remote, exc_info=exc)
        else:
            log.info("unreadable request from %s: %s", request.remote, type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun already")
        return _refused(431 if self.too_long and status == 400 else status)


class _Server(web.Server):
    crowd = Crowd(MANY, MANY)

    def __call__(self) -> web.RequestHandler:
        connection = _Connection(self, loop=self._loop, **self._kwargs)
        connection.crowd = self.crowd
        return connection

    def greet(self, place: Place | None) -> asyncio.BaseProtocol:
        if place is None:
            return _Turning()
        connection = _Connection(self, loop=self._loop, **self._kwargs)
        connection.place = place
        return connection


def _refused(status: int) -> web.Response:
    response = LastWords(status=status, body=_REFUSED, headers=_REFUSED_HEADERS)
    response.force_close()
    return response


class Listener:
    """One address that accepts connections and hands each request to `handle`. `crowd` says how many there may be;
    `backlog` connections may come before it is asked. `pace` is the clock of limits."""

    def __init__(
        self,
        handle: Handle,
        *,
        crowd: Crowd | None = None,
        backlog: int = 128,
        pace: Callable[[], float] = time.monotonic,
    ) -> None:
        self._handle = handle
        self._pace = pace
        self._crowd = crowd
        self._backlog = backlog
        self._runner: web.ServerRunner | None = None

    def _run(self) -> web.ServerRunner:
        server = _Server(
            self._counted,
            access_log=None,
            handler_cancellation=True,
            keepalive_timeout=IDLE_SECONDS,
            max_line_size=16384,
            max_field_size=16384,
            max_headers=MAX_FIELDS,
            auto_decompress=False,
        )
        if self._crowd is not None:
            server.crowd = self._crowd
        return web.ServerRunner(server, shutdown_timeout=2.0)

    async def start(self, bound: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Serve on a socket that listens already; with `tls` nothing else is spoken on it."""
        if self._runner is None:
            self._runner = self._run()
            await self._runner.setup()
        if tls is None:
            await web.SockSite(self._runner, bound, backlog=self._backlog).start()
            return
        server = self._runner.server
        assert isinstance(server, _Server)
        handshakes = Handshakes(
            bound,
            tls,
            server.crowd,
            server.greet,
            backlog=self._backlog,
            patience=HANDSHAKE_SECONDS,
            farewell=FAREWELL_SECONDS,
        )
        await TlsSite(self._runner, bound, handshakes).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _counted(self, request: web.BaseRequest) -> web.StreamResponse:
        place = request.protocol.place if isinstance(request.protocol, _Connection) else None
        try:
            return await self._serve(request)
        finally:
            if place is not None:
                place.answered()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        if isinstance(request.protocol, _Connection):
            request.protocol.asked()
            if request.headers.get("Transfer-Encoding"):
                request.protocol.chunks(request.content)
        if request.version not in (HttpVersion10, HttpVersion11):
            return _refused(505)
        # No line end stands within a line: the library has parted them there.
        head = b"\n".join(itertools.chain.from_iterable(request.raw_headers))
        parts = head.decode("latin-1").split("\n") if head else []
        if len(parts) != 2 * len(request.raw_headers):
            return _refused(400)
        if len(request.raw_path) + len(head) + len(parts) > MAX_HEAD:
            return _refused(431)
        fields = list(zip(parts[::2], parts[1::2], strict=True))
        if request.version == HttpVersion10:
            if "Transfer-Encoding" in request.headers:  # nobody knows where it ends (RFC 9112 section 6.1)
                return _refused(400)
            # Neither may be heeded of HTTP/1.0 (RFC 9110 sections 7.8 and 10.1.1).
            fields = [field for field in fields if field[0].lower() not in ("expect", "upgrade")]
        # Answered in _Body, after the gate has judged; anything but 100-continue is refused (RFC 9110 section 10.1.1).
        elif request.headers.get("Expect", "100-continue").lower() != "100-continue":
            return _refused(417)
        seen = Request(
            method=request.method,
            target=request.raw_path if request.raw_path.startswith("/") else "*",
            headers=Headers(fields),
            peer=_peer(request),
            scheme=request.scheme,
            body=_Body(request) if request.body_exists else NoBody(),
            **_known(request),
        )
        answer = await self._handle(seen)
        if isinstance(answer, Upgrade):
            return await self._upgrade(request, answer)
        return await self._respond(request, answer)

    async def _respond(self, request: web.BaseRequest, answer: Response) -> web.StreamResponse:
        try:
            fields = (("Server", "sharegate"), *answer.headers)
            body = answer.body
            if not isinstance(body, bytes):
                response = web.StreamResponse(status=answer.status, headers=fields)
                await response.prepare(request)
                await self._send(request, response, answer, body)
                return response
            size = str(len(body))
            bare = request.method == "HEAD" or answer.status in (204, 304)
            if not bare and 0 < len(body) <= SHORT:
                response = _OfOnePiece(status=answer.status, headers=fields)
                response.headers["Content-Length"] = size
                await response.prepare(request)
                await response.write(body)
                body = b""
            else:
                response = web.StreamResponse(status=answer.status, headers=fields)
                if not bare:
                    response.headers["Content-Length"] = size
                elif answer.status in (204, 304):
                    response.headers.popall("Content-Length", None)
                else:
                    response.headers.setdefault("Content-Length", size)
                await response.prepare(request)
                body = b"" if bare else body
            if not body and request.writer.output_size > 0 and not request.protocol.writing_paused:
                await response.write_eof()  # the network has taken all of it, or TLS above it
            else:
                await self._send(request, response, answer, _whole(body))
            if isinstance(request.protocol, _Connection) and request.protocol.overrun:
                await request.protocol.listen_out()
            return response
        finally:
            try:
                if answer.done is not None:
                    await asyncio.shield(answer.done())
            finally:
                if answer.left is not None:
                    answer.left()

    @staticmethod
    async def _send(
        request: web.BaseRequest, response: web.StreamResponse, answer: Response, body: AsyncIterator[bytes]
    ) -> None:
        """To the last byte: until then it is over with a cut, or when the visitor takes nothing for a while. What would
        wait here for the visitor is the gate's memory, and would be read after the end."""
        watching = asyncio.ensure_future(_drop_when_cut(answer, request.transport))
        try:
            async with contextlib.aclosing(_pieces(body)) as pieces:
                async for piece in pieces:
                    async with asyncio.timeout(STALLED_SECONDS):
                        await response.write(piece)
            async with asyncio.timeout(STALLED_SECONDS):
                await response.write_eof()
                await request.writer.drain()
        except (asyncio.CancelledError, ConnectionError):
            reset(request.transport)
            raise
        except Exception as error:  # fails closed: what was cut must look cut, never like a clean end
            log.info("answer broken off: %s", type(error).__name__)
            reset(request.transport)
        finally:
            watching.cancel()

    async def _upgrade(self, request: web.BaseRequest, answer: Upgrade) -> web.StreamResponse:
        protocols = (answer.subprotocol,) if answer.subprotocol else ()
        socket = accepting(protocols, answer.max_message)
        socket.headers["Server"] = "sharegate"
        for name, value in answer.headers:
            socket.headers.add(name, value)
        mine: Socket = VisitorSocket(request, socket, self._pace)
        try:
            try:
                await socket.prepare(request)
                if request.transport is not None:
                    request.transport.set_write_buffer_limits()
            except BaseException as error:
                if answer.abandon is not None:
                    await asyncio.shield(answer.abandon())
                if isinstance(error, web.HTTPException):  # a handshake that is none
                    return _refused(400)
                raise
            await _heard_out(request, asyncio.ensure_future(answer.serve(mine)))
        finally:
            if socket.prepared and not socket.closed:
                with contextlib.suppress(Exception):  # fails closed: the connection is dropped either way
                    await mine.close(WSCloseCode.GOING_AWAY)
        return socket


async def _heard_out(request: web.BaseRequest, serving: asyncio.Future[None]) -> None:
    """Until a channel is over. Whoever hung up without a word, as a page does whose window is closed, may have written
    something just before: what came is still read, though nobody is there any more to be answered."""
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        if request.transport is None or request.transport.is_closing():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_WORDS_SECONDS):
                    await asyncio.shield(serving)
        raise
    finally:
        if not serving.done():
            serving.cancel()
            await asyncio.wait({serving})
            if not serving.cancelled():
                serving.exception()  # heard of by nobody: the visitor is gone


def _peer(request: web.BaseRequest) -> str:
    return _address(request.transport) if request.transport is not None else ""


def _address(transport: asyncio.Transport) -> str:
    found = transport.get_extra_info("peername")
    return str(found[0]) if isinstance(found, tuple) and found else ""


def _known(request: web.BaseRequest) -> dict[str, Callable[[str], None]]:
    place = request.protocol.place if isinstance(request.protocol, _Connection) else None
    return {"known": place.is_known} if place is not None else {}


_: type[Body] = _Body
