"""Each place where a bare server tells its token, a path or what its owner does: through the gate it tells none.

A whole page load is searched in test_leaks_page_load.py, every kind of refusal in test_leaks_refusals.py.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from sharegate.prove import addresses
from tests.attacks.ground import WORKSHOP, rows
from tests.attacks.pages import owning
from tests.attacks.secrets import flat, search
from tests.attacks.wire import Wire
from tests.gatehouse import Gatehouse, Inside, Reply, raw
from tests.real.jupyter import JupyterServer

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]


@pytest.fixture(scope="module")
def gate(watched_gate: Gatehouse) -> Gatehouse:
    return watched_gate


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def anna(gate: Gatehouse) -> Inside:
    return await gate.visit(name="Anna")


# Every address that tells a token, and the whole of each page.
PAGES = {
    **rows(addresses.PAGES, WORKSHOP),
    "pdf of a notebook": "nbconvert/pdf/sub/shared/nb.ipynb",
    "trust without a post": "api/contents/sub/shared/nb.ipynb/trust",
    "double slash before a file": "files//secret/secret.txt",
}


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES.keys())
@pytest.mark.parametrize("navigating", [True, False], ids=["navigation", "request"])
async def test_leak_raw_token(
    gate: Gatehouse, anna: Inside, forbidden: dict[str, bytes], path: str, navigating: bool
) -> None:
    """Pages, error pages and redirects of the server carry its raw token; none of ours does."""
    fields = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"} if navigating else {}
    reply = await anna.ask("GET", path, headers=fields)

    assert not search(forbidden, path, flat(reply))
    assert b"data-jupyter-api-token" not in reply.body
    assert "token=" not in reply.header("Location")


async def bare(workshop: JupyterServer, method: str, target: str, body: bytes = b"") -> Reply:
    """What the server itself answers its owner."""
    return await raw(workshop.port, method, f"/{target}", {"Authorization": f"token {workshop.token}"}, body)


async def test_a_bare_server_tells_its_token_there(workshop: JupyterServer) -> None:
    """The addresses above are those that leak, but for a trailing slash, of which a bare server tells its own path."""
    token = workshop.token
    shown = {name: path.replace(f"token={WORKSHOP.mark}", f"token={token}") for name, path in PAGES.items()}
    told = {name: await bare(workshop, "GET", path) for name, path in shown.items()}
    silent = {name for name, reply in told.items() if token.encode() not in flat(reply)}

    assert silent == {name for name in PAGES if name.startswith("trailing slash")}


@pytest.mark.parametrize(
    "path", ["api/status", "api/contents/sub/shared", "files/sub/shared/data.csv", "api/kernelspecs", "lab", "nope"]
)
async def test_leak_cookies(anna: Inside, path: str) -> None:
    """Every authenticated answer of the server sets a cookie that is a 30-day credential; none passes."""
    reply = await anna.ask("GET", path)

    assert reply.header("Set-Cookie") == ""


async def test_attack_the_servers_cookie_opens_nothing(anna: Inside, wire: Wire, workshop: JupyterServer) -> None:
    """Alone it opens a bare server, with a made-up pair against forgery changes it; the gate does not pass it on."""
    cookie = (await bare(workshop, "GET", "api/status")).header("Set-Cookie").partition(";")[0]
    pair = {"Cookie": f"{cookie}; _xsrf=zqpair", "X-XSRFToken": "zqpair"}
    secret, folder = "api/contents/secret/secret.txt", "api/contents/sub/shared"
    read = await raw(workshop.port, "GET", f"/{secret}", {"Cookie": cookie})
    made = await raw(workshop.port, "POST", f"/{folder}", pair, b'{"type":"file"}')
    (workshop.root / made.json["path"]).unlink()
    assert (read.status, made.status) == (200, 201)

    for method, target in (("GET", secret), ("GET", folder), ("POST", folder)):
        alone = await anna.ask(method, target, headers=pair, body=b"{}" if method == "POST" else b"")
        assert alone.status == 401, target
        both = {**pair, "Cookie": f"{anna.manners('GET')['Cookie']}; {pair['Cookie']}"}
        beside = await anna.ask(method, target, headers=both, body=b"{}" if method == "POST" else b"")
        assert beside.status == (200 if (method, target) == ("GET", folder) else 404 if target == secret else 403)
    assert b"zqpair" not in wire.everything and cookie.encode() not in wire.everything
    assert b"\r\ncookie:" not in wire.everything.lower()


async def test_leak_names_that_the_server_makes_up(anna: Inside, workshop: JupyterServer) -> None:
    """To a bare server each request is another anonymous user; a visitor is who the gate says, each time the same."""
    strangers = [(await bare(workshop, "GET", "api/me")).json["identity"]["username"] for _ in range(2)]
    known = [(await anna.ask("GET", "api/me")).json["identity"] for _ in range(2)]

    assert strangers[0] != strangers[1]
    assert known[0] == known[1] and known[0]["name"] == "Anna"


SAID = {
    "X-Forwarded-For": "zqsaid",
    "X-Forwarded-Host": "zqsaid",
    "X-Forwarded-Proto": "zqsaid",
    "X_Forwarded_User": "zqsaid",
    "Forwarded": "for=zqsaid",
    "X-Real-IP": "zqsaid",
    "X-Scheme": "zqsaid",
    "X-HTTP-Method-Override": "zqsaid",
    "Remote-User": "zqsaid",
    "X-XSRFToken": "zqsaid",
    "Referer": "http://zqsaid.example/",
    "User-Agent": "zqsaid",
}


@pytest.mark.parametrize("path", ["api/contents/sub/shared", "files/sub/shared/data.csv", "lab", "api/kernelspecs"])
async def test_attack_what_a_visitor_says_of_themselves_reaches_no_server(anna: Inside, wire: Wire, path: str) -> None:
    """No field of a visitor's goes on that the server could take for a name or an address, and Host is the server's."""
    reply = await anna.ask("GET", path, headers=SAID)

    assert reply.status in (200, 302)
    assert b"zqsaid" not in wire.everything
    assert set(re.findall(rb"^Host: (.*)\r$", wire.everything, re.M | re.I)) == {b"127.0.0.1:%d" % wire.port}


# What a bare server's page says of its computer, its hub and its owner.
CONFIG_KEYS = {
    "serverRoot",
    "virtualDocumentsUri",
    "appSettingsDir",
    "schemasDir",
    "staticDir",
    "templatesDir",
    "themesDir",
    "userSettingsDir",
    "workspacesDir",
    "labextensionsPath",
    "extraLabextensionsPath",
    "store_id",
    "fullMathjaxUrl",
    "mathjaxUrl",
}
HUB_KEYS = {"hubUser", "hubHost", "hubPrefix", "hubServerName", "shareUrl"}


@pytest.fixture
def behind_a_hub(workshop: JupyterServer) -> Iterator[None]:
    """The server's pages say what a hub's servers say of themselves."""
    said = workshop.root.parent / "config" / "labconfig" / "page_config.json"
    said.parent.mkdir(parents=True, exist_ok=True)
    said.write_text(json.dumps({key: f"/zqbadger/{key}" for key in (*HUB_KEYS, "preferredPath", "anything")}))
    yield
    said.unlink()


def page_config(reply: Reply) -> dict[str, Any]:
    text = reply.body.decode().split('id="jupyter-config-data"')[1].split(">", 1)[1].split("</script>")[0]
    config: dict[str, Any] = json.loads(text)
    return config


@pytest.mark.usefixtures("behind_a_hub")
async def test_leak_page_configuration(anna: Inside, workshop: JupyterServer) -> None:
    """Every key that holds a path, a user or a token is gone or our own; none of the values is an absolute path."""
    target = "lab/tree/sub/shared/nb.ipynb"
    told, config = page_config(await bare(workshop, "GET", target)), page_config(await anna.ask("GET", target))

    assert told["token"] == workshop.token and config["token"] == ""
    assert told["extensionManager"] and config["extensionManager"] == {}
    assert str(workshop.root) in told["rootUri"] and config["rootUri"] == "file:///-"
    assert HUB_KEYS | CONFIG_KEYS - {"extraLabextensionsPath", "mathjaxUrl"} <= set(told)
    assert not (CONFIG_KEYS | HUB_KEYS | {"anything"}) & set(config)
    assert config["treePath"] == "sub/shared/nb.ipynb" and config["workspace"] == "default"
    assert config["preferredPath"] == "sub/shared"
    for value in _strings(config):
        assert not value.startswith(("/home", "/root", "/tmp", "/usr", "/zq", str(Path.home()), sys.prefix)), value


@pytest.mark.usefixtures("behind_a_hub")
@pytest.mark.parametrize(
    "target", ["tree", "tree/sub/shared", "tree/sub", "notebooks/sub/shared/nb.ipynb", "edit/sub/shared/notes.md"]
)
async def test_leak_page_configuration_of_notebook(anna: Inside, workshop: JupyterServer, target: str) -> None:
    """What Notebook's own page tells of token, paths and hub, the visitor's does not, at each of its addresses."""
    reply = await anna.ask("GET", target)
    told, config = page_config(await bare(workshop, "GET", target)), page_config(reply)

    assert told["token"] == workshop.token and config["token"] == ""
    assert str(workshop.root) in told["rootUri"] and config["rootUri"] == "file:///-"
    assert not (CONFIG_KEYS | HUB_KEYS | {"anything"}) & set(config)
    assert config["notebookPage"] == target.partition("/")[0]
    assert b"custom.css" not in reply.body and workshop.token.encode() not in reply.body
    for value in _strings(config):
        assert not value.startswith(("/home", "/root", "/tmp", "/usr", "/zq", str(Path.home()), sys.prefix)), value


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _strings(part)


ERRORS = {
    **{name: ("GET", target, b"") for name, target in rows(addresses.ERRORS, WORKSHOP).items()},
    "no notebook, through a link within": ("GET", "api/contents/sub/shared/link_in.txt?type=notebook&content=1", b""),
    "save into a missing folder": (
        "PUT",
        "api/contents/sub/shared/nodir/x.txt",
        b'{"type":"file","format":"text","content":""}',
    ),
    "save over a folder": ("PUT", "api/contents/sub/shared/inner", b'{"type":"file","format":"text","content":""}'),
    "delete what is missing": ("DELETE", "api/contents/sub/shared/missing.txt", b""),
    "file id": ("GET", "api/fileid/id?path=zqotter.ipynb", b""),
    "path of an id": ("GET", "api/fileid/path?id=x", b""),
}


@pytest.mark.parametrize(("method", "path", "body"), ERRORS.values(), ids=ERRORS.keys())
async def test_leak_paths_in_errors(
    anna: Inside, forbidden: dict[str, bytes], method: str, path: str, body: bytes
) -> None:
    """The server's error texts quote absolute paths and first bytes; a visitor gets our own few words."""
    reply = await anna.ask(method, path, body=body)

    assert not search(forbidden, path, flat(reply))
    assert b"NotJSONError" not in reply.body and b"Errno" not in reply.body
    assert reply.status < 400 or set(reply.json) == {"error", "message"}


# Where a bare server tells its owner an absolute path, the beginning of a file, or a path in its status line.
QUOTING = {
    "no notebook": b"NotJSONError",
    "no notebook, through a link": b"zqbadger",
    "no notebook, through a link within": b"NotJSONError",
    "save into a missing folder": b"{root}",
    "save over a folder": b"{root}",
    "delete what is missing": b"{root}",
    "missing file": f"sub/shared/{WORKSHOP.mark}.txt".encode(),
    "file id": b"zqotter.ipynb",
}


@pytest.mark.parametrize("name", QUOTING)
async def test_a_bare_server_quotes_there(workshop: JupyterServer, name: str) -> None:
    """The errors above are those that leak."""
    told = flat(await bare(workshop, *ERRORS[name]))

    assert QUOTING[name].replace(b"{root}", str(workshop.root).encode()) in told


async def test_leak_sessions_and_kernels_of_the_owner(anna: Inside, workshop: JupyterServer) -> None:
    """What the owner runs, where, and how busy the server is, is not told: the lists are always empty."""
    run = {"path": "zqotter.ipynb", "name": "x", "type": "notebook", "kernel": {"name": "python3"}}
    async with owning(workshop) as owner:
        session = await owner.ask("POST", "api/sessions", run)
        lists = {path: await anna.ask("GET", path) for path in ("api/sessions", "api/kernels", "api/terminals")}
        status = (await anna.ask("GET", "api/status")).json
        told = await owner.ask("GET", "api/sessions")
        await owner.ask("DELETE", f"api/sessions/{session['id']}")

    assert "zqotter.ipynb" in str(told)
    assert {reply.body for reply in lists.values()} == {b"[]"}
    assert status["kernels"] == 0 and status["connections"] == 0


# Every field that an answer to a visitor may have.
FIELDS = {
    "accept-ranges",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-security-policy",
    "content-type",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "date",
    "last-modified",
    "origin-agent-cluster",
    "permissions-policy",
    "referrer-policy",
    "server",
    "transfer-encoding",
    "vary",
    "x-accel-buffering",
    "x-content-type-options",
    "x-frame-options",
    "x-robots-tag",
}


@pytest.mark.parametrize("origin", ["{gate}", "http://evil.example", "null"])
async def test_leak_headers_of_the_server(anna: Inside, workshop: JupyterServer, origin: str) -> None:
    """No field that tells of the server, lets another origin read, or reports to it."""
    asked = {"Origin": origin.format(gate=anna.gate.origin)}
    told = await raw(workshop.port, "GET", "/api/status", {**asked, "Authorization": f"token {workshop.token}"})
    assert told.header("Access-Control-Allow-Origin") == asked["Origin"]
    for path in (
        "api/contents/sub/shared",
        "files/sub/shared/data.csv",
        "lab",
        "api/kernelspecs",
        "lab/api/translations",
    ):
        reply = await anna.ask("GET", path, headers=asked)
        names = {name.lower() for name, _ in reply.headers}
        assert names <= FIELDS, path
        assert reply.header("Server") == "sharegate" and "report-uri" not in reply.header("Content-Security-Policy")


async def test_leak_settings_of_the_owner(anna: Inside, workshop: JupyterServer) -> None:
    """What the owner has set for himself is not told: every plugin answers with its defaults."""
    settings = workshop.root.parent / "config" / "lab" / "user-settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "themes.jupyterlab-settings").write_text('{"theme": "zqbadger"}')
    try:
        one = await anna.ask("GET", "lab/api/settings/@jupyterlab/apputils-extension:themes")
        every = await anna.ask("GET", "lab/api/settings")
    finally:
        (settings / "themes.jupyterlab-settings").unlink()

    assert one.status == every.status == 200
    assert b"zqbadger" not in one.body + every.body


async def test_leak_workspaces_of_others(anna: Inside, workshop: JupyterServer) -> None:
    """The owner's layout names their open files; a visitor's is her own, and what she writes or deletes is hers too."""
    layout = {"data": {"layout-restorer:data": {"x": "notebook:zqotter.ipynb"}}, "metadata": {"id": "default"}}
    hers = {"data": {"layout-restorer:data": {"x": "notebook:sub/shared/nb.ipynb"}}, "metadata": {"id": "default"}}
    default = "lab/api/workspaces/default"
    async with owning(workshop) as owner:
        await owner.ask("PUT", default, layout)
        try:
            told = [await anna.ask("GET", default), await anna.ask("GET", "lab/api/workspaces")]
            written = await anna.ask("PUT", default, body=json.dumps(hers).encode())
            told += [await anna.ask("GET", default), await anna.ask("DELETE", default)]
            kept = await owner.ask("GET", default)
        finally:
            await owner.ask("DELETE", default)

    assert [reply.status for reply in told] == [200, 200, 200, 204] and written.status == 204
    assert not any(b"zqotter" in reply.body for reply in told)
    assert told[2].json["data"] == hers["data"] and kept["data"] == layout["data"]
