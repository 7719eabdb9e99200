"""Attacks at the doors of a gate: accounts, short codes, knocks, and what stands in fields."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.conftest import Clock
from tests.oidc.party import SECRET, raw, rsa_key
from tests.visits.signer import Desk, signing

ANN = {"for": ["Ann"], "account": "ann@uni.example"}
# As JSON has them: halves of a surrogate pair, NUL, turned round, markup, formulas, long, deep, of other kinds.
HOSTILE = [
    '"\\ud800"',
    '"\\udfff\\u0000x"',
    '"\\u0000"',
    '"\\u202eevil\\u2066"',
    '"<script>alert(1)</script>"',
    "\"=cmd|' /C calc'!A0\"",
    '"' + "x" * 7000 + '"',
    '"' + "\\u0301" * 1000 + '"',
    "[" * 7000,
    '{"a":' * 1000,
    "1e999",
    "NaN",
    "9" * 5000,
    "null",
    "[]",
    "{}",
    "true",
    '"../../x"',
    '"%00"',
    '"\\r\\nSet-Cookie: a=b"',
]
FIELDS = {
    "/join/about": ["token"],
    "/join": ["token", "name", "passphrase", "code", "email"],
    "/join/code": ["token", "email", "passphrase"],
    "/join/sign": ["token", "again"],
    "/join/knock": ["token", "address", "name", "same_person", "passphrase", "code", "email"],
    "/join/knock/state": ["knock"],
    "/join/time": ["token"],
    "/join/report": ["token", "concern", "text"],
    "/join/device": ["code", "name"],
    "/code": ["code"],
}
LINKS: list[dict[str, Any]] = [
    {"anyone": True, "visits": 60, "ask": True, "passphrase": "correct horse"},
    {"anyone": True, "visits": 60, "domain": "uni.example"},
    {"anyone": True, "visits": 60, "account": "*"},
    {"for": ["Ann"]},
]


@pytest.fixture
async def desk(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    async with signing(tmp_path, clock, monkeypatch) as desk:
        yield desk


async def posted(desk: Desk, http: Any, path: str, body: str) -> tuple[int, str, str]:
    """Status, body, and everything in the head."""
    url = desk.office.running.gate_url
    headers = {"Origin": url, "Content-Type": "application/json", "Accept": "application/json"}
    async with http.post(url + path, data=body.encode(), headers=headers) as answer:
        return answer.status, await answer.text(), str(answer.headers)


@pytest.mark.parametrize("path", list(FIELDS))
async def test_attack_hostile_values_in_each_field(desk: Desk, path: str, caplog: pytest.LogCaptureFixture) -> None:
    """A clear refusal each time or an answer, never a fault, and nothing of it in a head or the log."""
    tokens = [(await desk.link(**link))[1] for link in LINKS]
    link, _ = await desk.link(anyone=True)
    code = (await desk.office.call("POST", f"links/{link}/code", {}))["code"]
    bo = desk.person()
    for token in tokens if "token" in FIELDS[path] else [""]:
        good: dict[str, Any] = {"token": token, "name": "Bo", "passphrase": "correct horse", "code": code}
        good |= {"email": "bo@uni.example", "again": False, "same_person": False, "concern": "other", "text": "x"}
        good |= {"address": "", "knock": "aaaaaaaaaa"}
        for field in FIELDS[path]:
            for value in HOSTILE:
                rest = {name: good[name] for name in FIELDS[path] if name != field}
                body = "{" + "".join(f"{json.dumps(k)}:{json.dumps(v)}," for k, v in rest.items())
                status, text, head = await posted(desk, bo.http, path, body + f"{json.dumps(field)}:{value}}}")
                assert status in (200, 400, 401, 403, 404, 409, 413, 429, 503), (path, field, value[:40], status, text)
                assert "Traceback" not in text and "alert(1)" not in head, (path, field, value[:40])
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []


@pytest.mark.parametrize(
    "head", [b"[" * 20000, b'{"a":' * 4000, b'{"alg":"RS256","kid":"first","x":' + b"[" * 18000], ids=len
)
async def test_attack_a_token_that_is_nested_without_end(
    desk: Desk, head: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Of a provider that was taken over: it is a forged one, and no fault of the gate's."""
    _, token = await desk.link(**ANN)
    ann = desk.person()
    for part in (0, 1):
        parts = [raw({"alg": "RS256", "kid": "first"}, {}).split(".")[0], "e30", "AAAA"]
        parts[part] = base64.urlsafe_b64encode(head).decode().rstrip("=")
        desk.there.sign = lambda _head, _claims, parts=parts: ".".join(parts)  # type: ignore[misc]
        if part:
            made = jwt.PyJWS().encode(head, rsa_key(), algorithm="RS256", headers={"kid": "first"})
            desk.there.sign = lambda _head, _claims, made=made: made  # type: ignore[misc]
        back = desk.there.sent_back(await ann.leave(token))
        status, _ = await ann.come(back)
        assert status == 200
        assert (await ann.about(token))["account"]["problem"] == "sign_in_failed"
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []


async def test_attack_a_code_on_the_wall_becomes_a_co_owner(desk: Desk) -> None:
    """Who typed a code before its link was marked holds nothing of it afterwards."""
    link, _ = await desk.link(**{"for": ["Tia"]})
    code = (await desk.office.call("POST", f"links/{link}/code", {}))["code"]
    eve = desk.person()
    status, said = await eve.post("/code", {"code": code})
    assert status == 200
    token = said["location"].partition("#")[2]
    await desk.office.call("POST", f"links/{link}/coowner")
    status, said = await eve.open(token)
    store: Any = desk.office.running.gate._store
    kept = await store.link(link)
    assert kept.coowner and kept.coowner_browser == "", (status, said)
    assert status == 403
    assert kept.code_hash == ""
    tia = desk.person()
    url = (await desk.office.call("GET", f"links/{link}/url"))["url"]
    await tia.enter(url.partition("#")[2])
    assert (await store.link(link)).coowner_browser


async def test_attack_secrets_in_the_log(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """All secrets of a sign-in, a code and a knock, looked for in the log, the history and the heads of answers."""
    caplog.set_level(logging.DEBUG)
    _, token = await desk.link(**ANN)
    ann = desk.person()
    address = await ann.leave(token)
    back = desk.there.sent_back(address)
    status, location = await ann.come(back)
    assert status == 200 and location.endswith(token) and token not in str(ann.said.headers)
    cookies = [one.value for one in ann.http.cookie_jar]
    await ann.enter(token)
    other, _ = await desk.link(anyone=True)
    code = (await desk.office.call("POST", f"links/{other}/code", {}))["code"]
    eve = desk.person()
    given = (await eve.post("/code", {"code": code}))[1]["location"].partition("#")[2]
    await eve.open(given, name="Eve", passphrase="a secret of Eve's")
    parts = [value for pair in back.partition("?")[2].split("&") for value in [pair.partition("=")[2]]]
    mine = [*parts[:2], token, given, code.replace(" ", ""), SECRET, "a secret of Eve's", *cookies]
    mine += [one.value for one in (*ann.http.cookie_jar, *eve.http.cookie_jar)]
    log = caplog.text + str(await desk.office.call("GET", "audit")) + repr(desk.office.running.gate)
    for secret in filter(None, mine):
        assert secret not in log, secret


async def test_attack_a_page_of_the_gate_reads_the_answer(desk: Desk) -> None:
    """A script beside the door, with all its cookies, is given nothing of what a navigation gets."""
    _, token = await desk.link(**ANN)
    ann = desk.person()
    back = desk.there.sent_back(await ann.leave(token))
    said = {"Sec_Fetch_Site": "same-origin", "Sec_Fetch_Mode": "cors", "Sec_Fetch_Dest": "empty"}
    assert (await ann.come(back, **said))[0] == 403
    assert (await ann.come(back, **{**said, "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "iframe"}))[0] == 403
    assert desk.there.forms == []
    assert (await ann.come(back))[0] == 200


async def test_attack_a_co_owner_who_was_put_out_comes_back(desk: Desk) -> None:
    """By the link, in the same browser: as a visitor. The history says that the mark was taken."""
    link, token = await desk.link(**{"for": ["Tia"]})
    tia = desk.person()
    visit = await tia.enter(token)
    await desk.office.call("POST", f"links/{link}/coowner")
    store: Any = desk.office.running.gate._store
    assert (await store.link(link)).coowner
    await desk.office.call("POST", f"visits/{visit}/end")
    again = await tia.enter(token)
    assert again != visit and not (await store.link(link)).coowner
    assert "coowner.removed" in await desk.office.actions()
