"""One connection of a visitor, more careful than the library's: bounds on what may be said before and around a request,
and last words that arrive."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from typing import Any, cast

from aiohttp import StreamReader, web

from sharegate.websocket import Parser, StrictFrames

# Of a head, all lines together. The library bounds each line and their number: together that would be 2 MB.
MAX_HEAD = 32 * 1024
MAX_FIELDS = 100
# Of a chunked body, what is no body: sizes, line ends, extensions. A chunk for each byte costs 5 bytes for each.
_SPARE = 16 * 1024
_PER_BYTE = 8
# A visitor who still speaks is heard for so long after the last word, or a reset would take that word back.
LINGER_SECONDS = 2.0
# For taking the last word itself.
WORD_SECONDS = 10.0


class LastWords(web.Response):
    """An answer after which the connection ends. The visitor may be speaking still: closing at once would reset the
    connection, and the answer would be lost on the way (RFC 9112 section 9.6)."""

    async def write_eof(self, data: bytes = b"") -> None:
        protocol = self._req.protocol if self._req is not None else None
        transport = protocol.transport if protocol is not None else None
        try:
            async with asyncio.timeout(WORD_SECONDS):
                await super().write_eof(data)
        except TimeoutError:  # nobody reads: it is over without
            reset(transport)
        if isinstance(protocol, CarefulConnection):
            await protocol.listen_out()


class CarefulConnection(web.RequestHandler):
    """The library's side of one connection, with what it leaves out."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.too_long = False
        self.overrun = False
        self._head = 0
        self._chunked: StreamReader | None = None
        self._raw = 0
        self._gone = asyncio.Event()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._gone.set()
        super().connection_lost(exc)

    def eof_received(self) -> None:
        self._gone.set()
        super().eof_received()

    def data_received(self, data: bytes) -> None:
        if self._payload_parser is not None:
            super().data_received(data)
            return
        waiting = self._waiter
        super().data_received(data)
        if waiting is not None and waiting is self._waiter and not waiting.done():
            # No request has come of it: it is the beginning of a head.
            self._head += len(data)
            if self._head > MAX_HEAD and not self.too_long:
                self.too_long = True
                # No head may hold this: the library refuses it, as it would any other that cannot be read.
                super().data_received(b"\0")
            return
        self._head = 0
        if self._chunked is not None:
            self._bound(self._chunked, len(data))

    def _bound(self, body: StreamReader, size: int) -> None:
        self._raw += size
        if body.is_eof():
            self._chunked = None
        elif self._raw > _SPARE + _PER_BYTE * body.total_bytes:
            self._chunked = None
            self.overrun = True
            body.set_exception(web.RequestPayloadError("more around a body than in it"))
            body.feed_eof()
            # Hears nothing more, and ends with the answer.
            self.close()

    def chunks(self, body: StreamReader) -> None:
        """A request whose body comes in chunks has begun."""
        self._chunked, self._raw = body, 0

    def set_parser(self, parser: Any, data_received_cb: Callable[[], None] | None = None) -> None:
        super().set_parser(cast("Any", StrictFrames(cast("Parser", parser), masked=True)), data_received_cb)

    async def listen_out(self) -> None:
        """Say that nothing more comes, and hear the visitor out for a moment."""
        transport = self.transport
        # From here on nothing is read as a request.
        self.close()
        if transport is None or transport.is_closing() or self._gone.is_set():
            return
        # The visitor has gone meanwhile, or the transport cannot end one side alone: the wait below is what is left.
        with contextlib.suppress(OSError, RuntimeError, NotImplementedError):
            if transport.can_write_eof():
                transport.write_eof()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                await self._gone.wait()


def reset(transport: asyncio.Transport | None) -> None:
    """Drop a connection within an answer. With a reset: for a visitor of HTTP/1.0, an end alone says that all came."""
    if transport is None:
        return
    bound = transport.get_extra_info("socket")
    if bound is not None:
        with contextlib.suppress(OSError):
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
