"""A malicious owner's script in Chromium: what it reaches from its own share's page, with a host for each share and
without. The visitor is inside two shares, of which one is the attacker's."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page

from tests.attacks.conftest import SETTINGS
from tests.attacks.owner_script import (
    EXTENSION,
    FILE,
    OUTPUT,
    PAGE,
    plant_extension,
    plant_files,
    script,
    tls_in_front,
)
from tests.browser.chromium import launched, named
from tests.gatehouse import Gatehouse, gatehouse
from tests.real.certificates import Authority
from tests.real.jupyter import JupyterServer, free_port, plant, running_jupyter

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.browser, pytest.mark.real]

SECRET = "SIBLINGSECRET"
LOADED = 60_000  # ms


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """The attacker's server. It also holds the other share, so that the attacker knows every path of it."""
    home = tmp_path_factory.mktemp("evil")
    (home / "root").mkdir()
    plant(home / "root")
    plant_extension(home)
    plant_files(home, home / "root" / "sub" / "shared")
    with running_jupyter(home) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with launched(named("share.test")) as running:
        yield running


@dataclass
class Scene:
    """A visitor in both shares. `own` and `other` are where their visits begin (absolute, with a slash)."""

    house: Gatehouse
    context: BrowserContext
    own: str
    other: str
    own_share: str
    other_share: str
    siblings: bool
    bare: bool

    def targets(self) -> dict[str, Any]:
        gate, other = self.house.origin, self.house.addresses.of(self.other_share)
        visit = self.other.rpartition("~")[2].rstrip("/")
        place = other.visit_cookie(visit)
        base = self.house.running.config.share_hosts or "localhost"
        name = place.name.removeprefix("__Host-")
        names = [f"{each}=evil; Path=/" for each in (place.name, name)]
        beside = [f"{each}; Domain={where}" for each in names for where in (base, "localhost")]
        return {
            "secret": SECRET,
            "contents": f"{self.other}api/contents/sub/shared2/sibling.txt",
            "file": f"{self.other}files/sub/shared2/sibling.txt",
            "write": json.dumps({"type": "file", "format": "text", "content": "evil"}),
            "leave": f"{self.other}-/leave",
            "page": f"{self.other}lab/tree/sub/shared2",
            "live": self.other.replace("http", "ws", 1) + "-/live",
            "workers": {
                "a file": f"{self.own}files/sub/shared/worker.js",
                "another's file": f"{self.other}files/sub/shared2/sibling.txt",
                "an extension": f"{self.own}lab/extensions/evil/static/remoteEntry.0123456789abcdef.js",
                "the door": f"{self.house.addresses.of(self.own_share).join}",
            },
            "cookies": [
                *beside,
                *(f"{each}; Secure" for each in beside),
                f"{place.name}=evil; Path=/; Secure",
                f"={place.name}=evil; Path=/; Domain={base}",
                f"{other.browser_cookie.name}=evil; Path=/; Domain={base}",
            ],
            "dashboard": self.house.running.dashboard_url,
            "doors": {"the gate's": f"{gate}/join", "another's": other.join},
            "windows": {
                "another's page": f"{self.other}lab/tree/sub/shared2",
                "another's door": other.join,
                "the gate's door": f"{gate}/join",
                "dashboard": f"{self.house.running.dashboard_url}/health",
            },
        }

    async def carrier(self, name: str) -> Page:
        """The page in which the script of this carrier runs, when it does."""
        page = await self.context.new_page()
        start = {
            EXTENSION: "lab/tree/sub/shared",
            OUTPUT: "lab/tree/sub/shared/evil.ipynb",
            FILE: "files/sub/shared/evil.html",
            PAGE: "lab/tree/sub/shared",
        }[name]
        await page.goto(self.own + start)
        if name == PAGE:
            await page.evaluate(script(PAGE))
        await page.wait_for_function(f"() => window.{name}", timeout=LOADED)
        return page

    async def events(self) -> list[dict[str, Any]]:
        """What has happened to the other share so far, oldest first."""
        found = await self.house.events(share=self.other_share, limit="1000")
        return sorted(found, key=lambda event: event["seq"])


async def open_link(context: BrowserContext, url: str) -> str:
    """Follow a link and click; the visit's address, absolute. Its page is not loaded yet: what happens to the visit
    from now on, the attack did."""
    page = await context.new_page()
    await page.goto(url)
    await page.route("**/~*/**", lambda route: route.abort())
    async with page.expect_request("**/~*/**") as asked:
        await page.get_by_role("button", name="Open", exact=True).click()
    before, _, rest = (await asked.value).url.partition("/~")
    await page.close()
    return f"{before}/~{rest.partition('/')[0]}/"


@pytest_asyncio.fixture(loop_scope="module")
async def scene(
    browser: Browser, evil: JupyterServer, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Scene]:
    """`request.param`: the mode, and whether the browser leaves out Content-Security-Policy, the outer of two nets."""
    mode, without_csp = request.param
    port = free_port()
    settings: dict[str, dict[str, Any]] = {
        "path": {},
        "localhost": {"share_hosts": "localhost"},
        "siblings": {"share_hosts": "share.test", "public_url": f"https://share.test:{port}"},
    }
    async with gatehouse(tmp_path, evil, **settings[mode], **SETTINGS) as house:
        context = await browser.new_context(bypass_csp=without_csp, ignore_https_errors=True)
        pair = Authority(tmp_path).leaf(names=("share.test", "*.share.test"))
        async with tls_in_front(port, pair, house.running.config.gate_port):
            own = await house.share(own_extensions=True, **{"for": ["Vi"]})
            other = await house.share("sub/shared2", role="edit", **{"for": ["Vi"]})
            yield Scene(
                house,
                context,
                await open_link(context, own["links"][0]["url"]),
                await open_link(context, other["links"][0]["url"]),
                own["share"]["id"],
                other["share"]["id"],
                siblings=mode == "siblings",
                bare=without_csp,
            )
            await context.close()


# With and without its Content-Security-Policy, the outer of two nets: the gate's own refusals must hold alone.
RUNS = [
    *(("localhost", False, carrier) for carrier in (EXTENSION, OUTPUT, FILE, PAGE)),
    ("localhost", True, PAGE),
    ("siblings", False, EXTENSION),
    *(("siblings", True, carrier) for carrier in (EXTENSION, FILE)),
]


@pytest.mark.parametrize(
    ("scene", "carrier"),
    [pytest.param((mode, bare), one, id=f"{mode}{', no policy' * bare}, {one}") for mode, bare, one in RUNS],
    indirect=["scene"],
)
@pytest.mark.timeout(240)
async def test_attack_an_owners_script_from_a_host_of_its_own(scene: Scene, carrier: str) -> None:
    """It reaches neither the visit to the other share, nor the dashboard, nor a door; nothing it plants counts; and the
    visit goes on as if nothing had been. Siblings below one registrable name are one site to a browser, which sends the
    visit's cookie with what they ask: there the gate alone refuses."""
    page = await scene.carrier(carrier)
    before = await scene.events()

    found = await page.evaluate(f"(t) => {carrier}.quiet(t)", scene.targets())
    assert {name: said for name, said in found.items() if not said.startswith("nothing")} == {}
    assert len(found) > 20
    since = (await scene.events())[len(before) :]
    assert [event for event in since if event["outcome"] == "allowed"] == []
    if scene.siblings and scene.bare and carrier != FILE:
        assert {"cross_site", "bad_origin"} <= {event["reason"] for event in since}, "its cookie was sent, and refused"

    windows = await page.evaluate(f"(t) => {carrier}.windows(t)", scene.targets())
    sandboxed = carrier == FILE and not scene.bare
    assert set(windows.values()) == {"not opened" if sandboxed else "nothing: closed"}
    assert (await page.evaluate(f"(t) => {carrier}.leave(t)", scene.targets())).startswith("nothing")

    planted = [each["name"] for each in await scene.context.cookies([scene.other]) if each["value"] == "evil"]
    assert [name for name in planted if name.startswith("__Host-")] == []
    assert bool(planted) == (scene.siblings and not sandboxed), "a browser lets siblings plant cookies of other names"
    mine = await scene.context.new_page()
    await mine.goto(scene.other + "lab/tree/sub/shared2/sibling.txt")
    await mine.wait_for_selector(f"text={SECRET}", timeout=LOADED)
    assert await mine.evaluate("() => localStorage.getItem('evil')") is None
    assert await mine.evaluate("async () => (await navigator.serviceWorker.getRegistrations()).length") == 0


@pytest.mark.parametrize("scene", [("path", False), ("path", True)], ids=["path mode", "no policy"], indirect=True)
@pytest.mark.timeout(120)
async def test_attack_no_page_of_the_gate_installs_a_worker(scene: Scene) -> None:
    """A service worker would stay in front of a share that was revoked. The script tries it from every page that the
    origin has, with the extension's own file, which is served under an address for everybody; the pages' own policy
    and the gate's refusal both hold alone."""
    page = await scene.carrier(EXTENSION)
    ended = f"{scene.own}-/ended"
    targets = {"own": scene.own, "pages": ["/join", "/robots.txt", "/nothing", scene.own + "lab", ended, "/s/x/~y/lab"]}
    said = await page.evaluate(f"(t) => {EXTENSION}.workers(t)", targets)
    assert "/-/static/" in said["worker"] and said["answered"] == 200, "there is a script to install"
    assert {name: what for name, what in said["found"].items() if not what.startswith("nothing")} == {}
    kept = "async () => (await navigator.serviceWorker.getRegistrations()).length"
    assert await page.evaluate(kept) == 0
    if not scene.bare:
        # The page's policy, for which the browser does not even ask; the gate's refusal would be a TypeError.
        assert said["found"]["/join"] == "nothing: SecurityError"


@pytest.mark.parametrize("scene", [("path", False)], ids=["path mode"], indirect=True)
@pytest.mark.timeout(240)
async def test_what_path_mode_cannot_hold(scene: Scene) -> None:
    """All shares have one origin: once the owner's extensions run in one share's page, they act in the same browser's
    visit to another share as that visitor, if they know its address. They read no cookie, register no worker, and
    reach no dashboard; a cookie that they plant has the visit refused, not exchanged. And an owner's file is nobody's
    page in this mode too."""
    page = await scene.carrier(FILE)
    found = await page.evaluate(f"(t) => {FILE}.quiet(t)", scene.targets())
    assert {name: said for name, said in found.items() if not said.startswith("nothing")} == {}

    page = await scene.carrier(EXTENSION)
    targets = {**scene.targets(), "cookies": []}
    found = await page.evaluate(f"(t) => {EXTENSION}.quiet(t)", targets)
    windows = await page.evaluate(f"(t) => {EXTENSION}.windows(t)", targets)
    reached = {name for name, said in found.items() if said == "reached"}
    assert {"contents", "file", "write", "channel"} <= reached
    never = {name for name in found if name.startswith(("worker", "dashboard"))} | {"cookies", "page in a frame"}
    assert not never & reached and len(never) > 6
    assert windows["another's page"] == windows["another's door"] == "reached"
    assert windows["dashboard"] == "nothing: closed"
    await page.evaluate("() => { document.cookie = 'sharegate-visit=evil; Path=/'; }")
    assert await page.evaluate(f"(t) => {EXTENSION}.leave(t)", targets) == "nothing: 401"
    await page.evaluate("() => { document.cookie = 'sharegate-visit=evil; Path=/; Max-Age=0'; }")
    assert await page.evaluate(f"(t) => {EXTENSION}.leave(t)", targets) == "reached"
    other = await scene.context.new_page()
    await other.goto(scene.other + "lab/tree/sub/shared2")
    assert await other.evaluate("() => localStorage.getItem('evil')") == "was here"
