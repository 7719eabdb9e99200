"""The server's end of a WebSocket, byte for byte."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import struct
from collections.abc import Awaitable, Callable

from sharegate.upstream.interfaces import Outgoing
from tests.upstream.scripted import Recorder, Script

CHANNEL = Outgoing("GET", "api/x")
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def frame(opcode: int, data: bytes = b"", *, fin: bool = True) -> bytes:
    """One unmasked frame (RFC 6455 section 5.2)."""
    first = (0x80 if fin else 0) | opcode
    if len(data) < 126:
        return bytes([first, len(data)]) + data
    if len(data) < 65536:
        return bytes([first, 126]) + struct.pack(">H", len(data)) + data
    return bytes([first, 127]) + struct.pack(">Q", len(data)) + data


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """The next frame of a client: opcode and unmasked data."""
    first, second = await reader.readexactly(2)
    assert second & 0x80, "a client masks"
    size = second & 0x7F
    if size == 126:
        (size,) = struct.unpack(">H", await reader.readexactly(2))
    elif size == 127:
        (size,) = struct.unpack(">Q", await reader.readexactly(8))
    mask = await reader.readexactly(4)
    data = await reader.readexactly(size)
    return first & 0x0F, bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))


def accepting(talk: Talk, *more: bytes) -> Script:
    async def script(record: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await record.head(reader)
        key = dict(record.fields())["sec-websocket-key"].encode()
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        lines = (
            b"HTTP/1.1 101 Switching Protocols",
            b"Upgrade: websocket",
            b"Connection: Upgrade",
            b"Sec-WebSocket-Accept: " + accept,
            *more,
        )
        writer.write(b"\r\n".join(lines) + b"\r\n\r\n")
        await talk(reader, writer)

    return script


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        opcode, data = await read_frame(reader)
        writer.write(frame(opcode, data))
        await writer.drain()
        if opcode == 8:
            return


async def keep_open(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(-1)
