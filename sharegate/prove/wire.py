"""A stranger's own HTTP/1.1 and WebSocket, byte by byte: what a library would tidy up is what is tried here.

One request, one connection. Answers are read whole, up to LONGEST bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import struct
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from sharegate.errors import Unreachable

LONGEST = 8 << 20
PATIENCE = 60.0
KEY = "c2hhcmVnYXRlLXByb3ZlIQ=="

Fields = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where visitors reach the gate. `host` is without brackets."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Origin:
        parts: SplitResult = urlsplit(url)
        return cls(parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))

    @property
    def authority(self) -> str:
        """As it stands in a Host field."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.scheme == "https" else 80) else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"

    @property
    def at(self) -> str:
        """What is connected to: names below localhost are this computer (RFC 6761 section 6.3), as browsers have it."""
        return "127.0.0.1" if self.host.endswith(".localhost") else self.host


@dataclass(frozen=True, slots=True)
class Reply:
    """`phrase` are the words behind the status; `body` is cut at LONGEST."""

    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes
    phrase: str = ""

    def field(self, name: str) -> str:
        return next((value for key, value in self.fields if key.lower() == name.lower()), "")

    @property
    def flat(self) -> bytes:
        """Everything that came, status line first."""
        lines = [f"{self.status} {self.phrase}", *(f"{name}: {value}" for name, value in self.fields)]
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + self.body


def head_of(method: str, target: str, fields: Fields) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")


async def ask(origin: Origin, method: str, target: str, fields: Fields, body: bytes = b"") -> Reply:
    """Send exactly this. Host, length and `Connection: close` are added where `fields` have none; Unreachable."""
    said = {name.lower() for name, _ in fields}
    more = [("Host", origin.authority), ("Connection", "close")]
    if body or method in ("POST", "PUT", "PATCH"):
        more.append(("Content-Length", str(len(body))))
    fields = [*(each for each in more if each[0].lower() not in said), *fields]
    async with connected(origin) as (reader, writer):
        writer.write(head_of(method, target, fields) + body)
        return await _read(reader, method)


@contextlib.asynccontextmanager
async def connected(origin: Origin) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection of its own. What fails on it is Unreachable: nothing can be said of a gate that does not answer."""
    try:
        async with asyncio.timeout(PATIENCE):
            tls = ssl.create_default_context() if origin.scheme == "https" else None
            name = origin.host if tls is not None else None
            reader, writer = await asyncio.open_connection(origin.at, origin.port, ssl=tls, server_hostname=name)
            try:
                yield reader, writer
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except ssl.SSLCertVerificationError as error:
        raise Unreachable(f"the certificate at {origin} is not valid ({error.verify_message})") from None
    except (OSError, TimeoutError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
        raise Unreachable(f"the gate does not answer at {origin} ({type(error).__name__})") from None


async def _read(reader: asyncio.StreamReader, method: str) -> Reply:
    status, phrase, fields = await read_head(reader)
    told = {name.lower(): value for name, value in fields}
    body = b""
    if status == 101 or method == "HEAD" or status in (204, 304):
        pass
    elif told.get("transfer-encoding", "").lower() == "chunked":
        while (size := int((await reader.readline()).strip() or b"0", 16)) and len(body) < LONGEST:
            body += (await reader.readexactly(min(size, LONGEST) + 2))[:-2]
    elif "content-length" in told:
        body = await reader.readexactly(min(int(told["content-length"]), LONGEST))
    else:
        body = await reader.read(LONGEST)
    return Reply(status, fields, body, phrase)


async def read_head(reader: asyncio.StreamReader) -> tuple[int, str, tuple[tuple[str, str], ...]]:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("utf-8", "surrogateescape").split("\r\n")
    number, _, phrase = lines[0].partition(" ")[2].partition(" ")
    fields = tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in lines[1:] if line))
    return int(number), phrase, fields


# -- WebSocket (RFC 6455) ---------------------------------------------------------------------------------------------

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def frame(code: int, payload: bytes = b"", *, first: int | None = None) -> bytes:
    """One masked frame. `first` replaces its first byte."""
    size = len(payload)
    head = bytes([0x80 | code if first is None else first])
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 1 << 16:
        head += bytes([0x80 | 126]) + struct.pack("!H", size)
    else:
        head += bytes([0x80 | 127]) + struct.pack("!Q", size)
    key = os.urandom(4)
    return head + key + bytes(byte ^ key[place % 4] for place, byte in enumerate(payload))


class Channel:
    """One open WebSocket. `heard` are all payloads that came, `closed` the code of the end and its words."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.heard: list[bytes] = []
        self.closed: tuple[int, bytes] | None = None

    async def send(self, payload: bytes, code: int = BINARY) -> None:
        await self.send_raw(frame(code, payload))

    async def send_raw(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            self._writer.write(data)
            await self._writer.drain()

    async def listen(self, seconds: float, *, until: int = 0) -> None:
        """Hear what comes for so long, or until `until` messages have come, or it is closed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.closed is None and not (until and len(self.heard) >= until):
                    await self._next()

    async def _next(self) -> None:
        try:
            first, second = await self._reader.readexactly(2)
            size = second & 127
            if size >= 126:
                wide = 2 if size == 126 else 8
                size = int.from_bytes(await self._reader.readexactly(wide), "big")
            if size > LONGEST:
                self.closed = (1009, b"")
                return
            payload = await self._reader.readexactly(size)
        except (EOFError, OSError):
            self.closed = (1006, b"")
            return
        if first & 15 == CLOSE:
            self.closed = (int.from_bytes(payload[:2], "big") or 1005, payload[2:])
        elif first & 15 == PING:
            await self.send(payload, PONG)
        elif first & 15 != PONG:
            self.heard.append(payload)

    @property
    def words(self) -> bytes:
        return b"\n".join([*self.heard, self.closed[1] if self.closed else b""])


def upgrade(fields: Fields) -> list[tuple[str, str]]:
    """The fields of a handshake; those given win."""
    said = {name.lower() for name, _ in fields}
    ours = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13")]
    return [*(each for each in [*ours, ("Sec-WebSocket-Key", KEY)] if each[0].lower() not in said), *fields]


@contextlib.asynccontextmanager
async def channel(origin: Origin, target: str, fields: Fields) -> AsyncIterator[tuple[Reply, Channel | None]]:
    """Ask for a WebSocket: the answer, and the channel when it was opened. Raises Unreachable."""
    sent = [("Host", origin.authority), *upgrade(fields)]
    async with connected(origin) as (reader, writer):
        writer.write(head_of("GET", target, sent))
        status, phrase, told = await read_head(reader)
        if status != 101:
            sizes = [int(value) for name, value in told if name.lower() == "content-length"]
            body = await reader.readexactly(min(sizes[0], LONGEST)) if sizes else b""
            yield Reply(status, told, body, phrase), None
            return
        open_one = Channel(reader, writer)
        yield Reply(status, told, b"", phrase), open_one
        if open_one.closed is None:
            await open_one.send(struct.pack("!H", 1000), CLOSE)
