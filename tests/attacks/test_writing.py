"""Every known way to write outside a shared folder, or to plant something in it, tried by an editor with a valid visit
against the real server; and what an honest editor does through the same addresses."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import nbformat
import pytest
import pytest_asyncio

from sharegate.audit.events import Action
from sharegate.errors import StoreUnavailable
from sharegate.paths import CanonicalPath
from sharegate.policy.load import builtin_policies
from sharegate.prove import live, reading, writing
from sharegate.prove.model import Probe
from sharegate.shares.model import Grant
from sharegate.upstream.model import Credential, Upstream
from sharegate.versions.model import Content
from sharegate.writing.standing import MAX_FOLDERS
from tests.attacks.conftest import SETTINGS
from tests.attacks.ground import GROUND, rows
from tests.attacks.test_escapes import SECRETS
from tests.gatehouse import Gatehouse, Inside, Reply, gatehouse, raw
from tests.real.jupyter import JupyterServer, plant, running_jupyter

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

ROOT = "sub/shared"


def policies_that_hand_out(folder: Path, *roles: str) -> Path:
    """A policy directory with these roles handed out."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("roles.yaml", "sharing.yaml"):
        text = (builtin_policies() / name).read_text()
        text = text.replace("available: false", "available: true")
        (folder / name).write_text(text.replace("roles: [view]", f"roles: [{', '.join(roles)}]"))
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """A server of these tests' own: they change its files."""
    home = tmp_path_factory.mktemp("writing")
    (home / "root").mkdir()
    plant(home / "root")
    shared = home / "root" / ROOT
    (shared / "lib").mkdir()
    (shared / "lib" / "tool.py").write_text("x = 1\n")
    (shared / "old.py").write_text("old = 1\n")
    (shared / "plain").mkdir()
    (shared / "plain" / "a.txt").write_text("a\n")
    (shared / "linked").mkdir()
    (shared / "linked" / "out.txt").symlink_to(home / "root" / "secret" / "secret.txt")
    (shared / "alias.txt").symlink_to(shared / "target.ipynb")
    (shared / "target.ipynb").write_bytes((shared / "nb.ipynb").read_bytes())
    (shared / "dangling.txt").symlink_to(shared / "planted.py")
    (shared / "late.py").symlink_to(shared / "late.txt")
    (shared / "link_plain").symlink_to(shared / "plain")
    with running_jupyter(home) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gate(tmp_path_factory: pytest.TempPathFactory, server: JupyterServer) -> AsyncIterator[Gatehouse]:
    folder = tmp_path_factory.mktemp("gate")
    policies = policies_that_hand_out(folder / "policies", "view", "edit")
    async with gatehouse(folder, server, policy_dir=str(policies), **SETTINGS) as house:
        yield house


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ed(gate: Gatehouse) -> Inside:
    """An editor of sub/shared."""
    return await gate.visit(await gate.share(role="edit", **{"for": ["Ed"]}), name="Ed")


@pytest.fixture
def shared(server: JupyterServer) -> Path:
    return server.root / ROOT


def snapshot(root: Path) -> dict[str, bytes | str]:
    """Every file, folder and link of the server's root and beside it, hidden ones too, without Jupyter's own."""
    found: dict[str, bytes | str] = {}
    for top in (root, root.parent / "beyond"):
        for path in sorted(top.rglob("*")):
            name = str(path.relative_to(root.parent))
            if ".ipynb_checkpoints" in name or ".jupyter" in name or ".db" in name:
                continue
            found[name] = f"-> {path.readlink()}" if path.is_symlink() else path.read_bytes() if path.is_file() else "/"
    return found


async def ask(who: Inside, method: str, target: str, body: object = None) -> Reply:
    data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    return await who.ask(method, target, headers={"Content-Type": "application/json"} if data else None, body=data)


async def contents(who: Inside, method: str, path: str, body: object = None) -> Reply:
    """The contents API below the share."""
    return await ask(who, method, f"api/contents/{ROOT}/{path}".rstrip("/"), body)


def check_refused(reply: Reply, server: JupyterServer, *codes: str) -> None:
    """Refused with one of the public codes, and nothing is told."""
    assert reply.status >= 400, (reply.status, reply.body[:300])
    assert reply.public in codes, (reply.public, reply.body[:300])
    everything = reply.body + str(reply.headers).encode()
    for secret in (*SECRETS, server.token.encode(), str(server.root).encode(), b"Traceback", b"Errno"):
        assert secret not in everything


def text(content: str) -> dict[str, Any]:
    return {"type": "file", "format": "text", "content": content}


def notebook(*cells: Any, **metadata: Any) -> dict[str, Any]:
    made = nbformat.v4.new_notebook(metadata=metadata)
    made.cells = list(cells)
    # Not nbformat.writes: it takes out `trusted` by itself.
    return json.loads(json.dumps(made))  # type: ignore[no-any-return]


def cell(source: str = "1", *, html: str = "", **metadata: Any) -> Any:
    made = nbformat.v4.new_code_cell(source, metadata=metadata, id=nbformat.corpus.words.generate_corpus_id())
    if html:
        made.outputs = [nbformat.v4.new_output("display_data", {"text/html": html})]
    return made


EVIL = notebook(cell(html="<script>steal()</script>", trusted=True))

# -- 5.1: the address -------------------------------------------------------------------------------------------------

PLACES = {
    **rows({name: place for name, (place, _) in writing.ELSEWHERE.items()}),
    **{name: place for name, place in rows(reading.PLACES).items() if "missing hidden" not in name},
    "existing file outside": "secret/secret.txt",
    "existing notebook outside": "secret/private.ipynb",
    "above the server's root": "sub/shared/../../../beyond/x.txt",
    "beside the root": "sub/x.txt",
    "on the way to the root": "sub",
    "the server's root": "",
    "absolute path of the disk": "/etc/x",
    "hidden file": "sub/shared/.bashrc",
    "hidden folder": "sub/shared/.hid/x.txt",
    "link to a file elsewhere in the root": "sub/shared/link_secret.txt",
    "link to a file beyond the root": "sub/shared/link_beyond.txt",
    "through a link beyond the root": "sub/shared/link_dir_beyond/x.txt",
    "the link to a folder itself": "sub/shared/link_dir",
    "the root through dots": "sub/shared/inner/..",
    "the root through one dot": "sub/shared/.",
    "the root itself": "sub/shared",
    "folder that does not exist": "sub/shared/nodir/x.txt",
}
WRITES: dict[str, tuple[str, object]] = {
    "PUT": ("PUT", text("planted")),
    "PUT folder": ("PUT", {"type": "directory"}),
    "PUT part": ("PUT", {**text("planted"), "chunk": 1}),
    "PATCH": ("PATCH", {"path": "sub/shared/stolen.txt"}),
    "DELETE": ("DELETE", None),
}


@pytest.mark.parametrize(("method", "body"), WRITES.values(), ids=WRITES.keys())
@pytest.mark.parametrize("path", PLACES.values(), ids=PLACES.keys())
async def test_attack_writing_elsewhere_by_the_address(
    ed: Inside, server: JupyterServer, path: str, method: str, body: object
) -> None:
    """No spelling of a place outside, hidden, linked out, or of the root itself is written, moved or deleted."""
    before = snapshot(server.root)
    reply = await ask(ed, method, f"api/contents/{path}", body)

    check_refused(reply, server, "not_found", "bad_request", "not_allowed", "conflict")
    assert snapshot(server.root) == before


# The root itself may be made something in.
FOLDERS = {name: path for name, path in PLACES.items() if name != "the root itself"}
MAKING: dict[str, object] = {
    "untitled": {"type": "file", "ext": ".txt"},
    "folder": {"type": "directory"},
    "copy": {"copy_from": "sub/shared/data.csv"},
}


@pytest.mark.parametrize("body", MAKING.values(), ids=MAKING.keys())
@pytest.mark.parametrize("path", FOLDERS.values(), ids=FOLDERS.keys())
async def test_attack_making_something_elsewhere(ed: Inside, server: JupyterServer, path: str, body: object) -> None:
    """Nothing is made or copied in a folder outside, hidden or linked out, nor under a name that is no folder."""
    before = snapshot(server.root)
    reply = await ask(ed, "POST", f"api/contents/{path}", body)

    check_refused(reply, server, "not_found", "bad_request", "not_allowed")
    assert snapshot(server.root) == before


@pytest.mark.parametrize("path", FOLDERS.values(), ids=FOLDERS.keys())
@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize("end", ["checkpoints", "checkpoints/checkpoint"])
async def test_attack_checkpoints_elsewhere(
    ed: Inside, server: JupyterServer, path: str, method: str, end: str
) -> None:
    """No checkpoint is made, restored or deleted of what lies outside, is hidden, linked out or missing."""
    before = snapshot(server.root)
    reply = await ask(ed, method, f"api/contents/{path}/{end}", None)

    check_refused(reply, server, "not_found", "bad_request", "not_allowed")
    assert snapshot(server.root) == before
    assert not (server.root / "secret" / ".ipynb_checkpoints").exists()
    assert not (server.root / ROOT / ".hid" / ".ipynb_checkpoints").exists()


@pytest.mark.parametrize(
    ("method", "end"),
    [("POST", "checkpoints"), ("POST", "checkpoints/checkpoint"), ("DELETE", "checkpoints/checkpoint")],
    ids=["replace", "restore", "delete"],
)
async def test_attack_the_owners_checkpoint(
    ed: Inside, server: JupyterServer, shared: Path, method: str, end: str
) -> None:
    """The owner's own way back is neither replaced nor restored nor deleted by who may edit the file."""
    (shared / "good.txt").write_text("the owner's good state")
    made = await raw(
        server.port, "POST", f"/api/contents/{ROOT}/good.txt/checkpoints", {"Authorization": f"token {server.token}"}
    )
    assert made.status == 201
    (kept,) = [file for file in server.root.rglob("good-checkpoint.txt") if file.is_file()]
    assert (await contents(ed, "PUT", "good.txt", text("junk"))).status == 200
    reply = await contents(ed, method, f"good.txt/{end}")

    check_refused(reply, server, "not_allowed")
    assert kept.read_text() == "the owner's good state"
    assert (shared / "good.txt").read_text() == "junk"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_attack_the_checkpoints_of_the_root(ed: Inside, server: JupyterServer, method: str) -> None:
    """A folder has no checkpoints, and a file cannot be called so through the address."""
    before = snapshot(server.root)
    body = {"path": "sub/shared/x"} if method == "PATCH" else text("x") if method == "PUT" else None
    reply = await ask(ed, method, f"api/contents/{ROOT}/checkpoints", body)

    check_refused(reply, server, "not_found", "bad_request", "not_allowed")
    assert snapshot(server.root) == before


SHADOWED = (
    "nb.ipynb%2fcheckpoints",
    "nb.ipynb%2Ftrust",
    "nb.ipynb/%63heckpoints",
    "nb.ipynb/%74rust",
    "checkpoints",
    "trust",
)


@pytest.mark.parametrize("path", SHADOWED)
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_attack_addresses_that_another_route_shadows(
    ed: Inside, server: JupyterServer, path: str, method: str
) -> None:
    """However its letters are encoded, the end of an address chooses one route, and the server is asked for that."""
    before = snapshot(server.root)
    body = text("x") if method == "PUT" else {"path": f"{ROOT}/x"} if method == "PATCH" else None
    reply = await contents(ed, method, path, body)

    check_refused(reply, server, "not_allowed", "not_found", "bad_request")
    assert snapshot(server.root) == before


@pytest.mark.parametrize("path", ["nb.ipynb/trust", "nb.ipynb%2ftrust", "nb.ipynb/%74rust", "trust"])
async def test_attack_trusting_a_notebook(ed: Inside, server: JupyterServer, path: str) -> None:
    """It would sign what editors wrote as the owner's."""
    check_refused(await contents(ed, "POST", path), server, "not_allowed")


# -- 5.2: the body ----------------------------------------------------------------------------------------------------

ENDS = {
    "plain": "secret/moved.txt",
    "existing": "secret/secret.txt",
    "dots": "sub/shared/../../secret/x.txt",
    "dots that stay inside": "sub/shared/inner/../x.txt",
    "absolute": "/secret/x.txt",
    "absolute on the disk": "/etc/x",
    "encoded dots": "sub/shared/%2e%2e/x.txt",
    "backslashes": "sub\\shared\\..\\..\\x.txt",
    "sibling": "sub/shared2/x.txt",
    "ancestor": "sub",
    "the server's root": "",
    "slash": "/",
    "the share's root": "sub/shared",
    "the share's root with a slash": "sub/shared/",
    "hidden": "sub/shared/.bashrc",
    "hidden folder": "sub/shared/.hid/x.txt",
    "through a link": "sub/shared/link_dir/x.txt",
    "through a link beyond": "sub/shared/link_dir_beyond/x.txt",
    "a link out": "sub/shared/link_secret.txt",
    "missing folder": "sub/shared/nodir/x.txt",
    "below a file": "sub/shared/data.csv/x.txt",
    "drive": "RTC:sub/shared/x.txt",
    "NUL": "sub/shared/x\x00.txt",
    "no text": 7,
    "null": None,
    "list": ["sub/shared/x.txt"],
}


@pytest.mark.parametrize("to", ENDS.values(), ids=ENDS.keys())
async def test_attack_renaming_out(ed: Inside, server: JupyterServer, to: object) -> None:
    """The new place is confined like the old one, its folder exists, and it is not the root."""
    before = snapshot(server.root)
    reply = await contents(ed, "PATCH", "data.csv", {"path": to})

    check_refused(reply, server, "not_found", "bad_request")
    assert snapshot(server.root) == before


@pytest.mark.parametrize("source", [*ENDS.values(), "secret", "sub/shared/linked"], ids=[*ENDS, "folder", "links in"])
async def test_attack_copying_in(ed: Inside, server: JupyterServer, source: object) -> None:
    """What is copied is confined: no file, no folder from outside, none with a link that leads out (it is followed)."""
    before = snapshot(server.root)
    reply = await contents(ed, "POST", "inner", {"copy_from": source})

    check_refused(reply, server, "not_found", "bad_request", "server_fault" if "csv/" in str(source) else "")
    assert snapshot(server.root) == before


async def test_the_path_in_a_body_says_nothing(ed: Inside, shared: Path, server: JupyterServer) -> None:
    """JupyterLab repeats the place in what it sends; the address alone decides, whatever the body names."""
    before = snapshot(server.root)
    made = await contents(ed, "POST", "inner", {"type": "file", "ext": ".txt", "path": "../../secret"})
    assert (made.status, made.json["path"]) == (201, f"{ROOT}/inner/untitled.txt")
    kept = await contents(ed, "PUT", "inner/untitled.txt", {**text("kept"), "path": "secret/secret.txt"})
    assert (kept.status, kept.json["path"]) == (200, f"{ROOT}/inner/untitled.txt")
    assert (shared / "inner" / "untitled.txt").read_text() == "kept"
    (shared / "inner" / "untitled.txt").unlink()
    assert snapshot(server.root) == before


PART = {"format": "text", "content": "{", "chunk": 1}
BODIES: dict[str, tuple[str, str, object]] = {
    "path given twice": ("PATCH", "data.csv", b'{"path":"sub/shared/x.txt","path":"secret/x.txt"}'),
    "unknown field in PATCH": ("PATCH", "data.csv", {"path": "sub/shared/x.txt", "type": "file"}),
    "PATCH without a path": ("PATCH", "data.csv", {}),
    "PATCH of nothing": ("PATCH", "missing.txt", {"path": "sub/shared/x.txt"}),
    "ext that leaves the folder": ("POST", "inner", {"type": "file", "ext": "/../../../secret/evil.txt"}),
    "ext with a separator": ("POST", "inner", {"type": "file", "ext": "/x"}),
    "ext with dots": ("POST", "inner", {"type": "file", "ext": ".."}),
    "ext that is no text": ("POST", "inner", {"type": "file", "ext": [".txt"]}),
    "type that nobody knows": ("POST", "inner", {"type": "link"}),
    "copy_from in PUT": ("PUT", "x.txt", {**text("x"), "copy_from": "secret/secret.txt"}),
    "name with a separator": ("PUT", "x.txt", {**text("x"), "name": "../x"}),
    "no type": ("PUT", "x.txt", {"format": "text", "content": "x"}),
    "no content": ("PUT", "x.txt", {"type": "file", "format": "text"}),
    "no format": ("PUT", "x.txt", {"type": "file", "content": "x"}),
    "content of another kind": ("PUT", "x.txt", {"type": "file", "format": "text", "content": {"a": 1}}),
    "folder with content": ("PUT", "x", {"type": "directory", "content": []}),
    "folder in parts": ("PUT", "x", {"type": "directory", "chunk": 1}),
    "format of another kind": ("PUT", "x.ipynb", {"type": "notebook", "format": "text", "content": "x"}),
    "notebook that is called a text": ("PUT", "x.ipynb", {"type": "notebook", "format": "text", "content": EVIL}),
    "broken base64": ("PUT", "x.ipynb", {"type": "file", "format": "base64", "content": "e30=\n!"}),
    "not JSON": ("PUT", "x.txt", b"{"),
    "a list": ("PUT", "x.txt", b"[]"),
    "nested without end": ("PUT", "x.ipynb", b'{"type":"notebook","content":' + b"[" * 5000 + b"]" * 5000 + b"}"),
    "lone surrogate": ("PUT", "x.txt", b'{"type":"file","format":"text","content":"\\ud800"}'),
    "not a number": ("PUT", "x.ipynb", b'{"type":"notebook","content":{"cells":[],"a":NaN}}'),
    "folder into itself": ("PATCH", "plain", {"path": "sub/shared/plain/again"}),
    "copy of a folder into itself": ("POST", "plain", {"copy_from": "sub/shared/plain"}),
    "copy of a folder into itself through a link": ("POST", "link_plain", {"copy_from": "sub/shared/plain"}),
    "copy into a file": ("POST", "data.csv", {"copy_from": "sub/shared/notes.md"}),
    "copy to an exact name": ("POST", "exact.txt", {"copy_from": "sub/shared/notes.md"}),
    "part 0": ("PUT", "x.txt", {**text("x"), "chunk": 0}),
    "part without the first": ("PUT", "x.txt", {**text("x"), "chunk": 2}),
    "last part without the first": ("PUT", "data.csv", {**text("x"), "chunk": -1}),
    "part below the last": ("PUT", "x.txt", {**text("x"), "chunk": -2}),
    "parts of a notebook model": ("PUT", "x.ipynb", {"type": "notebook", "content": EVIL, "chunk": 1}),
    "parts of a notebook model as text": ("PUT", "x.ipynb", {"type": "notebook", **PART}),
    "part that is no number": ("PUT", "x.txt", {**text("x"), "chunk": "1"}),
    "delete what is missing": ("DELETE", "missing.txt", None),
}


@pytest.mark.parametrize(("method", "path", "body"), BODIES.values(), ids=BODIES.keys())
async def test_attack_bodies(ed: Inside, server: JupyterServer, method: str, path: str, body: object) -> None:
    """Fields that upstream reads in its own way, and what errors would quote, change and tell nothing."""
    before = snapshot(server.root)
    reply = await contents(ed, method, path, body)

    check_refused(reply, server, "not_found", "bad_request")
    assert snapshot(server.root) == before


async def test_attack_a_path_in_the_body_of_a_save(ed: Inside, server: JupyterServer) -> None:
    """A page names the file there again: it is dropped, and the address alone says where the file goes."""
    before = snapshot(server.root)
    reply = await contents(ed, "PUT", "named_again.txt", {**text("x"), "path": "secret/p1.txt"})

    assert reply.status == 201 and reply.json["path"] == "sub/shared/named_again.txt"
    assert not (server.root / "secret" / "p1.txt").exists()
    (server.root / "sub" / "shared" / "named_again.txt").unlink()
    assert snapshot(server.root) == before


CONFLICTS: dict[str, tuple[str, str, object]] = {
    "rename onto a file": ("PATCH", "data.csv", {"path": "sub/shared/notes.md"}),
    "rename onto a folder": ("PATCH", "data.csv", {"path": "sub/shared/inner"}),
    "file over a folder": ("PUT", "inner", text("x")),
    "folder over a file": ("PUT", "data.csv", {"type": "directory"}),
}


@pytest.mark.parametrize(("method", "path", "body"), CONFLICTS.values(), ids=CONFLICTS.keys())
async def test_what_stands_in_the_way_is_a_conflict(
    ed: Inside, server: JupyterServer, method: str, path: str, body: object
) -> None:
    """Upstream's 409, and its 500 that quotes the path on the disk, are one answer: something else stands there."""
    before = snapshot(server.root)
    reply = await contents(ed, method, path, body)

    check_refused(reply, server, "conflict")
    assert reply.status == 409
    assert snapshot(server.root) == before


async def test_a_link_inside_is_written_through_and_deleted_as_a_link(
    ed: Inside, server: JupyterServer, shared: Path
) -> None:
    """A link that stays inside the share may be used; deleting it leaves what it leads to."""
    (shared / "here.txt").symlink_to(shared / "plain" / "a.txt")
    assert (await contents(ed, "PUT", "here.txt", text("through\n"))).status == 200
    assert (shared / "plain" / "a.txt").read_text() == "through\n"
    assert (await contents(ed, "DELETE", "here.txt")).status == 204
    assert (shared / "plain" / "a.txt").read_text() == "through\n"


SUITE = {
    f"{probe.check.value}: {probe.name}": probe
    for probe in (*writing.probes(GROUND, edits=True), *live.moves(replace(GROUND, mark="data")))
}


@pytest.mark.parametrize("probe", SUITE.values(), ids=SUITE.keys())
async def test_attack_as_prove_does(ed: Inside, server: JupyterServer, probe: Probe) -> None:
    """Every write of the suite that owners run against their own shares; what it moves here is a file that exists."""
    before = snapshot(server.root)
    target = probe.target.replace("data.txt", "data.csv") if probe.method == "PATCH" else probe.target
    reply = await ed.ask(probe.method, target, headers=dict(probe.fields), body=probe.body)

    check_refused(reply, server, "not_found", "bad_request", "not_allowed", "conflict", "runs_by_itself")
    assert snapshot(server.root) == before


# -- a share of one file ----------------------------------------------------------------------------------------------


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


# -- files that run by themselves -------------------------------------------------------------------------------------

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


async def test_attack_a_folder_too_large_to_look_through(ed: Inside, server: JupyterServer, shared: Path) -> None:
    """What cannot be looked through is neither moved nor copied: the file at its bottom might be anything."""
    for number in range(MAX_FOLDERS + 1):
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


# -- notebooks --------------------------------------------------------------------------------------------------------


async def upload(who: Inside, path: str, data: bytes, size: int = 0) -> list[Reply]:
    """As JupyterLab's file browser uploads: base64, in parts when it is large."""
    size = size or len(data)
    parts = [data[start : start + size] for start in range(0, len(data), size)]
    replies = []
    for number, part in enumerate(parts, 1):
        body: dict[str, Any] = {"type": "file", "format": "base64", "content": base64.b64encode(part).decode()}
        body["name"] = path.rpartition("/")[2]
        if len(parts) > 1:
            body["chunk"] = -1 if number == len(parts) else number
        replies.append(await contents(who, "PUT", path, body))
    return replies


async def put_whole(who: Inside, path: str, made: dict[str, Any]) -> Reply:
    return await contents(who, "PUT", path, {"type": "notebook", "format": "json", "content": made})


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


# -- uploads in parts -------------------------------------------------------------------------------------------------


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


# -- open documents, versions ----------------------------------------------------------------------------------------


@dataclass
class Rooms:
    """Which documents are open, as the rooms say; `keep` notes what the server has at that moment."""

    root: Path
    open: set[str] = field(default_factory=set)
    notebooks: set[str] = field(default_factory=set)
    kept: list[tuple[str, bytes | str]] = field(default_factory=list)
    broken: bool = False

    def is_open(self, upstream: str, path: CanonicalPath) -> bool:
        return any(each == str(path) or each.startswith(f"{path}/") for each in self.open)

    def is_open_notebook(self, upstream: str, path: CanonicalPath) -> bool:
        return str(path) in self.notebooks

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
    rooms.open = rooms.notebooks = {f"{ROOT}/victim.ipynb.3f2a"}
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


# -- honest work ------------------------------------------------------------------------------------------------------


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


# -- sizes ------------------------------------------------------------------------------------------------------------

# `LARGE_MEGABYTES=2048 pytest tests/attacks/test_writing.py -k large` tries the real thing.
LARGE = int(os.environ.get("LARGE_MEGABYTES", "160"))


def resident() -> int:
    """Bytes of memory that this process, which is the gate's, holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.timeout(900)
async def test_large_uploads_and_downloads_do_not_grow_the_gate(gate: Gatehouse, ed: Inside, shared: Path) -> None:
    """What goes through goes through in parts, as JupyterLab's file browser sends it and a browser loads it."""
    part = base64.b64encode(os.urandom(1 << 20)).decode()
    names = {"type": "file", "format": "base64", "name": "large.bin", "content": part}
    before, most = resident(), 0
    for number in range(1, LARGE + 1):
        chunk = -1 if number == LARGE else number
        assert (await contents(ed, "PUT", "large.bin", {**names, "chunk": chunk})).status in (200, 201)
        most = max(most, resident() - before)
    assert (shared / "large.bin").stat().st_size == LARGE << 20

    headers = {"Cookie": f"sharegate-visit={ed.cookie}", "Sec-Fetch-Site": "same-origin"}
    address, total = gate.origin + ed.base + "files/sub/shared/large.bin", 0
    async with aiohttp.ClientSession() as session, session.get(address, headers=headers) as answer:
        assert answer.status == 200
        async for piece in answer.content.iter_chunked(1 << 16):
            total += len(piece)
            most = max(most, resident() - before)
    assert total == LARGE << 20
    (shared / "large.bin").unlink()
    assert most < min(LARGE << 19, 64 << 20), most
