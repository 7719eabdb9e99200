"""What a bare server does for everybody whom it lets in, asked for by a viewer: writing, kernels, conversion.

Each way is tried twice: on a server without a gate, where it works, and through the gate, where the server hears
nothing of it and stays as it was.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.attacks.pages import Owner, owning
from tests.attacks.wire import Wire
from tests.gatehouse import Gatehouse, Inside, raw
from tests.real.jupyter import JupyterServer, plant, running_jupyter

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

OWNERS = "secret/private.ipynb"  # what the owner runs
HARMLESS = {b"GET /api"}  # what a gate asks a server on its own account
TEXT = {"type": "file", "format": "text", "content": "written by a visitor\n"}


@dataclass(frozen=True)
class Way:
    """A request, and the status with which a bare server does what is asked. `{kernel}` and `{session}` stand for what
    the owner runs; a string is a body as it is."""

    method: str
    target: str
    body: Any
    bare: int


def _start(path: str, **more: Any) -> dict[str, Any]:
    return {"path": path, "name": "x", "type": "notebook", "kernel": {"name": "python3"}, **more}


FILES = "api/contents/sub/shared"
WAYS = {
    "rename out of the folder": Way("PATCH", f"{FILES}/data.csv", {"path": "secret/moved.txt"}, 200),
    "rename out by dots": Way("PATCH", f"{FILES}/data.csv", {"path": "sub/shared/../../moved.txt"}, 200),
    "rename out by an absolute path": Way("PATCH", f"{FILES}/data.csv", {"path": "/moved.txt"}, 200),
    "rename with the path twice": Way(
        "PATCH", f"{FILES}/data.csv", '{"path":"sub/shared/a.csv","path":"secret/moved.txt"}', 200
    ),
    "rename into the folder by dots": Way(
        "PATCH", f"{FILES}/../../secret/secret.txt", {"path": "sub/shared/pulled.txt"}, 200
    ),
    "rename through a linked folder": Way(
        "PATCH", f"{FILES}/link_dir/secret.txt", {"path": "sub/shared/pulled.txt"}, 200
    ),
    "copy from outside": Way("POST", FILES, {"copy_from": "secret/secret.txt"}, 201),
    "copy from outside by dots": Way("POST", FILES, {"copy_from": "sub/shared/../../secret/secret.txt"}, 201),
    "copy of a folder outside": Way("POST", FILES, {"copy_from": "secret"}, 201),
    "new file with an ending that climbs": Way(
        "POST", FILES, {"type": "file", "ext": "/../../../secret/evil.txt"}, 201
    ),
    "new file in a linked folder": Way("POST", f"{FILES}/link_dir", {"type": "file", "ext": ".txt"}, 201),
    "save": Way("PUT", f"{FILES}/new.txt", TEXT, 201),
    "save with another path in the body": Way("PUT", f"{FILES}/new.txt", {**TEXT, "path": "secret/new.txt"}, 201),
    "save over a linked file": Way("PUT", f"{FILES}/link_secret.txt", TEXT, 200),
    "save over a file linked beyond the root": Way("PUT", f"{FILES}/link_beyond.txt", TEXT, 200),
    "save in a linked folder": Way("PUT", f"{FILES}/link_dir/new.txt", TEXT, 201),
    "save in a folder linked beyond the root": Way("PUT", f"{FILES}/link_dir_beyond/new.txt", TEXT, 201),
    "delete a file": Way("DELETE", f"{FILES}/data.csv", None, 204),
    "delete the folder itself by two dots": Way("DELETE", f"{FILES}/inner/..", None, 204),
    "delete the folder itself by one dot": Way("DELETE", f"{FILES}/.", None, 204),
    "delete a link": Way("DELETE", f"{FILES}/link_dir", None, 204),
    "checkpoint": Way("POST", f"{FILES}/nb.ipynb/checkpoints", None, 201),
    "checkpoint in a linked folder": Way("POST", f"{FILES}/link_dir/secret.txt/checkpoints", None, 201),
    "checkpoint of a hidden file": Way("POST", f"{FILES}/.hidden.txt/checkpoints", None, 201),
    "checkpoint where no folder is": Way("POST", f"{FILES}/nodir/x.txt/checkpoints", None, 500),
    "trust a notebook": Way("POST", f"{FILES}/nb.ipynb/trust", None, 201),
    "trust a notebook outside by dots": Way("POST", f"{FILES}/../../{OWNERS}/trust", None, 201),
    "forge an event": Way(
        "POST",
        "api/events",
        {
            "schema_id": "https://events.jupyter.org/jupyter_server/contents_service/v1",
            "version": "1",
            "data": {"action": "rename", "path": "secret/x.csv", "source_path": "sub/shared/data.csv"},
        },
        204,
    ),
    "convert by a function that the notebook names": Way(
        "GET", "nbconvert/script/sub/shared/exporting.ipynb", None, 200
    ),
    "convert a notebook outside by dots": Way("GET", f"nbconvert/html/sub/shared/../../{OWNERS}", None, 200),
    "convert a notebook of the visitor's": Way(
        "POST",
        "nbconvert/html",
        {"name": "x.ipynb", "content": {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}},
        200,
    ),
    "the owner's session by its path": Way("POST", "api/sessions", _start(OWNERS), 201),
    "the owner's session by the old field": Way(
        "POST", "api/sessions", _start("sub/shared/x.ipynb", notebook={"path": OWNERS, "name": ""}), 201
    ),
    "session with the owner's kernel": Way(
        "POST", "api/sessions", _start("sub/shared/y.ipynb", kernel={"id": "{kernel}"}), 201
    ),
    "session in another folder": Way("POST", "api/sessions", _start("sub/shared/../../z.ipynb"), 201),
    "session moved to a kernel": Way("PATCH", "api/sessions/{session}", {"kernel": {"id": "{kernel}"}}, 200),
    "session renamed to anything": Way(
        "PATCH", "api/sessions/{session}", {"path": "../../../etc/passwd", "name": "<script>"}, 200
    ),
    "the owner's session": Way("GET", "api/sessions/{session}", None, 200),
    "kernel above the root": Way("POST", "api/kernels", {"path": "../.."}, 201),
    "kernel in another folder": Way("POST", "api/kernels", {"path": "/secret"}, 201),
    "kernel of a chosen id": Way("POST", "api/kernels", {"kernel_id": "11111111-1111-4111-8111-111111111111"}, 201),
    "kernel of the owner's id": Way("POST", "api/kernels", {"kernel_id": "{kernel}"}, 201),
    "the owner's kernel": Way("GET", "api/kernels/{kernel}", None, 200),
    "interrupt the owner's kernel": Way("POST", "api/kernels/{kernel}/interrupt", None, 204),
    "restart the owner's kernel": Way("POST", "api/kernels/{kernel}/restart", None, 200),
    "listen to the owner's kernel": Way("WEBSOCKET", "api/kernels/{kernel}/channels?session_id=x", None, 101),
    "shell": Way("POST", "api/terminals", {"cwd": "/"}, 200),
    "end the owner's session": Way("DELETE", "api/sessions/{session}", None, 204),
    "end the owner's kernel": Way("DELETE", "api/kernels/{kernel}", None, 204),
}


@dataclass(frozen=True)
class Running:
    """What the owner runs."""

    session: str
    kernel: str

    @classmethod
    async def of(cls, owner: Owner) -> Running:
        """Started unless it runs."""
        found = await owner.ask("POST", "api/sessions", _start(OWNERS))
        return cls(found["id"], found["kernel"]["id"])

    def fill(self, text: str) -> str:
        return text.replace("{session}", self.session).replace("{kernel}", self.kernel)

    def request(self, way: Way) -> tuple[str, str, dict[str, str], bytes]:
        """Method, target, fields and body."""
        text = "" if way.body is None else way.body if isinstance(way.body, str) else json.dumps(way.body)
        if way.method == "WEBSOCKET":
            key = {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
            return "GET", self.fill(way.target), {"Upgrade": "websocket", "Connection": "Upgrade", **key}, b""
        fields = {"Content-Type": "application/json"} if text else {}
        return way.method, self.fill(way.target), fields, self.fill(text).encode()


def lay_out(root: Path) -> None:
    """The planted files anew, and beside the root a module that a notebook in it names."""
    for folder in (root, root.parent / "beyond"):
        for entry in folder.iterdir() if folder.exists() else ():
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    plant(root)
    name_a_function(root)
    (root / "exporting.py").write_text("from nbconvert import HTMLExporter as Exporter\n")


def name_a_function(root: Path) -> None:
    shared = root / "sub" / "shared"
    book = json.loads((shared / "nb.ipynb").read_text())
    book["metadata"]["language_info"] = {"name": "python", "nbconvert_exporter": "exporting.Exporter"}
    (shared / "exporting.ipynb").write_text(json.dumps(book))


def standing(root: Path) -> dict[Path, bytes]:
    """Every file and link below the root and beyond it and what is in it, without what the server keeps for itself."""
    found = [path for folder in (root, root.parent / "beyond") for path in folder.rglob("*")]
    return {
        path: bytes(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else b"folder"
        for path in found
        if not any(part.startswith(".jupyter") for part in path.parts)
    }


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """A server without a gate, on which everything is tried."""
    home = tmp_path_factory.mktemp("bare")
    (home / "root").mkdir()
    with running_jupyter(home) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module")
async def owner_of_bare(bare: JupyterServer) -> AsyncIterator[Owner]:
    lay_out(bare.root)
    async with owning(bare) as owner:
        yield owner


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
async def test_a_bare_server_does_it(bare: JupyterServer, owner_of_bare: Owner, way: Way) -> None:
    """What is refused below is no idle fear: whoever has the server's token is not stopped."""
    method, target, fields, body = (await Running.of(owner_of_bare)).request(way)
    reply = await raw(bare.port, method, f"/{target}", {"Authorization": f"token {bare.token}", **fields}, body)

    assert reply.status == way.bare, reply.body[:300]


@pytest.fixture(scope="module")
def gate(watched_gate: Gatehouse) -> Gatehouse:
    return watched_gate


@pytest_asyncio.fixture(loop_scope="module")
async def owner(workshop: JupyterServer) -> AsyncIterator[Owner]:
    name_a_function(workshop.root)
    async with owning(workshop) as one:
        yield one


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
async def test_attack_a_viewer_tries_it(
    gate: Gatehouse, ann: Inside, owner: Owner, wire: Wire, workshop: JupyterServer, way: Way
) -> None:
    """Refused without a word of the server's; it is not asked, its files are as they were, the owner's kernel runs."""
    running = await Running.of(owner)
    method, target, fields, body = running.request(way)
    before, asked = standing(workshop.root), wire.asked
    reply = await ann.ask(method, target, headers={"Origin": gate.origin, **fields}, body=body)

    assert reply.status in (400, 403, 404), reply.body[:300]
    assert set(reply.json) == {"error", "message"} and reply.phrase in {"Bad Request", "Forbidden", "Not Found"}
    assert not any(line.split(b"?")[0] not in HARMLESS for line in wire.asked - asked), wire.asked - asked
    assert standing(workshop.root) == before
    assert await Running.of(owner) == running
