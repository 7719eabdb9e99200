"""Writing elsewhere by the address: beside the share, above it, what is hidden, checkpoints, other routes."""

from __future__ import annotations

from pathlib import Path

import pytest

from sharegate.prove import reading, writing
from tests.attacks.ground import rows
from tests.attacks.writing.editor import (
    ROOT,
    ask,
    check_refused,
    contents,
    snapshot,
    text,
)
from tests.gatehouse import Inside, raw
from tests.real.jupyter import JupyterServer

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]


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
