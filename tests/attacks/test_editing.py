"""Editors in live documents of a real server, honest and hostile, while the owner works in the same document."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from pycrdt import Array, Doc, Map, Text

from sharegate.channels import frames
from sharegate.channels.frames import Awareness, AwarenessState, RawJson, RawSave, SyncStep2, Update
from tests.attacks.pages import Owner, Page, Visitor, owning, until, visiting
from tests.attacks.wire import Wire
from tests.gatehouse import Gatehouse
from tests.real.jupyter import JupyterServer

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]


@pytest.fixture(scope="module")
def gate(watched_gate: Gatehouse) -> Gatehouse:
    return watched_gate


@pytest_asyncio.fixture(loop_scope="module")
async def owner(workshop: JupyterServer) -> AsyncIterator[Owner]:
    async with owning(workshop) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def ann(gate: Gatehouse) -> AsyncIterator[Visitor]:
    """An editor."""
    async with visiting(await gate.visit(await gate.share(role="edit", **{"for": ["Ann"]}))) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def bo(gate: Gatehouse) -> AsyncIterator[Visitor]:
    """Another editor."""
    made = await gate.share(role="edit", **{"for": ["Bo"]})
    async with visiting(await gate.visit(made, name="Bo")) as one:
        yield one


def make(jupyter: JupyterServer, name: str, text: str = "first line\n") -> str:
    (jupyter.root / "sub" / "shared" / name).write_text(text)
    return f"sub/shared/{name}"


async def test_three_people_write_one_text(ann: Visitor, bo: Visitor, owner: Owner, workshop: JupyterServer) -> None:
    """Owner and two editors: everybody reads what everybody wrote, and the file is that."""
    path = make(workshop, "three.md")
    mine, hers, his = await owner.open(path), await ann.open(path), await bo.open(path)
    for words, page in (("owner\n", mine), ("ann\n", hers), ("bo\n", his)):
        page.type(words)
    await until(
        lambda: len({str(page.source) for page in (mine, hers, his)}) == 1 and len(str(mine.source).split("\n")) == 5
    )
    await hers.send(frames.write(RawSave(4)).data)
    saved = frames.write(RawJson({"type": "save", "responseTo": 4, "status": "success"})).data
    await until(lambda: saved in hers.heard)
    assert (workshop.root / path).read_text() == str(mine.source)
    assert all(page.closed is None for page in (mine, hers, his))


async def test_a_save_that_wrote_nothing_is_not_called_saved(
    ann: Visitor, owner: Owner, workshop: JupyterServer
) -> None:
    """The server says success also when it could not write the file; the visitor is told that it failed, and that it
    worked once it did."""
    path = make(workshop, "stuck.md")
    file, aside = workshop.root / path, workshop.root / "stuck aside.md"
    mine, hers = await owner.open(path), await ann.open(path)
    file.rename(aside)
    file.mkdir()
    hers.type("words\n")
    await until(lambda: str(mine.source).endswith("words\n"))
    answers = {}
    for page, number in ((mine, 7), (hers, 8)):
        await page.send(frames.write(RawSave(number)).data)
        for status in ("success", "failed", "skipped"):
            value = {"type": "save", "responseTo": number, "status": status}
            answers[frames.write(RawJson(value)).data] = (number, status)
    await until(lambda: any(frame in answers for frame in hers.heard))
    await until(lambda: any(frame in answers for frame in mine.heard))
    said = {answers[frame] for page in (mine, hers) for frame in page.heard if frame in answers}
    assert said == {(7, "success"), (8, "failed")}
    file.rmdir()
    aside.rename(file)
    hers.type("more\n")
    await hers.sent()
    saved = frames.write(RawJson({"type": "save", "responseTo": 9, "status": "success"})).data
    await hers.send(frames.write(RawSave(9)).data)
    await until(lambda: saved in hers.heard)
    assert file.read_text() == "first line\nwords\nmore\n"


# -- notebooks ------------------------------------------------------------------------------------------------

HTML = {"output_type": "display_data", "metadata": {}, "data": {"text/html": "<img src=x onerror=zqscript()>"}}


def plant_notebook(jupyter: JupyterServer, name: str) -> str:
    """One code cell with an output of the owner's, one without, one of markdown."""
    mine = {"output_type": "display_data", "metadata": {}, "data": {"text/html": "<b>42</b>"}}
    cells = [
        {"id": "one", "cell_type": "code", "source": "print(6*7)", "metadata": {}, "outputs": [mine]},
        {"id": "two", "cell_type": "code", "source": "x = 1", "metadata": {}, "outputs": []},
        {"id": "three", "cell_type": "markdown", "source": "# Title", "metadata": {}},
    ]
    for cell in cells:
        if cell["cell_type"] == "code":
            cell["execution_count"] = None
    found = {"cells": cells, "metadata": {"language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 5}
    (jupyter.root / "sub" / "shared" / name).write_text(json.dumps(found))
    return f"sub/shared/{name}"


class Notebook:
    """A page with a notebook: the owner's or an editor's."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.cells: Array[Any] = page.doc.get("cells", type=Array)
        self.meta: Map[Any] = page.doc.get("meta", type=Map)
        self.state: Map[Any] = page.doc.get("state", type=Map)

    @property
    def sources(self) -> list[str]:
        return [str(cell["source"]) if isinstance(cell, Map) else repr(cell) for cell in self.cells]

    def cell(self, id: str) -> Map[Any]:
        return next(cell for cell in self.cells if isinstance(cell, Map) and cell.get("id") == id)

    def type(self, id: str, words: str) -> None:
        source = self.cell(id)["source"]
        source += words

    def put(self, at: int = 0, **more: Any) -> None:
        """A new code cell as JupyterLab makes one, with `more` in it."""
        cell = {
            "id": "new",
            "cell_type": "code",
            "source": Text("new cell"),
            "metadata": Map({"trusted": True}),
            "outputs": Array([]),
            "execution_count": None,
        }
        self.cells.insert(at, Map({**cell, **more}))


Change = Callable[[Notebook], object]


class Scene:
    """The owner and an honest editor in one notebook; `path` is the file."""

    def __init__(self, owner: Notebook, bo: Notebook, path: str, workshop: JupyterServer) -> None:
        self.owner = owner
        self.bo = bo
        self.path = path
        self.workshop = workshop

    @property
    def file(self) -> dict[str, Any]:
        """What is on the disk; empty while it is being written."""
        text = (self.workshop.root / self.path).read_text()
        try:
            return dict(json.loads(text))
        except ValueError:
            return {}

    async def goes_on(self) -> None:
        """What owner and honest editor write arrives and is saved, and nobody was closed."""
        with self.owner.page.doc.transaction():
            self.owner.type("two", "  # owner")
        with self.bo.page.doc.transaction():
            self.bo.type("three", " Bo")
        await until(lambda: self.bo.cell("two")["source"].to_py().endswith("# owner"))
        await until(lambda: self.owner.cell("three")["source"].to_py().endswith(" Bo"))
        await until(lambda: "# owner" in json.dumps(self.file) and " Bo" in json.dumps(self.file))
        assert self.owner.page.closed is None and self.bo.page.closed is None


@pytest_asyncio.fixture(loop_scope="module")
async def scene(owner: Owner, bo: Visitor, workshop: JupyterServer, request: pytest.FixtureRequest) -> Scene:
    number = abs(hash(request.node.name)) % 10**8
    path = plant_notebook(workshop, f"scene_{number}.ipynb")
    mine = Notebook(await owner.open(path, "json", "notebook"))
    his = Notebook(await bo.open(path, "json", "notebook"))
    return Scene(mine, his, path, workshop)


def replayed(page: Page) -> list[tuple[list[dict[str, Any]], dict[str, Any]]]:
    """Cells and metadata of every state that the page has been in."""
    doc: Doc[Any] = Doc()
    cells, meta = doc.get("cells", type=Array), doc.get("meta", type=Map)
    states = []
    for frame in page.heard:
        message = frames.read(frames.Frame.binary(frame), limit=1 << 26)
        if isinstance(message, SyncStep2 | Update):
            doc.apply_update(message.update)
            states.append((cells.to_py(), meta.to_py()))
    return states


INVENTED: dict[str, Change] = {
    "a trusted cell with a script": lambda nb: nb.put(outputs=Array([Map(HTML)])),
    "a script in an output of an owner's cell": lambda nb: nb.cell("one")["outputs"].append(Map(HTML)),
    "the owner's output, trusted": lambda nb: nb.cell("one")["metadata"].update({"trusted": True}),
    "trust for all cells": lambda nb: [cell["metadata"].update({"trusted": True}) for cell in nb.cells],
    "an exporter that is a function": lambda nb: nb.meta["metadata"].update(
        {"language_info": {"name": "python", "nbconvert_exporter": "os.system"}}
    ),
    "widgets": lambda nb: nb.meta["metadata"].update({"widgets": {"application/vnd.jupyter.widget-state+json": {}}}),
    "another kernel": lambda nb: nb.meta["metadata"].update({"kernelspec": {"name": "zqscript"}}),
}


@pytest.mark.parametrize("change", INVENTED.values(), ids=INVENTED.keys())
async def test_attack_what_an_editor_may_not_put_into_a_notebook(ann: Visitor, scene: Scene, change: Change) -> None:
    """It is taken out in the same breath: nobody else ever has it, and the owner's own trust and outputs stay."""
    hers = Notebook(await ann.open(scene.path, "json", "notebook"))
    with hers.page.doc.transaction():
        change(hers)
        hers.type("two", " # typed with it")
    await until(lambda: "typed with it" in str(scene.owner.cell("two")["source"]))
    await until(lambda: hers.cells.to_py() == scene.owner.cells.to_py() == scene.bo.cells.to_py())
    await scene.goes_on()

    for cells, meta in (*replayed(scene.owner.page), *replayed(scene.bo.page)):
        shown = json.dumps([cells, meta])
        assert "zqscript" not in shown and "os.system" not in shown and "widget" not in shown
        assert not any(cell.get("outputs") and cell["metadata"].get("trusted") for cell in cells)
    assert scene.file["cells"] and not {"zqscript", "os.system"} & set(re.findall(r"[\w.]+", json.dumps(scene.file)))
    assert hers.page.closed is None
    model = json.loads(scene.workshop.get(f"api/contents/{scene.path}?content=1"))
    trusted = [cell["metadata"].get("trusted") for cell in model["content"]["cells"] if cell.get("outputs")]
    assert not any(trusted)


def _string_cell(nb: Notebook) -> None:
    nb.cells.insert(0, "justastring")


REFUSED: dict[str, Change] = {
    "the owner's page sent to another file": lambda nb: nb.state.update({"path": "zqotter.ipynb"}),
    "a hash of the gate's own file": lambda nb: nb.state.update({"hash": "0" * 64}),
    "an unknown value of the state": lambda nb: nb.state.update({"zq": 1}),
    "another document's id": lambda nb: nb.state.update({"document_id": "json:notebook:other"}),
    "a text in the place of a cell": _string_cell,
    "a number in the place of a cell": lambda nb: nb.cells.append(7),
    "a cell without a source": lambda nb: nb.cells.append(Map({"id": "x", "cell_type": "code"})),
    "a cell of no known type": lambda nb: nb.put(cell_type="zq"),
    "a source that is no text": lambda nb: nb.put(source="plain"),
    "a cell with an unknown value": lambda nb: nb.put(zq=1),
    "an id that is none": lambda nb: nb.put(id="../../x"),
    "outputs that replace the owner's": lambda nb: nb.cell("one").update({"outputs": Array([Map(HTML)])}),
    "marks in a text": lambda nb: nb.cell("two")["source"].format(0, 1, {"bold": True}),
    "an object in a text": lambda nb: nb.cell("two")["source"].insert_embed(0, {"src": "x"}),
    "a root that no document has": lambda nb: nb.page.doc.get("zqroot", type=Text).insert(0, "x"),
    "a source of three megabytes": lambda nb: nb.put(source=Text("x" * 3_000_000)),
}


@pytest.mark.parametrize("change", REFUSED.values(), ids=REFUSED.keys())
async def test_attack_what_no_page_sends(ann: Visitor, scene: Scene, gate: Gatehouse, change: Change) -> None:
    """The connection is closed so that the page loads again, nothing of it reaches anybody, the record says why."""
    page = await ann.open(scene.path, "json", "notebook")
    hers = Notebook(page)
    before = json.dumps([scene.owner.cells.to_py(), scene.owner.meta.to_py(), scene.owner.state.to_py().get("path")])
    with page.doc.transaction():
        change(hers)
        hers.type("two", "zqtyped")
    await page.until(lambda: page.closed is not None)
    assert page.closed is not None and page.closed[0] == 1003
    assert json.loads(page.closed[1])["reason"] == "unknown_session"
    after = json.dumps([scene.owner.cells.to_py(), scene.owner.meta.to_py(), scene.owner.state.to_py().get("path")])
    assert after == before
    await scene.goes_on()
    assert "zqtyped" not in json.dumps(scene.file)
    refused = [
        event for event in await gate.events(share=ann.inside.share["id"]) if event["action"] == "document.refused"
    ]
    assert refused and refused[-1]["reason"] == "update_refused" and refused[-1]["detail"]


async def test_an_honest_editor_works_with_the_owners_outputs(ann: Visitor, scene: Scene) -> None:
    """Move, cut and paste, clear: what the owner's kernel made is known again, without trust that it did not have."""
    hers = Notebook(await ann.open(scene.path, "json", "notebook"))

    def again(cell: dict[str, Any], id: str) -> Map[Any]:
        made = {**cell, "id": id, "source": Text(cell["source"]), "metadata": Map(cell["metadata"])}
        made["outputs"] = Array([Map(each) for each in cell["outputs"]])
        return Map(made)

    plain = hers.cell("one").to_py()
    with hers.page.doc.transaction():
        del hers.cells[0]
        hers.cells.insert(2, again(plain, "one"))
    with hers.page.doc.transaction():
        hers.cells.append(again(plain, "pasted"))
    with hers.page.doc.transaction():
        hers.cell("one")["outputs"].clear()
    await until(lambda: scene.owner.cells.to_py() == hers.cells.to_py())
    assert [cell["id"] for cell in scene.owner.cells.to_py()] == ["two", "three", "one", "pasted"]
    assert [len(cell.get("outputs", [])) for cell in scene.owner.cells.to_py()] == [0, 0, 0, 1]
    await scene.goes_on()
    assert hers.page.closed is None


async def test_attack_three_refusals_end_the_right_to_write(ann: Visitor, scene: Scene, gate: Gatehouse) -> None:
    """The visitor reads on; what is typed after that reaches nobody."""
    for number in range(3):
        page = await ann.open(scene.path, "json", "notebook")
        with page.doc.transaction():
            Notebook(page).state["path"] = "zqotter.ipynb"
        await page.until(lambda page=page: page.closed is not None)
        assert page.closed is not None and ("writing_ended" in page.closed[1]) == (number == 2)
    page = await ann.open(scene.path, "json", "notebook")
    with page.doc.transaction():
        Notebook(page).type("two", "zqtyped")
    await scene.goes_on()
    assert "zqtyped" not in json.dumps(scene.file) and page.closed is None
    assert json.loads((await ann.inside.ask("GET", "api/me")).body)
    reasons = [event["reason"] for event in await gate.events(share=ann.inside.share["id"], outcome="denied")]
    assert reasons.count("writing_ended") >= 1


async def test_attack_updates_of_another_document(ann: Visitor, scene: Scene) -> None:
    """They refer to what this one does not have."""
    other: Doc[Any] = Doc()
    other["cells"] = Array([Map({"id": "x"})])
    before = other.get_state()
    other["cells"][0]["id"] = "y"
    page = await ann.open(scene.path, "json", "notebook")
    await page.send(frames.write(Update(other.get_update(before))).data)
    await page.until(lambda: page.closed is not None)
    assert page.closed is not None and page.closed[0] == 1003
    await scene.goes_on()


async def test_attack_the_owners_client_id(ann: Visitor, scene: Scene) -> None:
    """Writing under it would make the owner's next keystrokes vanish for good."""
    thief: Doc[Any] = Doc(client_id=scene.owner.page.doc.client_id)
    page = await ann.open(scene.path, "json", "notebook")
    with scene.owner.page.doc.transaction():
        scene.owner.type("two", "a")
    await until(lambda: page.doc.get("cells", type=Array)[1]["source"].to_py().endswith("a"))
    thief.apply_update(page.doc.get_update())
    before = thief.get_state()
    thief.get("cells", type=Array)[1]["source"].insert(0, "zqstolen")
    await page.send(frames.write(Update(thief.get_update(before))).data)
    await page.until(lambda: page.closed is not None)
    await scene.goes_on()
    assert "zqstolen" not in json.dumps(scene.file)


async def test_attack_sizes(ann: Visitor, scene: Scene, wire: Wire) -> None:
    """Thirty megabytes of text, twenty of awareness: the connection ends, the server hears of none of it."""
    for frame in (
        frames.write(Awareness((AwarenessState(5, 1, {"user": {"name": "x" * 20_000_000}}),))).data,
        frames.write(SyncStep2(b"\x00" * 30_000_000)).data,
        b"\x02" + b"\xff" * 300_000,
    ):
        before = len(wire.everything)
        page = await ann.open(scene.path, "json", "notebook")
        await page.send(frame)
        await page.until(lambda page=page: page.closed is not None)
        assert len(wire.everything) - before < 100_000
    await scene.goes_on()


async def test_attack_a_role_that_is_taken_back_while_typing(ann: Visitor, scene: Scene, gate: Gatehouse) -> None:
    """On the open connection, whatever the page does: what comes after the change reaches nobody."""
    page = await ann.open(scene.path, "json", "notebook")
    hers = Notebook(page)
    with page.doc.transaction():
        hers.type("two", "before")
    await until(lambda: "before" in str(scene.owner.cell("two")["source"]))
    await gate.call("PATCH", f"shares/{ann.inside.share['id']}", {"role": "view"})
    with page.doc.transaction():
        hers.type("two", "zqafter")
    await scene.goes_on()
    assert "zqafter" not in json.dumps(scene.file) and page.closed is None


async def test_names_of_visitors_are_verified(ann: Visitor, scene: Scene) -> None:
    """The owner sees the name of the link at the cursor, whatever the page says, and it goes with the page."""
    page = await ann.open(scene.path, "json", "notebook")
    own = page.doc.client_id
    said = {"user": {"name": "Olga the owner", "username": "olga", "color": "red"}, "autosave": False, "cursors": []}
    await page.send(frames.write(Awareness((AwarenessState(own, 1, said),))).data)

    def shown() -> list[Any]:
        told = [
            frames.read(frames.Frame.binary(each), limit=1 << 26)
            for each in scene.owner.page.heard
            if each[:1] == b"\1"
        ]
        return [state.state for each in told for state in each.states if state.client == own]  # type: ignore[union-attr]

    await until(shown)
    assert shown()[-1]["user"]["name"].startswith("Ann") and "olga" not in json.dumps(shown()).lower()
    assert shown()[-1]["autosave"] is True
    ann.pages.remove(page)
    await page.leave()
    await until(lambda: shown()[-1] is None)


async def test_attack_a_bad_frame_is_recorded_though_its_sender_hangs_up(
    ann: Visitor, scene: Scene, gate: Gatehouse
) -> None:
    """The record says why the channel ended, however fast the visitor is gone."""
    page = await ann.open(scene.path, "json", "notebook")
    await page.send(b"\x07no message")
    await page.until(lambda: page.closed is not None)
    ann.pages.remove(page)
    await page.leave()

    async def reasons() -> list[str]:
        return [event["reason"] for event in await gate.events(share=ann.inside.share["id"], outcome="denied")]

    async with asyncio.timeout(10):
        while "bad_frame" not in await reasons():
            await asyncio.sleep(0.05)
