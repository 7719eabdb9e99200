"""`sharegate serve` as a process of its own, and the owner's API of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp

from sharegate import config
from tests.gatehouse import Front, Gatehouse
from tests.real.jupyter import free_port

START_SECONDS = 60.0


@dataclass
class SocketApi:
    """The owner's API of a gate in another process."""

    path: Path

    async def call(
        self, method: str, path: str, query: dict[str, str] | None = None, body: dict[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        connector = aiohttp.UnixConnector(str(self.path))
        async with (
            aiohttp.ClientSession(connector=connector, base_url="http://gate") as http,
            http.request(method, path, params=query, json=body) as answer,
        ):
            return answer.status, await answer.json()


@dataclass
class GateProcess:
    """`sharegate serve` on a data folder; the same ports each time."""

    folder: Path
    port: int = field(default_factory=free_port)
    dashboard: int = field(default_factory=free_port)
    process: asyncio.subprocess.Process | None = None
    # Beside the process's own environment and what every such gate is given.
    environment: dict[str, str] = field(default_factory=dict)
    front: Front | None = None
    # Soft and hard limit of open files; None: those of the tests.
    descriptors: tuple[int, int] | None = None

    @property
    def config(self) -> config.Config:
        values = {"data_dir": str(self.folder), "gate_port": self.port, "dashboard_port": self.dashboard}
        settings = {name: value for name, value in self.environment.items() if name.startswith("SHAREGATE_")}
        return config.load(None, settings, values)

    @property
    def house(self) -> Gatehouse:
        loaded = self.config
        running = SimpleNamespace(config=loaded, gate_url=loaded.gate_url, api=SocketApi(loaded.socket_path))
        return Gatehouse(running, None, self.folder, front=self.front)  # type: ignore[arg-type]

    async def spawn(self, *arguments: str) -> asyncio.subprocess.Process:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SHAREGATE_")},
            "HOME": str(self.folder.parent),
            "JUPYTER_RUNTIME_DIR": str(self.folder.parent / "no servers"),
            "SHAREGATE_DATA_DIR": str(self.folder),
            "SHAREGATE_GATE_PORT": str(self.port),
            "SHAREGATE_DASHBOARD_PORT": str(self.dashboard),
            "SHAREGATE_OWNER": "Olga",
            "SHAREGATE_STRANGERS_PER_MINUTE": "1000000",
            **self.environment,
        }
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sharegate", *arguments),
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=self._limited if self.descriptors is not None else None,
        )

    def _limited(self) -> None:
        assert self.descriptors is not None
        resource.setrlimit(resource.RLIMIT_NOFILE, self.descriptors)

    async def start(self) -> Gatehouse:
        self.process = await self.spawn("serve")
        async with asyncio.timeout(START_SECONDS):
            while True:
                assert self.process.returncode is None, (await self.process.communicate())[1].decode()
                with contextlib.suppress(aiohttp.ClientError, OSError):
                    if (await self.house.running.api.call("GET", "/api/v1/gate"))[0] == 200:
                        return self.house
                await asyncio.sleep(0.05)

    async def end(self, number: signal.Signals) -> tuple[int, str]:
        """Send a signal; exit code and everything it said."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(number)
        async with asyncio.timeout(30):
            out, error = await self.process.communicate()
        self.process, code = None, self.process.returncode
        return int(code or 0), (out + error).decode()
