"""Who asks behind a forwarder: believed from those the owner named, never from anybody else."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharegate.errors import Denied, Reason
from sharegate.listener.forwarders import MOST_HOPS, Forwarders
from sharegate.messages import Headers, Request

NGINX = "10.0.0.5"
VISITOR = "198.51.100.7"


def asked(peer: str, *fields: tuple[str, str], scheme: str = "http") -> Request:
    return Request("GET", "/join", Headers((("Host", "share.example.org"), *fields)), peer, scheme)


def told(trusted: list[str], peer: str, *fields: tuple[str, str]) -> tuple[str, str]:
    found = Forwarders(trusted).visitor(asked(peer, *fields))
    return found.peer, found.scheme


def refused(trusted: list[str], peer: str, *fields: tuple[str, str]) -> str:
    with pytest.raises(Denied) as caught:
        Forwarders(trusted).visitor(asked(peer, *fields))
    assert caught.value.reason is Reason.BAD_FORWARDING
    return caught.value.detail


ATTACKS = [
    (("X-Forwarded-For", "127.0.0.1"),),
    (("x-forwarded-for", "10.0.0.5"), ("x-forwarded-proto", "https")),
    (("X_Forwarded_For", "127.0.0.1"),),
    (("X-Forwarded-For", "127.0.0.1"), ("X-Forwarded-For", "10.0.0.5")),
    (("Forwarded", "for=127.0.0.1;proto=https"),),
    (("X-Real-IP", "127.0.0.1"), ("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Port", "443")),
    (("X-Forwarded-For", "nonsense"), ("X-Forwarded-Proto", "gopher")),
    (("CF-Connecting-IP", "127.0.0.1"), ("True-Client-IP", "127.0.0.1"), ("X-Client-IP", "127.0.0.1")),
]


@pytest.mark.parametrize("fields", ATTACKS, ids=lambda fields: " ".join(name for name, _ in fields))
@pytest.mark.parametrize("trusted", [[], ["127.0.0.1"], ["10.0.0.0/24", "::1"]], ids=str)
def test_an_attacker_who_names_an_address_keeps_their_own(
    trusted: list[str], fields: tuple[tuple[str, str], ...]
) -> None:
    """From whoever is not named these fields change nothing, whatever they say and however they are spelled."""
    assert told(trusted, VISITOR, *fields) == (VISITOR, "http")


@pytest.mark.parametrize("fields", [ATTACKS[2], ATTACKS[4], ATTACKS[5], ATTACKS[7]], ids=lambda it: it[0][0])
def test_a_forwarder_is_believed_in_two_fields_only(fields: tuple[tuple[str, str], ...]) -> None:
    """A visitor's own words in another field, which the forwarder may have let through, are nobody's word."""
    assert told([NGINX], NGINX, *fields, ("X-Forwarded-For", VISITOR)) == (VISITOR, "http")


@pytest.mark.parametrize(
    ("trusted", "value", "visitor"),
    [
        ([NGINX], VISITOR, VISITOR),
        ([NGINX], f" {VISITOR}\t", VISITOR),
        ([NGINX], f"127.0.0.1, {NGINX}, {VISITOR}", VISITOR),
        ([NGINX], f"unknown, \x22, {VISITOR}", VISITOR),
        ([NGINX, "192.0.2.0/24"], f"127.0.0.1, {VISITOR}, 192.0.2.9, 192.0.2.1", VISITOR),
        (["10.0.0.0/8"], "10.0.0.9, 10.0.0.8", "10.0.0.9"),
        ([NGINX], "2001:DB8:0:0::7", "2001:db8::7"),
        ([NGINX], "[2001:db8::7]", "2001:db8::7"),
        ([NGINX], "[2001:db8::7]:4711", "2001:db8::7"),
        ([NGINX], f"{VISITOR}:4711", VISITOR),
        ([NGINX], f"::ffff:{VISITOR}", VISITOR),
        ([NGINX, "192.0.2.1"], f"{VISITOR}, ::ffff:192.0.2.1", VISITOR),
    ],
)
def test_the_visitor_is_the_last_one_who_is_not_trusted(trusted: list[str], value: str, visitor: str) -> None:
    """Read from the right; what stands further left is the visitor's own tale and is not looked at."""
    assert told(trusted, NGINX, ("X-Forwarded-For", value))[0] == visitor


def test_several_lines_are_one_list() -> None:
    """A forwarder may add a line of its own below the one it got."""
    lines = (("X-Forwarded-For", "127.0.0.1"), ("x-forwarded-for", VISITOR))
    assert told([NGINX], NGINX, *lines)[0] == VISITOR


@pytest.mark.parametrize("peer", ["::ffff:10.0.0.5", "10.0.0.5"])
def test_a_forwarder_is_known_in_either_spelling_of_its_address(peer: str) -> None:
    """A listener for both kinds of addresses shows IPv4 ones mapped into IPv6."""
    assert told([NGINX], peer, ("X-Forwarded-For", VISITOR))[0] == VISITOR


def test_a_forwarder_that_names_nobody_asks_for_itself() -> None:
    """Its own look whether the gate is there, or a person on that computer."""
    assert told([NGINX], NGINX) == (NGINX, "http")


@pytest.mark.parametrize("peer", ["", "unix", "10.0.0.5x", "fe80::1%eth0"])
def test_a_peer_that_is_no_address_is_not_trusted(peer: str) -> None:
    """Whatever a transport calls it."""
    assert not Forwarders([NGINX]).trusts(peer) and Forwarders([NGINX]).trusts(NGINX)
    assert told([NGINX], peer, ("X-Forwarded-For", VISITOR))[0] == peer


@pytest.mark.parametrize(
    "value",
    [
        *("", ",", f"{VISITOR},", "unknown", "_hidden", "localhost", "198.51.100", "198.51.100.256", "0x7f000001"),
        *("127.1", "127.0.0.01", "198.51.100.7:port", "[::1", "::1]", "[fe80::1%25eth0]"),
        *("fe80::1%eth0", '"198.51.100.7"', "198.51.100.7/32", "for=198.51.100.7", "１98.51.100.7"),
    ],
)
def test_a_nearest_hop_that_cannot_be_read_is_refused(value: str) -> None:
    """Nobody guesses who was meant; the detail names the forwarder and never what it said."""
    assert refused([NGINX], NGINX, ("X-Forwarded-For", value)) == f"X-Forwarded-For of {NGINX}"


def test_a_chain_without_an_end_is_refused() -> None:
    """More trusted hops in a row than anybody has."""
    chain = ", ".join(["10.0.0.8"] * (MOST_HOPS + 1))
    refused(["10.0.0.0/8"], NGINX, ("X-Forwarded-For", chain))


@pytest.mark.parametrize(
    ("hops", "value", "scheme"),
    [
        (VISITOR, "https", "https"),
        (VISITOR, "HTTP", "http"),
        (VISITOR, "wss", "https"),
        (VISITOR, "ws", "http"),
        # A visitor who says https to a proxy that appends what it saw.
        (f"127.0.0.1, {VISITOR}", "https, http", "http"),
        # TLS ends at the first of two, both are trusted and each adds its word.
        (f"{VISITOR}, 10.0.0.6", "https,http", "https"),
        (f"{VISITOR}, 10.0.0.6", "https", "https"),
        ("", "https", "https"),
    ],
)
def test_the_scheme_is_what_the_visitor_spoke(hops: str, value: str, scheme: str) -> None:
    """One word for all, or a list in step with the addresses."""
    fields = (("X-Forwarded-For", hops),) if hops else ()
    assert told([NGINX, "10.0.0.6"], NGINX, *fields, ("X-Forwarded-Proto", value))[1] == scheme


@pytest.mark.parametrize("value", ["", "gopher", "https;", "https http", "https,gopher", "on", "https,"])
def test_a_scheme_that_is_none_is_refused(value: str) -> None:
    """Exactly one of the words that are known."""
    refused([NGINX], NGINX, ("X-Forwarded-For", VISITOR), ("X-Forwarded-Proto", value))


def test_fewer_schemes_than_hops_are_refused() -> None:
    """Whose word would be whose?"""
    hops = f"{VISITOR}, 10.0.0.7, 10.0.0.6"
    fields = (("X-Forwarded-For", hops), ("X-Forwarded-Proto", "https,http"))
    refused([NGINX, "10.0.0.6", "10.0.0.7"], NGINX, *fields)


@given(
    st.lists(st.text(max_size=12), max_size=5),
    st.lists(st.ip_addresses(), min_size=1, max_size=5),
    st.ip_addresses().filter(lambda one: one not in ipaddress.ip_network("10.0.0.0/8")),
)
def test_nothing_that_a_visitor_writes_moves_the_answer(
    junk: list[str], proxies: list[ipaddress.IPv4Address | ipaddress.IPv6Address], visitor: ipaddress.IPv4Address
) -> None:
    """Whatever came before: behind trusted proxies which append, the address that the first of them saw is found."""
    came = plain(visitor)
    trusted = [str(one) for one in proxies if plain(one) != came] or [NGINX]
    chain = [*junk, str(visitor), *trusted[1:]]
    found = Forwarders(trusted).visitor(asked(trusted[0], ("X-Forwarded-For", ",".join(chain))))
    assert found.peer == str(came)


def plain(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


@given(st.text(max_size=60), st.text(max_size=30))
def test_no_text_is_a_fault_of_ours(addresses: str, schemes: str) -> None:
    """Read or refused; never a traceback, and never a peer that is no address."""
    fields = (("X-Forwarded-For", addresses), ("X-Forwarded-Proto", schemes))
    try:
        found = Forwarders([NGINX]).visitor(asked(NGINX, *fields))
    except Denied:
        return
    ipaddress.ip_address(found.peer)
    assert found.scheme in ("http", "https")


def test_what_an_owner_should_know_is_remembered() -> None:
    """Near addresses that say who visitors are, and whether all come from one; not what strangers elsewhere send."""
    forwarders = Forwarders([NGINX])
    assert not forwarders.asked
    forwarders.visitor(asked("127.0.0.1", ("X-Forwarded-For", VISITOR)))
    assert forwarders.asked and not forwarders.elsewhere
    for number in range(30):
        forwarders.visitor(asked(f"192.168.0.{number}", ("X-Forwarded-For", VISITOR)))
    forwarders.visitor(asked("203.0.114.9", ("X-Forwarded-For", VISITOR)))
    assert forwarders.elsewhere and not forwarders.plain
    assert len(forwarders.claiming) == 8 and "127.0.0.1" in forwarders.claiming
    assert "203.0.114.9" not in forwarders.claiming
    forwarders.visitor(asked(NGINX, ("X-Forwarded-For", VISITOR), ("X-Forwarded-Proto", "http")))
    assert forwarders.plain
