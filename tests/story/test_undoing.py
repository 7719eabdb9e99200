"""An editor destroys what others are writing, and the owner takes it back at the terminal while all have it open."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import nbformat
import pytest
import pytest_asyncio
from playwright.async_api import expect
from pycrdt import Text

from tests.attacks.pages import visiting
from tests.attacks.test_editing import Notebook
from tests.cli.test_terminal import at_terminal, plain
from tests.gatehouse import Gatehouse
from tests.story.conftest import People
from tests.story.people import Project, Tab, owner_tab, until
from tests.story.test_editing import REMEMBER_DIALOGS, cells, dialogs, file_follows, run, select

pytestmark = [pytest.mark.browser, pytest.mark.real, pytest.mark.asyncio(loop_scope="package")]

TITLE, CODE, SECOND = "# Shared notebook", "print(6*7)", "x = 'second'"
# Shown as trusted, it counts how often it was shown.
PICTURE = "display({'text/html': '<b>bold</b><img src=data:, onerror=\"window.ran = (window.ran||0) + 1\">'}, raw=True)"
TRUSTED = """() => JSON.stringify(
  jupyterapp.shell.currentWidget.context.model.sharedModel.cells.filter((cell) => cell.cell_type === 'code').map(
    (cell) => [cell.getSource(), cell.getMetadata('trusted') ?? false]))"""


@pytest.fixture
def project(project: Project) -> Project:
    """With a cell whose output a page shows in two ways."""
    book = nbformat.read(project.disk(project.notebook), as_version=4)
    book.cells.append(nbformat.v4.new_code_cell(PICTURE, id="cell-picture"))
    nbformat.write(book, project.disk(project.notebook))
    return project


@pytest_asyncio.fixture(loop_scope="package")
async def owner(person: People, project: Project) -> Tab:
    """The owner, who has run the notebook."""
    tab = await owner_tab(await person(), project)
    idle = "() => jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'"
    await tab.page.wait_for_function(idle, timeout=60_000)
    await run(tab, "notebook:run-all-cells")
    await tab.page.locator(".jp-OutputArea-output", has_text="42").wait_for(timeout=60_000)
    await tab.page.wait_for_function("() => window.ran === 1")
    return tab


@pytest_asyncio.fixture(loop_scope="package")
async def made(gate: Gatehouse, project: Project) -> dict[str, Any]:
    return await gate.share(project.path, open_file="nb.ipynb", role="edit", **{"for": ["Bo", "Eve"]})


@pytest_asyncio.fixture(loop_scope="package")
async def bo(made: dict[str, Any], owner: Tab, visitor: Tab) -> Tab:
    """An honest editor in a browser."""
    await visitor.enter(made["links"][0]["url"])
    await visitor.notebook()
    # What the owner trusts is no script in a visitor's page.
    await until(lambda: _true(any("inline event handler" in line for line in visitor.console)))
    visitor.console.clear()
    for tab in (owner, visitor):
        await tab.page.evaluate(REMEMBER_DIALOGS)
        await tab.page.evaluate("() => { window.before = true; window.ran = 0; }")
    return visitor


@pytest_asyncio.fixture(loop_scope="package")
async def eve(gate: Gatehouse, made: dict[str, Any], project: Project, bo: Tab) -> AsyncIterator[Notebook]:
    """An editor who destroys."""
    async with visiting(await gate.visit(made, 1, "Eve")) as visitor:
        yield Notebook(await visitor.open(project.notebook, "json", "notebook"))


async def undo(gate: Gatehouse, made: dict[str, Any]) -> str:
    """What the owner reads at a terminal where Eve's visit is undone, the question answered with yes."""
    visits = (await gate.call("GET", "visits", None, open="1"))["visits"]
    [visit] = [each["label"] for each in visits if each["name"] == "Eve" and each["share"] == made["share"]["id"]]

    def converse() -> str:
        data = str(gate.data_dir)
        with at_terminal("snapshot", "undo", visit, width=120, SHAREGATE_DATA_DIR=data) as terminal:
            terminal.read_until(r"Go on\?")
            terminal.type("y\n")
            assert terminal.end() == 0, terminal.text
            return "\n".join(line.rstrip() for line in plain(terminal.text).splitlines())

    return await asyncio.to_thread(converse)


async def trusted(tab: Tab) -> dict[str, bool]:
    """Of each code cell, by its source."""
    return dict(json.loads(await tab.page.evaluate(TRUSTED)))


async def written(tab: Tab) -> list[Any]:
    """Cells with anything in them: pages that are left without a cell make an empty one each, or one of them does."""
    return [cell for cell in await cells(tab) if cell[1]]


async def all_see(tabs: tuple[Tab, ...], *wanted: str) -> None:
    async def look() -> bool:
        return [[source for _, source, _ in await written(tab)] for tab in tabs] == [list(wanted)] * len(tabs)

    try:
        await until(look, within=15)
    except AssertionError:
        assert [await written(tab) for tab in tabs] == wanted
        raise


async def write(tab: Tab, words: str, *, above: bool) -> None:
    """A new cell at the beginning or the end."""
    await select(tab, 0 if above else len(await cells(tab)) - 1)
    await run(tab, f"notebook:insert-cell-{'above' if above else 'below'}", "notebook:enter-edit-mode")
    await tab.page.keyboard.type(words)


async def go_on(tab: Tab, source: str, words: str) -> None:
    """Type at the end of the code cell that has this source."""
    code = [text for kind, text, _ in await cells(tab) if kind == "code"]
    await tab.type_at_the_end(words, code.index(source))


async def undisturbed(*tabs: Tab) -> None:
    """No page was loaded again, asked anything, complained, or ran a script of an output."""
    for tab in tabs:
        assert await tab.page.evaluate("() => [window.before, window.ran]") == [True, 0]
        assert await dialogs(tab) == []
        assert tab.console == []


@pytest.mark.ways
@pytest.mark.timeout(180)
async def test_a_wiped_notebook_comes_back_in_open_tabs(
    gate: Gatehouse, project: Project, made: dict[str, Any], owner: Tab, bo: Tab, eve: Notebook
) -> None:
    """Live, with all that the owner and the honest editor typed before the wipe and after it; the outputs are there and
    not trusted, the junk is gone, and the file is that."""
    await owner.type_at_the_end("  # owner before", 1)
    await bo.shows("# owner before")
    await bo.type_at_the_end("  # Bo before", 0)
    await owner.shows("# Bo before")
    outputs = {source: found for _, source, found in await cells(owner)}
    code, second = f"{CODE}  # Bo before", f"{SECOND}  # owner before"
    assert await trusted(owner) == dict.fromkeys((code, second, PICTURE), True)
    await until(lambda: _true(eve.sources == [TITLE, code, second, PICTURE]))

    with eve.page.doc.transaction():
        del eve.cells[0 : len(eve.cells)]
    await until(lambda: _emptied(owner))
    await until(lambda: _emptied(bo))
    with eve.page.doc.transaction():
        eve.put(id="junk", source=Text("import junk"))
    await all_see((owner, bo), "import junk")
    await write(owner, "owner after", above=True)
    await write(bo, "Bo after", above=False)
    await until(lambda: _true({"owner after", "Bo after"} <= set(eve.sources)))
    for cell in eve.cells:
        if str(cell["source"]):
            eve.type(str(cell["id"]), " junk")
    await all_see((owner, bo), "owner after junk", "import junk junk", "Bo after junk")

    said = await undo(gate, made)
    for line in (
        "code gone  junk",
        "    -owner after junk\n    +owner after",
        "markdown new  cell-title",
        "code new  cell-code\n    outputs: 0 before, 1 after",
        f"    +{second}",
        f"Undone in {project.notebook}.",
    ):
        assert line in said, said

    await all_see((owner, bo), "owner after", "Bo after", TITLE, code, second, PICTURE)
    assert {source: of for _, source, of in await written(owner)} == {"owner after": [], "Bo after": [], **outputs}
    assert await cells(bo) == await cells(owner)
    assert not any(of for source, of in (await trusted(owner)).items() if source in (code, second, PICTURE))
    for tab in (owner, bo):
        await tab.page.locator(".jp-OutputArea-output b", has_text="bold").wait_for()
        await tab.page.locator(".jp-OutputArea-output", has_text="42").wait_for()
    await file_follows(project, owner)
    assert "junk" not in project.disk(project.notebook).read_text()

    await go_on(owner, "owner after", ", goes on")
    await go_on(bo, code, ", Bo too")
    goes_on = ("owner after, goes on", "Bo after", TITLE, f"{code}, Bo too", second, PICTURE)
    await all_see((owner, bo), *goes_on)
    await file_follows(project, owner)
    await undisturbed(owner, bo)
    assert eve.page.closed is None and await gate.denials(made["share"]["id"]) == []


@pytest.mark.timeout(180)
async def test_what_cannot_be_taken_back_is_named_cell_by_cell(
    gate: Gatehouse, project: Project, made: dict[str, Any], owner: Tab, bo: Tab, eve: Notebook
) -> None:
    """Where others wrote in what the destroyer made, it stays and the command says whose work is in it; the rest of her
    work goes."""
    with eve.page.doc.transaction():
        eve.put(id="hers", source=Text("hers = 1"))
        eve.put(id="alone", source=Text("alone = 1"))
        eve.type("cell-second", "  # hers")
        del eve.cells[3]  # print(6*7)
    await all_see((owner, bo), "alone = 1", "hers = 1", TITLE, f"{SECOND}  # hers", PICTURE)
    # What the document says is shown a moment later.
    await expect(bo.code(1)).to_have_text("hers = 1", timeout=30_000)
    await bo.type_at_the_end("  # Bo's", 1)
    await expect(owner.code(2)).to_have_text(f"{SECOND}  # hers", timeout=30_000)
    await owner.type_at_the_end("  # mine", 2)
    left = f"{SECOND}  # hers  # mine"
    await all_see((owner, bo), "alone = 1", "hers = 1  # Bo's", TITLE, left, PICTURE)

    said = await undo(gate, made)
    named = [line for line in said.splitlines() if "afterwards" in line]
    label = next(
        each["label"]
        for each in (await gate.call("GET", "visits"))["visits"]
        if each["name"] == "Bo" and each["share"] == made["share"]["id"]
    )
    assert sorted(named) == [
        f"! Cell 1 (hers) stays as it is; it was changed afterwards by Bo ({label}). Look at it.",
        "! Cell 4 (cell-second) changes back; it was changed afterwards by you. Look at it.",
    ], said
    assert "- cell 1  code gone  alone" in said

    await all_see((owner, bo), "hers = 1  # Bo's", TITLE, CODE, f"{SECOND}  # mine", PICTURE)
    await file_follows(project, owner)
    await undisturbed(owner, bo)


async def _true(value: bool) -> bool:
    return value


async def _emptied(tab: Tab) -> bool:
    sources = [source for _, source, _ in await cells(tab)]
    return bool(sources) and not any(sources)
