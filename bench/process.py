"""What a bench measures: programs of their own, pinned to a core, whose processor time and memory can be read."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TICKS = os.sysconf("SC_CLK_TCK")
# Who is measured has a core; who asks, and who answers behind them, has the other.
MEASURED, OTHERS = "1", "0"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for one in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{one}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
    return found


def cpu(pid: int) -> float:
    """Seconds of processor time of a process and those below it."""
    spent = 0.0
    for one in tree(pid):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            spent += (int(fields[11]) + int(fields[12])) / TICKS
    return spent


def memory(pid: int) -> float:
    """KiB of a process and those below it, what they share counted once (PSS)."""
    used = 0.0
    for one in tree(pid):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    used += float(line.split()[1])
    return used


def descriptors(pid: int) -> int:
    return sum(len(list(Path(f"/proc/{one}/fd").iterdir())) for one in tree(pid))


@contextlib.contextmanager
def pinned(command: list[str], core: str, **more: Any) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["taskset", "-c", core, *command], **more)
    try:
        yield process
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        if process.poll() is None:
            process.kill()
            process.wait()


async def listening(port: int, patience: float = 30.0) -> None:
    """Until somebody accepts connections there."""
    deadline = time.monotonic() + patience
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return


@contextlib.asynccontextmanager
async def nginx(folder: Path, core: str, body: str) -> AsyncIterator[tuple[int, int]]:
    """nginx with one worker and this server block (`$PORT` in it is replaced): its pid and its port."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    settings = folder / "nginx.conf"
    settings.write_text(
        f"""daemon off; user {getpass.getuser()}; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{ access_log off; sendfile on; keepalive_requests 100000000; client_max_body_size 0;
client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
{body.replace("$PORT", str(port))} }}
"""
    )
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    with pinned([program, "-p", str(folder), "-c", str(settings)], core, stderr=subprocess.DEVNULL) as process:
        await listening(port)
        yield process.pid, port


def proxying(port: int) -> str:
    """nginx as a proxy that swaps the credential, as the gate does."""
    return f"""map $http_upgrade $going {{ default upgrade; '' ''; }}
upstream server {{ server 127.0.0.1:{port}; keepalive 64; }}
server {{ listen 127.0.0.1:$PORT; location / {{ proxy_pass http://server; proxy_http_version 1.1;
proxy_buffering off; proxy_set_header Connection $going; proxy_set_header Upgrade $http_upgrade;
proxy_set_header Host $http_host; proxy_read_timeout 3600s; }} }}"""


@contextlib.asynccontextmanager
async def configurable_http_proxy(core: str, port: int) -> AsyncIterator[tuple[int, int]]:
    """JupyterHub's proxy in front of a port: its pid and its port."""
    here = HERE.parent / ".venv" / "peers" / "node_modules" / ".bin" / "configurable-http-proxy"
    beside = Path(sys.prefix) / "peers" / "node_modules" / ".bin" / "configurable-http-proxy"
    found = shutil.which("configurable-http-proxy") or next(str(each) for each in (here, beside) if each.exists())
    mine, control = free_port(), free_port()
    command = [found, "--ip=127.0.0.1", f"--port={mine}", "--api-ip=127.0.0.1", f"--api-port={control}"]
    command += [f"--default-target=http://127.0.0.1:{port}", "--log-level=error"]
    environment = {**os.environ, "CONFIGPROXY_AUTH_TOKEN": "bench", "NODE_ENV": "production"}
    with pinned(command, core, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        await listening(mine)
        yield process.pid, mine


@dataclass
class Gate:
    """A gate in a process of its own, with everything on."""

    process: asyncio.subprocess.Process
    port: int
    origin: str
    # The owner's API answers in order.
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def pid(self) -> int:
        return self.process.pid

    async def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The owner's API."""
        assert self.process.stdin is not None
        async with self.turn:
            self.process.stdin.write(json.dumps([method, path, body]).encode() + b"\n")
            answer = await self.hear()
        assert answer["status"] == 200, answer
        return dict(answer["body"])

    async def hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        assert line, "the gate is gone"
        return dict(json.loads(line))


@contextlib.asynccontextmanager
async def gate(folder: Path, core: str, server: dict[str, Any], **settings: Any) -> AsyncIterator[Gate]:
    """`server`: url, token, root and pid of what is behind it."""
    limits = dict.fromkeys(("requests_per_minute", "megabytes_per_minute", "strangers_per_minute"), 10**6)
    limits |= dict.fromkeys(("channels_per_visit", "channels_per_link", "channels_per_share"), 4000)
    limits |= {"requests_at_once": 4000}
    told = {"settings": {"data_dir": str(folder / "gate"), **limits, **settings}, "server": server}
    process = await asyncio.create_subprocess_exec(
        *("taskset", "-c", core, sys.executable, str(HERE / "gateprocess.py"), json.dumps(told)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 24,
    )
    running = Gate(process, 0, "")
    try:
        ready = await running.hear()
        running.port, running.origin = ready["port"], ready["origin"]
        yield running
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
