"""The connections to all servers: which wait for their next request, which are being made, and how many may be open."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import Counter, deque
from collections.abc import Awaitable, Callable

import aiohappyeyeballs

from sharegate.errors import Denied, Reason
from sharegate.upstream.address import Address
from sharegate.upstream.model import Upstream
from sharegate.upstream.wire import Exchange, Wire

# Connections to one server that are being made. Past that one waits for its turn, as long as making one may take, and a
# WebSocket is told at once that the server is away.
PENDING = 32
# Seconds that a connection waits for its next request.
IDLE_SECONDS = 15.0
# Seconds after which a second address of a server is tried beside the first (RFC 8305 section 5).
_NEXT_ADDRESS = 0.25

# A connection belongs to what was vetted: the address, and the process and person behind it.
Key = tuple[str, int, int]
Vet = Callable[[Upstream], Awaitable[None]]


class _Server:
    """`waiting` are those for whom there was no connection, the first one first."""

    __slots__ = ("id", "idle", "open", "waiting")

    def __init__(self, id: str) -> None:
        self.id = id
        self.idle: list[Wire] = []
        self.open = 0
        self.waiting: deque[asyncio.Future[Wire | None]] = deque()

    def next(self, wire: Wire | None = None) -> bool:
        """Let one go on who waits: with this connection, or to see whether one may be made. False when nobody does."""
        while self.waiting:
            one = self.waiting.popleft()
            if not one.done():
                one.set_result(wire)
                return True
        return False


class Pending:
    """How many connections to one server are being made. `freed` is called with the server when it is one less."""

    def __init__(self, limit: int = PENDING) -> None:
        self._limit = limit
        self._counts: Counter[str] = Counter()
        self.freed: Callable[[str], None] | None = None

    def enter(self, server: str) -> None:
        """Denied(`upstream_away`) past the limit."""
        if self._counts[server] >= self._limit:
            raise Denied(Reason.UPSTREAM_AWAY, "too many connections to it are being made")
        self._counts[server] += 1

    def full(self, server: str) -> bool:
        return self._counts[server] >= self._limit

    def leave(self, server: str) -> None:
        self._counts[server] -= 1
        if not self._counts[server]:
            del self._counts[server]
        if self.freed is not None:
            self.freed(server)


class Pool:
    """Create and close it in one event loop. The one used last is used next: the others may end."""

    def __init__(
        self, *, vet: Vet, pending: Pending, per_server: int, connect: float, trust: ssl.SSLContext | None
    ) -> None:
        """`connect`: seconds for one connection to be made, with its TLS."""
        self._vet = vet
        self._pending = pending
        self._per_server = per_server
        self._connect = connect
        self._trust = trust
        self._servers: dict[Key, _Server] = {}
        self._all: dict[Wire, Key] = {}
        self._sweeping: asyncio.TimerHandle | None = None
        self._closed = False
        pending.freed = self._freed

    def idle(self, upstream: Upstream) -> Wire | None:
        """A connection that an earlier request had used."""
        server = self._servers.get((upstream.url, upstream.pid, upstream.uid))
        while server is not None and server.idle:
            wire = server.idle.pop()
            if wire.usable:
                return wire
        return None

    async def wire(self, upstream: Upstream, address: Address) -> tuple[Wire, bool]:
        """One that waits, or a new one when the server has not too many; whether an earlier request had used it.

        Who comes too many is served in the order of coming. Denied as by `new`."""
        wire = self.idle(upstream)
        if wire is not None:
            return wire, True
        key = (upstream.url, upstream.pid, upstream.uid)
        woken = False
        try:
            while True:
                # Looked up anew: what had neither connections nor anybody waiting is gone from there.
                server = self._servers.setdefault(key, _Server(upstream.id))
                crowded = self._pending.full(upstream.id)
                if not crowded and server.open < self._per_server and (woken or not server.waiting):
                    return await self.new(upstream, address), False
                try:
                    async with asyncio.timeout(self._connect if crowded else None):
                        wire = await self._turn(server, first=woken)
                except TimeoutError:
                    raise Denied(Reason.UPSTREAM_AWAY, "too many connections to it are being made") from None
                if wire is not None and wire.usable:
                    return wire, True
                woken = True
        finally:
            self._tidy(key, server)

    async def _turn(self, server: _Server, *, first: bool) -> Wire | None:
        """A connection that was used before, or None when one may be made. `first`: had waited already."""
        turn: asyncio.Future[Wire | None] = asyncio.get_running_loop().create_future()
        if first:
            server.waiting.appendleft(turn)
        else:
            server.waiting.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                # It was our turn: somebody else's now.
                wire = turn.result()
                if wire is not None and wire.usable:
                    self._done(wire)
                else:
                    server.next()
            else:
                server.waiting.remove(turn)
            raise

    async def new(self, upstream: Upstream, address: Address) -> Wire:
        """A connection that nobody had used. Denied(`upstream_away`, `upstream_not_ours`, `upstream_bad_answer`)."""
        key = (upstream.url, upstream.pid, upstream.uid)
        server = self._servers.setdefault(key, _Server(upstream.id))
        server.open += 1
        made = False
        try:
            self._pending.enter(upstream.id)
            try:
                await self._vet(upstream)
                wire = await self._made(address)
            finally:
                self._pending.leave(upstream.id)
            self._all[wire] = key
            made = True
            if self._closed or not wire.usable:
                # It ended before it was counted: `_gone` has seen nothing.
                wire.abort()
                self._gone(wire)
                raise Denied(Reason.UPSTREAM_AWAY, "hung up without an answer")
            return wire
        finally:
            if not made:
                self._left(key, server)

    async def _made(self, address: Address) -> Wire:
        loop = asyncio.get_running_loop()
        tls = self._context() if address.scheme == "https" else None
        bound: socket.socket | None = None
        try:
            async with asyncio.timeout(self._connect):
                found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
                bound = await aiohappyeyeballs.start_connection(found, happy_eyeballs_delay=_NEXT_ADDRESS, loop=loop)
                _, wire = await loop.create_connection(
                    lambda: Wire(self._done, self._gone),
                    sock=bound,
                    ssl=tls,
                    server_hostname=address.host if tls is not None else None,
                )
                bound = None
                return wire
        except ssl.SSLCertVerificationError:
            raise Denied(Reason.UPSTREAM_NOT_OURS, "certificate not valid for the server's name") from None
        except ssl.SSLError as error:
            raise Denied(Reason.UPSTREAM_BAD_ANSWER, type(error).__name__) from None
        except (OSError, ValueError) as error:
            # `TimeoutError` is an OSError. Fails closed: there is no connection.
            raise Denied(Reason.UPSTREAM_AWAY, type(error).__name__) from None
        finally:
            if bound is not None:
                bound.close()

    def _context(self) -> ssl.SSLContext:
        if self._trust is None:
            self._trust = ssl.create_default_context()
            self._trust.set_alpn_protocols(["http/1.1"])
        return self._trust

    def stale(self, upstream: Upstream) -> None:
        """One of those that wait was closed by the server: the others may be as well. None of them is used again."""
        server = self._servers.get((upstream.url, upstream.pid, upstream.uid))
        if server is not None:
            self._drop(server)

    @staticmethod
    def _drop(server: _Server) -> None:
        idle, server.idle = server.idle, []
        for wire in idle:
            wire.abort()

    def forget(self) -> None:
        """Use none again that waits."""
        for server in list(self._servers.values()):
            self._drop(server)
        for wire in self._all:
            wire.idle_since = -1.0

    def close(self) -> None:
        """Drop all connections."""
        self._closed = True
        if self._sweeping is not None:
            self._sweeping.cancel()
        for wire in list(self._all):
            wire.abort()

    def _done(self, wire: Wire) -> None:
        key = self._all.get(wire)
        if key is None or wire.idle_since < 0:
            wire.abort()
            return
        server = self._servers[key]
        if server.next(wire):
            return
        wire.idle_since = wire.loop.time()
        server.idle.append(wire)
        if self._sweeping is None:
            self._sweeping = wire.loop.call_later(IDLE_SECONDS, self._sweep)

    def _gone(self, wire: Wire) -> None:
        key = self._all.pop(wire, None)
        if key is not None:
            server = self._servers[key]
            if wire in server.idle:
                server.idle.remove(wire)
            self._left(key, server)

    def _left(self, key: Key, server: _Server) -> None:
        server.open -= 1
        server.next()
        self._tidy(key, server)

    def _freed(self, id: str) -> None:
        for server in list(self._servers.values()):
            if server.id == id:
                server.next()

    def _tidy(self, key: Key, server: _Server) -> None:
        if not server.open and not server.waiting and self._servers.get(key) is server:
            del self._servers[key]

    def _sweep(self) -> None:
        """Close what waits for too long. One timer for all of them."""
        loop = asyncio.get_running_loop()
        until = loop.time() - IDLE_SECONDS
        left = False
        for server in list(self._servers.values()):
            for wire in [one for one in server.idle if one.idle_since <= until]:
                wire.abort()
            left = left or any(one.idle_since > until for one in server.idle)
        self._sweeping = loop.call_later(IDLE_SECONDS / 3, self._sweep) if left else None


class Deadlines:
    """Until when each exchange's answer has to begin: one timer for all of them, since nearly all are in time."""

    def __init__(self) -> None:
        self._due: dict[Exchange, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._next = 0.0

    def set(self, exchange: Exchange, seconds: float | None) -> None:
        """From now on; None: never. A head that came already is not late any more."""
        if seconds is None or exchange.head.done():
            self._due.pop(exchange, None)
            return
        loop = exchange.head.get_loop()
        when = self._due[exchange] = loop.time() + seconds
        if self._timer is None or self._next > when:
            self._arm(loop, when)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        for exchange in [one for one, when in self._due.items() if when <= now]:
            del self._due[exchange]
            if not exchange.head.done():
                exchange.head.set_exception(TimeoutError())
        if self._due:
            self._arm(loop, min(self._due.values()))

    def _arm(self, loop: asyncio.AbstractEventLoop, when: float) -> None:
        self.close()
        self._timer, self._next = loop.call_at(when, self._look), when
