"""Ways of an editor to destroy a file so that no version of it comes back, tried against the real server."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from sharegate.paths import CanonicalPath
from tests.attacks.notebooks import Notebook, plant_notebook
from tests.attacks.pages import Owner, Visitor, editor, make, until, visiting
from tests.attacks.test_undoing import on_disk, snapshots, sources, visit_id
from tests.gatehouse import Gatehouse
from tests.real.jupyter import JupyterServer

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

PICTURE = b"\x89PNG\r\n\x1a\n\0\xff" * 50
WORDS = "a,b\n1,2\n" * 50


@pytest.fixture(scope="module")
def gate(watched_gate: Gatehouse) -> Gatehouse:
    return watched_gate


ann, bo = editor("Ann"), editor("Bo")


async def contents(who: Visitor, method: str, path: str, body: object = None) -> int:
    data = b"" if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} if data else None
    return (await who.inside.ask(method, f"api/contents/{path}", headers=headers, body=data)).status


def text(words: str) -> dict[str, Any]:
    return {"type": "file", "format": "text", "content": words}


def raw(data: bytes) -> dict[str, Any]:
    return {"type": "file", "format": "base64", "content": base64.b64encode(data).decode()}


async def restore(gate: Gatehouse, version: str, **body: Any) -> tuple[int, Any]:
    return await gate.running.api.call("POST", f"/api/v1/snapshots/{version}/restore", {}, body)


@pytest.mark.parametrize(
    ("name", "was", "junk"),
    [("ruined.png", PICTURE, text("junk")), ("ruined.csv", WORDS.encode(), raw(bytes(range(256))))],
    ids=["a picture by words", "words by bytes"],
)
async def test_attack_a_file_overwritten_by_another_kind(
    gate: Gatehouse, ann: Visitor, workshop: JupyterServer, name: str, was: bytes, junk: dict[str, Any]
) -> None:
    """The whole file is put back, and what stood there is kept and put back the same way."""
    path = make(workshop, name)
    file = workshop.root / path
    file.write_bytes(was)
    assert await contents(ann, "PUT", path, junk) == 200
    ruined = file.read_bytes()
    [kept] = await snapshots(gate, path)
    status, shown = await restore(gate, kept["id"], preview=True)
    assert status == 200 and shown["difference"]["bytes"] == (len(ruined), len(was))
    status, answer = await restore(gate, kept["id"], cells=["a"])
    assert (status, answer["error"]["code"], file.read_bytes()) == (400, "invalid", ruined)
    status, done = await restore(gate, kept["id"])
    assert status == 200 and done["restored"] and file.read_bytes() == was
    status, done = await restore(gate, done["before"]["id"])
    assert status == 200 and done["restored"] and file.read_bytes() == ruined


async def test_attack_holding_the_junk_open(
    gate: Gatehouse, ann: Visitor, bo: Visitor, workshop: JupyterServer
) -> None:
    """A page that has the words open would write them over the picture again: refused in plain words until it is
    closed, which pausing the share does. A page that has the file open as bytes is in nobody's way."""
    path = make(workshop, "held.png")
    file = workshop.root / path
    file.write_bytes(PICTURE)
    assert await contents(ann, "PUT", path, text("junk\n")) == 200
    [kept] = await snapshots(gate, path)
    made = await gate.share(role="edit", **{"for": ["Eve"]})
    async with visiting(await gate.visit(made, name="Eve")) as eve:
        page = await eve.open(path)
        status, answer = await restore(gate, kept["id"])
        assert (status, answer["error"]["code"]) == (403, "document_open") and "open" in answer["error"]["message"]
        assert file.read_bytes() == b"junk\n" and len(await snapshots(gate, path)) == 1
        await gate.call("POST", f"shares/{made['share']['id']}/pause", {})
        await until(lambda: page.closed is not None)
        await bo.open(path, "base64", "file")
        status, done = await restore(gate, kept["id"])
        assert status == 200 and done["restored"] and file.read_bytes() == PICTURE


async def test_attack_a_folder_in_the_place_of_a_file(gate: Gatehouse, ann: Visitor, workshop: JupyterServer) -> None:
    """Refused in plain words, also for a preview; so is a file in the place of the folder around it."""
    path = make(workshop, "a_file.txt", "good\n")
    folder = workshop.root / "sub" / "shared" / "around"
    folder.mkdir()
    (folder / "in.txt").write_text("good\n")
    assert await contents(ann, "DELETE", path) == await contents(ann, "DELETE", "sub/shared/around") == 204
    assert await contents(ann, "PUT", path, {"type": "directory"}) == 201
    assert await contents(ann, "PUT", "sub/shared/around", text("a file")) == 201
    [kept] = await snapshots(gate, path)
    for preview in (True, False):
        status, answer = await restore(gate, kept["id"], preview=preview)
        assert (status, answer["error"]["code"]) == (403, "folder_in_the_way"), answer
        assert "a folder stands at sub/shared/a_file.txt" in answer["error"]["message"]
    [inner] = await snapshots(gate, "sub/shared/around/in.txt")
    status, answer = await restore(gate, inner["id"])
    assert (status, answer["error"]["code"]) == (403, "file_in_the_way"), answer


async def test_one_cell_of_a_file_that_is_gone_is_not_the_file(
    gate: Gatehouse, ann: Visitor, workshop: JupyterServer
) -> None:
    """Refused, instead of making the whole of it."""
    path = plant_notebook(workshop, "gone_whole.ipynb")
    assert await contents(ann, "DELETE", path) == 204
    [kept] = await snapshots(gate, path)
    for cells in (["nope"], ["one"]):
        status, answer = await restore(gate, kept["id"], cells=cells)
        assert (status, answer["error"]["code"]) == (400, "invalid"), answer
    assert not (workshop.root / path).exists()
    status, done = await restore(gate, kept["id"])
    assert status == 200 and done["restored"] and len(sources(on_disk(workshop, path))) == 3


async def test_the_bytes_of_a_version_are_shown(gate: Gatehouse, ann: Visitor, workshop: JupyterServer) -> None:
    """So that they can be written to another file."""
    path = make(workshop, "seen.bin")
    (workshop.root / path).write_bytes(PICTURE)
    assert await contents(ann, "DELETE", path) == 204
    [kept] = await snapshots(gate, path)
    shown = await gate.call("GET", f"snapshots/{kept['id']}")
    assert base64.b64decode(shown["data"]) == PICTURE and shown["text"] is shown["notebook"] is None


@pytest.mark.parametrize(
    "broken", [b'{"cells": [\xff', b"[]", b"{}", b'"x"', b"null", b"", b'{"nbformat": 9}', b'{"cells": 1}']
)
async def test_a_notebook_that_is_none_is_kept_as_bytes(
    gate: Gatehouse, ann: Visitor, workshop: JupyterServer, broken: bytes
) -> None:
    """It can be deleted and replaced by editors, alone and with its folder, and comes back as it was."""
    at = f"sub/shared/broken{broken.hex()}"
    folder = workshop.root / at
    folder.mkdir()
    whole = json.loads((workshop.root / plant_notebook(workshop, "unbroken.ipynb")).read_text())
    for name in ("a.ipynb", "b.ipynb", "c.ipynb"):
        (folder / name).write_bytes(broken)
    assert await contents(ann, "DELETE", f"{at}/a.ipynb") == 204
    model = {"type": "notebook", "format": "json", "content": whole}
    assert await contents(ann, "PUT", f"{at}/b.ipynb", model) == 200
    [replaced] = await snapshots(gate, f"{at}/b.ipynb")
    assert (replaced["kind"], replaced["cause"]) == ("bytes", "before_overwrite")
    status, done = await restore(gate, replaced["id"])
    assert status == 200 and done["restored"] and (folder / "b.ipynb").read_bytes() == broken
    assert await contents(ann, "DELETE", at) == 204 and not folder.exists()
    for name in ("a.ipynb", "b.ipynb", "c.ipynb"):
        kept = (await snapshots(gate, f"{at}/{name}"))[0]
        assert (kept["kind"], kept["cause"]) == ("bytes", "before_delete")
        status, done = await restore(gate, kept["id"])
        assert status == 200 and (folder / name).read_bytes() == broken
    taken = (await gate.call("POST", "snapshots", {"path": str(gate.jupyter.root / at / "c.ipynb")}))["snapshot"]
    assert taken["kind"] == "bytes"


async def test_an_owners_page_follows_what_is_put_back(
    gate: Gatehouse, ann: Visitor, owner: Owner, workshop: JupyterServer
) -> None:
    """The server reads the words again into the document that the owner has open, and what he types is added."""
    path = make(workshop, "followed.csv", WORDS)
    page = await owner.open(path)
    assert await contents(ann, "PUT", path, text("junk")) == 200
    await until(lambda: str(page.source) == "junk")
    assert await contents(ann, "PUT", path, raw(bytes(range(256)))) == 200
    kept = (await snapshots(gate, path))[-1]
    status, done = await restore(gate, kept["id"])
    assert status == 200 and done["restored"]
    await until(lambda: str(page.source) == WORDS)
    page.type("typed")
    await until(lambda: (workshop.root / path).read_text() == WORDS + "typed")


async def test_attack_wiping_a_notebook_and_renaming_it(
    gate: Gatehouse, ann: Visitor, bo: Visitor, workshop: JupyterServer
) -> None:
    """While it is open, with a decoy at the old place: versions and undo are found under the new name, and a restore
    changes the open notebook there; nothing is made or changed at the old place."""
    old, new = plant_notebook(workshop, "wiped_and_gone.ipynb"), "sub/shared/renamed_on.ipynb"
    his = Notebook(await bo.open(old, "json", "notebook"))
    hers = Notebook(await ann.open(old, "json", "notebook"))
    with hers.page.doc.transaction():
        del hers.cells[0 : len(hers.cells)]
    await until(lambda: not on_disk(workshop, old).get("cells", [1]))
    first = (await snapshots(gate, old))[-1]
    assert await contents(ann, "PATCH", old, {"path": new}) == 200
    assert (await snapshots(gate, new))[-1]["id"] == first["id"]
    visit = await visit_id(gate, old, "Ann")
    asked = {"path": str(gate.jupyter.root / new), "preview": True}
    [document] = (await gate.call("POST", f"visits/{visit}/undo", asked))["documents"]
    assert document["path"] == new and len(document["report"]["cells"]) == 3
    decoy = plant_notebook(workshop, "wiped_and_gone.ipynb")
    was = (workshop.root / decoy).read_bytes()
    status, done = await restore(gate, first["id"])
    assert status == 200 and (done["restored"], done["missing"], done["path"]) == (True, False, new)
    await until(lambda: len(hers.cells) == len(his.cells) == 3)
    assert sources(on_disk(workshop, new)) == ["print(6*7)", "x = 1", "# Title"]
    assert (workshop.root / old).read_bytes() == was


async def test_attack_overwriting_a_file_and_renaming_it(
    gate: Gatehouse, ann: Visitor, workshop: JupyterServer
) -> None:
    """Also of a file that nobody ever had open."""
    old, new = make(workshop, "over.csv", WORDS), "sub/shared/over_there.csv"
    assert await contents(ann, "PUT", old, text("junk")) == 200
    assert await contents(ann, "PATCH", old, {"path": new}) == 200
    [kept] = await snapshots(gate, new)
    status, done = await restore(gate, kept["id"])
    assert status == 200 and done["path"] == new and (workshop.root / new).read_text() == WORDS
    assert not (workshop.root / old).exists()


async def test_attack_a_wiped_notebook_that_loses_its_name(
    gate: Gatehouse, ann: Visitor, workshop: JupyterServer
) -> None:
    """While it is open it is undone and restored as the notebook that it is; closed, the whole file is put back."""
    old, new = plant_notebook(workshop, "nameless.ipynb"), "sub/shared/nameless.txt"
    hers = Notebook(await ann.open(old, "json", "notebook"))
    with hers.page.doc.transaction():
        del hers.cells[0 : len(hers.cells)]
    await until(lambda: not on_disk(workshop, old).get("cells", [1]))
    first = (await snapshots(gate, old))[-1]
    visit = await visit_id(gate, old, "Ann")
    assert await contents(ann, "PATCH", old, {"path": new}) == 200
    asked = {"path": str(gate.jupyter.root / new), "preview": True}
    [document] = (await gate.call("POST", f"visits/{visit}/undo", asked))["documents"]
    assert document["problem"] == "" and len(document["report"]["cells"]) == 3
    status, done = await restore(gate, first["id"])
    assert status == 200 and done["restored"] and done["path"] == new, done
    await until(lambda: len(hers.cells) == 3 and len(on_disk(workshop, new).get("cells", ())) == 3)
    await hers.page.leave()
    live: Any = gate.running.api.versions.live
    server = (await gate.call("GET", "servers"))["servers"][0]["id"]
    await until(lambda: not live._documents.rooms.is_open(server, CanonicalPath.from_body(new)))
    assert await contents(ann, "PUT", new, text("junk")) == 200
    status, done = await restore(gate, first["id"])
    assert status == 200 and done["restored"] and sources(on_disk(workshop, new)) == ["print(6*7)", "x = 1", "# Title"]
