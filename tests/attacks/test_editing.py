"""Editors in live documents of a real server, honest and hostile, while the owner works in the same document."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Callable
from typing import Any

import pytest
import pytest_asyncio
from pycrdt import Array, Doc, Map, Text

from sharegate.channels import frames
from sharegate.channels.frames import Awareness, AwarenessState, RawJson, RawSave, SyncStep2, Update
from sharegate.editing import Editing
from sharegate.errors import Denied
from sharegate.shares.model import Role
from tests.attacks.notebooks import Notebook, plant_notebook
from tests.attacks.pages import Owner, Page, Visitor, editor, make, until, visiting
from tests.attacks.wire import Wire
from tests.channels.grants import grant
from tests.conftest import Clock
from tests.gatehouse import Gatehouse, Inside
from tests.real.jupyter import JupyterServer

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]


@pytest.fixture(scope="module")
def gate(watched_gate: Gatehouse) -> Gatehouse:
    return watched_gate


ann, bo = editor("Ann"), editor("Bo")


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


async def test_what_an_editor_wrote_just_before_hanging_up_is_kept(ann: Visitor, workshop: JupyterServer) -> None:
    """A window is closed, a laptop shut: the connection ends without a word, and what came over it before is in the
    file."""
    for number in range(5):
        path = make(workshop, f"hangs_up_{number}.md")
        page = await ann.open(path)
        for word in range(20):
            page.type(f"word{word} ")
        await page.sent()
        page.hang_up()
        await until(lambda file=workshop.root / path: "word19" in file.read_text(), 60)  # type: ignore[misc]


@pytest.mark.parametrize("viewer_first", [True, False], ids=["viewer first", "editor first"])
async def test_attack_a_viewer_in_an_editors_room(
    ann: Visitor, owner: Owner, gate: Gatehouse, workshop: JupyterServer, viewer_first: bool
) -> None:
    """The right to write is the connection's, in both orders of coming; after a change of roles it is the new one's."""
    path = make(workshop, f"mixed_{viewer_first}.md")
    made = await gate.share(**{"for": ["Vi"]})
    async with visiting(await gate.visit(made, name="Vi")) as vi:
        if viewer_first:
            reads, writes = await vi.open(path), await ann.open(path)
        else:
            writes, reads = await ann.open(path), await vi.open(path)
        mine = await owner.open(path)
        reads.type("zqviewer ")
        writes.type("editor ")
        await until(lambda: "editor" in str(reads.source) and "editor" in str(mine.source))
        assert "zqviewer" not in str(mine.source) + str(writes.source)

        await gate.call("PATCH", f"shares/{made['share']['id']}", {"role": "edit"})
        await gate.call("PATCH", f"shares/{ann.inside.share['id']}", {"role": "view"})
        later = await vi.open(path)
        writes.type("zqdemoted ")
        later.type("promoted ")
        await until(lambda: "promoted" in str(mine.source))
        reads.type("zqold ")  # this connection was opened to read
        mine.type("end")
        await until(lambda: "end" in str(later.source))
        assert str(mine.source) == str(later.source) == "first line\neditor promoted end"
        await later.send(frames.write(RawSave(4)).data)
        await until(lambda: (workshop.root / path).read_text() == str(mine.source))


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
    for page, number in ((mine, 7), (hers, 8)):
        await page.send(frames.write(RawSave(number)).data)
    assert await answered(mine, 7) == "success"
    assert await answered(hers, 8) == "failed"
    file.rmdir()
    aside.rename(file)
    hers.type("more\n")
    await hers.sent()

    # What stood there may pass for a change from outside: the server reads the file again then, and fails once.
    for number in range(9, 30):
        await hers.send(frames.write(RawSave(number)).data)
        if await answered(hers, number) == "success":
            break
    await until(lambda: file.read_text() == str(hers.source) == str(mine.source))


async def answered(page: Page, number: int) -> str:
    """What the save of this number is said to have come to."""
    value = {"type": "save", "responseTo": number}
    said = {frames.write(RawJson({**value, "status": to})).data: to for to in ("success", "failed", "skipped")}
    await until(lambda: any(frame in said for frame in page.heard))
    return next(said[frame] for frame in page.heard if frame in said)


# -- notebooks ------------------------------------------------------------------------------------------------

HTML = {"output_type": "display_data", "metadata": {}, "data": {"text/html": "<img src=x onerror=zqscript()>"}}


Change = Callable[[Notebook], object]


class Scene:
    """The owner and an honest editor in one notebook; `path` is the file."""

    def __init__(self, owner: Notebook, bo: Notebook, bo_inside: Inside, path: str, workshop: JupyterServer) -> None:
        self.owner = owner
        self.bo = bo
        self.bo_inside = bo_inside
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
    return Scene(mine, his, bo.inside, path, workshop)


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


def again(cell: dict[str, Any], **other: Any) -> Map[Any]:
    """A cell made anew from what an old one held, as pages move and paste."""
    made = {**cell, "source": Text(cell["source"]), "metadata": Map(cell["metadata"]), **other}
    if "outputs" in cell:
        made["outputs"] = Array([Map(each) for each in cell["outputs"]])
    return Map(made)


async def test_an_honest_editor_works_with_the_owners_outputs(ann: Visitor, scene: Scene) -> None:
    """Move, cut and paste, clear: what the owner's kernel made is known again, without trust that it did not have."""
    hers = Notebook(await ann.open(scene.path, "json", "notebook"))

    plain = hers.cell("one").to_py()
    with hers.page.doc.transaction():
        del hers.cells[0]
        hers.cells.insert(2, again(plain))
    with hers.page.doc.transaction():
        hers.cells.append(again(plain, id="pasted"))
    with hers.page.doc.transaction():
        hers.cell("one")["outputs"].clear()
    await until(lambda: scene.owner.cells.to_py() == hers.cells.to_py())
    assert [cell["id"] for cell in scene.owner.cells.to_py()] == ["two", "three", "one", "pasted"]
    assert [len(cell.get("outputs", [])) for cell in scene.owner.cells.to_py()] == [0, 0, 0, 1]
    await scene.goes_on()
    assert hers.page.closed is None


async def test_two_visitors_who_fight_over_a_cell(ann: Visitor, scene: Scene, gate: Gatehouse) -> None:
    """Each types into it, empties it, moves it away and deletes it, without waiting for the other, while the owner
    types in it too: all come to the same, the owner's output stays what it was, and nobody is refused anything."""
    hers = Notebook(await ann.open(scene.path, "json", "notebook"))
    choose = random.Random(4)

    def strike(notebook: Notebook, name: str) -> None:
        cells = notebook.cells.to_py()
        at = next((number for number, cell in enumerate(cells) if cell["id"] == "one"), None)
        with notebook.page.doc.transaction():
            if at is None:
                notebook.put(id="one")
                return
            source = notebook.cells[at]["source"]
            match choose.randrange(4):
                case 0:
                    source.insert(choose.randrange(len(str(source)) + 1), f"{name} ")
                case 1:
                    source.clear()
                case 2:
                    del notebook.cells[at]
                    notebook.cells.insert(choose.randrange(len(cells)), again(cells[at]))
                case 3:
                    del notebook.cells[at]

    for number in range(60):
        for notebook, name in ((hers, "Ann"), (scene.bo, "Bo")):
            strike(notebook, name)
        if number % 5 == 0 and any(cell["id"] == "one" for cell in scene.owner.cells.to_py()):
            with scene.owner.page.doc.transaction():
                scene.owner.type("one", "owner ")
        if number % 3 == 0:
            await asyncio.sleep(0)
    await until(lambda: hers.cells.to_py() == scene.bo.cells.to_py() == scene.owner.cells.to_py())
    await scene.goes_on()
    await until(lambda: hers.cells.to_py() == scene.owner.cells.to_py())
    shown = [output for cell in scene.owner.cells.to_py() for output in cell.get("outputs", [])]
    assert all(output["data"] == {"text/html": "<b>42</b>"} for output in shown)
    assert hers.page.closed is None
    for visitor in (ann.inside, scene.bo_inside):
        assert not [
            event for event in await gate.events(share=visitor.share["id"]) if event["action"] == "document.refused"
        ]


async def test_the_owner_changes_the_file_on_the_disk(
    ann: Visitor, bo: Visitor, owner: Owner, workshop: JupyterServer
) -> None:
    """With another program, while two editors have it open: they get it in the document that they have, write on, and
    the file is what all of them see."""
    path = make(workshop, "from_disk.md")
    pages = [await owner.open(path), await ann.open(path), await bo.open(path)]
    pages[1].type("Ann\n")
    await until(lambda: all(str(page.source) == "first line\nAnn\n" for page in pages))
    await until(lambda: (workshop.root / path).read_text() == "first line\nAnn\n")
    # The server notes when it wrote the file after it wrote it, and takes what comes between for its own.
    await pages[1].send(frames.write(RawSave(4)).data)
    saved = frames.write(RawJson({"type": "save", "responseTo": 4, "status": "success"})).data
    await until(lambda: saved in pages[1].heard)
    await until(lambda: pages[0].doc.get("state", type=Map).get("dirty") is False)
    for number in range(2):
        (workshop.root / path).write_text(f"from the disk {number}\nfirst line\nAnn\n")
        wanted = f"from the disk {number}\nfirst line\nAnn\n"
        await until(lambda wanted=wanted: all(str(page.source) == wanted for page in pages))  # type: ignore[misc]
    for page, words in zip(pages[1:], ("Ann again\n", "Bo\n"), strict=True):
        page.type(words)
        await until(lambda words=words: all(words in str(page.source) for page in pages))  # type: ignore[misc]
    whole = "from the disk 1\nfirst line\nAnn\nAnn again\nBo\n"
    await until(lambda: (workshop.root / path).read_text() == whole)
    assert [str(page.source) for page in pages] == [whole] * 3
    assert all(page.closed is None for page in pages)


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


async def too_large(ann: Visitor, path: str) -> str:
    """Send a change between the two limits, whose frame is taken; returns what the page is told."""
    page = await ann.open(path, "json", "notebook")
    with page.doc.transaction():
        Notebook(page).put(source=Text("x" * 8_100_000))
    await page.sent()
    await page.until(lambda: page.closed is not None)
    ann.pages.remove(page)
    await page.leave()
    assert page.closed is not None and page.closed[0] == 1003
    return str(json.loads(page.closed[1])["code"])


async def test_attack_changes_that_are_too_large(ann: Visitor, scene: Scene, gate: Gatehouse) -> None:
    """An honest page may send some: they do not count among what no page sends. Without end they do."""
    assert [await too_large(ann, scene.path) for _ in range(4)] == ["update_too_large"] * 4
    page = await ann.open(scene.path, "json", "notebook")
    with page.doc.transaction():
        Notebook(page).type("one", "still writing")
    await until(lambda: "still writing" in str(scene.owner.cell("one")["source"]))
    assert [await too_large(ann, scene.path) for _ in range(2)] == ["update_too_large", "writing_ended"]
    await scene.goes_on()
    refused = [
        event["reason"]
        for event in await gate.events(share=ann.inside.share["id"])
        if event["action"] == "document.refused"
    ]
    assert refused == ["update_too_large"] * 5 + ["writing_ended"]


async def test_attack_large_changes_on_one_connection_after_the_other(clock: Clock) -> None:
    """What a visit may have judged is counted over all its connections, and comes back with time; others have their
    own. (Rooms ask before they judge: tests/channels/test_room_writing.py.)"""
    nothing: Any = None
    editing = Editing(authenticator=nothing, store=nothing, names=nothing, trail=nothing, keeping=nothing, now=clock)
    ann, bo = grant(visit="ann", role=Role.EDIT), grant(visit="bo", role=Role.EDIT)
    for _ in range(8):
        editing.ration(ann, 8 << 20)
    with pytest.raises(Denied, match="bytes_limit"):
        editing.ration(ann, 8 << 20)
    editing.ration(bo, 8 << 20)
    clock.forward(8)
    for _ in range(2048):  # each counts four kilobytes at least: it goes to everybody
        editing.ration(ann, 14)
    with pytest.raises(Denied, match="bytes_limit"):
        editing.ration(ann, 8 << 20)


async def test_attack_small_changes_that_make_the_gate_read_much(clock: Clock) -> None:
    """What is read for a change is taken from the same ration, and owed where there was not so much: until it is paid
    back not even the smallest change is looked at."""
    nothing: Any = None
    editing = Editing(authenticator=nothing, store=nothing, names=nothing, trail=nothing, keeping=nothing, now=clock)
    ann, bo = grant(visit="ann", role=Role.EDIT), grant(visit="bo", role=Role.EDIT)
    editing.ration(ann, 60 << 20)
    editing.charge(ann, 3 << 20)
    with pytest.raises(Denied, match="bytes_limit"):
        editing.charge(ann, 9 << 20)
    for _ in range(2):
        with pytest.raises(Denied, match="bytes_limit"):
            editing.ration(ann, 14)
        clock.forward(7)
    editing.charge(bo, 64 << 20)
    clock.forward(2)
    editing.ration(ann, 14)


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

    async with asyncio.timeout(25):
        while "bad_frame" not in await reasons():
            await asyncio.sleep(0.05)
