"""What tests send to a scripted server, and how it was refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from sharegate.errors import Denied
from sharegate.upstream.forward import AiohttpForwarder
from sharegate.upstream.interfaces import Outgoing
from sharegate.upstream.model import Upstream

GET = Outgoing("GET", "x")


class Pieces:
    """A request body in pieces; with `failing`, it breaks after them."""

    def __init__(self, *pieces: bytes, failing: Exception | None = None, pause: float = 0, before: float = 0) -> None:
        self.before = before
        self.pieces = pieces
        self.failing = failing
        self.pause = pause

    async def read(self, limit: int) -> bytes:
        return b"".join(self.pieces)

    async def stream(self) -> AsyncIterator[bytes]:
        await asyncio.sleep(self.before)
        for piece in self.pieces:
            yield piece
            await asyncio.sleep(self.pause)
        if self.failing is not None:
            raise self.failing


async def refused(forwarder: AiohttpForwarder, upstream: Upstream, outgoing: Outgoing = GET) -> Denied:
    with pytest.raises(Denied) as denied:
        await (await forwarder.forward(upstream, outgoing)).read(1 << 20)
    return denied.value
