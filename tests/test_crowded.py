"""Thousands of connections, and no descriptor left: the gate goes on for those who are in."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.gatehouse import Gatehouse, Inside, raw
from tests.gateprocess import GateProcess
from tests.plainsocket import PlainSocket, drop_all
from tests.test_stopping import SlowServer, enter, ready, server

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts descriptors as Linux shows them"),
]
__all__ = ["server"]


@pytest_asyncio.fixture
async def gate(tmp_path: Path) -> AsyncIterator[GateProcess]:
    made = GateProcess(tmp_path / "data")
    yield made
    await drop_all()
    if made.process is not None:
        await made.end(signal.SIGKILL)


class Idle:
    """Connections that say nothing, from as many addresses of this computer as are named."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.open: list[socket.socket] = []

    async def come(self, count: int, *addresses: str) -> None:
        for number in range(count):
            one = socket.socket()
            one.setblocking(False)
            one.bind((addresses[number % len(addresses)], 0))
            with contextlib.suppress(BlockingIOError):
                one.connect(("127.0.0.1", self._port))
            self.open.append(one)
            if number % 64 == 63:
                await asyncio.sleep(0.02)  # the gate is one process, and the system's backlog is short

    def forget_dropped(self) -> int:
        """Close those that the gate closed, and say how many are left: on a busy machine the first are dropped for
        their silence before the last have come."""
        left = []
        for one in self.open:
            try:
                dropped = one.recv(1) == b""
            except BlockingIOError:
                dropped = False
            except OSError:
                dropped = True
            if dropped:
                one.close()
            else:
                left.append(one)
        self.open = left
        return len(left)

    def leave(self) -> None:
        while self.open:
            self.open.pop().close()


@contextlib.contextmanager
def many_files(count: int) -> AsyncIterator[None]:  # type: ignore[misc]
    """This process may have so many, if the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        pytest.skip("this system does not let us have as many files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def descriptors(gate: GateProcess) -> int:
    assert gate.process is not None
    return len(os.listdir(f"/proc/{gate.process.pid}/fd"))


async def reads(who: Inside) -> int:
    """A connection of its own, and one to the server."""
    return (await who.ask("GET", "api/contents/week3?content=0")).status


async def number(gate: GateProcess, name: str) -> float:
    reply = await raw(gate.dashboard, "GET", "/metrics", {"Host": f"localhost:{gate.dashboard}"})
    return next(float(line.split()[1]) for line in reply.body.decode().splitlines() if line.startswith(name + " "))


async def test_attack_ten_thousand_idle_connections(gate: GateProcess, server: SlowServer) -> None:
    """From many addresses at once: who is in reads and writes on, over what is open and over new connections, somebody
    new comes in, and the owner's commands and the history work; afterwards nothing is left of them."""
    with many_files(11_000):
        ann = await enter(gate, server)
        live = await PlainSocket.open(ann, "-/live")
        before = descriptors(gate)
        idle = Idle(gate.port)
        try:
            addresses = [f"127.1.{number // 200}.{number % 200 + 1}" for number in range(400)]
            async with asyncio.timeout(120):
                while await number(gate, "sharegate_connections") < 9_000:
                    await idle.come(10_000 - idle.forget_dropped(), *addresses)
                    await asyncio.sleep(0.2)
            assert live.status == 101
            assert await reads(ann) == 200
            house: Gatehouse = ann.gate
            bo = await house.visit(await house.call("POST", "shares", {"path": "week3", "for": ["Bo"]}))
            assert await reads(bo) == 200
            assert (await house.call("GET", "audit/verify"))["intact"]
            assert (await ready(gate))[0] == 200
            assert await number(gate, "sharegate_connections_refused") == 0
        finally:
            idle.leave()
        async with asyncio.timeout(60):
            while descriptors(gate) > before + 20:
                await asyncio.sleep(0.2)
        assert not live.reader.at_eof(), "a page of somebody who is in was dropped"


async def test_attack_more_connections_than_there_are_descriptors(gate: GateProcess, server: SlowServer) -> None:
    """With a low limit: strangers who wait give way, visitors come in over new connections, nothing of the gate's own
    is short of a descriptor, and `doctor` tells."""
    gate.descriptors = (600, 600)
    ann = await enter(gate, server)
    live = await PlainSocket.open(ann, "-/live")
    most = await number(gate, "sharegate_connections_limit")
    assert most == 300
    idle = Idle(gate.port)
    try:
        await idle.come(900, *(f"127.2.0.{number}" for number in range(1, 100)))
        async with asyncio.timeout(25):
            while await number(gate, "sharegate_connections_refused") < 500:
                await asyncio.sleep(0.1)
        assert await number(gate, "sharegate_connections") <= most
        assert descriptors(gate) < 600 - 128
        assert [await reads(ann) for _ in range(5)] == [200] * 5
        house: Gatehouse = ann.gate
        bo = await house.visit(await house.call("POST", "shares", {"path": "week3", "for": ["Bo"]}))
        assert await reads(bo) == 200
        assert (await house.call("GET", "audit/verify"))["intact"]
        assert (await ready(gate))[0] == 200
        said = " ".join(finding["what"] for finding in (await house.call("GET", "doctor"))["findings"])
        assert "limit of open files: 600" in said and "turned away" in said
        assert not live.reader.at_eof()
    finally:
        idle.leave()


async def test_attack_one_address_with_more_than_its_share(gate: GateProcess, server: SlowServer) -> None:
    """It is told so, politely, in an answer that can be read; who entered from there does not count."""
    gate.environment["SHAREGATE_CONNECTIONS_PER_ADDRESS"] = "20"
    ann = await enter(gate, server)
    live = await PlainSocket.open(ann, "-/live")
    idle = Idle(gate.port)
    try:
        await idle.come(20, "127.0.0.1")
        async with asyncio.timeout(25):
            while await number(gate, "sharegate_connections") < 21:
                await asyncio.sleep(0.05)
        told = await raw(gate.port, "GET", "/join")
        assert (told.status, told.public, told.header("Retry-After")) == (503, "gate_full", "5")
        assert told.header("Content-Security-Policy") and told.header("Connection") == "close"
        live.send(b'{"type":"here","path":""}', 1)
        idle.open.pop().close()
        async with asyncio.timeout(25):
            while (await raw(gate.port, "GET", "/join")).status != 200:
                await asyncio.sleep(0.05)
        assert not live.reader.at_eof()
    finally:
        idle.leave()


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="another process's limits are Linux's")
async def test_attack_the_system_has_no_descriptor_left(gate: GateProcess, server: SlowServer) -> None:
    """Taken away while the gate runs: nobody new is accepted, what is open goes on and is
    recorded, no traceback, and it accepts again by itself when there are some."""
    ann = await enter(gate, server)
    live = await PlainSocket.open(ann, "-/live")
    assert gate.process is not None
    pid = gate.process.pid
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    # A new one gets the lowest free number: the first few are those of its whole life.
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (4, hard))
    refused = asyncio.create_task(reads(ann))
    await asyncio.sleep(1.5)  # longer than the accept loop rests
    assert not refused.done()
    assert live.send(b'{"type":"here","path":"week3"}', 1)
    opcode, _ = await live.receive()
    assert opcode == 1, "the open page is spoken to"
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
    async with asyncio.timeout(25):
        # Accepted now. The last look at who listens was in vain, and counts for a second: that is closed.
        assert await refused in (200, 503)
        while await reads(ann) != 200:
            await asyncio.sleep(0.1)
    assert (await ann.gate.call("GET", "audit/verify"))["intact"]
    code, text = await gate.end(signal.SIGTERM)
    assert code == 0
    assert "Traceback" not in text, text
