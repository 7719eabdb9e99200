"""Editors who hang up, or are put out, while the server writes: what stands in the folder stands in the history."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.attacks.conftest import SETTINGS
from tests.gatehouse import Gatehouse, Inside, Reply, gatehouse
from tests.real.jupyter import JupyterServer, plant, running_jupyter

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

BODY = json.dumps({"type": "file", "format": "text", "content": "written"}).encode()
JSON = {"Content-Type": "application/json", "Content-Length": str(len(BODY))}


class Door:
    """Stands between gate and server: a write waits there, sent by the gate, until it is let through. `methods`: of
    which writes."""

    def __init__(self, forward: Callable[..., Awaitable[Any]]) -> None:
        self._forward = forward
        self.came = asyncio.Event()
        self.through = asyncio.Event()
        self.methods = {"PUT", "PATCH", "POST", "DELETE"}

    async def forward(self, upstream: Any, outgoing: Any) -> Any:
        if outgoing.method in self.methods and outgoing.path.startswith("api/contents/"):
            self.came.set()
            await self.through.wait()
        return await self._forward(upstream, outgoing)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """A server of these tests' own: they change its files."""
    home = tmp_path_factory.mktemp("hanging-up")
    (home / "root").mkdir()
    plant(home / "root")
    with running_jupyter(home) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gate(tmp_path_factory: pytest.TempPathFactory, server: JupyterServer) -> AsyncIterator[Gatehouse]:
    async with gatehouse(tmp_path_factory.mktemp("gate"), server, **SETTINGS) as house:
        yield house


@pytest.fixture
def door(gate: Gatehouse, monkeypatch: pytest.MonkeyPatch) -> Door:
    forwarder = gate.running.gate._answers._forwarder
    made = Door(forwarder.forward)
    monkeypatch.setattr(forwarder, "forward", made.forward)
    return made


@pytest.fixture
def shared(server: JupyterServer) -> Path:
    return server.root / "sub" / "shared"


async def editor(gate: Gatehouse) -> Inside:
    return await gate.visit(await gate.share(role="edit", **{"for": ["Ed"]}), name="Ed")


async def begins(ed: Inside, method: str, path: str, body: bytes = BODY) -> asyncio.StreamWriter:
    """Asks for a change and reads nothing."""
    _, writer = await asyncio.open_connection("127.0.0.1", ed.gate.running.config.gate_port)
    fields = {**ed.manners(method), **JSON, "Content-Length": str(len(body))}
    head = f"{method} {ed.base}api/contents/{path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in fields.items())
    writer.write(head.encode() + b"\r\n" + body)
    await writer.drain()
    return writer


async def put(ed: Inside, path: str) -> Reply:
    return await ed.ask("PUT", f"api/contents/{path}", headers=JSON, body=BODY)


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(25):
        while not true():
            await asyncio.sleep(0.005)


async def told(ed: Inside) -> list[tuple[str, str, int]]:
    """What the history says of the visit's changes."""
    events = await ed.gate.events(share=ed.share["id"], limit="1000")
    found = [event for event in events if event.get("method") in ("PUT", "PATCH", "POST", "DELETE")]
    return [(event["action"], event["path"].rpartition("/")[2], event["status"]) for event in reversed(found)]


@pytest.mark.parametrize(
    ("method", "name", "body", "status"),
    [
        ("PUT", "new.txt", BODY, 201),
        ("PATCH", "notes.md", json.dumps({"path": "sub/shared/renamed.md"}).encode(), 200),
        ("POST", "", json.dumps({"type": "file", "ext": ".txt"}).encode(), 201),
        ("DELETE", "renamed.md", b"", 204),
    ],
)
async def test_attack_hanging_up_while_the_server_writes(
    gate: Gatehouse, door: Door, shared: Path, method: str, name: str, body: bytes, status: int
) -> None:
    """Recorded with the server's own answer, and the next write of anybody goes through."""
    ed = await editor(gate)
    before = {path.name for path in shared.iterdir()}
    writer = await begins(ed, method, f"sub/shared/{name}".rstrip("/"), body)
    await door.came.wait()
    writer.transport.abort()
    await until(lambda: gate.running.gate._deeds._ending)
    door.through.set()
    await until(lambda: not gate.running.gate._deeds._ending)

    assert {path.name for path in shared.iterdir()} != before
    assert await told(ed) == [("request.answered", name or "shared", status)]
    assert (await put(ed, "sub/shared/after.txt")).status in (200, 201)
    (shared / "after.txt").unlink()


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_attack_hanging_up_while_a_file_becomes_a_notebook(
    gate: Gatehouse, door: Door, shared: Path, method: str
) -> None:
    """It is written under its new name, then the old one goes: whichever it is at, both are done and it is recorded."""
    ed = await editor(gate)
    name, to = f"{method}.txt", f"{method}.ipynb"
    (shared / name).write_bytes((shared / "nb.ipynb").read_bytes())
    door.methods = {method}
    writer = await begins(ed, "PATCH", f"sub/shared/{name}", json.dumps({"path": f"sub/shared/{to}"}).encode())
    await door.came.wait()
    assert (shared / to).exists() is (method == "DELETE")
    writer.transport.abort()
    await until(lambda: gate.running.gate._deeds._ending)
    door.through.set()
    await until(lambda: not gate.running.gate._deeds._ending)

    assert ((shared / name).exists(), (shared / to).exists()) == (False, True)
    assert await told(ed) == [("request.answered", name, 200)]


async def test_attack_a_write_that_runs_while_its_visit_ends(gate: Gatehouse, door: Door, shared: Path) -> None:
    """Its visitor is told that the visit ended; the history says what happened. What waits behind it is not sent."""
    ed = await editor(gate)
    first = asyncio.create_task(put(ed, "sub/shared/running.txt"))
    await door.came.wait()
    second = asyncio.create_task(put(ed, "sub/shared/waiting.txt"))
    channels = gate.running.gate._answers._channels
    await until(lambda: channels.answering() == 2)
    visit = ed.base.rpartition("~")[2].rstrip("/")
    ending = asyncio.create_task(gate.call("POST", f"visits/{visit}/end"))
    assert [(await first).public, (await second).public] == ["visit_ended"] * 2
    door.through.set()
    await ending
    await until(lambda: not gate.running.gate._deeds._ending)

    assert (shared / "running.txt").exists()
    assert not (shared / "waiting.txt").exists()
    writes = await told(ed)
    assert ("request.answered", "running.txt", 201) in writes
    assert [action for action, name, _ in writes if name == "waiting.txt"] == ["request.denied"]
    assert len(writes) == 2


async def test_attack_hanging_up_within_a_body(gate: Gatehouse, door: Door, shared: Path) -> None:
    """Half a body is none: the server hears nothing of it, and nothing goes on waiting."""
    ed = await editor(gate)
    _, writer = await asyncio.open_connection("127.0.0.1", gate.running.config.gate_port)
    fields = {**ed.manners("PUT"), **JSON}
    head = f"PUT {ed.base}api/contents/sub/shared/half.txt HTTP/1.1\r\n" + "".join(
        f"{k}: {v}\r\n" for k, v in fields.items()
    )
    writer.write(head.encode() + b"\r\n" + BODY[:-9])
    await writer.drain()
    writer.transport.abort()
    door.through.set()
    assert (await put(ed, "sub/shared/whole.txt")).status == 201
    assert not (shared / "half.txt").exists()
    assert gate.running.gate._answers._channels.answering() == 0


async def test_a_write_that_is_not_answered_when_the_gate_stops_is_recorded(
    tmp_path: Path, server: JupyterServer
) -> None:
    """As sent, and of unknown end."""
    async with gatehouse(tmp_path, server, drain_seconds=1, **SETTINGS) as house:
        forwarder = house.running.gate._answers._forwarder
        door = Door(forwarder.forward)
        forwarder.forward = door.forward
        ed = await editor(house)
        writer = await begins(ed, "PUT", "sub/shared/late.txt")
        await door.came.wait()
        stop = house.running.gate.finished
        writer.transport.abort()
        await until(lambda: house.running.gate._deeds._ending)
        await stop()
        events = await house.events(share=ed.share["id"], outcome="denied")
    (event,) = [event for event in events if event.get("method") == "PUT"]
    assert (event["reason"], "sent" in event["detail"]) == ("draining", True)
