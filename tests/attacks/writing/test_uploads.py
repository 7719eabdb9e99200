"""Uploads in parts: one visit's, in order, and over when anybody else writes there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.attacks.writing.editor import (
    ROOT,
    cell,
    check_refused,
    contents,
    notebook,
    snapshot,
    text,
    upload,
)
from tests.gatehouse import Gatehouse, Inside
from tests.real.jupyter import JupyterServer

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]


async def test_attack_appending_to_a_file_by_a_part(ed: Inside, server: JupyterServer, shared: Path) -> None:
    """Upstream appends any part to any file; a part out of turn, repeated, or of another visit is refused."""
    assert (await contents(ed, "PUT", "turns.txt", {**text("1"), "chunk": 1})).status == 201
    check_refused(await contents(ed, "PUT", "turns.txt", {**text("3"), "chunk": 3}), server, "bad_request")
    check_refused(await contents(ed, "PUT", "turns.txt", {**text("2"), "chunk": 2}), server, "bad_request")
    assert (shared / "turns.txt").read_text() == "1"


async def test_attack_a_part_after_the_file_changed_its_kind(ed: Inside, server: JupyterServer, shared: Path) -> None:
    """A part for a text file does not follow when a notebook stands there meanwhile, nor when nothing does."""
    assert (await contents(ed, "PUT", "kind.txt", {**text("{"), "chunk": 1})).status == 201
    (shared / "kind.txt").unlink()
    check_refused(await contents(ed, "PUT", "kind.txt", {**text("}"), "chunk": -1}), server, "conflict")
    assert not (shared / "kind.txt").exists()
    (shared / "morph.txt").symlink_to(shared / "target.ipynb")
    assert (await contents(ed, "PUT", "morph.txt", {**text("{"), "chunk": 1})).status == 200
    (shared / "morph.txt").unlink()
    (shared / "morph.txt").write_text("plain")
    check_refused(await contents(ed, "PUT", "morph.txt", {**text("}"), "chunk": -1}), server, "bad_request")
    assert (shared / "morph.txt").read_text() == "plain"


BETWEEN: dict[str, tuple[str, str, object]] = {
    "save": ("PUT", "mixed.txt", {"type": "file", "format": "text", "content": "bo"}),
    "save of the same size": ("PUT", "mixed.txt", {"type": "file", "format": "text", "content": "2"}),
    "save by a part": ("PUT", "mixed.txt", {"type": "file", "format": "text", "content": "2", "chunk": 1}),
    "save under the link's name": ("PUT", "to_mixed.txt", {"type": "file", "format": "text", "content": "2"}),
    "rename away": ("PATCH", "mixed.txt", {"path": f"{ROOT}/away.txt"}),
    "delete": ("DELETE", "mixed.txt", None),
}


@pytest.mark.parametrize(("method", "path", "body"), BETWEEN.values(), ids=BETWEEN.keys())
@pytest.mark.parametrize("name", ["mixed.txt", "to_mixed.txt"])
async def test_attack_a_part_behind_somebody_elses_work(
    ed: Inside,
    gate: Gatehouse,
    server: JupyterServer,
    shared: Path,
    method: str,
    path: str,
    body: object,
    name: str,
) -> None:
    """Ed's second part is not appended to what Bo put there after Ed's first."""
    bo = await gate.visit(await gate.share(role="edit", **{"for": ["Bo"]}), name="Bo")
    for each in ("mixed.txt", "to_mixed.txt", "away.txt"):
        (shared / each).unlink(missing_ok=True)
    (shared / "mixed.txt").write_text("0")
    (shared / "to_mixed.txt").symlink_to(shared / "mixed.txt")
    assert (await contents(ed, "PUT", name, {**text("1"), "chunk": 1})).status == 200
    assert (await contents(bo, method, path, body)).status in (200, 204)
    if method in ("PATCH", "DELETE"):
        (shared / "mixed.txt").write_text("b")
    before = snapshot(server.root)
    for part in (2, -1):
        reply = await contents(ed, "PUT", name, {**text("e"), "chunk": part})
        check_refused(reply, server, "bad_request", "conflict")
    assert snapshot(server.root) == before


async def test_attack_a_part_behind_what_the_owner_saved(ed: Inside, server: JupyterServer, shared: Path) -> None:
    """What the gate did not see is noticed by its size."""
    assert (await contents(ed, "PUT", "owned.txt", {**text("1"), "chunk": 1})).status in (200, 201)
    (shared / "owned.txt").write_text("the owner's own work")
    check_refused(await contents(ed, "PUT", "owned.txt", {**text("2"), "chunk": -1}), server, "conflict")
    assert (shared / "owned.txt").read_text() == "the owner's own work"


async def test_uploads_small_large_and_of_notebooks(ed: Inside, gate: Gatehouse, shared: Path) -> None:
    """As the file browser sends them: whole, in parts of a megabyte, a notebook in parts. The bytes arrive."""
    small, large = b"small\x00\xff", bytes(range(256)) * (10 << 10)
    big = json.dumps(notebook(cell("x = 1", html="<p>" + "a" * 3_000_000))).encode()
    assert [reply.status for reply in await upload(ed, "small.bin", small)] == [201]
    assert [reply.status for reply in await upload(ed, "large.bin", large, 1 << 20)] == [201, 200, 200]
    replies = await upload(ed, "big.ipynb", big, 1 << 20)
    assert [reply.status for reply in replies] == [200, 200, 201]
    assert {reply.json["path"] for reply in replies} == {f"{ROOT}/big.ipynb"}
    for reply in replies:
        for part in ("name", "type", "created", "last_modified"):
            assert isinstance(reply.json[part], str), "JupyterLab checks the model of every part"
        assert reply.json["content"] is None
    assert (shared / "small.bin").read_bytes() == small
    assert (shared / "large.bin").read_bytes() == large
    assert (shared / "big.ipynb").read_bytes() == big, "nothing had to be taken out: not one byte differs"
    assert list((gate.data_dir / "uploads").iterdir()) == [], "what is collected has no name"
