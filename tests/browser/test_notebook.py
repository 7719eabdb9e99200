"""Notebook 7's pages for visitors, in a real browser, before a real server with jupyter-collaboration."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import Watched, person, watch
from tests.browser.house import document_of, kept, owner_notebook
from tests.browser.real_house import RealHouse, open_house
from tests.real.jupyter import JupyterServer, plant

pytestmark = [pytest.mark.browser, pytest.mark.real, pytest.mark.timeout(240)]

NOTEBOOK = "sub/shared/nb.ipynb"
PAGES = ["tree", "tree/sub/shared", f"notebooks/{NOTEBOOK}", "edit/sub/shared/notes.md"]
# What Notebook's own pages say to their owner, without a gate: measured with 7.6.5.
OWN_ERRORS = {"Cannot read properties of undefined (reading 'schema')"}
OWN_WARNINGS = (
    *("warning: Menu entry for command", "warning: Settings failed to load for"),
    # A document that opens in a tab of its own is closed in this one while its toolbar still waits for a setting.
    "error: Cannot read properties of null (reading 'updateRenderOption')",
)
VISIBLE = ".lm-Menu .lm-Menu-item:not(.lm-mod-hidden):not([data-type=separator]) .lm-Menu-itemLabel"


@pytest.fixture(params=["view", "edit"])
def role(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def house(lab: JupyterServer, tmp_path: Path, role: str) -> Iterator[RealHouse]:
    plant(lab.root)
    with open_house(lab, folder=tmp_path, role=role) as opened:
        yield opened


@pytest.fixture
def visitor(browser: Browser, house: RealHouse) -> Iterator[Watched]:
    context = person(browser)
    yield watch(context, house.origin)
    context.close()


def ready(page: Page) -> None:
    page.wait_for_function("() => window.jupyterapp?.shell.currentWidget", timeout=60_000)
    page.wait_for_function(
        "() => document.body.dataset.notebook === 'tree' ? document.querySelector('.jp-DirListing-item')"
        " : jupyterapp.shell.currentWidget.context?.isReady",
        timeout=30_000,
    )


def nothing_bad(visitor: Watched, house: RealHouse) -> None:
    complaints = [line for line in visitor.console if line.startswith(("error", "warning"))]
    assert visitor.violations == []
    assert set(visitor.errors) <= OWN_ERRORS
    assert [line for line in complaints if not line.startswith(OWN_WARNINGS)] == []
    assert visitor.foreign == []
    assert house.denials() == []
    assert visitor.page.locator(".jp-Dialog").count() == 0


def offered(page: Page, *menus: str) -> list[str]:
    found: list[str] = []
    for name in menus:
        page.locator("#jp-MainMenu .lm-MenuBar-item", has_text=name).click()
        found += page.locator(VISIBLE).all_inner_texts()
        page.keyboard.press("Escape")
    return found


@pytest.mark.parametrize("address", PAGES)
def test_an_honest_load_says_nothing_bad(
    visitor: Watched, house: RealHouse, lab: JupyterServer, address: str, role: str
) -> None:
    """Each page of Notebook loads with our line above its own header, tells no secret and is refused nothing."""
    visitor.page.goto(house.enter(visitor.page.context) + address)
    ready(visitor.page)
    expect(visitor.page.locator("#sharegate")).to_contain_text("can view" if role == "view" else "You can edit text")
    line = visitor.page.locator("#sharegate").bounding_box()
    logo = visitor.page.locator("#jp-NotebookLogo").bounding_box()
    assert line and logo and logo["y"] >= line["y"] + line["height"]

    nothing_bad(visitor, house)
    html = visitor.page.content()
    assert lab.token not in html
    assert str(lab.root.parent) not in html


@pytest.mark.parametrize("role", ["view"], indirect=True)
def test_a_reader_is_offered_nothing_that_changes(visitor: Watched, house: RealHouse, lab: JupyterServer) -> None:
    """No New, no Upload, no toolbar, no tab of running programs, no menu entry that writes or runs; keys change
    nothing, and the name above renames nothing."""
    base, page = house.enter(visitor.page.context), visitor.page
    page.goto(base + "tree")
    ready(page)
    for word in ("New", "Upload", "Running"):
        expect(page.locator("#main-panel").get_by_text(word, exact=True).filter(visible=True)).to_have_count(0)
    texts = offered(page, "File", "View", "Settings", "Help")
    page.goto(f"{base}notebooks/{NOTEBOOK}")
    ready(page)
    expect(page.locator(".jp-NotebookPanel-toolbar:visible")).to_have_count(0)
    expect(page.locator("#jp-MainMenu .lm-MenuBar-itemLabel", has_text="Kernel")).to_have_count(0)
    expect(page.locator("#jp-MainMenu .lm-MenuBar-itemLabel", has_text="Run")).to_have_count(0)
    texts += offered(page, "File", "Edit", "View", "Settings", "Help")
    bad = ("new", "save", "rename", "duplicate", "upload", "kernel", "terminal", "console", "trust", "shut", "paste")
    assert [text for text in texts if any(word in text.lower().split() for word in bad)] == []
    before = document_of(page)
    with kept(lab.root / NOTEBOOK):
        page.locator(".jp-CodeCell .jp-InputPrompt").first.click()
        for key in ("a", "b", "d", "d", "m", "x", "v", "Shift+Enter", "Control+s"):
            page.keyboard.press(key)
        page.locator(".jp-CodeCell .cm-content").first.click()
        page.keyboard.type("more")
        assert document_of(page) == before
    expect(page.locator("#sharegate-toast")).to_be_visible()
    # Keys of commands that are off are answered so by the page's own command registry.
    visitor.console[:] = [line for line in visitor.console if "Cannot execute key binding" not in line]
    title = page.locator("#jp-title").bounding_box()
    assert title is not None
    page.mouse.click(title["x"] + 5, title["y"] + 5)
    nothing_bad(visitor, house)


@pytest.mark.parametrize("role", ["view"], indirect=True)
def test_addresses_lead_where_notebooks_own_do(visitor: Watched, house: RealHouse) -> None:
    """A notebook under /tree opens as a notebook, another file as itself in its sandbox, a folder under /notebooks
    as the tree, and what is not there is not found."""
    base, page = house.enter(visitor.page.context), visitor.page
    for address, leads in {
        f"tree/{NOTEBOOK}": f"notebooks/{NOTEBOOK}",
        "tree/sub/shared/page.html": "files/sub/shared/page.html",
        "notebooks/sub/shared/inner": "tree/sub/shared/inner",
        "edit/sub/shared": "tree/sub/shared",
    }.items():
        answer = page.goto(base + address)
        assert answer is not None
        assert (answer.status, page.url) == (200, base + leads)
        assert "sandbox" in (answer.header_value("content-security-policy") or "") or not leads.startswith("files/")
    for address in ("tree/sub/shared/nothing", "notebooks/sub/shared/nothing.ipynb", "notebooks/secret/private.ipynb"):
        answer = page.goto(base + address)
        assert answer is not None
        assert answer.status == 404


def test_a_click_in_the_tree_opens_the_notebook(visitor: Watched, house: RealHouse) -> None:
    """A notebook opens in a tab of its own inside the visit, and the logo leads back into the shared folder."""
    base, page = house.enter(visitor.page.context), visitor.page
    page.goto(base + "tree")
    ready(page)
    with page.context.expect_page() as opening:
        page.locator(".jp-DirListing-item", has_text="nb.ipynb").dblclick()
    opened = opening.value
    ready(opened)
    assert opened.url.split("?")[0] == f"{base}notebooks/{NOTEBOOK}"
    assert opened.locator("#jp-NotebookLogo").get_attribute("href") == base.removeprefix(house.origin) + "tree" or (
        opened.locator("#jp-NotebookLogo").evaluate("(node) => node.href") == base + "tree"
    )
    assert house.shown() == NOTEBOOK
    nothing_bad(visitor, house)


@pytest.mark.parametrize("role", ["view"], indirect=True)
def test_the_owner_types_and_the_visitor_sees_it(
    browser: Browser, visitor: Watched, house: RealHouse, lab: JupyterServer
) -> None:
    """What the owner types in JupyterLab appears in a visitor's Notebook by itself."""
    visitor.page.goto(house.enter(visitor.page.context) + f"notebooks/{NOTEBOOK}")
    ready(visitor.page)
    owner = person(browser)
    page = owner_notebook(owner, lab)
    page.locator(".jp-CodeCell .cm-content").nth(1).click()
    page.keyboard.press("End")
    page.keyboard.type("  # seen by Bo")
    expect(visitor.page.locator(".jp-CodeCell .cm-content").nth(1)).to_contain_text("# seen by Bo", timeout=30_000)
    owner.close()


@pytest.mark.parametrize("role", ["edit"], indirect=True)
def test_an_editor_works_in_notebook(browser: Browser, visitor: Watched, house: RealHouse, lab: JupyterServer) -> None:
    """Typing is saved and said, seen by the owner and taken back; a run becomes an ask; nothing is refused."""
    base, page = house.enter(visitor.page.context), visitor.page
    page.goto(f"{base}notebooks/{NOTEBOOK}")
    ready(page)
    owner = person(browser)
    theirs = owner_notebook(owner, lab)
    cell = page.locator(".jp-CodeCell .cm-content").first
    cell.click()
    page.keyboard.press("Control+End")
    page.keyboard.type("  # by Bo")
    expect(page.locator(".sg-saving")).to_have_text("Saved", timeout=30_000)
    assert "print(6*7)  # by Bo" in (lab.root / NOTEBOOK).read_text()
    expect(theirs.locator(".jp-CodeCell .cm-content").first).to_contain_text("# by Bo", timeout=30_000)
    page.keyboard.press("Control+z")
    expect(cell).not_to_contain_text("# by Bo")
    page.keyboard.press("Shift+Enter")
    expect(page.locator("#sharegate-toast, .sg-ask, [class*=sg-hand]").first).to_be_attached(timeout=30_000)
    asks = house.asks()
    assert [(ask["path"], ask["source"]) for ask in asks] == [(NOTEBOOK, "print(6*7)")]
    nothing_bad(visitor, house)
    owner.close()


@pytest.mark.parametrize("role", ["edit"], indirect=True)
def test_an_editor_makes_files_in_the_tree(visitor: Watched, house: RealHouse, lab: JupyterServer) -> None:
    """New makes a notebook, a text file and a folder; consoles and terminals are not offered."""
    base, page = house.enter(visitor.page.context), visitor.page
    page.goto(base + "tree")
    ready(page)
    page.locator("#main-panel").get_by_text("New", exact=True).click()
    entries = page.locator(VISIBLE).all_inner_texts()
    assert not [entry for entry in entries if entry in ("Console", "Terminal", "Python File")]
    page.locator(VISIBLE, has_text="New File").click()
    page.wait_for_selector(".jp-DirListing-editor:visible")  # its name is asked for at once
    page.keyboard.press("Enter")
    expect(page.locator(".jp-DirListing-item", has_text="untitled.txt")).to_have_count(1, timeout=30_000)
    assert (lab.root / "sub" / "shared" / "untitled.txt").exists()
    page.locator("#main-panel").get_by_text("New", exact=True).click()
    page.locator(VISIBLE, has_text="New Folder").click()
    page.wait_for_selector(".jp-DirListing-editor:visible")
    page.keyboard.press("Enter")
    expect(page.locator(".jp-DirListing-item", has_text="Untitled Folder")).to_have_count(1, timeout=30_000)
    nothing_bad(visitor, house)


def test_one_shared_notebook_opens_in_notebook(browser: Browser, lab: JupyterServer, tmp_path: Path, role: str) -> None:
    """Of a share of one file every address of Notebook leads to that file's page."""
    plant(lab.root)
    with open_house(lab, folder=tmp_path, file=NOTEBOOK, role=role) as house:
        visitor = watch(person(browser), house.origin)
        base = house.enter(visitor.page.context)
        for address in ("tree", "tree/sub", f"tree/{NOTEBOOK}"):
            visitor.page.goto(base + address)
            ready(visitor.page)
            assert visitor.page.url == f"{base}notebooks/{NOTEBOOK}"
        nothing_bad(visitor, house)
        visitor.page.context.close()
