"""The owner's verbs on versions, with documents that are open and a store that keeps them."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs
from pycrdt import Array, Doc, Text

from sharegate.dashboard.login import Viewer
from sharegate.shares.model import new_id
from sharegate.versions.document import new_cell, read
from sharegate.versions.model import Cause, Content, Kind, Limits
from sharegate.versions.snapshots import Keeper
from tests.dashboard.client import Signed
from tests.dashboard.conftest import SERVER, Office
from tests.stores.records import a_visit
from tests.versions.live import OpenDocuments
from tests.versions.notebooks import code, html, live, notebook

PATH = "week3/intro.ipynb"


def cells(doc: Doc[Any]) -> Array[Any]:
    return doc.get("cells", type=Array)


def wipe(doc: Doc[Any]) -> None:
    cells(doc).clear()


def append(text: str) -> Any:
    def act(doc: Doc[Any]) -> None:
        source: Text = cells(doc)[0]["source"]
        source += text

    return act


class Desk:
    """An office with one open notebook, in which the visit `ann` has written."""

    def __init__(self, office: Office) -> None:
        self.office = office
        store = office.running.gate._store
        self.store: Any = store
        self.keeper = Keeper(self.store, Limits(), new_id, office.clock)
        self.documents = OpenDocuments(self.keeper, self.store, Limits(), office.clock)
        self.doc = live(notebook([code("a", "one", (html("x"),)), code("b", "two")]), trusted=("a",))
        self.visit = ""

    async def sit(self) -> Desk:
        share = (await self.office.share(**{"for": ["Ann"]}))["share"]
        link = share["links"][0]["id"]
        for id in ("ann", "bo"):
            await self.store.open_visit(
                a_visit(id, share=share["id"], link=link, name=id.title(), expires=self.office.clock() + 9e6),
                seats=None,
            )
        self.office.running.api.versions.live = self.documents
        await self.documents.open(SERVER, PATH, self.doc)
        await self.documents.write(SERVER, PATH, "ann", append(" ANN"))
        return self

    @property
    def content(self) -> Content:
        return read(self.doc, Kind.NOTEBOOK)

    @property
    def trusted(self) -> list[str]:
        return [cell["id"] for cell in cells(self.doc) if cell["metadata"].get("trusted")]

    async def list(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.office.call("GET", "snapshots"))["snapshots"]
        return found


@pytest.fixture
async def desk(office: Office) -> Desk:
    return await Desk(office).sit()


async def test_versions_are_listed_and_shown(desk: Desk) -> None:
    """With whose change they were kept for; by file, by number, without the server's secrets."""
    (one,) = await desk.list()
    assert (one["path"], one["server"], one["cause"], one["kind"]) == (PATH, SERVER, "first_write", "notebook")
    assert one["by"].startswith("Ann (") and one["id"].startswith(one["label"])
    assert (one["cells"], one["characters"]) == (2, 6)
    shown = await desk.office.call("GET", f"snapshots/{one['label']}")
    assert [cell["source"] for cell in shown["notebook"]["cells"]] == ["one", "two"] and shown["text"] is None
    for path, count in ((PATH, 1), (str(desk.office.folder / PATH), 1), ("week3/other.ipynb", 0)):
        query = {"path": path, "server": SERVER}
        status, found = await desk.office.running.api.call("GET", "/api/v1/snapshots", query)
        assert status == 200 and len(found["snapshots"]) == count


async def test_a_version_is_taken_and_compared(desk: Desk) -> None:
    """With the present, and with another version."""
    desk.office.clock.forward(1)
    taken = (await desk.office.call("POST", "snapshots", {"path": PATH, "server": SERVER}))["snapshot"]
    assert taken["cause"] == "asked"
    first = (await desk.list())[-1]
    now = await desk.office.call("GET", f"snapshots/{first['id']}/difference")
    other = await desk.office.call("GET", f"snapshots/{first['id']}/difference", **{"with": taken["id"]})
    assert now["difference"] == other["difference"] and other["after"]["id"] == taken["id"]
    (cell,) = now["difference"]["cells"]
    assert (cell["change"], cell["id"], cell["lines"]) == ("changed", "a", ("@ 1", "-one", "+one ANN"))
    assert (await desk.office.actions())[-1] == "snapshot.taken"


async def test_restoring_keeps_the_present_first(desk: Desk) -> None:
    """A preview changes nothing; then the document is as it was, the act recorded, and the way back named."""
    await desk.documents.write(SERVER, PATH, "ann", wipe)
    (first,) = await desk.list()
    preview = await desk.office.call("POST", f"snapshots/{first['id']}/restore", {"preview": True})
    assert not preview["restored"] and len(preview["difference"]["cells"]) == 2 and not desk.content.cells
    done = await desk.office.call("POST", f"snapshots/{first['id']}/restore", {})
    assert done["restored"] and done["before"]["cause"] == "before_restore"
    assert [cell["source"] for cell in desk.content.cells] == ["one", "two"]
    assert desk.trusted == [], "outputs came back"
    assert (await desk.office.actions())[-1] == "document.restored"
    again = await desk.office.call("POST", f"snapshots/{first['id']}/restore", {})
    assert not again["restored"] and len(await desk.list()) == 2
    await desk.office.call("POST", f"snapshots/{done['before']['id']}/restore", {})
    assert not desk.content.cells


async def test_restoring_one_cell(desk: Desk) -> None:
    """The others stay as they are."""
    (first,) = await desk.list()
    await desk.documents.write(SERVER, PATH, "bo", lambda doc: cells(doc)[1]["metadata"].update({"tags": ["t"]}))
    done = await desk.office.call("POST", f"snapshots/{first['id']}/restore", {"cells": ["a"]})
    assert [cell["id"] for cell in done["difference"]["cells"]] == ["a"]
    assert desk.content.cells[0]["source"] == "one" and desk.content.cells[1]["metadata"] == {"tags": ["t"]}
    status, answer = await desk.office.ask("POST", f"snapshots/{first['id']}/restore", {"cells": ["nowhere"]})
    assert (status, answer["error"]["code"]) == (404, "not_found")


async def test_a_person_is_undone(desk: Desk) -> None:
    """What Ann changed goes, what Bo wrote stays; where both did it is said; the version before is named."""
    await desk.documents.write(SERVER, PATH, "bo", append(" BO"))
    await desk.documents.write(SERVER, PATH, "ann", lambda doc: cells(doc).insert(0, new_cell(code("new", "ANN"))))
    preview = await desk.office.call("POST", "visits/ann/undo", {"preview": True})
    assert not preview["undone"] and desk.content.cells[0]["source"] == "ANN"
    (document,) = preview["documents"]
    overlap = [cell for cell in document["report"]["cells"] if cell["others"]]
    assert [(cell["id"], cell["others"]) for cell in overlap] == [("a", ("bo",))]
    assert document["names"]["bo"].startswith("Bo (")
    done = await desk.office.call("POST", "visits/ann/undo", {})
    assert [cell["source"] for cell in desk.content.cells] == ["one BO", "two"]
    assert done["documents"][0]["before"]["cause"] == "before_undo"
    assert (await desk.office.actions())[-1] == "document.undone"
    assert desk.trusted == ["a"], "nothing was touched that trust depends on"


async def test_undoing_where_there_is_nothing(desk: Desk) -> None:
    """Unknown visits, visits that wrote nothing, other files."""
    for visit, path, wanted in (
        ("nobody", "", 404),
        ("bo", "", 403),
        ("ann", str(desk.office.folder / "week3/other.ipynb"), 403),
    ):
        status, _ = await desk.office.ask("POST", f"visits/{visit}/undo", {"path": path})
        assert status == wanted


async def test_a_document_that_cannot_be_mended_is_told(desk: Desk) -> None:
    """The others are mended all the same, and the trail has both."""
    other = live(notebook([code("a", "")]))
    await desk.documents.open(SERVER, "week3/other.ipynb", other)
    await desk.documents.write(SERVER, "week3/other.ipynb", "ann", append("ANN"))
    del desk.documents.docs[SERVER, PATH]
    done = await desk.office.call("POST", "visits/ann/undo", {})
    problems = {document["path"]: bool(document["problem"]) for document in done["documents"]}
    assert problems == {PATH: True, "week3/other.ipynb": False}
    assert read(other, Kind.NOTEBOOK).cells[0]["source"] == ""
    events = (await desk.office.call("GET", "audit", action="document.undone"))["events"]
    assert sorted(event["outcome"] for event in events) == ["allowed", "failed"]


async def test_without_a_gate_versions_can_be_looked_at_only(desk: Desk) -> None:
    """What needs an open document says what to do."""
    desk.office.running.api.versions.live = None
    (first,) = await desk.list()
    await desk.office.call("GET", f"snapshots/{first['id']}")
    for method, path, body in (
        ("GET", f"snapshots/{first['id']}/difference", None),
        ("POST", f"snapshots/{first['id']}/restore", {}),
        ("POST", "snapshots", {"path": PATH, "server": SERVER}),
        ("POST", "visits/ann/undo", {}),
    ):
        status, answer = await desk.office.ask(method, path, body)
        assert (status, answer["error"]["code"]) == (503, "unreachable") and "sharegate up" in answer["error"][
            "message"
        ]


@pytest.mark.parametrize("path", ["../secret", "a//b", "./a", "a/../b", "", "a\x00b", "/"])
async def test_attack_paths_that_are_none(desk: Desk, path: str) -> None:
    """They reach no document and no store."""
    status, _ = await desk.office.ask("POST", "snapshots", {"path": path, "server": SERVER})
    assert status == 400


@pytest.mark.parametrize("name", ["a\x01.txt", "a\x85b", "a%2fb", "a\\b", "x" * 300])
async def test_attack_paths_of_no_file(desk: Desk, name: str) -> None:
    """What the gate would not read in an address either is refused, with field and remedy."""
    for path, server in ((f"week3/{name}", SERVER), (str(desk.office.folder / name), "")):
        for method, call, body, query in (
            ("POST", "snapshots", {"path": path, "server": server}, {}),
            ("POST", "visits/ann/undo", {"path": str(desk.office.folder / name)}, {}),
            ("GET", "snapshots", None, {"path": path, "server": server}),
        ):
            status, answer = await desk.office.running.api.call(method, f"/api/v1/{call}", query, body)
            error = answer["error"]
            assert (status, error["code"], error["field"]) == (400, "invalid", "path"), (method, call, path)
            assert error["message"].startswith("is no path of a file: ") and error["remedy"]


async def test_versions_of_one_server(desk: Desk) -> None:
    """A server without a path means all its files; one that is none is not found, with or without a path."""
    status, found = await desk.office.running.api.call("GET", "/api/v1/snapshots", {"server": SERVER})
    assert status == 200 and len(found["snapshots"]) == 1
    for path in ("", PATH):
        status, answer = await desk.office.running.api.call(
            "GET", "/api/v1/snapshots", {"server": "n" * 5000, "path": path}
        )
        assert (status, answer["error"]["code"]) == (404, "not_found") and len(answer["error"]["message"]) < 120


async def test_a_version_that_is_none(desk: Desk) -> None:
    """Is called a version, as in the commands, and its name is cut."""
    (first,) = await desk.list()
    for call, query in ((f"snapshots/{'q' * 40}", {}), (f"snapshots/{first['id']}/difference", {"with": "q" * 5000})):
        status, answer = await desk.office.running.api.call("GET", f"/api/v1/{call}", query)
        assert status == 404 and answer["error"]["message"].startswith("no version is called 'qqq")
        assert len(answer["error"]["message"]) < 120


async def test_attack_another_owner_compares_with_a_version_that_is_not_theirs(desk: Desk) -> None:
    """A version of their own opens none of others': what is asked for beside it is not there."""
    (hers,) = await desk.list()
    (main,) = await desk.store.upstreams()
    await desk.store.put_upstream(structs.replace(main, id="ottosrv234", name="other", owner="Otto"))
    mine = await desk.keeper.take("ottosrv234", "a.txt", Content.of_text("Otto's"), Cause.BEFORE_DELETE)
    assert mine is not None
    otto = Signed(desk.office, viewer=Viewer("Otto", owner="Otto"))
    await otto.enter()
    status, said = await otto.ask("GET", f"/api/v1/snapshots/{mine.id}")
    assert status == 200, said
    where = f"/api/v1/snapshots/{mine.id}/difference?with="
    status, said = await otto.ask("GET", where + mine.id)
    assert status == 200, said
    for other in (hers["id"], hers["label"], "nobody2345"):
        status, said = await otto.ask("GET", where + other)
        assert (status, said["code"]) == (404, "not_found") and "one ANN" not in str(said)
        assert (await otto.ask("GET", f"/api/v1/snapshots/{other}"))[0] == 404
        assert (await otto.ask("POST", f"/api/v1/snapshots/{other}/restore", {}))[0] == 404
    await otto.close()


async def test_a_version_of_a_file_that_is_gone(desk: Desk) -> None:
    """A preview says that the file is missing instead of failing."""
    kept = await desk.keeper.take(SERVER, "gone.txt", Content.of_text("x"), Cause.BEFORE_DELETE)
    answer = await desk.office.call("POST", f"snapshots/{kept.id}/restore", {"preview": True})
    assert answer["missing"] and not answer["restored"]


async def test_a_document_that_was_renamed_is_found_and_mended_where_it_lies(desk: Desk) -> None:
    """Its versions are listed under the new name, and restore, comparison and undo change it, not what lies at the old
    name by now; the old name is good for it while nothing else has it."""
    new = "week3/renamed.ipynb"
    (first,) = await desk.list()
    await desk.documents.write(SERVER, PATH, "ann", wipe)
    desk.documents.move(SERVER, PATH, new)
    query = {"path": new, "server": SERVER}
    _, found = await desk.office.running.api.call("GET", "/api/v1/snapshots", query)
    assert [one["id"] for one in found["snapshots"]] == [first["id"]]
    compared = await desk.office.call("GET", f"snapshots/{first['id']}/difference")
    assert len(compared["difference"]["cells"]) == 2
    done = await desk.office.call("POST", f"snapshots/{first['id']}/restore", {})
    assert done["restored"] and not done["missing"] and (done["path"], done["snapshot"]["path"]) == (new, PATH)
    assert [cell["source"] for cell in desk.content.cells] == ["one", "two"]
    assert (await desk.office.call("GET", "audit", action="document.restored"))["events"][-1]["path"] == new
    folder = desk.office.folder
    for path in (PATH, new):
        undo = {"path": str(folder / path), "preview": True}
        assert [one["path"] for one in (await desk.office.call("POST", "visits/ann/undo", undo))["documents"]] == [new]
    decoy = live(notebook([code("d", "")]))
    await desk.documents.open(SERVER, PATH, decoy)
    await desk.documents.write(SERVER, PATH, "bo", append("BO"))
    status, _ = await desk.office.ask("POST", "visits/bo/undo", {"path": str(folder / new), "preview": True})
    assert status == 403  # nothing to undo
