"""The server's side: says what a probe tells it to, byte for byte, and keeps what it was told.

What a probe is not about (a gate asks its server more than its visitor asked) is passed on to a real server.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nContent-Length: 2\r\n\r\nok"


def said(body: bytes, *fields: str, status: str = "200 OK", version: str = "HTTP/1.1") -> bytes:
    """A plain answer with a length."""
    return answer(*fields, f"Content-Length: {len(body)}", status=status, version=version, body=body)


def answer(*fields: str, status: str = "200 OK", version: str = "HTTP/1.1", body: bytes = b"") -> bytes:
    """An answer with exactly these fields, and these bytes behind its head."""
    head = "\r\n".join((f"{version} {status}", *fields, "", ""))
    return head.encode("latin-1") + body


@dataclass(eq=False)
class Line:
    """One connection that the peer made. `served`: requests that it brought before, of whatever kind."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    number: int
    served: int = 0
    gone: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Turn:
    """One request of a probe: `number` counts them from 0 since the probe began."""

    line: Line
    head: bytes
    number: int
    body: bytes = b""
    read: bool = False

    @property
    def first_line(self) -> str:
        return self.head.partition(b"\r\n")[0].decode("latin-1")

    @property
    def method(self) -> str:
        return self.first_line.split(" ")[0]

    @property
    def target(self) -> str:
        return self.first_line.split(" ")[1]

    def all(self, name: str) -> list[str]:
        pairs = [line.partition(":") for line in self.head.decode("latin-1").split("\r\n")[1:] if line]
        return [value.strip() for key, _, value in pairs if key.lower() == name.lower()]

    def say(self, data: bytes) -> None:
        self.line.writer.write(data)

    async def sent(self) -> None:
        await self.line.writer.drain()

    async def whole(self) -> bytes:
        """The request's body, read by its framing."""
        if not self.read:
            self.read = True
            await self._read()
        return self.body

    async def _read(self) -> None:
        reader = self.line.reader
        if self.all("transfer-encoding"):
            while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
                self.body += await reader.readexactly(size)
                await reader.readexactly(2)
            while await reader.readuntil(b"\r\n") != b"\r\n":
                pass
        elif lengths := self.all("content-length"):
            try:
                self.body = await reader.readexactly(int(lengths[0]))
            except asyncio.IncompleteReadError as error:
                self.body = error.partial
                raise

    def abort(self) -> None:
        self.line.writer.transport.abort()


# True: the connection goes on.
Script = Callable[[Turn], Awaitable[bool]]


def always(data: bytes, *, close: bool = False) -> Script:
    """Read the request, say this, and close or go on."""

    async def script(turn: Turn) -> bool:
        await turn.whole()
        turn.say(data)
        return not close

    return script


class Back:
    """`turns` are the requests that came to the probe's script; `about` says which those are."""

    def __init__(self, about: Callable[[bytes], bool] = lambda head: True, pass_to: int = 0) -> None:
        self.port = 0
        self.turns: list[Turn] = []
        self.connections = 0
        self._about = about
        self._pass_to = pass_to
        # What an upload is answered with when a probe says nothing else.
        self.taken = OK
        self._script: Script = self._normally
        self._lines: set[Line] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._asked = asyncio.Event()

    def plays(self, script: Script) -> None:
        self._script = script

    def says(self, data: bytes, *, close: bool = False) -> None:
        self._script = always(data, close=close)

    @property
    def targets(self) -> list[str]:
        return [turn.target for turn in self.turns]

    async def asked(self, count: int = 1, seconds: float = 12.0) -> bool:
        """Wait until so many requests have come."""
        try:
            async with asyncio.timeout(seconds):
                while len(self.turns) < count:
                    self._asked.clear()
                    await self._asked.wait()
        except TimeoutError:
            return False
        return True

    async def fresh(self) -> None:
        """Drop all connections and forget."""
        for line in list(self._lines):
            line.writer.transport.abort()
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks, timeout=5)
        self.turns = []
        self._script = self._normally

    async def _normally(self, turn: Turn) -> bool:
        await turn.whole()
        turn.say(self.taken if turn.method == "PUT" else OK)
        return True

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        line = Line(reader, writer, self.connections)
        task = asyncio.current_task()
        assert task is not None
        self._lines.add(line)
        self._tasks.add(task)
        try:
            while await self._one(line):
                line.served += 1
        except (ConnectionError, asyncio.CancelledError, asyncio.IncompleteReadError, ValueError, ssl.SSLError):
            pass
        finally:
            line.gone.set()
            self._lines.discard(line)
            self._tasks.discard(task)
            with contextlib.suppress(ConnectionError, RuntimeError):
                writer.close()

    async def _one(self, line: Line) -> bool:
        head = await line.reader.readuntil(b"\r\n\r\n")
        if not self._about(head) and self._pass_to:
            return await self._pass(line, head)
        turn = Turn(line, head, len(self.turns))
        self.turns.append(turn)
        self._asked.set()
        if not await self._script(turn):
            with contextlib.suppress(ConnectionError):
                await line.writer.drain()
            return False
        await line.writer.drain()
        await turn.whole()
        return True

    async def _pass(self, line: Line, head: bytes) -> bool:
        """One request to the real server, on a connection of its own, and its answer back with a length."""
        turn = Turn(line, head, 0)
        body = await turn.whole()
        lines = [one for one in head.decode("latin-1").split("\r\n") if one]
        kept = [one for one in lines if not one.lower().startswith(("connection:", "content-length:", "transfer-enc"))]
        sent = "\r\n".join((*kept, "Connection: close", f"Content-Length: {len(body)}", "", "")).encode("latin-1")
        reader, writer = await asyncio.open_connection("127.0.0.1", self._pass_to, limit=1 << 24)
        try:
            writer.write(sent + body)
            # Imported here: a visitor's end is no part of a server.
            from tests.probes.talk import Talk

            reply = await Talk(reader, writer).answer(turn.method, seconds=30)
        finally:
            writer.close()
        fields = [
            f"{name}: {value}"
            for name, value in reply.headers
            if name.lower() not in ("connection", "content-length", "transfer-encoding")
        ]
        length = reply.all("content-length")[:1] if turn.method == "HEAD" else [str(len(reply.body))]
        if reply.status not in (204, 304):
            fields += [f"Content-Length: {one}" for one in length]
        line.writer.write(answer(*fields, status=f"{reply.status} -", body=reply.body))
        return True


@contextlib.asynccontextmanager
async def standing(back: Back, context: ssl.SSLContext | None = None) -> AsyncIterator[Back]:
    server = await asyncio.start_server(back.serve, "127.0.0.1", 0, ssl=context, limit=1 << 24)
    back.port = server.sockets[0].getsockname()[1]
    try:
        yield back
    finally:
        server.close()
        await back.fresh()
        await server.wait_closed()
