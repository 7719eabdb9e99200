"""One person who says to be many, at the doors that count what is wrong, and at links for some networks."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Clock
from tests.visits.signer import Desk, Said, signing

Fields = list[tuple[str, str]]
PASSPHRASES, CODES = 10, 30


@contextlib.asynccontextmanager
async def desk_of(home: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, *trusted: str) -> AsyncIterator[Desk]:
    async with signing(home, clock, monkeypatch, trusted_forwarders=list(trusted), full_addresses=True) as desk:
        yield desk


async def post(desk: Desk, path: str, body: dict[str, Any], fields: Fields) -> Said:
    """From a browser that keeps nothing."""
    person = desk.person()
    headers = [("Origin", person.url), ("User-Agent", "Firefox"), *fields]
    async with person.http.post(person.url + path, json=body, headers=headers) as answer:
        return answer.status, await answer.json()


def told(*said: str) -> Iterator[Fields]:
    """What a proxy adds to what somebody tells it, for one person: each of `said` in turn, `{}` is a new number."""
    for number, one in enumerate(cycle(said), 1):
        yield [("X-Forwarded-For", part.replace("{}", str(number))) for part in one.split(" & ")]


# By a proxy that is trusted: the last is what it saw itself.
BEHIND = {
    "spellings": told(
        "198.51.100.7", "198.51.100.7:{}", "::ffff:198.51.100.7", "[::FFFF:c633:6407]:{}", "\t198.51.100.7 "
    ),
    "tales before": told("203.0.113.{}, 198.51.100.7", "junk {}, 198.51.100.7", "2001:db8::{} & 198.51.100.7"),
    "very many": told(", ".join(["203.0.113.{}"] * 300) + ",198.51.100.7"),
    "of one house": told("2001:db8:1:2::{}", "[2001:DB8:1:2:3::{}]:443", "2001:db8:1:2:0:0:0:{}"),
    "by trusted hops": told("198.51.100.7, 127.0.0.1", "203.0.113.{}, 198.51.100.7, 127.0.0.1, ::ffff:127.0.0.1"),
}
# To a gate that trusts somebody else.
NOBODY = {
    "each time another": told("198.51.100.{}"),
    "junk": told("{}", "unknown", "'{}", ", ,"),
    "one that is trusted": told("198.51.100.{}, 10.0.0.9", "10.0.0.{}"),
}
OTHERS = ("Forwarded", "X-Real-IP", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP", "X-Cluster-Client-IP", "Via")


async def limited(desk: Desk, said: Iterator[Fields]) -> None:
    """So many wrong ones are heard, of whatever kind, and no more."""
    _, token = await desk.link(anyone=True, visits=60, passphrase="green bicycle 7")
    for path, field, most, wrong in (
        ("/join", {"token": token, "name": "Eve"}, PASSPHRASES, "passphrase"),
        ("/code", {}, CODES, "code"),
    ):
        guesses = [(await post(desk, path, {**field, wrong: f"wrong {n}"}, next(said)))[0] for n in range(most + 8)]
        assert guesses == [403] * most + [429] * 8, path


@pytest.mark.parametrize("how", BEHIND)
async def test_attack_guessing_behind_a_proxy(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Who is one by what the proxy saw is one for every limit, however it is written and whatever stands before it;
    who is another may guess as well."""
    async with desk_of(tmp_path, clock, monkeypatch, "127.0.0.1") as desk:
        await limited(desk, BEHIND[how])
        elsewhere = [("X-Forwarded-For", "192.0.2.44")]
        assert (await post(desk, "/code", {"code": "wrong"}, elsewhere))[0] == 403


@pytest.mark.parametrize("how", NOBODY)
async def test_attack_guessing_with_fields_of_a_proxy_that_is_none(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """All of it is one address's, also with the fields that other gates read."""
    async with desk_of(tmp_path, clock, monkeypatch, "10.0.0.0/8") as desk:

        def more() -> Iterator[Fields]:
            for fields in NOBODY[how]:
                address = fields[0][1] or "198.51.100.1"
                yield [*fields, *((name, f"for={address}" if name == "Forwarded" else address) for name in OTHERS)]

        await limited(desk, more())
        addresses = {event["address"] for event in (await desk.office.call("GET", "audit"))["events"]}
        assert addresses <= {"", "127.0.0.1"}


@pytest.mark.parametrize(
    "said",
    [
        *("3325256711", "0xC6336407", "0306.063.0144.07", "198.51.100.007", "198.51.100", "198.51.100.7/32"),
        *("198.51.100.7%25eth0", "fe80::1%eth0", "::198.51.100.7", "64:ff9b::198.51.100.7", "2002:c633:6407::1"),
        *("198.51.100.7:port", "[2001:db8::1", "for=198.51.100.7", "198.51.100.7 203.0.113.1"),
        *("１９８.51.100.7".encode().decode("latin-1"), "198.51.100.7\u00a0".encode().decode("latin-1"), "", "_hidden"),
        *("198.51.100.7, 203.0.113.1", "203.0.113.1 & 127.0.0.1", ", ".join(["127.0.0.1"] * 17)),
    ],
)
async def test_attack_an_address_that_only_looks_as_if_it_were_in_a_network(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    """What is no plain address is refused as a whole; what is another one is outside. Nobody is in."""
    async with desk_of(tmp_path, clock, monkeypatch, "127.0.0.1") as desk:
        _, token = await desk.link(**{"for": ["Ann"]}, networks=["198.51.100.0/24", "2001:db8::/32"])
        status, answer = await post(desk, "/join", {"token": token}, next(told(said)))
        expected = (400, "bad_request"), (403, "outside_networks")
        assert (status, answer["error"]["code"]) in expected
        assert (await desk.office.call("GET", "visits"))["visits"] == []
        assert (await post(desk, "/join", {"token": token}, next(told("198.51.100.7"))))[0] == 200
