"""Mail servers that do what none should. Tests only."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def serving(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The port on which every connection gets the script; what is open is cut when the context ends."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await script(reader, writer)
        except (OSError, asyncio.CancelledError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()
            tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def says(answers: dict[str, str], *, heard: list[str] | None = None) -> Script:
    """A server that answers by the first word of a command; "" hangs, "!" hangs up. `.` is the end of the message."""
    usual = {"": "220 ready", "EHLO": "250-hi\r\n250 AUTH PLAIN LOGIN", "DATA": "354 go on", "QUIT": "221 bye"}
    words = {**usual, **answers}

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def say(word: str) -> None:
            text = words.get(word, "250 ok")
            if not text:
                await asyncio.Event().wait()
            if text == "!":
                raise ConnectionError
            writer.write(text.encode() + b"\r\n")
            await writer.drain()

        await say("")
        while line := (await reader.readline()).decode().strip():
            if heard is not None:
                heard.append(line)
            word = line.split()[0].upper()
            await say(word)
            if word == "DATA" and words["DATA"].startswith("354"):
                while await reader.readline() not in (b".\r\n", b""):
                    pass
                await say(".")

    return script
