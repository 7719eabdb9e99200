"""Sending to a server: HTTP with streaming both ways, and opening WebSockets.

The one place that knows the HTTP client. Its errors are translated here, once, and never carry its text: that
text may hold headers, and with them the credential.
"""

from __future__ import annotations

import asyncio
import contextvars
import io
import re
import ssl
import weakref
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Self

import aiohttp
from yarl import URL

from sharegate.errors import Denied, Reason
from sharegate.limits import Steady
from sharegate.messages import Body, Headers, NoBody
from sharegate.upstream.address import address_of
from sharegate.upstream.connection import Connector
from sharegate.upstream.headers import outgoing_head
from sharegate.upstream.interfaces import Incoming, Outgoing
from sharegate.upstream.listening import vet_listener
from sharegate.upstream.model import Upstream
from sharegate.upstream.socket import Channel, UpstreamSocket

MAX_MESSAGE = 64 * 1024 * 1024
_READ_BUFFER = 64 * 1024
_MAX_HEAD = 16 * 1024
_MAX_FIELDS = 100
# Bytes a second, below which a server that answers uses up the patience with it.
_SLOWEST = 1024.0
# Connections to one server that are being made. Past that it is away, and who asks is told at once.
_PENDING = 32
# Asking twice changes nothing at the upstream. PUT and DELETE are idempotent by their RFC, but not beside a
# concurrent writer: the second try could overwrite what came between.
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS"})
_NOT_A_VALUE = re.compile("[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")  # RFC 9110 section 5.1 token
_VERSIONS = (aiohttp.HttpVersion10, aiohttp.HttpVersion11)
_AUTO = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")

Vet = Callable[[Upstream], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `first_byte` counts from the end of the request's body to the end of the answer's head, `idle` between
    two pieces of a body (in either direction, and only while the upstream is waited for; a drip uses it up), `closing`
    is for a WebSocket's goodbye. An upstream that said nothing on a WebSocket for `silent` is asked whether it is
    there, and has half of that to answer."""

    connect: float = 5.0
    first_byte: float = 60.0
    idle: float = 60.0
    closing: float = 1.0
    # Half of it is longer than a server is busy with one thing, and than ours may leave what it was sent unread.
    silent: float = 40.0


class _Attempt:
    """One try: whom for, and whether it went over a connection that an earlier request had used."""

    __slots__ = ("pending", "reused", "upstream")

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self.reused = False
        self.pending: str | None = None


class _Broken(Exception):
    """The connection ended before an answer. `silent`: not one byte of it had come."""

    def __init__(self, *, silent: bool) -> None:
        super().__init__()
        self.silent = silent


class _Redirected(Exception):
    """A WebSocket handshake was answered with a redirect."""


_attempt: contextvars.ContextVar[_Attempt] = contextvars.ContextVar("sharegate_upstream_attempt")


def _whole(body: bytes) -> io.BytesIO | bytes | None:
    """A body as the client takes it: what is long goes out in pieces, between which others get their turn."""
    return (io.BytesIO(body) if len(body) > _READ_BUFFER else body) or None


async def _one_try(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Around every single try: the library would repeat PUT and DELETE by itself, and follow a handshake's redirect."""
    try:
        answer = await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except aiohttp.ServerDisconnectedError as error:
        # `message` is what had come of an unfinished head, or the library's own sentence when nothing had.
        raise _Broken(silent=error.message == "Server disconnected") from None
    except aiohttp.ClientOSError:
        raise _Broken(silent=True) from None
    if "Upgrade" in request.headers and 300 <= answer.status < 400:
        answer.close()
        raise _Redirected
    return answer


def _readable(answer: aiohttp.ClientResponse) -> bool:
    """Whether an answer has one reading. The library is lenient with servers: it takes a coding that nobody knows for
    none, two of them for one, and a name with a blank for a name."""
    version, codings = answer.version, answer.headers.getall("Transfer-Encoding", [])
    if version not in _VERSIONS or not 200 <= answer.status <= 599:
        return False
    if codings and ([one.lower() for one in codings] != ["chunked"] or version == aiohttp.HttpVersion10):
        return False
    named = all(_NAME.match(name) for name, _ in answer.raw_headers)
    return named and not any(_NOT_A_VALUE.search(value) for value in answer.headers.values())


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
        case _Broken():
            if error.silent:
                return Denied(Reason.UPSTREAM_AWAY, "hung up without an answer")
            return Denied(Reason.UPSTREAM_BAD_ANSWER, "hung up within its answer's head")
        case TimeoutError():
            return Denied(Reason.UPSTREAM_TIMEOUT, "no answer in time")
        case _Redirected():
            return Denied(Reason.UPSTREAM_BAD_ANSWER, "redirected a WebSocket")
        case aiohttp.WSServerHandshakeError() if error.status in (403, 404):
            return Denied(Reason.NOT_FOUND, f"the upstream refused the WebSocket with {error.status}")
        case aiohttp.WSServerHandshakeError():
            return Denied(Reason.UPSTREAM_BAD_ANSWER, f"WebSocket handshake answered with {error.status}")
    return Denied(Reason.UPSTREAM_BAD_ANSWER, kind)


class _Patience:
    """The time left for the upstream's next step, moved on by the request's body; void once the head has come."""

    def __init__(self, timeout: asyncio.Timeout) -> None:
        self._timeout = timeout
        self._over = False

    def within(self, seconds: float | None) -> None:
        if not self._over and not self._timeout.expired():
            now = asyncio.get_running_loop().time()
            self._timeout.reschedule(None if seconds is None else now + seconds)

    def over(self) -> None:
        self._over = True


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
        self._per_server = connections_per_server
        self._max_message = max_message
        self._trust = trust
        self._http: aiohttp.ClientSession | None = None
        self._again: aiohttp.ClientSession | None = None
        self._channels: aiohttp.ClientSession | None = None
        self._pending: Counter[str] = Counter()
        self._retired: list[aiohttp.ClientSession] = []
        self._open: weakref.WeakSet[UpstreamSocket] = weakref.WeakSet()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Drop all connections."""
        for session in (self._http, self._again, self._channels, *self._retired):
            if session is not None:
                await session.close()

    def woke(self) -> None:
        """The computer slept. Connections to other machines may be dead without having said so: none of those that wait
        is used again, and an open WebSocket is dropped, for whoever holds it to make it anew. What is being answered
        goes on: its own patience ends it. Servers on this machine slept as well."""
        if self._http is not None:
            # Closes by itself what nobody uses for 15 s.
            self._retired.append(self._http)
            self._http = None
        for socket in list(self._open):
            if socket.remote:
                socket.abort()

    def _session(self, per_server: int, *, keep: bool = True) -> aiohttp.ClientSession:
        watch = aiohttp.TraceConfig()
        watch.on_connection_create_start.append(self._connecting)
        watch.on_connection_create_end.append(self._made)
        watch.on_connection_reuseconn.append(_reusing)
        return aiohttp.ClientSession(
            connector=Connector(
                limit=0,
                limit_per_host=per_server,
                **({"keepalive_timeout": 15} if keep else {"force_close": True}),
                **({"ssl": self._trust} if self._trust is not None else {}),
            ),
            # An upstream's cookie must not be sent with somebody else's request.
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            skip_auto_headers=_AUTO,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._timeouts.connect),
            read_bufsize=_READ_BUFFER,
            max_line_size=_MAX_HEAD,
            max_field_size=_MAX_HEAD,
            max_headers=_MAX_FIELDS,
            middlewares=(_one_try,),
            trace_configs=[watch],
            ws_response_class=Channel,
        )

    async def _connecting(self, *_: object) -> None:
        attempt = _attempt.get()
        attempt.reused = False
        server = attempt.upstream.id
        if self._pending[server] >= _PENDING:
            raise Denied(Reason.UPSTREAM_AWAY, "too many connections to it are being made")
        attempt.pending = server
        self._pending[server] += 1
        await self._vet(attempt.upstream)

    def _connected(self, attempt: _Attempt) -> None:
        """The attempt makes no connection, or none any more."""
        server, attempt.pending = attempt.pending, None
        if server is not None:
            self._pending[server] -= 1
            if not self._pending[server]:
                del self._pending[server]

    async def _made(self, *_: object) -> None:
        self._connected(_attempt.get())

    async def forward(self, upstream: Upstream, outgoing: Outgoing) -> Incoming:
        """Send and return when the head of the answer has come. What the request's body raises, this raises."""
        address = address_of(upstream.url)
        url = address.request_url(outgoing.path, outgoing.query)
        head = outgoing_head(address, upstream.token, outgoing)
        if self._http is None:
            self._http = self._session(self._per_server)
        body = b"" if isinstance(outgoing.body, NoBody) else outgoing.body
        repeatable = outgoing.method in _REPEATABLE and body == b""
        attempt = _Attempt(upstream)
        try:
            return self._incoming(await self._ask(self._http, attempt, outgoing.method, url, head, body))
        except _Broken as broken:
            if not (repeatable and attempt.reused and broken.silent):
                raise _translated(broken) from None
        # An idle connection may be closed by the server while the request is on its way to it. Once more, and over a
        # new connection: the other idle ones may be as stale.
        if self._again is None:
            self._again = self._session(self._per_server, keep=False)
        try:
            return self._incoming(await self._ask(self._again, attempt, outgoing.method, url, head, body))
        except _Broken as broken:
            raise _translated(broken) from None

    async def _ask(
        self,
        session: aiohttp.ClientSession,
        attempt: _Attempt,
        method: str,
        url: URL,
        head: list[tuple[str, str]],
        body: bytes | Body,
    ) -> aiohttp.ClientResponse:
        broken_body: list[Exception] = []
        token = _attempt.set(attempt)
        try:
            async with asyncio.timeout(self._timeouts.connect + self._timeouts.first_byte) as timeout:
                patience = _Patience(timeout)
                data = _whole(body) if isinstance(body, bytes) else self._pieces(body, patience, broken_body)
                answer = await session.request(method, url, headers=head, data=data, allow_redirects=False)
                patience.over()
                return answer
        except _Broken:
            if broken_body:
                raise broken_body[0] from None
            raise
        except (aiohttp.ClientError, Denied, OSError, ValueError) as error:
            # `TimeoutError` is an OSError. Fails closed: there is no answer.
            if broken_body:
                raise broken_body[0] from None
            raise _translated(error) from None
        finally:
            self._connected(attempt)
            _attempt.reset(token)

    async def _pieces(self, body: Body, patience: _Patience, broken: list[Exception]) -> AsyncIterator[bytes]:
        try:
            # Waiting for the visitor is the listener's business.
            patience.within(None)
            async for piece in body.stream():
                if piece:
                    patience.within(self._timeouts.idle)
                    yield piece
                    patience.within(None)
        except Exception as error:
            # The client wraps what it meets here; the caller has to see the original (`body_too_large`).
            broken.append(error)
            raise
        patience.within(self._timeouts.first_byte)

    def _incoming(self, answer: aiohttp.ClientResponse) -> Incoming:
        if not _readable(answer):
            answer.close()
            raise Denied(Reason.UPSTREAM_BAD_ANSWER, "status or header that is none")
        fields = tuple(answer.headers.items())
        patience = Steady(self._timeouts.idle, _SLOWEST)

        async def stream() -> AsyncIterator[bytes]:
            try:
                while piece := await patience.piece(answer.content.readany):
                    yield piece
            except (aiohttp.ClientError, OSError, ValueError) as error:
                # Fails closed: a body that ends early must not look finished to the visitor.
                raise _translated(error) from None
            finally:
                answer.close()

        async def close() -> None:
            answer.close()

        return Incoming(answer.status, Headers(fields), stream, close)

    async def connect(self, upstream: Upstream, outgoing: Outgoing) -> UpstreamSocket:
        """Open a WebSocket. Denied(`not_found`) when the upstream refuses it with 403 or 404."""
        address = address_of(upstream.url)
        url = address.request_url(outgoing.path, outgoing.query)
        head = outgoing_head(address, upstream.token, outgoing)
        if self._channels is None:
            # Channels live for hours: in a pool of their own they cannot keep requests from getting a connection.
            self._channels = self._session(0)
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
        except (_Broken, _Redirected, aiohttp.ClientError, Denied, OSError, ValueError) as error:
            raise _translated(error) from None
        finally:
            self._connected(attempt)
            _attempt.reset(token)
        assert isinstance(channel, Channel)
        opened = UpstreamSocket(channel, closing=self._timeouts.closing, remote=not address.loopback)
        self._open.add(opened)
        return opened


async def _reusing(_session: aiohttp.ClientSession, _context: SimpleNamespace, _facts: object) -> None:
    _attempt.get().reused = True
