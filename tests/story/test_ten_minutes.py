"""What a page does by itself while it stays open: its timers go through ten minutes, and its requests are real ones.

Only the page's clock is moved. The gate's is the real one, so what a page asks for in ten minutes arrives within
seconds: whatever is not refused here is not refused at the pace of life. One thing is asked more often than it would
be: the gate's beat does not hurry, so the page takes its live connection for dead each minute and connects anew.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from packaging.version import Version
from playwright.async_api import BrowserContext, Request, WebSocket

from tests.gatehouse import Gatehouse, gatehouse
from tests.real.jupyter import running_jupyter, version_of
from tests.story.conftest import People
from tests.story.people import LOADED, Project, Tab, until

pytestmark = [
    pytest.mark.browser,
    pytest.mark.real,
    pytest.mark.asyncio(loop_scope="package"),
    pytest.mark.timeout(300),
]

MINUTES = 10
STEP = 5  # seconds of the page; no poll is due twice in them, so each is answered before its next turn

# What a page asks for by itself, and how often, in seconds; measured over ten minutes at the pace of life.
POLLS = {
    "GET api/kernels": 10,
    "GET api/sessions": 10,
    "GET lab/api/workspaces": 10,
    "GET api/contents/{path}": 10,
    "GET api/kernelspecs": 61,
    "GET api/me": 61,
}
# Where documents stand side by side, their layout is kept; before JupyterLab 4.6 at fewer moments, 15 in ten minutes.
LAYOUT = {"PUT lab/api/workspaces/default": 10 if version_of("jupyterlab") >= Version("4.6") else 60}


class Traffic:
    """What a page sends below its visit: `asked` are methods and addresses, `sent` the frames of each channel."""

    def __init__(self, tab: Tab) -> None:
        self.asked: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        self._waiting: set[Request | WebSocket] = set()
        tab.page.on("request", self._begun)
        tab.page.on("requestfinished", self._answered)
        tab.page.on("requestfailed", self._answered)
        tab.page.on("websocket", self._connected)

    def _begun(self, request: Request) -> None:
        self._waiting.add(request)
        if "/~" in request.url:
            self.asked[f"{request.method} {below(request.url)}"] += 1

    def _answered(self, asker: Request | WebSocket) -> None:
        self._waiting.discard(asker)

    def _connected(self, socket: WebSocket) -> None:
        address = below(socket.url)
        self.asked[f"WEBSOCKET {address}"] += 1

        def sent(frame: str | bytes) -> None:
            self.sent[address] += 1
            # The opening of a document and a sign of life are answered; nothing else in a room is.
            if isinstance(frame, bytes) and frame.startswith((b"\0\0", b"\1")):
                self._waiting.add(socket)

        socket.on("framesent", sent)
        socket.on("framereceived", lambda _: self._answered(socket))
        socket.on("close", self._answered)

    async def quiet(self) -> bool:
        """Whether everything that expects an answer has one."""
        return not self._waiting

    def seldom(self, project: Project, polls: dict[str, int]) -> dict[str, int]:
        """Of these polls those that came too seldom for the time."""
        named = {name.format(path=project.path): every for name, every in polls.items()}
        due = {name: MINUTES * 60 // every - 2 for name, every in named.items()}
        return {name: self.asked[name] for name in due if self.asked[name] < due[name]}

    def told(self) -> None:
        print("", *self.asked.most_common(), *self.sent.items(), sep="\n  ")


def below(url: str) -> str:
    """The address below the visit, without its query."""
    return re.sub(r"^.*/~[^/]+/|\?.*$", "", url)


ALL_LOADED = "() => [...jupyterapp.shell.widgets('main')].every((widget) => widget.context?.isReady ?? true)"


async def pass_a_minute(context: BrowserContext, visitor: Tab, traffic: Traffic) -> None:
    """From a moment in which nothing is being loaded: the page offers to give up what takes it long."""
    await visitor.page.wait_for_function(ALL_LOADED, timeout=LOADED)
    for _ in range(0, 60, STEP):
        await context.clock.run_for(STEP * 1000)
        await until(traffic.quiet, what="all answers")


async def visit(person: People, url: str) -> tuple[BrowserContext, Tab, Traffic]:
    """Enter with a clock that the test moves."""
    context = await person()
    await context.clock.install()
    visitor = await Tab.open(context)
    traffic = Traffic(visitor)
    await visitor.enter(url)
    await visitor.notebook()
    return context, visitor, traffic


async def test_ten_minutes_of_an_open_page_are_refused_nothing(
    gate: Gatehouse, project: Project, owner: Tab, person: People
) -> None:
    """Every poll, heartbeat and save of a page whose visitor opens, reads and searches, while the owner types, writes
    no denial into the trail and no complaint into the console."""
    earlier = await gate.events(outcome="denied")
    made = await gate.share(project.path, open_file="nb.ipynb", **{"for": ["Ann"]})
    context, visitor, traffic = await visit(person, made["links"][0]["url"])

    for minute in range(MINUTES):
        await look_around(visitor, minute)
        await owner.type_at_the_end(f"  # minute {minute}", 1)
        await pass_a_minute(context, visitor, traffic)
    traffic.told()

    assert traffic.seldom(project, POLLS | LAYOUT) == {}
    assert min(count for name, count in traffic.sent.items() if "/room/" in name) >= MINUTES
    assert await visitor.page.locator(".jp-Dialog").count() == 0
    assert visitor.console == []
    assert await gate.denials(made["share"]["id"]) == []
    assert await gate.events(outcome="denied") == earlier


async def look_around(visitor: Tab, minute: int) -> None:
    """Something else each minute that a reader does."""
    page = visitor.page
    match minute % 5:
        case 0:
            await to_the_front(visitor, "notes.md")
        case 1:
            await to_the_front(visitor, "long.txt")
            await page.mouse.move(800, 500)
            await page.mouse.wheel(0, 900)
        case 2:
            await to_the_front(visitor, "nb.ipynb")
            await page.keyboard.press("Control+f")
            await page.locator(".jp-DocumentSearch-input").first.fill("second")
            await page.keyboard.press("Escape")
        case 3:
            theme = "JupyterLab Dark" if minute < 5 else "JupyterLab Light"
            await page.evaluate("(theme) => jupyterapp.commands.execute('apputils:change-theme', { theme })", theme)
        case _:
            await page.reload()
            await visitor.notebook()


async def to_the_front(visitor: Tab, name: str) -> None:
    """Open a file from the list, or bring it to the front when it is open."""
    await visitor.page.locator(".jp-DirListing-item", has_text=name).dblclick()
    await visitor.page.locator(".lm-DockPanel-tabBar .lm-mod-current", has_text=name).wait_for()


async def test_ten_minutes_of_a_single_document_are_refused_nothing(
    gate: Gatehouse, project: Project, owner: Tab, person: People
) -> None:
    """A page that shows one file alone asks for nothing else by itself either."""
    made = await gate.share(project.notebook, **{"for": ["Ann"]})
    context, visitor, traffic = await visit(person, made["links"][0]["url"])

    for minute in range(MINUTES):
        await owner.type_at_the_end(f"  # minute {minute}", 1)
        await pass_a_minute(context, visitor, traffic)
    traffic.told()

    assert traffic.seldom(project, POLLS) == {}
    assert min(count for name, count in traffic.sent.items() if "/room/" in name) >= MINUTES
    assert visitor.console == []
    assert await gate.denials(made["share"]["id"]) == []


async def test_ten_minutes_without_live_documents_are_refused_nothing(tmp_path: Path, person: People) -> None:
    """Where the owner's server has no collaboration, a page saves nothing by its timers and is refused nothing."""
    with running_jupyter(tmp_path, collaboration=False) as lab:
        project = Project(lab, "still").plant()
        async with gatehouse(tmp_path, lab) as gate:
            made = await gate.share(project.path, open_file="nb.ipynb", **{"for": ["Ann"]})
            context, visitor, traffic = await visit(person, made["links"][0]["url"])
            for minute in range(MINUTES):
                await look_around(visitor, minute)
                await pass_a_minute(context, visitor, traffic)
            traffic.told()

            assert traffic.seldom(project, POLLS | LAYOUT) == {}
            assert visitor.console == []
            assert await gate.denials(made["share"]["id"]) == []
