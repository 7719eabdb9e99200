"""Two gates on one Redis, behind one address that leads to either."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from sharegate.demo.visitor import RobotVisitor
from tests.gatehouse import Gatehouse, Reply, gatehouse
from tests.real.jupyter import JupyterServer
from tests.real.redis import RedisServer
from tests.real.relay import Relay, relay


@dataclass
class Pair:
    """Two gates. `front` is where visitors come in, and leads to one of them; `line` is B's way to the store."""

    a: Gatehouse
    b: Gatehouse
    front: Relay
    line: Relay
    robots: list[RobotVisitor] = field(default_factory=list)

    def to(self, gate: Gatehouse) -> None:
        self.front.behind = gate.running.config.gate_port

    async def enters(self, made: dict[str, Any], number: int = 0) -> RobotVisitor | None:
        robot = RobotVisitor("Robo", made["links"][number]["url"])
        robot._session.connector._force_close = True  # type: ignore[union-attr] -- each request goes where `to` says
        self.robots.append(robot)
        return robot if await robot.enter() else None


def settings(folder: Path, store: str, front: int) -> dict[str, Any]:
    return {"store": store, "keys_dir": str(folder / "keys"), "public_url": f"http://127.0.0.1:{front}"}


def known_as(gate: Gatehouse, port: int) -> None:
    """What is asked of the gate itself bears the name of the address that both have."""
    ask = gate.raw

    async def raw(method: str, target: str, headers: dict[str, str] | None = None, body: bytes = b"") -> Reply:
        return await ask(method, target, {"Host": f"127.0.0.1:{port}", **(headers or {})}, body)

    gate.raw = raw  # type: ignore[method-assign]


async def ready(gate: Gatehouse) -> bool:
    async with aiohttp.ClientSession() as session, session.get(f"{gate.running.dashboard_url}/ready") as answer:
        return answer.status == 200


async def until(true: Callable[[], Awaitable[Any]], seconds: float = 25.0) -> None:
    async with asyncio.timeout(seconds):
        while not await true():
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def two_gates(
    store: RedisServer,
    server: JupyterServer,
    folder: Path,
    *,
    now: Callable[[], float] = time.time,
    **more: Any,
) -> AsyncIterator[Pair]:
    """Both ready, on an emptied store, visitors led to A; `more` are settings of both."""
    store.command("FLUSHALL")
    async with relay(0) as front, relay(store.socket) as line:
        one = settings(folder, store.url, front.port) | more
        other = settings(folder, f"redis://127.0.0.1:{line.port}", front.port) | more
        async with (
            gatehouse(folder / "a", server, now=now, gate_name="a", **one) as a,
            gatehouse(folder / "b", server, now=now, gate_name="b", **other) as b,
        ):
            for gate in (a, b):
                known_as(gate, front.port)
                # On a busy machine one of them may still be catching up with the store, and refuses everybody.
                await until(lambda gate=gate: ready(gate))
            both = Pair(a, b, front, line)
            both.to(a)
            yield both
            for robot in both.robots:
                await robot.close()
