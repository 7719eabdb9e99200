"""What editors destroy in live documents of a real server comes back: versions, restore, undo of a person, alarms."""

from __future__ import annotations

import asyncio
import gc
import json
from pathlib import Path
from typing import Any

import pytest
from pycrdt import Map, Text

from sharegate import living
from sharegate.channels import frames, open_rooms
from sharegate.channels.frames import Awareness, AwarenessState
from sharegate.channels.open_rooms import OpenRooms
from sharegate.errors import StoreUnavailable
from sharegate.stores.sqlite import SqliteStore
from tests.attacks.notebooks import Notebook, plant_notebook
from tests.attacks.pages import Owner, Visitor, editor, make, owning, until, visiting
from tests.gatehouse import Gatehouse, gatehouse
from tests.real.jupyter import JupyterServer, plant, running_jupyter

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]


@pytest.fixture(scope="module")
def gate(watched_gate: Gatehouse) -> Gatehouse:
    return watched_gate


ann, bo = editor("Ann"), editor("Bo")


def on_disk(workshop: JupyterServer, path: str) -> Any:
    """Empty while it is being written."""
    try:
        return json.loads((workshop.root / path).read_text())
    except ValueError:
        return {}


def sources(notebook: Any) -> list[str]:
    """On the disk a source is a list of lines."""
    return ["".join(cell["source"]) for cell in notebook["cells"]]


async def snapshots(gate: Gatehouse, path: str) -> list[dict[str, Any]]:
    asked = {"path": str(gate.jupyter.root / path)}
    status, found = await gate.running.api.call("GET", "/api/v1/snapshots", asked, None)
    assert status == 200, found
    return list(found["snapshots"])


async def visit_id(gate: Gatehouse, path: str, name: str) -> str:
    events = await gate.events(action="document.written")
    return str(next(each["visit"] for each in events if each["path"] == path and each["name"] == name))


async def test_what_the_owner_had_not_saved_over_is_kept_too(
    gate: Gatehouse, ann: Visitor, owner: Owner, workshop: JupyterServer
) -> None:
    """With the document as the owner's page has it, and what is on the disk: a visitor's save makes them one."""
    path = make(workshop, "unsaved.md", "on the disk\n")
    mine = await owner.open(path)
    state = {"user": {"username": "olga", "name": "Olga"}, "autosave": False}
    await mine.send(frames.write(Awareness((AwarenessState(mine.doc.client_id, 1, state),))).data)
    mine.type("not saved\n")
    hers = await ann.open(path)
    mine.doc.get("state", type=Map)["dirty"] = True
    await until(lambda: hers.doc.get("state", type=Map).get("dirty") is True)
    assert (workshop.root / path).read_text() == "on the disk\n"
    hers.type("hers\n")
    await until(lambda: str(mine.source).endswith("hers\n"))
    kept = [await gate.call("GET", f"snapshots/{each['id']}") for each in await snapshots(gate, path)]
    assert sorted(each["text"] for each in kept) == ["on the disk\n", "on the disk\nnot saved\n"]


async def test_a_wiped_notebook_comes_back_live_with_everybody_elses_work(
    gate: Gatehouse, ann: Visitor, bo: Visitor, owner: Owner, workshop: JupyterServer
) -> None:
    """`snapshot undo` while all have it open and type: what the editor deleted is back, the others' work stays, on the
    screens and in the file, and nothing is trusted that was not."""
    path = plant_notebook(workshop, "wiped.ipynb")
    mine = Notebook(await owner.open(path, "json", "notebook"))
    his = Notebook(await bo.open(path, "json", "notebook"))
    hers = Notebook(await ann.open(path, "json", "notebook"))
    his.type("two", " # bo before")
    await until(lambda: "bo before" in str(hers.cell("two")["source"]))
    with hers.page.doc.transaction():
        del hers.cells[0 : len(hers.cells)]
    await until(lambda: not len(mine.cells) and not len(his.cells))
    with his.page.doc.transaction():
        his.put(id="fresh", source=Text("bo after"))
    await until(lambda: "bo after" in mine.sources and "bo after" in hers.sources)
    visit = await visit_id(gate, path, "Ann")
    shown = await gate.call("POST", f"visits/{visit}/undo", {"preview": True})
    assert {cell["id"] for cell in shown["documents"][0]["report"]["cells"]} >= {"one", "two", "three"}
    assert mine.sources == ["bo after"]
    done = await gate.call("POST", f"visits/{visit}/undo", {"preview": False})
    assert done["documents"][0]["problem"] == "", done
    for page in (mine, his, hers):
        await until(lambda page=page: {"one", "two", "three", "fresh"} == {str(c["id"]) for c in page.cells})
        assert "bo before" in str(page.cell("two")["source"])
    assert len(mine.cell("one")["outputs"]) == 1
    assert not any(cell["metadata"].get("trusted") for cell in mine.cells if cell["id"] != "fresh")
    assert done["documents"][0]["before"]["cause"] == "before_undo"
    file = on_disk(workshop, path)
    assert sorted(cell["id"] for cell in file["cells"]) == ["fresh", "one", "three", "two"]
    assert "bo before" in json.dumps(file) and all(page.page.closed is None for page in (mine, his, hers))
    again = await gate.call("POST", f"visits/{visit}/undo", {"preview": False})
    assert again["documents"][0]["report"]["cells"] == []
    his.type("three", " goes on")
    await until(lambda: "goes on" in str(mine.cell("three")["source"]))


async def test_a_version_is_kept_before_the_first_write_and_one_cell_of_it_comes_back(
    gate: Gatehouse, ann: Visitor, owner: Owner, workshop: JupyterServer
) -> None:
    """The version holds what was there before the visit's first change, once; restoring one cell leaves the others."""
    path = plant_notebook(workshop, "onecell.ipynb")
    hers = Notebook(await ann.open(path, "json", "notebook"))
    hers.type("two", " # ann")
    hers.type("three", " ann")
    await until(lambda: "# ann" in json.dumps(on_disk(workshop, path)))
    [kept] = await snapshots(gate, path)
    assert kept["cause"] == "first_write"
    content = (await gate.call("GET", f"snapshots/{kept['id']}"))["notebook"]
    assert sources(content) == ["print(6*7)", "x = 1", "# Title"]
    done = await gate.call("POST", f"snapshots/{kept['id']}/restore", {"cells": ["two"]})
    assert done["restored"]
    await until(lambda: hers.sources == ["print(6*7)", "x = 1", "# Title ann"])
    file = on_disk(workshop, path)
    assert sources(file) == ["print(6*7)", "x = 1", "# Title ann"]
    [before, first] = await snapshots(gate, path)
    assert (before["cause"], first["cause"]) == ("before_restore", "first_write")
    replaced = (await gate.call("GET", f"snapshots/{before['id']}"))["notebook"]
    assert sources(replaced) == ["print(6*7)", "x = 1 # ann", "# Title ann"]


async def test_a_version_comes_back_into_a_document_that_nobody_has_open(
    gate: Gatehouse, ann: Visitor, workshop: JupyterServer
) -> None:
    """The gate opens it for that, and the file is written, with its outputs, which are not trusted."""
    path = plant_notebook(workshop, "alone.ipynb")
    file = str(gate.jupyter.root / path)
    taken = (await gate.call("POST", "snapshots", {"path": file}))["snapshot"]
    hers = Notebook(await ann.open(path, "json", "notebook"))
    with hers.page.doc.transaction():
        del hers.cells[0]
    await until(lambda: len(on_disk(workshop, path).get("cells", ())) == 2)
    await hers.page.leave()
    await gate.call("POST", f"snapshots/{taken['id']}/restore", {})
    now = on_disk(workshop, path)
    assert [cell["id"] for cell in now["cells"]] == ["one", "two", "three"]
    assert now["cells"][0]["outputs"] and "trusted" not in now["cells"][0]["metadata"]


async def test_what_an_editor_deletes_is_made_again(gate: Gatehouse, ann: Visitor, workshop: JupyterServer) -> None:
    """A notebook, text and bytes, each alone and in a folder, kept before the delete."""
    shared = workshop.root / "sub" / "shared"
    (shared / "doomed").mkdir()
    (shared / "doomed" / "raw.bin").write_bytes(bytes(range(256)))
    (shared / "doomed" / "words.md").write_text("some words\n")
    book = plant_notebook(workshop, "doomed.ipynb")
    was = on_disk(workshop, book)
    for path in (book, "sub/shared/doomed/words.md", "sub/shared/doomed/raw.bin", "sub/shared/doomed"):
        reply = await ann.inside.ask("DELETE", f"api/contents/{path}")
        assert reply.status == 204, reply.body
        assert not (workshop.root / path).exists()
    for path in (book, "sub/shared/doomed/words.md", "sub/shared/doomed/raw.bin"):
        [kept] = await snapshots(gate, path)
        assert kept["cause"] == "before_delete"
        done = await gate.call("POST", f"snapshots/{kept['id']}/restore", {})
        assert done["restored"] and done["missing"]
    assert sources(on_disk(workshop, book)) == sources(was)
    assert (shared / "doomed" / "words.md").read_text() == "some words\n"
    assert (shared / "doomed" / "raw.bin").read_bytes() == bytes(range(256))


async def test_a_folder_is_deleted_with_all_that_is_in_it_kept(
    gate: Gatehouse, ann: Visitor, workshop: JupyterServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However deep it lies, and an open document as it is in its room; what is too much to be kept is not deleted."""
    top = workshop.root / "sub" / "shared" / "whole"
    (top / "deeper").mkdir(parents=True)
    (top / "a.md").write_text("a\n" * 2500)
    (top / "deeper" / "b.md").write_text("b\n")
    page = await ann.open("sub/shared/whole/deeper/b.md")
    page.type("typed a moment ago")
    await ann.open("sub/shared/whole/deeper/b.md")  # its step 2 says that the words before have arrived

    for limit, most in (("MOST_FILES", 2), ("MOST_BYTES", 4000)):
        with monkeypatch.context() as tight:
            tight.setattr(living, limit, most)
            reply = await ann.inside.ask("DELETE", "api/contents/sub/shared/whole")
        assert (reply.status, reply.public) == (413, "body_too_large") and (top / "deeper" / "b.md").exists()

    reply = await ann.inside.ask("DELETE", "api/contents/sub/shared/whole")
    assert reply.status == 204 and not top.exists(), reply.body
    for path, words in (("a.md", "a\n" * 2500), ("deeper/b.md", "b\ntyped a moment ago")):
        kept = [each for each in await snapshots(gate, f"sub/shared/whole/{path}") if each["cause"] == "before_delete"]
        assert words in [(await gate.call("GET", f"snapshots/{each['id']}"))["text"] for each in kept]


async def test_a_file_over_an_open_document_is_refused(ann: Visitor, bo: Visitor, workshop: JupyterServer) -> None:
    """`document_open`, in any spelling that a disk may take for the same; closed, it is kept and replaced."""
    path = make(workshop, "open.md")
    page = await bo.open(path)
    body = json.dumps({"type": "file", "format": "text", "content": "mine"}).encode()
    reply = await ann.inside.ask("PUT", f"api/contents/{path}", body=body)
    assert (reply.status, reply.public) == (409, "document_open")
    assert (workshop.root / path).read_text() == "first line\n" and page.closed is None


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A store that keeps no versions, no changes, or neither, as the list says."""
    kinds: list[str] = []

    def failing(name: str, kind: str) -> None:
        real = getattr(SqliteStore, name)

        async def act(self: SqliteStore, *args: Any, **more: Any) -> Any:
            if kind in kinds:
                raise StoreUnavailable("full")
            return await real(self, *args, **more)

        monkeypatch.setattr(SqliteStore, name, act)

    failing("keep_version", "versions")
    failing("append_edits", "edits")
    return kinds


@pytest.mark.parametrize("kind", ["versions", "edits"])
async def test_nothing_is_written_that_cannot_be_kept(
    ann: Visitor, owner: Owner, workshop: JupyterServer, full: list[str], kind: str
) -> None:
    """The first change is refused when version or log cannot be stored, and reached nobody; the file is untouched."""
    path = make(workshop, f"full_{kind}.md")
    mine = await owner.open(path)
    hers = await ann.open(path)
    full.append(kind)
    hers.type("lost\n")
    await until(lambda: hers.closed is not None)
    full.clear()
    again = await ann.open(path)
    again.type("kept\n")
    await until(lambda: "kept" in str(mine.source))
    assert str(mine.source) == "first line\nkept\n"


async def test_writing_ends_when_changes_cannot_be_stored_any_more(
    ann: Visitor, bo: Visitor, workshop: JupyterServer, full: list[str]
) -> None:
    """What waits is not lost: it is stored when it can be, and then writing goes on."""
    path = make(workshop, "later.md")
    hers = await ann.open(path)
    hers.type("one\n")
    his = await bo.open(path)
    await until(lambda: "one" in str(his.source))
    full.append("edits")
    hers.type("two\n")
    await until(lambda: "two" in str(his.source))

    async def refused() -> None:
        while hers.closed is None:
            hers.type(".")
            await asyncio.sleep(0.1)

    await asyncio.wait_for(refused(), 25)
    full.clear()

    async def goes_on() -> None:
        while "again" not in str(his.source):
            page = await ann.open(path)
            page.type("again\n")
            await asyncio.sleep(0.5)

    await asyncio.wait_for(goes_on(), 25)


async def test_a_collapse_is_told_with_the_version_to_go_back_to(
    gate: Gatehouse, ann: Visitor, workshop: JupyterServer
) -> None:
    """The alarm stands in the history, and a restore of the version it names brings the text back."""
    path = make(workshop, "collapse.md", "a line of some length\n" * 50)
    hers = await ann.open(path)
    with hers.doc.transaction():
        hers.source.clear()

    async def told() -> dict[str, Any]:
        while True:
            for event in await gate.events(action="document.alarm"):
                if event["path"] == path:
                    return event
            await asyncio.sleep(0.1)

    event = await asyncio.wait_for(told(), 25)
    assert event["detail"].startswith("collapsed")
    version = event["detail"].rsplit(" ", 1)[1]
    [shown] = [each for each in (await gate.call("GET", "alarms"))["alarms"] if each["path"] == path]
    assert (shown["what"], shown["name"]) == ("collapsed", "Ann") and version.startswith(shown["version"])
    found = await gate.call("GET", "resolve", None, ref=shown["visit"])
    assert (found["kind"], found["id"]) == ("visit", event["visit"])
    await gate.call("POST", f"snapshots/{shown['version']}/restore", {})
    await until(lambda: str(hers.source) == "a line of some length\n" * 50)
    assert path not in [each["path"] for each in (await gate.call("GET", "alarms"))["alarms"]]


async def test_what_was_written_right_before_the_gate_stops_is_kept(workshop: JupyterServer, tmp_path: Path) -> None:
    """The log of changes has it when the gate is started again."""
    path = plant_notebook(workshop, "stopped.ipynb")
    async with gatehouse(tmp_path, workshop) as house:
        inside = await house.visit(await house.share(role="edit", **{"for": ["Ann"]}))
        async with visiting(inside) as ann:
            page = await ann.open(path, "json", "notebook")
            Notebook(page).type("two", " at the last moment")
            async with owning(workshop) as owner:
                mine = Notebook(await owner.open(path, "json", "notebook"))
                await until(lambda: "last moment" in str(mine.cell("two")["source"]))
    async with gatehouse(tmp_path, workshop) as house:
        visit = inside.base.split("~")[1].strip("/")
        assert [place.path for place in await house.running.api.versions._edits.edited_by(visit)] == [path]


async def test_a_version_comes_back_with_outputs_that_this_run_of_the_gate_never_saw(
    workshop: JupyterServer, tmp_path: Path
) -> None:
    """They were cleared while the gate was down."""
    path = plant_notebook(workshop, "restarted.ipynb")
    async with gatehouse(tmp_path, workshop) as house:
        inside = await house.visit(await house.share(role="edit", **{"for": ["Ann"]}))
        taken = (await house.call("POST", "snapshots", {"path": str(workshop.root / path)}))["snapshot"]
        async with visiting(inside) as ann:
            page = Notebook(await ann.open(path, "json", "notebook"))
            page.type("two", " # ann")
            await until(lambda: "# ann" in json.dumps(on_disk(workshop, path)))
    async with owning(workshop) as owner:
        mine = Notebook(await owner.open(path, "json", "notebook"))
        mine.cell("one")["outputs"].clear()
        await until(lambda: not on_disk(workshop, path).get("cells", [{"outputs": 1}])[0]["outputs"])
    async with gatehouse(tmp_path, workshop) as house:
        await house.call("POST", f"snapshots/{taken['id']}/restore", {})
        file = on_disk(workshop, path)
        assert file["cells"][0]["outputs"] and sources(file) == ["print(6*7)", "x = 1", "# Title"]


async def undo(gate: Gatehouse, visit: str) -> dict[str, Any]:
    [document] = (await gate.call("POST", f"visits/{visit}/undo", {"preview": False}))["documents"]
    return dict(document)


async def found_again(gate: Gatehouse, version: str) -> None:
    """The gate has looked for the server anew."""
    while (await gate.running.api.call("GET", f"/api/v1/snapshots/{version}/difference", {}, None))[0] != 200:
        await asyncio.sleep(0.1)


async def forget(rooms: OpenRooms, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when everybody had left long ago."""
    await until(lambda: all(room.empty for room in rooms._rooms.values()))
    await rooms.closed()
    with monkeypatch.context() as soon:
        soon.setattr(open_rooms, "LINGER_SECONDS", -1.0)
        rooms._forget(but=("", ""))
    assert not rooms._rooms
    gc.collect()  # what only the room held is gone, too


async def test_undo_works_after_the_room_was_forgotten(
    workshop: JupyterServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A visit that wrote before and after is undone in both; what others did meanwhile stays, and where they wrote in
    what the visit had made it is named. A second time nothing is taken back."""
    path = plant_notebook(workshop, "forgotten.ipynb")
    async with gatehouse(tmp_path, workshop) as house:
        made = await house.share(role="edit", **{"for": ["Ann", "Bo"]})
        inside, other = await house.visit(made), await house.visit(made, 1, "Bo")
        visit = inside.base.split("~")[1].strip("/")
        rooms = house.running.api.versions.live._documents.rooms
        async with visiting(inside) as ann, owning(workshop) as owner:
            mine = Notebook(await owner.open(path, "json", "notebook"))
            hers = Notebook(await ann.open(path, "json", "notebook"))
            with hers.page.doc.transaction():
                del hers.cells[0]
                hers.put(id="made", source=Text("ann made"))
                hers.put(id="alone", source=Text("ann alone"))
            hers.type("two", " # ann")
            await until(lambda: "# ann" in str(mine.cell("two")["source"]) and len(mine.cells) == 4)
            await hers.page.leave()
            await forget(rooms, monkeypatch)
            mine.type("two", " # mine")
            mine.type("made", " and mine")
            async with visiting(other) as bo:
                his = Notebook(await bo.open(path, "json", "notebook"))
                his.type("three", " # bo")
                await until(lambda: "# bo" in str(mine.cell("three")["source"]))
                await his.page.leave()
            await forget(rooms, monkeypatch)
            again = Notebook(await ann.open(path, "json", "notebook"))
            again.type("three", " # ann")
            await until(lambda: "# ann" in str(mine.cell("three")["source"]))
            await again.page.leave()
            await forget(rooms, monkeypatch)
            done = await undo(house, visit)
            assert done["problem"] == "", done
            right = {"one": "print(6*7)", "two": "x = 1 # mine", "three": "# Title # bo", "made": "ann made and mine"}
            await until(lambda: {str(cell["id"]): str(cell["source"]) for cell in mine.cells} == right)
            kept = [cell for cell in done["report"]["cells"] if cell["became"] == "kept"]
            assert [(cell["id"], list(cell["others"])) for cell in kept] == [("made", [""])]
            await forget(rooms, monkeypatch)
            assert (await undo(house, visit))["report"]["cells"] == []
            assert {str(cell["id"]): str(cell["source"]) for cell in mine.cells} == right


async def test_undo_works_after_the_gate_was_started_again(workshop: JupyterServer, tmp_path: Path) -> None:
    """Also what the owner did while no gate ran stays, in what the visit had made, too."""
    path = plant_notebook(workshop, "again.ipynb")
    async with owning(workshop) as owner:
        mine = Notebook(await owner.open(path, "json", "notebook"))
        async with gatehouse(tmp_path, workshop) as house:
            inside = await house.visit(await house.share(role="edit", **{"for": ["Ann"]}))
            async with visiting(inside) as ann:
                hers = Notebook(await ann.open(path, "json", "notebook"))
                with hers.page.doc.transaction():
                    del hers.cells[0 : len(hers.cells)]
                    hers.put(id="junk", source=Text("junk"))
                    hers.put(id="more", source=Text("more"))
                await until(lambda: mine.sources == ["more", "junk"])
        mine.type("junk", " and mine")
        with mine.page.doc.transaction():
            mine.put(id="fresh", source=Text("owner after"))
        visit = inside.base.split("~")[1].strip("/")
        async with gatehouse(tmp_path, workshop) as house:
            shown = (await house.call("POST", f"visits/{visit}/undo", {"preview": True}))["documents"][0]
            assert shown["problem"] == "" and mine.sources == ["owner after", "more", "junk and mine"]
            assert (await undo(house, visit))["problem"] == ""
            await until(lambda: {str(cell["id"]) for cell in mine.cells} == {"one", "two", "three", "fresh", "junk"})
            assert str(mine.cell("junk")["source"]) == "junk and mine"
        async with gatehouse(tmp_path, workshop) as house:
            assert (await undo(house, visit))["report"]["cells"] == []
        assert len(mine.cells) == 5


@pytest.mark.parametrize("history", ["kept", "lost"])
async def test_undo_after_the_server_was_started_again(tmp_path: Path, history: str) -> None:
    """A server that kept its own records goes on with the document: undo works. One that rebuilt it from a file that
    was changed has another: undo is refused, and names the version from before the visit's first change."""
    home = tmp_path / "home"
    (home / "root").mkdir(parents=True)
    plant(home / "root")
    with running_jupyter(home) as server:
        port, token = server.port, server.token
        path = plant_notebook(server, "rebuilt.ipynb")
        async with gatehouse(tmp_path, server) as house:
            inside = await house.visit(await house.share(role="edit", **{"for": ["Ann"]}))
            visit = inside.base.split("~")[1].strip("/")
            async with visiting(inside) as ann:
                hers = Notebook(await ann.open(path, "json", "notebook"))
                hers.type("two", " # ann")
                await until(lambda: "# ann" in json.dumps(on_disk(server, path)))
            [first] = await snapshots(house, path)
    if history == "lost":
        (home / "root" / ".jupyter_ystore.db").unlink()
        file = server.root / path
        # As long as before: the rebuilt document has the same ids, and other words under them.
        file.write_text(file.read_text().replace("print(6*7)", "print(7*6)"))
    with running_jupyter(home, port=port, token=token) as server:
        async with gatehouse(tmp_path, server) as house:
            await asyncio.wait_for(found_again(house, first["id"]), 25)
            done = await undo(house, visit)
            if history == "kept":
                assert done["problem"] == "", done
                assert sources(on_disk(server, path)) == ["print(6*7)", "x = 1", "# Title"]
                return
            assert "rebuilt the document from its file" in done["problem"] and done["report"] is None
            assert f"sharegate snapshot restore {first['id']}" in done["problem"]
            assert sources(on_disk(server, path)) == ["print(7*6)", "x = 1 # ann", "# Title"]
            await house.call("POST", f"snapshots/{first['id']}/restore", {})
            assert sources(on_disk(server, path)) == ["print(6*7)", "x = 1", "# Title"]


async def test_undo_of_a_visit_that_only_changed_files_says_what_it_covers(
    gate: Gatehouse, ann: Visitor, workshop: JupyterServer
) -> None:
    """And names the versions that were kept on its account."""
    path = make(workshop, "only_deleted.md")
    assert (await ann.inside.ask("DELETE", f"api/contents/{path}")).status == 204
    [kept] = await snapshots(gate, path)
    asked = {"preview": True}
    visit = ann.inside.base.split("~")[1].strip("/")
    status, answer = await gate.running.api.call("POST", f"/api/v1/visits/{visit}/undo", {}, asked)
    assert status == 403 and "undo covers edits in live documents" in answer["error"]["message"]
    assert f"{kept['label']} ({path})" in answer["error"]["remedy"]
    assert "sharegate snapshot list" in answer["error"]["remedy"]
