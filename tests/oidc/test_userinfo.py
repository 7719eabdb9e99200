"""What a provider says of a person when it is asked, where the ID token does not say it."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt
import pytest
from aiohttp import web

from sharegate.errors import Denied, Reason
from sharegate.oidc.flow import Flow
from sharegate.oidc.model import EMAIL, GROUPS, Person
from tests.oidc.party import BACK, CLIENT, Party, known, raw, rsa_key

Json = dict[str, Any]
ANN = {"email": "Ann@Uni.Example", "email_verified": True, "groups": ["physics-101"]}
BOTH = frozenset({EMAIL, GROUPS})


async def signed(there: Party, needs: frozenset[str] = BOTH, **more: Any) -> Person:
    flow = Flow(known(there, **more), BACK, time.time)
    url, asked = await flow.begin()
    return await flow.finish(asked, dict(parse_qsl(urlsplit(there.sent_back(url)).query)), needs)


async def refused(there: Party, needs: frozenset[str] = BOTH, **more: Any) -> Reason:
    with pytest.raises(Denied) as denied:
        await signed(there, needs, **more)
    assert "uni.example" not in denied.value.detail.lower() and "raw" not in denied.value.detail
    return denied.value.reason


def token(there: Party, claims: Json, **head: Any) -> web.Response:
    """A signed answer."""
    said = {"iss": there.url, "aud": CLIENT, "sub": "ann-1", **ANN, **claims}
    said = {name: value for name, value in said.items() if value is not None}
    made = jwt.encode(said, rsa_key(), algorithm="RS256", headers={"kid": "first", **head})
    return web.Response(text=made, content_type="application/jwt")


async def test_what_the_token_does_not_say_is_asked_for(there: Party) -> None:
    """Once, with the access token of this sign-in, which is kept nowhere."""
    there.telling(**ANN)
    person = await signed(there)
    assert person == Person(there.url, "ann-1", "ann@uni.example", frozenset({"physics-101"}))
    assert there.bearers == ["Bearer a"] and "ann@" not in repr(person)


async def test_what_the_token_says_is_not_asked_for(there: Party) -> None:
    """Nor what nobody needs; and the token's own word stands."""
    there.discovery = {"userinfo_endpoint": f"{there.url}/userinfo"}
    there.more = {"email": "other@uni.example", "email_verified": True, "groups": ["staff"]}
    assert (await signed(there, frozenset())).email == "ann@uni.example" and there.bearers == []
    assert (await signed(there)).groups == {"staff"} and len(there.bearers) == 1
    there.claims |= {"groups": []}
    person = await signed(there)
    assert (person.email, person.groups, len(there.bearers)) == ("ann@uni.example", frozenset(), 1)
    there.claims |= {"email_verified": False}
    assert (await signed(there)).email == "" and len(there.bearers) == 1


async def test_attack_an_address_of_one_place_checked_by_another(there: Party) -> None:
    """An address and whether it was checked come from the same answer."""
    there.telling(email_verified=True)
    there.claims |= {"email": "boss@uni.example"}
    assert (await signed(there)).email == ""
    there.telling(email="boss@uni.example")
    there.claims |= {"email_verified": True}
    assert (await signed(there)).email == ""


async def test_only_what_was_lacking_is_taken(there: Party) -> None:
    """Whatever else stands there; and `oidc_groups_claim` names the groups."""
    there.telling(**ANN, iss="https://evil.example", roles=["staff"], exp=1)
    assert (await signed(there, groups_claim="roles")).groups == {"staff"}


@pytest.mark.parametrize("more", [{"sub": "eve"}, {"sub": None}, {"sub": ["ann-1"]}, {"sub": "ANN-1"}, {"sub": ""}])
@pytest.mark.parametrize("needs", [BOTH, frozenset[str]()])
async def test_attack_a_word_on_somebody_else(there: Party, more: Json, needs: frozenset[str]) -> None:
    """The subject of the ID token and no other, also where nothing of it is needed."""
    there.telling(**ANN, **more)
    assert await refused(there, needs) is Reason.SIGN_IN_FAILED


async def test_a_signed_answer(there: Party) -> None:
    """By a key of the provider, for us."""
    there.telling()
    there.instead = {"/userinfo": lambda _: token(there, {})}
    assert (await signed(there)).email == "ann@uni.example"
    there.instead = {"/userinfo": lambda _: token(there, {"aud": ["other", CLIENT], "exp": int(time.time()) + 60})}
    assert (await signed(there)).groups == {"physics-101"}


@pytest.mark.parametrize(
    "claims",
    [
        *({"iss": "https://evil.example"}, {"iss": None}, {"aud": "other"}, {"aud": None}, {"aud": []}),
        *({"exp": 1}, {"exp": "soon"}, {"sub": "eve"}, {"sub": None}),
    ],
    ids=str,
)
async def test_attack_a_signed_answer_that_is_not_for_this(there: Party, claims: Json) -> None:
    """Of another issuer, for another client, of another time, on another person."""
    there.telling()
    there.instead = {"/userinfo": lambda _: token(there, claims)}
    assert await refused(there) is Reason.SIGN_IN_FAILED


async def test_attack_a_signature_that_is_none(there: Party) -> None:
    """None at all, of another key, with a secret, of other claims, and what is no token: a signed answer is not read as
    a plain one."""
    said = {"iss": there.url, "aud": CLIENT, "sub": "ann-1", **ANN}
    honest = jwt.encode(said, rsa_key(), algorithm="RS256", headers={"kid": "first"})
    changed = raw({}, {**said, "groups": ["staff"]}).split(".")[1]
    there.telling()
    for text in (
        raw({"alg": "none", "kid": "first"}, said),
        jwt.encode(said, rsa_key(2048, 1), algorithm="RS256", headers={"kid": "first"}),
        jwt.encode(said, "x" * 40, algorithm="HS256", headers={"kid": "first"}),
        f"{honest.split('.')[0]}.{changed}.{honest.split('.')[2]}",
        f"{honest}.x.y",
        "",
        "é",
        '{"sub": "ann-1", "groups": ["physics-101"]}',
    ):
        answer = partial(lambda text, _: web.Response(text=text, content_type="application/jwt"), text)
        there.instead = {"/userinfo": answer}
        assert await refused(there) is Reason.SIGN_IN_FAILED


@pytest.mark.parametrize("how", ["redirect", "huge", "hanging", "html", "a list", "packed", "401", "500"])
async def test_attack_a_provider_that_misbehaves(there: Party, how: str) -> None:
    """Whoever needs it cannot sign in at the moment; whoever does not, can. The access token goes nowhere else."""
    elsewhere: list[str] = []

    def trap(request: web.Request) -> web.Response:
        elsewhere.append(request.headers.get("Authorization", ""))
        return web.json_response({"sub": "ann-1", **ANN})

    ways: dict[str, Any] = {
        "redirect": lambda _: web.Response(status=302, headers={"Location": f"{there.url}/elsewhere"}),
        "huge": lambda _: web.json_response({"sub": "ann-1", "groups": ["x" * (1 << 20)]}),
        "hanging": lambda _: asyncio.sleep(60),
        "html": lambda _: web.Response(text="<html>", content_type="text/html"),
        "a list": lambda _: web.json_response([{"sub": "ann-1", **ANN}]),
        "packed": lambda _: web.json_response({"sub": "ann-1"}, headers={"Content-Encoding": "gzip"}),
        "401": lambda _: web.json_response({"error": "raw"}, status=401),
        "500": lambda _: web.Response(status=500, text="raw"),
    }
    there.telling(**ANN)
    there.instead = {"/userinfo": ways[how], "/elsewhere": trap}
    seconds = 0.5 if how == "hanging" else 10
    assert await refused(there, seconds=seconds) is Reason.SIGN_IN_UNAVAILABLE
    person = await signed(there, frozenset(), seconds=seconds)
    assert (person.subject, person.email) == ("ann-1", "") and elsewhere == []


@pytest.mark.parametrize(
    "tokens",
    [
        *({"access_token": None}, {"access_token": 7}, {"access_token": ""}, {"access_token": "a\r\nX-Eve: 1"}),
        *({"access_token": "a" * 10_000}, {"token_type": "mac"}, {"token_type": None}, {"token_type": ["Bearer"]}),
    ],
    ids=lambda tokens: str(tokens)[:40],
)
async def test_attack_an_access_token_that_is_none(there: Party, tokens: Json) -> None:
    """Nothing is asked with it."""
    there.telling(**ANN)
    there.tokens = tokens
    assert await refused(there) is Reason.SIGN_IN_UNAVAILABLE
    assert there.bearers == []


@pytest.mark.parametrize("address", ["http://evil.example/userinfo", "file:///etc/passwd", "javascript:1", 7, ["x"]])
async def test_attack_an_address_that_is_not_asked(there: Party, address: Any) -> None:
    """The token alone says who it is: without an address, and without groups."""
    there.telling(**ANN)
    there.discovery["userinfo_endpoint"] = address
    assert await signed(there) == Person(there.url, "ann-1")
    assert there.bearers == []


@pytest.mark.parametrize(
    "more",
    [
        {"email": "no address", "email_verified": True},
        {"email": "ann@uni.example\r\nBcc: eve@evil.example", "email_verified": True},
        {"email": "ann@uni.example", "email_verified": "yes"},
        {"email": "ann@uni.example"},
        {"email": ["ann@uni.example"], "email_verified": True},
    ],
    ids=str,
)
async def test_attack_an_address_that_was_not_checked(there: Party, more: Json) -> None:
    """Is none, wherever it stands."""
    there.telling(**more)
    assert (await signed(there)).email == ""
