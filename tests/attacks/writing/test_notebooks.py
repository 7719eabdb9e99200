"""Notebooks by whatever way they come: no trust, no exporter, no other file under their name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.attacks.writing.editor import (
    EVIL,
    ROOT,
    cell,
    check_refused,
    contents,
    notebook,
    put_whole,
    snapshot,
    text,
    upload,
)
from tests.gatehouse import Inside, Reply
from tests.real.jupyter import JupyterServer

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]


async def put_text(who: Inside, path: str, made: dict[str, Any]) -> Reply:
    return await contents(who, "PUT", path, text(json.dumps(made)))


async def put_base64(who: Inside, path: str, made: dict[str, Any]) -> Reply:
    return (await upload(who, path, json.dumps(made).encode()))[-1]


async def put_parts(who: Inside, path: str, made: dict[str, Any]) -> Reply:
    return (await upload(who, path, json.dumps(made).encode(), 100))[-1]


async def put_and_rename(who: Inside, path: str, made: dict[str, Any]) -> Reply:
    await contents(who, "PUT", "raw.txt", text(json.dumps(made)))
    reply = await contents(who, "PATCH", "raw.txt", {"path": f"{ROOT}/{path}"})
    await contents(who, "DELETE", "raw.txt")
    return reply


async def put_capitals(who: Inside, path: str, made: dict[str, Any]) -> Reply:
    return await put_text(who, path.replace(".ipynb", ".IPYNB"), made)


WAYS = [put_whole, put_text, put_base64, put_parts, put_and_rename, put_capitals]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: str(way.__name__))
async def test_attack_trust_and_exporter_in_a_notebook(
    ed: Inside, server: JupyterServer, shared: Path, way: Any
) -> None:
    """Whichever way a notebook comes, trust and a dotted exporter are gone, the rest is as it was sent."""
    name = f"{way.__name__}.ipynb"
    made = notebook(
        cell("a = 1.50", html="<img src=x onerror=steal()>", trusted=True, zeta=1, alpha=[1e-7, 2**70]),
        nbformat.v4.new_markdown_cell("# ü \u2028", metadata={"trusted": True, "keep": {"trusted": True}}),
        language_info={"name": "python", "nbconvert_exporter": "os.system", "version": "3"},
        zzz={"trusted": True},
        aaa=0,
    )
    reply = await way(ed, name, made)
    assert reply.status in (200, 201), reply.body
    path = next(path for path in shared.iterdir() if path.name.lower() == name)
    stored = json.loads(path.read_bytes())

    assert [each["metadata"].get("trusted") for each in stored["cells"]] == [None, None]
    assert stored["cells"][0]["metadata"] == {"zeta": 1, "alpha": [1e-7, 2**70]}
    assert stored["cells"][1]["metadata"] == {"keep": {"trusted": True}}
    assert stored["metadata"]["language_info"] == {"name": "python", "version": "3"}
    assert stored["metadata"]["zzz"] == {"trusted": True}
    if way is not put_whole:
        assert list(stored["metadata"]) == list(made["metadata"])
    model = json.loads(server.get(f"api/contents/{ROOT}/{path.name}?type=notebook"))
    assert model["content"]["cells"][0]["outputs"]
    assert model["content"]["cells"][0]["metadata"]["trusted"] is False


BROKEN: dict[str, dict[str, Any]] = {
    "no cells": {"nbformat": 4, "nbformat_minor": 5, "metadata": {}},
    "cell that is a string": {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": ["just a string"]},
    "old format with worksheets": {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": []},
    "no format": {"metadata": {}, "cells": []},
    "unknown kind of cell": {
        "nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "x", "metadata": {}, "source": ""}]
    },
    "empty": {},
}  # fmt: skip


@pytest.mark.parametrize("made", BROKEN.values(), ids=BROKEN.keys())
@pytest.mark.parametrize("way", WAYS, ids=lambda way: str(way.__name__))
async def test_attack_a_notebook_that_is_none(
    ed: Inside, server: JupyterServer, way: Any, made: dict[str, Any]
) -> None:
    """What would open as an empty page or as something else is refused before the server has it."""
    before = snapshot(server.root)
    reply = await way(ed, "broken.ipynb", made)

    check_refused(reply, server, "bad_request")
    assert snapshot(server.root) == before


async def test_attack_twin_names_in_a_notebook_file(ed: Inside, server: JupyterServer) -> None:
    """Cells given twice: readers differ on which count, so nobody gets to read it."""
    before = snapshot(server.root)
    file = '{"nbformat":4,"nbformat_minor":5,"metadata":{},"cells":[],"cells":["x"]}'

    check_refused(await contents(ed, "PUT", "twins.ipynb", text(file)), server, "bad_request")
    assert snapshot(server.root) == before


async def test_attack_a_notebook_through_a_link_with_another_name(
    ed: Inside, server: JupyterServer, shared: Path
) -> None:
    """`alias.txt` leads to a notebook inside: what is written there is judged as one."""
    before = snapshot(server.root)
    for body in (text("no notebook"), {**text("no notebook"), "chunk": 1}):
        reply = await contents(ed, "PUT", "alias.txt", body)
        if "chunk" in body:
            assert reply.status == 200, "collected, not passed on"
            reply = await contents(ed, "PUT", "alias.txt", {**body, "chunk": -1})
        check_refused(reply, server, "bad_request")
    assert snapshot(server.root) == before
    assert (await contents(ed, "PUT", "alias.txt", text(json.dumps(EVIL)))).status == 200
    assert b"trusted" not in (shared / "target.ipynb").read_bytes()


async def test_attack_a_notebooks_name_that_leads_to_another_file(ed: Inside, shared: Path) -> None:
    """`named.ipynb` leads to a text inside: who opens it opens a notebook, and what is written is judged as one."""
    (shared / "behind.txt").write_text(json.dumps(notebook()))
    (shared / "named.ipynb").symlink_to(shared / "behind.txt")
    assert (await contents(ed, "PUT", "named.ipynb", text(json.dumps(EVIL)))).status == 200
    assert b"trusted" not in (shared / "behind.txt").read_bytes()
    assert (await contents(ed, "PUT", "named.ipynb", text("no notebook"))).public == "bad_request"


@pytest.mark.parametrize("body", [{"type": "directory"}, {"type": "directory", "ext": ".ipynb"}])
async def test_attack_a_folder_called_like_a_notebook(ed: Inside, server: JupyterServer, body: dict[str, str]) -> None:
    """It could be swapped for a copy under exactly that name."""
    before = snapshot(server.root)
    method, path = ("POST", "") if "ext" in body else ("PUT", "folder.ipynb")

    check_refused(await contents(ed, method, path, body), server, "bad_request")
    check_refused(await contents(ed, "PATCH", "plain", {"path": f"{ROOT}/plain.ipynb"}), server, "bad_request")
    assert snapshot(server.root) == before


async def test_attack_an_empty_file_called_a_notebook(ed: Inside, server: JupyterServer) -> None:
    """`ext` makes a file of that name; with no type upstream makes a real notebook."""
    before = snapshot(server.root)
    reply = await contents(ed, "POST", "", {"type": "file", "ext": ".ipynb"})

    check_refused(reply, server, "bad_request")
    assert snapshot(server.root) == before


async def test_outputs_are_trusted_only_by_the_owners_signature(
    ed: Inside, server: JupyterServer, shared: Path
) -> None:
    """An uploaded copy of what the owner signed is what the owner signed; one changed byte and it is not trusted."""
    signed = notebook(cell(html="<b>owner's</b>", trusted=True))
    server.put(f"api/contents/{ROOT}/signed.ipynb", {"type": "notebook", "format": "json", "content": signed})
    assert _trusted(server, "signed.ipynb") == [True]

    copy = json.loads((shared / "signed.ipynb").read_bytes())
    await put_whole(ed, "same.ipynb", copy)
    assert _trusted(server, "same.ipynb") == [True], "byte for byte what the owner's key has signed"
    copy["cells"][0]["outputs"][0]["data"]["text/html"] = "<script>steal()</script>"
    await put_whole(ed, "same.ipynb", copy)
    assert _trusted(server, "same.ipynb") == [False]
    await put_whole(ed, "signed.ipynb", copy)
    assert _trusted(server, "signed.ipynb") == [False]


def _trusted(server: JupyterServer, name: str) -> list[bool]:
    model = json.loads(server.get(f"api/contents/{ROOT}/{name}"))
    return [each["metadata"]["trusted"] for each in model["content"]["cells"]]


@pytest.mark.parametrize("odd", ['"\\ud800"', "1e999", '{"\\udfff":1}'])
@pytest.mark.parametrize("name", ["odd.ipynb", "odd.txt"])
async def test_attack_a_notebook_that_nobody_could_read_again(
    ed: Inside, server: JupyterServer, shared: Path, name: str, odd: str
) -> None:
    """Python reads it and writes what no page reads: it is refused, also when it gets a notebook's name later."""
    made = json.dumps(notebook(cell(), here="HERE")).replace('"HERE"', odd)
    reply = await contents(ed, "PUT", name, text(made))
    if name.endswith(".txt"):
        assert reply.status == 201
        reply = await contents(ed, "PATCH", name, {"path": f"{ROOT}/odd.ipynb"})
        assert (await contents(ed, "DELETE", name)).status == 204
    check_refused(reply, server, "bad_request")
    assert not (shared / "odd.ipynb").exists()


@pytest.mark.parametrize("way", [put_whole, put_text], ids=lambda way: str(way.__name__))
@pytest.mark.parametrize("minor", [6, 10**4000], ids=["6", "without end"])
async def test_attack_a_notebook_of_a_format_that_nobody_knows(
    ed: Inside, server: JupyterServer, shared: Path, way: Any, minor: int
) -> None:
    """4.5 is the newest that the gate can judge."""
    check_refused(await way(ed, "newer.ipynb", notebook(cell()) | {"nbformat_minor": minor}), server, "bad_request")
    assert not (shared / "newer.ipynb").exists()
