"""The Jupyter server that `up` stands in front of: the running one that holds the folder, or a new JupyterLab."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sharegate.cli.output import shown
from sharegate.upstream.discover import FoundServer, holding, running_servers
from sharegate.upstream.start import RunningLab, start_lab

Progress = Callable[[str], None]


class Records(Protocol):
    """Where a server is recorded (upstream.servers.OwnerServers)."""

    async def record(self, found: FoundServer, name: str = "") -> object: ...


@dataclass(frozen=True, slots=True)
class Attached:
    """The server, and whether it was started by this command and ends with it."""

    server: FoundServer
    started: bool


@contextlib.asynccontextmanager
async def attached(
    folder: Path, records: Records, stop: asyncio.Event, progress: Progress
) -> AsyncIterator[Attached | None]:
    """Find or start the server and record it. None when `stop` was set meanwhile.

    Raises Invalid when JupyterLab is not installed, Unreachable when it does not come up.
    """
    found = holding(folder, await asyncio.to_thread(running_servers))
    if found is not None:
        progress(f"Found your Jupyter server at {found.url}, which holds {shown(folder)}.")
        await records.record(found)
        yield Attached(found, started=False)
        return
    root = folder if folder.is_dir() else folder.parent
    progress(f"No running Jupyter server holds {shown(folder)}; one is started there.")
    lab = await _started(root, stop, progress)
    if lab is None:
        yield None
        return
    try:
        await records.record(lab.found)
        yield Attached(lab.found, started=True)
    finally:
        progress("Stopping JupyterLab")
        await lab.stop()


async def _started(root: Path, stop: asyncio.Event, progress: Progress) -> RunningLab | None:
    """JupyterLab, or None when `stop` came first; then nothing of it is left."""
    starting = asyncio.create_task(start_lab(root, progress=progress))
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            return starting.result()
        starting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await (await starting).stop()
        return None
    finally:
        starting.cancel()
        stopped.cancel()
