"""A visitor follows a live notebook, can change nothing, and finds the page again as they left it."""

from __future__ import annotations

import time

import pytest
from playwright.async_api import Locator

from tests.gatehouse import Gatehouse
from tests.real.jupyter import JupyterServer
from tests.story.people import Project, Tab, until

pytestmark = [pytest.mark.browser, pytest.mark.real, pytest.mark.asyncio(loop_scope="package")]


@pytest.mark.ways
async def test_the_owner_types_and_the_visitor_follows(
    gate: Gatehouse, project: Project, owner: Tab, visitor: Tab
) -> None:
    """A click on Open shows the notebook, and what the owner types appears in it by itself. Door and page ask nobody
    but the share's own origin."""
    made = await gate.share(project.path, open_file="nb.ipynb", **{"for": ["Ann"]})
    asked: set[str] = set()
    visitor.page.on("request", lambda request: asked.add(request.url))
    visitor.page.on("websocket", lambda socket: asked.add(socket.url))
    await visitor.follow(made["links"][0]["url"])
    await visitor.reads("Olga shares")
    assert (await gate.call("GET", "visits", None, share=made["share"]["id"]))["visits"] == []
    await visitor.page.get_by_role("button", name="Open", exact=True).click()
    await visitor.notebook()
    assert "shared by Olga" in await visitor.banner()

    delays = []
    for number in range(5):
        words = f"# note {number}"
        await owner.type_at_the_end(words[:-1], 1)
        typed = time.perf_counter()
        await owner.page.keyboard.type(words[-1])
        await visitor.shows(words)
        delays.append((time.perf_counter() - typed) * 1000)
        await owner.page.keyboard.press("Enter")
    origin = gate.addresses.of(made["share"]["id"]).origin
    own = (f"{origin}/", f"{origin.replace('http', 'ws', 1)}/", "data:", "blob:", "about:")
    assert [url for url in asked if not url.startswith(own)] == []
    assert any(url.startswith(own[1]) for url in asked)
    print(f"\nowner's key to visitor's page: {', '.join(f'{each:.0f}' for each in delays)} ms")


# Every key that adds, changes, moves, deletes, pastes or runs in JupyterLab's default shortcuts.
COMMAND_KEYS = """
    a b x c v Shift+v d,d m y r 1 z Shift+z Shift+m Shift+Enter Control+Enter Alt+Enter Control+Shift+ArrowDown 0,0
    Control+s Delete Control+x Control+v Control+z
""".split()  # noqa: SIM905 -- keys read better as words
EDIT_KEYS = """
    q Space Enter Backspace Delete Tab Control+z Control+x Control+v Control+d Control+/ Control+Shift+- Control+]
    Alt+ArrowDown Control+Shift+k Control+Enter Shift+Enter Alt+Enter Control+s
""".split()  # noqa: SIM905 -- keys read better as words
ENTRIES = ".lm-Menu .lm-Menu-item[data-type=command]:not(.lm-mod-disabled):not(.lm-mod-hidden):not(.lm-mod-collapsed)"


async def _choose_everything(tab: Tab, place: Locator, *, right: bool) -> list[str]:
    """Click every entry that a menu offers, opening it anew for each; returns what was clicked."""
    clicked: list[str] = []
    number = 0
    while True:
        await place.click(button="right" if right else "left")
        entries = tab.page.locator(ENTRIES)
        if number >= await entries.count():
            await tab.page.keyboard.press("Escape")
            return clicked
        label = (await entries.nth(number).locator(".lm-Menu-itemLabel").inner_text()).strip()
        number += 1
        # These leave the page, which is no change of the document but the end of this walk.
        if any(
            word in label for word in ("Browser Tab", "Download", "Print", "Close", "Shut Down", "Simple Interface")
        ):
            await tab.page.keyboard.press("Escape")
            continue
        await entries.nth(number - 1).click()
        clicked.append(label)
        for _ in range(2):
            await tab.page.keyboard.press("Escape")


async def test_attack_the_visitor_tries_to_change_what_they_see(
    gate: Gatehouse, project: Project, owner: Tab, visitor: Tab
) -> None:
    """Keyboard, mouse, menus and context menus leave the owner's documents and files byte for byte as they were."""
    before_notes = project.disk(project.notes).read_bytes()
    made = await gate.share(project.path, open_file="nb.ipynb", **{"for": ["Ann"]})
    await visitor.enter(made["links"][0]["url"])
    await visitor.notebook()
    page = visitor.page
    # The first opening may save the file once, to say which kernel it has: wait until nothing moves any more.
    await owner.type_at_the_end("  # before")
    await project.saved("# before")
    document = await owner.document()
    file = project.disk(project.notebook)
    before, stamp = file.read_bytes(), file.stat().st_mtime_ns

    prompt = page.locator(".jp-CodeCell .jp-InputPrompt")
    for keys in COMMAND_KEYS:
        await prompt.first.click()
        for key in keys.split(","):
            await page.keyboard.press(key)
    for key in EDIT_KEYS:
        await visitor.code().click()
        await page.keyboard.press(key)
    await visitor.code().click()
    await page.keyboard.type("import os")
    await page.keyboard.insert_text("pasted at once")
    await page.locator(".jp-MarkdownCell").first.dblclick()
    await page.keyboard.type("# mine now")
    await page.keyboard.press("Escape")
    await prompt.first.hover()
    await page.mouse.down()
    await prompt.nth(1).hover()
    await page.mouse.move(600, 600, steps=8)
    await page.mouse.up()

    clicked = []
    listed = page.locator(".jp-DirListing-item", has_text="nb.ipynb")
    for place in (listed, prompt.first):
        clicked += await _choose_everything(visitor, place, right=True)
    for name in ("Edit", "View"):
        menu = page.locator("#jp-MainMenu .lm-MenuBar-item", has_text=name)
        clicked += await _choose_everything(visitor, menu, right=False)
    print(f"\nmenu entries tried: {', '.join(clicked)}")
    assert len(clicked) >= 6
    assert await page.locator("#jp-MainMenu .lm-MenuBar-item").filter(has_text="Run").count() == 0

    await visitor.open_file(project.notes, "Editor")
    editor = page.locator(".jp-FileEditor .cm-content")
    await editor.click()
    for key in EDIT_KEYS:
        await page.keyboard.press(key)
    await page.keyboard.type("typed over")
    await page.keyboard.press("Control+s")

    # Whatever was on its way has arrived once the connections that carried it are closed.
    await page.goto("about:blank")
    await _left(gate, made["share"]["id"])
    assert await owner.document() == document
    assert (file.read_bytes(), file.stat().st_mtime_ns) == (before, stamp)
    assert project.disk(project.notes).read_bytes() == before_notes
    assert sorted(each.name for each in project.disk(project.path).iterdir() if each.name[0] != ".") == sorted(
        ("nb.ipynb", "notes.md", "data.csv", "long.txt")
    )
    assert await gate.denials(made["share"]["id"]) == []


async def _left(gate: Gatehouse, share: str) -> None:
    """Wait until no channel of the share is open."""

    async def look() -> bool:
        visits = (await gate.call("GET", "visits", None, share=share))["visits"]
        return all(visit["channels"] == 0 for visit in visits)

    await until(look, what="all channels closed")


async def test_attack_a_visitors_script_writes_into_the_document(
    gate: Gatehouse, project: Project, owner: Tab, visitor: Tab
) -> None:
    """A page whose own locks were picked sends edits all the same: none reaches the owner, who goes on."""
    made = await gate.share(project.path, open_file="nb.ipynb", **{"for": ["Ann"]})
    await visitor.enter(made["links"][0]["url"])
    await visitor.notebook()
    await visitor.page.evaluate("""() => {
      const shared = jupyterapp.shell.currentWidget.context.model.sharedModel;
      const doc = shared.ydoc;
      delete doc.transact;
      if (Object.hasOwn(doc, 'transact')) throw new Error('still locked');
      const text = shared.cells[1].ymodel.get('source');
      doc.transact(() => text.insert(0, 'import os; os.remove("all")  # '));
    }""")
    assert "os.remove" in await visitor.document()

    await owner.type_at_the_end("  # the owner goes on", 1)
    await project.saved("# the owner goes on")
    await visitor.page.goto("about:blank")
    await _left(gate, made["share"]["id"])
    assert "os.remove" not in await owner.document()
    assert "os.remove" not in project.text()


async def test_a_reload_restores_the_visitors_own_layout(
    gate: Gatehouse, lab: JupyterServer, project: Project, owner: Tab, visitor: Tab
) -> None:
    """What the visitor opened is open again after a reload; the owner's layout on the server stays as it was."""
    saved = lab.root.parent / "config" / "lab" / "workspaces"

    def layouts() -> dict[str, bytes]:
        return {each.name: each.read_bytes() for each in saved.glob("*")}

    async def own_layout() -> bool:
        return any(project.notebook.encode() in body for body in layouts().values())

    await until(own_layout, what="the owner's layout on the server")
    await owner.page.context.close()
    before = layouts()
    made = await gate.share(project.path, open_file="nb.ipynb", **{"for": ["Ann"]})
    await visitor.enter(made["links"][0]["url"])
    await visitor.notebook()
    async with visitor.page.expect_response(
        lambda answer: "/lab/api/workspaces/" in answer.url and "notes.md" in (answer.request.post_data or "")
    ):
        await visitor.open_file(project.notes, "Editor")
    await visitor.page.reload()

    async def both() -> bool:
        return set(await visitor.open_paths()) >= {project.notebook, project.notes}

    await until(both, within=60, what="both files open again")
    assert layouts() == before
    assert await gate.denials(made["share"]["id"]) == []


async def test_one_file_opens_alone(gate: Gatehouse, project: Project, visitor: Tab) -> None:
    """A shared file opens in JupyterLab's single-document page without a file browser, and has no siblings."""
    made = await gate.share(project.notebook, **{"for": ["Ann"]})
    await visitor.enter(made["links"][0]["url"])
    await visitor.notebook()
    base, _, rest = visitor.page.url.partition("/doc/tree/")
    assert rest == project.notebook
    assert await visitor.page.locator("#filebrowser").is_hidden()
    assert await visitor.page.locator(".jp-DirListing-item:visible").count() == 0

    statuses = {}
    for name in ("notes.md", "data.csv", "never-there.md"):
        statuses[name] = await visitor.page.evaluate(
            "async (address) => (await fetch(address)).status", f"{base}/api/contents/{project.path}/{name}?content=0"
        )
    assert statuses == dict.fromkeys(statuses, 404)
    listing = await visitor.page.evaluate(
        "async (address) => (await fetch(address)).json()", f"{base}/api/contents/{project.path}?content=1"
    )
    assert [entry["name"] for entry in listing["content"]] == ["nb.ipynb"]


async def test_a_working_day_is_refused_nothing(gate: Gatehouse, project: Project, owner: Tab, visitor: Tab) -> None:
    """Loading, opening files, changing tabs, scrolling, themes, searching and reloading writes no denial in the trail
    and no complaint into the browser's console."""
    earlier = await gate.events(outcome="denied")
    made = await gate.share(project.path, **{"for": ["Ann"]})
    await visitor.enter(made["links"][0]["url"])
    page = visitor.page
    entry = page.locator(".jp-DirListing-item", has_text="nb.ipynb")
    await entry.wait_for(timeout=60_000)
    await entry.dblclick()
    await visitor.notebook()
    for name in ("notes.md", "data.csv", "long.txt"):
        await page.locator(".jp-DirListing-item", has_text=name).dblclick()
        await page.locator(".lm-DockPanel-tabBar .lm-TabBar-tabLabel", has_text=name).wait_for()
    await page.locator(".jp-FileEditor .cm-content", has_text="line 1").wait_for()
    await page.mouse.move(800, 500)
    for _ in range(5):
        await page.mouse.wheel(0, 900)
    for name in ("nb.ipynb", "data.csv", "long.txt", "nb.ipynb"):
        await page.locator(".lm-DockPanel-tabBar .lm-TabBar-tabLabel", has_text=name).click()
    await owner.type_at_the_end("  # at work")
    await visitor.shows("# at work")
    await page.keyboard.press("Control+f")
    await page.locator(".jp-DocumentSearch-input").first.fill("second")
    await page.locator(".jp-DocumentSearch-index-counter", has_text="1/1").wait_for()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Escape")
    await page.evaluate("() => jupyterapp.commands.execute('apputils:change-theme', { theme: 'JupyterLab Dark' })")
    await page.wait_for_function("() => document.body.dataset.jpThemeLight === 'false'")
    for tab in ("table-of-contents", "jp-running-sessions", "filebrowser"):
        button = page.locator(f".jp-SideBar [data-id='{tab}']")
        if await button.count():
            await button.click()
    for _ in range(3):
        await page.reload()
        await visitor.notebook()
    # The theme is the visitor's own and came back with the reload.
    await page.wait_for_function("() => document.body.dataset.jpThemeLight === 'false'")
    await owner.type_at_the_end("  # after lunch")
    await visitor.shows("# after lunch")

    assert await page.locator(".jp-Dialog").count() == 0
    assert visitor.console == []
    assert await gate.denials(made["share"]["id"]) == []
    assert await gate.events(outcome="denied") == earlier
