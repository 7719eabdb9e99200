"""A hostile script in a co-owner's own page, in Chromium: it has the origin, the cookie and the person's clicks, and
must not let in the one who wrote it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page

from tests.browser.chromium import launched
from tests.conftest import Clock
from tests.gatehouse import Inside
from tests.visits.coowners.school import School
from tests.visits.coowners.school import school as running

pytestmark = [pytest.mark.browser]

# Runs where an extension's script would: in a page below the visit. Here nothing is forbidden to it by a policy, and it
# has been clicked in, so that it may open windows. Returns all that it could read, by way.
ATTACK = """
async ({ page, socket, knock }) => {
  const found = {};
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  const read = async (name, way) => {
    try {
      found[name] = String(await Promise.race([way(), pause(4000).then(() => "nothing")]));
    } catch (error) {
      found[name] = `refused: ${error.name}`;
    }
  };
  const text = (options) => async () => (await fetch(page, options)).text();
  await read("fetch", text({ credentials: "include" }));
  for (const mode of ["cors", "same-origin", "no-cors"]) {
    await read(`fetch ${mode}`, text({ mode, credentials: "include" }));
  }
  await read("fetch navigate", text({ mode: "navigate" }));
  const said = { Mode: "navigate", Dest: "document", Site: "none", User: "?1" };
  const forged = Object.fromEntries(Object.entries(said).map(([name, value]) => [`Sec-Fetch-${name}`, value]));
  await read("fetch with forged headers", text({ headers: forged, credentials: "include" }));
  await read("xhr", () => new Promise((done, failed) => {
    const asked = new XMLHttpRequest();
    asked.open("GET", page);
    asked.responseType = "document";
    asked.onload = () => done(asked.response?.documentElement?.outerHTML);
    asked.onerror = () => failed(new Error("xhr"));
    asked.send();
  }));
  for (const tag of ["iframe", "object", "embed"]) {
    await read(tag, () => new Promise((done) => {
      const frame = document.createElement(tag);
      frame[tag === "object" ? "data" : "src"] = page;
      frame.onload = () => done(frame.contentDocument?.documentElement?.outerHTML ?? frame.getSVGDocument?.());
      frame.onerror = () => done("error");
      document.body.append(frame);
    }));
  }
  for (const rel of ["prefetch", "preload", "prerender"]) {
    const as = rel === "preload" ? "fetch" : "document";
    document.head.append(Object.assign(document.createElement("link"), { rel, href: page, as }));
  }
  document.head.append(Object.assign(document.createElement("script"), {
    type: "speculationrules",
    textContent: JSON.stringify({ prerender: [{ urls: [page] }], prefetch: [{ urls: [page] }] }),
  }));
  await pause(500);
  for (const cache of ["force-cache", "only-if-cached"]) await read(cache, text({ cache, mode: "same-origin" }));
  await read("caches", async () => {
    const kept = await caches.open("x");
    await kept.add(page);
    return (await kept.match(page)).text();
  });
  await read("service worker", async () => (await navigator.serviceWorker.register(page)).scope);
  await read("worker", () => new Promise((done) => {
    const worker = new Worker(page);
    worker.onmessage = (event) => done(event.data);
    worker.onerror = () => done("error");
  }));
  // The window is the person's tab; what opened it holds on to it.
  const opened = window.open(page);
  window.held = opened;
  await pause(2500);
  await read("opened: document", () => opened.document.documentElement.outerHTML);
  await read("opened: key", () => opened.document.body.dataset.key);
  await read("opened: eval", () => opened.eval("document.body.dataset.key"));
  await read("opened: name", () => opened.location.href);
  await read("opened: socket", () => opened.WebSocket.name);
  await read("opened: history", () => opened.history.length);
  await read("opened: javascript", async () => {
    opened.location = "javascript:opener.stolen = document.documentElement.outerHTML";
    await pause(300);
    return window.stolen;
  });
  const channel = (name, where, protocols) => read(name, () => new Promise((done) => {
    const asked = where === "here" ? new WebSocket(socket, protocols) : null;
    if (asked) {
      asked.onmessage = (event) => done(event.data);
      asked.onerror = () => done("refused");
      asked.onopen = () => asked.send(JSON.stringify({ type: "admit", n: 1, id: knock }));
      return;
    }
    // From an opaque origin, as the page itself.
    const frame = document.createElement("iframe");
    frame.sandbox = "allow-scripts";
    frame.srcdoc = `<script>
      const asked = new WebSocket(${JSON.stringify(socket)}, ${JSON.stringify(protocols)});
      asked.onmessage = (event) => parent.postMessage(event.data, "*");
      asked.onerror = () => parent.postMessage("refused", "*");
      asked.onopen = () => asked.send(JSON.stringify({ type: "admit", n: 1, id: ${JSON.stringify(knock)} }));
    <\\/script>`;
    window.addEventListener("message", (event) => done(event.data), { once: true });
    document.body.append(frame);
  }));
  for (const where of ["here", "sandboxed"]) {
    await channel(`socket ${where}`, where, []);
    await channel(`socket ${where} without a key`, where, ["sharegate-coowner"]);
    await channel(`socket ${where} with a made-up key`, where, ["sharegate-coowner", "bcdfghjkmn.1.00.00"]);
  }
  return found;
}
"""


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with launched() as running:
        yield running


@pytest.fixture(params=["", "localhost"], ids=["path mode", "share hosts"])
async def school(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> AsyncIterator[School]:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "no servers"))
    async with running(tmp_path, clock, share_hosts=request.param) as found:
        yield found


async def lab(school: School, browser: Browser, tia: Inside) -> tuple[BrowserContext, Page]:
    """Tia's browser, in a page below her visit that is all the attacker's."""
    context = await browser.new_context()
    place = tia.addresses.visit_cookie(tia.base.rpartition("~")[2].rstrip("/"))
    cookie = f"{place.name}={tia.cookie}; Path={place.path}; HttpOnly; SameSite=Lax{'; Secure' if place.secure else ''}"
    page = await context.new_page()
    address = f"{tia.origin}{tia.base}lab"
    headers = {"Content-Type": "text/html", "Set-Cookie": cookie}
    await page.route(address, lambda route: route.fulfill(body="<!doctype html><p>evil", headers=headers))
    await page.goto(address)
    await page.mouse.click(5, 5)
    return context, page


async def test_attack_a_script_lets_in_its_author(school: School, browser: Browser) -> None:
    """By no way that there is does it read the page, its key or what is said on its channel; nobody is let in."""
    made = await school.share()
    await school.gate.visit(made, 1)
    tia = await school.coowner(made)
    knock = await school.knock(made["links"][1], "Mallory")
    context, page = await lab(school, browser, tia)
    address = f"{tia.origin}{tia.base}-/coowner"
    asked = {"page": address, "socket": address.replace("http", "ws", 1), "knock": knock}
    found: dict[str, Any] = await page.evaluate(ATTACK, asked)
    told = "\n".join(f"{way}: {text[:300]}" for way, text in found.items())
    assert len(found) > 25, told
    for way, text in found.items():
        assert not any(word in text for word in ("data-key", "Mallory", '"state"', '"answer"')), told
        assert not way.startswith("opened:") or text.startswith("refused") or text in ("undefined", "nothing"), told
    assert await page.evaluate("navigator.serviceWorker?.getRegistrations().then((all) => all.length) ?? 0") == 0
    (waiting,) = (await school.gate.call("GET", "knocks"))["knocks"]
    assert waiting["id"] == knock
    # The window that the script opened is Tia's page all the same, and she lets in whom she means.
    (opened,) = [one for one in context.pages if one.url == address]
    await opened.get_by_text("Mallory").wait_for()
    await asyncio.sleep(1)
    await opened.get_by_role("button", name="Refuse").click()
    await opened.get_by_text("Nobody knocks.").wait_for()
    await context.close()


async def test_attack_the_page_comes_under_a_click(school: School, browser: Browser) -> None:
    """A script that knows when somebody is about to click brings the page to the front: that click does nothing."""
    made = await school.share()
    await school.gate.visit(made, 1)
    tia = await school.coowner(made)
    await school.knock(made["links"][1], "Mallory")
    context, _ = await lab(school, browser, tia)
    opened = await context.new_page()
    await opened.goto(f"{tia.origin}{tia.base}-/coowner")
    button = opened.get_by_role("button", name="Let in")
    await button.wait_for()
    # As a double click does whose first half loaded the page.
    await opened.evaluate("document.querySelector('button.main').click()")
    box = await button.bounding_box()
    assert box is not None
    await opened.evaluate("window.dispatchEvent(new Event('focus'))")
    await opened.mouse.click(box["x"] + 5, box["y"] + 5)
    await opened.evaluate("new Promise((done) => setTimeout(done, 900))")
    await opened.evaluate("document.querySelector('button.main').click()")  # no person's
    assert len((await school.gate.call("GET", "knocks"))["knocks"]) == 1
    await opened.mouse.click(box["x"] + 5, box["y"] + 5)
    await opened.get_by_text("Nobody knocks.").wait_for()
    await context.close()
