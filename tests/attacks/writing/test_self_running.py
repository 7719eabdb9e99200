"""Files that an interpreter or a tool loads by itself: edited where they are, not planted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.attacks.writing.editor import (
    EVIL,
    ROOT,
    check_refused,
    contents,
    notebook,
    snapshot,
    text,
)
from tests.gatehouse import Gatehouse, Inside
from tests.real.jupyter import JupyterServer

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]


PLANTING: dict[str, tuple[str, str, object]] = {
    "a module beside the notebook": ("PUT", "ipykernel_launcher.py", text("import os")),
    "in another case": ("PUT", "IPYKERNEL_LAUNCHER.PY", text("import os")),
    "in fullwidth letters": ("PUT", "x.\uff50\uff59", text("import os")),
    "with a dot at the end": ("PUT", "x.py.", text("import os")),
    "with a space at the end": ("PUT", "x.py%20", text("import os")),
    "as a stream of a file": ("PUT", "x.py:y", text("import os")),
    "as the first part of an upload": ("PUT", "x.py", {**text("import os"), "chunk": 1}),
    "as a notebook model": ("PUT", "x.py", {"type": "notebook", "format": "json", "content": EVIL}),
    "native module": ("PUT", "numpy.so", {"type": "file", "format": "base64", "content": "AAAA"}),
    "tool of tests": ("PUT", "conftest.py", text("x")),
    "build file": ("PUT", "Makefile", text("all:\n\techo x")),
    "settings of the server": ("PUT", "jupyter_server_config.json", text("{}")),
    "template of nbconvert": ("PUT", "index.html.j2", text("x")),
    "untitled": ("POST", "", {"type": "file", "ext": ".py"}),
    "untitled in capitals": ("POST", "", {"type": "file", "ext": ".PY"}),
    "untitled without a type": ("POST", "", {"ext": ".sh"}),
    "a folder of that name": ("PUT", "pkg.egg-info", {"type": "directory"}),
    "an untitled folder of that name": ("POST", "", {"type": "directory", "ext": ".py"}),
    "copy": ("POST", "inner", {"copy_from": "sub/shared/old.py"}),
    "copy beside": ("POST", "", {"copy_from": "sub/shared/old.py"}),
    "copy of a folder with one": ("POST", "inner", {"copy_from": "sub/shared/lib"}),
    "rename into being": ("PATCH", "data.csv", {"path": "sub/shared/data.py"}),
    "rename from one to another": ("PATCH", "old.py", {"path": "sub/shared/numpy.py"}),
    "rename in case only": ("PATCH", "old.py", {"path": "sub/shared/OLD.py"}),
    "move": ("PATCH", "old.py", {"path": "sub/shared/inner/old.py"}),
    "rename of a folder with one": ("PATCH", "lib", {"path": "sub/shared/numpy"}),
    "move of a folder with one": ("PATCH", "lib", {"path": "sub/shared/inner/lib"}),
    "through a link to nowhere": ("PUT", "dangling.txt", text("import os")),
    "through a link of that name to nowhere": ("PUT", "late.py", text("import os")),
}


@pytest.mark.parametrize(("method", "path", "body"), PLANTING.values(), ids=PLANTING.keys())
async def test_attack_planting_what_runs_by_itself(
    ed: Inside, server: JupyterServer, method: str, path: str, body: object
) -> None:
    """No file that a program loads by its name comes into being: not made, renamed, moved, copied, or in a folder."""
    before = snapshot(server.root)
    path = path.encode().decode("latin-1") if not path.isascii() else path
    target = "".join(c if c.isascii() else f"%{ord(c):02X}" for c in path)
    reply = await contents(ed, method, target, body)

    check_refused(reply, server, "runs_by_itself", "bad_request")
    assert reply.public == "runs_by_itself" or ":" in path or path.endswith("%20") or "\uff50" in path, reply.body
    assert snapshot(server.root) == before


async def test_attack_a_copy_that_loses_its_number(ed: Inside, server: JupyterServer, shared: Path) -> None:
    """Upstream calls the copy of `pyproject-Copy1.toml` `pyproject.toml`, and of `x.ipynb-Copy1.` a notebook."""
    (shared / "pyproject-Copy1.toml").write_text("x")
    before = snapshot(server.root)
    reply = await contents(ed, "POST", "inner", {"copy_from": "sub/shared/pyproject-Copy1.toml"})

    check_refused(reply, server, "runs_by_itself")
    assert snapshot(server.root) == before


async def test_attack_a_copy_that_becomes_a_notebook(ed: Inside, server: JupyterServer, shared: Path) -> None:
    """What upstream takes out of the copy's name can leave a notebook's name, on a disk that drops dots at the end."""
    (shared / "x.ipynb-Copy1.").write_text(json.dumps(EVIL))
    before = snapshot(server.root)

    check_refused(await contents(ed, "POST", "inner", {"copy_from": f"{ROOT}/x.ipynb-Copy1."}), server, "bad_request")
    assert snapshot(server.root) == before


async def test_attack_becoming_a_notebook_that_is_there(ed: Inside, server: JupyterServer, shared: Path) -> None:
    """A rename never overwrites, also where the gate writes the new file itself."""
    (shared / "raw_text.txt").write_text(json.dumps(notebook()))
    before = snapshot(server.root)

    check_refused(await contents(ed, "PATCH", "raw_text.txt", {"path": f"{ROOT}/nb.ipynb"}), server, "conflict")
    assert snapshot(server.root) == before


async def test_attack_a_folder_too_large_to_look_through(
    ed: Inside, server: JupyterServer, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be looked through is neither moved nor copied: the file at its bottom might be anything."""
    monkeypatch.setattr("sharegate.upstream.disk.MAX_NAMES", 300)
    for number in range(301):
        (shared / "wide" / str(number)).mkdir(parents=True)
    before = snapshot(server.root)

    reply = await contents(ed, "PATCH", "wide", {"path": "sub/shared/wider"})
    check_refused(reply, server, "body_too_large")
    check_refused(await contents(ed, "POST", "inner", {"copy_from": "sub/shared/wide"}), server, "body_too_large")
    assert snapshot(server.root) == before


async def test_attack_copying_folders_in_a_circle(ed: Inside, server: JupyterServer, shared: Path) -> None:
    """Copying follows links: one that leads back up would fill the disk."""
    (shared / "deep").mkdir()
    (shared / "deep" / "again").symlink_to(shared / "deep")
    before = snapshot(server.root)

    check_refused(
        await contents(ed, "POST", "inner", {"copy_from": "sub/shared/deep"}), server, "not_found", "bad_request"
    )
    assert snapshot(server.root) == before


async def test_what_runs_by_itself_is_edited_and_deleted_where_it_is(ed: Inside, shared: Path) -> None:
    """It may be changed and removed, and stays refused after it was removed."""
    (shared / "mine.py").write_text("x = 1\n")
    assert (await contents(ed, "PUT", "mine.py", text("x = 2\n"))).status == 200
    assert (shared / "mine.py").read_text() == "x = 2\n"
    assert (await contents(ed, "PATCH", "mine.py", {"path": "sub/shared/mine.txt"})).status == 200
    assert (await contents(ed, "PATCH", "mine.txt", {"path": "sub/shared/mine.py"})).public == "runs_by_itself"
    (shared / "gone.py").write_text("x = 1\n")
    assert (await contents(ed, "DELETE", "gone.py")).status == 204
    assert (await contents(ed, "PUT", "gone.py", text("x = 2\n"))).public == "runs_by_itself"


async def test_the_owner_may_allow_it_for_a_share(gate: Gatehouse, shared: Path) -> None:
    """With `runnable_files`, and from the moment that the owner changes it."""
    made = await gate.share("sub/shared/plain", role="edit", runnable_files=True, **{"for": ["Py"]})
    py = await gate.visit(made, name="Py")
    assert (await contents(py, "PUT", "plain/mod.py", text("x = 1\n"))).status == 201
    assert (await contents(py, "PATCH", "plain/mod.py", {"path": "sub/shared/plain/mod2.py"})).status == 200
    changed = await gate.call("PATCH", f"shares/{made['share']['id']}", {"runnable_files": False})
    assert changed["share"]["runnable_files"] is False
    assert (await contents(py, "PUT", "plain/mod3.py", text("x = 1\n"))).public == "runs_by_itself"
    (shared / "plain" / "mod2.py").unlink()
