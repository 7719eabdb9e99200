"""The visitor's side: one connection, byte by byte, and answers read as strictly as a browser reads them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from dataclasses import dataclass, field

# Nobody here needs longer to answer; who does is taken for silent.
SILENT_SECONDS = 12.0


@dataclass
class Reply:
    """`ended`: `length`, `chunked`, `none` (no body belongs there), `close` (until the end of the connection), `cut`
    (the connection ended within it), `open` (nothing more came). `interim` are the 1xx before it."""

    status: int = 0
    version: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    ended: str = "cut"
    interim: list[int] = field(default_factory=list)
    trailers: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        return self.status != 0 and self.ended in ("length", "chunked", "none", "close")

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def __str__(self) -> str:
        if self.status:
            return f"{self.status}" + ("" if self.whole else ", unfinished")
        return "silence" if self.ended == "open" else "a closed connection"


class Talk:
    """One connection to a peer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def to(cls, port: int) -> Talk:
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=1 << 24))

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        with contextlib.suppress(ConnectionError):
            await self.writer.drain()

    async def half_close(self) -> None:
        with contextlib.suppress(OSError):
            self.writer.write_eof()

    async def answer(self, method: str = "GET", *, seconds: float = SILENT_SECONDS) -> Reply:
        """The next answer, its interim ones before it. Does not raise."""
        reply = Reply()
        try:
            async with asyncio.timeout(seconds):
                while True:
                    await self._head(reply)
                    if reply.status >= 200 or reply.status == 101:
                        break
                    reply.interim.append(reply.status)
                await self._body(reply, method)
        except TimeoutError:
            reply.ended = "open"
        except (asyncio.IncompleteReadError, ConnectionError, ValueError, asyncio.LimitOverrunError):
            reply.ended = "cut"
        return reply

    async def _head(self, reply: Reply) -> None:
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        reply.version, _, rest = lines[0].partition(" ")
        reply.status = int(rest.split(" ")[0])
        reply.headers = [
            (name, value.strip()) for name, _, value in (line.partition(":") for line in lines[1:] if line)
        ]

    async def _body(self, reply: Reply, method: str) -> None:
        lengths, codings = reply.all("content-length"), reply.all("transfer-encoding")
        if method == "HEAD" or reply.status in (101, 204, 304):
            reply.ended = "none"
        elif codings:
            while size := int((await self.reader.readuntil(b"\r\n")).partition(b";")[0], 16):
                reply.body += await self._exactly(size, reply)
                if await self.reader.readexactly(2) != b"\r\n":
                    raise ValueError
            while (line := await self.reader.readuntil(b"\r\n")) != b"\r\n":
                reply.trailers.append(line.decode("latin-1").strip())
            reply.ended = "chunked"
        elif lengths:
            reply.body = await self._exactly(int(lengths[0]), reply)
            reply.ended = "length"
        else:
            while part := await self.reader.read(65536):
                reply.body += part
            reply.ended = "close"

    async def _exactly(self, size: int, reply: Reply) -> bytes:
        try:
            return await self.reader.readexactly(size)
        except asyncio.IncompleteReadError as error:
            reply.body += error.partial
            raise

    async def rest(self, seconds: float = SILENT_SECONDS) -> tuple[bytes, str]:
        """What else comes, and how it ends: `closed`, `reset`, or `open` when it does not."""
        parts: list[bytes] = []
        try:
            async with asyncio.timeout(seconds):
                while part := await self.reader.read(65536):
                    parts.append(part)
            return b"".join(parts), "closed"
        except ConnectionError:
            return b"".join(parts), "reset"
        except TimeoutError:
            return b"".join(parts), "open"

    async def ends(self, seconds: float = SILENT_SECONDS) -> bool:
        """Whether the other side ends the connection."""
        return (await self.rest(seconds))[1] != "open"

    def small_buffers(self) -> None:
        found = self.writer.get_extra_info("socket")
        found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

    def abort(self) -> None:
        if self.writer.transport is not None:
            self.writer.transport.abort()
