"""The visitor's page with role edit, in a real browser, before a real JupyterLab with jupyter-collaboration."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import Watched, person, watch
from tests.browser.house import open_notebook
from tests.browser.real_house import RealHouse, open_house
from tests.browser.rooms import NEW_EPOCH, REFUSED, WRITING_ENDED, Rooms
from tests.real.jupyter import JupyterServer, plant

pytestmark = [pytest.mark.browser, pytest.mark.real]

KEPT = "#sharegate-kept"
VISIBLE = ".lm-Menu .lm-Menu-item:not(.lm-mod-hidden):not([data-type=separator]) .lm-Menu-itemLabel"
SOURCES = "() => jupyterapp.shell.currentWidget.context.model.sharedModel.cells.map((cell) => cell.getSource())"


@pytest.fixture
def house(lab: JupyterServer, tmp_path: Path) -> Iterator[RealHouse]:
    plant(lab.root)
    with open_house(lab, folder=tmp_path, role="edit") as opened:
        yield opened


@pytest.fixture
def visitor(browser: Browser, house: RealHouse) -> Iterator[Watched]:
    context = person(browser)
    watched = watch(context, house.origin)
    yield watched
    context.close()


@pytest.fixture
def rooms(visitor: Watched) -> Rooms:
    return Rooms(visitor.page)


def cell(page: Page, number: int) -> Any:
    return page.locator(".jp-Notebook:visible .jp-CodeCell .cm-content").nth(number)


def type_into(page: Page, number: int, text: str) -> None:
    cell(page, number).click()
    page.keyboard.press("Control+End")
    page.keyboard.type(text)


def saved(page: Page) -> None:
    expect(page.locator(".sg-saving")).to_have_text("Saved", timeout=30_000)


def lose(page: Page, rooms: Rooms, number: int, text: str, how: tuple[int, str] = NEW_EPOCH) -> None:
    """Type what never arrives, close the room, and wait until the page has loaded itself again."""
    rooms.deaf = True
    type_into(page, number, text)
    page.evaluate("() => { window.before = true; }")
    rooms.close(*how)
    assert page.locator(".jp-Dialog").count() == 0
    page.wait_for_function("() => window.before === undefined", timeout=45_000)
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)


def test_an_honest_load_says_nothing_bad(visitor: Watched, house: RealHouse) -> None:
    """An editor's page breaks no content policy, fails no script, shows no dialogue and is refused nothing."""
    open_notebook(visitor.page, house.enter(visitor.page.context))
    banner = visitor.page.locator("#sharegate")
    expect(banner).to_contain_text("You can edit text, not run code")
    visitor.page.wait_for_function("() => document.querySelectorAll('.jp-DirListing-item').length > 3")

    assert visitor.violations == []
    assert visitor.errors == []
    assert [line for line in visitor.console if line.startswith(("error", "warning"))] == []
    assert visitor.foreign == []
    assert house.denials() == []
    assert visitor.page.locator(".jp-Dialog").count() == 0


def test_typing_is_saved_and_said(visitor: Watched, house: RealHouse, lab: JupyterServer) -> None:
    """What is typed reaches the file; the banner says saving, then saved."""
    open_notebook(visitor.page, house.enter(visitor.page.context))
    type_into(visitor.page, 0, "  # by Bo")
    expect(visitor.page.locator(".sg-saving")).not_to_be_empty()
    saved(visitor.page)

    assert "print(6*7)  # by Bo" in (lab.root / "sub" / "shared" / "nb.ipynb").read_text()
    assert house.denials() == []


def test_no_tool_is_offered_that_needs_a_kernel(visitor: Watched, house: RealHouse) -> None:
    """No menu, toolbar, tile or palette offers to start, choose or restart a kernel, or to make a program."""
    open_notebook(visitor.page, house.enter(visitor.page.context))
    page = visitor.page
    expect(page.locator("#jp-MainMenu .lm-MenuBar-itemLabel", has_text="Kernel")).to_have_count(0)
    offered: list[str] = []
    for name in ("File", "Edit", "View", "Run", "Settings"):
        page.locator("#jp-MainMenu .lm-MenuBar-item", has_text=name).click()
        offered += page.locator(VISIBLE).all_inner_texts()
        page.keyboard.press("Escape")
    for place in (".jp-CodeCell .jp-InputArea", ".jp-DirListing-item >> nth=2", ".lm-DockPanel-tabBar .lm-TabBar-tab"):
        page.locator(place).first.click(button="right")
        offered += page.locator(VISIBLE).all_inner_texts()
        page.keyboard.press("Escape")
    for tool in ("interrupt", "restart", "restart-and-run", "kernelName", "executionProgress"):
        expect(page.locator(f".jp-NotebookPanel-toolbar [data-jp-item-name='{tool}'] > *:visible")).to_have_count(0)
    page.evaluate("() => void jupyterapp.commands.execute('launcher:create', { cwd: 'sub/shared' })")
    expect(page.locator(".jp-LauncherCard", has_text="Text File")).to_be_visible()
    offered += page.locator(".jp-LauncherCard").all_inner_texts()
    page.evaluate("() => void jupyterapp.commands.execute('apputils:activate-command-palette')")
    expect(page.locator(".lm-CommandPalette-itemLabel", has_text="Split Cell").first).to_be_attached()
    offered += page.locator(".lm-CommandPalette-itemLabel").all_inner_texts()

    wanted = {"Split Cell", "Paste Cell Below", "Rename Notebook…", "Ask Ann to Run the Cell", "Clear Cell Output"}
    assert wanted <= set(offered)
    lower = [line.lower() for line in offered]
    bad = ("kernel", "restart", "console", "terminal", "python file", "checkpoint", "shut down", "trust", "run all")
    fine = ("ipykernel", "trust html")  # a tile that makes a notebook; a page that the gate sandboxes
    assert [line for line in lower if any(w in line for w in bad) and not any(w in line for w in fine)] == []


@pytest.mark.timeout(240)
def test_an_honest_session_is_refused_nothing(visitor: Watched, house: RealHouse, lab: JupyterServer) -> None:
    """New notebook, cells, text file, rename, folder, upload, duplicate, delete: no dialogue in the way, no denial."""
    open_notebook(visitor.page, house.enter(visitor.page.context))
    page = visitor.page
    shared = lab.root / "sub" / "shared"
    sent: list[str] = []
    page.on("request", lambda request: sent.append(f"{request.method} {request.url}"))

    def run(command: str, arguments: str = "{}") -> None:
        page.evaluate(f"() => void jupyterapp.commands.execute('{command}', {arguments})")

    def current(path: str) -> None:
        page.wait_for_function(f"() => jupyterapp.shell.currentWidget?.context?.path === {path!r}", timeout=30_000)
        page.wait_for_function("() => jupyterapp.shell.currentWidget.context.isReady")
        assert page.locator(".jp-Dialog").count() == 0

    run("notebook:create-new", "{ cwd: 'sub/shared', kernelName: 'python3' }")
    current("sub/shared/Untitled.ipynb")
    cell(page, 0).click()
    page.keyboard.type("a = 1")
    for key in ("Escape", "b", "Enter"):
        page.keyboard.press(key)
    page.keyboard.type("b = 2")
    for key in ("Escape", "m", "Shift+Enter"):
        page.keyboard.press(key)
    page.wait_for_function("() => jupyterapp.shell.currentWidget.context.model.sharedModel.cells.length === 3")
    for key in ("k", "k", "x", "v", "c", "v", "z", "Shift+z"):
        page.keyboard.press(key)
    for command in ("split-cell-at-cursor", "merge-cell-below", "move-cell-up", "undo", "clear-all-cell-outputs"):
        run(f"notebook:{command}")
    page.keyboard.press("Control+s")
    run("fileeditor:create-new", "{ cwd: 'sub/shared' }")
    current("sub/shared/untitled.txt")
    page.locator(".jp-FileEditor:visible .cm-content").click()
    page.keyboard.type("typed text")
    saved(page)
    run("docmanager:rename")
    page.locator(".jp-Dialog input").fill("renamed.txt")
    page.keyboard.press("Enter")
    current("sub/shared/renamed.txt")
    run("filebrowser:create-new-directory")
    expect(page.locator(".jp-DirListing-item[title*='Untitled Folder']")).to_have_count(1)
    page.keyboard.press("Escape")
    with page.expect_file_chooser() as chooser:
        page.locator(".jp-FileBrowser [data-jp-item-name=uploader] :is(jp-button, button)").first.click()
    chooser.value.set_files([{"name": "up.txt", "mimeType": "text/plain", "buffer": b"uploaded"}])
    page.locator(".jp-DirListing-item", has_text="up.txt").click()
    run("filebrowser:duplicate")
    page.locator(".jp-DirListing-item", has_text="up-Copy1.txt").click()
    run("filebrowser:delete")
    page.locator(".jp-Dialog .jp-mod-accept").click()
    expect(page.locator(".jp-DirListing-item", has_text="up-Copy1.txt")).to_have_count(0)

    assert (shared / "renamed.txt").read_text() == "typed text"
    assert (shared / "up.txt").read_bytes() == b"uploaded"
    assert house.denials() == []
    assert [line for line in sent if "/api/sessions" in line and not line.startswith("GET")] == []
    assert page.locator(".jp-Dialog").count() == 0


def test_a_refused_name_is_explained(visitor: Watched, house: RealHouse, lab: JupyterServer) -> None:
    """JupyterLab's own dialog says what the gate said, and what to do; the file keeps its name."""
    open_notebook(visitor.page, house.enter(visitor.page.context))
    page = visitor.page
    page.locator(".jp-DirListing-item", has_text="notes.md").click()
    page.evaluate("() => void jupyterapp.commands.execute('filebrowser:rename')")
    page.locator(".jp-DirListing-editor").fill("numpy.py")
    page.keyboard.press("Enter")
    dialog = page.locator(".jp-Dialog")
    expect(dialog).to_contain_text("Choose another name, or ask the owner to allow it for this share.")
    dialog.locator(".jp-Dialog-footer button").click()
    expect(page.locator(".jp-DirListing-item", has_text="notes.md")).to_have_count(1)

    assert [line.split()[0] for line in house.denials()] == ["runs_by_itself"]
    assert (lab.root / "sub" / "shared" / "notes.md").exists()


def test_running_asks_the_owner(visitor: Watched, house: RealHouse) -> None:
    """Shift+Enter raises a hand with the exact source; the owner's answer is said in the page; text is rendered."""
    open_notebook(visitor.page, house.enter(visitor.page.context))
    page = visitor.page
    type_into(page, 0, "\n# now")
    page.keyboard.press("Shift+Enter")
    expect(page.locator(".sg-hand")).to_contain_text("Asked Ann to run this")
    expect(page.locator("#sharegate-toast")).to_have_text("Asked Ann to run this cell.")
    while not house.asks():  # what was typed before may be on its way
        page.wait_for_timeout(50)
    (ask,) = house.asks()
    assert (ask["source"], ask["cell"], ask["path"]) == ("print(6*7)\n# now", "cell-code", "sub/shared/nb.ipynb")
    assert page.evaluate("() => jupyterapp.shell.currentWidget.content.activeCellIndex") == 2
    assert page.evaluate(SOURCES)[1] == "print(6*7)\n# now"

    page.reload()
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
    expect(page.locator(".sg-hand")).to_have_count(1, timeout=30_000)
    house.answer(ask["id"], "ran")
    expect(page.locator("#sharegate-toast")).to_have_text("Ann ran the cell.")
    expect(page.locator(".sg-hand")).to_have_count(0)

    cell(page, 1).click()
    page.keyboard.press("Control+Enter")
    page.locator(".sg-hand button").click()
    expect(page.locator(".sg-hand")).to_have_count(0)
    while house.asks():  # what was said may be on its way
        page.wait_for_timeout(50)
    page.locator(".jp-MarkdownCell").first.dblclick()
    page.keyboard.press("Shift+Enter")
    expect(page.locator(".jp-MarkdownCell .jp-RenderedMarkdown h1")).to_be_visible()

    cell(page, 1).click()
    page.keyboard.press("Control+Enter")
    expect(page.locator(".sg-hand")).to_have_count(1)
    page.evaluate("() => void jupyterapp.commands.execute('docmanager:rename')")
    page.locator(".jp-Dialog input").fill("later.ipynb")
    page.keyboard.press("Enter")
    expect(page.locator("#sharegate-toast")).to_have_text(
        "The notebook was renamed or moved after you asked. Ask again."
    )
    expect(page.locator(".sg-hand")).to_have_count(0)
    assert house.asks() == []
    assert house.denials() == []


def test_what_was_typed_and_lost_is_offered_and_put_back(visitor: Watched, rooms: Rooms, house: RealHouse) -> None:
    """A new epoch: no dialogue, the page loads again, offers what is missing over reloads, and writes it when asked."""
    open_notebook(visitor.page, house.enter(visitor.page.context))
    page = visitor.page
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.accept()))
    type_into(page, 1, "\nkept = 1")
    saved(page)
    lose(page, rooms, 1, "\nlost = 2")
    panel = page.locator(KEPT)
    expect(panel).to_contain_text("What you typed in 1 cell is not in nb.ipynb", timeout=30_000)
    expect(panel.locator(".sg-plus")).to_have_text("+ lost = 2")
    assert page.evaluate(SOURCES)[2] == "x = 'second'\nkept = 1"

    page.reload()
    expect(panel.locator(".sg-plus")).to_have_text("+ lost = 2", timeout=60_000)
    panel.get_by_role("button", name="Put back").click()
    expect(panel).to_have_count(0)
    saved(page)
    assert page.evaluate(SOURCES) == ["# Shared notebook", "print(6*7)", "x = 'second'\nkept = 1\nlost = 2"]
    page.reload()
    page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.context?.isReady", timeout=60_000)
    expect(panel).to_have_count(0)
    assert asked == []


def test_a_change_that_is_too_large_is_undone_and_said(visitor: Watched, house: RealHouse) -> None:
    """It would break the connection, and be sent again with the next one, for ever: it is not sent, the page loads
    itself again and says why, and it works on."""
    open_notebook(visitor.page, house.enter(visitor.page.context))
    page = visitor.page
    page.evaluate(
        """() => { window.before = true;
        jupyterapp.shell.currentWidget.context.model.sharedModel.setMetadata("title", "x".repeat(9_000_000)); }"""
    )
    page.wait_for_function("() => window.before === undefined", timeout=45_000)
    expect(page.locator("#sharegate-toast")).to_contain_text("too large to be taken", timeout=60_000)
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
    type_into(page, 0, "  # goes on")
    saved(page)
    assert page.locator(".jp-Dialog").count() == 0 and house.denials() == []


def test_what_was_put_aside_goes_beside_a_cell_that_changed(visitor: Watched, rooms: Rooms, house: RealHouse) -> None:
    """A cell that somebody changed meanwhile keeps what they wrote: the kept text becomes a cell below it."""
    open_notebook(visitor.page, house.enter(visitor.page.context))
    page = visitor.page
    lose(page, rooms, 1, "\nlost = 3", REFUSED)
    expect(page.locator(KEPT)).to_be_visible(timeout=30_000)
    page.locator(KEPT).locator("summary").click()
    type_into(page, 1, "  # changed")
    page.locator(KEPT).locator("summary").click()
    page.locator(KEPT).get_by_role("button", name="Put back").click()
    saved(page)

    assert page.evaluate(SOURCES)[2:] == ["x = 'second'  # changed", "x = 'second'\nlost = 3"]


def test_nothing_is_offered_that_arrived(visitor: Watched, rooms: Rooms, house: RealHouse) -> None:
    """A room that closes after everything arrived offers nothing, and Dismiss forgets for good."""
    open_notebook(visitor.page, house.enter(visitor.page.context))
    page = visitor.page
    type_into(page, 0, "  # arrived")
    page.evaluate("() => { window.before = true; }")
    saved(page)
    rooms.close(*NEW_EPOCH)
    page.wait_for_function("() => window.before === undefined", timeout=45_000)
    page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.context?.isReady", timeout=60_000)
    page.wait_for_function("() => Object.keys(sessionStorage).every((key) => !key.startsWith('sharegate-kept'))")
    expect(page.locator(KEPT)).to_have_count(0)


@pytest.mark.timeout(180)
def test_who_may_not_write_any_more_reads_and_copies(visitor: Watched, rooms: Rooms, house: RealHouse) -> None:
    """After the gate took writing away the page is for reading, and what was typed can be copied, not put back."""
    open_notebook(visitor.page, house.enter(visitor.page.context))
    page = visitor.page
    lose(page, rooms, 1, "\nlost = 4", WRITING_ENDED)
    panel = page.locator(KEPT)
    expect(panel).to_contain_text("You can only look at this share now", timeout=30_000)
    expect(page.locator(".sg-role")).to_have_text("can view")
    expect(panel.get_by_role("button", name="Put back")).to_have_count(0)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    panel.get_by_role("button", name="Copy").click()
    expect(page.locator("#sharegate-toast")).to_have_text("Copied.")
    assert page.evaluate("() => navigator.clipboard.readText()") == "x = 'second'\nlost = 4"
    panel.locator("summary").click()  # folded, it is out of the way
    before = page.evaluate(SOURCES)
    type_into(page, 0, "not any more")
    assert page.evaluate(SOURCES) == before
    panel.locator("summary").click()
    panel.get_by_role("button", name="Dismiss").click()
    expect(panel).to_have_count(0)


def test_nothing_is_called_saved_by_a_save_that_it_may_have_missed(visitor: Watched, house: RealHouse) -> None:
    """A save that ends shortly after something was typed began before: the word waits for the next one to have been."""
    open_notebook(visitor.page, house.enter(visitor.page.context))
    page = visitor.page
    page.evaluate(
        """() => {
          addEventListener('keydown', () => { window.typedAt = Date.now(); }, true);
          new MutationObserver(() => {
            if (document.querySelector('.sg-saving').textContent === 'Saved') window.savedAt = Date.now();
          }).observe(document.querySelector('.sg-saving'), { childList: true, characterData: true, subtree: true });
        }"""
    )
    type_into(page, 1, "\nlate = 7")
    expect(page.locator(".sg-saving")).to_have_text("Saved", timeout=30_000)
    assert page.evaluate("() => window.savedAt - window.typedAt") >= 2400


@pytest.mark.timeout(180)
def test_text_typed_while_the_server_is_away_is_not_called_saved(
    visitor: Watched, house: RealHouse, lab: JupyterServer
) -> None:
    """The banner says that it is not saved; when the server is back the text is in the document, or is offered."""
    open_notebook(visitor.page, house.enter(visitor.page.context))
    page = visitor.page
    house.server("away")
    expect(page.locator(".sg-status")).to_contain_text("Ann's Jupyter", timeout=30_000)
    type_into(page, 1, "\naway = 5")
    expect(page.locator(".sg-status")).to_contain_text("Not saved: Ann's Jupyter")
    expect(page.locator(".sg-saving")).to_be_empty()
    house.server("here")
    page.wait_for_function(
        f"""() => {{
          const ready = window.jupyterapp?.shell.currentWidget?.context?.isReady;
          const there = ready && ({SOURCES})().join().includes('away = 5')
            && document.querySelector('.sg-saving').textContent === 'Saved';
          return there || document.querySelector('{KEPT}')?.textContent.includes('away = 5');
        }}""",
        timeout=90_000,
    )
    assert page.locator(".jp-Dialog").count() == 0
