"""Writing elsewhere by what a body says: where to, from where, in which parts; and all that `prove` tries."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sharegate.prove import live, writing
from sharegate.prove.model import Probe
from tests.attacks.ground import GROUND
from tests.attacks.writing.editor import (
    EVIL,
    ROOT,
    check_refused,
    contents,
    snapshot,
    text,
)
from tests.gatehouse import Inside
from tests.real.jupyter import JupyterServer

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]


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
