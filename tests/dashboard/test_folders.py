"""What an owner can choose from, and what a visitor of it would reach."""

from __future__ import annotations

import os
from typing import Any

import pytest
from aiohttp import web

from sharegate.upstream.model import Credential, Upstream
from tests.dashboard.conftest import SERVER, Office


async def browse(office: Office, path: str = "") -> dict[str, dict[str, Any]]:
    answer = await office.call("GET", f"servers/{SERVER}/browse", path=path)
    return {entry["name"]: entry for entry in answer["entries"]}


async def test_folders_come_first_and_each_tells_whether_it_can_be_shared(office: Office) -> None:
    """Hidden names come last; links, sockets and names that no address can say are told with the reason."""
    (office.folder / ".secret").mkdir()
    (office.folder / "a.ipynb").write_text("{}")
    (office.folder / "out").symlink_to("/etc")
    os.mkfifo(office.folder / "pipe")
    (office.folder / "back\\slash").mkdir()
    (office.folder / "zzz\udcff.txt").write_text("")
    found = await browse(office)
    assert list(found) == ["back\\slash", "week3", "week4", "a.ipynb", "notes.md", "out", "pipe", "zzz?.txt", ".secret"]
    assert {name: entry["reason"] for name, entry in found.items() if not entry["shareable"]} == {
        "back\\slash": "bad_name",
        "out": "link",
        "pipe": "other",
        "zzz?.txt": "bad_name",
        ".secret": "hidden_path",
    }
    assert found["a.ipynb"]["kind"] == "notebook" and found["week3"]["path"] == "week3"


async def test_what_is_offered_can_be_shared_and_nothing_else(office: Office) -> None:
    """The list and the making of a share judge alike, the server's root among them."""
    (office.folder / ".secret").mkdir()
    (office.folder / "out").symlink_to("/etc")
    (office.folder / "keys").mkdir()
    (office.folder / "copy" / "inner" / "keys").mkdir(parents=True)
    (office.folder / "copy" / "inner" / "keys" / "ring.json").write_text("{}")
    (office.folder / "copy" / "inner" / "sharegate.db").write_text("")
    found = await browse(office)
    assert found["copy"]["reason"] == "protected_path"
    for name, entry in found.items():
        status, _ = await office.ask("POST", "shares", {"path": name, "server": SERVER})
        assert (status == 200) is entry["shareable"], name
    answer = await office.call("GET", f"servers/{SERVER}/browse")
    assert answer["folder"]["reason"] == "root_of_server"


@pytest.mark.parametrize("path", ["..", "week3/../..", "week3//x", "/etc", "out", "out/ssl", "nothing", "notes.md"])
async def test_attack_the_list_is_led_out_of_the_servers_root(office: Office, path: str) -> None:
    """A path is one below the root, spelled in one way, and no link on it leads out."""
    (office.folder / "out").symlink_to("/etc")
    status, answer = await office.ask("GET", f"servers/{SERVER}/browse", path=path)
    assert status == 400 and answer["error"]["field"] == "path" and answer["error"]["remedy"]
    status, answer = await office.ask("GET", f"servers/{SERVER}/reach", path=f"{path}/x")
    assert status == 400, answer


async def test_a_hidden_folder_is_not_opened(office: Office) -> None:
    """Nothing in it can be shared."""
    (office.folder / ".ssh").mkdir()
    status, answer = await office.ask("GET", f"servers/{SERVER}/browse", path=".ssh")
    assert status == 403 and answer["error"]["code"] == "hidden_path"


async def test_a_large_folder_is_bounded_and_counted(office: Office) -> None:
    """A thousand entries, and how many more there are."""
    for number in range(1003):
        (office.folder / "week4" / f"{number:04}.txt").touch()
    answer = await office.call("GET", f"servers/{SERVER}/browse", path="week4")
    assert len(answer["entries"]) == 1000 and answer["more"] == 3


async def test_an_unknown_server_is_a_clear_error(office: Office) -> None:
    """It is named."""
    for verb in ("browse", "reach"):
        status, answer = await office.ask("GET", f"servers/nothing/{verb}", path="week3")
        assert status == 404 and "server" in answer["error"]["message"]


async def test_reach_tells_the_way_the_root_and_what_is_beside_it(office: Office) -> None:
    """Names above are told, what lies inside is reached, what is hidden or leads out is not, nor what lies beside."""
    inner = office.folder / "week3" / "lab"
    inner.mkdir()
    (inner / "a.ipynb").write_text("{}")
    (inner / ".env").write_text("")
    (inner / "away").symlink_to("/etc")
    (inner / "near").symlink_to("a.ipynb")
    (office.folder / "week3" / "solutions").mkdir()
    answer = await office.call("GET", f"servers/{SERVER}/reach", path="week3/lab")
    rows = [(row["name"], row["depth"], row["place"]) for row in answer["rows"]]
    assert rows == [
        ("week3", 0, "told"),
        ("lab", 1, "root"),
        ("a.ipynb", 2, "inside"),
        ("away", 2, "outside"),
        ("near", 2, "inside"),
        (".env", 2, "outside"),
        ("solutions", 1, "outside"),
        ("week4", 0, "outside"),
        ("notes.md", 0, "outside"),
    ]


async def test_reach_is_bounded_and_counts_the_rest(office: Office) -> None:
    """Inside and beside."""
    for number in range(50):
        (office.folder / "week3" / f"{number:02}.txt").touch()
        (office.folder / f"beside{number:02}").mkdir()
    answer = await office.call("GET", f"servers/{SERVER}/reach", path="week3")
    inside = [row for row in answer["rows"] if row["place"] == "inside"]
    assert len(inside) == 41 and inside[-1]["more"] == 10
    assert answer["rows"][-1]["more"] == 46 and answer["rows"][-1]["place"] == "outside"


async def test_a_shared_file_has_nothing_below_it(office: Office) -> None:
    """And its neighbours are outside."""
    answer = await office.call("GET", f"servers/{SERVER}/reach", path="notes.md")
    assert answer["kind"] == "file"
    assert [(row["name"], row["place"]) for row in answer["rows"]] == [
        ("notes.md", "root"),
        ("week3", "outside"),
        ("week4", "outside"),
    ]


async def test_a_server_elsewhere_is_asked_once_for_a_folder(office: Office) -> None:
    """It says what each thing in it is; only the folder itself is looked at beside that."""
    asked: list[str] = []
    names = [("sub", "directory"), ("a.ipynb", "notebook"), ("b.csv", "file"), (".env", "file")]
    folder = {"type": "directory", "content": [{"name": name, "type": kind} for name, kind in names]}

    async def contents(request: web.Request) -> web.Response:
        asked.append(request.path_qs)
        return web.json_response(folder)

    served = web.Application()
    served.router.add_get("/{tail:.*}", contents)
    runner = web.AppRunner(served)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]  # it is a server of asyncio
    away = Upstream(id="far2345678", name="far", owner="Olga", url=f"http://127.0.0.1:{port}/", token=Credential("raw"))
    await office.running.gate._store.put_upstream(away)  # type: ignore[attr-defined]  # as `up` records what it found
    answer = await office.call("GET", "servers/far2345678/browse", path="course")
    await runner.cleanup()
    found = {entry["name"]: (entry["shareable"], entry["reason"]) for entry in answer["entries"]}
    assert found == {"sub": (True, ""), "a.ipynb": (True, ""), "b.csv": (True, ""), ".env": (False, "hidden_path")}
    assert answer["folder"]["shareable"] and len(asked) <= 2, asked
