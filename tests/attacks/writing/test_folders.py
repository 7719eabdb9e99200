"""Folders that are copied, moved or deleted, with what the server's listings leave out of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from sharegate.living import MOST_BYTES, MOST_FILES
from sharegate.upstream.model import Credential, Upstream
from sharegate.writing.standing import MAX_FOLDERS
from tests.attacks.writing.editor import ROOT, ask, check_refused, contents, snapshot
from tests.gatehouse import Gatehouse, Inside
from tests.real.jupyter import JupyterServer

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]


@pytest.fixture
def folder(shared: Path, request: pytest.FixtureRequest) -> Path:
    """A folder of its own for a test."""
    made = shared / f"f{abs(hash(request.node.name))}"
    made.mkdir()
    (made / "a.txt").write_text("a\n")
    return made


async def versions(gate: Gatehouse, path: Path) -> list[dict[str, Any]]:
    _, answer = await gate.running.api.call("GET", "/api/v1/snapshots", {"path": str(path)}, None)
    return list(answer["snapshots"])


# Names that Jupyter does not list (`hide_globs`, dotfiles), one that it lists, and where a link of that name leads.
LINKS_OUT: dict[str, tuple[str, str]] = {
    "a folder, not listed": ("old~", "secret"),
    "a file, not listed": ("s~", "secret/secret.txt"),
    "a folder, hidden": (".old", "secret"),
    "a file, hidden": (".s", "secret/secret.txt"),
    "a folder, with the name of checkpoints": (".ipynb_checkpoints", "secret"),
    "a file in a folder that is not listed": ("old~/deep/s.txt", "secret/secret.txt"),
    "a folder, listed": ("old", "secret"),
    "a hidden file of the share": ("hid", f"{ROOT}/.hidden.txt"),
    "a file through a hidden folder": ("hid.txt", f"{ROOT}/.hid/x.txt"),
}


@pytest.mark.parametrize(("name", "to"), LINKS_OUT.values(), ids=LINKS_OUT.keys())
async def test_attack_copying_what_a_link_leads_to(
    ed: Inside, server: JupyterServer, folder: Path, name: str, to: str
) -> None:
    """A copy holds what links lead to as files of its own, whatever the server lists: none with a link out is made."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    assert (server.root / to).exists()
    (folder / name).symlink_to(server.root / to)
    before = snapshot(server.root)
    check_refused(await ask(ed, "GET", f"files/{ROOT}/{folder.name}/{name}"), server, "not_found")

    reply = await contents(ed, "POST", "inner", {"copy_from": f"{ROOT}/{folder.name}"})
    check_refused(reply, server, "not_found")
    reply = await contents(ed, "POST", "inner", {"copy_from": f"{ROOT}/{folder.name}/{name}"})
    check_refused(reply, server, "not_found")
    assert snapshot(server.root) == before


@pytest.mark.parametrize(
    "name", ["mod.pyc", "__init__.pyo", "old~/mod.py", ".old/mod.py", "__pycache__/x.txt", ".git/HEAD"]
)
async def test_attack_carrying_along_what_is_not_listed(
    ed: Inside, server: JupyterServer, folder: Path, name: str
) -> None:
    """What runs by itself comes into being by no copy and no other name of its folder, listed or not."""
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"x")
    before = snapshot(server.root)

    moved = await contents(ed, "PATCH", folder.name, {"path": f"{ROOT}/json"})
    copied = await contents(ed, "POST", "inner", {"copy_from": f"{ROOT}/{folder.name}"})
    check_refused(moved, server, "runs_by_itself")
    check_refused(copied, server, "runs_by_itself")
    assert snapshot(server.root) == before


@pytest.mark.parametrize("name", [".envrc", ".cache/x", "deep/.Rprofile", "notes.txt~", b"b\xff.txt"])
async def test_attack_copying_what_is_hidden(
    ed: Inside, server: JupyterServer, folder: Path, name: str | bytes
) -> None:
    """By its name nobody could make it: a folder that holds it is moved with it, and not copied."""
    hidden = folder / os.fsdecode(name)
    hidden.parent.mkdir(exist_ok=True)
    hidden.write_text("the owner's")
    before = snapshot(server.root)

    check_refused(await contents(ed, "POST", "inner", {"copy_from": f"{ROOT}/{folder.name}"}), server, "hidden_inside")
    assert snapshot(server.root) == before
    assert (await contents(ed, "PATCH", folder.name, {"path": f"{ROOT}/{folder.name}-2"})).status == 200
    assert (folder.with_name(f"{folder.name}-2") / hidden.relative_to(folder)).exists()


async def test_attack_copying_what_is_no_file(ed: Inside, server: JupyterServer, folder: Path) -> None:
    """Neither a link to a folder or to nothing, nor what would be read for ever."""
    for make in (
        lambda path: path.symlink_to(server.root / ROOT / "inner"),
        lambda path: path.symlink_to(folder / "nothing"),
        lambda path: path.symlink_to("b.txt"),
        os.mkfifo,
    ):
        make(folder / "b.txt")
        before = snapshot(server.root)
        reply = await contents(ed, "POST", "inner", {"copy_from": f"{ROOT}/{folder.name}"})
        check_refused(reply, server, "not_found")
        assert snapshot(server.root) == before
        (folder / "b.txt").unlink()


async def test_a_folder_is_copied_with_links_to_files_of_the_share(ed: Inside, shared: Path, folder: Path) -> None:
    """And with Jupyter's checkpoints; the source may be a link itself."""
    (folder / "to_data").symlink_to(shared / "data.csv")
    (folder / "up").symlink_to("../data.csv")
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / "a-checkpoint.txt").write_text("a")
    (shared / f"to_{folder.name}").symlink_to(folder)
    for name in (folder.name, f"to_{folder.name}"):
        assert (await contents(ed, "POST", "inner", {"copy_from": f"{ROOT}/{name}"})).status == 201
        copied = shared / "inner" / name
        assert (copied / "to_data").read_bytes() == (copied / "up").read_bytes() == (shared / "data.csv").read_bytes()
        assert not (copied / "to_data").is_symlink()


async def test_attack_a_moved_link_to_what_runs_by_itself(ed: Inside, server: JupyterServer, folder: Path) -> None:
    """A program finds modules through a link, too: the folder is not given another name."""
    (folder / "lib").symlink_to("../lib")
    before = snapshot(server.root)

    check_refused(await contents(ed, "PATCH", folder.name, {"path": f"{ROOT}/numpy"}), server, "runs_by_itself")
    assert snapshot(server.root) == before


async def test_attack_deleting_a_folder_with_links_out(
    ed: Inside, gate: Gatehouse, server: JupyterServer, folder: Path
) -> None:
    """Only the links go: nothing of what they lead to is kept as if it were the share's, nor told by the answer."""
    outside = server.root / "owners"
    (outside / "many").mkdir(parents=True)
    for number in range(MOST_FILES + 1):
        (outside / "many" / f"{number}.txt").write_text("x")
    (outside / "private.txt").write_text("the owner's own")
    (folder / "few").symlink_to(outside)
    (folder / "many").symlink_to(outside / "many")
    (folder / "one.txt").symlink_to(outside / "private.txt")
    (folder / "inner").symlink_to("../inner")
    linked = folder.with_name(f"to_{folder.name}")
    linked.symlink_to(folder)

    assert (await contents(ed, "DELETE", folder.name)).status == 204
    assert not folder.exists()
    assert (outside / "private.txt").exists() and len(list((outside / "many").iterdir())) == MOST_FILES + 1
    assert len(await versions(gate, folder / "a.txt")) == 1
    for name in ("few/private.txt", "many/1.txt", "one.txt", "inner/deep.txt"):
        assert await versions(gate, folder / name) == []


async def test_deleting_a_link_keeps_nothing(ed: Inside, gate: Gatehouse, folder: Path) -> None:
    """What it leads to stays where it is."""
    linked = folder.with_name(f"to_{folder.name}")
    linked.symlink_to(folder)

    assert (await contents(ed, "DELETE", linked.name)).status == 204
    assert (folder / "a.txt").exists() and not linked.is_symlink()
    assert await versions(gate, linked / "a.txt") == []


async def test_attack_a_folder_too_large_to_keep(
    ed: Inside, gate: Gatehouse, server: JupyterServer, folder: Path
) -> None:
    """It is refused before anything of it is read and kept: whoever asks again and again holds nobody up."""
    for number in range(20):
        (folder / f"{number}.txt").write_text("x")
    with (folder / "large.bin").open("wb") as large:
        large.truncate(MOST_BYTES + 1)
    check_refused(await contents(ed, "DELETE", folder.name), server, "body_too_large")
    assert len(list(folder.iterdir())) == 22
    for number in range(20):
        assert await versions(gate, folder / f"{number}.txt") == []


async def test_attack_deleting_a_name_that_is_no_text(ed: Inside, server: JupyterServer, folder: Path) -> None:
    """It is shown to nobody and cannot be asked for: the folder stays, and the visitor is told why."""
    (folder / os.fsdecode(b"b\xff.txt")).write_text("the owner's")
    before = snapshot(server.root)

    check_refused(await contents(ed, "DELETE", folder.name), server, "hidden_inside")
    assert snapshot(server.root) == before


@pytest_asyncio.fixture(loop_scope="module")
async def away(gate: Gatehouse, server: JupyterServer) -> Inside:
    """An editor of the same folder, on a server whose disk the gate does not see."""
    far = Upstream(id="far3456", name="far", owner="Olga", url=server.url, token=Credential(server.token))
    await gate.running.gate._store.put_upstream(far)  # type: ignore[attr-defined]
    made = await gate.call("POST", "shares", {"path": ROOT, "server": far.id, "role": "edit", "for": ["Far"]})
    return await gate.visit(made, name="Far")


async def test_attack_folders_on_a_disk_out_of_sight(away: Inside, server: JupyterServer, folder: Path) -> None:
    """None is copied: nobody could say what links in it lead to. What cannot be asked for is neither moved nor kept."""
    before = snapshot(server.root)
    check_refused(await contents(away, "POST", "inner", {"copy_from": f"{ROOT}/{folder.name}"}), server, "not_allowed")
    assert snapshot(server.root) == before

    (folder / os.fsdecode(b"b\xff")).mkdir()
    before = snapshot(server.root)
    check_refused(await contents(away, "PATCH", folder.name, {"path": f"{ROOT}/g"}), server, "hidden_inside")
    check_refused(await contents(away, "DELETE", folder.name), server, "hidden_inside")
    assert snapshot(server.root) == before

    (folder / os.fsdecode(b"b\xff")).rmdir()
    assert (await contents(away, "PATCH", folder.name, {"path": f"{ROOT}/{folder.name}-2"})).status == 200
    assert (await contents(away, "DELETE", f"{folder.name}-2")).status == 204


async def test_attack_too_many_folders_on_a_disk_out_of_sight(
    away: Inside, server: JupyterServer, folder: Path
) -> None:
    """What takes too many questions to look through is not moved."""
    for number in range(MAX_FOLDERS):
        (folder / str(number)).mkdir()
    before = snapshot(server.root)

    check_refused(await contents(away, "PATCH", folder.name, {"path": f"{ROOT}/g"}), server, "body_too_large")
    assert snapshot(server.root) == before
