"""Programs that were written for Jupyter's own server, unchanged: they get gate URL and share token instead."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from pathlib import Path
from typing import Any

import jupyter_kernel_client
import jupyter_nbmodel_client
import pytest
import requests
import websockets
from pycrdt import Array, Doc, create_sync_message, handle_sync_message

from tests.gatehouse import Gatehouse, Program
from tests.programs.conftest import sources, until
from tests.real.jupyter import JupyterServer

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]


def server_url(who: Program) -> str:
    return (who.gate.origin + who.base).rstrip("/")


class Script:
    """What a script with `requests` does: a session with the token in its header."""

    def __init__(self, who: Program) -> None:
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"token {who.cookie}"
        self._url = server_url(who) + "/"

    async def ask(self, method: str, path: str, body: Any = None) -> requests.Response:
        return await asyncio.to_thread(self._session.request, method, self._url + path, json=body, timeout=30)


# -- jupyter_nbmodel_client -------------------------------------------------------------------------------------------


async def model_of(who: Program, path: str) -> jupyter_nbmodel_client.NbModelClient:
    address = await asyncio.to_thread(
        jupyter_nbmodel_client.get_jupyter_notebook_websocket_url, server_url(who), path, who.cookie
    )
    return jupyter_nbmodel_client.NbModelClient(address)


async def test_nbmodel_client_edits_a_notebook_and_the_server_has_it(
    editor: Program, workshop: JupyterServer, notebook: Path
) -> None:
    """Reads, changes a cell, adds one and deletes one; the server writes the file, and nothing was refused."""
    async with await model_of(editor, f"sub/shared/{notebook.name}") as model:
        assert [cell["source"] for cell in model] == ["# Shared notebook", "print(6*7)", "x = 'second'"]
        model.set_cell_source(1, "print('by a program')")
        model.add_markdown_cell("# Added")
        model.delete_cell(2)
        await until(lambda: sources(notebook) == ["# Shared notebook", "print('by a program')", "# Added"])

    assert await editor.gate.denials(editor.share["id"]) == []
    actions = [event["action"] for event in await editor.gate.events(share=editor.share["id"])]
    assert "document.written" in actions and "document.corrected" not in actions


async def test_two_programs_see_each_others_edits(editor: Program, notebook: Path) -> None:
    """Two connections of one visit, as two tabs of one browser."""
    path = f"sub/shared/{notebook.name}"
    async with await model_of(editor, path) as one, await model_of(editor, path) as other:
        one.set_cell_source(0, "# From one")
        await until(lambda: other[0]["source"] == "# From one")
        other.set_cell_source(1, "from_other = 1")
        await until(lambda: one[1]["source"] == "from_other = 1")

    assert await editor.gate.denials(editor.share["id"]) == []


async def test_a_viewers_nbmodel_client_reads_and_changes_nothing(
    gate: Gatehouse, viewer: Program, editor: Program, notebook: Path
) -> None:
    """What it writes reaches nobody; what an editor writes meanwhile reaches it."""
    path = f"sub/shared/{notebook.name}"
    async with await model_of(viewer, path) as reading, await model_of(editor, path) as writing:
        reading.set_cell_source(2, "by the viewer")
        writing.set_cell_source(0, "# By the editor")
        await until(lambda: reading[0]["source"] == "# By the editor")
        await until(lambda: sources(notebook)[:1] == ["# By the editor"])

        assert writing[2]["source"] == "x = 'second'"
    await until(lambda: sources(notebook)[2:] == ["x = 'second'"])


async def test_nbmodel_client_is_told_that_its_link_ended(gate: Gatehouse, editor: Program, notebook: Path) -> None:
    """The live connection closes at once, and a new one is refused."""
    model = await model_of(editor, f"sub/shared/{notebook.name}")
    running = asyncio.create_task(model.run())
    await asyncio.wait_for(model.wait_until_synced(), 25)
    await gate.call("POST", f"links/{editor.link['id']}/revoke")

    with pytest.raises(websockets.ConnectionClosed) as caught:
        async with asyncio.timeout(25):
            await running
    assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (4403, "link_revoked")
    with pytest.raises(requests.HTTPError, match="403"):
        await model_of(editor, "sub/shared/nb.ipynb")


# -- requests ---------------------------------------------------------------------------------------------------------


async def test_a_script_with_requests_lists_reads_and_writes(
    editor: Program, workshop: JupyterServer, notebook: Path
) -> None:
    """The contents API, and plain files."""
    script = Script(editor)
    listed = (await script.ask("GET", "api/contents/sub/shared?content=1")).json()
    assert {"nb.ipynb", "data.csv", "inner"} <= {entry["name"] for entry in listed["content"]}
    assert (await script.ask("GET", "files/sub/shared/data.csv")).text == "a,b\n1,2\n"
    model = (await script.ask("GET", "api/contents/sub/shared/data.csv")).json()
    assert (model["content"], model["path"]) == ("a,b\n1,2\n", "sub/shared/data.csv")

    put = await script.ask(
        "PUT", "api/contents/sub/shared/by-script.csv", {"type": "file", "format": "text", "content": "x\n"}
    )
    assert put.status_code == 201, put.text
    assert put.headers["Location"] == f"{editor.base}api/contents/sub/shared/by-script.csv"
    written = workshop.root / "sub" / "shared" / "by-script.csv"
    assert written.read_text() == "x\n"
    deleted = await script.ask("DELETE", "api/contents/sub/shared/by-script.csv")
    assert (deleted.status_code, written.exists()) == (204, False)


@pytest.mark.parametrize(
    "path",
    [
        *("secret/secret.txt", "sub/shared2/sibling.txt", "sub/shared/.hidden.txt", "sub/shared/link_secret.txt"),
        "sub/shared/nothing-there.txt",
    ],
)
async def test_outside_is_not_there_for_a_script(editor: Program, path: str) -> None:
    """One answer for what is outside, hidden, linked out and missing, as for a browser."""
    answer = await Script(editor).ask("GET", f"api/contents/{path}")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"
    browser = await (await editor.gate.visit()).ask("GET", f"api/contents/{path}")
    assert browser.json["error"]["code"] == "not_found"


async def test_a_viewers_script_is_told_what_it_may_not(viewer: Program, workshop: JupyterServer) -> None:
    """JSON with a code, on every way to write."""
    script = Script(viewer)
    for method, body in [("PUT", {"type": "file", "format": "text", "content": "x"}), ("DELETE", None)]:
        answer = await script.ask(method, "api/contents/sub/shared/data.csv", body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not_allowed")
    assert (workshop.root / "sub/shared/data.csv").read_text() == "a,b\n1,2\n"


async def test_a_script_is_told_who_it_is_and_that_nothing_runs(editor: Program) -> None:
    """Questions that programs begin with have answers; kernels have a clear no."""
    script = Script(editor)
    assert (await script.ask("GET", "api/me")).json()["identity"]["name"] == "Ann · program"
    for path in ("api/status", "api/kernelspecs", "api/kernels", "api/sessions"):
        assert (await script.ask("GET", path)).status_code == 200, path
    refused = await script.ask("POST", "api/kernels", {"name": "python3"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "not_allowed")


async def test_kernel_client_is_refused_clearly(editor: Program) -> None:
    """No kernel is started, and the program says 403 instead of waiting for ever."""

    def run() -> None:
        with jupyter_kernel_client.JupyterKernelClient(server_url=server_url(editor), token=editor.cookie) as kernel:
            kernel.execute("1 + 1")

    with pytest.raises(requests.HTTPError, match="403"):
        await asyncio.to_thread(run)


async def test_a_script_reads_why_its_link_works_no_more(gate: Gatehouse, editor: Program) -> None:
    """Paused, resumed, ended: each request is told as the link is then."""
    script = Script(editor)
    told = []
    for verb in ("pause", "resume", "revoke"):
        await gate.call("POST", f"shares/{editor.share['id']}/{verb}")
        answer = await script.ask("GET", "api/contents/sub/shared")
        told.append((answer.status_code, answer.json().get("error", {}).get("code")))
    assert told == [(403, "share_paused"), (200, None), (403, "share_revoked")]


# -- websockets -------------------------------------------------------------------------------------------------------


async def test_a_script_with_websockets_joins_a_room(editor: Program, notebook: Path) -> None:
    """Session request, then the room by its id; the document arrives."""
    body = {"format": "json", "type": "notebook"}
    asked = await Script(editor).ask("PUT", f"api/collaboration/session/sub/shared/{notebook.name}", body)
    session = asked.json()
    room = f"{session['format']}:{session['type']}:{session['fileId']}"
    address = server_url(editor).replace("http", "ws", 1) + f"/api/collaboration/room/{room}"
    headers = {"Authorization": f"Bearer {editor.cookie}"}
    doc: Doc[Any] = Doc()
    async with (
        websockets.connect(f"{address}?sessionId={session['sessionId']}", additional_headers=headers) as socket,
        asyncio.timeout(25),
    ):
        await socket.send(create_sync_message(doc))
        async for message in socket:
            if isinstance(message, bytes) and message[0] == 0:
                handle_sync_message(message[1:], doc)
                if message[1] == 1:
                    break
    cells = doc.get("cells", type=Array)
    assert str(cells[0]["source"]) == "# Shared notebook"


@pytest.mark.parametrize(
    ("name", "value"),
    [("Origin", "{origin}"), ("Origin", "https://evil.example"), ("Cookie", "a=b"), ("Sec-Fetch-Mode", "websocket")],
)
async def test_a_websocket_with_a_browsers_headers_is_refused(editor: Program, name: str, value: str) -> None:
    """A browser always says its origin: whoever does is none of a program's."""
    path = "api/collaboration/room/JupyterLab:globalAwareness"
    assert await editor.upgrade(path) == 101
    assert await editor.upgrade(path, headers={name: value.format(origin=editor.gate.origin)}) == 403


# -- leaks ------------------------------------------------------------------------------------------------------------


async def test_the_share_token_stands_in_no_answer_log_or_trail(
    gate: Gatehouse, editor: Program, workshop: JupyterServer, notebook: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever was asked with it, in header and query, answered and refused; nor in what the server was told."""
    caplog.set_level(logging.DEBUG, logger="sharegate")
    token = editor.cookie
    answers = []
    bare = Program(editor.gate, editor.share, editor.link, editor.base, "")
    for path in (
        *("api/contents/sub/shared", "api/me", "files/sub/shared/page.html", "files/sub/shared/data.csv", "lab", ""),
        *("api/contents/secret", "api/kernelspecs", "nowhere", "api/contents/sub/shared/..", "lab/api/settings"),
    ):
        answers.append(await editor.ask("GET", path))
        answers.append(await bare.ask("GET", f"{path}?token={token}"))
        answers.append(await bare.ask("GET", f"{path}?token={token}&x=%00"))
        answers.append(await bare.ask("GET", f"{path}?token={token}", headers={"Sec-Fetch-Mode": "cors"}))
        answers.append(await bare.ask("GET", f"{path}?token={token}", headers={"Cookie": f"x={token}"}))
    answers.append(
        await editor.ask(
            "PUT",
            "api/contents/sub/shared/t.csv",
            body=json.dumps({"type": "file", "format": "text", "content": "1"}).encode(),
            headers={"Content-Type": "application/json"},
        )
    )
    assert {200, 201, 400, 403, 404} <= {answer.status for answer in answers}
    async with await model_of(editor, f"sub/shared/{notebook.name}") as model:
        model.set_cell_source(1, "edited = 1")
        await until(lambda: sources(notebook)[1:2] == ["edited = 1"])
    trail = json.dumps(await gate.events())
    owners = json.dumps([await gate.call("GET", "visits"), await gate.call("GET", "shares")])

    (workshop.root / "sub/shared/t.csv").unlink()
    secret = token.rpartition(".")[2]
    spellings = [token, secret, base64.b64encode(token.encode()).decode(), token.replace(".", "%2E")]
    for text in (
        *(f"{answer.headers} {answer.body!r}" for answer in answers),
        trail,
        owners,
        caplog.text,
        workshop.log.read_text(),
    ):
        assert not [one for one in spellings if one in text]


async def test_a_browser_with_the_token_in_its_address_is_sent_to_the_door(editor: Program) -> None:
    """With the token in the fragment, which is sent to nobody; nothing is spent, and no page is there without it."""
    navigation = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none"}
    bare = Program(editor.gate, editor.share, editor.link, editor.base, "")
    gone = await bare.ask("GET", f"lab/tree/sub/shared?token={editor.cookie}", headers=navigation)
    assert (gone.status, gone.header("Location"), gone.body) == (302, f"/join#{editor.cookie}", b"")
    assert (gone.header("Referrer-Policy"), gone.header("Cache-Control")) == ("no-referrer", "no-store")
    forged = await bare.ask("GET", "lab?token=a.b.c", headers=navigation)
    assert (forged.status, forged.header("Location")) == (401, "")
    page = await bare.ask("GET", "lab", headers=navigation)
    assert page.status == 403
    assert b"This address is for programs." in page.body
    assert (await editor.gate.call("GET", "visits"))["visits"] == []
