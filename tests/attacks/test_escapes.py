"""Every known way out of a shared folder, tried by a viewer with a valid visit against the real server.

What works against a bare Jupyter server must not work through the gate.
"""

import pytest

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
    assert set(reply.json) == {"error", "message"}
    assert set(reply.json["error"]) == {"code", "message", "id"}


OUT = {
    "dot segments": "sub/shared/../../secret/secret.txt",
    "encoded dot": "sub/shared/%2e/../../secret/secret.txt",
    "encoded dots": "sub/shared/%2e%2e/%2e%2e/secret/secret.txt",
    "mixed case encoded dots": "sub/shared/%2E%2e/.%2E/secret/secret.txt",
    "encoded slashes": "sub/shared/..%2f..%2fsecret%2fsecret.txt",
    "encoded slash at the end of a dot segment": "sub/shared/%2e%2e%2f%2e%2e/secret/secret.txt",
    "through a folder that does not exist": "sub/shared/nonexist/../../../secret/secret.txt",
    "above the server's root": "sub/shared/../../../beyond/beyond.txt",
    "plain path outside": "secret/secret.txt",
    "sibling with the same prefix": "sub/shared2/sibling.txt",
    "sibling through dots": "sub/shared/../shared2/sibling.txt",
    "file beside the path to the root": "outside.txt",
    "absolute path": "/etc/passwd",
    "encoded absolute path": "%2fetc%2fpasswd",
    "double encoding": "sub/shared/%252e%252e/%252e%252e/secret/secret.txt",
    "backslashes": "sub/shared/..\\..\\secret\\secret.txt",
    "encoded backslashes": "sub/shared/..%5c..%5csecret%5csecret.txt",
    "fullwidth dots": "sub/shared/%ef%bc%8e%ef%bc%8e/secret/secret.txt",
    "overlong UTF-8": "sub/shared/%c0%ae%c0%ae/secret/secret.txt",
    "path parameters": "sub/shared/..;/..;/secret/secret.txt",
    "trailing dot": "secret./secret.txt",
    "trailing space": "secret%20/secret.txt",
    "upper case": "SECRET/secret.txt",
    "contents drive": "RTC:secret/secret.txt",
    "Windows drive": "C:/secret/secret.txt",
    "NUL": "sub/shared/data.csv%00.txt",
    "empty segment": "sub//shared/data.csv",
    "empty segment at the beginning": "/secret/secret.txt",
    "encoded separators all through": "secret%2Fsecret.txt",
    "one dot": "sub/shared/./../../secret/secret.txt",
    "hidden file inside": "sub/shared/.hidden.txt",
    "hidden folder inside": "sub/shared/.hid/x.txt",
    "encoded hidden file": "sub/shared/%2ehidden.txt",
    "collaboration's history database": ".jupyter_ystore.db",
    "collaboration's sessions": ".jupyter/collaboration_sessions.json",
    "link to a file elsewhere in the root": "sub/shared/link_secret.txt",
    "link to a file beyond the root": "sub/shared/link_beyond.txt",
    "link to a folder elsewhere in the root": "sub/shared/link_dir/secret.txt",
    "link to a folder beyond the root": "sub/shared/link_dir_beyond/beyond.txt",
    "missing file inside": "sub/shared/missing.txt",
    "missing file outside": "secret/missing.txt",
}
READERS = {
    "contents": "api/contents/{}?content=1",
    "contents without content": "api/contents/{}?content=0",
    "files": "files/{}",
    "checkpoints": "api/contents/{}/checkpoints",
    "conversion": "nbconvert/html/{}",
    "trust": "api/contents/{}/trust",
}
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
    "link to a file elsewhere in the root",
    "link to a file beyond the root",
    "link to a folder elsewhere in the root",
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
    reply = await ann.ask("POST" if reader == "trust" else "GET", READERS[reader].format(path))

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
        "missing file outside",
        "plain path outside",
        "sibling with the same prefix",
        "hidden file inside",
        "link to a file elsewhere in the root",
        "link to a file beyond the root",
    ):
        for reader in ("contents", "contents without content", "files"):
            reply = await ann.ask("GET", READERS[reader].format(OUT[name]))
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
    "nbconvert runs code in the server": ("GET", "nbconvert/script/sub/shared/nb.ipynb"),
    "nbconvert of a posted body": ("POST", "nbconvert/html"),
    "file id of a path": ("GET", "api/fileid/id?path=secret/secret.txt"),
    "path of a file id": ("GET", "api/fileid/path?id=00000000-0000-4000-8000-000000000000"),
    "resolve any path of the disk": ("GET", "api/resolvePath?path=/etc/passwd&kernel=x"),
    "fork of a room": ("PUT", "api/collaboration/fork/x"),
    "timeline of a document": ("GET", "api/collaboration/timeline/sub/shared/nb.ipynb?format=json&type=notebook"),
    "undo on a fork": ("PUT", "api/collaboration/undo_redo/x?action=undo&steps=1&forkRoom=y"),
    "trust a notebook": ("POST", "api/contents/sub/shared/nb.ipynb/trust"),
    "view handler": ("GET", "view/sub/shared/page.html"),
    "notebook 7 tree": ("GET", "tree"),
    "notebook 7 notebook": ("GET", "notebooks/sub/shared/nb.ipynb"),
    "classic redirect": ("GET", "api/notebooks/sub/shared/nb.ipynb"),
    "fall-through page with the token": ("GET", "lab/anything/at/all"),
    "template 404 with the token": ("GET", "nope"),
    "metrics": ("GET", "metrics"),
    "login": ("GET", "login?next=//evil.example"),
    "logout": ("GET", "logout"),
    "shutdown": ("POST", "api/shutdown"),
    "install packages": ("POST", "lab/api/extensions"),
    "plugins": ("GET", "lab/api/plugins"),
    "licences": ("GET", "lab/api/licenses/"),
    "listings": ("GET", "lab/api/listings/@jupyterlab/extensionmanager-extension/listings.json"),
    "any loopback port": ("GET", "proxy/22/"),
    "any absolute loopback port": ("GET", "proxy/absolute/8888/"),
    "start a kernel": ("POST", "api/kernels"),
    "a session with a kernel": ("POST", "api/sessions"),
    "start a terminal": ("POST", "api/terminals"),
    "forge an event": ("POST", "api/events"),
    "rename oneself": ("PATCH", "api/me"),
    "API specification": ("GET", "api/spec.yaml"),
    "the same route in capitals": ("GET", "API/contents/sub/shared"),
    "a dot before the route": ("GET", "api/./contents/sub/shared"),
    "two slashes before the route": ("GET", "/api/contents/sub/shared"),
    "method that answers without a login": ("OPTIONS", "api/contents/sub/shared"),
    "TRACE": ("TRACE", "api/contents/sub/shared"),
    "unknown method": ("PROPFIND", "api/contents/sub/shared"),
    "lower-case method": ("get", "api/contents/sub/shared"),
    "create a file": ("PUT", "api/contents/sub/shared/new.txt"),
    "create untitled": ("POST", "api/contents/sub/shared"),
    "rename": ("PATCH", "api/contents/sub/shared/data.csv"),
    "delete": ("DELETE", "api/contents/sub/shared/data.csv"),
    "delete the root through dots": ("DELETE", "api/contents/sub/shared/inner/.."),
    "make a checkpoint": ("POST", "api/contents/sub/shared/nb.ipynb/checkpoints"),
    "custom style": ("GET", "custom/custom.css"),
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


@pytest.mark.parametrize(
    "query",
    {
        "token in the query": "?token=abc",
        "unknown argument": "?x=1",
        "method in the query": "?_method=DELETE",
        "unknown type": "?type=bogus",
        "unknown format": "?format=bogus",
        "argument twice": "?content=1&content=0",
        "path in an argument": "?content=1&path=/secret",
        "broken encoding": "?content=%zz",
    }.values(),
)
async def test_attack_query(gate: Gatehouse, ann: Inside, query: str) -> None:
    """Only named arguments in their named shapes; the server's own `token` argument would win over our header."""
    reply = await ann.ask("GET", "api/contents/sub/shared/data.csv" + query)

    assert reply.status in (400, 401)


@pytest.mark.parametrize(
    "headers",
    {
        "own authorization": {"Authorization": "token abc"},
        "host of another name": {"Host": "evil.example"},
        "other site": {"Sec-Fetch-Site": "cross-site"},
        "same site is not same origin": {"Sec-Fetch-Site": "same-site"},
        "embedded": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
        "service worker": {"Service-Worker": "script"},
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
