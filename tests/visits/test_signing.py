"""Signing in at the door of a running gate."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from aiohttp import web

from sharegate.oidc.flow import SECONDS
from tests.conftest import Clock
from tests.visits.signer import Desk, Person, signing

ANN = {"for": ["Ann"], "account": "ann@uni.example"}
CLASS = {"anyone": True, "visits": 60}


@pytest.fixture
async def desk(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    async with signing(tmp_path, clock, monkeypatch) as desk:
        yield desk


# -- who comes in -----------------------------------------------------------------------------------------------------


async def test_a_link_for_an_account_opens_after_signing_in(desk: Desk) -> None:
    """The door says where, nothing of what is shared is told before, and the visit carries the address."""
    _, token = await desk.link(**ANN)
    ann = desk.person()
    about = await ann.about(token)
    assert about["needs"] == ["account"] and "week3" not in str(about) and "Ann" not in str(about)
    assert about["account"]["provider"] == "Uni" and about["account"]["to"] != "ann@uni.example"
    assert await ann.code(token) == "account_needed"
    await ann.sign(token)
    about = await ann.about(token)
    assert about["account"]["signed"] == "ann@uni.example" and about["account"]["fits"] is True
    visit = await desk.visit(await ann.enter(token))
    assert visit["badge"] == "✓ ann@uni.example" and visit["account"] == "ann@uni.example"
    assert "account.proved" in await desk.office.actions()
    assert (await ann.about(token))["needs"] == []


@pytest.mark.parametrize("account", ["ann@uni.example", "*@uni.example", "group:physics-101"])
async def test_what_the_token_does_not_say_the_provider_is_asked_for(desk: Desk, account: str) -> None:
    """A link for an address, a domain or a group opens by what the provider says when it is asked; while it cannot say
    it, nobody is told that theirs is another account."""
    one = account.startswith("ann")
    _, token = await desk.link(**({"for": ["Ann"]} if one else CLASS), account=account)
    named = {} if one else {"name": "Ann"}
    desk.there.telling(email="ann@uni.example", email_verified=True, groups=["physics-101"])
    ann = desk.person()
    desk.there.instead = {"/userinfo": lambda _: web.Response(status=503)}
    await ann.sign(token)
    assert (await ann.about(token))["account"]["problem"] == "sign_in_unavailable"
    assert await ann.code(token, **named) == "account_needed"
    desk.there.instead = {}
    await ann.sign(token)
    visit = await desk.visit(await ann.enter(token, **named))
    assert visit["badge"] == "✓ ann@uni.example"


async def test_what_a_link_does_not_go_by_is_not_needed(desk: Desk) -> None:
    """Who it is, is known: a provider that says no more keeps nobody out of a link for a subject, or for anybody."""
    desk.there.telling()
    desk.there.instead = {"/userinfo": lambda _: web.Response(status=503)}
    for account in ("sub:ann-1", "*"):
        _, token = await desk.link(**{"for": ["Ann"]}, account=account)
        ann = desk.person()
        await ann.sign(token)
        assert (await desk.visit(await ann.enter(token)))["badge"]


@pytest.mark.parametrize(
    ("account", "claims", "code"),
    [
        ("*", {}, ""),
        ("*", {"email": None}, ""),
        ("*@uni.example", {}, ""),
        ("*@uni.example", {"email": "ann@evil-uni.example"}, "other_account"),
        ("*@uni.example", {"email": "ann@cs.uni.example"}, "other_account"),
        ("*@*.uni.example", {"email": "ann@cs.uni.example"}, ""),
        ("*@uni.example", {"email_verified": False}, "other_account"),
        ("group:physics-101", {"groups": ["physics-101", "staff"]}, ""),
        ("group:physics-101", {"groups": "physics-101"}, ""),
        ("group:physics-101", {"groups": ["physics-1011"]}, "other_account"),
        ("group:physics-101", {}, "other_account"),
    ],
)
async def test_a_link_for_several_accounts(desk: Desk, account: str, claims: dict[str, Any], code: str) -> None:
    """Any, those of a domain, those in a group; each by what the provider has checked."""
    _, token = await desk.link(**CLASS, account=account)
    desk.there.claims |= claims
    bo = desk.person()
    await bo.sign(token)
    if code:
        assert await bo.code(token, name="Bo") == code
    else:
        await bo.enter(token, name="Bo")


@pytest.mark.parametrize(
    ("account", "claims", "code"),
    [
        ("sub:ann-1", {}, ""),
        ("sub:ann-1", {"sub": "eve"}, "other_account"),
        ("Ann@UNI.example", {}, ""),
        ("ann@uni.example", {"email": "eve@uni.example"}, "other_account"),
        ("ann@uni.example", {"email_verified": False}, "other_account"),
        ("ann@uni.example", {"email_verified": None}, "other_account"),
    ],
)
async def test_a_link_for_one_account(desk: Desk, account: str, claims: dict[str, Any], code: str) -> None:
    """By its subject, or by an address that the provider has checked."""
    _, token = await desk.link(**{**ANN, "account": account})
    desk.there.claims |= claims
    ann = desk.person()
    await ann.sign(token)
    if code:
        assert await ann.code(token) == code
    else:
        await ann.enter(token)


async def test_a_link_is_theirs_who_opened_it_first_whatever_address_they_have(desk: Desk) -> None:
    """The subject is learnt: who has the address later is somebody else, and who had it stays."""
    link, token = await desk.link(**ANN)
    assert (await desk.office.call("GET", f"links/{link}"))["link"]["account_opened"] is False
    ann = desk.person()
    await ann.sign(token)
    await ann.enter(token)
    assert (await desk.office.call("GET", f"links/{link}"))["link"]["account_opened"] is True
    await desk.office.call("POST", f"visits/{(await desk.office.call('GET', 'visits'))['visits'][0]['id']}/end")
    heir = desk.person()
    desk.there.claims |= {"sub": "heir-2"}
    await heir.sign(token)
    assert await heir.code(token) == "other_account"
    desk.there.claims |= {"sub": "ann-1", "email": "ann.lee@uni.example"}
    again = desk.person()
    await again.sign(token)
    await again.enter(token)


async def test_two_at_once_with_the_same_address(desk: Desk) -> None:
    """The link becomes one's alone."""
    link, token = await desk.link(**ANN)
    first, second = desk.person(), desk.person()
    await first.sign(token)
    desk.there.claims |= {"sub": "heir-2"}
    await second.sign(token)
    came = await asyncio.gather(first.open(token), second.open(token))
    assert sorted(status for status, _ in came) == [200, 403]
    late = second if came[0][0] == 200 else first
    await desk.office.call("POST", f"links/{link}/replace")
    for visit in (await desk.office.call("GET", "visits"))["visits"]:
        await desk.office.call("POST", f"visits/{visit['id']}/end")
    token = (await desk.office.call("GET", f"links/{link}/url"))["url"].partition("#")[2]
    assert await late.code(token) == "other_account"


@pytest.mark.parametrize("meanwhile", ["somebody else", "the owner", "another provider", "herself"])
async def test_attack_a_link_becomes_anothers_in_the_moment_in_which_it_is_opened(desk: Desk, meanwhile: str) -> None:
    """Between the look at whose a link is and the writing down of it: whoever was first stays, and what the owner set
    stays; who is the same person is not told that the link is another's."""
    link, token = await desk.link(**ANN)
    ann, other = desk.person(), desk.person()
    await ann.sign(token)
    if meanwhile == "somebody else":
        desk.there.claims |= {"sub": "heir-2"}
    await other.sign(token)
    store: Any = desk.office.running.gate._store
    change = store.change_link

    async def happens() -> None:
        if meanwhile == "the owner":
            await desk.office.call("PATCH", f"links/{link}", {"account": "bo@uni.example"})
        elif meanwhile == "another provider":
            await change(link, issuer="https://other.example")
        else:
            await other.enter(token)

    with pytest.MonkeyPatch.context() as patch:

        async def slow(id: str, **fields: Any) -> Any:
            if fields.get("subject"):
                patch.undo()
                await happens()
            return await change(id, **fields)

        patch.setattr(store, "change_link", slow)
        status, said = await ann.open(token)
    kept = await store.link(link)
    if meanwhile == "herself":
        assert (status, said["error"]["code"], kept.subject) == (409, "link_in_use", "ann-1")
        return
    assert (status, said["error"]["code"]) == (403, "other_account")
    assert kept.subject == ("heir-2" if meanwhile == "somebody else" else "")
    assert kept.account == ("bo@uni.example" if meanwhile == "the owner" else "ann@uni.example")


async def test_setting_the_same_account_again_keeps_whose_it_is(desk: Desk) -> None:
    """Another one, or none, makes it nobody's."""
    link, token = await desk.link(**ANN)
    ann = desk.person()
    await ann.sign(token)
    await ann.enter(token)
    for account, opened in (("ann@uni.example", True), ("bo@uni.example", False), ("", False)):
        changed = await desk.office.call("PATCH", f"links/{link}", {"account": account})
        assert changed["link"]["account_opened"] is opened


# -- while they are in ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("account", ["bo@uni.example", "*@else.example", "group:staff", "sub:bo-2"])
async def test_a_visit_does_not_go_on_with_an_account_that_does_not_fit_by_now(desk: Desk, account: str) -> None:
    """It is out at once, and in again where its account fits."""
    link, token = await desk.link(**CLASS, account="*")
    if not account.startswith(("*", "group:")):
        made = await desk.office.share("week4", **{"for": ["Ann"], "account": "*"})
        link, token = made["links"][0]["id"], made["links"][0]["url"].partition("#")[2]
    ann = desk.person()
    await ann.sign(token)
    visit = await ann.enter(token, name="Ann")
    share = (await desk.visit(visit))["share"]
    assert await ann.page(visit, share) != 403
    await desk.office.call("PATCH", f"links/{link}", {"account": account})
    assert await ann.page(visit, share) == 403 and (await desk.visit(visit))["lacks"] == ["account"]
    assert await ann.code(token) in ("account_needed", "other_account")
    await desk.office.call("PATCH", f"links/{link}", {"account": "*"})
    assert await ann.page(visit, share) != 403


async def test_who_is_in_signs_in_when_the_link_asks_for_it_by_now(desk: Desk) -> None:
    """And is back in the same visit."""
    link, token = await desk.link(**{"for": ["Ann"]})
    ann = desk.person()
    visit = await ann.enter(token)
    await desk.office.call("PATCH", f"links/{link}", {"account": "ann@uni.example"})
    assert (await desk.visit(visit))["lacks"] == ["account"]
    await ann.sign(token)
    assert await ann.enter(token) == visit and (await desk.visit(visit))["lacks"] == []


async def test_a_knock_shows_the_account(desk: Desk) -> None:
    """Where everybody knocks, who has not signed in is not heard; who is let in has the badge."""
    _, token = await desk.link(**CLASS, account="*@uni.example", ask=True)
    ann = desk.person()
    status, said = await ann.post("/join/knock", {"token": token, "name": "Ann"})
    assert (status, said["error"]["code"]) == (403, "account_needed")
    await ann.sign(token)
    status, waiting = await ann.post("/join/knock", {"token": token, "name": "Ann"})
    assert status == 200
    (knock,) = (await desk.office.call("GET", "knocks"))["knocks"]
    assert knock["account"] == "ann@uni.example" and knock["lacks"] == []
    await desk.office.call("POST", f"knocks/{knock['id']}/admit", {})
    status, admitted = await ann.post("/join/knock/state", {"knock": waiting["knock"]})
    visit = await desk.visit(admitted["location"].partition("/~")[2].partition("/")[0])
    assert visit["badge"] == "✓ ann@uni.example"


async def test_a_device_has_its_persons_account(desk: Desk) -> None:
    """What was proved is as with the visit from which it came, also when it is no use any more."""
    link, token = await desk.link(**ANN)
    ann = desk.person()
    await ann.sign(token)
    visit = await ann.enter(token)
    store: Any = desk.office.running.gate._store
    kept = await store.visit(visit)
    assert (kept.account.issuer, kept.account.subject) == (desk.there.url, "ann-1")
    await desk.office.call("PATCH", f"links/{link}", {"account": "bo@uni.example"})
    assert (await desk.visit(visit))["lacks"] == ["account"]


async def test_with_a_passphrase_and_an_account_both_are_shown(desk: Desk) -> None:
    """Neither alone opens."""
    _, token = await desk.link(**ANN, passphrase="correct horse")
    ann = desk.person()
    assert await ann.code(token, passphrase="correct horse") == "account_needed"
    await ann.sign(token)
    assert await ann.code(token) == "passphrase_needed"
    await ann.enter(token, passphrase="correct horse")


# -- attacks ----------------------------------------------------------------------------------------------------------


async def test_attack_a_victim_is_signed_in_as_somebody_else(desk: Desk) -> None:
    """An answer that another browser asked for is nothing here: with no question, and with one of one's own."""
    _, token = await desk.link(**ANN)
    eve, ann = desk.person(), desk.person()
    back = desk.there.sent_back(await eve.leave(token))
    status, location = await ann.come(back)
    assert (status, location) == (403, "")
    mine = desk.there.sent_back(await ann.leave(token))
    assert (await ann.come(back))[0] == 403
    assert "sharegate-signed" not in str(ann.said.headers.getall("Set-Cookie", []))
    assert (await ann.come(mine))[0] == 200
    assert desk.there.forms and len(desk.there.forms) == 1


async def test_attack_an_answer_used_twice(desk: Desk) -> None:
    """The question is gone with the first; with the cookie kept, too, it was answered already."""
    _, token = await desk.link(**ANN)
    ann = desk.person()
    back = desk.there.sent_back(await ann.leave(token))
    kept = [cookie for cookie in ann.http.cookie_jar if cookie.key == "sharegate-signing"]
    assert (await ann.come(back))[0] == 200
    assert (await ann.come(back))[0] == 403
    desk.there.once = False
    ann.http.cookie_jar.update_cookies({cookie.key: cookie for cookie in kept})
    await ann.come(back)
    assert len(desk.there.forms) == 1
    assert (await ann.about(token))["account"]["signed"] == ""


async def test_attack_who_signed_in_shows_it_elsewhere(desk: Desk) -> None:
    """With another link, in another browser, after ten minutes, or with the cookie altered: nobody signed in."""
    _, token = await desk.link(**ANN)
    made = await desk.office.share("week4", **ANN)
    other = made["links"][0]["url"].partition("#")[2]
    ann = desk.person()
    await ann.sign(token)
    assert await ann.code(other) == "account_needed"
    stolen = next(cookie.value for cookie in ann.http.cookie_jar if cookie.key == "sharegate-signed")
    eve = desk.person()
    await eve.leave(token)  # a browser of its own, with the cookie of the other
    eve.http.cookie_jar.update_cookies({"sharegate-signed": stolen})
    assert await eve.code(token) == "account_needed"
    question = next(cookie.value for cookie in eve.http.cookie_jar if cookie.key == "sharegate-signing")
    for value in (question, stolen[:-2] + "AA", "x" * 3000, ""):
        eve.http.cookie_jar.update_cookies({"sharegate-signed": value})
        assert await eve.code(token) == "account_needed"


async def test_attack_a_sign_in_of_yesterday(desk: Desk, clock: Clock) -> None:
    """Neither the question nor the answer is good for longer than ten minutes."""
    _, token = await desk.link(**ANN, expires=clock() + 9e5)
    ann = desk.person()
    await ann.sign(token)
    clock.forward(SECONDS)
    assert await ann.code(token) == "account_needed"
    back = desk.there.sent_back(await ann.leave(token))
    clock.forward(SECONDS + 1)
    await ann.come(back)
    assert (await ann.about(token))["account"]["problem"] == "sign_in_failed"


@pytest.mark.parametrize(
    "claims", [{"iss": "https://evil.example"}, {"aud": "other"}, {"nonce": "other"}, {"exp": 1}, {"azp": "other"}]
)
async def test_attack_a_forged_answer_at_the_door(desk: Desk, claims: dict[str, Any]) -> None:
    """The door says that it did not work, the history why, and nobody is in."""
    _, token = await desk.link(**ANN)
    desk.there.claims |= claims
    ann = desk.person()
    await ann.sign(token)
    assert (await ann.about(token))["account"] | {"provider": "", "to": ""} == {
        "provider": "",
        "to": "",
        "domain": "",
        "signed": "",
        "fits": False,
        "problem": "sign_in_failed",
    }
    assert await ann.code(token) == "account_needed"
    events = (await desk.office.call("GET", "audit"))["events"]
    failed = next(event for event in events if event["action"] == "account.failed")
    assert failed["reason"] == "sign_in_failed" and failed["detail"] and "ann@" not in str(failed)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec_Fetch_Dest": "iframe"}, 403),
        ({"Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "image"}, 403),
        ({"Sec_Fetch_Mode": "cors", "Sec_Fetch_Dest": "empty"}, 403),
        ({}, 200),
    ],
)
async def test_attack_the_answer_is_no_navigation(desk: Desk, headers: dict[str, str], status: int) -> None:
    """A page elsewhere that has a picture or a frame of it, or fetches it, gets nothing; nor by another method."""
    _, token = await desk.link(**ANN)
    ann = desk.person()
    back = desk.there.sent_back(await ann.leave(token))
    assert (await ann.come(back, **headers))[0] == status
    for method in ("POST", "HEAD", "PUT"):
        async with ann.http.request(method, back, headers={"Origin": ann.url}, allow_redirects=False) as answer:
            assert answer.status in (403, 404, 400, 405)
    assert bool(desk.there.forms) is (status == 200)


@pytest.mark.parametrize(
    "query",
    ["", "?", "?code=a&code=b", "?state=a&state=b", "?state=%ff&code=x", "?state=&code=", "?" + "a=1&" * 60, "?iss=x"],
)
async def test_attack_answers_of_nobody(desk: Desk, query: str) -> None:
    """Are refused by whom they come to; the provider is not asked."""
    _, token = await desk.link(**ANN)
    ann = desk.person()
    await ann.leave(token)
    assert (await ann.come(f"{ann.url}/join/signed{query}"))[0] in (400, 403)
    assert desk.there.forms == []


async def test_attack_an_open_redirect(desk: Desk) -> None:
    """Where it leads, the gate itself said before: nothing in the answer changes that."""
    _, token = await desk.link(**ANN)
    ann = desk.person()
    back = desk.there.sent_back(await ann.leave(token))
    more = urlencode({"next": "https://evil.example/", "redirect_uri": "https://evil.example/", "location": "//evil"})
    status, location = await ann.come(f"{back}&{more}")
    assert (status, location) == (200, f"{ann.url}/join#{token}")
    assert "Referrer-Policy" in ann.said.headers and ann.said.headers["Cache-Control"] == "no-store"


async def test_a_link_that_asks_for_no_account_leads_nowhere(desk: Desk) -> None:
    """Nor does one that is over, or a token that is none of ours."""
    link, token = await desk.link(**{"for": ["Ann"]})
    ann = desk.person()
    status, said = await ann.post("/join/sign", {"token": token})
    assert (status, said["error"]["code"]) == (400, "bad_request")
    await desk.office.call("PATCH", f"links/{link}", {"account": "*"})
    await desk.office.call("POST", f"links/{link}/revoke")
    assert (await ann.post("/join/sign", {"token": token}))[0] == 403
    assert (await ann.post("/join/sign", {"token": "a.b.c"}))[0] == 401
    assert desk.there.asked == []


async def test_attack_another_site_begins_a_sign_in(desk: Desk) -> None:
    """It needs the door's own origin, and JSON."""
    _, token = await desk.link(**ANN)
    ann = desk.person()
    for headers in ({"Origin": "https://evil.example"}, {}, {"Origin": "null"}):
        async with ann.http.post(f"{ann.url}/join/sign", json={"token": token}, headers=headers) as answer:
            assert answer.status == 403
    async with ann.http.post(f"{ann.url}/join/sign", data={"token": token}, headers={"Origin": ann.url}) as answer:
        assert answer.status == 400


async def test_the_cookies_are_for_the_door_and_for_no_script(desk: Desk) -> None:
    """What waits comes along from the provider, who somebody is does not; neither says anything."""
    _, token = await desk.link(**ANN)
    ann = desk.person()
    async with ann.http.post(f"{ann.url}/join/sign", json={"token": token}, headers={"Origin": ann.url}) as answer:
        (waiting,) = (one for one in answer.headers.getall("Set-Cookie") if one.startswith("sharegate-signing="))
        location = (await answer.json())["location"]
    assert "HttpOnly" in waiting and "SameSite=Lax" in waiting and "Path=/join" in waiting and token not in waiting
    await ann.come(desk.there.sent_back(location))
    signed, gone = ann.said.headers.getall("Set-Cookie")
    assert signed.startswith("sharegate-signed=") and "HttpOnly" in signed and "SameSite=Strict" in signed
    assert "Path=/join" in signed and "ann" not in signed and gone.startswith("sharegate-signing=; ")


async def test_without_a_provider_no_link_asks_for_an_account(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody could open it."""
    none = {"oidc_issuer": "", "oidc_client_id": "", "oidc_name": "", "oidc_client_secret_file": ""}
    async with signing(tmp_path, clock, monkeypatch, **none) as desk:
        status, said = await desk.office.ask("POST", "shares", {"path": str(desk.office.folder / "week3"), **ANN})
        assert status == 400 and said["error"]["field"] == "account" and "oidc_issuer" in said["error"]["remedy"]


async def test_a_provider_that_is_away(desk: Desk) -> None:
    """Is told as that, at both ends of the way."""
    from aiohttp import web

    _, token = await desk.link(**ANN)
    ann = desk.person()
    desk.there.instead = {"/.well-known/openid-configuration": lambda _: web.Response(status=500)}
    status, said = await ann.post("/join/sign", {"token": token})
    assert (status, said["error"]["code"]) == (503, "sign_in_unavailable")
    desk.there.instead = {"/token": lambda _: web.Response(status=500)}
    await ann.sign(token)
    assert (await ann.about(token))["account"]["problem"] == "sign_in_unavailable"


async def test_doctor_says_whether_people_can_sign_in(desk: Desk, clock: Clock) -> None:
    """And which setting to look at when they cannot."""
    found = (await desk.office.call("GET", "doctor"))["findings"]
    assert f"People sign in at Uni ({desk.there.url})" in [each["what"] for each in found if each["level"] == "ok"]
    clock.forward(3600)
    desk.there.discovery = {"issuer": "https://evil.example"}
    (told,) = (each for each in (await desk.office.call("GET", "doctor"))["findings"] if "sign in" in each["what"])
    assert told["level"] == "fail" and "another issuer" in told["what"] and "oidc_issuer" in told["remedy"]


# -- hosts of shares --------------------------------------------------------------------------------------------------


@pytest.fixture
async def hosts(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    async with signing(tmp_path, clock, monkeypatch, share_hosts="localhost") as desk:
        yield desk


async def at_its_host(hosts: Desk, **asked: Any) -> tuple[Person, str, str]:
    made = await hosts.office.share(**asked)
    url = made["links"][0]["url"]
    return hosts.person(url.partition("/join")[0]), url.partition("#")[2], made["share"]["id"]


async def test_with_hosts_of_shares_one_address_is_enough_for_the_provider(hosts: Desk) -> None:
    """The answer goes on from the gate's own host to the share's, where the question waits."""
    ann, token, share = await at_its_host(hosts, **ANN)
    address = await ann.leave(token)
    said = dict(parse_qsl(urlsplit(address).query))
    assert said["redirect_uri"] == f"{hosts.office.running.gate_url}/join/signed"
    assert said["state"].startswith(f"{share}.")
    status, location = await ann.come(hosts.there.sent_back(address))
    assert status == 303 and location.startswith(f"{ann.url}/join/signed?") and hosts.there.forms == []
    assert (await ann.come(location))[0] == 200
    assert (await hosts.visit(await ann_enters(ann, token)))["badge"] == "✓ ann@uni.example"


async def ann_enters(ann: Person, token: str) -> str:
    status, said = await ann.open(token)
    assert status == 200, said
    return str(said["location"]).partition("~")[2].partition("/")[0]


@pytest.mark.parametrize(
    "state",
    ["evil.example.x", "evil.example/.aaaaaaaaaaaaaaaaaaaaaa", "@evil.aaaaaaaaaaaaaaaaaaaaaa", "", ".a", "k7f2"],
)
async def test_attack_the_state_leads_elsewhere(hosts: Desk, state: str) -> None:
    """Only to hosts of shares, written by the gate."""
    ann = hosts.person()
    status, location = await ann.come(f"{ann.url}/join/signed?{urlencode({'state': state, 'code': 'x'})}")
    assert (status, location) == (403, "")


async def test_attack_an_answer_at_another_shares_host(hosts: Desk) -> None:
    """The question is on one host; another's pages have nothing to answer, even with its cookie."""
    ann, token, _ = await at_its_host(hosts, **ANN)
    other, _, _ = await at_its_host(hosts, path="week4", **ANN)
    address = await ann.leave(token)
    back = hosts.there.sent_back(address).replace(hosts.office.running.gate_url, other.url)
    assert (await other.come(back))[0] == 403
    for cookie in ann.http.cookie_jar:
        other.http.cookie_jar.update_cookies({cookie.key: cookie.value})
    assert (await other.come(back))[0] == 403 and hosts.there.forms == []


# -- forgotten --------------------------------------------------------------------------------------------------------


async def test_a_person_is_forgotten_with_their_account(desk: Desk) -> None:
    """By their address or their subject: records and history know neither any more, and the link is nobody's."""
    link, token = await desk.link(**ANN)
    ann = desk.person()
    await ann.sign(token)
    await ann.enter(token)
    shown = await desk.office.call("POST", "audit/erase", {"person": "ann-1", "dry_run": True})
    assert shown["visits"] == 1
    await desk.office.call("POST", "audit/erase", {"person": "ann@uni.example"})
    whole = str([await desk.office.everything(), await desk.office.call("GET", "audit")])
    store: Any = desk.office.running.gate._store
    whole += str([await store.visits(one.id) for one in await store.shares()])
    whole += str(await store.link(link)) + str((await store.link(link)).account)
    assert "ann@uni.example" not in whole and "ann-1" not in whole
    heir = desk.person()
    assert await heir.code(token) != "200"
