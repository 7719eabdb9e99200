"""WebSockets: one change of a document from one page to another, what a thousand idle ones hold, how soon they end.

The same room of the same Jupyter server, directly, through nginx, configurable-http-proxy and the gate. The gate judges
each change and applies it to a document of its own; the others pass bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import secrets
import statistics
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from pycrdt import Doc, Text
from yarl import URL

from bench.process import MEASURED, Gate, configurable_http_proxy, cpu, gate, memory, nginx, proxying
from sharegate.channels import frames
from sharegate.channels.frames import SyncStep1, SyncStep2, Update
from sharegate.demo.visitor import RobotVisitor
from sharegate.messages import Frame
from tests.real.jupyter import plant, running_jupyter

PATH = "sub/shared/notes.md"
SIZES = {"100 B": 100, "10 KB": 10_000}


@dataclass(frozen=True)
class Way:
    """How a page gets to the room. `pid` 0: nobody in the middle."""

    name: str
    pid: int
    base: str
    headers: dict[str, str]


async def join(session: aiohttp.ClientSession, way: Way, path: str = PATH) -> str:
    """The address of the room."""
    url = URL(f"{way.base}api/collaboration/session/{path}", encoded=True)
    async with session.put(url, json={"format": "text", "type": "file"}, headers=way.headers) as answer:
        assert answer.status in (200, 201), (way.name, answer.status, await answer.text())
        found = await answer.json()
    room = f"{found['format']}:{found['type']}:{found['fileId']}"
    return f"{way.base}api/collaboration/room/{room}?sessionId={found['sessionId']}"


async def enter(
    session: aiohttp.ClientSession, way: Way, room: str
) -> tuple[aiohttp.ClientWebSocketResponse, Doc[Any]]:
    """In the room as a page is, with the document."""
    socket = await session.ws_connect(URL(room, encoded=True), headers=way.headers, max_msg_size=0)
    doc: Doc[Any] = Doc()
    await socket.send_bytes(frames.write(SyncStep1(doc.get_state())).data)
    while True:
        data = await socket.receive_bytes()
        if data[:2] == b"\0\1":
            read = frames.read(Frame.binary(data), limit=1 << 26)
            assert isinstance(read, SyncStep2)
            doc.apply_update(read.update)
            break
    await socket.send_bytes(frames.write(SyncStep2(b"\0\0")).data)
    return socket, doc


@dataclass(frozen=True)
class Round:
    cpu: float
    middle: float


async def changes(session: aiohttp.ClientSession, way: Way, size: int, number: int) -> Round:
    """`number` times something is written and taken away again; each time until the other page has it."""
    room = await join(session, way)
    writer, doc = await enter(session, way, room)
    reader, _ = await enter(session, way, await join(session, way))
    source = doc.get("source", type=Text)
    took = []
    before = cpu(way.pid) if way.pid else 0.0
    for _ in range(number):
        state, mark = doc.get_state(), secrets.token_hex(8)
        source.insert(0, mark + "x" * (size - len(mark)))
        began = time.perf_counter()
        await writer.send_bytes(frames.write(Update(doc.get_update(state))).data)
        async with asyncio.timeout(20):
            while mark.encode() not in await reader.receive_bytes():
                pass
        took.append((time.perf_counter() - began) * 1000)
        del source[0:size]
        await writer.send_bytes(frames.write(Update(doc.get_update(state))).data)
        await asyncio.sleep(0.005)
    spent = cpu(way.pid) - before if way.pid else 0.0
    await asyncio.gather(writer.close(), reader.close())
    return Round(spent / (2 * number) * 1e6, statistics.median(took))


async def idle(session: aiohttp.ClientSession, way: Way, number: int) -> float:
    """KiB that each of `number` connections holds in the middle."""
    room = await join(session, way)
    opened = [(await enter(session, way, room))[0]]
    await asyncio.sleep(1)
    before = memory(way.pid)
    for _ in range(number):
        opened.append((await enter(session, way, room))[0])
    await asyncio.sleep(2)
    held = (memory(way.pid) - before) / number
    await asyncio.gather(*(each.close() for each in opened))
    return held


@contextlib.asynccontextmanager
async def ways(folder: Path) -> AsyncIterator[tuple[list[Way], Gate]]:
    (folder / "root").mkdir()
    plant(folder / "root")
    with running_jupyter(folder) as server:
        async with contextlib.AsyncExitStack() as held:
            token = {"Authorization": f"token {server.token}"}
            found = [Way("direct", 0, server.url, token)]
            pid, port = await held.enter_async_context(nginx(folder / "nginx", MEASURED, proxying(server.port)))
            found.append(Way("nginx", pid, f"http://127.0.0.1:{port}/", token))
            pid, port = await held.enter_async_context(configurable_http_proxy(MEASURED, server.port))
            found.append(Way("configurable-http-proxy", pid, f"http://127.0.0.1:{port}/", token))
            facts = {
                "url": server.url,
                "token": server.token,
                "root": str(server.root.resolve()),
                "pid": server.process.pid,
            }
            ours = await held.enter_async_context(gate(folder / "gate", MEASURED, facts))
            made = await ours.call(
                "POST", "shares", {"path": str(server.root / "sub/shared"), "role": "edit", "for": ["Ann"]}
            )
            robot = RobotVisitor("Ann", made["links"][0]["url"])
            held.push_async_callback(robot.close)
            assert await robot.enter()
            cookies = "; ".join(f"{each.key}={each.value}" for each in robot._session.cookie_jar)
            found.append(Way("gate", ours.pid, ours.origin + robot.base, {"Origin": ours.origin, "Cookie": cookies}))
            yield found, ours


async def until_closed(socket: aiohttp.ClientWebSocketResponse) -> None:
    async for _ in socket:
        pass


async def revoking(ours: Gate, folder: Path, number: int) -> tuple[float, float]:
    """Milliseconds from the command to the last of `number` closed, and as the gate says itself."""
    made = await ours.call("POST", "shares", {"path": str(folder / "root/sub/shared"), "for": ["Bo"]})
    robot = RobotVisitor("Bo", made["links"][0]["url"])
    assert await robot.enter()
    listening = [asyncio.create_task(until_closed(await robot.live())) for _ in range(number)]
    began = time.perf_counter()
    ended = (await ours.call("POST", f"links/{made['links'][0]['id']}/revoke", {}))["ended"]
    await asyncio.gather(*listening)
    took = (time.perf_counter() - began) * 1000
    await robot.close()
    return took, float(ended["took_ms"])


async def measure(folder: Path, rounds: int, number: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard > 0 else soft, hard))
    async with ways(folder) as (found, ours), aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        print("| one change of | by | CPU µs of what is between | ms until the other page has it |\n|---|---|---|---|")
        for name, size in SIZES.items():
            taken: dict[str, list[Round]] = {way.name: [] for way in found}
            for _ in range(rounds):
                for way in found:
                    taken[way.name].append(await changes(session, way, size, 100))
            for way in found:
                mine = taken[way.name]
                spent = f"{statistics.median(each.cpu for each in mine):.0f}" if way.pid else "–"
                print(f"| {name} | {way.name} | {spent} | {statistics.median(each.middle for each in mine):.1f} |")
        print(f"\n| {number} idle WebSockets in one room, by | KiB each |\n|---|---|")
        for way in found:
            if way.pid:
                print(f"| {way.name} | {await idle(session, way, number):.1f} |", flush=True)
        took, said = await revoking(ours, folder, number)
        print(f"\nRevoke to the last of {number} closed: {took:.0f} ms (the gate says {said:.0f} ms).")
