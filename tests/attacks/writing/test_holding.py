"""Bodies that fill the gate's memory: of who may not write none is read, of who may no more than fits."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sharegate.confine.holding import Holding, Room
from tests.attacks.conftest import SETTINGS
from tests.attacks.writing.editor import ROOT, contents, policies_that_hand_out, text
from tests.gatehouse import Gatehouse, Inside, gatehouse
from tests.real.jupyter import JupyterServer

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

INVITED = b"HTTP/1.1 100 Continue"
LARGEST = 67_000_000


class Upload:
    """One request whose body waits until it is invited."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def head(self) -> bytes:
        """The first line of the next head that comes back."""
        return (await self._reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")[0]

    async def send(self, body: bytes) -> None:
        self._writer.write(body)
        await self._writer.drain()


@contextlib.asynccontextmanager
async def uploading(who: Inside, path: str, size: int | None, method: str = "PUT") -> AsyncIterator[Upload]:
    """The head of an upload; without a size it comes in chunks."""
    reader, writer = await asyncio.open_connection("127.0.0.1", who.gate.running.config.gate_port)
    fields = {
        **who.manners(method),
        "Content-Type": "application/json",
        "Expect": "100-continue",
        **({"Transfer-Encoding": "chunked"} if size is None else {"Content-Length": str(size)}),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    writer.write(f"{method} {who.base}api/contents/{ROOT}/{path} HTTP/1.1\r\n{head}\r\n".encode())
    try:
        yield Upload(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@pytest.mark.parametrize("size", [LARGEST, None], ids=["announced", "in chunks"])
@pytest.mark.parametrize("method", ["PUT", "POST", "PATCH"])
async def test_attack_bodies_of_who_may_not_write_are_not_read(gate: Gatehouse, method: str, size: int | None) -> None:
    """A viewer is refused with the head: nobody asks for the body."""
    viewer = await gate.visit(await gate.share(role="view", **{"for": ["Vi"]}), name="Vi")
    async with uploading(viewer, "new.txt", 60_000 if size and method != "PUT" else size, method) as upload:
        assert await upload.head() == b"HTTP/1.1 403 Forbidden"
    assert await gate.denials(viewer.share["id"]) == ["capability_missing"]


async def test_attack_one_link_does_not_fill_the_room_of_all(
    gate: Gatehouse, ed: Inside, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While its large body is on the way, a second one of the same link finds no room; another's does, and so does what
    is small. When it is over, the room is there again."""
    monkeypatch.setattr(gate.running.gate, "_holding", Holding(seconds=0))
    other = await gate.visit(await gate.share(role="edit", **{"for": ["Bo"]}), name="Bo")
    body = json.dumps(text("x" * 100_000)).encode()
    async with uploading(ed, "one.txt", LARGEST) as first:
        assert await first.head() == INVITED
        async with uploading(ed, "two.txt", LARGEST) as second:
            assert await second.head() == b"HTTP/1.1 429 Too Many Requests"
        async with uploading(ed, "three.txt", None) as third:
            assert await third.head() == b"HTTP/1.1 429 Too Many Requests"
        assert (await contents(ed, "PUT", "small.txt", text("small"))).status == 201
        async with uploading(other, "other.txt", LARGEST) as beside:
            assert await beside.head() == INVITED
    assert set(await gate.denials(ed.share["id"])) <= {"request_limit", "bad_body"}

    gate.running.gate._holding = Holding()
    async with uploading(ed, "two.txt", len(body)) as second:
        assert await second.head() == INVITED
        await second.send(body)
        assert await second.head() == b"HTTP/1.1 201 Created"
    assert (shared / "two.txt").stat().st_size == 100_000
    assert not (shared / "one.txt").exists()


async def test_attack_bodies_on_the_way_are_counted(
    tmp_path_factory: pytest.TempPathFactory, server: JupyterServer
) -> None:
    """A request whose body is still coming is one of those that a visit may have at once."""
    folder = tmp_path_factory.mktemp("gate")
    policies = policies_that_hand_out(folder / "policies", "edit")
    settings = {**SETTINGS, "requests_at_once": 1}
    async with gatehouse(folder, server, policy_dir=str(policies), **settings) as gate:
        ed = await gate.visit(await gate.share(role="edit", **{"for": ["Ed"]}), name="Ed")
        async with uploading(ed, "slow.txt", 1000) as slow:
            assert await slow.head() == INVITED
            reply = await contents(ed, "PUT", "fast.txt", text("x"))
            assert (reply.status, reply.public) == (429, "too_many")
        assert await gate.denials(ed.share["id"]) == ["request_limit"]


async def test_attack_answers_that_nobody_reads(gate: Gatehouse, ed: Inside, shared: Path) -> None:
    """While one is held for a visitor who does not take it, a second one of the same link finds no room; another's
    does, and so does what is small. When the visitor has gone, the room is there again."""
    holding = Holding(seconds=0)
    holding.heavy_answers = Room(200 << 20, 70 << 20, 0)
    gate.running.gate._holding = holding
    other = await gate.visit(await gate.share(role="view", **{"for": ["Bo"]}), name="Bo")
    (shared / "large.txt").write_text("x" * 30_000_000)
    reader, writer = await asyncio.open_connection("127.0.0.1", gate.running.config.gate_port)
    fields = "".join(f"{name}: {value}\r\n" for name, value in ed.manners("GET").items())
    writer.write(f"GET {ed.base}api/contents/{ROOT}/large.txt?content=1 HTTP/1.1\r\n{fields}\r\n".encode())
    assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
    reply = await contents(ed, "GET", "large.txt")
    assert (reply.status, reply.public) == (429, "too_many")
    assert (await contents(ed, "GET", "nb.ipynb")).status == 200
    assert (await contents(other, "GET", "large.txt")).status == 200
    assert await gate.denials(ed.share["id"]) == ["request_limit"]
    writer.transport.abort()
    async with asyncio.timeout(30):
        while (await contents(ed, "GET", "large.txt")).status != 200:
            await asyncio.sleep(0.05)
