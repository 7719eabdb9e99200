"""An editor of one shared file, and what is called base64."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
import pytest_asyncio

from tests.attacks.writing.editor import (
    check_refused,
    contents,
    snapshot,
    text,
)
from tests.gatehouse import Gatehouse, Inside
from tests.real.jupyter import JupyterServer

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def one(gate: Gatehouse) -> Inside:
    """An editor of one file."""
    return await gate.visit(await gate.share("sub/shared/notes.md", role="edit", **{"for": ["Uno"]}), name="Uno")


ONE: dict[str, tuple[str, str, object]] = {
    "another file": ("PUT", "data.csv", text("x")),
    "a new file": ("PUT", "new.txt", text("x")),
    "below the file": ("PUT", "notes.md/x.txt", text("x")),
    "a folder in its place": ("PUT", "notes.md", {"type": "directory"}),
    "rename": ("PATCH", "notes.md", {"path": "sub/shared/other.md"}),
    "rename another to it": ("PATCH", "data.csv", {"path": "sub/shared/notes.md"}),
    "rename to itself": ("PATCH", "notes.md", {"path": "sub/shared/notes.md"}),
    "delete": ("DELETE", "notes.md", None),
    "delete its folder": ("DELETE", "", None),
    "make beside it": ("POST", "", {"type": "file"}),
    "make in it": ("POST", "notes.md", {"type": "file"}),
    "copy it beside": ("POST", "", {"copy_from": "sub/shared/notes.md"}),
    "copy it into itself": ("POST", "notes.md", {"copy_from": "sub/shared/notes.md"}),
    "copy another into it": ("POST", "notes.md", {"copy_from": "sub/shared/data.csv"}),
}


@pytest.mark.parametrize(("method", "path", "body"), ONE.values(), ids=ONE.keys())
async def test_attack_leaving_the_one_shared_file(
    one: Inside, server: JupyterServer, method: str, path: str, body: object
) -> None:
    """Who may edit one file writes that file and nothing else, and leaves it where it is."""
    before = snapshot(server.root)
    reply = await contents(one, method, path, body)

    check_refused(reply, server, "not_found", "bad_request", "conflict")
    assert snapshot(server.root) == before


async def test_the_one_shared_file_can_be_saved(one: Inside, shared: Path) -> None:
    """More than once."""
    assert (await contents(one, "PUT", "notes.md", text("other\n"))).status == 200
    assert (await contents(one, "PUT", "notes.md", text("mine\n"))).status == 200
    assert (shared / "notes.md").read_text() == "mine\n"


@pytest.mark.parametrize("content", ["!!", "AAA", "A", "AAAA=", "AA==AA==", "AA AA", "AAAA-_", "\u00e4AAA"])
@pytest.mark.parametrize("more", [{}, {"chunk": 1}], ids=["whole", "part"])
async def test_attack_what_is_called_base64_and_is_none(
    ed: Inside, server: JupyterServer, content: str, more: dict[str, int]
) -> None:
    """Nothing is written of it; the server would make an empty or another file and say that all is well."""
    before = snapshot(server.root)
    body = {"type": "file", "format": "base64", "content": content, **more}

    check_refused(await contents(ed, "PUT", "none.bin", body), server, "bad_request")
    assert snapshot(server.root) == before


async def test_base64_as_the_server_itself_writes_it(ed: Inside, shared: Path) -> None:
    """In lines, and empty: what was read can be written back."""
    for data in (bytes(range(256)) * 4, b""):
        body = {"type": "file", "format": "base64", "content": base64.encodebytes(data).decode()}
        assert (await contents(ed, "PUT", "lines.bin", body)).status in (200, 201)
        assert (shared / "lines.bin").read_bytes() == data
