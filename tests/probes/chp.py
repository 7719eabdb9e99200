"""configurable-http-proxy, as JupyterHub runs it, with the scripted server as its default target."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

from tests.probes.back import Back, standing
from tests.probes.nginx import TUNNEL, ended, until_listening
from tests.probes.peer import Peer
from tests.real.jupyter import free_port

# `scripts/programs` installs it beside the checkout's environment.
PLACES = [
    Path(__file__).parents[2] / ".venv/peers/node_modules/.bin",
    Path(os.environ.get("SHAREGATE_PEERS", "/nonexistent")),
]


def program() -> str | None:
    path = os.pathsep.join((os.environ.get("PATH", ""), *(str(place) for place in PLACES)))
    return shutil.which("configurable-http-proxy", path=path)


@contextlib.asynccontextmanager
async def configurable_http_proxy() -> AsyncIterator[Peer]:
    found = program()
    assert found is not None
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    async with standing(Back()) as back:
        port, api = free_port(), free_port()
        process = await asyncio.create_subprocess_exec(
            found,
            *("--ip", "127.0.0.1", "--port", str(port), "--api-ip", "127.0.0.1", "--api-port", str(api)),
            *("--default-target", f"http://127.0.0.1:{back.port}", "--log-level", "error"),
            *("--timeout", "4000", "--proxy-timeout", "3000"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with ended(process):
            await until_listening(port, process)
            yield Peer("configurable-http-proxy", port, back, version=version, settles=0.1, cannot=TUNNEL)
