"""What a provider says of itself and of its keys."""

from __future__ import annotations

import asyncio
from typing import Any

import jwt
import pytest
from aiohttp import web

from sharegate.oidc.fetch import Away
from sharegate.oidc.provider import AGAIN_SECONDS, ALGORITHMS, KEPT_SECONDS, MOST_KEYS
from tests.conftest import Clock
from tests.oidc.party import Party, ec_key, jwk, known, rsa_key


async def test_what_is_known_is_not_asked_again(there: Party) -> None:
    """For an hour."""
    clock = Clock()
    here = known(there, clock)
    for _ in range(3):
        assert await here.key("first", "RS256") is not None
    assert sorted(there.asked) == ["/.well-known/openid-configuration", "/keys"]
    clock.forward(KEPT_SECONDS)
    assert await here.key("first", "RS256") is not None
    assert len(there.asked) == 4


async def test_a_new_key_is_found_and_an_old_one_is_over(there: Party) -> None:
    """As soon as a token names it, at most half a minute later."""
    clock = Clock()
    here = known(there, clock)
    assert await here.key("first", "RS256") is not None
    there.keys = [jwk(rsa_key(2048, 1), "second")]
    clock.forward(AGAIN_SECONDS)
    assert await here.key("second", "RS256") is not None
    assert await here.key("first", "RS256") is None


async def test_attack_made_up_names_of_keys(there: Party) -> None:
    """The provider is asked once in half a minute, however many come."""
    clock = Clock()
    here = known(there, clock)
    for number in range(50):
        assert await here.key(f"made up {number}", "RS256") is None
    assert there.asked.count("/keys") == 1
    clock.forward(AGAIN_SECONDS)
    for number in range(50):
        assert await here.key(f"made up {number}", "RS256") is None
    assert there.asked.count("/keys") == 2


async def test_a_token_without_a_name_of_its_key_is_of_the_only_one(there: Party) -> None:
    """Of two that fit, of neither."""
    there.keys = [*there.keys, jwk(ec_key(), "curve", "ES256")]
    assert await known(there).key("", "RS256") is not None
    there.keys = [*there.keys, jwk(rsa_key(2048, 1), "second")]
    assert await known(there).key("", "RS256") is None


@pytest.mark.parametrize(
    "key",
    [
        {"use": "enc"},
        {"alg": "RS512"},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"key_ops": ["sign"]},
        {"key_ops": "verify"},
        {"d": "AQAB"},
        {"n": "!"},
        {"n": 7},
        {"e": None},
        {"kid": "first", "kty": "EC"},
        {"kid": ["first"]},
    ],
    ids=str,
)
async def test_attack_a_key_that_is_not_for_this(there: Party, key: dict[str, Any]) -> None:
    """For another use, another algorithm, private, or none at all."""
    there.keys = [{**there.keys[0], **key}]
    assert await known(there).key("first", "RS256") is None


async def test_attack_a_private_key_that_everybody_can_read(there: Party) -> None:
    """Whoever reads it can sign: it is nobody's."""
    private = jwt.get_algorithm_by_name("RS256").to_jwk(rsa_key(), as_dict=True)
    there.keys = [{**there.keys[0], **{name: value for name, value in private.items() if name != "key_ops"}}]
    assert await known(there).key("first", "RS256") is None


async def test_attack_a_weak_key(there: Party) -> None:
    """RSA below 2,048 bits."""
    there.keys = [jwk(rsa_key(1024), "first")]
    assert await known(there).key("first", "RS256") is None


async def test_attack_keys_without_end(there: Party) -> None:
    """And what is no list of keys holds none."""
    there.keys = [dict(there.keys[0], kid=str(number)) for number in range(MOST_KEYS + 1)]
    with pytest.raises(Away):
        await known(there).key("1", "RS256")
    there.keys = {"first": there.keys[0]}  # type: ignore[assignment]
    assert await known(there).key("first", "RS256") is None


def test_only_signatures_that_need_a_private_key_are_accepted() -> None:
    """Whatever else the library could check."""
    assert not [each for each in ALGORITHMS if each.lower() == "none" or each.startswith("HS")]
    assert set(jwt.algorithms.get_default_algorithms()) >= ALGORITHMS


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/keys"])
async def test_attack_a_provider_that_is_away_holds_up_everybody(there: Party, path: str) -> None:
    """Who waited while it was asked in vain is told the same, and does not ask again, one after the other; who comes
    later asks anew."""
    provider = known(there)
    if path == "/keys":
        await provider.endpoints()
    arrived, answers = asyncio.Event(), asyncio.Event()

    async def hang(_: web.Request) -> web.Response:
        arrived.set()
        await answers.wait()
        return web.Response(status=500)

    async def ask() -> Any:
        return await (provider.key("other", "RS256") if path == "/keys" else provider.endpoints())

    there.instead = {path: hang}
    first = asyncio.create_task(ask())
    await arrived.wait()
    others = [asyncio.create_task(ask()) for _ in range(11)]
    for _ in range(20):
        await asyncio.sleep(0)  # until they all wait for their turn
    answers.set()
    said = await asyncio.gather(first, *others, return_exceptions=True)
    assert all(isinstance(each, Away) for each in said) and there.asked.count(path) == 1
    there.instead = {}
    assert await (provider.key("first", "RS256") if path == "/keys" else provider.endpoints()) is not None
