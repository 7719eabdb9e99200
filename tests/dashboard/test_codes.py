"""Short codes: from the owner's command to the door, in a gate that runs, and what guessing comes to."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from sharegate.errors import Denied, Reason
from sharegate.shares.model import ALPHABET
from sharegate.visits.entry import Comer
from sharegate.visits.short_codes import PER_HOUR, PER_MINUTE, ShortCodes
from tests.dashboard.conftest import Office

HERE = Comer("", "198.51.100.7", "Firefox")
OTHER = Comer("", "203.0.113.9", "Firefox")


def codes(office: Office) -> ShortCodes:
    return office.running.api.codes.short


async def shared(office: Office, **more: Any) -> dict[str, Any]:
    link: dict[str, Any] = (await office.share(anyone=True, visits=60, **more))["links"][0]
    return link


async def made(office: Office, link: dict[str, Any], **body: Any) -> dict[str, Any]:
    return await office.call("POST", f"links/{link['id']}/code", body)


async def tried(office: Office, code: str, comer: Comer = HERE) -> Reason | str:
    """The link's id, or why not."""
    try:
        return (await codes(office).take(code, comer)).id
    except Denied as denied:
        return denied.reason


async def door(office: Office, code: str) -> str:
    """The share token that a code gives."""
    link = await codes(office).take(code, HERE)
    return office.running.api.codes.door(link).partition("#")[2]


async def test_a_code_leads_to_its_link(office: Office) -> None:
    """However it is typed; the store has nothing by which to find it, and the history when it was used."""
    link = await shared(office)
    told = await made(office, link)
    assert told["expires"] == office.clock() + 7200 and told["address"].endswith("/code")
    code = told["code"]
    assert len(code) == 9 and set(code.replace(" ", "").lower()) <= set(ALPHABET)
    for typed in (code, code.lower(), code.replace(" ", "-"), f" {code.replace(' ', '')}\n"):
        assert await tried(office, typed) == link["id"]
    stored = await office.running.gate._store.link(link["id"])  # type: ignore[attr-defined]
    assert stored.code_hash and code.replace(" ", "").lower() not in repr(stored) + stored.code_hash
    assert (await office.actions()).count("short_code.used") == 4
    assert code.replace(" ", "") not in str(await office.call("GET", "audit")).replace(" ", "").upper()


async def test_a_code_ends(office: Office) -> None:
    """By time, by command, by the next one, when its link is paused, replaced or revoked: always the same answer."""
    link = await shared(office)
    first = (await made(office, link, seconds=60))["code"]
    office.clock.forward(59)
    assert await tried(office, first) == link["id"]
    office.clock.forward(1)
    assert await tried(office, first) is Reason.SHORT_CODE_INVALID
    second, third = (await made(office, link))["code"], (await made(office, link))["code"]
    assert await tried(office, second) is Reason.SHORT_CODE_INVALID
    await office.call("POST", f"links/{link['id']}/pause")
    assert await tried(office, third) is Reason.SHORT_CODE_INVALID
    await office.call("POST", f"links/{link['id']}/resume")
    assert await tried(office, third) == link["id"]
    ended = await office.call("DELETE", f"links/{link['id']}/code")
    assert ended["code"] == "" and ended["expires"] is None
    assert await tried(office, third) is Reason.SHORT_CODE_INVALID
    fourth = (await made(office, link))["code"]
    await office.call("POST", f"links/{link['id']}/replace")
    assert await tried(office, fourth) is Reason.SHORT_CODE_INVALID
    fifth = (await made(office, link))["code"]
    await office.call("POST", f"links/{link['id']}/revoke")
    assert await tried(office, fifth) is Reason.SHORT_CODE_INVALID
    assert {"short_code.made", "short_code.ended"} <= set(await office.actions())


async def test_attack_what_a_code_gave_ends_with_it(office: Office) -> None:
    """Whoever typed it holds no link: what they have opens the door as long as the code works, and nothing else."""
    link = await shared(office, clients=True)
    token = await door(office, (await made(office, link))["code"])
    known = office.running.gate._authenticator  # type: ignore[attr-defined]
    assert (await known.by_link(token, at_the_door=True))[2]
    with pytest.raises(Denied) as refused:
        await known.by_link(token)  # a program
    assert refused.value.reason is Reason.BAD_CREDENTIAL
    await office.call("DELETE", f"links/{link['id']}/code")
    assert not (await known.by_link(token, at_the_door=True))[2]
    await made(office, link)  # another code does not bring it back
    assert not (await known.by_link(token, at_the_door=True))[2]
    late = await door(office, (await made(office, link, seconds=60))["code"])
    office.clock.forward(61)
    with pytest.raises(Denied) as refused:
        await known.by_link(late, at_the_door=True)
    assert refused.value.reason is Reason.LINK_EXPIRED


@pytest.mark.parametrize("code", ["", "2222 2222", "aaaa aaaa", "2" * 10_000, "\u202e2222222", "２２２２２２２２", "-"])
async def test_attack_what_is_no_code(office: Office, code: str) -> None:
    """One answer, also where no link has a code."""
    await shared(office)
    assert await tried(office, code) is Reason.SHORT_CODE_INVALID


async def test_attack_guessing(office: Office) -> None:
    """After some wrong ones a network waits, also with the right one; another network does not; right ones are not
    counted."""
    link = await shared(office)
    code = (await made(office, link))["code"]
    for _ in range(200):
        assert await tried(office, code) == link["id"]
    for _ in range(int(PER_MINUTE.burst)):
        assert await tried(office, "2222 2222") is Reason.SHORT_CODE_INVALID
    with pytest.raises(Denied) as denied:
        await codes(office).take(code, HERE)
    assert denied.value.reason is Reason.JOIN_LIMIT and denied.value.wait > 0
    assert await tried(office, code, OTHER) == link["id"]


async def test_attack_guessing_from_everywhere(office: Office) -> None:
    """A limit over all holds whatever the number of networks; and networks that were not wrong lately have a part."""
    link = await shared(office)
    code = (await made(office, link))["code"]
    wrong = 0
    for net in range(40):
        for host in range(30):
            comer = Comer("", f"10.{net}.{host}.1", "x")
            wrong += await tried(office, "2222 2222", comer) is Reason.SHORT_CODE_INVALID
    assert wrong <= 800
    assert await tried(office, code, Comer("", "192.0.2.1", "x")) in (link["id"], Reason.JOIN_LIMIT)


async def test_attack_a_few_networks_shut_out_all_others(office: Office) -> None:
    """Who was wrong lately, or is near somebody who was, has a part of what is heard; the rest is for others."""
    link = await shared(office)
    code = (await made(office, link))["code"]
    for host in range(100):
        for net in range(8):
            await tried(office, "2222 2222", Comer("", f"203.0.{net}.{host}", "x"))
    assert await tried(office, "2222 2222", Comer("", "203.0.1.200", "x")) is Reason.JOIN_LIMIT
    assert await tried(office, code, Comer("", "192.0.2.1", "x")) == link["id"]


async def test_attack_guessing_as_slowly_as_a_minute_allows(office: Office) -> None:
    """In an hour no more than an hour's are heard from one network."""
    await made(office, await shared(office))
    heard = 0
    for _ in range(60):
        heard += sum([await tried(office, "2222 2222") is Reason.SHORT_CODE_INVALID for _ in range(12)])
        office.clock.forward(60)
    assert heard <= PER_HOUR.per + PER_HOUR.burst


async def test_what_is_a_co_owners_or_over_gets_no_code(office: Office) -> None:
    """Neither the link of a co-owner nor one that lets nobody in; and no code lasts longer than its link."""
    link = (await office.share(**{"for": ["Tia"]}, expires=office.clock() + 3600))["links"][0]
    told = await office.call("POST", f"links/{link['id']}/code", {"seconds": 86400})
    assert told["expires"] == link["expires"]
    await office.call("POST", f"links/{link['id']}/pause")
    status, answer = await office.ask("POST", f"links/{link['id']}/code", {})
    assert (status, answer["error"]["code"]) == (403, "link_over")
    await office.call("POST", f"links/{link['id']}/resume")
    await office.call("POST", f"links/{link['id']}/coowner")
    status, answer = await office.ask("POST", f"links/{link['id']}/code", {})
    assert (status, answer["error"]["code"]) == (403, "no_code")


async def test_a_code_that_is_over_or_was_made_anew_elsewhere_is_not_shown(office: Office) -> None:
    """Nobody writes on the wall what opens nothing."""
    link = await shared(office)
    assert (await made(office, link))["code"]
    store: Any = office.running.gate._store  # type: ignore[attr-defined]
    mine = (await store.link(link["id"])).code_hash
    await store.change_link(link["id"], code_hash="0" * 64)  # as another gate does
    assert (await office.call("GET", f"links/{link['id']}/code"))["code"] == ""
    await store.change_link(link["id"], code_hash=mine)
    assert (await made(office, link))["code"]
    office.clock.forward(86400)
    over = await office.call("GET", f"links/{link['id']}/code")
    assert (over["code"], over["image"]) == ("", "")


async def test_who_may_have_a_code(office: Office) -> None:
    """Not a preview, not what is over; and how long is bounded."""
    link = await shared(office)
    preview = (await office.call("POST", f"shares/{link['share']}/preview"))["link"]
    status, answer = await office.ask("POST", f"links/{preview['id']}/code", {})
    assert (status, answer["error"]["code"]) == (403, "no_code")
    for seconds in (0, 59, 86401, -1):
        status, answer = await office.ask("POST", f"links/{link['id']}/code", {"seconds": seconds})
        assert (status, answer["error"]["field"]) == (400, "seconds")
    await office.call("POST", f"shares/{link['share']}/pause")
    status, answer = await office.ask("POST", f"links/{link['id']}/code", {})
    assert (status, answer["error"]["code"]) == (403, "link_over")


async def test_a_gate_shows_the_codes_that_it_made(office: Office) -> None:
    """As long as they work; it has them in memory alone."""
    link = await shared(office)
    told = await made(office, link)
    again = await office.call("GET", f"links/{link['id']}/code")
    assert (again["code"], again["expires"]) == (told["code"], told["expires"])
    assert again["image"].startswith("data:image/svg+xml") and again["link"]["code_expires"] == told["expires"]
    codes(office)._shown.clear()
    lost = await office.call("GET", f"links/{link['id']}/code")
    assert (lost["code"], lost["image"], lost["expires"]) == ("", "", told["expires"])
    office.clock.forward(7200)
    over = await office.call("GET", f"links/{link['id']}/code")
    assert over["expires"] is None and over["link"]["code_expires"] is None


async def test_the_page_where_it_is_typed(office: Office) -> None:
    """Only a page of the gate itself may ask; good and bad ones are told apart by nothing else than what they are."""
    link = await shared(office)
    code = (await made(office, link))["code"]
    gate = office.running.config.gate_url.rstrip("/")
    own = {"Origin": gate, "Sec-Fetch-Site": "same-origin", "Accept": "application/json"}
    async with aiohttp.ClientSession() as http:
        async with http.get(f"{gate}/code") as page:
            text = await page.text()
            assert page.status == 200 and "code.js" in text and code not in text
            assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
        for headers in ({}, {"Origin": "https://evil.example"}):
            async with http.post(f"{gate}/code", json={"code": code}, headers=headers) as answer:
                assert answer.status == 403
        async with http.post(f"{gate}/code", json={"code": code}, headers=own) as answer:
            said = await answer.json()
            assert answer.status == 200 and said["location"].startswith(f"{gate}/join#"), said
        token = said["location"].partition("#")[2]
        async with http.post(f"{gate}/join/about", json={"token": token}, headers=own) as answer:
            assert (await answer.json())["state"] == "open"
        async with http.post(f"{gate}/code", json={"code": "2222 2222"}, headers=own) as answer:
            assert answer.status == 403 and (await answer.json())["error"]["code"] == "short_code_invalid"
        for bad in ({"code": 1}, {}, {"code": "x", "more": 1}, []):
            async with http.post(f"{gate}/code", json=bad, headers=own) as answer:
                assert answer.status == 400
        for method, path in (("PUT", "/code"), ("GET", "/code/x"), ("POST", "/code/")):
            async with http.request(method, gate + path, headers=own) as answer:
                assert answer.status in (400, 403, 404), (method, path)
        for _ in range(int(PER_MINUTE.burst)):
            async with http.post(f"{gate}/code", json={"code": "2222 2222"}, headers=own) as answer:
                last = answer
        assert last.status == 429 and int(last.headers["Retry-After"]) > 0
        async with http.post(f"{gate}/code", json={"code": code}, headers=own) as answer:
            assert answer.status == 429  # no sign that it was the right one
