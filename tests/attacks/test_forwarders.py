"""Attacks with the fields by which proxies say who a visitor is, on a real gate: limits, trail and doctor."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.gatehouse import Gatehouse, Reply, gatehouse
from tests.real.jupyter import JupyterServer

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

LIMIT = 40


@pytest_asyncio.fixture(loop_scope="module")
async def believing(tmp_path: Path, jupyter: JupyterServer) -> AsyncIterator[Gatehouse]:
    """A gate that trusts the address that these tests come from."""
    settings: dict[str, Any] = {"trusted_forwarders": ["127.0.0.1"], "strangers_per_minute": LIMIT}
    async with gatehouse(tmp_path, jupyter, full_addresses=True, **settings) as house:
        yield house


@pytest_asyncio.fixture(loop_scope="module")
async def plain(tmp_path: Path, jupyter: JupyterServer) -> AsyncIterator[Gatehouse]:
    """A gate that trusts somebody else."""
    settings: dict[str, Any] = {"trusted_forwarders": ["127.0.0.9", "10.0.0.0/8"], "strangers_per_minute": LIMIT}
    async with gatehouse(tmp_path, jupyter, full_addresses=True, **settings) as house:
        yield house


async def ask(gate: Gatehouse, said: str, **more: str) -> Reply:
    """For a visit that is none, as told to be from `said`."""
    return await gate.raw("GET", "/s/aaaa/~bbbbbbbb/lab", {"X-Forwarded-For": said, **more})


async def recorded(gate: Gatehouse, reason: str) -> list[dict[str, Any]]:
    """Of strangers, once there are some: nobody waits for such a record."""
    async with asyncio.timeout(25):
        while not (found := await gate.events(action="stranger.denied", reason=reason)):
            await asyncio.sleep(0.02)
    return found


async def test_a_strangers_limit_is_the_visitors_own_behind_a_trusted_proxy(believing: Gatehouse) -> None:
    """One who tries addresses from elsewhere does not use up what others may."""
    refused = [(await ask(believing, "198.51.100.7")).status for _ in range(LIMIT + 5)]
    assert refused[:LIMIT] == [401] * LIMIT
    assert set(refused[LIMIT:]) <= {401, 429} and 429 in refused[LIMIT:]
    assert (await ask(believing, "198.51.100.8")).status == 401


async def test_attack_a_stranger_changes_address_with_each_request(plain: Gatehouse) -> None:
    """From an address that is not trusted all of it is one address's, in the limits and in the trail."""
    refused = [
        (await ask(plain, f"198.51.100.{number}", Forwarded=f"for=198.51.100.{number}")).status
        for number in range(LIMIT + 5)
    ]
    assert 429 in refused[LIMIT:]
    events = await recorded(plain, "no_credential")
    assert {event["address"] for event in events} == {"127.0.0.1"}


@pytest.mark.parametrize(
    "fields",
    [
        {"X-Forwarded-For": "unknown"},
        {"X-Forwarded-For": "198.51.100.7, "},
        {"X-Forwarded-For": "198.51.100.7", "X-Forwarded-Proto": "gopher"},
    ],
    ids=str,
)
async def test_what_a_trusted_proxy_says_and_nobody_can_read_is_refused(
    believing: Gatehouse, fields: dict[str, str]
) -> None:
    """With a reason of its own and the proxy's address, at every address of the gate."""
    for method, target in (("GET", "/join"), ("GET", "/s/aaaa/~bbbbbbbb/lab"), ("POST", "/join"), ("GET", "/")):
        reply = await believing.raw(method, target, fields)
        assert (reply.status, reply.public) == (400, "bad_request")
        assert fields["X-Forwarded-For"].encode() not in reply.body
    (event, *_) = await recorded(believing, "bad_forwarding")
    assert event["address"] == "127.0.0.1"


async def test_the_same_fields_from_others_are_nothing(plain: Gatehouse) -> None:
    """Not even an error: browsers behind odd proxies send odd fields."""
    fields = {"X-Forwarded-For": "unknown", "X-Forwarded-Proto": "gopher"}
    assert (await plain.raw("GET", "/join", fields)).status == 200


async def test_nothing_is_promised_of_tls_without_tls(plain: Gatehouse) -> None:
    """No Strict-Transport-Security on a plain gate, whatever a proxy says of the scheme."""
    reply = await plain.raw("GET", "/join", {"X-Forwarded-Proto": "https"})
    assert reply.status == 200 and not reply.header("Strict-Transport-Security")


NETWORKS = ["198.51.100.0/24", "2001:db8::/32"]


async def entering(gate: Gatehouse, said: str) -> tuple[Reply, dict[str, Any]]:
    """Opens a new link that is for NETWORKS, as told to be from `said`."""
    made = await gate.share(**{"for": ["Ann"]}, networks=NETWORKS)
    token = made["links"][0]["url"].partition("#")[2]
    return await gate.post("/join", {"token": token, "name": "Ann"}, {"X-Forwarded-For": said}), made


@pytest.mark.parametrize("said", ["198.51.100.7", "203.0.113.1, 198.51.100.7", "::ffff:198.51.100.7", "2001:db8::1"])
async def test_a_networks_link_opens_for_whom_a_trusted_proxy_tells(believing: Gatehouse, said: str) -> None:
    """Each request is judged by what the proxy tells with it: at the door, in the visit, for a WebSocket."""
    reply, made = await entering(believing, said)
    assert reply.status == 200, reply.body
    ann = believing.inside(reply, made["share"], made["links"][0])
    for told, status in ((said, 200), ("203.0.113.1", 403), ("198.51.100.7, 203.0.113.1", 403)):
        assert (await ann.ask("GET", "api/me", headers={"X-Forwarded-For": told})).status == status
    assert (await ann.ask("GET", "api/me")).public == "outside_networks"  # from the proxy itself
    assert await ann.upgrade("-/live", headers={"X-Forwarded-For": said}) == 101
    assert await ann.upgrade("-/live", headers={"X-Forwarded-For": "203.0.113.1"}) == 403


@pytest.mark.parametrize("said", ["198.51.100.7, 203.0.113.1", "127.0.0.1"])
async def test_attack_telling_an_address_before_a_trusted_proxy_tells_another(believing: Gatehouse, said: str) -> None:
    """Only what the proxy itself added counts: from outside is from outside."""
    reply, made = await entering(believing, said)
    assert reply.public == "outside_networks"
    assert await believing.running.gate._store.visits(made["share"]["id"]) == []


async def test_attack_telling_an_address_that_a_link_is_for(plain: Gatehouse) -> None:
    """To a gate that trusts somebody else it is nothing."""
    reply, made = await entering(plain, "198.51.100.7")
    assert reply.public == "outside_networks"
    assert await plain.running.gate._store.visits(made["share"]["id"]) == []
