"""A gate that ends is not held by whoever takes their time, on either side."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from tests.probes.back import Turn, answer
from tests.probes.gate import gate
from tests.probes.talk import Talk
from tests.real.jupyter import JupyterServer

pytestmark = pytest.mark.real

# What an orderly end needs: two times two seconds for what is open, and a machine that is busy.
END_SECONDS = 15.0


async def test_a_gate_ends_though_everybody_dawdles(tmp_path: Path, jupyter: JupyterServer) -> None:
    """A server that drips its head, one that drips its body, a visitor who drips an upload and one who reads nothing:
    the gate closes what they have, and each sees that something is missing."""
    talks: list[Talk] = []

    async def script(turn: Turn) -> bool:
        if turn.target.endswith("body.csv"):
            turn.say(answer("Content-Type: text/csv", "Content-Length: 100000"))
        elif turn.target.endswith("much.csv"):
            turn.say(answer("Content-Type: text/csv", "Content-Length: 90000000"))
            with contextlib.suppress(ConnectionError):
                for _ in range(1400):
                    turn.say(b"z" * 65536)
                    await turn.sent()
            return False
        else:
            turn.say(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while not turn.line.gone.is_set():
            turn.say(b"x")
            await turn.sent()
            await asyncio.sleep(0.05)
        return False

    async with contextlib.AsyncExitStack() as house:
        peer = await house.enter_async_context(gate(tmp_path, jupyter))
        peer.back.plays(script)
        for name in ("head.csv", "body.csv", "much.csv"):
            talk = await peer.talk()
            if name == "much.csv":
                talk.writer.transport.pause_reading()  # type: ignore[attr-defined]
            await talk.say(peer.head(name))
            talks.append(talk)
        slow = await peer.talk()
        await slow.say(peer.put("Content-Length: 1000") + b"{")
        talks.append(slow)
        assert await peer.back.asked(3)
        # The gate ends first, then what is behind it.
        async with asyncio.timeout(END_SECONDS):
            await house.aclose()

    for talk in talks:
        talk.writer.transport.resume_reading()  # type: ignore[attr-defined]
        reply = await talk.answer()
        talk.abort()
        assert not (reply.whole and reply.status == 200), reply
        assert reply.ended != "open"
