"""Answers that are none, and a server that gives none."""

from __future__ import annotations

import asyncio

from tests.upstream.scripted import Recorder

CUT = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
    "chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nonly this",
    "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nonly\r\n",
    "bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nonly\r\nzz\r\nmore\r\n",
}

BAD = {
    "garbage": b"\x16\x03\x01 no http at all\r\n\r\n",
    "no status": b"HTTP/1.1 abc OK\r\n\r\n",
    "status 999": b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
    "status 101": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "control in header": b"HTTP/1.1 200 OK\r\nX-A: a\x01b\r\nContent-Length: 0\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "huge header": b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 100_000 + b"\r\n\r\n",
    "half a head": b"HTTP/1.1 200 OK\r\nX-",
}


async def hang_up(record: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await record.head(reader)
