"""What a gate really sends to its upstream: a byte-for-byte recorder between the two."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

# What the gate says when it comes into a room, before any visitor's words: an empty step 1 and an empty step 2.
GREETING = [b"\0\0\1\0", b"\0\1\2\0\0"]


@dataclass
class Line:
    """One connection that the gate made; `sent` is what it wrote."""

    sent: bytearray = field(default_factory=bytearray)

    @property
    def socket(self) -> bool:
        """Whether a WebSocket was asked for."""
        return b"upgrade: websocket" in bytes(self.sent[:8192]).partition(b"\r\n\r\n")[0].lower()

    @property
    def target(self) -> str:
        return bytes(self.sent[:8192]).split(b" ", 2)[1].decode("latin-1")

    @property
    def messages(self) -> list[bytes]:
        """Payloads of the data frames (RFC 6455 section 5.2), unmasked; closing, pings and pongs are left out."""
        data = bytes(self.sent).partition(b"\r\n\r\n")[2]
        found: list[bytes] = []
        at = 0
        while at + 6 <= len(data):
            code, size = data[at] & 15, data[at + 1] & 127
            at += 2
            if size >= 126:
                wide = 2 if size == 126 else 8
                size, at = int.from_bytes(data[at : at + wide], "big"), at + wide
            mask, at = data[at : at + 4], at + 4
            body = bytes(byte ^ mask[place % 4] for place, byte in enumerate(data[at : at + size]))
            at += size
            if code < 8:
                found.append(body)
        return found


class Wire:
    """Stands where the server stands; `lines` are all connections so far."""

    def __init__(self, port: int) -> None:
        self.lines: list[Line] = []
        self.open: set[asyncio.Task[Any]] = set()
        self.port = 0
        self._to = port

    @property
    def sockets(self) -> list[Line]:
        return [line for line in self.lines if line.socket]

    @property
    def said(self) -> list[bytes]:
        """All messages on all WebSockets so far."""
        return [message for line in self.sockets for message in line.messages]

    @property
    def everything(self) -> bytes:
        return b"".join(bytes(line.sent) for line in self.lines)

    @property
    def asked(self) -> Counter[bytes]:
        """Method and target of every request so far, and how often."""
        return Counter(re.findall(rb"^([A-Z]+ /\S*) HTTP/1\.1\r$", self.everything, re.MULTILINE))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = Line()
        self.lines.append(line)
        try:
            back, on = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.close()
            return
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_pump(reader, on, line.sent))
                both.create_task(_pump(back, writer, bytearray()))
        finally:
            for end in (on, writer):
                end.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.open.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.CancelledError, ExceptionGroup):
                await self._carry(reader, writer)
        finally:
            self.open.discard(task)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: bytearray) -> None:
    while data := await reader.read(1 << 16):
        kept += data
        writer.write(data)
        await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.write_eof()


@contextlib.asynccontextmanager
async def recorded(port: int) -> AsyncIterator[Wire]:
    """A wire to the server on this loopback port."""
    wire = Wire(port)
    server = await asyncio.start_server(wire.serve, "127.0.0.1", 0)
    wire.port = server.sockets[0].getsockname()[1]
    try:
        yield wire
    finally:
        server.close()
        for task in wire.open:
            task.cancel()
        await asyncio.gather(*wire.open, return_exceptions=True)
