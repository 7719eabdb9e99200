"""One connection to a server, and one exchange on it: a request out, an answer back, with pressure both ways."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import cast

from sharegate.upstream.answer import AnswerReader, Head, Unreadable

# Bytes of a body that wait for whoever reads them; past `_HIGH` nothing is taken off the network.
_HIGH = 128 * 1024
_LOW = 64 * 1024


class Broken(Exception):
    """The connection ended, or was ended, before the answer did. `silent`: not one byte of it had come."""

    def __init__(self, *, silent: bool) -> None:
        super().__init__()
        self.silent = silent


class Exchange:
    """One request and its answer. `head` is the answer's, Broken or Unreadable. After it, `take` and `wait` give the
    body; `give_up` drops the connection unless the answer is over."""

    __slots__ = ("_error", "_pieces", "_size", "_waiter", "_wire", "head", "over", "reader", "upload")

    def __init__(self, wire: Wire, method: str) -> None:
        self._wire = wire
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._waiter: asyncio.Future[None] | None = None
        self._error: Exception | None = None
        self.head: asyncio.Future[Head] = wire.loop.create_future()
        self.over = False
        self.reader = AnswerReader(method)
        # What sends the request's body, while it does.
        self.upload: asyncio.Task[None] | None = None

    def take(self) -> bytes | None:
        """A piece that is there already; None when there is none."""
        if not self._pieces:
            return None
        piece = self._pieces.popleft()
        self._size -= len(piece)
        if self._size <= _LOW and not self.over:
            self._wire.read_on()
        return piece

    async def wait(self) -> bytes:
        """The next piece, b"" at the end. Raises Broken or Unreadable where the answer ended before its end."""
        while not self._pieces:
            if self._error is not None:
                raise self._error
            if self.over:
                return b""
            self._waiter = self._wire.loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self.take() or b""

    def come(self) -> bytes | None:
        """What is left of the body, if all of it has come: there is nothing to be taken any more then."""
        if not self.over or self._error is not None:
            return None
        whole = b"".join(self._pieces)
        self._pieces.clear()
        return whole

    @property
    def ended(self) -> bool:
        """Whether everything was read, and it was everything."""
        return self.over and self._error is None and not self._pieces

    def give_up(self) -> None:
        """What is not read now is never read. Idempotent."""
        if not self.over:
            self._wire.abort()

    def put(self, pieces: list[bytes]) -> bool:
        """Whether more may come at once."""
        for piece in pieces:
            self._pieces.append(piece)
            self._size += len(piece)
        self._wake()
        return self._size <= _HIGH

    def end(self, error: Exception | None = None) -> None:
        if self.over:
            return
        self.over = True
        self._error = error
        if self.upload is not None:
            self.upload.cancel()
        if not self.head.done():
            self.head.set_exception(error or Broken(silent=False))
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Wire(asyncio.Protocol):
    """One connection. `done` is called with it when an answer is over and it may carry another request, `gone` when it
    has ended. What comes while nothing was asked ends it: that must not become somebody's answer."""

    def __init__(self, done: Callable[[Wire], None], gone: Callable[[Wire], None]) -> None:
        self.loop = asyncio.get_running_loop()
        self.idle_since = 0.0
        self._done = done
        self._gone = gone
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self._paused = False
        self._full: asyncio.Future[None] | None = None

    @property
    def usable(self) -> bool:
        """Whether a request may be sent on it."""
        return self._exchange is None and self._transport is not None and not self._transport.is_closing()

    def ask(self, method: str, data: bytes) -> Exchange:
        """Send `data`, a head with or without a body, and expect the answer. Raises Broken where it has ended."""
        if not self.usable:
            raise Broken(silent=True)
        assert self._transport is not None
        exchange = self._exchange = Exchange(self, method)
        self._transport.write(data)
        return exchange

    async def send(self, data: bytes) -> None:
        """Send more of a request; waits while the server does not take it. Raises Broken."""
        if self._transport is None or self._transport.is_closing():
            raise Broken(silent=False)
        self._transport.write(data)
        if self._full is not None:
            await asyncio.shield(self._full)

    def read_on(self) -> None:
        if self._paused and self._transport is not None and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()

    def abort(self) -> None:
        """Drop it, and whatever is being answered on it."""
        if self._transport is not None:
            self._transport.abort()
        self._break(Broken(silent=False))

    # -- what the loop calls --------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not every loop's TLS transport is an asyncio.Transport by its type; all are one by what they do.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange is None:
            self.abort()
            return
        reader = exchange.reader
        try:
            pieces = reader.feed(data)
        except Unreadable as error:
            self._break(error)
            self.abort()
            return
        if reader.head is not None and not exchange.head.done():
            exchange.head.set_result(reader.head)
        more = exchange.put(pieces) if pieces else True
        if reader.complete:
            self._finished(exchange)
        elif not more and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        exchange = self._exchange
        if exchange is not None:
            try:
                exchange.reader.end()
            except Unreadable:
                self._break(Broken(silent=not exchange.reader.heard))
            else:
                self._finished(exchange)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        exchange = self._exchange
        if exchange is not None:
            self._break(Broken(silent=not exchange.reader.heard))
        if self._full is not None and not self._full.done():
            self._full.set_exception(Broken(silent=False))
            self._full.exception()
        self._gone(self)

    def pause_writing(self) -> None:
        if self._full is None:
            self._full = self.loop.create_future()

    def resume_writing(self) -> None:
        if self._full is not None:
            full, self._full = self._full, None
            if not full.done():
                full.set_result(None)

    # -- the end of an answer -------------------------------------------------------------------------------------

    def _finished(self, exchange: Exchange) -> None:
        self._exchange = None
        sent = exchange.upload is None or exchange.upload.done()
        exchange.end()
        self.read_on()
        if sent and exchange.reader.again and self.usable:
            self._done(self)
        elif self._transport is not None:
            # The server must not take a request that was broken off for a whole one.
            self._transport.abort()

    def _break(self, error: Exception) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.end(error)
