"""The upstream's end of an open WebSocket, as messages.Socket."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp

from sharegate.messages import Frame, FrameKind

# Codes that stand for something that was never on the wire (RFC 6455 section 7.4.1) and must not be put there.
_UNSENDABLE = {1004: 1002, 1005: 1000, 1006: 1001, 1015: 1001}
_MAX_REASON = 123


class Channel(aiohttp.ClientWebSocketResponse):
    """The client's WebSocket, which keeps hold of its connection: the library shows no way to drop it at once."""

    def __init__(
        self, reader: Any, writer: Any, protocol: Any, response: aiohttp.ClientResponse, *rest: Any, **named: Any
    ):
        super().__init__(reader, writer, protocol, response, *rest, **named)
        connection = response.connection
        self.transport = connection.transport if connection is not None else None
        self.answer = response
        self._goodbye = asyncio.Lock()

    async def close(self, *, code: int = aiohttp.WSCloseCode.OK, message: bytes = b"") -> bool:
        # A reader that has just got something closes, too, when it comes back. Whoever was second would hear at once
        # that all is over, and drop the connection within the first one's goodbye.
        async with self._goodbye:
            return await super().close(code=code, message=message)

    async def receive(self, timeout: float | None = None) -> Any:
        try:
            return await super().receive(timeout)
        except asyncio.CancelledError:
            # A reader that went away is to the library a connection that broke: close() would not wait any more until
            # the upstream has read what was sent.
            self._close_code = None
            raise


def sendable(code: int, reason: str) -> tuple[int, bytes]:
    """A close code and reason that may stand on the wire: reserved codes replaced, the reason cut at 123 bytes."""
    code = _UNSENDABLE.get(code, code)
    if not 1000 <= code <= 4999:
        code = 1011
    text = reason.encode("utf-8", "replace")[:_MAX_REASON]
    return code, text.decode("utf-8", "ignore").encode()


class UpstreamSocket:
    """Implements messages.Socket. `subprotocol` is what the upstream chose (empty: none). `remote`: the upstream is on
    another machine.

    The upstream's answer to our close is waited for, `closing` seconds: it has then read all that was sent before.
    Dropping the connection while something of the upstream lies unread would take back what it has not read yet.
    """

    def __init__(self, channel: Channel, *, closing: float = 1.0, remote: bool = False) -> None:
        self._channel = channel
        self._closing = closing
        self._ended = False
        self._over = asyncio.Event()
        self.remote = remote
        self.subprotocol = channel.protocol or ""

    def __repr__(self) -> str:
        return f"<UpstreamSocket {'ended' if self._ended else 'open'}>"

    async def receive(self) -> Frame:
        """The next message. A CLOSE of the upstream is answered here already; 1006 when it went without one."""
        if self._ended:
            return Frame.close(1006)
        message = await self._channel.receive()
        match message.type:
            case aiohttp.WSMsgType.BINARY:
                return Frame(FrameKind.BINARY, message.data)
            case aiohttp.WSMsgType.TEXT:
                return Frame(FrameKind.TEXT, message.data.encode())
            case aiohttp.WSMsgType.CLOSE:
                # A close frame without a code is told as 1005 (RFC 6455 section 7.1.5).
                frame = Frame.close(message.data or 1005, message.extra or "")
                await self.close(frame.code, frame.reason)
                return frame
            case aiohttp.WSMsgType.CLOSING:
                # Our own close() woke this reader; it finishes the handshake itself. Whoever hears of the end before
                # that would drop the connection, and with it what the upstream has not read yet.
                await self._over.wait()
                return Frame.close(1006)
        error = self._channel.exception() if message.type is not aiohttp.WSMsgType.ERROR else message.data
        self.abort()
        # The library has told a lie of the upstream (too large, not UTF-8, bad frame) by its code.
        return Frame.close(error.code) if isinstance(error, aiohttp.WebSocketError) else Frame.close(1006)

    async def send(self, frame: Frame) -> None:
        if frame.kind is FrameKind.CLOSE:
            raise ValueError("a CLOSE frame is sent by close()")
        if self._ended:
            raise ConnectionResetError("the upstream's WebSocket has ended")
        kind = aiohttp.WSMsgType.BINARY if frame.kind is FrameKind.BINARY else aiohttp.WSMsgType.TEXT
        try:
            await self._channel.send_frame(frame.data, kind)
        except (aiohttp.ClientError, RuntimeError) as error:
            raise ConnectionResetError("the upstream's WebSocket broke") from error

    async def close(self, code: int, reason: str = "") -> None:
        if self._ended:
            return
        number, text = sendable(code, reason)
        try:
            # The library waits per message, so an upstream that keeps talking would hold it for ever.
            async with asyncio.timeout(self._closing):
                await self._channel.close(code=number, message=text)
        except (TimeoutError, aiohttp.ClientError, OSError, RuntimeError):
            # Fails closed: a peer that does not finish the handshake is dropped below.
            pass
        finally:
            self.abort()

    def abort(self) -> None:
        self._ended = True
        self._over.set()
        if self._channel.transport is not None:
            self._channel.transport.abort()
        # Gives the connection back to the connector, which would else count it for ever.
        self._channel.answer.close()
