"""A gate that is told what to do on its input, one JSON line each: `[method, path, body]` of the owner's API."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sharegate import app, config
from sharegate.garbage import settle
from sharegate.upstream.discover import FoundServer
from sharegate.upstream.model import Credential

try:
    import uvloop
except ImportError:
    uvloop = None


async def main(told: dict[str, Any]) -> None:
    values = {"gate_port": 0, "dashboard_port": 0, "owner": "Olga", **told["settings"]}
    server = told["server"]
    reader = asyncio.StreamReader(limit=1 << 24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    async with app.running(config.load(None, {}, values)) as running:
        found = FoundServer(server["url"], Credential(server["token"]), server["root"], server["pid"], os.getuid())
        await running.servers.record(found)
        settle()  # as `sharegate serve` does
        print(json.dumps({"port": running.config.gate_port, "origin": running.gate_url}), flush=True)
        serving = asyncio.create_task(serve(running, reader))
        await over.wait()
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving


async def serve(running: app.RunningGate, reader: asyncio.StreamReader) -> None:
    while line := await reader.readline():
        method, path, body = json.loads(line)
        status, answer = await running.api.call(method, "/api/v1/" + path, {}, body)
        print(json.dumps({"status": status, "body": answer}), flush=True)


if uvloop is not None:
    uvloop.run(main(json.loads(sys.argv[1])))
else:
    asyncio.run(main(json.loads(sys.argv[1])))
