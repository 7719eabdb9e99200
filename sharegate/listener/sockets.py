"""A visitor's end of a WebSocket, more careful than the library's: what no channel ever sees is counted here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import WSCloseCode, WSMsgType, web

from sharegate.errors import Denied, Reason
from sharegate.limits import CONTROL, Buckets
from sharegate.messages import Frame, FrameKind

CLOSING_SECONDS = 1.0
# A WebSocket that is quiet for so long is pinged: proxies in front close what is quiet for a minute. Whoever has not
# answered after half of that is gone.
PING_SECONDS = 30.0


def accepting(protocols: tuple[str, ...], max_message: int) -> web.WebSocketResponse:
    """What answers a handshake. No compression: frames are inspected, and a deflate bomb must not reach the reader."""
    return web.WebSocketResponse(
        protocols=protocols,
        compress=False,
        max_msg_size=max_message,
        timeout=CLOSING_SECONDS,
        heartbeat=PING_SECONDS,
        autoping=False,
    )


class VisitorSocket:
    """The visitor's end of an accepted WebSocket."""

    def __init__(self, request: web.BaseRequest, socket: web.WebSocketResponse, pace: Callable[[], float]) -> None:
        self._request = request
        self._socket = socket
        self._control = Buckets(CONTROL, pace, remembered=1)

    async def receive(self) -> Frame:
        message = await self._socket.receive()
        while message.type in (WSMsgType.PING, WSMsgType.PONG):
            try:
                self._control.take("", 1, Reason.REQUEST_LIMIT)
                if message.type is WSMsgType.PING:
                    await self._socket.pong(message.data)
            except Denied:
                await self.close(WSCloseCode.POLICY_VIOLATION)
                return Frame.close(WSCloseCode.POLICY_VIOLATION)
            except (ConnectionError, RuntimeError):
                return Frame.close(1006)
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
