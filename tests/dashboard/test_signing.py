"""Signing in to the dashboard with an account, over real HTTP, at a provider that does what a test tells it to."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import jwt
import pytest
from aiohttp import web

from sharegate.dashboard.login import Session, Viewer
from tests.conftest import Clock
from tests.oidc.party import CLIENT
from tests.visits.signer import ARRIVING, Desk, signing

WHO = {"oidc_owner": ["Olga@uni.example", "sub:olga-2"], "oidc_admin_groups": ["staff"], "oidc_session_hours": 2}
OLGA = {"sub": "olga-1", "email": "olga@uni.example"}


@pytest.fixture
async def desk(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    async with signing(tmp_path, clock, monkeypatch, **WHO) as desk:
        desk.there.claims |= OLGA
        yield desk


class Tab:
    """One browser at the dashboard."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.url = desk.office.running.dashboard_url
        self.http = aiohttp.ClientSession(self.url, cookie_jar=aiohttp.CookieJar())

    async def leave(self) -> str:
        async with self.http.post("/login/sign", json={}, headers={"Origin": self.url}) as answer:
            assert answer.status == 200
            return str((await answer.json())["location"])

    async def come(self, address: str, **headers: str) -> tuple[int, str]:
        said = {**ARRIVING, **{name.replace("_", "-"): value for name, value in headers.items()}}
        async with self.http.get(address, headers=said, allow_redirects=False) as answer:
            return answer.status, await answer.text()

    async def sign(self) -> tuple[int, str]:
        return await self.come(self.desk.there.sent_back(await self.leave()))

    async def out(self) -> str:
        """A click on "Sign out": where it leads."""
        page = (await self.come("/", Sec_Fetch_Site="same-origin"))[1]
        found = re.search(r'<meta name="csrf" content="([^"]+)">', page)
        assert found is not None
        async with self.http.post("/logout", headers={"Origin": self.url, "X-CSRF-Token": found[1]}) as answer:
            assert answer.status == 200
            return str((await answer.json())["location"])

    async def me(self) -> dict[str, Any]:
        async with self.http.get("/api/v1/me") as answer:
            return {"status": answer.status, **(await answer.json())}

    def cookie(self, name: str) -> str:
        return next((one.value for one in self.http.cookie_jar if one.key == name), "")


@pytest.fixture
async def tab(desk: Desk) -> AsyncIterator[Tab]:
    tab = Tab(desk)
    yield tab
    await tab.http.close()


@pytest.mark.parametrize(
    ("claims", "rules", "actor"),
    [
        ({}, 403, "owner"),
        ({"sub": "olga-2", "email": None}, 403, "owner"),
        ({"groups": ["staff"]}, 200, "owner"),
        ({"sub": "ada", "email": "ada@uni.example", "groups": ["x", "staff"]}, 200, "admin"),
    ],
)
async def test_owner_and_admins_sign_in(desk: Desk, tab: Tab, claims: dict[str, Any], rules: int, actor: str) -> None:
    """The owner by address or subject, admins by their group; who is no admin has no pages of theirs."""
    desk.there.claims |= claims
    share = (await desk.office.share())["share"]["id"]
    status, text = await tab.sign()
    assert status == 200 and "data-entered" in text and "week3" not in text
    assert (await tab.me())["status"] == 200
    async with tab.http.get("/api/v1/rules") as answer:
        assert answer.status == rules
    status, page = await tab.come("/", Sec_Fetch_Site="same-origin")
    found = re.search(r'<meta name="csrf" content="([^"]+)">', page)
    assert status == 200 and found is not None and ('href="/admin"' in page) is (rules == 200)
    headers = {"Origin": tab.url, "X-CSRF-Token": found[1]}
    async with tab.http.post(f"/api/v1/shares/{share}/pause", json={}, headers=headers) as answer:
        assert answer.status == 200
    events = (await desk.office.call("GET", "audit"))["events"]
    assert {event["action"]: event["actor"] for event in events}["share.paused"] == actor
    assert {event["action"]: event["actor"] for event in events}["dashboard.entered"] == actor


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "eve", "email": "eve@uni.example"},
        {"sub": "eve", "email_verified": False},
        {"sub": "eve", "email": "sub:olga-2"},
        {"sub": "eve", "email": None, "groups": ["staffer", "STAFF", ""]},
        {"sub": "olga@uni.example", "email": None},
        {"aud": "other"},
        {"nonce": "other"},
        {"iss": "https://evil.example"},
        {"exp": 1},
    ],
    ids=str,
)
async def test_attack_somebody_else_signs_in(desk: Desk, tab: Tab, claims: dict[str, Any]) -> None:
    """Who is neither, or whose token is none, has no session, and is told nothing of what is here."""
    desk.there.claims |= claims
    status, text = await tab.sign()
    assert status == 403 and "Olga" not in text and "data-entered" not in text
    assert (await tab.me())["status"] == 401 and tab.cookie("sharegate-dashboard") == ""
    assert "dashboard.refused" in await desk.office.actions()


async def test_attack_a_victim_is_signed_in_by_another_site(desk: Desk, tab: Tab) -> None:
    """An answer that this browser did not ask for, also one given twice, or framed, or fetched."""
    other = Tab(desk)
    back = desk.there.sent_back(await other.leave())
    assert (await tab.come(back))[0] == 403
    await tab.leave()
    assert (await tab.come(back))[0] == 403 and (await tab.me())["status"] == 401
    assert (await other.come(back, Sec_Fetch_Dest="iframe"))[0] in (403, 421)
    assert (await other.come(back, Sec_Fetch_Mode="cors", Sec_Fetch_Dest="empty"))[0] in (403, 421)
    assert desk.there.forms == []
    assert (await other.come(back))[0] == 200
    assert (await other.come(back))[0] == 403 and len(desk.there.forms) == 1
    await other.http.close()


async def test_attack_another_site_begins_a_sign_in(desk: Desk, tab: Tab) -> None:
    """It needs a page of the dashboard's own."""
    for headers in ({"Origin": "https://evil.example"}, {}, {"Origin": "null"}):
        async with tab.http.post("/login/sign", json={}, headers=headers) as answer:
            assert answer.status == 403
    assert desk.there.asked == []


async def test_attack_a_session_fixed_before(desk: Desk, tab: Tab) -> None:
    """Signing in makes a new session; the one that was there is over."""
    await tab.sign()
    first = tab.cookie("sharegate-dashboard")
    await tab.sign()
    assert tab.cookie("sharegate-dashboard") not in ("", first)
    cookie = {"Cookie": f"sharegate-dashboard={first}"}
    async with aiohttp.ClientSession(tab.url) as thief, thief.get("/api/v1/me", headers=cookie) as answer:
        assert answer.status == 401


async def test_attack_a_cookie_beside_the_one_that_waits(desk: Desk, tab: Tab, clock: Clock) -> None:
    """One that is none of ours, or has run out, keeps nobody from signing in; of two that wait, neither counts."""
    other = Tab(desk)
    theirs_back = desk.there.sent_back(await other.leave())
    theirs = other.cookie("sharegate-dashboard-signing")
    back = desk.there.sent_back(await tab.leave())
    mine = tab.cookie("sharegate-dashboard-signing")

    async def come(address: str, *values: str) -> int:
        cookie = "; ".join(f"sharegate-dashboard-signing={value}" for value in values)
        async with (
            aiohttp.ClientSession(tab.url, cookie_jar=aiohttp.DummyCookieJar()) as http,
            http.get(address, headers={**ARRIVING, "Cookie": cookie}) as answer,
        ):
            return answer.status

    for address in (back, theirs_back):
        assert await come(address, theirs, mine) == await come(address, mine, theirs) == 403
    assert await come(back, theirs) == 403 and desk.there.forms == []
    clock.forward(601)
    back = desk.there.sent_back(await tab.leave())
    mine = tab.cookie("sharegate-dashboard-signing")
    assert await come(back, "x", theirs, mine, "y" * 5000) == 200
    assert await come(theirs_back, theirs) == 403 and len(desk.there.forms) == 1
    await other.http.close()


async def test_attack_the_cookie_of_the_door_at_the_dashboard(desk: Desk, tab: Tab) -> None:
    """What was asked at one is nothing at the other."""
    _, token = await desk.link(**{"for": ["Ann"], "account": "*"})
    ann = desk.person()
    back = desk.there.sent_back(await ann.leave(token))
    kept = next(cookie.value for cookie in ann.http.cookie_jar if cookie.key == "sharegate-signing")
    tab.http.cookie_jar.update_cookies({"sharegate-dashboard-signing": kept})
    status, _ = await tab.come(f"{tab.url}/login/signed?{back.partition('?')[2]}")
    assert status == 403 and desk.there.forms == []


async def test_the_session_ends_after_its_hours(desk: Desk, tab: Tab, clock: Clock) -> None:
    """However busy it is; and at once by signing out."""
    await tab.sign()
    for _ in range(3):
        clock.forward(2390)
        assert (await tab.me())["status"] == 200
    clock.forward(40)
    assert (await tab.me())["status"] == 401
    await tab.sign()
    found = re.search(
        r'content="([^"]+)">', (await tab.come("/", Sec_Fetch_Site="same-origin"))[1].partition('"csrf"')[2]
    )
    assert found is not None
    async with tab.http.post("/logout", headers={"Origin": tab.url, "X-CSRF-Token": found[1]}) as answer:
        assert answer.status == 200
    assert (await tab.me())["status"] == 401


async def test_groups_and_addresses_that_the_token_does_not_say(desk: Desk, tab: Tab) -> None:
    """The provider is asked for them; while it cannot say them, nobody signs in."""
    desk.there.telling(**{**OLGA, "email_verified": True, "groups": ["staff"]})
    assert (await tab.sign())[0] == 200
    async with tab.http.get("/api/v1/rules") as answer:
        assert answer.status == 200
    desk.there.more |= {"groups": ["students"]}
    await tab.sign()
    async with tab.http.get("/api/v1/rules") as answer:
        assert answer.status == 403
    await tab.out()
    desk.there.more |= {"email_verified": None}
    assert (await tab.sign())[0] == 403
    desk.there.instead = {"/userinfo": lambda _: web.Response(status=500)}
    status, text = await tab.sign()
    assert status == 403 and "Nobody can sign in at the moment." in text and (await tab.me())["status"] == 401


async def test_who_signs_out_is_signed_out_at_the_provider_too(desk: Desk, tab: Tab) -> None:
    """The session is over first; the browser is led there with the token by which the provider knows whom, and back."""
    desk.there.discovery = {"end_session_endpoint": f"{desk.there.url}/ending?realm=uni"}
    await tab.sign()
    location = urlsplit(await tab.out())
    said = dict(parse_qsl(location.query))
    assert (await tab.me())["status"] == 401 and tab.cookie("sharegate-dashboard") == ""
    assert f"{location.scheme}://{location.netloc}{location.path}" == f"{desk.there.url}/ending"
    claims = jwt.decode(said.pop("id_token_hint"), options={"verify_signature": False})
    assert claims["sub"] == "olga-1"
    assert said == {"realm": "uni", "client_id": CLIENT, "post_logout_redirect_uri": f"{tab.url}/login"}
    assert "/ending" not in desk.there.asked  # the browser goes there, not the gate
    assert (await tab.come("/login"))[0] == 200


async def test_a_token_that_is_no_address_any_more_stays_here(desk: Desk, tab: Tab) -> None:
    """The provider asks them whom to sign out; and it is in no repr while it is kept."""
    desk.there.discovery = {"end_session_endpoint": f"{desk.there.url}/ending"}
    desk.there.claims |= {"picture": "x" * 9000}
    await tab.sign()
    location = await tab.out()
    assert location.startswith(f"{desk.there.url}/ending?") and "id_token_hint" not in location
    session = Session("a", Viewer("Olga"), "csrf", signed="a token")
    assert "a token" not in repr(session)


@pytest.mark.parametrize("ending", [None, "http://evil.example/ending", "javascript:alert(1)", "//evil.example", 7])
async def test_attack_a_sign_out_that_leads_elsewhere(desk: Desk, tab: Tab, ending: object) -> None:
    """Where the provider has no address that is asked, the page for signing in is next."""
    desk.there.discovery = {"end_session_endpoint": ending}
    await tab.sign()
    assert await tab.out() == "/login" and (await tab.me())["status"] == 401


async def test_the_provider_is_not_told_where_the_owner_wants_it_so(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the setting says so: signing out is between the browser and the gate."""
    async with signing(tmp_path, clock, monkeypatch, **WHO, oidc_sign_out=False) as desk:
        desk.there.claims |= OLGA
        desk.there.discovery = {"end_session_endpoint": f"{desk.there.url}/ending"}
        tab = Tab(desk)
        await tab.sign()
        assert await tab.out() == "/login"
        await tab.http.close()


async def test_a_session_of_a_one_time_address_ends_here(desk: Desk, tab: Tab) -> None:
    """The provider knows nothing of it."""
    desk.there.discovery = {"end_session_endpoint": f"{desk.there.url}/ending"}
    code = (await desk.office.call("POST", "logins"))["url"].partition("#")[2]
    async with tab.http.post("/login", json={"code": code}, headers={"Origin": tab.url}) as answer:
        assert answer.status == 200
    assert await tab.out() == "/login" and (await tab.me())["status"] == 401


async def test_the_page_offers_it_where_somebody_may(desk: Desk, tab: Tab) -> None:
    """Beside the command, which goes on to work."""
    status, text = await tab.come("/login")
    assert status == 200 and "Sign in with Uni" in text and "sharegate open" in text
    made = await desk.office.call("POST", "logins")
    code = made["url"].partition("#")[2]
    async with tab.http.post("/login", json={"code": code}, headers={"Origin": tab.url}) as answer:
        assert answer.status == 200


async def test_where_the_settings_name_nobody_nobody_signs_in(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No button, and no way without it."""
    async with signing(tmp_path, clock, monkeypatch) as desk:
        tab = Tab(desk)
        assert "Sign in with" not in (await tab.come("/login"))[1]
        async with tab.http.post("/login/sign", json={}, headers={"Origin": tab.url}) as answer:
            assert answer.status == 503
        await tab.http.close()
