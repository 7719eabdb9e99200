"""Where the gate listens."""

import ipaddress

from sharegate.ports import network_address


def test_the_address_for_the_local_network_is_one_that_others_can_reach() -> None:
    """An IPv4 address that is not loopback, or nothing on a computer without a network."""
    found = network_address()

    assert found == "" or not (ipaddress.IPv4Address(found).is_loopback or ipaddress.IPv4Address(found).is_unspecified)
