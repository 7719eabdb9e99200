"""A server that says exactly what a test tells it to, byte for byte, and keeps what it was told."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from sharegate.upstream.model import Credential, Upstream

SECRET = "s3cr3t-upstream-token-7f2k"


@dataclass
class Recorder:
    """`heads` are the raw request heads as they came in, in order; `connections` counts accepted ones."""

    port: int = 0
    heads: list[bytes] = field(default_factory=list)
    connections: int = 0
    bodies: list[bytes] = field(default_factory=list)
    host: str = "127.0.0.1"
    scheme: str = "http"

    @property
    def upstream(self) -> Upstream:
        return Upstream(
            id="u1",
            name="scripted",
            owner="ann",
            url=f"{self.scheme}://{self.host}:{self.port}/base/",
            pid=os.getpid(),
            uid=os.getuid(),
            token=Credential(SECRET),
        )

    def lines(self, index: int = -1) -> list[str]:
        return self.heads[index].decode("latin-1").split("\r\n")

    def fields(self, index: int = -1) -> list[tuple[str, str]]:
        pairs = [line.partition(": ") for line in self.lines(index)[1:] if line]
        return [(name.lower(), value) for name, _, value in pairs]

    async def head(self, reader: asyncio.StreamReader) -> bytes:
        """Read one request head and keep it; b"" at the end of the connection."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""
        self.heads.append(head)
        return head


Script = Callable[[Recorder, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def scripted(
    script: Script, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Recorder]:
    """Run `script` for each connection; it is cancelled and the connection dropped when the block ends."""
    record = Recorder(host=host, scheme="https" if tls else "http")
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        record.connections += 1
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await script(record, reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            tasks.discard(task)
            if writer.transport is not None:
                writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    record.port = server.sockets[0].getsockname()[1]
    try:
        yield record
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=5)
        await server.wait_closed()


def saying(*answers: bytes, then_close: bool = False) -> Script:
    """Answer the n-th request of a connection with the n-th text (the last one again and again)."""

    async def script(record: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        count = 0
        while await record.head(reader):
            writer.write(answers[min(count, len(answers) - 1)])
            await writer.drain()
            count += 1
            if then_close:
                return

    return script


def ok(body: bytes = b"ok", *fields: bytes) -> bytes:
    head = b"\r\n".join((b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *fields))
    return head + b"\r\n\r\n" + body
