"""Every known way out of a shared folder, tried by a viewer with a valid visit against the real server.

What works against a bare Jupyter server must not work through the gate.
"""

from urllib.parse import unquote

import pytest

from sharegate.prove import addresses, reading
from tests.attacks.ground import GROUND, rows
from tests.gatehouse import Gatehouse, Inside, Reply, raw
from tests.real.jupyter import JupyterServer

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

SECRETS = (b"TOPSECRET", b"SIBLINGSECRET", b"OUTSIDESECRET", b"BEYONDSECRET", b"hidden inside", b"hidden dir")
REFUSALS = {400, 403, 404}


def check_nothing_told(reply: Reply, gate: Gatehouse) -> None:
    """A refusal holds none of the planted secrets, no token, no absolute path, and the body of its public code."""
    assert reply.status in REFUSALS, (reply.status, reply.body[:300])
    everything = reply.body + str(reply.headers).encode()
    for secret in (*SECRETS, gate.jupyter.token.encode(), str(gate.jupyter.root).encode(), b"Traceback"):
        assert secret not in everything
    if reply.header("Content-Type").startswith("application/json") and reply.body:
        assert set(reply.json) <= {"error", "message"}
        assert set(reply.json["error"]) <= {"code", "message", "id"}
    else:
        assert len(reply.body) < 100, "HEAD, or what is no HTTP"


OUT = {
    **rows(reading.SPELLINGS),
    **rows(reading.PLACES),
    **rows(reading.LINKS),
    "above the server's root, to what is there": "sub/shared/../../../beyond/beyond.txt",
    "file beside the path to the root": "outside.txt",
    "upper case": "SECRET/secret.txt",
    "link to a file beyond the root": "sub/shared/link_beyond.txt",
    "link to a folder beyond the root": "sub/shared/link_dir_beyond/beyond.txt",
    "missing file inside": "sub/shared/missing.txt",
}
READERS = {**reading.READERS, **reading.OTHER_READERS}
# What a bare server reads for whoever has its token. The other spellings it undoes nowhere, or not yet.
OPEN = {
    "dot segments",
    "encoded dot",
    "encoded dots",
    "mixed case encoded dots",
    "encoded slashes",
    "encoded slash at the end of a dot segment",
    "through a folder that does not exist",
    "plain path outside",
    "sibling with the same prefix",
    "sibling through dots",
    "file beside the path to the root",
    "encoded separators all through",
    "one dot",
    "encoded fragment",
    "parameters behind the root",
    "query within",
    "link to a file",
    "file through a linked folder",
    "link to a file beyond the root",
    "link to a folder beyond the root",
}


async def test_a_bare_server_reads_outside(jupyter: JupyterServer) -> None:
    """Of the spellings below these are read by a server without a gate, so that refusing them is the gate's work."""
    manners = {"Authorization": f"token {jupyter.token}"}
    read = set()
    for name, path in OUT.items():
        reply = await raw(jupyter.port, "GET", f"/api/contents/{path}?content=1", manners)
        if reply.status == 200 and any(secret in reply.body for secret in SECRETS):
            read.add(name)

    assert read == OPEN


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("path", OUT.values(), ids=OUT.keys())
async def test_attack_reading_outside(gate: Gatehouse, ann: Inside, reader: str, path: str) -> None:
    """No spelling of a place outside, hidden or linked out is read, through whichever address."""
    method, target = READERS[reader]
    reply = await ann.ask(method, target.replace("{place}", path))
    if target.startswith(("lab/", "doc/", "tree/", "notebooks/", "edit/")) and reply.status == 200:
        # What has a page is a name inside, with nothing behind it.
        assert unquote(path).startswith("sub/shared/") and not any(secret in reply.body for secret in SECRETS)
        return

    if reader == "checkpoints" and reply.status == 200:
        assert reply.body == b"[]", "a viewer's list is made by the gate, the same for what is there and what is not"
    else:
        check_nothing_told(reply, gate)


SPELLED = ["checkpoints", "%63heckpoints", "check%70oints", "trust", "%74rust"]


@pytest.mark.parametrize("name", SPELLED)
@pytest.mark.parametrize("below", ["{}/{}", "{}%2f{}", "{}/inner/../{}"])
async def test_attack_a_file_called_like_a_route(gate: Gatehouse, ann: Inside, name: str, below: str) -> None:
    """A bare server takes such a file for its own route or not as the name is spelled; the gate reads one of the two
    however it is spelled, with or without a file of that name, inside and outside."""
    inside, outside = (f"api/contents/{below.format(folder, name)}" for folder in ("sub/shared", "secret"))
    plain = gate.jupyter.root / "sub" / "shared" / ("trust" if "rust" in name else "checkpoints")
    before = await ann.ask("GET", inside)
    plain.write_text("OUTSIDESECRET\n")
    try:
        there = await ann.ask("GET", inside)
    finally:
        plain.unlink()

    check_nothing_told(await ann.ask("GET", outside), gate)
    for reply in (before, there):
        if plain.name == "checkpoints" and ".." not in below:
            assert (reply.status, reply.body) == (200, b"[]")
        else:
            check_nothing_told(reply, gate)


async def test_outside_hidden_linked_out_and_missing_are_one_answer(gate: Gatehouse, ann: Inside) -> None:
    """Byte for byte, but for the random id: status, headers and body tell nothing."""
    answers = set()
    for name in (
        "missing file inside",
        *reading.PLACES,
        *reading.LINKS,
        "link to a file beyond the root",
    ):
        for reader in ("contents", "contents without content", "files", "reading page"):
            reply = await ann.ask("GET", READERS[reader][1].replace("{place}", OUT[name]))
            error = reply.json["error"]
            assert len(error.pop("id")) == 8
            kept = sorted((key, value) for key, value in reply.headers if key.lower() != "date")
            answers.add((reply.status, str(kept), str(error)))

    assert len(answers) == 1


@pytest.mark.parametrize("path", ["", "?content=1", "/sub?content=1", "/sub/shared?content=1&type=directory"])
async def test_listings_show_only_the_way_to_the_root_and_what_is_inside(
    gate: Gatehouse, ann: Inside, path: str
) -> None:
    """The root listing is a 200 with one entry; links out and dotfiles are not listed."""
    reply = await ann.ask("GET", f"api/contents{path}")
    names = {entry["name"] for entry in reply.json["content"] or []}

    assert reply.status == 200
    if path.startswith("/sub/shared"):
        assert {"nb.ipynb", "data.csv", "inner", "link_in.txt"} <= names
        assert not names & {"link_secret.txt", "link_beyond.txt", "link_dir", "link_dir_beyond", ".hidden.txt", ".hid"}
    else:
        assert names == ({"shared"} if path.startswith("/sub") else {"sub"})
    assert reply.json["writable"] is False


@pytest.mark.parametrize(
    "target",
    {
        "error that quotes path and first bytes": "api/contents/sub/shared/data.csv?type=notebook&content=1",
        "directory as a file": "api/contents/sub/shared?type=file&content=1",
        "format of another kind": "api/contents/sub/shared/data.csv?format=json&content=1",
        "folder under /files": "files/sub/shared",
        "hash of a folder": "api/contents/sub/shared?content=1&hash=1",
    }.values(),
)
async def test_attack_provoking_errors_that_quote(gate: Gatehouse, ann: Inside, target: str) -> None:
    """The server's error texts carry absolute paths and contents: none of them passes."""
    reply = await ann.ask("GET", target)
    text = reply.body

    assert str(gate.jupyter.root).encode() not in text
    assert gate.jupyter.token.encode() not in text
    assert b"NotJSONError" not in text
    if reply.status >= 400:
        assert set(reply.json) == {"error", "message"}


FORBIDDEN = {
    **{name: (method, str(GROUND.fill(target))) for name, (method, target) in addresses.ROUTES.items()},
    "shutdown": ("POST", "api/shutdown"),
    "install packages": ("POST", "lab/api/extensions"),
    "start a kernel": ("POST", "api/kernels"),
    "a session with a kernel": ("POST", "api/sessions"),
    "start a terminal": ("POST", "api/terminals"),
    "forge an event": ("POST", "api/events"),
    "create a file": ("PUT", "api/contents/sub/shared/new.txt"),
    "create untitled": ("POST", "api/contents/sub/shared"),
    "rename": ("PATCH", "api/contents/sub/shared/data.csv"),
    "delete": ("DELETE", "api/contents/sub/shared/data.csv"),
    "delete the root through dots": ("DELETE", "api/contents/sub/shared/inner/.."),
    "make a checkpoint": ("POST", "api/contents/sub/shared/nb.ipynb/checkpoints"),
}


@pytest.mark.parametrize(("method", "target"), FORBIDDEN.values(), ids=FORBIDDEN.keys())
async def test_attack_routes_that_no_viewer_has(gate: Gatehouse, ann: Inside, method: str, target: str) -> None:
    """Denied by name or by having no rule; nothing changes on the server."""
    before = sorted(path.name for path in (gate.jupyter.root / "sub" / "shared").iterdir())
    body = b"{}" if method in ("POST", "PUT", "PATCH") else b""
    reply = await ann.ask(method, target, headers={"Content-Type": "application/json"} if body else None, body=body)

    assert reply.status in {*REFUSALS, 405, 501}, reply.body[:300]
    assert gate.jupyter.token.encode() not in reply.body
    assert sorted(path.name for path in (gate.jupyter.root / "sub" / "shared").iterdir()) == before


@pytest.mark.parametrize("target", rows(addresses.QUERIES).values(), ids=addresses.QUERIES.keys())
async def test_attack_query(gate: Gatehouse, ann: Inside, target: str) -> None:
    """Only named arguments in their named shapes; the server's own `token` argument would win over our header."""
    reply = await ann.ask("GET", target)

    assert reply.status in (400, 401, 404)


@pytest.mark.parametrize(
    "headers",
    {
        "own authorization": {"Authorization": "token abc"},
        "host of another name": {"Host": "evil.example"},
        **{name: dict(fields) for name, fields in addresses.FETCHED.items()},
        "two cookies of one name": {"Cookie": "sharegate-visit=a; sharegate-visit=b"},
        "no cookie": {"Cookie": ""},
        "cookie of another case": {"Cookie": "Sharegate-Visit=a"},
    }.values(),
)
async def test_attack_head(gate: Gatehouse, ann: Inside, headers: dict[str, str]) -> None:
    """A foreign page, a second credential or another host name gets nothing."""
    reply = await ann.ask("GET", "api/contents/sub/shared/data.csv?content=1", headers=headers)

    assert reply.status in (401, 403, 421)
    assert b"1,2" not in reply.body


async def test_attack_identity_and_forwarding_headers_reach_nobody(gate: Gatehouse, ann: Inside) -> None:
    """Spoofed addresses in every spelling change nothing: not the answer, not the recorded address."""
    spoofed = {
        "X-Forwarded-For": "203.0.113.99",
        "X_Forwarded_For": "203.0.113.99",
        "Forwarded": "for=203.0.113.99",
        "X-Real-IP": "203.0.113.99",
        "X-Forwarded-User": "root",
        "X-HTTP-Method-Override": "DELETE",
    }
    reply = await ann.ask("GET", "api/contents/sub/shared/data.csv?content=1", headers=spoofed)
    events = await gate.events(share=ann.share["id"])

    assert reply.status == 200
    assert not any("203.0.113" in str(event) for event in events)
