"""A line in between that a test cuts, holds up and mends. Tests only."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path


class Relay:
    """Carries connections to its own loopback port on to a Unix socket or to another port, which may change."""

    def __init__(self, behind: Path | int) -> None:
        self.behind = behind
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._through = asyncio.Event()
        self._cut = False
        self.port = 0
        self.connections = 0

    async def start(self) -> None:
        self._through.set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """End what is open and let nothing in."""
        self._cut = True
        for writer in self._open:
            writer.transport.abort()

    def hold(self) -> None:
        """Let everything stand, unanswered."""
        self._through.clear()

    def mend(self) -> None:
        self._cut = False
        self._through.set()

    async def stop(self) -> None:
        assert self._server is not None
        self.cut()
        self._through.set()
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._open.add(writer)
        try:
            if not self._cut:
                self.connections += 1
                there, back = await self._onward()
                self._open.add(back)
                await asyncio.gather(self._carry(reader, back), self._carry(there, writer))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _onward(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self.behind, int):
            return await asyncio.open_connection("127.0.0.1", self.behind)
        return await asyncio.open_unix_connection(self.behind)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                await self._through.wait()
                writer.write(data)
                await writer.drain()
        writer.transport.abort()


@contextlib.asynccontextmanager
async def relay(behind: Path | int) -> AsyncIterator[Relay]:
    line = Relay(behind)
    await line.start()
    try:
        yield line
    finally:
        await line.stop()
