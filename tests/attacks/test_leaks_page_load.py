"""A whole page load, as a browser sees it: every response and every frame is searched."""

from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Response, WebSocket, async_playwright
from pycrdt import Array

from tests.attacks.pages import Owner, owning, until
from tests.attacks.secrets import flat, search
from tests.browser.chromium import FLAGS, executable
from tests.gatehouse import Gatehouse
from tests.real.jupyter import JupyterServer

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]


@pytest.fixture(scope="module")
def gate(watched_gate: Gatehouse) -> Gatehouse:
    return watched_gate


@dataclass
class Load:
    """What the visitor saw: `seen` is (what, bytes)."""

    seen: list[tuple[str, bytes]] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)
    denials: list[str] = field(default_factory=list)
    html: str = ""

    def urls(self, part: str) -> list[str]:
        return [url for url in self.statuses if part in url]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def load(gate: Gatehouse, workshop: JupyterServer) -> Load:
    """Opens a notebook, follows what the owner types, looks into the folder, opens a text file, and reloads."""
    if executable() is None:
        pytest.skip("Chromium is not installed")
    inside = await gate.visit(name="Bo")
    load = Load()
    answers: list[Response] = []
    channels: list[str] = []

    def on_socket(socket: WebSocket) -> None:
        channels.append(socket.url)
        for direction in ("framesent", "framereceived"):
            socket.on(
                direction,  # type: ignore[arg-type]
                lambda data, name=f"{direction} {socket.url}": load.seen.append(
                    (name, data.encode() if isinstance(data, str) else data)
                ),
            )

    async with async_playwright() as play, owning(workshop) as owner:
        browser = await play.chromium.launch(executable_path=executable(), args=FLAGS)
        context = await browser.new_context()
        cookie: Any = {"name": "sharegate-visit", "value": inside.cookie, "url": gate.origin + inside.base}
        await context.add_cookies([{**cookie, "httpOnly": True, "sameSite": "Lax"}])
        page = await context.new_page()
        page.on("response", lambda answer: answers.append(answer))
        page.on("websocket", on_socket)
        await page.goto(f"{gate.origin}{inside.base}lab/tree/sub/shared/nb.ipynb")
        await page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
        await page.wait_for_selector(".jp-DirListing-item >> text=data.csv", timeout=30_000)
        await _owner_types(owner, "zz_typed = 1")
        await page.wait_for_selector("text=zz_typed", timeout=30_000)
        await page.goto(f"{gate.origin}{inside.base}lab/tree/sub/shared/notes.md")
        await page.wait_for_selector("text=shared notes", timeout=60_000)
        load.html = await page.content()
        # Before the browser goes: it keeps bodies only while the page is there.
        for answer in answers:
            load.statuses[answer.url] = answer.status
            head = "".join(f"{each['name']}: {each['value']}\n" for each in await answer.headers_array())
            load.seen.append((f"head of {answer.url}", f"{answer.status} {answer.status_text}\n{head}".encode()))
        load.seen.append(("page", load.html.encode()))
        await browser.close()
    load.denials = await gate.denials(inside.share["id"])
    # The browser drops bodies of a page that it left: each address is asked once more, as the page asked it.
    for asked in {(each.request.method, each.url, each.request.post_data or "") for each in answers}:
        method, address, body = asked
        reply = await gate.raw(method, address.removeprefix(gate.origin), inside.manners(method), body.encode())
        load.seen.append((f"body of {method} {address}", flat(reply)))
    load.statuses.update({url: 101 for url in channels})
    return load


async def _owner_types(owner: Owner, words: str) -> None:
    page = await owner.open("sub/shared/nb.ipynb", "json", "notebook")
    await until(lambda: len(page.doc.get("cells", type=Array)) > 1)
    cells = page.doc.get("cells", type=Array)
    cells[1]["source"] += f"\n{words}"


async def test_a_whole_page_load_tells_nothing(load: Load, forbidden: dict[str, bytes]) -> None:
    """No status line, header, body or frame holds the raw token, a cookie or absolute path of the server, or a name
    outside the root."""
    found = [hit for where, data in load.seen for hit in search(forbidden, where, data)]

    assert len(load.seen) > 120
    assert not found


async def test_the_page_load_was_whole(load: Load, workshop: JupyterServer) -> None:
    """The search looked at what there is: page, scripts, settings, listing, session, room and its frames both ways."""
    for part in (
        "lab/tree/",
        "static/lab/main.",
        "remoteEntry.",
        "lab/api/settings",
        "api/contents",
        "/session/",
        "/room/",
    ):
        assert load.urls(part), part
    rooms = [where for where, _ in load.seen if "/room/json" in where]
    assert {where.split(" ")[0] for where in rooms} == {"framesent", "framereceived"}
    assert any(b"zz_typed" in data for where, data in load.seen if where.startswith("framereceived"))


async def test_an_honest_page_load_writes_no_denial(load: Load) -> None:
    """What a normal page asks and a visitor may not have is answered, not refused."""
    assert not load.denials


async def test_no_address_of_a_page_load_carries_a_token(load: Load) -> None:
    """JupyterLab adds `?token=` to every address, WebSockets too, when its page has one; the visitor's has none."""
    assert [url for url in load.statuses if url.startswith("ws:")]
    assert not [url for url in load.statuses if "token" in url.lower()]
