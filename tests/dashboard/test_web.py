"""The dashboard's address over real HTTP: who gets in, and what they get."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.dashboard.conftest import Office


class Browser:
    """One browser's cookies, and what it says of itself. `url` is the dashboard's."""

    def __init__(self, url: str) -> None:
        self.url = url
        # The jar of this library leaves addresses out: the dashboard's name is a host name.
        self.http = aiohttp.ClientSession(url, cookie_jar=aiohttp.CookieJar())
        self.csrf = ""

    async def post(self, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, Any]]:
        said = {"Origin": self.url, "X-CSRF-Token": self.csrf} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        async with self.http.post(path, json=body or {}, headers=said) as answer:
            return answer.status, await answer.json()

    async def get(self, path: str, **headers: str) -> tuple[int, str]:
        async with self.http.get(path, headers=headers) as answer:
            return answer.status, await answer.text()

    async def enter(self, office: Office) -> None:
        """As `sharegate open` does."""
        made = await office.call("POST", "logins")
        status, said = await self.post("/login", {"code": made["url"].partition("#")[2]})
        assert (status, said) == (200, {"location": "/"})
        status, text = await self.get("/")
        found = re.search(r'<meta name="csrf" content="([^"]+)">', text)
        assert status == 200 and found is not None
        self.csrf = found[1]


@pytest.fixture
async def browser(office: Office) -> AsyncIterator[Browser]:
    browser = Browser(office.running.dashboard_url)
    yield browser
    await browser.http.close()


@pytest.fixture
async def inside(office: Office, browser: Browser) -> Browser:
    await browser.enter(office)
    return browser


@pytest.mark.parametrize("path", ["/", "/shares/x", "/whatever", "/api/v1/gate", "/api/v1/nothing", "/live"])
async def test_attack_somebody_who_is_not_signed_in_looks_around(browser: Browser, path: str) -> None:
    """Every address has the same answer, which names neither owner nor share."""
    status, text = await browser.get(path)
    assert status == 401 and "sharegate open" in text and "Olga" not in text
    status, text = await browser.get(path, **{"Sec-Fetch-Dest": "empty"})
    assert status == 401 and json.loads(text)["code"] == "not_signed_in"


async def test_a_one_time_address_opens_the_dashboard_once(office: Office, browser: Browser) -> None:
    """The key stands in the fragment; the cookie is for this host, for no script, and for no other site's link."""
    made = await office.call("POST", "logins")
    address, _, code = made["url"].partition("#")
    assert address == office.running.dashboard_url + "/login"
    async with browser.http.post("/login", json={"code": code}, headers={"Origin": browser.url}) as answer:
        said = answer.headers["Set-Cookie"]
    assert "HttpOnly" in said and "SameSite=Strict" in said and "Domain" not in said
    status, text = await browser.get("/")
    assert status == 200 and "Olga" in text and code not in text
    status, refused = await browser.post("/login", {"code": code})
    assert status == 403 and refused["code"] == "code_used"


@pytest.mark.parametrize("body", [{}, {"code": 1}, {"code": "x", "more": 1}, {"code": None}])
async def test_a_body_without_a_code_is_a_clear_error(browser: Browser, body: Any) -> None:
    """The field is named, and what to run."""
    status, said = await browser.post("/login", body)
    assert status == 400 and said["field"] == "code" and "sharegate open" in said["remedy"]


async def test_attack_a_page_of_another_port_signs_in_or_acts(office: Office, inside: Browser) -> None:
    """Neither by its own origin nor without the session's token."""
    share = (await office.share())["share"]["id"]
    before = await office.everything()
    path = f"/api/v1/shares/{share}/revoke"
    for headers in (
        {"Origin": "http://localhost:8888"},
        {"Origin": "null"},
        {"X_CSRF_Token": "guessed"},
        {"X_CSRF_Token": ""},
    ):
        status, said = await inside.post(path, **headers)
        assert status == 403 and said["code"] == "cross_site"
    status, said = await inside.post("/login", {"code": "x"}, Origin="http://localhost:8888")
    assert status == 403 and said["code"] == "cross_site"
    status, said = await inside.post(path, Sec_Fetch_Site="same-site")
    assert status == 421
    assert await office.everything() == before


async def test_whoever_is_signed_in_acts_as_the_owner(office: Office, inside: Browser) -> None:
    """The page's buttons call the API that the command line calls."""
    share = (await office.share())["share"]["id"]
    status, said = await inside.post(f"/api/v1/shares/{share}/pause")
    assert status == 200 and said["share"]["state"] == "paused"
    assert "share.paused" in await office.actions()


async def test_attack_a_page_asks_for_a_key_for_another_browser(inside: Browser) -> None:
    """One-time addresses are made over the owner's socket alone."""
    status, said = await inside.post("/api/v1/logins")
    assert status == 403 and said["code"] == "socket_only"


async def test_attack_a_cookie_beside_the_right_one(office: Office, inside: Browser) -> None:
    """A page at another port of this host name can set one for any path, and `sharegate open` does not take it away:
    it neither puts itself in the right one's place nor locks anybody out. Of two that both count, none does."""
    right = next(iter(inside.http.cookie_jar)).value
    other = Browser(inside.url)
    await other.enter(office)
    second = next(iter(other.http.cookie_jar)).value
    await other.http.close()
    name = "sharegate-dashboard"
    for cookie, status in (
        (f"{name}={right}; {name}=x", 200),
        (f"{name}=x; {name}={right}", 200),
        (f"{name}={right}; {name}={right}", 200),
        (f"{name}={'x' * 2000}; {name}=; {name}; ={name}=y; {name}={right}", 200),
        (f"{name}={right}; {name}={second}", 401),
        (f"{name}={second}; {name}={right}", 401),
        (f"{name}=x; {name}=y", 401),
        (f'{name}="{right}"', 401),
        (f"{name.upper()}={right}", 401),
        (f"={name}={right}", 401),
        (f"a={name}={right}", 401),
        (f"{name}={right}x", 401),
        (f"{name}={right},{name}=x", 401),
        ("; ".join([*[f"{name}=x{number}" for number in range(50)], f"{name}={right}"]), 401),
    ):
        async with aiohttp.ClientSession(inside.url, cookie_jar=aiohttp.DummyCookieJar()) as http:
            async with http.get("/", headers={"Cookie": cookie}) as answer:
                assert answer.status == status, cookie
            async with http.get("/api/v1/me", headers={"Cookie": cookie}) as answer:
                assert answer.status == status, cookie


async def test_a_live_page_hears_what_happens_until_the_session_ends(office: Office, inside: Browser) -> None:
    """By kind and id, and without the words of the trail. Signing out closes it."""
    async with inside.http.ws_connect("/live", headers={"Origin": inside.url}) as socket, asyncio.timeout(25):
        assert (await socket.receive_json())["kind"] == "hello"
        share = (await office.share())["share"]["id"]
        while (heard := await socket.receive_json())["id"] != share:
            pass
        assert set(heard) == {"kind", "id", "share", "at"}
        status, _ = await inside.post("/logout")
        assert status == 200
        while (message := await socket.receive()).type is aiohttp.WSMsgType.TEXT:
            pass
        assert message.type is aiohttp.WSMsgType.CLOSE and message.data == 1008
    assert (await inside.get("/"))[0] == 401


async def test_what_happened_before_a_page_heard_anything_is_seen(office: Office, inside: Browser) -> None:
    """A page has the mark of the moment in which it was written, and the live page begins with that of now. Nobody
    reads from it how much happened."""

    async def written() -> str:
        found = re.search(r'<meta name="mark" content="([0-9a-f]{16})">', (await inside.get("/"))[1])
        assert found is not None
        return found[1]

    async def live() -> str:
        async with inside.http.ws_connect("/live", headers={"Origin": inside.url}) as socket, asyncio.timeout(25):
            return str((await socket.receive_json())["mark"])

    before = await written()
    assert await live() == before == await written()
    await office.share()
    assert await live() == await written() != before


async def test_attack_a_page_of_another_origin_listens(inside: Browser) -> None:
    """A WebSocket carries the cookie from anywhere on this computer: its origin is looked at."""
    for headers in ({"Origin": "http://localhost:8888"}, {}):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await inside.http.ws_connect("/live", headers=headers)
        assert refused.value.status == 403


async def test_pages_may_load_nothing_from_elsewhere(inside: Browser) -> None:
    """The policy is strict, nothing is kept, and all that a page names is served."""
    async with inside.http.get("/") as answer:
        policy = answer.headers["Content-Security-Policy"]
        text = await answer.text()
        assert answer.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    named = re.findall(r'(?:src|href)="(/static/[^"]+)"', text)
    assert len(named) >= 4
    for path in named:
        async with inside.http.get(path) as answer:
            assert answer.status == 200 and "immutable" in answer.headers["Cache-Control"], path
    assert (await inside.get("/static/x/board.js"))[0] == 404
    assert re.findall(r'(?:src|href)="(?:https?:)?//', text) == []


async def test_attack_the_dashboard_by_another_name_of_this_computer(office: Office, inside: Browser) -> None:
    """Cookies are for all ports of a name, and the gate has one of the others: pages, sign-in and API are under the
    dashboard's own. A browser is sent there; health is for every name."""
    port = inside.url.rpartition(":")[2]
    cookie = {"Cookie": f"sharegate-dashboard={next(iter(inside.http.cookie_jar)).value}"}
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", cookie_jar=aiohttp.DummyCookieJar()) as http:
        for path in ("/", "/login", "/api/v1/gate", "/live"):
            async with http.get(path, headers=cookie) as answer:
                assert answer.status == 421 and "Olga" not in await answer.text(), path
        async with http.post("/login", json={"code": "x"}, headers={"Origin": f"http://127.0.0.1:{port}"}) as answer:
            assert answer.status == 421
        asked = {"Sec-Fetch-Dest": "document"}
        async with http.get("/shares/x", headers=asked, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (302, inside.url)
        async with http.get("/health") as answer:
            assert answer.status == 200


async def test_the_page_that_signs_in_can_be_come_to_from_a_file(browser: Browser) -> None:
    """As a page of its own, and no other address can."""
    elsewhere = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert (await browser.get("/login", **elsewhere))[0] == 200
    for other in ({"Sec-Fetch-Dest": "iframe"}, {"Sec-Fetch-Mode": "no-cors"}):
        assert (await browser.get("/login", **elsewhere | other))[0] == 421
    assert (await browser.get("/", **elsewhere))[0] == 421
