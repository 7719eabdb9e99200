"""What the composition root finds out about this computer: its address, and how much it lets a process open."""

import ipaddress
import resource

import pytest

from sharegate import app
from sharegate.app import network_address
from sharegate.config import load


def test_the_address_for_the_local_network_is_one_that_others_can_reach() -> None:
    """An IPv4 address that is not loopback, or nothing on a computer without a network."""
    found = network_address()

    assert found == "" or not (ipaddress.IPv4Address(found).is_loopback or ipaddress.IPv4Address(found).is_unspecified)


@pytest.mark.parametrize(("soft", "hard", "total"), [(1024, 1_000_000, 4096), (1024, 4096, 1792), (256, 256, 16)])
def test_connections_are_as_many_as_the_system_allows(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, total: int
) -> None:
    """Its own limit of descriptors is raised as far as the system lets it; then there is room for fewer."""
    limits = [(soft, hard)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, wanted: limits.append(wanted))
    crowd = app._crowd(load(None, {}, {"connections_per_address": 1}))
    entered = 0
    while crowd.enter("127.0.0.1") is not None:
        entered += 1

    assert entered == total
    assert limits[-1][1] == hard and limits[-1][0] <= hard
