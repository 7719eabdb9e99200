"""Sending to a server: HTTP with streaming both ways, and opening WebSockets.

HTTP goes over connections of our own (wire.py), WebSockets over the library's. The errors of both are translated here,
once, and never carry their text: that text may hold headers, and with them the credential.
"""

from __future__ import annotations

import asyncio
import contextvars
import ssl
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Self

import aiohttp

from sharegate.errors import Denied, Reason
from sharegate.limits import Steady
from sharegate.messages import Body, Headers, NoBody
from sharegate.upstream.address import Address, address_of
from sharegate.upstream.answer import Unreadable
from sharegate.upstream.connection import Connector
from sharegate.upstream.headers import outgoing_head, request_head
from sharegate.upstream.interfaces import Incoming, Outgoing
from sharegate.upstream.listening import vet_listener
from sharegate.upstream.model import Upstream
from sharegate.upstream.pool import Deadlines, Pending, Pool, Vet
from sharegate.upstream.socket import Channel, UpstreamSocket
from sharegate.upstream.wire import Broken, Exchange, Wire

MAX_MESSAGE = 64 * 1024 * 1024
_MAX_HEAD = 16 * 1024
_MAX_FIELDS = 100
# Bytes that are sent at once; between two pieces of what is longer others get their turn.
_PIECE = 64 * 1024
# Bytes a second, below which a server that answers uses up the patience with it.
_SLOWEST = 1024.0
# Asking twice changes nothing at the upstream. PUT and DELETE are idempotent by their RFC, but not beside a
# concurrent writer: the second try could overwrite what came between.
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS"})
_AUTO = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `first_byte` counts from the end of the request's body to the end of the answer's head, `idle` between
    two pieces of a body (in either direction, and only while the upstream is waited for; a drip uses it up), `closing`
    is for a WebSocket's goodbye. An upstream that said nothing on a WebSocket for `silent` is asked whether it is
    there, and has half of that to answer."""

    connect: float = 5.0
    first_byte: float = 60.0
    idle: float = 60.0
    closing: float = 10.0
    # Half of it is longer than a server is busy with one thing, and than ours may leave what it was sent unread.
    silent: float = 40.0


class _Attempt:
    """A WebSocket that is being opened: whom for, and whether its connection is counted as being made."""

    __slots__ = ("pending", "upstream")

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self.pending = False


class _Redirected(Exception):
    """A WebSocket handshake was answered with a redirect."""


class _BodyFailed(Exception):
    """The request's body raised `error`."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


_attempt: contextvars.ContextVar[_Attempt] = contextvars.ContextVar("sharegate_upstream_attempt")


async def _one_try(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Around every single try of a handshake: the library would follow a redirect, with the credential."""
    try:
        answer = await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except aiohttp.ServerDisconnectedError as error:
        # `message` is what had come of an unfinished head, or the library's own sentence when nothing had.
        raise Broken(silent=error.message == "Server disconnected") from None
    except aiohttp.ClientOSError:
        raise Broken(silent=True) from None
    if 300 <= answer.status < 400:
        answer.close()
        raise _Redirected
    return answer


def _translated(error: Exception) -> Denied:
    """What the gate calls an error of the client. Every unknown one fails closed as a bad answer."""
    kind = type(error).__name__
    match error:
        case Denied():
            return error
        case aiohttp.ClientConnectorCertificateError():
            return Denied(Reason.UPSTREAM_NOT_OURS, "certificate not valid for the server's name")
        case aiohttp.ClientSSLError() | aiohttp.ServerFingerprintMismatch():
            return Denied(Reason.UPSTREAM_BAD_ANSWER, kind)
        case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError():
            return Denied(Reason.UPSTREAM_AWAY, kind)
        case Broken():
            if error.silent:
                return Denied(Reason.UPSTREAM_AWAY, "hung up without an answer")
            return Denied(Reason.UPSTREAM_BAD_ANSWER, "hung up within its answer")
        case Unreadable():
            return Denied(Reason.UPSTREAM_BAD_ANSWER, str(error))
        case TimeoutError():
            return Denied(Reason.UPSTREAM_TIMEOUT, "no answer in time")
        case _Redirected():
            return Denied(Reason.UPSTREAM_BAD_ANSWER, "redirected a WebSocket")
        case aiohttp.WSServerHandshakeError() if error.status in (403, 404):
            return Denied(Reason.NOT_FOUND, f"the upstream refused the WebSocket with {error.status}")
        case aiohttp.WSServerHandshakeError():
            return Denied(Reason.UPSTREAM_BAD_ANSWER, f"WebSocket handshake answered with {error.status}")
    return Denied(Reason.UPSTREAM_BAD_ANSWER, kind)


class AiohttpForwarder:
    """Implements Forwarder. One pool of connections for all upstreams; create and close it in one event loop.

    `vet` is awaited before every new connection and raises Denied where the server's identity cannot be shown; a
    pooled connection stays with the process that was vetted. `trust` says which certificates of https servers are
    believed; the system's authorities when there is none.
    """

    def __init__(
        self,
        *,
        timeouts: Timeouts = Timeouts(),
        vet: Vet = vet_listener,
        connections_per_server: int = 256,
        max_message: int = MAX_MESSAGE,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._timeouts = timeouts
        self._vet = vet
        self._max_message = max_message
        self._trust = trust
        self._pending = Pending()
        self._deadlines = Deadlines()
        self._pool = Pool(
            vet=vet, pending=self._pending, per_server=connections_per_server, connect=timeouts.connect, trust=trust
        )
        self._channels: aiohttp.ClientSession | None = None
        self._closed = False
        self._open: weakref.WeakSet[UpstreamSocket] = weakref.WeakSet()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Drop all connections; no other one is made."""
        self._closed = True
        self._pool.close()
        self._deadlines.close()
        if self._channels is not None:
            await self._channels.close()

    def woke(self) -> None:
        """The computer slept. Connections to other machines may be dead without having said so: none of those that wait
        is used again, and an open WebSocket is dropped, for whoever holds it to make it anew. What is being answered
        goes on: its own patience ends it. Servers on this machine slept as well."""
        self._pool.forget()
        for socket in list(self._open):
            if socket.remote:
                socket.abort()

    # -- HTTP -----------------------------------------------------------------------------------------------------

    async def forward(self, upstream: Upstream, outgoing: Outgoing) -> Incoming:
        """Send and return when the head of the answer has come. What the request's body raises, this raises."""
        address = address_of(upstream.url)
        target = address.target(outgoing.path, outgoing.query)
        fields = outgoing_head(address, upstream.token, outgoing)
        body = b"" if isinstance(outgoing.body, NoBody) else outgoing.body
        head = request_head(outgoing.method, target, fields, len(body) if isinstance(body, bytes) else None)
        try:
            wire = self._pool.idle(upstream)
            reused = wire is not None
            if wire is None:
                wire, reused = await self._wire(upstream, address)
            try:
                return await self._ask(wire, outgoing.method, head, body)
            except Broken as broken:
                if not (reused and broken.silent and body == b"" and outgoing.method in _REPEATABLE):
                    raise
            # An idle connection may be closed by the server while the request is on its way to it. Once more.
            self._pool.stale(upstream)
            wire, _ = await self._wire(upstream, address)
            return await self._ask(wire, outgoing.method, head, body)
        except _BodyFailed as failed:
            raise failed.error from None
        except (Broken, Unreadable, OSError) as error:
            # `TimeoutError` is an OSError. Fails closed: there is no answer.
            raise _translated(error) from None

    async def _wire(self, upstream: Upstream, address: Address) -> tuple[Wire, bool]:
        async with asyncio.timeout(self._timeouts.connect + self._timeouts.first_byte):
            return await self._pool.wire(upstream, address)

    async def _ask(self, wire: Wire, method: str, head: bytes, body: bytes | Body) -> Incoming:
        short = isinstance(body, bytes) and len(body) <= _PIECE
        exchange = wire.ask(method, head + body if isinstance(body, bytes) and short else head)
        self._deadlines.set(exchange, self._timeouts.connect + self._timeouts.first_byte)
        try:
            if not short:
                exchange.upload = asyncio.create_task(self._upload(wire, exchange, body))
            came = await exchange.head
        except BaseException:
            # A visitor who leaves takes the server's work with them.
            exchange.give_up()
            raise
        finally:
            self._deadlines.set(exchange, None)
        return Incoming(
            came.status, Headers(came.fields), lambda: self._pieces(exchange), _closing(exchange), exchange.come
        )

    async def _upload(self, wire: Wire, exchange: Exchange, body: bytes | Body) -> None:
        """Send a body beside waiting for the answer. A server may answer before it has read everything."""
        try:
            if isinstance(body, bytes):
                for start in range(0, len(body), _PIECE):
                    self._deadlines.set(exchange, self._timeouts.idle)
                    await wire.send(body[start : start + _PIECE])
                self._deadlines.set(exchange, self._timeouts.first_byte)
                return
            # Waiting for the visitor is the listener's business.
            self._deadlines.set(exchange, None)
            async for piece in body.stream():
                if piece:
                    self._deadlines.set(exchange, self._timeouts.idle)
                    await wire.send(b"%x\r\n%b\r\n" % (len(piece), piece))
                    self._deadlines.set(exchange, None)
            self._deadlines.set(exchange, self._timeouts.first_byte)
            await wire.send(b"0\r\n\r\n")
        except Broken:
            # Whoever waits for the answer is told by the connection.
            return
        except Exception as error:
            # Fails closed: the server must not take a request that was broken off for a whole one. The caller has to
            # see the original (`body_too_large`).
            if not exchange.head.done():
                exchange.head.set_exception(_BodyFailed(error))
            wire.abort()

    async def _pieces(self, exchange: Exchange) -> AsyncIterator[bytes]:
        patience: Steady | None = None
        try:
            while True:
                piece = exchange.take()
                if piece is None:
                    if exchange.ended:
                        return
                    patience = patience or Steady(self._timeouts.idle, _SLOWEST)
                    piece = await patience.piece(exchange.wait)
                    if not piece:
                        return
                elif patience is not None:
                    patience.got(len(piece))
                yield piece
        except (Broken, Unreadable, TimeoutError) as error:
            # Fails closed: a body that ends early must not look finished to the visitor.
            raise _translated(error) from None
        finally:
            exchange.give_up()

    # -- WebSockets -----------------------------------------------------------------------------------------------

    def _session(self) -> aiohttp.ClientSession:
        watch = aiohttp.TraceConfig()
        watch.on_connection_create_start.append(self._connecting)
        watch.on_connection_create_end.append(self._made)
        return aiohttp.ClientSession(
            connector=Connector(limit=0, **({"ssl": self._trust} if self._trust is not None else {})),
            # An upstream's cookie must not be sent with somebody else's request.
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            skip_auto_headers=_AUTO,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._timeouts.connect),
            max_line_size=_MAX_HEAD,
            max_field_size=_MAX_HEAD,
            max_headers=_MAX_FIELDS,
            middlewares=(_one_try,),
            trace_configs=[watch],
            ws_response_class=Channel,
        )

    async def _connecting(self, *_: object) -> None:
        attempt = _attempt.get()
        self._pending.enter(attempt.upstream.id)
        attempt.pending = True
        await self._vet(attempt.upstream)

    def _connected(self, attempt: _Attempt) -> None:
        """The attempt makes no connection, or none any more."""
        if attempt.pending:
            attempt.pending = False
            self._pending.leave(attempt.upstream.id)

    async def _made(self, *_: object) -> None:
        self._connected(_attempt.get())

    async def connect(self, upstream: Upstream, outgoing: Outgoing) -> UpstreamSocket:
        """Open a WebSocket. Denied(`not_found`) when the upstream refuses it with 403 or 404."""
        address = address_of(upstream.url)
        url = address.request_url(outgoing.path, outgoing.query)
        head = outgoing_head(address, upstream.token, outgoing)
        if self._closed:  # somebody came while the gate stops: nobody would close what is opened now
            raise Denied(Reason.UPSTREAM_AWAY, "the gate stops")
        if self._channels is None:
            # Channels live for hours: in a pool of their own they cannot keep requests from getting a connection.
            self._channels = self._session()
        attempt = _Attempt(upstream)
        token = _attempt.set(attempt)
        try:
            async with asyncio.timeout(self._timeouts.connect + self._timeouts.first_byte):
                channel = await self._channels.ws_connect(
                    url,
                    headers=head,
                    protocols=(outgoing.subprotocol,) if outgoing.subprotocol else (),
                    # Compression would hide a message's size until it is in memory.
                    compress=0,
                    max_msg_size=self._max_message,
                    heartbeat=self._timeouts.silent,
                    autoclose=False,
                    autoping=True,
                    timeout=aiohttp.ClientWSTimeout(ws_close=self._timeouts.closing),
                )
        except (Broken, _Redirected, aiohttp.ClientError, Denied, OSError, ValueError) as error:
            raise _translated(error) from None
        finally:
            self._connected(attempt)
            _attempt.reset(token)
        assert isinstance(channel, Channel)
        opened = UpstreamSocket(channel, closing=self._timeouts.closing, remote=not address.loopback)
        self._open.add(opened)
        return opened


def _closing(exchange: Exchange) -> Callable[[], Awaitable[None]]:
    async def close() -> None:
        exchange.give_up()

    return close
