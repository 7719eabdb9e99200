"""A gate that is told to stop: what is finished, what is refused, and how long that may take."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from tests.gatehouse import Gatehouse, Inside, Reply, raw
from tests.gateprocess import GateProcess
from tests.plainsocket import PlainSocket, drop_all

pytestmark = pytest.mark.timeout(180)


@dataclass
class SlowServer:
    """Everything is a folder; a file is sent in two halves, the second when `go` says so."""

    port: int = 0
    go: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                if b"/files/" in head.partition(b"\r\n")[0]:
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 200000\r\n\r\n")
                    writer.write(b"a" * 100_000)
                    await writer.drain()
                    self.asked.set()
                    await self.go.wait()
                    writer.write(b"b" * 100_000)
                else:
                    body = b'{"version":"2.0","type":"directory","name":"week3","path":"week3"}'
                    kind = b"Content-Type: application/json"
                    writer.write(b"HTTP/1.1 200 OK\r\n%s\r\nContent-Length: %d\r\n\r\n" % (kind, len(body)) + body)
                await writer.drain()
        writer.close()


@pytest_asyncio.fixture
async def server() -> AsyncIterator[SlowServer]:
    made = SlowServer()
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = listening.sockets[0].getsockname()[1]
    yield made
    made.go.set()
    listening.close()


@pytest_asyncio.fixture
async def gate(tmp_path: Path) -> AsyncIterator[GateProcess]:
    made = GateProcess(tmp_path / "data")
    yield made
    await drop_all()
    if made.process is not None:
        await made.end(signal.SIGKILL)


async def enter(gate: GateProcess, server: SlowServer) -> Inside:
    house = await gate.start()
    await house.call("POST", "servers", {"url": f"http://127.0.0.1:{server.port}/", "token": "t"})
    return await house.visit(await house.call("POST", "shares", {"path": "week3", "for": ["Ann", "Bo"]}))


async def ready(gate: GateProcess) -> tuple[int, str]:
    fields = {"Host": f"localhost:{gate.dashboard}"}
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"http://127.0.0.1:{gate.dashboard}/ready", headers=fields) as answer,
    ):
        return answer.status, await answer.text()


async def draining(gate: GateProcess) -> None:
    """Until the gate says that it lets nobody in."""
    async with asyncio.timeout(25):
        while (await ready(gate))[0] != 503:
            await asyncio.sleep(0.02)


async def test_a_running_answer_is_finished_and_nothing_new_is_begun(gate: GateProcess, server: SlowServer) -> None:
    """`/ready` says no, a visit's further request and a newcomer are told that the gate restarts, the long answer comes
    whole, then open pages are told to come back, and the process ends with 0 and says what it waited for."""
    gate.environment["SHAREGATE_DRAIN_SECONDS"] = "60"
    ann = await enter(gate, server)
    house: Gatehouse = ann.gate
    assert (await ready(gate))[0] == 200
    live = await PlainSocket.open(ann, "-/live")
    long: asyncio.Task[Reply] = asyncio.create_task(ann.ask("GET", "files/week3/a.bin"))
    await server.asked.wait()
    assert gate.process is not None
    gate.process.send_signal(signal.SIGTERM)
    await draining(gate)
    assert '"open": "failed"' in (await ready(gate))[1]
    refused = await ann.ask("GET", "api/me")
    assert (refused.status, refused.public) == (503, "gate_restarting")
    assert refused.header("Retry-After")
    assert (await house.post("/join", {"token": "x"})).public == "gate_restarting"
    assert not long.done() and gate.process.returncode is None
    closing = asyncio.create_task(live.closed(within=30))
    server.go.set()
    whole = await long
    assert (whole.status, len(whole.body)) == (200, 200_000)
    assert (await closing)[0] == 1013
    code, text = await gate.end(signal.SIGCONT)
    assert code == 0 and "Traceback" not in text
    assert "Links stay valid" in text


async def test_a_second_signal_ends_at_once(gate: GateProcess, server: SlowServer) -> None:
    """The answer that runs is broken off so that it looks broken; the history is closed in order."""
    gate.environment["SHAREGATE_DRAIN_SECONDS"] = "3600"
    ann = await enter(gate, server)
    long = asyncio.create_task(ann.ask("GET", "files/week3/a.bin"))
    await server.asked.wait()
    assert gate.process is not None and gate.process.stderr is not None
    gate.process.send_signal(signal.SIGTERM)
    await draining(gate)
    said = b""
    async with asyncio.timeout(25):
        while b"Once more" not in said:
            said += await gate.process.stderr.readline()
    assert b"1 answer" in said and not long.done()
    gate.process.send_signal(signal.SIGTERM)
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await long
    async with asyncio.timeout(25):
        _, error = await gate.process.communicate()
    assert gate.process.returncode == 0 and b"Traceback" not in error
    gate.process = None
    house = await gate.start()
    events = (await house.call("GET", "audit"))["events"]
    assert "gate.stopped" in [event["action"] for event in events]
    assert (await house.call("GET", "audit/verify"))["intact"]


async def test_the_time_for_answers_is_limited(gate: GateProcess, server: SlowServer) -> None:
    """After `drain_seconds` the gate ends, whoever still reads."""
    gate.environment["SHAREGATE_DRAIN_SECONDS"] = "1"
    ann = await enter(gate, server)
    long = asyncio.create_task(ann.ask("GET", "files/week3/a.bin"))
    await server.asked.wait()
    code, text = await gate.end(signal.SIGTERM)
    assert code == 0 and "Traceback" not in text
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await long


async def test_attack_no_secret_in_the_log_of_a_whole_day(gate: GateProcess, server: SlowServer) -> None:
    """In JSON, at its most talkative, through entering and asking with a token where it does not belong: every
    line is an entry, and none has the link's token, the cookies or the server's token in it."""
    gate.environment |= {"SHAREGATE_LOG_FORMAT": "json", "SHAREGATE_LOG_LEVEL": "debug"}
    house = await gate.start()
    url = f"http://127.0.0.1:{server.port}/"
    await house.call("POST", "servers", {"url": url, "token": "zqupstreamtoken"})
    made = await house.call("POST", "shares", {"path": "week3", "for": ["Ann"]})
    ann = await house.visit(made)
    token = made["links"][0]["url"].partition("#")[2]
    for target in (f"/join?token={token}", f"{ann.base}api/me?token={token}", "/join%0a[I 2026] the owner let Eve in"):
        await house.raw("GET", target, {**ann.manners("GET"), "Authorization": f"token {token}"})
    server.go.set()
    assert (await ann.ask("GET", "files/week3/a.bin")).status == 200
    code, text = await gate.end(signal.SIGTERM)
    assert code == 0
    entries = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    assert entries and all({"at", "level", "logger", "where", "message"} <= set(entry) for entry in entries)
    said = json.dumps(entries)
    for secret in (token, *token.split("."), ann.cookie, ann.browser, "zqupstreamtoken"):
        assert secret not in said


async def test_attack_a_signal_at_any_moment_of_the_start(gate: GateProcess) -> None:
    """It ends in order or before it began, says no traceback, and leaves nothing that keeps the next one from
    starting."""
    chance = random.Random(3)
    codes = set()
    for number in range(6):
        process = await gate.spawn("serve")
        await asyncio.sleep(chance.uniform(0.0, 0.25) + 0.35 * number)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(25):
            _, error = await process.communicate()
        codes.add(process.returncode)
        assert b"Traceback" not in error, error
    assert codes <= {0, -signal.SIGTERM}
    house = await gate.start()
    assert (await house.call("GET", "audit/verify"))["intact"]
    assert (await raw(gate.port, "GET", "/join")).status == 200
