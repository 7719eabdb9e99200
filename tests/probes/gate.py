"""The gate as it is, with all of its judgement on, in front of the scripted server and a real one behind that."""

from __future__ import annotations

import contextlib
import functools
import json
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from sharegate import __version__, assembly
from sharegate.listener import sockets
from sharegate.upstream.forward import Timeouts
from tests.gatehouse import Gatehouse, Inside, gatehouse
from tests.probes.back import Back, said, standing
from tests.probes.peer import Peer
from tests.real.jupyter import JupyterServer

ABOUT = (b"/files/sub/shared/", b"/api/collaboration/room/")
# A file that probes delete, or would.
GONE = "gone.txt"
CHANGES = {
    b"PUT": (b"/api/contents/sub/shared/up.txt",),
    b"POST": (b"/api/contents/sub/shared",),
    b"DELETE": (b"/api/contents/sub/shared/gone.txt",),
}
SETTINGS = {"requests_per_minute": 1_000_000, "strangers_per_minute": 1_000_000, "megabytes_per_minute": 1_000_000}
# What takes a minute in a gate that serves takes seconds here; nothing else is changed.
WAITS = {"upstream_seconds": 3}
HEARTBEAT = 1.5
TAKEN = {
    "name": "up.txt",
    "path": "sub/shared/up.txt",
    "type": "file",
    "writable": True,
    "format": None,
    "content": None,
    "mimetype": "text/plain",
    "created": "2026-01-01T00:00:00Z",
    "last_modified": "2026-01-01T00:00:00Z",
    "size": 20,
}
UPLOAD = json.dumps({"type": "file", "format": "text", "content": "hello from a visitor"}).encode()


def about(head: bytes) -> bool:
    """Whether a request of the gate is what a probe's visitor asked for, or something that the gate wants to know."""
    method, _, rest = head.partition(b" ")
    target = rest.partition(b" ")[0]
    if target.startswith(b"/api/contents/"):
        return target.partition(b"?")[0] in CHANGES.get(method, ())
    return target.startswith(ABOUT)


@contextlib.contextmanager
def _sooner() -> Iterator[None]:
    """Either end of a WebSocket is asked whether it is there every second or two, not every half minute."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sockets, "PING_SECONDS", HEARTBEAT)
        patch.setattr(assembly, "Timeouts", functools.partial(Timeouts, silent=HEARTBEAT))
        yield


@contextlib.asynccontextmanager
async def gate(folder: Path, jupyter: JupyterServer) -> AsyncIterator[Peer]:
    """An editor of `sub/shared` is inside. The gate knows this process as its server."""
    async with standing(Back(about, jupyter.port)) as back:
        back.taken = said(json.dumps(TAKEN).encode(), "Content-Type: application/json", status="201 Created")
        ours = cast("object", SimpleNamespace(pid=os.getpid()))
        seen = replace(jupyter, url=f"http://127.0.0.1:{back.port}/", port=back.port, process=ours)  # type: ignore[arg-type]
        (jupyter.root / "sub" / "shared" / GONE).write_text("deleted again and again\n")
        with _sooner():
            async with gatehouse(folder, seen, **SETTINGS, **WAITS) as house:
                yield await peer_of(house, back)


@dataclass
class GatePeer(Peer):
    """Each room is a document of its own."""

    inside: Inside | None = None
    rooms: int = 0

    def change(self, method: str) -> bytes:
        body = b'{"type":"file","ext":".txt"}' if method == "POST" else b""
        fields = (f"Content-Type: {self.content_type}", f"Content-Length: {len(body)}", "Connection: close")
        target = self.writing.rstrip("/") if method == "POST" else f"{self.writing}{GONE}"
        return self.head(GONE, *fields, method=method, target=target) + body

    async def room(self) -> str:
        inside = self.inside
        assert inside is not None
        self.rooms += 1
        name = f"sub/shared/probe-{self.rooms}.txt"
        (inside.gate.jupyter.root / name).write_text("probed\n")
        body = b'{"format":"text","type":"file"}'
        asked = await inside.ask(
            "PUT", f"api/collaboration/session/{name}", headers={"Content-Type": "application/json"}, body=body
        )
        assert asked.status in (200, 201), asked.body
        session = asked.json
        return f"{inside.base}api/collaboration/room/text:file:{session['fileId']}?sessionId={session['sessionId']}"


async def peer_of(house: Gatehouse, back: Back) -> Peer:
    inside = await house.visit(await house.share(role="edit", **{"for": ["Ed"]}), name="Ed")
    # The Host is for each probe to say.
    manners = {name: value for name, value in inside.manners("GET").items() if name != "Host"}
    return GatePeer(
        "sharegate",
        house.running.config.gate_port,
        back,
        reading=f"{inside.base}files/sub/shared/",
        writing=f"{inside.base}api/contents/sub/shared/",
        channel=f"{inside.base}api/collaboration/room/JupyterLab:globalAwareness",
        manners=(*(f"{name}: {value}" for name, value in manners.items()), f"Origin: {house.origin}"),
        upload=UPLOAD,
        content_type="application/json",
        version=__version__,
        can=frozenset({"websocket", "share"}),
        inside=inside,
    )
