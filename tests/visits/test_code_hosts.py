"""A code for the wall where each share has a host of its own: typed at the gate's, it leads to the share's door."""

from __future__ import annotations

from collections.abc import AsyncIterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import pytest

from tests.browser.chromium import launched
from tests.conftest import Clock
from tests.dashboard.conftest import Office, opened
from tests.gatehouse import Gatehouse, Reply


@pytest.fixture
async def office(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Office]:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "no servers"))
    async with opened(tmp_path, clock, share_hosts="localhost") as office:
        yield office


@pytest.fixture
def house(office: Office) -> Gatehouse:
    return Gatehouse(office.running, cast("Any", None), office.folder)


async def coded(office: Office, folder: str = "week3") -> tuple[dict[str, Any], str]:
    """A share for anyone, and its code."""
    made = await office.share(folder, anyone=True, visits=60)
    code = await office.call("POST", f"links/{made['links'][0]['id']}/code", {})
    assert code["address"] == f"{office.running.gate_url}/code"
    return made, code["code"]


async def typed(house: Gatehouse, code: str, headers: dict[str, str] | None = None) -> Reply:
    host = urlsplit(house.origin).netloc
    return await house.post("/code", {"code": code}, {"Host": host, "Origin": house.origin, **(headers or {})})


def cookies_of(reply: Reply) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in reply.headers:
        if name.lower() == "set-cookie":
            found |= SimpleCookie(value)
    return found


async def test_the_code_leads_from_the_gates_host_to_the_shares(office: Office, house: Gatehouse) -> None:
    """No cookie is set at the gate's host; at the share's, cookies are its own alone, and open nothing elsewhere."""
    made, code = await coded(office)
    other, _ = await coded(office, "week4")
    share, its = made["share"]["id"], house.addresses.of(made["share"]["id"])
    page = await house.raw("GET", "/code", {"Host": urlsplit(house.origin).netloc})
    assert page.status == 200 and b"code.js" in page.body and cookies_of(page) == {}
    reply = await typed(house, code)
    address, _, token = reply.json["location"].partition("#")
    assert reply.status == 200 and cookies_of(reply) == {}
    assert address == its.join and urlsplit(address).hostname == f"{share}.localhost"
    about = await house.post("/join/about", {"token": token}, house.door(share))
    assert (about.json["state"], about.json["share"]["name"]) == ("open", "week3")
    entered = await house.post("/join", {"token": token, "name": "Ann"}, house.door(share))
    assert entered.status == 200 and urlsplit(entered.json["location"]).netloc in ("", its.origin.partition("://")[2])
    cookies = cookies_of(entered)
    assert len(cookies) == 2
    for name, cookie in cookies.items():
        assert name.startswith("__Host-sharegate-"), name
        assert (cookie["path"], cookie["domain"]) == ("/", "") and cookie["secure"] and cookie["httponly"], name
    ann = house.inside(entered, made["share"], made["links"][0])
    assert (await ann.ask("POST", "-/device")).status == 200
    elsewhere = house.addresses.of(other["share"]["id"]).origin.partition("://")[2]
    for host in (elsewhere, urlsplit(house.origin).netloc):
        assert (await ann.ask("POST", "-/device", headers={"Host": host, "Origin": f"http://{host}"})).status != 200


async def test_attack_a_code_at_another_host(office: Office, house: Gatehouse) -> None:
    """A share's host has no page for codes, a share's page asks the gate's nothing, and what the code gave opens
    neither another share's door nor the gate's."""
    made, code = await coded(office)
    other, _ = await coded(office, "week4")
    for share in (made["share"]["id"], other["share"]["id"]):
        there = house.door(share)
        for reply in (await house.raw("GET", "/code", there), await house.post("/code", {"code": code}, there)):
            assert (reply.status, reply.public) == (403, "not_for_browsers")
        refused = await typed(house, code, {"Origin": there["Origin"]})
        assert (refused.status, b"location" in refused.body) == (403, False)
        site = await typed(house, code, {"Sec-Fetch-Site": "same-site"})
        assert (site.status, b"location" in site.body) == (403, False)
    token = (await typed(house, code)).json["location"].partition("#")[2]
    doors = {"other": house.door(other["share"]["id"]), "gate": {"Host": urlsplit(house.origin).netloc}}
    for name, where in doors.items():
        for path, more in (("/join/about", {}), ("/join", {"name": "Eve"})):
            reply = await house.post(path, {"token": token, **more}, where)
            assert reply.status == {"other": 401, "gate": 404}[name], (name, path, reply.body)
            assert cookies_of(reply) == {}


async def test_a_code_that_ended_opens_the_shares_door_no_more(office: Office, house: Gatehouse) -> None:
    """Neither at the gate's host, nor with what it gave before at the share's; who is in goes on."""
    made, code = await coded(office)
    share, link = made["share"]["id"], made["links"][0]
    token = (await typed(house, code)).json["location"].partition("#")[2]
    entered = await house.post("/join", {"token": token, "name": "Ann"}, house.door(share))
    ann = house.inside(entered, made["share"], link)
    await office.call("DELETE", f"links/{link['id']}/code")
    assert (await typed(house, code)).public == "short_code_invalid"
    late = await house.post("/join", {"token": token, "name": "Bo"}, house.door(share))
    assert late.public == "link_replaced"
    assert (await ann.ask("POST", "-/device")).status == 200


@pytest.mark.browser
async def test_typed_in_a_browser(office: Office) -> None:
    """The page goes on to another host, under its own policy; there it is as with a link, and nothing of the token
    stays in the address."""
    made, code = await coded(office)
    origin = f"http://{made['share']['id']}.localhost:{urlsplit(office.running.gate_url).port}"
    async with launched() as chromium:
        context = await chromium.new_context()
        page = await context.new_page()
        complaints: list[str] = []
        page.on("console", lambda line: complaints.append(line.text) if "Content Security" in line.text else None)
        await page.goto(f"{office.running.gate_url}/code")
        await page.get_by_role("textbox").fill(code.lower())
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"{origin}/join")
        await page.get_by_text("week3").first.wait_for()
        assert await context.cookies() == [] and "#" not in page.url
        await page.get_by_label("Your name").locator("visible=true").fill("Ann")
        async with page.expect_response(f"{origin}/join") as answered:
            await page.get_by_role("button", name="Open").locator("visible=true").click()
        assert (await (await answered.value).finished()) is None and (await answered.value).status == 200
        await page.wait_for_url(f"{origin}/~*/**")
        kept = await context.cookies()
        assert {cookie["domain"] for cookie in kept} == {urlsplit(origin).hostname}
        assert all(cookie["name"].startswith("__Host-") and cookie["httpOnly"] for cookie in kept) and len(kept) == 2
        await context.close()
    assert complaints == []
    assert [visit["name"] for visit in (await office.call("GET", "visits"))["visits"]] == ["Ann"]
