"""What others have open, and what is lost by a write: left to its room, or kept before."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import pytest

from sharegate.errors import StoreUnavailable
from sharegate.paths import CanonicalPath
from sharegate.shares.model import Grant
from sharegate.upstream.model import Upstream
from sharegate.versions.model import Content
from tests.attacks.conftest import SETTINGS
from tests.attacks.writing.editor import (
    ROOT,
    ask,
    cell,
    check_refused,
    contents,
    notebook,
    put_whole,
    snapshot,
    text,
    upload,
)
from tests.gatehouse import Gatehouse, Inside, gatehouse
from tests.real.jupyter import JupyterServer

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]


@dataclass
class Rooms:
    """Which documents are open, as the rooms say: by their names, notebooks by their ids as well. `keep` notes what the
    server has at that moment."""

    root: Path
    open: set[str] = field(default_factory=set)
    notebooks: set[str] = field(default_factory=set)
    kept: list[tuple[str, bytes | str]] = field(default_factory=list)
    broken: bool = False

    def is_open(self, upstream: str, path: CanonicalPath) -> bool:
        return any(each == str(path) or each.startswith(f"{path}/") for each in self.open)

    def open_paths(self, upstream: str) -> frozenset[str]:
        return frozenset(self.open)

    def open_files(self, upstream: str) -> frozenset[str]:
        return frozenset(self.notebooks)

    def open_notebooks(self, upstream: str) -> frozenset[str]:
        return frozenset(self.notebooks)

    async def keep(self, grant: Grant, upstream: Upstream, path: CanonicalPath, *, deleting: bool) -> None:
        if self.broken:
            raise StoreUnavailable("full")
        at = self.root.joinpath(*path.segments)
        self.kept.append((str(path), at.read_bytes() if at.is_file() else "a folder"))

    async def wrote(self, grant: Grant, upstream: Upstream, path: CanonicalPath, content: Content) -> None:
        """Nobody asks."""


@pytest.fixture
def rooms(gate: Gatehouse, server: JupyterServer, monkeypatch: pytest.MonkeyPatch) -> Rooms:
    made = Rooms(server.root)
    writing = gate.running.gate._answers._writing
    monkeypatch.setattr(writing, "_open_documents", made)
    monkeypatch.setattr(writing, "_keeping", made)
    return made


OPEN: dict[str, tuple[str, str, object]] = {
    "save": ("PUT", "open.txt", text("over")),
    "save by a part": ("PUT", "open.txt", {**text("over"), "chunk": 1}),
    "save through a link": ("PUT", "to_open.txt", text("over")),
    "turn into a notebook": ("PATCH", "open.txt", {"path": f"{ROOT}/open.ipynb"}),
}


@pytest.mark.parametrize(("method", "path", "body"), OPEN.values(), ids=OPEN.keys())
async def test_an_open_document_is_left_to_its_room(
    ed: Inside, server: JupyterServer, shared: Path, rooms: Rooms, method: str, path: str, body: object
) -> None:
    """What would overwrite it on the disk is refused, under whichever name it is reached."""
    (shared / "open.txt").write_text(json.dumps(notebook()))
    (shared / "to_open.txt").unlink(missing_ok=True)
    (shared / "to_open.txt").symlink_to(shared / "open.txt")
    rooms.open.add(f"{ROOT}/open.txt")
    before = snapshot(server.root)
    reply = await contents(ed, method, path, body)

    check_refused(reply, server, "document_open")
    assert (reply.status, rooms.kept) == (409, [])
    assert snapshot(server.root) == before


async def test_an_open_document_is_renamed_moved_and_copied(ed: Inside, shared: Path, rooms: Rooms) -> None:
    """The room follows the file's id; JupyterLab's way to put one notebook in another's place works as well."""
    for name in ("live.ipynb", "victim.ipynb"):
        (shared / name).write_text(json.dumps(notebook(nbformat.v4.new_markdown_cell(name))))
    rooms.open.add(f"{ROOT}/live.ipynb")
    assert (await contents(ed, "POST", "", {"copy_from": f"{ROOT}/live.ipynb"})).status == 201
    assert (await contents(ed, "PATCH", "live.ipynb", {"path": f"{ROOT}/victim.ipynb"})).status == 409
    session = await ask(
        ed, "PUT", f"api/collaboration/session/{ROOT}/live.ipynb", {"format": "json", "type": "notebook"}
    )
    rooms.open, rooms.notebooks = {f"{ROOT}/victim.ipynb.3f2a"}, {session.json["fileId"]}
    inode = (shared / "live.ipynb").stat().st_ino
    assert (await contents(ed, "PATCH", "live.ipynb", {"path": f"{ROOT}/victim.ipynb.3f2a"})).status == 200
    assert (await contents(ed, "DELETE", "victim.ipynb")).status == 204
    assert (await contents(ed, "PATCH", "victim.ipynb.3f2a", {"path": f"{ROOT}/victim.ipynb"})).status == 200
    assert (shared / "victim.ipynb").stat().st_ino == inode


async def test_what_is_lost_is_kept_before(ed: Inside, shared: Path, rooms: Rooms) -> None:
    """Overwriting, a first part, a delete: also of what is open, and of folders."""
    (shared / "kept.txt").write_text("one")
    (shared / "kept.ipynb").write_text(json.dumps(notebook()))
    (shared / "keptdir").mkdir()
    name = f"{ROOT}/kept.txt"
    assert (await contents(ed, "PUT", "fresh.txt", text("new"))).status == 201
    assert rooms.kept == []
    assert (await contents(ed, "PUT", "kept.txt", text("two"))).status == 200
    assert (await contents(ed, "PUT", "kept.txt", {**text("three"), "chunk": 1})).status == 200
    assert (await contents(ed, "PUT", "kept.txt", {**text("!"), "chunk": -1})).status == 200
    rooms.open.add(name)
    assert (await contents(ed, "DELETE", "kept.txt")).status == 204
    assert (await contents(ed, "DELETE", "keptdir")).status == 204
    assert rooms.kept == [
        (name, b"one"),
        (name, b"two"),
        (name, b"three!"),
        (f"{ROOT}/keptdir", "a folder"),
    ]
    rooms.kept.clear()
    assert (await upload(ed, "kept.ipynb", json.dumps(notebook(cell("2"))).encode(), 100))[-1].status == 200
    assert (await put_whole(ed, "kept.ipynb", notebook(cell("3")))).status == 200
    assert [path for path, _ in rooms.kept] == [f"{ROOT}/kept.ipynb"] * 2
    assert rooms.kept[0][1] == json.dumps(notebook()).encode()
    rooms.kept.clear()
    (shared / "kept.raw").write_text(json.dumps(notebook()))
    assert (await contents(ed, "PATCH", "kept.raw", {"path": f"{ROOT}/kept2.ipynb"})).status == 200
    assert rooms.kept == [(f"{ROOT}/kept.raw", json.dumps(notebook()).encode())]


KEPT_FIRST: dict[str, tuple[str, str, object]] = {
    "save": ("PUT", "stays.txt", text("over")),
    "first part": ("PUT", "stays.txt", {**text("over"), "chunk": 1}),
    "notebook": ("PUT", "nb.ipynb", {"type": "notebook", "format": "json", "content": notebook()}),
    "delete": ("DELETE", "stays.txt", None),
    "turn into a notebook": ("PATCH", "stays.txt", {"path": f"{ROOT}/stays.ipynb"}),
}


@pytest.mark.parametrize(("method", "path", "body"), KEPT_FIRST.values(), ids=KEPT_FIRST.keys())
async def test_what_cannot_be_kept_is_not_overwritten(
    ed: Inside, server: JupyterServer, shared: Path, rooms: Rooms, method: str, path: str, body: object
) -> None:
    """No version, no write: fails closed."""
    (shared / "stays.txt").write_text(json.dumps(notebook()))
    rooms.broken = True
    before = snapshot(server.root)

    check_refused(await contents(ed, method, path, body), server, "gate_fault")
    assert snapshot(server.root) == before


async def test_attack_driving_out_what_stood_there(tmp_path: Path, server: JupyterServer, shared: Path) -> None:
    """With room for ten versions, and a megabyte in all: neither many writes to a file nor large ones to another make
    the owner's work be forgotten; what a visit writes over its own content is not kept at all."""
    good = "the owner's good text\n" * 60
    (shared / "thesis.txt").write_text(good)
    size = len(good.replace("\n", ""))
    settings = {"versions_per_document": 10, "versions_megabytes": 1, **SETTINGS}
    async with gatehouse(tmp_path, server, **settings) as house:

        async def versions(name: str) -> list[dict[str, Any]]:
            query = {"path": str(shared / name)}
            _, answer = await house.running.api.call("GET", "/api/v1/snapshots", query, None)
            return list(answer["snapshots"])

        share = await house.share(role="edit", **{"for": ["Eve", "Bo"]})
        eve, bo = await house.visit(share, name="Eve"), await house.visit(share, 1, name="Bo")
        for at in range(12):
            assert (await contents(eve, "PUT", "thesis.txt", text(f"{at}"))).status == 200
        assert [one["characters"] for one in await versions("thesis.txt")] == [size]
        [alarm] = (await house.call("GET", "alarms"))["alarms"]
        assert alarm["version"], "it was emptied"
        for at in range(20):
            assert (await contents((bo, eve)[at % 2], "PUT", "thesis.txt", text(f"{at} again"))).status == 200
        assert [one["characters"] for one in await versions("thesis.txt")][-1] == size
        assert len(await versions("thesis.txt")) == 10

        statuses = []
        for at in range(40):
            pad = {"type": "file", "format": "base64", "content": base64.b64encode(os.urandom(60_000)).decode()}
            statuses.append((await contents((bo, eve)[at % 2], "PUT", "pad.bin", pad)).status)
        assert set(statuses) <= {200, 201, 413} and statuses[-1] == 413, "the room for one visitor is full"
        assert [one["characters"] for one in await versions("thesis.txt")][-1] == size
        [alarm] = (await house.call("GET", "alarms"))["alarms"]
        assert (await versions("thesis.txt"))[-1]["id"].startswith(alarm["version"]) and alarm["version"]
        await house.call("POST", f"snapshots/{alarm['version']}/restore", {})
        assert (shared / "thesis.txt").read_text() == good


@pytest.mark.parametrize("name", [".env", ".git/HEAD", "deep/.env", "notes.txt~"])
async def test_attack_deleting_what_is_hidden_with_its_folder(
    ed: Inside, server: JupyterServer, shared: Path, name: str
) -> None:
    """It would not be kept. Without it the folder goes, checkpoints and all."""
    folder = shared / "holds"
    hidden = folder / name
    hidden.parent.mkdir(parents=True, exist_ok=True)
    hidden.write_text("the owner's")
    (folder / "seen.txt").write_text("seen")
    (folder / ".ipynb_checkpoints").mkdir(exist_ok=True)
    (folder / ".ipynb_checkpoints" / "seen-checkpoint.txt").write_text("seen before")
    before = snapshot(server.root)
    check_refused(await contents(ed, "DELETE", "holds"), server, "hidden_inside")
    assert snapshot(server.root) == before
    hidden.unlink()
    if hidden.parent != folder:
        hidden.parent.rmdir()
    assert (await contents(ed, "DELETE", "holds")).status == 204


WIPED: dict[str, tuple[str, object, object]] = {
    "text": ("wiped.txt", "a good line\n" * 100, text("")),
    "first part": ("wiped.csv", "a good line\n" * 100, {**text(""), "chunk": 1}),
    "bytes": ("wiped.bin", "\0" * 1200, {"type": "file", "format": "base64", "content": ""}),
    "notebook": (
        "wiped.ipynb",
        json.dumps(notebook(nbformat.v4.new_markdown_cell("a good line\n" * 100))),
        {"type": "notebook", "format": "json", "content": notebook()},
    ),
}


@pytest.mark.parametrize(("name", "before", "body"), WIPED.values(), ids=WIPED.keys())
async def test_attack_emptying_a_file_without_a_word(
    ed: Inside, gate: Gatehouse, shared: Path, name: str, before: str, body: object
) -> None:
    """No document is open, and the alarm is raised all the same, with the version to go back to."""
    (shared / name).write_text(before)
    assert (await contents(ed, "PUT", name, body)).status == 200
    told = [event for event in await gate.events(action="document.alarm") if event["path"] == f"{ROOT}/{name}"]
    assert len(told) == 1
    listed = [one for one in (await gate.call("GET", "alarms"))["alarms"] if one["path"] == f"{ROOT}/{name}"]
    assert [one["what"] for one in listed] == ["collapsed"]
    assert (listed[0]["name"], bool(listed[0]["version"])) == ("Ed", True)


async def test_without_versions_nothing_open_is_deleted(
    ed: Inside, server: JupyterServer, rooms: Rooms, gate: Gatehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the document nor the folder that it is in."""
    monkeypatch.setattr(gate.running.gate._answers._writing, "_keeping", None)
    rooms.open.add(f"{ROOT}/inner/deep.txt")
    for path in ("inner/deep.txt", "inner"):
        check_refused(await contents(ed, "DELETE", path), server, "document_open")
    assert (server.root / ROOT / "inner" / "deep.txt").exists()
