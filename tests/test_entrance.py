"""How visitors' connections come in: what the settings ask for, and what an owner is told of it."""

from __future__ import annotations

import datetime
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sharegate.config import Config, load
from sharegate.dashboard.doctor import Doctor
from sharegate.entrance import Entrance, Front, check, hosts, without_gate
from sharegate.errors import Faults
from sharegate.messages import Headers, Request
from tests.conftest import Clock
from tests.real.certificates import Authority, Pair

PUBLIC = "https://share.example.org"
DAY = 86400.0


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Authority(tmp_path / "authority").leaf()


def config(pair: Pair | None = None, **settings: Any) -> Config:
    if pair is not None:
        settings = {"tls_certificate": str(pair.certificate), "tls_key": str(pair.key), **settings}
    return load(None, {}, settings)


def told(config: Config, front: Front) -> dict[str, str]:
    """Sentence → level of what the doctor says of the way in."""
    doctor = Doctor(config, None, None, None, lambda: front)  # type: ignore[arg-type]
    return {finding["what"]: finding["level"] for finding in [*doctor._certificate(), *doctor._in_front()]}


def warned(config: Config, front: Front) -> list[str]:
    return Doctor(config, None, None, None, lambda: front).warnings()  # type: ignore[arg-type]


def test_without_files_there_is_no_tls() -> None:
    """And nothing to check."""
    entrance = Entrance(config(), time.time)
    assert entrance.tls is None and check(config(), time.time()) is None
    assert not entrance.lasting_tls


@pytest.mark.parametrize(
    ("settings", "lasting"),
    [
        ({}, False),
        ({"public_url": PUBLIC}, True),
        ({"public_url": "https://127.0.0.1:8870"}, False),
        ({"public_url": "https://k.localhost"}, False),
        ({"public_url": "http://share.example.org", "insecure": True}, False),
    ],
)
def test_browsers_are_told_to_stay_with_tls_on_public_addresses_only(settings: dict[str, Any], lasting: bool) -> None:
    """On a name of this computer or of a local network it would be a promise for everything else there."""
    assert Entrance(config(**settings), time.time).lasting_tls is lasting


def test_in_a_local_network_tls_promises_nothing(pair: Pair) -> None:
    """Other programs of that name keep their plain ports."""
    given = config(pair, lan=True, gate_host="share.example.org")
    assert given.gate_url == "https://share.example.org:8870"
    assert not Entrance(given, time.time).lasting_tls


def test_a_certificate_is_for_the_name_in_links(pair: Pair) -> None:
    """Of the public address, else of the gate's host; behind a forwarder visitors see another certificate."""
    assert hosts(config(pair)) == ("127.0.0.1",)
    assert hosts(config(pair, public_url=PUBLIC)) == ("share.example.org",)
    assert hosts(config(pair, public_url=PUBLIC, trusted_forwarders=["10.0.0.1"])) == ()
    other = config(pair, public_url="https://elsewhere.example")
    for made in (Entrance, lambda given, now: check(given, now())):
        with pytest.raises(Faults) as caught:
            made(other, time.time)
        assert "not for elsewhere.example" in str(caught.value)
    assert Entrance(config(pair, public_url="https://elsewhere.example", trusted_forwarders=["::1"]), time.time).tls


def test_the_doctor_tells_of_the_certificate(pair: Pair, clock: Clock) -> None:
    """Sound, near its end, over, and files that cannot be used; the worst stands in `up` and `share` too."""
    clock.now = time.time()
    given = config(pair)
    entrance = Entrance(given, clock)
    names = "share.example.org, *.share.example.org, localhost, *.localhost, 127.0.0.1"
    assert told(given, entrance.front()) == {f"The TLS certificate is for {names}, for 20 days": "ok"}
    clock.forward(17 * DAY)
    assert told(given, entrance.front()) == {f"The TLS certificate ends in 3 days ({names})": "warn"}
    assert not any("certificate" in said for said in warned(given, entrance.front()))
    clock.forward(4 * DAY)
    over = "The TLS certificate has expired: browsers let nobody in"
    assert told(given, entrance.front()) == {over: "fail"}
    assert over in warned(given, entrance.front())


def test_the_doctor_tells_of_files_that_cannot_be_used(pair: Pair) -> None:
    """A failure, when there is nothing else; a warning, while the pair before is good."""
    given = config(pair)
    pair.key.chmod(0o644)
    said = f"The TLS files cannot be used: tls_key {pair.key} can be read or changed by others"
    front = without_gate(given, time.time())
    assert told(given, front) == {said: "fail"}
    assert said in warned(given, front)
    assert told(given, replace(front, days=3.0))[said] == "warn"
    assert said not in warned(given, replace(front, days=3.0))


ONE = "Every visitor has the address of the proxy in front, one for all"


@pytest.mark.parametrize(
    ("settings", "front", "findings"),
    [
        ({}, Front(one_address=True), {}),
        ({"public_url": PUBLIC}, Front(), {ONE}),
        ({"public_url": PUBLIC, "gate_host": "10.1.2.3"}, Front(), set()),
        ({"public_url": PUBLIC, "gate_host": "10.1.2.3"}, Front(one_address=True), {ONE}),
        ({"public_url": PUBLIC, "trusted_forwarders": ["127.0.0.1"]}, Front(one_address=True), set()),
        (
            {"public_url": PUBLIC},
            Front(claiming=("10.0.0.1",), one_address=True),
            {"10.0.0.1 says who visitors are and is not believed: all have its address"},
        ),
        (
            {"public_url": PUBLIC, "trusted_forwarders": ["127.0.0.1"]},
            Front(plain=True),
            {"Your proxy tells of visitors who came to it over plain http"},
        ),
    ],
)
def test_the_doctor_tells_when_everybody_looks_like_one(
    settings: dict[str, Any], front: Front, findings: set[str]
) -> None:
    """A proxy in front that is not trusted, or tells something else than the links say."""
    assert told(config(**settings), front) == dict.fromkeys(findings, "warn")


def test_what_the_listener_saw_comes_to_the_doctor() -> None:
    """From requests, as they come."""
    entrance = Entrance(config(public_url=PUBLIC), time.time)
    assert entrance.front() == Front()
    entrance.forwarders.visitor(Request("GET", "/", Headers([("X-Forwarded-For", "192.0.2.1")]), "127.0.0.1"))
    assert entrance.front() == Front(claiming=("127.0.0.1",), one_address=True)


def test_a_certificate_that_is_over_does_not_start_a_gate(tmp_path: Path) -> None:
    """Told at the start, not by the first visitor."""
    day = datetime.timedelta(days=1)
    over = Authority(tmp_path / "authority").leaf(begins=-9 * day, lasts=3 * day)
    with pytest.raises(Faults) as caught:
        Entrance(config(over), time.time)
    assert "expired on" in str(caught.value)
