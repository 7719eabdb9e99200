"""A server that behaves as it is told, a gate before it, and what visitors and the owner have of that gate."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sharegate import app, config
from sharegate.upstream.model import Credential, Upstream
from tests.gatehouse import Gatehouse, Reply
from tests.plainsocket import drop_all
from tests.upstream.scripted import Recorder

SECRET = "raw-server-token-that-nobody-may-see"
MODEL = {"type": "file", "name": "a.txt", "path": "week3/a.txt", "content": "hello", "format": "text"}
JSON = b"Content-Type: application/json"
FILE = "files/week3/a.txt"
CONTENTS = "api/contents/week3/a.txt?content=1&type=file"


def said(status: str, body: bytes, *fields: bytes) -> bytes:
    head = [b"HTTP/1.1 " + status.encode(), b"Content-Length: %d" % len(body), *fields]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


@dataclass
class Fake:
    """A server that behaves as it is told. `asked` counts requests below /api/contents and /files."""

    behaviour: str = "fine"
    asked: int = 0
    go: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, record: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await record.head(reader):
            if b"/week3" not in head.partition(b"\r\n")[0]:
                writer.write(said("200 OK", b'{"version":"2.0"}', JSON))
                continue
            self.asked += 1
            if not await self._answer(head, writer):
                return
            await writer.drain()

    async def _answer(self, head: bytes, writer: asyncio.StreamWriter) -> bool:
        """False to hang up."""
        file = head.startswith(b"GET /files/")
        match self.behaviour:
            case "fine" if file:
                writer.write(said("200 OK", b"x" * 1000, b"Content-Type: text/plain"))
            case "fine":
                writer.write(said("200 OK", json.dumps(MODEL).encode(), JSON))
            case "large":
                writer.write(said("200 OK", b"x" * 3_000_000, b"Content-Type: text/plain"))
            case "held":
                await self.go.wait()
                writer.write(said("200 OK", b"x" * 10, b"Content-Type: text/plain"))
            case "hangs up":
                return False
            case "garbage":
                writer.write(b"\x00\xff garbage\r\n\r\n")
                return False
            case "half a head":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Le")
                return False
            case "error page":
                page = b"<h1>500</h1><script>let token = '" + SECRET.encode() + b"'</script>"
                writer.write(said("500 Internal Server Error", page, b"Content-Type: text/html"))
            case "no model":
                writer.write(said("200 OK", b"[1, 2", JSON))
            case "other model":
                writer.write(said("200 OK", b'{"type":"file","name":"x","path":"secret/x","content":null}', JSON))
            case "refuses the token":
                writer.write(said("403 Forbidden", b'{"message": "Forbidden"}', JSON))
            case "redirects":
                writer.write(said("302 Found", b"", b"Location: http://evil.example/"))
            case "promises more" | "promises much more":
                length = b"1000" if self.behaviour == "promises more" else b"1000000"
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %b\r\n\r\nhalf" % length)
                return False
        return True


@contextlib.asynccontextmanager
async def gate_before(folder: Path, record: Recorder, **settings: Any) -> AsyncIterator[Gatehouse]:
    values = {"data_dir": str(folder), "gate_port": 0, "dashboard_port": 0, "owner": "Olga", **settings}
    async with app.running(config.load(None, {}, values)) as running:
        upstream = Upstream(
            id="fake234567",
            name="fake",
            owner="Olga",
            url=f"http://127.0.0.1:{record.port}/",
            token=Credential(SECRET),
        )
        await running.gate._store.put_upstream(upstream)  # type: ignore[attr-defined]
        try:
            yield Gatehouse(running, None, folder)  # type: ignore[arg-type]
        finally:
            await drop_all()


async def shared(gate: Gatehouse, **more: Any) -> dict[str, Any]:
    # The fake server says that every path is a file; the share of a folder is made directly.
    return await gate.call("POST", "shares", {"path": "week3", "server": "fake234567", **more})


async def standing(gate: Gatehouse) -> dict[str, Any]:
    """Everything that gives somebody something: what must be as before when an act was refused."""
    store = gate.running.gate._store
    shares = [share for share in await store.shares() if share.revoked is None]
    visits = [visit for share in shares for visit in await store.visits(share.id, open_only=True)]
    links = [link for share in shares for link in await store.links(share.id) if link.revoked is None]
    return {
        "shares": [(share.id, share.paused, share.expires, share.name) for share in shares],
        "links": [(link.id, link.serial, link.paused) for link in links],
        "visits": [visit.id for visit in visits],
        "knocks": [knock.id for knock in await store.knocks()],
    }


async def at_door(gate: Gatehouse, path: str, body: bytes, **headers: str) -> Reply:
    fields = {"Origin": gate.origin, "Content-Type": "application/json"}
    fields.update({name.replace("_", "-"): value for name, value in headers.items()})
    return await gate.raw("POST", path, {name: value for name, value in fields.items() if value}, body)


async def until(true: Callable[[], Any], seconds: float = 25.0) -> None:
    async with asyncio.timeout(seconds):
        while not (await found if asyncio.iscoroutine(found := true()) else found):
            await asyncio.sleep(0.05)
