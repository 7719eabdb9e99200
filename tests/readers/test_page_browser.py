"""The pages for reading in a real browser, before a real server: live, on a phone, with nothing in the console."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from sharegate.client import join
from tests.browser import axe
from tests.gatehouse import Gatehouse, Inside
from tests.readers.sample import code, course, notebook, printed, shown, words, written

pytestmark = [pytest.mark.real, pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
# Chromium's own notes of answers of 400 and up.
NOISE = "the server responded with a status of"


@dataclass
class Reader:
    """A tab of somebody who is in."""

    page: Page
    who: Inside
    console: list[str]

    async def open(self, place: str) -> None:
        await self.page.goto(f"{self.who.origin}{self.who.base}-/read/{place}")
        await self.page.locator("#state[data-state=live]").wait_for()

    async def see(self, words_: str) -> None:
        await self.page.get_by_text(words_).first.wait_for(timeout=30_000)


async def reader(chromium: Browser, who: Inside, **settings: Any) -> Reader:
    context = await chromium.new_context(locale="en-GB", **settings)
    await context.add_cookies([{"name": who.cookie_name, "value": who.cookie, "url": f"{who.origin}{who.base}"}])
    page = await context.new_page()
    console: list[str] = []
    page.on("console", lambda message: console.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: console.append(f"pageerror: {error}"))
    return Reader(page, who, console)


async def closed(one: Reader) -> None:
    await one.page.context.close()
    assert [line for line in one.console if NOISE not in line] == []


@pytest_asyncio.fixture(loop_scope="module")
async def phone(chromium: Browser, ann: Inside) -> AsyncIterator[Reader]:
    made = await reader(chromium, ann, **PHONE)
    yield made
    await closed(made)


async def test_a_phone_begins_with_reading(chromium: Browser, house: Gatehouse) -> None:
    """After Open a phone has the folder as a page; a desk has JupyterLab."""
    for settings, place in ((PHONE, "/-/read/sub/shared"), (DESK, "/lab/tree/sub/shared")):
        made = await house.share(**{"for": ["Bo"]})
        context = await chromium.new_context(locale="en-GB", **settings)
        page = await context.new_page()
        await page.goto(made["links"][0]["url"])
        await page.get_by_role("button", name="Open").click()
        await page.wait_for_url(f"**{place}")
        if settings is PHONE:
            await page.get_by_role("link", name="week3.ipynb").click()
            await page.get_by_role("heading", name="Week 3: oxygen in the bay").wait_for()
            await page.get_by_role("link", name="Open in JupyterLab").click()
            await page.wait_for_url("**/lab/tree/sub/shared/week3.ipynb")
            await page.get_by_role("button", name="Read without JupyterLab").click()
            await page.wait_for_url("**/-/read/sub/shared/week3.ipynb")
        await context.close()


async def test_what_is_saved_appears_and_the_place_stays(phone: Reader, shared: Path) -> None:
    """Only the cell that changed is another element; what is read does not move; a new cell above moves nothing."""
    file = shared / "live.ipynb"
    cells = [words("\n\n".join(f"Paragraph {cell}.{line}" for line in range(12))) for cell in range(12)]
    file.write_bytes(written(notebook(*cells)))
    try:
        await phone.open("sub/shared/live.ipynb")
        await phone.page.evaluate(
            """() => {
                for (const cell of document.querySelectorAll(".cell")) cell.mine = true;
                document.querySelectorAll(".cell")[6].scrollIntoView();
            }"""
        )
        at = "document.querySelector('[data-key=cell-6]').getBoundingClientRect().top"
        before = await phone.page.evaluate(at)
        cells[1] = words("\n\n".join(f"Another {line}" for line in range(40)))
        cells[8] = code("x", printed("just now\n"))
        file.write_bytes(written(notebook(*cells)))
        await phone.page.get_by_text("just now").first.wait_for(state="attached", timeout=30_000)
        assert abs(await phone.page.evaluate(at) - before) <= 1
        fresh = "[...document.querySelectorAll('.cell')].filter((cell) => !cell.mine).map((cell) => cell.dataset.key)"
        assert await phone.page.evaluate(fresh) == ["cell-1", "cell-8"]
        assert await phone.page.locator("#state").inner_text() == "Changed just now."
    finally:
        file.unlink()
    await phone.see("This is not there any more.")


async def test_what_the_owner_types_appears(phone: Reader, house: Gatehouse, shared: Path) -> None:
    """A change in the live document, which the server saves by itself a moment later."""
    (shared / "typed.ipynb").write_bytes(written(notebook(words("before"))))
    await phone.open("sub/shared/typed.ipynb")
    editor = await house.program(role="edit")
    async with join(str(editor.link["url"])) as share:
        document = await share.notebook("typed.ipynb")
        document.cells[0].source = "before, and after"
        await phone.see("before, and after")
    (shared / "typed.ipynb").unlink()


async def test_a_new_file_appears_in_its_folder(phone: Reader, shared: Path) -> None:
    """A folder is followed as well."""
    await phone.open("sub/shared/inner")
    (shared / "inner" / "fresh.txt").write_text("x")
    try:
        await phone.page.get_by_role("link", name="fresh.txt").wait_for(timeout=30_000)
    finally:
        (shared / "inner" / "fresh.txt").unlink()


@pytest.mark.parametrize("how", ["revoke", "pause", "end the visit"])
async def test_the_end_closes_the_page(chromium: Browser, house: Gatehouse, how: str) -> None:
    """What was read is gone within a moment, and the page says what happened."""
    made = await reader(chromium, await house.visit(name="Eve"), **PHONE)
    await made.open("sub/shared/week3.ipynb")
    visit = made.who.base.rpartition("~")[2].rstrip("/")
    path = f"visits/{visit}/end" if how == "end the visit" else f"shares/{made.who.share['id']}/{how}"
    await house.call("POST", path)
    await made.page.locator("[data-section=ended]").wait_for(timeout=30_000)
    assert "oxygen" not in await made.page.content()
    await closed(made)


async def test_leaving_leaves(chromium: Browser, house: Gatehouse) -> None:
    """The visit ends, and Back shows nothing of it."""
    made = await reader(chromium, await house.visit(name="Eve"), **PHONE)
    await made.open("sub/shared/week3.ipynb")
    await made.page.get_by_role("button", name="Leave").click()
    await made.page.get_by_role("heading", name="You have left.").wait_for()
    assert (await made.who.ask("GET", "-/read/sub/shared")).status == 403
    await closed(made)


EVIL = notebook(
    words("<script>window.owned=1</script> <img src=x onerror=window.owned=1>\n\n[x](javascript:window.owned=1)"),
    words("![p](http://evil.example/p.png) ![q](//evil.example/q.png) ![d](data:image/svg+xml,<svg/onload=owned=1>)"),
    code("x", shown({"text/html": "<img src=http://evil.example/o.png onerror=window.owned=1><b>kept</b>"})),
    code("x", shown({"text/html": "<svg onload=window.owned=1></svg><table><td onclick=window.owned=1>cell"})),
    code("x", shown({"application/javascript": "window.owned=1", "text/plain": "plain"})),
    code("x", shown({"image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg' onload='window.owned=1'/>"})),
    code("x", printed("\x1b]0;owned\x07<script>window.owned=1</script>")),
    words("x" * 2000 + "​" * 10),
    words("text", id="state"),
)


async def test_attack_a_notebook_runs_and_fetches_nothing(phone: Reader, shared: Path) -> None:
    """No script, no handler, no request to elsewhere; no element of the page's own is taken over."""
    asked: list[str] = []
    phone.page.on("request", lambda request: asked.append(request.url))
    (shared / "evil.ipynb").write_bytes(written(EVIL))
    await phone.open("sub/shared/evil.ipynb")
    for link in await phone.page.get_by_text("x", exact=True).all():
        await link.click()
    assert await phone.page.evaluate("window.owned") is None
    assert [address for address in asked if not address.startswith(phone.who.origin)] == []
    assert await phone.page.locator("main script, main img, main svg, main iframe").count() == 0
    assert await phone.page.locator("#state").count() == 1
    assert await phone.page.evaluate("document.documentElement.scrollWidth") <= 390
    (shared / "evil.ipynb").unlink()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_serious(chromium: Browser, ann: Inside, scheme: str) -> None:
    """On no kind of page, on a phone and at a desk; and nothing is wider than the screen."""
    axe.source()  # skips here, before anything is started
    found = {}
    for settings in (PHONE, DESK):
        made = await reader(chromium, ann, color_scheme=scheme, bypass_csp=True, **settings)
        for place in ("sub/shared/week3.ipynb", "sub/shared", "sub/shared/notes.md", "sub/shared/plot.png", "sub"):
            await made.open(place)
            found[f"{place} at {settings['viewport']['width']}"] = await axe.serious(made.page)
            width = await made.page.evaluate("document.documentElement.scrollWidth")
            assert width <= settings["viewport"]["width"], place
        await closed(made)
    assert {place: lines for place, lines in found.items() if lines} == {}


async def test_without_a_script_the_page_is_whole(chromium: Browser, ann: Inside) -> None:
    """It says what it shows, follows nothing, and offers nothing that would not work."""
    made = await reader(chromium, ann, java_script_enabled=False, **PHONE)
    await made.page.goto(f"{ann.origin}{ann.base}-/read/sub/shared/week3.ipynb")
    text = await made.page.locator("body").inner_text()
    assert "Week 3: oxygen in the bay" in text and "This page shows what is saved." in text and "Leave" not in text
    await closed(made)


async def test_the_course_can_be_read_by_ear(phone: Reader) -> None:
    """Headings in order of the notebook, names for what can be scrolled, a table with heads."""
    await phone.open("sub/shared/week3.ipynb")
    headings = await phone.page.get_by_role("heading").all_inner_texts()
    assert headings == ["week3.ipynb", "Week 3: oxygen in the bay", "Profile"]
    assert await phone.page.get_by_role("columnheader", name="salinity").count() == 1
    assert await phone.page.get_by_role("group", name="Code 1").count() == 1
    assert await phone.page.get_by_role("navigation", name="Where to go").count() == 1
    assert json.dumps(course()).count("cell_type") == await phone.page.locator(".cell").count()


EVIL = "http://evil.localhost:1/"
SCRIPT = "<script>owned()</script><img src=x onerror=owned()>"
OFFERED: dict[str, Any] = {
    "text/html": f"<b onclick=owned()>bold</b><img src={EVIL}><form action={EVIL}><button>x</button></form>{SCRIPT}",
    "image/svg+xml": f"<svg xmlns='http://www.w3.org/2000/svg' onload='owned()'><image href='{EVIL}'/></svg>",
    "text/markdown": f"[a](javascript:owned()) ![x]({EVIL}x.png) {SCRIPT}",
    "text/latex": f"$\\href{{javascript:owned()}}{{x}}$</code>{SCRIPT}",
    "application/javascript": "owned()",
    "text/javascript": "owned()",
    "application/json": {"__proto__": 1, SCRIPT: f"</script>{SCRIPT}"},
    "application/vnd.plotly.v1+json": {"data": SCRIPT},
    "application/vnd.jupyter.widget-view+json": {"model_id": SCRIPT},
    "application/pdf": "JVBERi0=",
    "image/png": "iVBORw0KGgo=",
    "image/jpeg": f"<svg onload=owned()>{SCRIPT}",
    "video/mp4": "AAAA",
    SCRIPT: SCRIPT,
    "text/plain": f"\u202eplain\x1b]8;;javascript:owned()\x07link\x1b]8;;\x07\x1b[31m{SCRIPT}",
}
WORDS = f"""[a][b] [c] <javascript:owned()> <{EVIL}"onmouseover=owned()> [x](<java\tscript:owned()>)
[y](JaVaScRiPt&colon;owned()) [z](&#106;avascript:owned()) [d](data:text/html,x) [v](vbscript:x)
[f](//evil.localhost/x) [g](/\\evil.localhost) [h](\\\\evil.localhost) [i](https:evil.localhost) [j](/s/x/~y/)
[k](../../../secret/key.txt) ![p]({EVIL}p.png) ![q](//evil.localhost/q.png) ![r](data:image/svg+xml,x)

[b]: javascript:owned()
[c]: <jav&#x09;ascript:owned()>

<!-- {SCRIPT} --> <base href={EVIL}> <meta http-equiv=refresh content="0;url={EVIL}"> {SCRIPT}

$$\\href{{javascript:owned()}}{{x}}{SCRIPT}$$ &lt;script&gt;owned()&lt;/script&gt; &#0; \u202eturned
"""


async def test_attack_a_notebook_with_every_kind_of_output(chromium: Browser, ann: Inside, shared: Path) -> None:
    """Each alone, all at once, and words of every spelling: nothing runs, nothing is asked of another host, and links
    lead to other sites in the open or to what is shared."""
    each = [code("x", shown({kind: data})) for kind, data in OFFERED.items()]
    cells = [*each, code("x", shown(OFFERED)), words(WORDS), words(SCRIPT)]
    (shared / "evil.ipynb").write_bytes(written(notebook(*cells)))
    made = await reader(chromium, ann, **DESK)
    asked: list[str] = []
    made.page.on("request", lambda request: asked.append(request.url))
    await made.page.add_init_script("window.owned = () => { window.done = 1; };")
    await made.open("sub/shared/evil.ipynb")
    await made.see("owned()")
    assert await made.page.evaluate("window.done") is None
    assert [url for url in asked if not url.startswith((ann.origin, ann.origin.replace("http", "ws", 1)))] == []
    links = await made.page.evaluate("[...document.querySelectorAll('a')].map((one) => one.href)")
    assert [one for one in links if not one.startswith((f"{ann.origin}{ann.base}", EVIL))] == []
    assert await made.page.locator("main script, form, base, iframe, main svg, [onclick], [onerror]").count() == 0
    assert await made.page.locator("script:not([src], #words), meta[http-equiv]").count() == 0
    await closed(made)
