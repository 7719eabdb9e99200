"""What the gate sees of the network: its own request, response and WebSocket frame, never a library's.

The listener in front and the client behind translate to and from these values, so either can be replaced.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from enum import Enum
from typing import Protocol

import msgspec


class Headers:
    """An immutable, ordered, case-insensitive multi-map of header fields (RFC 9110 section 5)."""

    __slots__ = ("_fields", "_values")

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._fields = tuple(fields)
        values: dict[str, list[str]] = {}
        for name, value in self._fields:
            plain = name.lower()
            if plain in values:
                values[plain].append(value)
            else:
                values[plain] = [value]
        self._values = values

    def get(self, name: str, default: str = "") -> str:
        """The first value of `name`."""
        found = self._values.get(name.lower())
        return found[0] if found else default

    def all(self, name: str) -> list[str]:
        return list(self._values.get(name.lower(), ()))

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._values

    def items(self) -> tuple[tuple[str, str], ...]:
        return self._fields

    def __repr__(self) -> str:
        # Values may be credentials: names only.
        return f"<Headers {', '.join(name for name, _ in self._fields)}>"


class Body(Protocol):
    """A request body that has not been read yet."""

    async def read(self, limit: int) -> bytes:
        """The whole body; raises Denied(`body_too_large`) past `limit` bytes."""

    def stream(self) -> AsyncIterator[bytes]:
        """The body in pieces, with backpressure."""


class NoBody:
    """The body of a request that has none."""

    async def read(self, limit: int) -> bytes:
        return b""

    async def stream(self) -> AsyncIterator[bytes]:
        nothing: tuple[bytes, ...] = ()
        for part in nothing:
            yield part


def _unheard(visit: str) -> None:
    """Nobody wants to know."""


class Request(msgspec.Struct, frozen=True):
    """One request as it came in. `target` is raw (origin-form). `peer` is the address of the connection, `scheme` what
    is spoken on it; behind a trusted forwarder both are the visitor's."""

    method: str
    target: str
    headers: Headers
    peer: str
    scheme: str = "http"
    body: Body = msgspec.field(default_factory=NoBody)
    # Called with a visit's id when the request has shown its credential: its connection is no stranger's.
    known: Callable[[str], None] = _unheard

    @property
    def upgrade(self) -> bool:
        """Whether this asks for a WebSocket (RFC 6455 section 4.1)."""
        return self.method == "GET" and self.headers.get("Upgrade").lower() == "websocket"

    def __repr__(self) -> str:
        # The query may hold a token.
        return f"<Request {self.method} {self.target.partition('?')[0]} from {self.peer}>"


class FrameKind(Enum):
    BINARY = "binary"
    TEXT = "text"
    CLOSE = "close"


class Frame(msgspec.Struct, frozen=True):
    """One WebSocket message (fragments joined). A CLOSE frame has `code` and `reason` and no data."""

    kind: FrameKind
    data: bytes = b""
    code: int = 1000
    reason: str = ""

    def __repr__(self) -> str:
        # What visitors write is theirs.
        return f"<Frame {self.kind.value}, {len(self.data)} bytes, {self.code}>"

    @classmethod
    def binary(cls, data: bytes) -> Frame:
        return cls(FrameKind.BINARY, data)

    @classmethod
    def text(cls, text: str) -> Frame:
        return cls(FrameKind.TEXT, text.encode())

    @classmethod
    def close(cls, code: int, reason: str = "") -> Frame:
        return cls(FrameKind.CLOSE, b"", code, reason)


class Socket(Protocol):
    """One end of an open WebSocket."""

    async def receive(self) -> Frame:
        """The next message; a CLOSE frame when the peer closed or the connection broke (1006)."""

    async def send(self, frame: Frame) -> None:
        """Send one BINARY or TEXT message; waits while the peer is slow; raises ConnectionError when it is gone."""

    async def close(self, code: int, reason: str = "") -> None:
        """Start and finish the closing handshake, waiting at most about a second; never raises."""

    def abort(self) -> None:
        """Drop the connection at once."""


class Response(msgspec.Struct, frozen=True):
    """An HTTP answer: a whole body, or a stream that is pulled as fast as the visitor reads.

    `done`, and then `left`, are called once when all of it was sent, broken off or given up; they must not raise. When
    what `cut` returns is over before, the connection is dropped at once, also under a visitor who has stopped to read.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | AsyncIterator[bytes] = b""
    done: Callable[[], Awaitable[None]] | None = None
    cut: Callable[[], Awaitable[object]] | None = None
    left: Callable[[], None] | None = None

    def __repr__(self) -> str:
        # A field may be a cookie, and the body somebody's file.
        return f"<Response {self.status}>"


class Upgrade(msgspec.Struct, frozen=True):
    """The answer 101: the listener accepts the WebSocket, then awaits `serve` with the visitor's end; when it cannot
    (the visitor is gone already) it awaits `abandon`. One of the two is always called. A message of the visitor's above
    `max_message` bytes closes the connection."""

    serve: Callable[[Socket], Awaitable[None]]
    abandon: Callable[[], Awaitable[None]] | None = None
    subprotocol: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    max_message: int = 1024 * 1024


Answer = Response | Upgrade
