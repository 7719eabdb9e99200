"""The visitor's page with role view, in a real browser, before a real JupyterLab with jupyter-collaboration."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chromium import Watched, person, watch
from tests.browser.house import House, document_of, kept, open_notebook, owner_notebook
from tests.browser.real_house import open_house
from tests.browser.rooms import Rooms
from tests.real.jupyter import JupyterServer

pytestmark = [pytest.mark.browser, pytest.mark.real]

NOTEBOOK = "sub/shared/nb.ipynb"

# Every key that adds, changes, moves, deletes, pastes or runs in JupyterLab's default shortcuts.
COMMAND_KEYS = """
    a b x c v Shift+v d,d m y r 1 2 3 4 5 6 z Shift+z Shift+m Shift+d Shift+Enter Control+Enter Alt+Enter
    Control+Shift+ArrowUp Control+Shift+ArrowDown i,i 0,0 Control+s Control+Shift+s F2 Delete Backspace Control+x
    Control+v Control+z Control+Shift+z
""".split()  # noqa: SIM905 -- keys read better as words
EDIT_KEYS = """
    q 7 Space Enter Backspace Delete Tab Shift+Tab Control+z Control+y Control+x Control+v Control+d Control+/
    Control+Shift+- Control+] Control+[ Alt+ArrowUp Alt+ArrowDown Shift+Alt+ArrowDown Control+Shift+k Control+Enter
    Shift+Enter Alt+Enter Control+s
""".split()  # noqa: SIM905 -- keys read better as words


def test_an_honest_load_says_nothing_bad(visitor: Watched, house: House) -> None:
    """A page load breaks no content policy, fails no script, leaves the origin nowhere and is refused nothing."""
    open_notebook(visitor.page, house.enter(visitor.page.context))
    expect(visitor.page.locator("#sharegate")).to_contain_text("shared by Ann")
    expect(visitor.page.locator("#sharegate")).to_contain_text("can view")
    visitor.page.wait_for_function("() => document.querySelectorAll('.jp-DirListing-item').length > 3")

    assert visitor.violations == []
    assert visitor.errors == []
    assert [line for line in visitor.console if line.startswith(("error", "warning"))] == []
    assert visitor.foreign == []
    assert house.denials() == []
    assert visitor.page.locator(".jp-Dialog").count() == 0


def test_no_secret_of_the_server_is_in_the_page(visitor: Watched, house: House, lab: JupyterServer) -> None:
    """Neither the token nor an absolute path reaches the page's configuration."""
    open_notebook(visitor.page, house.enter(visitor.page.context))
    html = visitor.page.content()

    assert lab.token not in html
    assert str(lab.root) not in html
    assert str(lab.root.parent) not in html


def test_the_owner_types_and_the_visitor_sees_it(
    browser: Browser, visitor: Watched, house: House, lab: JupyterServer
) -> None:
    """What the owner types appears in the visitor's open page by itself."""
    open_notebook(visitor.page, house.enter(visitor.page.context))
    owner = person(browser)
    page = owner_notebook(owner, lab)
    page.locator(".jp-CodeCell .cm-content").nth(1).click()
    page.keyboard.press("End")
    page.keyboard.type("  # seen by Bo")

    expect(visitor.page.locator(".jp-CodeCell .cm-content").nth(1)).to_contain_text("# seen by Bo", timeout=30_000)
    owner.close()


@pytest.mark.timeout(180)
def test_attack_every_mutating_key(visitor: Watched, house: House, lab: JupyterServer) -> None:
    """No key of a visitor changes even his own copy of the document, in command mode or in a cell."""
    open_notebook(visitor.page, house.enter(visitor.page.context))
    page = visitor.page
    before = document_of(page)
    with kept(lab.root / NOTEBOOK):
        for keys in COMMAND_KEYS:
            page.locator(".jp-CodeCell .jp-InputPrompt").first.click()
            for key in keys.split(","):
                page.keyboard.press(key)
            assert document_of(page) == before, f"command mode: {keys}"
        for key in EDIT_KEYS:
            page.locator(".jp-CodeCell .cm-content").first.click()
            page.keyboard.press(key)
            assert document_of(page) == before, f"edit mode: {key}"
        page.locator(".jp-CodeCell .cm-content").first.click()
        page.keyboard.type("import os")
        page.keyboard.insert_text("pasted at once")
        page.locator(".jp-MarkdownCell").first.dblclick()
        page.keyboard.type("# mine now")
        assert document_of(page) == before
        assert page.locator(".jp-CodeCell .cm-content").first.inner_text() == "print(6*7)"
    assert house.denials() == []


def test_attack_every_command_that_is_not_for_readers(visitor: Watched, house: House, lab: JupyterServer) -> None:
    """A script that calls each registered command of the page changes nothing and sends nothing that writes."""
    open_notebook(visitor.page, house.enter(visitor.page.context))
    page = visitor.page
    sent: list[str] = []
    page.on("request", lambda request: sent.append(f"{request.method} {request.url}"))
    before = document_of(page)
    with kept(lab.root / NOTEBOOK):
        refused = page.evaluate("""async () => {
          const { commands } = jupyterapp;
          const usable = (id) => commands.isVisible(id, {}) && commands.isEnabled(id, {});
          const off = commands.listCommands().filter((id) => !usable(id));
          // Those below open or close things of the page itself; a reader may.
          const own = /^(application:|apputils:load-statedb|apputils:reset|router:|docmanager:(open|clone))/;
          const tried = off.filter((id) => !own.test(id));
          for (const id of tried) await Promise.race([commands.execute(id, {}).catch(() => {}),
                                                      new Promise((done) => setTimeout(done, 200))]);
          return tried;
        }""")
        assert {"notebook:run-cell", "notebook:delete-cell", "notebook:paste-cell-below", "docmanager:save"} <= set(
            refused
        )
        assert document_of(page) == before
    own = ("/lab/api/workspaces/", "/lab/api/settings/")  # the visit's own layout and settings
    assert [line for line in sent if not line.startswith("GET ") and not any(part in line for part in own)] == []
    assert house.denials() == []


def test_running_is_off_and_says_so_once(visitor: Watched, house: House) -> None:
    """Shift+Enter is answered in words the first time and in silence after that."""
    open_notebook(visitor.page, house.enter(visitor.page.context))
    page = visitor.page
    page.locator(".jp-CodeCell .jp-InputPrompt").first.click()
    page.keyboard.press("Shift+Enter")
    toast = page.locator("#sharegate-toast")
    expect(toast).to_have_text("Running is off in this share.")
    expect(toast).to_have_class("sg-shown")
    expect(toast).not_to_have_class("sg-shown", timeout=30_000)

    page.keyboard.press("Shift+Enter")
    page.keyboard.press("Control+Enter")
    expect(toast).not_to_have_class("sg-shown")


def test_attack_paste_drop_and_drag(visitor: Watched, house: House) -> None:
    """Pasting text, dropping a file and dragging a cell leave the visitor's document as it was."""
    open_notebook(visitor.page, house.enter(visitor.page.context))
    page = visitor.page
    before = document_of(page)
    page.evaluate("""() => {
      const target = document.querySelector('.jp-CodeCell .cm-content');
      target.focus();
      const data = new DataTransfer();
      data.setData('text/plain', 'pasted');
      for (const kind of ['paste', 'cut']) {
        target.dispatchEvent(new ClipboardEvent(kind, { clipboardData: data, bubbles: true, cancelable: true }));
      }
      target.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
      const files = new DataTransfer();
      files.items.add(new File(['x'], 'evil.py'));
      const list = document.querySelector('.jp-DirListing-content');
      list.dispatchEvent(new DragEvent('drop', { dataTransfer: files, bubbles: true, cancelable: true }));
    }""")
    prompts = page.locator(".jp-CodeCell .jp-InputPrompt")
    prompts.first.hover()
    page.mouse.down()
    prompts.nth(1).hover()
    page.mouse.move(400, 600, steps=12)
    page.mouse.up()

    assert document_of(page) == before
    assert house.denials() == []


def test_no_tool_is_offered_that_cannot_work(visitor: Watched, house: House) -> None:
    """No toolbar, menu or context menu offers to add, change, run or upload."""
    open_notebook(visitor.page, house.enter(visitor.page.context))
    page = visitor.page
    expect(page.locator(".jp-NotebookPanel-toolbar")).to_be_hidden()
    menus = page.locator("#jp-MainMenu .lm-MenuBar-itemLabel")
    expect(menus.filter(has_text="Run")).to_have_count(0)
    expect(menus.filter(has_text="Kernel")).to_have_count(0)
    offered: list[str] = []
    for name in ("File", "Edit", "View"):
        page.locator("#jp-MainMenu .lm-MenuBar-item", has_text=name).click()
        offered += page.locator(".lm-Menu .lm-Menu-item:not(.lm-mod-hidden) .lm-Menu-itemLabel").all_inner_texts()
        page.keyboard.press("Escape")
    for place in (".jp-CodeCell .jp-InputArea", ".jp-DirListing-item >> nth=2", ".lm-DockPanel-tabBar .lm-TabBar-tab"):
        page.locator(place).first.click(button="right")
        offered += page.locator(".lm-Menu .lm-Menu-item:not(.lm-mod-hidden) .lm-Menu-itemLabel").all_inner_texts()
        page.keyboard.press("Escape")
    words = set("save rename delete cut paste run new upload undo insert merge duplicate".split())  # noqa: SIM905 -- words
    # Another view, or another tab of the browser, of what is there already.
    fine = ("new view for", "open in new browser tab")
    offered = [line.lower() for line in offered if not line.lower().startswith(fine)]

    assert len(offered) > 8
    assert [line for line in offered if words & set(re.findall("[a-z]+", line))] == []
    for item in ("uploader", "new-launcher", "new-directory"):
        expect(page.locator(f"[data-jp-item-name='{item}']")).to_be_hidden()


def test_attack_typing_into_a_text_file(visitor: Watched, house: House, lab: JupyterServer) -> None:
    """A text file opened later is as read-only as the notebook that was open first."""
    open_notebook(visitor.page, house.enter(visitor.page.context))
    page = visitor.page
    with kept(lab.root / "sub" / "shared" / "notes.md"):
        page.evaluate(
            "() => jupyterapp.commands.execute('docmanager:open', { path: 'sub/shared/notes.md', factory: 'Editor' })"
        )
        editor = page.locator(".jp-FileEditor .cm-content")
        expect(editor).to_contain_text("shared notes")
        page.wait_for_function("() => jupyterapp.shell.currentWidget.context.isReady")
        before = document_of(page)
        editor.click()
        for key in EDIT_KEYS:
            page.keyboard.press(key)
        page.keyboard.type("typed over")
        expect(editor).to_have_attribute("aria-readonly", "true")
        assert document_of(page) == before
        assert editor.inner_text().strip() == "shared notes"
    assert house.denials() == []


def test_a_reload_comes_back_to_the_same_cell(visitor: Watched, house: House) -> None:
    """Place and layout survive a reload of the page."""
    base = house.enter(visitor.page.context)
    open_notebook(visitor.page, base)
    page = visitor.page
    page.locator(".jp-CodeCell .jp-InputPrompt").nth(1).click()
    assert page.evaluate("() => jupyterapp.shell.currentWidget.content.activeCellIndex") == 2
    page.reload()
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)

    page.wait_for_function("() => jupyterapp.shell.currentWidget?.content.activeCellIndex === 2", timeout=30_000)
    assert house.shown() == NOTEBOOK


def test_a_page_that_goes_before_its_document_came_remembers_the_cell(visitor: Watched, house: House) -> None:
    """Two loads in a row, the first of which hears nothing from its room, end at the cell that was left."""
    base = house.enter(visitor.page.context)
    page, rooms = visitor.page, Rooms(visitor.page)
    open_notebook(page, base)
    page.locator(".jp-CodeCell .jp-InputPrompt").nth(1).click()
    rooms.deaf = True
    page.reload()
    page.wait_for_function("() => jupyterapp?.shell.currentWidget?.context", timeout=60_000)
    rooms.deaf = False
    page.reload()
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)

    page.wait_for_function("() => jupyterapp.shell.currentWidget?.content.activeCellIndex === 2", timeout=30_000)


def test_one_file_is_shown_without_neighbours(browser: Browser, lab: JupyterServer, tmp_path: Path) -> None:
    """A share of one file opens it alone: no file browser, no siblings."""
    with open_house(lab, folder=tmp_path, file=NOTEBOOK) as house:
        context = person(browser)
        visitor = watch(context, house.origin)
        visitor.page.goto(house.enter(context))
        visitor.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)

        assert "/doc/tree/" in visitor.page.url
        expect(visitor.page.locator("#filebrowser")).to_be_hidden()
        assert json.loads(visitor.page.locator("#sharegate-visit").inner_text())["kind"] == "file"
        assert visitor.violations == []
        assert house.denials() == []
        context.close()
