"""An editor works beside the owner in JupyterLab, and hostile ones do while the owner types."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from packaging.version import Version
from playwright.async_api import Page, expect
from pycrdt import Array, Map, create_sync_message

from sharegate.channels import frames
from sharegate.channels.frames import Awareness, AwarenessState, Update
from sharegate.errors import MEANINGS, Reason
from tests.attacks.pages import Page as Raw
from tests.attacks.pages import visiting
from tests.channels.crafted import evil, string, update, word
from tests.gatehouse import Gatehouse, Inside
from tests.real.jupyter import version_of
from tests.story.people import Project, Tab, until

pytestmark = [pytest.mark.browser, pytest.mark.real, pytest.mark.asyncio(loop_scope="package")]

# Every dialog that ever stands there, by its heading.
REMEMBER_DIALOGS = """() => {
  window.dialogs = [];
  new MutationObserver((changes) => {
    for (const node of changes.flatMap((change) => [...change.addedNodes]))
      if (node.classList?.contains('jp-Dialog')) window.dialogs.push(node.innerText);
  }).observe(document.body, { childList: true });
}"""
CELLS = """() => JSON.stringify(
  jupyterapp.shell.currentWidget.context.model.sharedModel.cells.map(
    (cell) => [cell.cell_type, cell.getSource(), cell.getOutputs?.() ?? []]))"""
# The CRDT ids of the owner's page and of two things that the server wrote.
IDS = """() => {
  const { ydoc } = jupyterapp.shell.currentWidget.context.model.sharedModel;
  const of = (item) => [item.id.client, item.id.clock];
  return {
    owner: [ydoc.clientID, ydoc.store.clients.get(ydoc.clientID)?.at(-1)],
    clock: (ydoc.store.clients.get(ydoc.clientID) ?? []).reduce((end, each) => each.id.clock + each.length, 0),
    path: of(ydoc.getMap('state')._map.get('path')),
    cell: of(ydoc.getArray('cells')._start),
  };
}"""


async def ids_in(tab: Tab) -> dict[str, Any]:
    ids = await tab.page.evaluate(IDS)
    return {**ids, "owner": ids["owner"][0]}


async def run(tab: Tab, *commands: str) -> None:
    for command in commands:
        await tab.page.evaluate("(id) => jupyterapp.commands.execute(id)", command)


async def select(tab: Tab, number: int) -> None:
    await tab.page.evaluate(
        """(at) => { const notebook = jupyterapp.shell.currentWidget.content;
        notebook.deselectAll(); notebook.activeCellIndex = at; notebook.mode = 'command'; }""",
        number,
    )


async def cells(tab: Tab) -> list[Any]:
    return list(json.loads(await tab.page.evaluate(CELLS)))


async def dialogs(tab: Tab) -> list[str]:
    return list(await tab.page.evaluate("() => window.dialogs"))


async def become(tab: Tab, wanted: list[str]) -> None:
    """Wait until the sources are these."""

    async def look() -> bool:
        return [source for _, source, _ in await cells(tab)] == wanted

    try:
        await until(look, within=15)
    except AssertionError:
        assert [source for _, source, _ in await cells(tab)] == wanted
        raise


def on_disk(project: Project) -> list[Any]:
    found = json.loads(project.disk(project.notebook).read_text())["cells"]
    return [[cell["cell_type"], "".join(cell["source"]), len(cell.get("outputs", []))] for cell in found]


async def file_follows(project: Project, tab: Tab) -> None:
    """Wait until the file is what this page shows."""

    async def look() -> bool:
        shown = [[kind, source, len(outputs)] for kind, source, outputs in await cells(tab)]
        with contextlib.suppress(ValueError):  # it is being written
            return on_disk(project) == shown
        return False

    await until(look, what="the file")


async def taken_back(gate: Gatehouse, made: dict[str, Any]) -> list[str]:
    """Why changes were refused; why the channels ended then is recorded beside it."""
    return await gate.denials(made["share"]["id"], action="document.refused")


@pytest.mark.timeout(180)
async def test_an_honest_editor(gate: Gatehouse, project: Project, owner: Tab, visitor: Tab) -> None:
    """All that JupyterLab offers to editors: the owner's page follows, the file is that, nothing is denied or asked."""
    idle = "() => jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'"
    await owner.page.wait_for_function(idle, timeout=60_000)
    await run(owner, "notebook:run-all-cells")
    await owner.page.locator(".jp-OutputArea-output", has_text="42").wait_for(timeout=60_000)
    made = await gate.share(project.path, open_file="nb.ipynb", role="edit", **{"for": ["Ann"]})
    await visitor.enter(made["links"][0]["url"])
    await visitor.notebook()
    await visitor.page.locator(".jp-OutputArea-output", has_text="42").wait_for()
    for tab in (owner, visitor):
        await tab.page.evaluate(REMEMBER_DIALOGS)
    page, title, code, second = visitor.page, "# Shared notebook", "print(6*7)", "x = 'second'"

    async def all_see(*wanted: str) -> None:
        await become(owner, list(wanted))
        assert await cells(owner) == await cells(visitor)

    await select(visitor, 1)
    await run(visitor, "notebook:insert-cell-below", "notebook:enter-edit-mode")
    await page.keyboard.type("a = 1")
    await page.keyboard.press("Enter")
    await page.keyboard.type("b = 2")
    await all_see(title, code, "a = 1\nb = 2", second)
    await page.keyboard.press("Home")
    await run(visitor, "notebook:split-cell-at-cursor")
    await all_see(title, code, "a = 1", "b = 2", second)
    await select(visitor, 3)
    await run(visitor, "notebook:merge-cell-above")
    await all_see(title, code, "a = 1\n\nb = 2", second)
    await run(visitor, "notebook:move-cell-down")
    await all_see(title, code, second, "a = 1\n\nb = 2")
    # JupyterLab takes back in one step what was done within half a second: a save takes longer.
    await file_follows(project, owner)
    await run(visitor, "notebook:delete-cell")
    await all_see(title, code, second)
    await run(visitor, "notebook:undo-cell-action")
    await all_see(title, code, second, "a = 1\n\nb = 2")
    await run(visitor, "notebook:redo-cell-action")
    await all_see(title, code, second)

    await select(visitor, 1)
    await run(visitor, "notebook:cut-cell")
    await all_see(title, second)
    await select(visitor, 1)
    await run(visitor, "notebook:paste-cell-below")
    await all_see(title, second, code)
    assert [len(outputs) for _, _, outputs in await cells(owner)] == [0, 0, 1]
    await run(visitor, "notebook:copy-cell", "notebook:paste-cell-below")
    await all_see(title, second, code, code)
    assert [len(outputs) for _, _, outputs in await cells(owner)] == [0, 0, 1, 1]
    await file_follows(project, owner)

    await select(visitor, 1)
    await run(visitor, "notebook:change-cell-to-markdown")
    await until(lambda: _kind(owner, 1, "markdown"))
    await run(visitor, "notebook:change-cell-to-code")
    await until(lambda: _kind(owner, 1, "code"))
    await select(visitor, 3)
    await run(visitor, "notebook:clear-cell-output")

    async def cleared() -> bool:
        return [len(outputs) for _, _, outputs in await cells(owner)] == [0, 0, 1, 0]

    await until(cleared)

    await run(visitor, "documentsearch:startWithReplace")
    await page.locator(".jp-DocumentSearch-input").first.fill("print(6*7)")
    await page.locator(".jp-DocumentSearch-overlay textarea[placeholder=Replace]").fill("print(2*3)")
    await expect(page.locator(".jp-DocumentSearch-index-counter")).to_contain_text("/2")
    await page.get_by_role("button", name="Replace All").click()
    await all_see(title, second, "print(2*3)", "print(2*3)")
    await page.keyboard.press("Escape")

    await page.locator(".jp-MarkdownCell .jp-MarkdownOutput").first.dblclick()
    await page.locator(".jp-MarkdownCell .cm-content").first.click()
    await page.keyboard.press("Control+End")
    await page.keyboard.type(" of two")
    await page.keyboard.press("Shift+Enter")
    await owner.page.locator(".jp-MarkdownCell h1", has_text="Shared notebook of two").wait_for()
    await file_follows(project, owner)
    assert await cells(owner) == await cells(visitor)

    await visitor.open_file(project.notes, "Editor")
    await page.locator(".jp-FileEditor .cm-content").click()
    await page.keyboard.press("Control+End")
    await page.keyboard.type("typed by Ann")
    await project.saved("typed by Ann", project.notes)
    assert await dialogs(visitor) == []
    await page.evaluate("() => void jupyterapp.commands.execute('docmanager:rename')")
    await page.locator(".jp-Dialog input").fill("renamed.md")
    await page.keyboard.press("Enter")
    renamed = project.disk(f"{project.path}/renamed.md")
    await until(lambda: _true(renamed.exists()))
    await page.keyboard.type(", renamed")
    await project.saved("typed by Ann, renamed", f"{project.path}/renamed.md")
    async with page.expect_file_chooser() as chooser:
        await page.locator(".jp-FileBrowser [data-jp-item-name=uploader] :is(jp-button, button)").first.click()
    await (await chooser.value).set_files([{"name": "up.txt", "mimeType": "text/plain", "buffer": b"uploaded"}])
    await page.locator(".jp-DirListing-item", has_text="up.txt").wait_for()
    assert project.disk(f"{project.path}/up.txt").read_bytes() == b"uploaded"
    await page.reload()
    await page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.context?.isReady", timeout=60_000)

    assert await gate.denials(made["share"]["id"]) == []
    assert await dialogs(owner) == []
    assert owner.console == []
    # Where the page was, it may ask once more for the old name, and then throws what it is told.
    said = [line for line in visitor.console if line != f"thrown: {MEANINGS[Reason.NOT_FOUND].sentence}"]
    said = [line for line in said if "404" not in line or "/notes.md" not in line]
    if version_of("jupyter-collaboration") < Version("5"):
        # It hears of a rename twice and complains of the second time; what it keeps by the name is right by then.
        said = [line for line in said if "The computed old provider key is different" not in line]
    assert said == []


async def _kind(tab: Tab, number: int, kind: str) -> bool:
    return bool((await cells(tab))[number][0] == kind)


async def _true(value: bool) -> bool:
    return value


SCRIPT = "window.zqran = true; parent.zqran = true"
BAD_OUTPUTS = [
    {
        "output_type": "display_data",
        "metadata": {},
        "data": {"text/html": f"<img src=x onerror='{SCRIPT}'><script>{SCRIPT}</script>"},
    },
    {"output_type": "display_data", "metadata": {}, "data": {"application/javascript": SCRIPT}},
]


class Hostile:
    """A visitor's client that sends what it likes into the notebook's room."""

    def __init__(self, page: Raw, ids: dict[str, Any]) -> None:
        self.page = page
        self.ids = ids
        self.cells: Array[Any] = page.doc.get("cells", type=Array)
        self.state: Map[Any] = page.doc.get("state", type=Map)

    async def bytes(self, data: bytes) -> None:
        await self.page.send(frames.write(Update(data)).data)

    async def taken(self) -> None:
        """Wait until the gate has heard all of it: it answers in order, or closes."""

        def answers() -> int:
            return sum(frame[:2] == b"\0\1" for frame in self.page.heard)

        before = answers()
        await self.page.sent()
        await self.page.send(create_sync_message(self.page.doc))
        await self.page.until(lambda: self.page.closed is not None or answers() > before)

    def trusted_outputs(self) -> None:
        with self.page.doc.transaction():
            for cell in self.cells:
                cell["metadata"]["trusted"] = True
                if "outputs" in cell:
                    for output in BAD_OUTPUTS:
                        cell["outputs"].append(Map(output))

    async def spoof(self) -> None:
        """Awareness under its own id and under the owner's, as somebody else."""
        said = {"user": {"name": "zqspoof", "username": "zqspoof", "color": "red"}, "cursors": []}
        for client in (self.page.doc.client_id, self.ids["owner"]):
            await self.page.send(frames.write(Awareness((AwarenessState(client, 99, said),))).data)

    async def steal(self) -> None:
        """What the owner types next would count as known already, and vanish. It is more than is typed meanwhile: else
        all of it might be known by the time it comes, and no attack."""
        await self.bytes(update({self.ids["owner"]: (self.ids["clock"], [string("zqstolen" * 20, parent="cells")])}))

    async def leave_for_the_owner(self) -> None:
        """Awareness says that the owner is gone, at a clock that the owner's page never reaches."""
        await self.page.send(frames.write(Awareness((AwarenessState(self.ids["owner"], 1 << 40, None),))).data)

    async def too_much_awareness(self) -> None:
        said = {"user": {"name": "zqspoof"}, "cursors": ["zq" * 10_000_000]}
        await self.page.send(frames.write(Awareness((AwarenessState(self.page.doc.client_id, 1, said),))).data)

    async def words(self) -> None:
        with contextlib.suppress(ConnectionError):
            await self.page.socket.send_str("zqtext")


Attack = Callable[[Hostile], Any]

ATTACKS: dict[str, Attack] = {
    "another file": lambda h: h.state.update({"path": "sub/zqotter.ipynb"}),
    # yrs places it where its left neighbour lies, among the cells; yjs 13.5 where its right one does, as `state.path`.
    "another file, read in two ways": lambda h: h.bytes(
        evil(word("zqotter.ipynb", left=tuple(h.ids["cell"]), right=tuple(h.ids["path"])))
    ),
    "a text as a cell": lambda h: h.cells.insert(0, "zqtext"),
    "trusted scripts": lambda h: h.trusted_outputs(),
    "somebody else's name": lambda h: h.spoof(),
    "the owner's client id": lambda h: h.steal(),
    "bytes that are none": lambda h: h.bytes(b"\x01\xff\xff\xff"),
    "an emptied state": lambda h: h.state.clear(),
}
NESTED = b"\x01\x01\x05\x00\x28\x01\x05state\x02zq\x01" + b"\x75\x01" * 200_000 + b"\x00"
AT_ONCE: dict[str, Attack] = {
    "the owner is gone": lambda h: h.leave_for_the_owner(),
    "trust for all cells": lambda h: [cell["metadata"].update({"trusted": True}) for cell in h.cells],
    "a function as exporter": lambda h: h.page.doc.get("meta", type=Map)["metadata"].update(
        {"language_info": {"name": "python", "nbconvert_exporter": "zq.system"}}
    ),
    "an unknown root": lambda h: h.page.doc.get("zqroot", type=Map).update({"zq": 1}),
    "a cell without a source": lambda h: h.cells.append(Map({"id": "zq", "cell_type": "code"})),
    "the server's client id": lambda h: h.bytes(update({0: (1 << 20, [string("zq", parent="cells")])})),
    "what refers to nothing": lambda h: h.bytes(update({77: (5, [string("zq", left=(77, 4))])})),
    "deletions of what is not there": lambda h: h.bytes(update(None, {78: [(0, 1 << 30)]})),
    "nested 200,000 deep": lambda h: h.bytes(NESTED),
    "30 MB of text": lambda h: h.cells[0]["source"].insert(0, "zq" * 15_000_000),
    "20 MB of awareness": lambda h: h.too_much_awareness(),
    "a text frame": lambda h: h.words(),
}
# These change nothing that anybody sees, and the page goes on.
HARMLESS = {"the owner is gone", "trust for all cells", "a function as exporter"}


async def attack_by(hostile: Hostile, attack: Attack) -> None:
    sent = attack(hostile)
    if asyncio.iscoroutine(sent):
        await sent
    await hostile.taken()


@contextlib.asynccontextmanager
async def attacking(gate: Gatehouse, made: dict[str, Any], project: Project, number: int) -> AsyncIterator[Raw]:
    async with visiting(await gate.visit(made, number, f"Eve {number}")) as eve:
        yield await eve.open(project.notebook, "json", "notebook")


@pytest.mark.timeout(180)
async def test_attack_hostile_editors_while_the_owner_types(gate: Gatehouse, project: Project, owner: Tab) -> None:
    """The owner's page shows no dialog, runs no script, stays on its file and keeps every key; the file is honest."""
    await owner.page.evaluate(REMEMBER_DIALOGS)
    asked: list[str] = []
    owner.page.on("dialog", lambda dialog: asyncio.ensure_future(_accept(dialog, asked)))
    address, opened = owner.page.url, await owner.open_paths()
    made = await gate.share(project.path, role="edit", **{"for": [f"Eve {number}" for number in range(len(ATTACKS))]})

    typed, closed = "", 0
    for number, (name, attack) in enumerate(ATTACKS.items()):
        async with attacking(gate, made, project, number) as page:
            ids = await ids_in(owner)
            hostile = Hostile(page, ids)
            await owner.type_at_the_end(f"# {number}", 1)
            typing = asyncio.create_task(owner.page.keyboard.type("abc def"))
            sent = attack(hostile)
            if asyncio.iscoroutine(sent):
                await sent
            await hostile.taken()
            closed += page.closed is not None and page.closed[0] == 1003
            await typing
            typed += f"# {number}abc def"
            await project.saved(typed)
            await become(owner, ["# Shared notebook", "print(6*7)", f"x = 'second'{typed}"])
            assert name and await dialogs(owner) == [] and asked == []

    assert owner.page.url == address and await owner.open_paths() == opened
    assert not any([await frame.evaluate("() => Boolean(window.zqran)") for frame in owner.page.frames])
    await file_follows(project, owner)
    written = project.disk(project.notebook).read_text()
    assert "zq" not in written and typed in written
    assert "zq" not in await owner.document()
    assert "zqspoof" not in await owner.page.content()
    assert await taken_back(gate, made) == ["update_refused"] * 5
    assert closed == 5
    await owner.page.reload()
    await owner.notebook("x = 'second'")
    assert not any([await frame.evaluate("() => Boolean(window.zqran)") for frame in owner.page.frames])
    assert owner.console == []


@pytest.mark.timeout(180)
async def test_attack_all_at_once_while_the_owner_types(gate: Gatehouse, project: Project, owner: Tab) -> None:
    """A dozen hostile editors in one document: the owner's page and file have what the owner typed, and no more."""
    await owner.page.evaluate(REMEMBER_DIALOGS)
    address, opened = owner.page.url, await owner.open_paths()
    made = await gate.share(project.path, role="edit", **{"for": [f"Eve {number}" for number in range(len(AT_ONCE))]})
    async with contextlib.AsyncExitStack() as eves:
        pages = [
            await eves.enter_async_context(attacking(gate, made, project, number)) for number in range(len(AT_ONCE))
        ]
        await owner.type_at_the_end("# began", 1)
        ids = await ids_in(owner)
        typing = asyncio.create_task(owner.page.keyboard.type(" and went on to the end", delay=40))
        await asyncio.gather(
            *(attack_by(Hostile(page, ids), attack) for page, attack in zip(pages, AT_ONCE.values(), strict=True))
        )
        await typing
        await project.saved("# began and went on to the end")
        await become(owner, ["# Shared notebook", "print(6*7)", "x = 'second'# began and went on to the end"])
        still_there = {name for page, name in zip(pages, AT_ONCE, strict=True) if page.closed is None}
    assert still_there == HARMLESS
    assert owner.page.url == address and await owner.open_paths() == opened and await dialogs(owner) == []
    await file_follows(project, owner)
    assert "zq" not in project.disk(project.notebook).read_text() and "zq" not in await owner.document()
    assert '"trusted": true' not in project.disk(project.notebook).read_text()
    assert owner.console == []


async def _accept(dialog: Any, asked: list[str]) -> None:
    asked.append(dialog.message)
    await dialog.accept()


async def cursor_names(page: Page) -> set[str]:
    """The flags at cursors, which stand there for a moment after each movement. Before jupyter-collaboration 5 a name
    is only drawn under the mouse: then those that would be."""
    if version_of("jupyter-collaboration") >= Version("5"):
        return set(await page.locator(".jp-remote-userFlag-name").all_inner_texts())
    return set(
        await page.evaluate("""() => {
          const { awareness } = jupyterapp.shell.currentWidget.context.model.sharedModel;
          return [...awareness.getStates()].filter(([client, state]) => client !== awareness.clientID && state.cursors)
            .map(([, state]) => state.user.display_name);
        }""")
    )


@pytest.mark.timeout(180)
async def test_the_owner_sees_who_writes(gate: Gatehouse, project: Project, owner: Tab, visitor: Tab) -> None:
    """At the cursor stands the verified name, two Kims are told apart, and who says otherwise changes nothing."""
    made = await gate.share(project.path, open_file="nb.ipynb", role="edit", **{"for": ["Kim", "Kim"]})
    await visitor.enter(made["links"][0]["url"])
    await visitor.notebook()
    await visitor.type_at_the_end("  # Kim", 1)
    await owner.shows("# Kim")
    async with visiting(await gate.visit(made, 1, "Kim")) as other:
        page = await other.open(project.notebook, "json", "notebook")

        def states() -> dict[int, Any]:
            told = [frames.read(frames.Frame.binary(each), limit=1 << 26) for each in page.heard if each[:1] == b"\1"]
            return {each.client: each.state for one in told for each in one.states}  # type: ignore[union-attr]

        hers = await until(lambda: _first(state for state in states().values() if state and state.get("cursors")))
        said = {**hers, "user": {**hers["user"], "name": "Olga", "display_name": "Olga", "username": "olga"}}
        await page.send(frames.write(Awareness((AwarenessState(page.doc.client_id, 1, said),))).data)
        seen: set[str] = set()

        async def both() -> bool:
            await visitor.page.keyboard.type(".")
            await page.send(frames.write(Awareness((AwarenessState(page.doc.client_id, len(typed), said),))).data)
            typed.append(".")
            seen.update(await cursor_names(owner.page))
            return {"Kim", "Kim (2)"} <= seen

        typed = ["", ""]
        await until(both, every=0.2)
        assert seen == {"Kim", "Kim (2)"}
        client = await visitor.page.evaluate(
            "() => jupyterapp.shell.currentWidget.context.model.sharedModel.awareness.clientID"
        )
        await page.send(frames.write(Awareness((AwarenessState(client, 999, said),))).data)

        await visitor.page.keyboard.type("done")
        await owner.shows("done")
        assert await cursor_names(owner.page) <= seen
        assert "Olga" not in await owner.page.locator(".jp-NotebookPanel").inner_text()


async def _first(found: Any) -> Any:
    return next(iter(found), None)


@pytest.mark.ways
@pytest.mark.timeout(180)
async def test_a_change_that_is_taken_back(gate: Gatehouse, project: Project, owner: Tab, visitor: Tab) -> None:
    """The editor's page loads again by itself, without a dialog, and offers what was typed meanwhile."""
    made = await gate.share(project.path, open_file="nb.ipynb", role="edit", **{"for": ["Ann"]})
    await visitor.enter(made["links"][0]["url"])
    await visitor.notebook()
    asked: list[str] = []
    visitor.page.on("dialog", lambda dialog: asyncio.ensure_future(_accept(dialog, asked)))
    await visitor.type_at_the_end("  # kept", 1)
    await project.saved("# kept")
    await visitor.page.evaluate(
        """() => { window.before = true;
        jupyterapp.shell.currentWidget.context.model.sharedModel.ydoc.getMap('state').set('zq', 1); }"""
    )
    await visitor.page.keyboard.type("  # lost")
    await visitor.page.wait_for_function("() => window.before === undefined", timeout=45_000)
    await visitor.notebook()
    panel = visitor.page.locator("#sharegate-kept")
    await expect(panel.locator(".sg-plus")).to_contain_text("# lost", timeout=30_000)
    assert asked == [] and await visitor.page.locator(".jp-Dialog").count() == 0
    await panel.get_by_role("button", name="Put back").click()
    await project.saved("# kept  # lost")
    assert await taken_back(gate, made) == ["update_refused"]
    await owner.shows("# kept  # lost")


@pytest.mark.ways
@pytest.mark.timeout(180)
async def test_attack_three_changes_that_are_taken_back(gate: Gatehouse, project: Project, visitor: Tab) -> None:
    """The visit goes on reading: its page says so, loads itself again without a dialog, and takes no key any more."""
    made = await gate.share(project.path, open_file="nb.ipynb", role="edit", **{"for": ["Ann"]})
    await visitor.enter(made["links"][0]["url"])
    await visitor.notebook()
    await visitor.type_at_the_end("  # kept", 1)
    await project.saved("# kept")
    addresses = gate.addresses.of(made["share"]["id"])
    found = gate.addresses.visit_in(urlsplit(visitor.page.url).path, addresses.share)
    assert found is not None
    base, name = addresses.visit(found[1]), addresses.visit_cookie(found[1]).name
    cookies = await visitor.page.context.cookies(addresses.origin + base)
    cookie = next(each["value"] for each in cookies if each["name"] == name)
    await visitor.page.evaluate("() => { window.before = true; }")
    async with visiting(Inside(gate, made["share"], made["links"][0], base, cookie)) as eve:
        for _ in range(3):
            page = await eve.open(project.notebook, "json", "notebook")
            page.doc.get("state", type=Map)["zq"] = 1
            await page.until(lambda page=page: page.closed is not None)
    await visitor.page.wait_for_function("() => window.before === undefined", timeout=45_000)
    await expect(visitor.page.locator("#sharegate-toast")).to_contain_text("You can go on reading", timeout=30_000)
    await visitor.notebook()
    await expect(visitor.page.locator(".sg-role")).to_have_text("can view")
    await visitor.type_at_the_end("zqmore", 1)
    assert await visitor.page.locator(".jp-Dialog").count() == 0
    assert "zq" not in await visitor.document() and "zq" not in project.text()
    assert await taken_back(gate, made) == ["update_refused", "update_refused", "writing_ended"]
