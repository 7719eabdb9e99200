"""What an honest editor does through the same addresses, and what a viewer may not."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

from sharegate.audit.events import Action
from sharegate.upstream.model import Credential, Upstream
from tests.attacks.conftest import SETTINGS
from tests.attacks.writing.editor import (
    ROOT,
    cell,
    check_refused,
    contents,
    notebook,
    policies_that_hand_out,
    put_whole,
    snapshot,
    text,
)
from tests.gatehouse import Gatehouse, Inside, gatehouse
from tests.real.jupyter import JupyterServer, plant, running_jupyter

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]


async def test_an_honest_editors_work_is_done_and_recorded(
    gate: Gatehouse, server: JupyterServer, shared: Path
) -> None:
    """New notebook, folder, text file; save, rename, move, duplicate, download, delete: no denial, and the
    trail names both ends."""
    made = await gate.share(role="edit", **{"for": ["Hon"]})
    hon = await gate.visit(made, name="Hon")
    new = await contents(hon, "POST", "", {"type": "notebook"})
    assert new.status == 201
    assert new.header("Location") == f"{hon.base}api/contents/{new.json['path']}"
    name = new.json["name"]
    assert new.json["writable"] is True
    folder = await contents(hon, "POST", "", {"type": "directory"})
    assert (folder.status, folder.json["name"]) == (201, "Untitled Folder")
    file = await contents(hon, "POST", "", {"type": "file", "ext": ".txt"})
    assert (file.status, file.json["name"]) == (201, "untitled.txt")
    assert (await contents(hon, "PUT", "untitled.txt", text("hello\n"))).status == 200
    assert (await contents(hon, "PUT", "made", {"type": "directory"})).status == 201
    renamed = await contents(hon, "PATCH", "untitled.txt", {"path": f"{ROOT}/hello.txt"})
    assert (renamed.status, renamed.json["path"]) == (200, f"{ROOT}/hello.txt")
    assert (await contents(hon, "PATCH", "hello.txt", {"path": f"{ROOT}/made/hello.txt"})).status == 200
    assert (
        await contents(hon, "PATCH", "made", {"path": f"{ROOT}/Untitled%20Folder".replace("%20", " ") + "/made"})
    ).status == 200
    copied = await contents(hon, "POST", "", {"copy_from": f"{ROOT}/{name}"})
    assert (copied.status, copied.json["name"]) == (201, name.replace(".ipynb", "-Copy1.ipynb"))
    whole = await contents(hon, "POST", "", {"copy_from": f"{ROOT}/Untitled Folder"})
    assert whole.status == 201
    assert (shared / "Untitled Folder-Copy1" / "made" / "hello.txt").read_text() == "hello\n"
    assert (await contents(hon, "GET", f"{name}/checkpoints")).json == []
    saved = await put_whole(hon, name, notebook(cell("x = 2")))
    assert saved.status == 200
    assert len(json.loads((shared / name).read_bytes())["cells"]) == 1
    got = await hon.ask("GET", f"files/{ROOT}/Untitled%20Folder/made/hello.txt?download=1")
    assert got.body == b"hello\n"
    assert (await contents(hon, "DELETE", copied.json["name"])).status == 204
    assert (await contents(hon, "DELETE", "Untitled%20Folder")).status == 204
    assert not (shared / "Untitled Folder").exists(), "a folder that is not empty goes to the trash"

    assert await gate.denials(made["share"]["id"]) == []
    events = [e for e in await gate.events(share=made["share"]["id"]) if e["action"] == Action.REQUEST_ANSWERED.value]
    told = {(event["method"], event["path"], event.get("detail", "")) for event in events}
    assert ("PATCH", f"{ROOT}/untitled.txt", f"to {ROOT}/hello.txt") in told
    assert ("POST", ROOT, f"copy of {ROOT}/{name} made {copied.json['name']}") in told
    assert ("POST", ROOT, "made Untitled Folder") in told
    assert ("DELETE", f"{ROOT}/Untitled Folder", "") in told


async def test_one_notebook_in_the_place_of_another(ed: Inside, shared: Path) -> None:
    """JupyterLab renames to a name of its own, deletes the other, and renames again."""
    for name in ("mine.ipynb", "yours.ipynb"):
        (shared / name).write_text(json.dumps(notebook(nbformat.v4.new_markdown_cell(name))))
    taken = await contents(ed, "PATCH", "mine.ipynb", {"path": f"{ROOT}/yours.ipynb"})
    assert taken.status == 409, "JupyterLab asks whether to overwrite on 409 and on nothing else"
    assert (await contents(ed, "PATCH", "mine.ipynb", {"path": f"{ROOT}/yours.ipynb.0c4e"})).status == 200
    assert (await contents(ed, "DELETE", "yours.ipynb")).status == 204
    last = await contents(ed, "PATCH", "yours.ipynb.0c4e", {"path": f"{ROOT}/yours.ipynb"})
    assert (last.status, last.json["path"], last.json["type"]) == (200, f"{ROOT}/yours.ipynb", "notebook")
    assert b"mine.ipynb" in (shared / "yours.ipynb").read_bytes()
    assert not (shared / "yours.ipynb.0c4e").exists()


async def test_a_server_whose_disk_cannot_be_seen(gate: Gatehouse, server: JupyterServer, shared: Path) -> None:
    """Without a look at the disk the contents API alone says what stands where; the rules are the same."""
    far = Upstream(id="far2345", name="far", owner="Olga", url=server.url, token=Credential(server.token))
    await gate.running.gate._store.put_upstream(far)  # type: ignore[attr-defined]
    made = await gate.call("POST", "shares", {"path": ROOT, "server": far.id, "role": "edit", "for": ["Far"]})
    away = await gate.visit(made, name="Far")
    (shared / "faraway" / "inside").mkdir(parents=True)
    (shared / "faraway" / "inside" / "x.py").write_text("x")

    assert (await contents(away, "PUT", "faraway/a.txt", text("a"))).status == 201
    assert (await contents(away, "PATCH", "faraway/a.txt", {"path": f"{ROOT}/faraway/b.txt"})).status == 200
    assert (await contents(away, "PUT", "faraway/y.py", text("y"))).public == "runs_by_itself"
    assert (await contents(away, "PATCH", "faraway", {"path": f"{ROOT}/numpy"})).public == "runs_by_itself"
    assert (await contents(away, "DELETE", "faraway/b.txt")).status == 204

    (shared / "lone.md").write_text("alone")
    one_file = {"path": f"{ROOT}/lone.md", "server": far.id, "role": "edit", "for": ["Lone"]}
    lone = await gate.visit(await gate.call("POST", "shares", one_file), name="Lone")
    assert (await contents(lone, "PUT", "lone.md", text("mine"))).status == 200
    (shared / "lone.md").unlink()
    check_refused(await contents(lone, "PUT", "lone.md", text("again")), server, "not_found")
    assert not (shared / "lone.md").exists()


async def test_a_server_that_has_no_trash(tmp_path: Path) -> None:
    """It deletes files and empty folders, and refuses a folder that is not empty in words that quote the disk."""
    home = tmp_path / "home"
    (home / "root").mkdir(parents=True)
    plant(home / "root")
    (home / "config").mkdir()
    (home / "config" / "jupyter_server_config.py").write_text("c.FileContentsManager.delete_to_trash = False\n")
    policies = policies_that_hand_out(tmp_path / "policies", "view", "edit")
    with running_jupyter(home, lab=False, collaboration=False) as bare:
        async with gatehouse(tmp_path / "gate", bare, policy_dir=str(policies), **SETTINGS) as house:
            ed = await house.visit(await house.share(role="edit", **{"for": ["Ed"]}), name="Ed")
            reply = await contents(ed, "DELETE", "inner")
            check_refused(reply, bare, "conflict")
            assert (bare.root / ROOT / "inner" / "deep.txt").exists()
            assert (await contents(ed, "DELETE", "inner/deep.txt")).status == 204
            assert (await contents(ed, "DELETE", "inner")).status == 204


async def test_no_answer_to_a_write_names_the_servers_own_base(ed: Inside, server: JupyterServer) -> None:
    """Location is below the visit's base, models have the allow-listed fields only."""
    reply = await contents(ed, "PUT", "located.txt", text("x"))

    assert reply.status == 201
    assert reply.header("Location") == f"{ed.base}api/contents/{ROOT}/located.txt"
    assert str(server.root).encode() not in reply.body + str(reply.headers).encode()


async def test_writes_at_once_are_done_one_after_another(
    ed: Inside, gate: Gatehouse, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty at once to one file: no look falls between another's look and its deed, and each is answered."""
    writing = gate.running.gate._answers._writing
    judge, looking, most = writing.judge, 0, 0

    async def counted(*asked: Any) -> Any:
        nonlocal looking, most
        looking += 1
        most = max(most, looking)
        try:
            return await judge(*asked)
        finally:
            looking -= 1

    monkeypatch.setattr(writing, "judge", counted)
    replies = await asyncio.gather(*(contents(ed, "PUT", "race.txt", text(str(n) * 1000)) for n in range(20)))

    assert {reply.status for reply in replies} == {200, 201}
    assert sum(reply.status == 201 for reply in replies) == 1
    assert most == 1
    assert len(set((shared / "race.txt").read_text())) <= 2


async def test_a_viewer_writes_nothing(gate: Gatehouse, server: JupyterServer) -> None:
    """The role view is as it was: every way to write is refused for want of the capability."""
    made = await gate.share(**{"for": ["Vi"]})
    vi = await gate.visit(made, name="Vi")
    before = snapshot(server.root)
    for method, path, body in (
        ("PUT", "x.txt", text("x")),
        ("POST", "", {"type": "file"}),
        ("PATCH", "data.csv", {"path": f"{ROOT}/y.csv"}),
        ("DELETE", "data.csv", None),
        ("POST", "nb.ipynb/checkpoints", None),
        ("POST", "nb.ipynb/checkpoints/checkpoint", None),
    ):
        check_refused(await contents(vi, method, path, body), server, "not_allowed")
    assert snapshot(server.root) == before
