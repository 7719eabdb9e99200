"""A visitor's connections as bytes: a WebSocket client that need not read, answer or stop, and a slow reader."""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
from dataclasses import dataclass

from tests.gatehouse import Inside


@dataclass
class PlainSocket:
    """Speaks RFC 6455 only as far as it is told to."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    status: int

    @classmethod
    async def open(cls, who: Inside, path: str, place: str = "127.0.0.1") -> PlainSocket:
        fields = {
            **who.manners("GET"),
            "Host": who.gate.origin.partition("://")[2],
            "Origin": who.gate.origin,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
        reader, writer = await connection(who, place)
        writer.write(head(f"GET {who.base}{path} HTTP/1.1", fields))
        answer = await reader.readuntil(b"\r\n\r\n")
        return cls(reader, writer, int(answer.split(b" ")[1]))

    def send(self, data: bytes, opcode: int = 2) -> bool:
        """One masked frame; False when the connection is known to be gone."""
        mask = os.urandom(4)
        size = bytes((0x80 | len(data),)) if len(data) < 126 else b"\xfe" + struct.pack(">H", len(data))
        masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(data))
        if self.writer.is_closing():
            return False
        self.writer.write(bytes((0x80 | opcode,)) + size + mask + masked)
        return True

    async def receive(self) -> tuple[int, bytes]:
        """Opcode and payload of the next frame; (-1, b"") when the connection is gone."""
        try:
            first, second = await self.reader.readexactly(2)
            size = second & 127
            if size >= 126:
                wide = 2 if size == 126 else 8
                size = int.from_bytes(await self.reader.readexactly(wide), "big")
            return first & 15, await self.reader.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError):
            return -1, b""

    async def closed(self, *, answer: bool = True, within: float = 25.0) -> tuple[int, str]:
        """Read on until the gate closes; its code (1006: without a word) and reason. Answers as a browser does."""
        async with asyncio.timeout(within):
            while True:
                opcode, data = await self.receive()
                if opcode == -1:
                    return 1006, ""
                if opcode == 8:
                    if answer:
                        self.send(data, 8)
                    return int.from_bytes(data[:2], "big"), data[2:].decode()

    async def gone(self, within: float = 25.0) -> None:
        """Until the connection itself is closed or reset."""
        async with asyncio.timeout(within):
            while (await self.receive())[0] != -1:
                pass

    def drop(self) -> None:
        self.writer.close()


@dataclass
class SlowReader:
    """An HTTP answer of which only the head was read so far."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    status: int
    length: int

    @classmethod
    async def open(cls, who: Inside, path: str, place: str = "127.0.0.1") -> SlowReader:
        reader, writer = await connection(who, place)
        fields = {**who.manners("GET"), "Host": who.gate.origin.partition("://")[2]}
        writer.write(head(f"GET {who.base}{path} HTTP/1.1", fields))
        answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        lengths = [line for line in answer.split("\r\n") if line.lower().startswith("content-length:")]
        return cls(reader, writer, int(answer.split(" ")[1]), int(lengths[0].partition(":")[2]) if lengths else -1)

    async def rest(self, within: float = 25.0) -> tuple[int, bool]:
        """How much more came until the connection ended, and whether that looks like the whole answer."""
        size = 0
        async with asyncio.timeout(within):
            with contextlib.suppress(ConnectionError):
                while part := await self.reader.read(1 << 16):
                    size += len(part)
        return size, self.length in (-1, size)

    def drop(self) -> None:
        self.writer.close()


_opened: list[asyncio.StreamWriter] = []


async def connection(who: Inside, place: str = "127.0.0.1") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """From another address of this computer, where `place` is one."""
    port = who.gate.running.config.gate_port
    opened = await asyncio.open_connection("127.0.0.1", port, limit=1 << 16, local_addr=(place, 0))
    _opened.append(opened[1])
    return opened


async def drop_all() -> None:
    """Close what tests left open, also those that failed."""
    while _opened:
        writer = _opened.pop()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def head(line: str, fields: dict[str, str]) -> bytes:
    return (line + "\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n").encode()
