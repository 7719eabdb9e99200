"""The connections over which WebSockets are opened, more careful than the library's: an answer belongs to the request
before it."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any, cast

import aiohttp
from aiohttp.client_proto import ResponseHandler

from sharegate.websocket import Parser, StrictFrames


class Line(ResponseHandler):
    """One connection. The library keeps what comes while nothing was asked, and takes it for the next one's answer."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._asked = False
        self._body: Any = None

    def set_response_params(self, **named: Any) -> None:
        self._asked, self._body = True, None
        super().set_response_params(**named)

    def feed_data(self, data: Any, size: int = 0) -> None:
        message, body = data
        if message.code >= 200:
            self._body = body
        super().feed_data(data, size)

    def data_received(self, data: bytes) -> None:
        if data and not self.upgraded and (not self._asked or (self._body is not None and self._body.is_eof())):
            # Nobody asked for it: it must not become somebody's answer.
            self.force_close()
            if self.transport is not None:
                self.transport.abort()
            return
        super().data_received(data)

    def set_parser(self, parser: Any, payload: Any, data_received_cb: Callable[[], None] | None = None) -> None:
        super().set_parser(StrictFrames(cast("Parser", parser), masked=False), payload, data_received_cb)


class Connector(aiohttp.TCPConnector):
    """Makes connections of that kind."""

    def __init__(self, **named: Any) -> None:
        super().__init__(**named)
        self._factory: Callable[[], ResponseHandler] = functools.partial(Line, loop=self._loop)  # type: ignore[assignment]
