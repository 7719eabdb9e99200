"""Share tokens: what we signed, and everything else."""

import base64
import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharegate.errors import Denied, Reason
from sharegate.shares.keys import KeyRing
from sharegate.shares.model import OPEN_ENDED, Link
from sharegate.shares.tokens import ShareTokens
from tests.conftest import Clock


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing.open(tmp_path, 1.0)


@pytest.fixture
def tokens(ring: KeyRing, clock: Clock) -> ShareTokens:
    return ShareTokens(ring, clock)


@pytest.fixture
def link(clock: Clock) -> Link:
    return Link(id="k2345", share="s2345", letter="a", created=clock(), expires=clock() + 60, serial=3)


def sign(ring: KeyRing, claims: dict[str, Any], header: dict[str, Any] | None = None) -> str:
    return jwt.encode(claims, ring.signing_key(), algorithm="EdDSA", headers={"kid": ring.active, **(header or {})})


def good(clock: Clock) -> dict[str, Any]:
    now = int(clock())
    return {"iss": "sharegate", "aud": "share", "sub": "s2345", "jti": "k2345", "ser": 1, "iat": now, "exp": now + 60}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def raw(ring: KeyRing, head: str, body: str) -> str:
    """A token with a good signature over exactly these JSON texts."""
    text = f"{b64(head.encode())}.{b64(body.encode())}"
    return f"{text}.{b64(ring.signing_key().sign(text.encode()))}"


def refused(tokens: ShareTokens, token: str) -> Reason:
    with pytest.raises(Denied) as caught:
        tokens.verify(token)
    return caught.value.reason


def test_a_minted_token_says_share_link_and_serial(tokens: ShareTokens, link: Link) -> None:
    """What is minted verifies, twice (the second time from memory)."""
    token = tokens.mint(link)

    for _ in range(2):
        claims = tokens.verify(token)
        assert (claims.share, claims.link, claims.serial) == ("s2345", "k2345", 3)


def test_the_same_link_has_the_same_url(tokens: ShareTokens, link: Link) -> None:
    """The owner can be shown a link again without a new one coming into being."""
    assert tokens.mint(link) == tokens.mint(link)


def test_the_outer_limit_is_kept_though_the_token_is_remembered(tokens: ShareTokens, link: Link, clock: Clock) -> None:
    """400 days after it was made a token is expired, whatever the record says."""
    token = tokens.mint(link)
    tokens.verify(token)
    clock.forward(OPEN_ENDED + 1)

    assert refused(tokens, token) is Reason.LINK_EXPIRED


def test_a_retired_key_still_verifies(ring: KeyRing, tokens: ShareTokens, link: Link) -> None:
    """Rotation does not end links."""
    token = tokens.mint(link)
    ring.rotate(2.0)

    assert tokens.verify(token).link == "k2345"
    assert ShareTokens(ring, lambda: link.created).verify(token).link == "k2345"


def test_attack_algorithm_none(ring: KeyRing, tokens: ShareTokens, clock: Clock) -> None:
    """An unsigned token is nothing."""
    head = {"alg": "none", "typ": "JWT", "kid": ring.active}
    token = f"{b64(json.dumps(head).encode())}.{b64(json.dumps(good(clock)).encode())}."

    assert refused(tokens, token) is Reason.BAD_CREDENTIAL
    assert refused(tokens, token + "AA") is Reason.BAD_CREDENTIAL


def test_attack_public_key_as_hmac_secret(ring: KeyRing, tokens: ShareTokens, clock: Clock) -> None:
    """HS256 with the public key, which everybody has, does not verify."""
    public = ring.public(ring.active)
    assert public is not None
    secret = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    token = jwt.encode(good(clock), secret, algorithm="HS256", headers={"kid": ring.active})

    assert refused(tokens, token) is Reason.BAD_CREDENTIAL


def test_attack_own_key_in_the_header(ring: KeyRing, tokens: ShareTokens, clock: Clock) -> None:
    """A key that the token brings along (jwk, jku, x5u) is refused with the header that brings it."""
    mine = Ed25519PrivateKey.generate()
    for extra in ({"jwk": {"kty": "OKP"}}, {"jku": "https://evil.example/keys"}, {"x5u": "https://evil.example"}):
        token = jwt.encode(good(clock), mine, algorithm="EdDSA", headers={"kid": ring.active, **extra})
        assert refused(tokens, token) is Reason.BAD_CREDENTIAL


@pytest.mark.parametrize(
    "header",
    [
        {"crit": ["exp"]},
        {"crit": []},
        {"kid": "../../keys/x"},
        {"kid": "' OR 1=1 --"},
        {"kid": "AAAAAAAAAAAA"},
        {"typ": "at+jwt"},
        {"b64": False},
        {"zip": "DEF"},
    ],
)
def test_attack_header(ring: KeyRing, tokens: ShareTokens, clock: Clock, header: dict[str, Any]) -> None:
    """Only the header that we write is read: crit, odd kids and types are refused though the signature is good."""
    text = json.dumps({"alg": "EdDSA", "typ": "JWT", "kid": ring.active, **header})

    assert refused(tokens, raw(ring, text, json.dumps(good(clock)))) is Reason.BAD_CREDENTIAL


@pytest.mark.parametrize("name", ["iss", "aud", "sub", "jti", "ser", "iat", "exp"])
def test_each_claim_is_required(ring: KeyRing, tokens: ShareTokens, clock: Clock, name: str) -> None:
    """A token without one of the claims is not ours."""
    claims = good(clock)
    del claims[name]

    assert refused(tokens, sign(ring, claims)) is Reason.BAD_CREDENTIAL


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "other"},
        {"aud": "visit"},
        {"aud": ["share"]},
        {"sub": "../x"},
        {"sub": "S2345"},
        {"jti": ""},
        {"jti": "a" * 41},
        {"ser": True},
        {"ser": "1"},
        {"ser": 1.0},
        {"exp": "9999999999"},
        {"exp": 9e99},
        {"role": "run"},
        {"nbf": 0},
    ],
)
def test_claims_of_another_use_type_or_number_are_refused(
    ring: KeyRing, tokens: ShareTokens, clock: Clock, change: dict[str, Any]
) -> None:
    """Signed by us is not enough: it must be a share token, with exactly its claims."""
    assert refused(tokens, sign(ring, {**good(clock), **change})) is Reason.BAD_CREDENTIAL


def test_attack_duplicate_claims(ring: KeyRing, tokens: ShareTokens, clock: Clock) -> None:
    """Readers disagree which of two equal names counts, so two are refused, in body and header."""
    head = json.dumps({"alg": "EdDSA", "typ": "JWT", "kid": ring.active})
    body = json.dumps(good(clock))
    twice = body[:-1] + ', "sub": "s9999"}'
    twice_head = head[:-1] + ', "alg": "EdDSA"}'

    assert refused(tokens, raw(ring, head, twice)) is Reason.BAD_CREDENTIAL
    assert refused(tokens, raw(ring, twice_head, body)) is Reason.BAD_CREDENTIAL
    assert tokens.verify(raw(ring, head, body)).share == "s2345"


@pytest.mark.parametrize(
    "token",
    ["", ".", "..", "a.b", "a.b.c.d", "a.b.c\n", " a.b.c", "ü.b.c", "A" * 2000, "e30.e30.e30", "\ud800.a.b", "[" * 900],
)
def test_malformed_tokens_are_refused(tokens: ShareTokens, token: str) -> None:
    """Garbage, oversize and surrogates get one answer."""
    assert refused(tokens, token) is Reason.BAD_CREDENTIAL


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=150)
@given(position=st.integers(0, 400), character=st.sampled_from("ABab01-_.=+/ "))
def test_any_change_of_a_character_is_refused(tokens: ShareTokens, link: Link, position: int, character: str) -> None:
    """There is no second spelling of a token."""
    token = tokens.mint(link)
    tokens.verify(token)
    changed = token[: position % len(token)] + character + token[position % len(token) + 1 :]
    if changed != token:
        assert refused(tokens, changed) is Reason.BAD_CREDENTIAL
