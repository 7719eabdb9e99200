"""A sign-in as a whole, with a provider that is honest and with one that is not."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import time
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import jwt
import pytest
from aiohttp import web

from sharegate.errors import Denied, Reason
from sharegate.oidc.flow import SECONDS, Asked, Flow
from sharegate.oidc.model import MOST_GROUPS, Person
from tests.oidc.party import BACK, CLIENT, SECRET, Party, ec_key, jwk, known, raw, rsa_key

Json = dict[str, Any]


def flow(there: Party, **more: Any) -> Flow:
    return Flow(known(there, **more), BACK, time.time)


async def signed(there: Party, flow: Flow | None = None, **answer: str | None) -> Person:
    """What a browser's whole way is worth. `answer` is laid over what the provider sends back; None leaves it out."""
    flow = flow or Flow(known(there), BACK, time.time)
    url, asked = await flow.begin()
    return await flow.finish(asked, came(there, url, **answer))


def came(there: Party, url: str, **answer: str | None) -> dict[str, str]:
    said: dict[str, str | None] = {**dict(parse_qsl(urlsplit(there.sent_back(url)).query)), **answer}
    return {name: value for name, value in said.items() if value is not None}


async def refused(there: Party, flow: Flow | None = None, **answer: str | None) -> Reason:
    with pytest.raises(Denied) as denied:
        await signed(there, flow, **answer)
    assert "ann@" not in denied.value.detail and SECRET not in denied.value.detail
    return denied.value.reason


async def test_a_person_signs_in(there: Party) -> None:
    """Their subject at this issuer, their checked address and their groups are what is known of them."""
    there.claims |= {"groups": ["physics-101", "", 7, "x" * 1000], "email": "Ann@Uni.Example"}
    person = await signed(there)
    assert person == Person(there.url, "ann-1", "ann@uni.example", frozenset({"physics-101"}))
    assert "ann" not in repr(person).replace("ann-1", "")


async def test_what_is_asked_of_the_provider(there: Party) -> None:
    """A code, with state, nonce and a challenge that are new each time; the verifier stays here."""
    made = flow(there)
    (url, asked), (other, second) = await made.begin(mark="k7f2."), await made.begin(again=True)
    said, again = dict(parse_qsl(urlsplit(url).query)), dict(parse_qsl(urlsplit(other).query))
    digest = base64.urlsafe_b64encode(hashlib.sha256(asked.verifier.encode()).digest()).decode().rstrip("=")
    assert url.startswith(f"{there.url}/authorize?")
    assert said == {
        "response_type": "code",
        "client_id": CLIENT,
        "redirect_uri": BACK,
        "scope": "openid email profile",
        "state": asked.state,
        "nonce": asked.nonce,
        "code_challenge": digest,
        "code_challenge_method": "S256",
    }
    assert asked.state.startswith("k7f2.") and again["prompt"] == "select_account"
    assert not {asked.state, asked.nonce, asked.verifier} & {second.state, second.nonce, second.verifier}
    assert asked.verifier not in url and asked.verifier not in repr(asked) and asked.nonce not in repr(asked)


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "private_key_jwt"])
async def test_the_gate_shows_its_secret_as_the_provider_wants_it(there: Party, method: str) -> None:
    """In the header, encoded as RFC 6749 section 2.3.1 says; or in the form; never both, and never in an address."""
    there.discovery = {"token_endpoint_auth_methods_supported": [method]}
    await signed(there)
    (form,), (login,) = there.forms, there.logins
    header = base64.b64decode(login.removeprefix("Basic ")).decode() if login else ""
    if method == "client_secret_post":
        assert (form["client_id"], form["client_secret"], header) == (CLIENT, SECRET, "")
    else:
        assert header == f"{CLIENT}:{quote(SECRET, safe='')}" and "client_secret" not in form
    assert not [path for path in there.asked if "?" in path]


# -- forged -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "another client"},
        {"aud": ["another client"]},
        {"aud": None},
        {"aud": [CLIENT, "another client"]},
        {"aud": [CLIENT, "another client"], "azp": "another client"},
        {"azp": "another client"},
        {"nonce": "of another question"},
        {"nonce": None},
        {"nonce": 7},
        {"exp": 1},
        {"exp": None},
        {"exp": "9999999999"},
        {"exp": True},
        {"iat": None},
        {"iat": 1},
        {"iat": 1e11},
        {"iat": 1e11, "nbf": 1},
        {"sub": "\u0430nn-1"},
        {"nbf": 1e11},
        {"nbf": "soon"},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "x" * 256},
        {"sub": "ann\u202e"},
        {"sub": "an\nn"},
    ],
    ids=str,
)
async def test_attack_a_token_that_is_not_for_this(there: Party, claims: Json) -> None:
    """Of another issuer, for another client, to another question, of another time, of nobody: one and the same."""
    there.claims |= claims
    assert await refused(there) is Reason.SIGN_IN_FAILED


@pytest.mark.parametrize("head", [{"crit": ["b64"], "b64": True}, {"crit": ["exp"], "exp": 1}, {"crit": []}], ids=str)
async def test_attack_a_token_whose_head_asks_for_more_than_we_know(there: Party, head: Json) -> None:
    """What is critical to whoever made it is not passed over (RFC 7515 section 4.1.11), whatever the library knows."""
    there.head = head
    assert await refused(there) is Reason.SIGN_IN_FAILED


@pytest.mark.parametrize(("extra", "taken"), [(20_000, True), (40_000, False)])
async def test_attack_a_token_that_is_longer_than_any(there: Party, extra: int, taken: bool) -> None:
    """It is not even read, whoever signed it."""
    there.claims |= {"picture": "x" * extra}
    if taken:
        assert (await signed(there)).subject == "ann-1"
    else:
        assert await refused(there) is Reason.SIGN_IN_FAILED


async def test_more_groups_than_anybody_is_in(there: Party) -> None:
    """So many are looked at, and no more."""
    there.claims |= {"groups": [f"g{number}" for number in range(MOST_GROUPS + 1)]}
    person = await signed(there)
    assert len(person.groups) == MOST_GROUPS and f"g{MOST_GROUPS}" not in person.groups


async def test_attack_a_token_without_a_signature(there: Party) -> None:
    """`none` in any spelling."""
    for algorithm in ("none", "None", "NONE", "nOnE", ""):
        there.discovery = {"id_token_signing_alg_values_supported": ["none", "RS256"]}
        there.sign = lambda head, claims, algorithm=algorithm: raw({**head, "alg": algorithm}, claims)  # type: ignore[misc]
        assert await refused(there) is Reason.SIGN_IN_FAILED


async def test_attack_the_public_key_taken_for_a_secret(there: Party) -> None:
    """HS256 with what everybody can read, or with the secret that the gate has: also where the provider allows it."""
    there.discovery = {"id_token_signing_alg_values_supported": ["HS256", "RS256"]}
    public = jwt.PyJWK.from_dict(there.keys[0]).key.public_numbers().n.to_bytes(256, "big")
    for secret in (public, SECRET.encode()):
        there.sign = lambda head, claims, secret=secret: jwt.encode(  # type: ignore[misc]
            claims, secret, algorithm="HS256", headers={"kid": "first"}
        )
        assert await refused(there) is Reason.SIGN_IN_FAILED


async def test_attack_a_token_of_another_key(there: Party) -> None:
    """Under the name of the provider's own, under a name of its own, under none, and with the key in its head."""
    other = rsa_key(2048, 1)
    for head in ({"kid": "first"}, {"kid": "other"}, {}, {"kid": "first", "jwk": jwk(other, "first")}):
        there.sign = lambda _, claims, head=head: jwt.encode(claims, other, algorithm="RS256", headers=head)  # type: ignore[misc]
        assert await refused(there) is Reason.SIGN_IN_FAILED


async def test_attack_a_head_that_asks_for_more(there: Party) -> None:
    """What is critical and not known here is refused (RFC 7515, section 4.1.11)."""
    there.head = {"crit": ["b64"], "b64": True}
    assert await refused(there) is Reason.SIGN_IN_FAILED


async def test_attack_claims_changed_after_they_were_signed(there: Party) -> None:
    """The signature is that of the claims."""

    def changed(head: Json, claims: Json) -> str:
        honest = jwt.encode(claims, rsa_key(), algorithm="RS256", headers={"kid": "first"})
        first, _, last = honest.split(".")
        forged = raw({}, {**claims, "sub": "eve"}).split(".")[1]
        return f"{first}.{forged}.{last}"

    there.sign = changed
    assert await refused(there) is Reason.SIGN_IN_FAILED


@pytest.mark.parametrize("token", [None, "", "x", "a.b", "a.b.c", "é.é.é", 7, ["x"], "x" * 100_000, "." * 3000])
async def test_attack_a_token_that_is_none(there: Party, token: Any) -> None:
    """Whatever stands where the token should."""
    there.tokens = {"id_token": token}
    assert await refused(there) is Reason.SIGN_IN_FAILED


@pytest.mark.parametrize(
    "claims",
    [
        {"email_verified": None},
        {"email_verified": False},
        {"email_verified": "yes"},
        {"email_verified": 1},
        {"email": None},
        {"email": "no address"},
        {"email": ["ann@uni.example"]},
        {"email": "ann@uni.example\r\nBcc: eve@evil.example"},
        {"email": "a" * 10_000_000},
    ],
    ids=lambda claims: str(claims)[:40],
)
async def test_attack_an_address_that_the_provider_did_not_check(there: Party, claims: Json) -> None:
    """Is no address; the person is who they are all the same (or the answer is more than is read)."""
    there.claims |= claims
    if len(str(claims)) > 1000:
        assert await refused(there) is Reason.SIGN_IN_UNAVAILABLE
    else:
        assert (await signed(there)).email == ""


# -- replayed and mixed up --------------------------------------------------------------------------------------------


async def test_attack_an_answer_given_twice(there: Party) -> None:
    """Also where the provider takes a code again."""
    there.once = False
    made = flow(there)
    url, asked = await made.begin()
    answer = came(there, url)
    await made.finish(asked, answer)
    with pytest.raises(Denied) as denied:
        await made.finish(asked, answer)
    assert denied.value.reason is Reason.SIGN_IN_FAILED and len(there.forms) == 1


async def test_attack_an_answer_to_what_another_browser_asked(there: Party) -> None:
    """Neither with its own question nor without one; the provider is not even asked."""
    made = flow(there)
    _, mine = await made.begin()
    url, _ = await made.begin()
    asks: list[Asked | None] = [mine, None]
    for asked in asks:
        with pytest.raises(Denied) as denied:
            await made.finish(asked, came(there, url))
        assert denied.value.reason is Reason.SIGN_IN_FAILED
    assert there.forms == []


async def test_attack_a_code_that_somebody_else_was_given(there: Party) -> None:
    """Injected into the answer to one's own question: the provider sees that the verifier does not fit, and a provider
    that does not look has a token that does not fit."""
    made = flow(there)
    stolen = came(there, (await made.begin())[0])["code"]
    assert await refused(there, made, code=stolen) is Reason.SIGN_IN_FAILED
    for name in ("code_challenge", "redirect_uri"):
        assert there.forms[-1].get("code_verifier") and name not in there.codes.get(stolen, {})
    url, asked = await made.begin()
    answer = came(there, url)
    there.codes[answer["code"]] |= {"nonce": "of the other"}
    with pytest.raises(Denied):
        await made.finish(asked, answer)


@pytest.mark.parametrize("said", ["https://evil.example", "", None])
async def test_attack_an_answer_of_another_provider(there: Party, said: str | None) -> None:
    """Mixed up (RFC 9207): the code does not even go out. One that never says whose its answers are, is believed."""
    assert await refused(there, iss=said) is Reason.SIGN_IN_FAILED
    assert there.forms == []
    there.discovery = {"authorization_response_iss_parameter_supported": None}
    if said is None:
        assert (await signed(there, iss=None)).subject == "ann-1"
    else:
        assert await refused(there, iss=said) is Reason.SIGN_IN_FAILED


@pytest.mark.parametrize("answer", [{"error": "access_denied"}, {"code": None}, {"code": ""}, {"code": "x" * 5000}])
async def test_an_answer_without_a_code(there: Party, answer: dict[str, str | None]) -> None:
    """Who says no at the provider is not signed in."""
    assert await refused(there, None, **answer) is Reason.SIGN_IN_FAILED
    assert there.forms == []


async def test_attack_an_answer_long_after(there: Party) -> None:
    """And one from before it was asked."""
    now = time.time()
    for later in (SECONDS + 1, -1.0):
        made = flow(there)
        url, asked = await made.begin()
        late = Flow(known(there), BACK, lambda later=later: now + later)  # type: ignore[misc]
        with pytest.raises(Denied) as denied:
            await late.finish(asked, came(there, url))
        assert denied.value.reason is Reason.SIGN_IN_FAILED


# -- a provider that does not behave ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/token", "/keys"])
@pytest.mark.parametrize("how", ["redirect", "huge", "endless", "hanging", "no json", "a list", "packed", "500"])
async def test_attack_a_provider_that_misbehaves(there: Party, path: str, how: str) -> None:
    """It is not followed elsewhere, not read without end and not waited for: nobody can sign in at the moment."""
    trap: list[str] = []

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        while True:
            await response.write(b" " * 65536)

    def elsewhere(request: web.Request) -> web.Response:
        trap.append(request.path)
        return web.json_response({"keys": there.keys, "issuer": there.url})

    ways: dict[str, Any] = {
        "redirect": lambda _: web.Response(status=302, headers={"Location": f"{there.url}/elsewhere"}),
        "huge": lambda _: web.json_response({"keys": ["x" * (1 << 20)]}),
        "endless": endless,
        "hanging": lambda _: asyncio.sleep(60),
        "no json": lambda _: web.Response(text="<html>"),
        "a list": lambda _: web.json_response([1]),
        "packed": lambda _: web.json_response({}, headers={"Content-Encoding": "gzip"}),
        "500": lambda _: web.Response(status=500, text="raw secret"),
    }
    there.instead = {path: ways[how], "/elsewhere": elsewhere}
    made = flow(there, seconds=0.3 if how == "hanging" else 10)
    assert await refused(there, made) is Reason.SIGN_IN_UNAVAILABLE
    assert trap == []


@pytest.mark.parametrize(
    "said",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"token_endpoint": "http://evil.example/token"},
        {"token_endpoint": "file:///etc/passwd"},
        {"token_endpoint": None},
        {"jwks_uri": "ftp://127.0.0.1/keys"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "http://evil.example/"},
        {"authorization_endpoint": 7},
        {"id_token_signing_alg_values_supported": ["none", "HS256"]},
        {"id_token_signing_alg_values_supported": "RS256"},
    ],
    ids=str,
)
async def test_attack_a_discovery_that_leads_elsewhere(there: Party, said: Json) -> None:
    """To plain http, to no address, to ways of signing that are none: nobody is sent there."""
    there.discovery = said
    with pytest.raises(Denied) as denied:
        await flow(there).begin()
    assert denied.value.reason is Reason.SIGN_IN_UNAVAILABLE


async def test_other_ways_of_signing(there: Party) -> None:
    """As the provider says: here with an elliptic curve."""
    there.discovery = {"id_token_signing_alg_values_supported": ["RS256", "ES256"]}
    there.keys = [*there.keys, jwk(ec_key(), "curve", "ES256")]
    there.sign = lambda head, claims: jwt.encode(claims, ec_key(), algorithm="ES256", headers={"kid": "curve"})
    assert (await signed(there)).subject == "ann-1"
