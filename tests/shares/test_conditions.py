"""Conditions of a link: what is asked of whom, and the forms in which networks and addresses are kept."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharegate.errors import Invalid, Reason
from sharegate.shares.conditions import (
    MOST_NETWORKS,
    Need,
    account_fits,
    clean_account,
    clean_domain,
    clean_email,
    clean_networks,
    closed,
    email_fits,
    fingerprint,
    inside,
    missing,
    needs,
    unmet,
    within,
)
from sharegate.shares.model import Account, LinkKind, VisitKind
from tests.stores.records import START, a_link, a_visit

HERE = "10.1.2.3"
ISSUER = "https://login.example.org"
ANN = Account(ISSUER, "ann-1", "ann@uni.example", "physics")
ASKED: dict[str, dict[str, Any]] = {
    "passphrase": {"passphrase": "$argon2id$one"},
    "recipient": {"recipient": "ann@example.org"},
    "domain": {"domain": "example.org"},
    "account": {"account": "*@uni.example", "issuer": ISSUER},
    "ask": {"ask": True},
    "networks": {"networks": ("10.0.0.0/8",)},
    "not_before": {"not_before": START + 10},
}
PROVED = {"passphrase": fingerprint("$argon2id$one"), "email": "ann@example.org", "account": ANN}
EVERYTHING = {name: value for fields in ASKED.values() for name, value in fields.items()}


def test_a_link_without_conditions_asks_for_nothing() -> None:
    """From anywhere, at any time, of every kind of visit."""
    for kind in VisitKind:
        assert unmet(a_link(), a_visit(kind=kind), "", 0.0) is None
    assert needs(a_link()) == missing(a_link(), None) == ()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("passphrase", Reason.PASSPHRASE_NEEDED),
        ("recipient", Reason.RECIPIENT_NEEDED),
        ("domain", Reason.RECIPIENT_NEEDED),
        ("account", Reason.ACCOUNT_NEEDED),
        ("ask", Reason.APPROVAL_NEEDED),
        ("networks", Reason.OUTSIDE_NETWORKS),
        ("not_before", Reason.NOT_YET),
    ],
)
def test_each_condition_is_asked_of_a_visit_that_has_nothing_to_show(name: str, reason: Reason) -> None:
    """Of browsers, devices and programs alike, with the reason of that condition."""
    link = a_link(**ASKED[name])
    for kind in (VisitKind.BROWSER, VisitKind.DEVICE, VisitKind.CLIENT):
        assert unmet(link, a_visit(kind=kind), "192.0.2.1", START) is reason


def test_what_was_proved_is_not_asked_again() -> None:
    """Inside the networks, late enough, with passphrase and address; approval is nobody's to prove."""
    fields = {name: value for name, value in EVERYTHING.items() if name != "ask"}
    assert unmet(a_link(**fields), a_visit(**PROVED), HERE, START + 10) is None
    assert unmet(a_link(**EVERYTHING), a_visit(**PROVED), HERE, START + 10) is Reason.APPROVAL_NEEDED


def test_another_passphrase_or_address_does_not_do() -> None:
    """Nor a passphrase that was the link's before, nor an address of a domain below."""
    link = a_link(passphrase="$argon2id$two")
    assert unmet(link, a_visit(**PROVED), HERE, START) is Reason.PASSPHRASE_NEEDED
    for email in ("", "bo@example.org", "ann@cs.example.org", "ann@example.org.evil.net"):
        assert not email_fits(a_link(recipient="ann@example.org"), email)
    for email in ("", "ann@cs.example.org", "ann@badexample.org", "example.org", "@example.net"):
        assert not email_fits(a_link(domain="example.org"), email)
    assert email_fits(a_link(domain="example.org"), "bo@example.org")
    assert not email_fits(a_link(domain="example.org", recipient="ann@other.org"), "ann@other.org")


def test_whom_the_owner_let_in_proves_nothing_but_comes_from_where_and_when_it_opens() -> None:
    """A knock that was admitted, and a device of somebody who was."""
    link = a_link(**EVERYTHING)
    for visit in (a_visit(kind=VisitKind.KNOCK), a_visit(kind=VisitKind.DEVICE, admitted=True)):
        assert unmet(link, visit, HERE, START + 10) is None
        assert unmet(link, visit, "192.0.2.1", START + 10) is Reason.OUTSIDE_NETWORKS
        assert unmet(link, visit, HERE, START) is Reason.NOT_YET


def test_the_owners_preview_has_no_conditions() -> None:
    """Whatever stands in the link."""
    link = a_link(**EVERYTHING, kind=LinkKind.PREVIEW)
    assert unmet(link, a_visit(kind=VisitKind.PREVIEW), "", 0.0) is None
    assert closed(link, "", 0.0) is None and needs(link) == ()


def test_who_is_outside_learns_nothing_of_when() -> None:
    """From where comes first; the exact moment counts as late enough."""
    link = a_link(**EVERYTHING)
    assert closed(link, "192.0.2.1", START) is Reason.OUTSIDE_NETWORKS
    assert closed(link, HERE, START + 10 - 1e-6) is Reason.NOT_YET
    assert closed(link, HERE, START + 10) is None


def test_the_door_hears_what_is_missing_and_no_more() -> None:
    """In the order in which a person does it."""
    link = a_link(**EVERYTHING)
    assert needs(link) == missing(link, None) == (Need.PASSPHRASE, Need.ACCOUNT, Need.EMAIL, Need.APPROVAL)
    assert missing(link, a_visit(passphrase=PROVED["passphrase"])) == (Need.ACCOUNT, Need.EMAIL, Need.APPROVAL)
    assert missing(link, a_visit(**PROVED)) == (Need.APPROVAL,)
    assert missing(link, a_visit(kind=VisitKind.KNOCK)) == ()


def test_a_fingerprint_tells_nothing_and_is_the_hashs_own() -> None:
    """Two hashes of one passphrase have two."""
    assert fingerprint("$argon2id$one") != fingerprint("$argon2id$two")
    assert "argon" not in fingerprint("$argon2id$one") and len(fingerprint("x")) == 32
    assert fingerprint("") != ""


# -- networks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        (" 192.0.2.7 ", "192.0.2.7/32"),
        ("10.0.0.0/255.0.0.0", "10.0.0.0/8"),
        ("2001:DB8:0::/32", "2001:db8::/32"),
        ("::1", "::1/128"),
        ("::ffff:10.0.0.1", "10.0.0.1/32"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
        ("0.0.0.0/0", "0.0.0.0/0"),
    ],
)
def test_a_network_has_one_form(text: str, canonical: str) -> None:
    """Whoever writes it, and IPv4 stays IPv4; the form is its own form."""
    assert clean_networks([text]) == clean_networks([canonical]) == (canonical,)


@pytest.mark.parametrize(
    "text",
    [
        *("", "10", "10.0.0.0/33", "10.0.0.1/8", "fe80::1%eth0", "example.org", "10.0.0/8", "1" * 70, 10, None),
        *("10.0.0.0/8,192.0.2.0/24", "10.0.0.0-10.0.0.9", "010.0.0.1"),
    ],
)
def test_what_is_no_network_is_told(text: object) -> None:
    """With the field, what is wrong and what to write."""
    with pytest.raises(Invalid) as caught:
        clean_networks([text])
    assert caught.value.field == "networks" and caught.value.remedy


def test_an_address_with_a_length_is_told_which_network_it_is_in() -> None:
    """Nobody is locked out by a slip."""
    with pytest.raises(Invalid, match=r"Write 10\.0\.0\.0/8"):
        clean_networks(["10.1.2.3/8"])


def test_networks_are_few_and_each_once() -> None:
    """In the order in which they were given."""
    assert clean_networks(["10.0.0.0/8", "::1", "10.0.0.0/8"]) == ("10.0.0.0/8", "::1/128")
    with pytest.raises(Invalid, match="more than"):
        clean_networks(f"10.0.0.{number}" for number in range(MOST_NETWORKS + 1))


addresses = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))
networks = st.builds(
    lambda address, length: str(
        ipaddress.ip_network((address, min(length, address.max_prefixlen)), strict=False)  # type: ignore[arg-type]
    ),
    addresses,
    st.integers(0, 128),
)


@given(networks, addresses)
def test_inside_is_what_the_library_says(network: str, address: Any) -> None:
    """For every network in its form and every address, but for IPv4 in IPv6 clothes, which is IPv4."""
    kept = clean_networks([network])
    plain = getattr(address, "ipv4_mapped", None) or address
    (read,) = [ipaddress.ip_network(one) for one in kept]
    assert inside(kept, str(address)) == (read.version == plain.version and plain in read)
    assert clean_networks(kept) == kept


@given(st.ip_addresses(v=4), networks)
def test_ipv4_in_ipv6_clothes_is_the_same_address(address: ipaddress.IPv4Address, network: str) -> None:
    """It is let in where the plain one is, and nowhere else."""
    kept = clean_networks([network])
    for dressed in (f"::ffff:{address}", f"::FFFF:{int(address) >> 16:x}:{int(address) & 0xFFFF:x}"):
        assert inside(kept, dressed) == inside(kept, str(address))


@given(st.lists(networks, max_size=3), st.lists(networks, max_size=3), addresses)
def test_narrower_networks_hold_no_address_that_the_wider_do_not(narrow: Any, wide: Any, address: Any) -> None:
    """`within` promises less than there is, never more."""
    few, many = clean_networks(narrow), clean_networks(wide)
    if within(few, many) and few:
        assert not inside(few, str(address)) or not many or inside(many, str(address))


@pytest.mark.parametrize(
    ("narrow", "wide", "is_within"),
    [
        ((), (), True),
        (("10.0.0.0/8",), (), True),
        ((), ("10.0.0.0/8",), False),
        (("10.1.0.0/16",), ("10.0.0.0/8",), True),
        (("10.0.0.0/8",), ("10.1.0.0/16",), False),
        (("10.1.0.0/16", "::1/128"), ("10.0.0.0/8",), False),
        (("10.1.0.0/16", "::1/128"), ("::/0", "10.0.0.0/8"), True),
    ],
)
def test_whether_networks_lie_in_others(narrow: tuple[str, ...], wide: tuple[str, ...], is_within: bool) -> None:
    """No networks at all are everywhere."""
    assert within(narrow, wide) is is_within


@given(st.text(max_size=60))
def test_attack_what_is_no_address_lies_nowhere(text: str) -> None:
    """Whatever a forwarder or a listener calls a peer: not even in the networks of everything."""
    try:
        ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        assert not inside(("0.0.0.0/0", "::/0"), text)


# -- e-mail -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("ann@example.org", "ann@example.org"),
        (" Ann.B+x@Example.ORG ", "ann.b+x@example.org"),
        ("ann@bücher.example", "ann@xn--bcher-kva.example"),
        ("a_b-c'd@a.b.c.example", "a_b-c'd@a.b.c.example"),
    ],
)
def test_an_address_has_one_form(text: str, canonical: str) -> None:
    """In which two that are the same are equal."""
    assert clean_email(text) == clean_email(canonical) == canonical


@pytest.mark.parametrize(
    "text",
    [
        *("", "ann", "@example.org", "ann@", "ann@localhost", "ann@127.0.0.1", "ann@[127.0.0.1]", "a b@example.org"),
        *("ann@example..org", "ann@-example.org", ".ann@example.org", "ann.@example.org", "a..b@example.org"),
        *("ann@example.org\r\nBcc: eve@evil.net", "ann@example.org\nX: y", '"a b"@example.org'),
        *("Ann <ann@example.org>", "ann@example.org;eve@evil.net", "ann@example.org\n"[:-1] + "\x7f"),
        *("ann@example.org,eve@evil.net", "änn@example.org", "a" * 65 + "@example.org", "a@" + "b" * 250 + ".org"),
        *("ann\0@example.org", "a@b@example.org", "ann@exa mple.org", "ann@" + "x" * 64 + ".org", None, 7),
    ],
)
def test_attack_what_is_no_address_is_not_kept(text: object) -> None:
    """Nothing that a mail's header could be broken with, and no second address."""
    with pytest.raises(Invalid) as caught:
        clean_email(text)
    assert caught.value.field == "recipient" and caught.value.remedy


@pytest.mark.parametrize("text", ["", "org", "@", "a b.org", "1.2.3.4", "example.org/x", "ex_ample.org", "*.org", None])
def test_what_is_no_domain_is_told(text: object) -> None:
    """A domain has a dot and letters as the DNS has them."""
    with pytest.raises(Invalid) as caught:
        clean_domain(text)
    assert caught.value.field == "domain"


def test_a_domain_has_one_form() -> None:
    """With or without the sign before it."""
    assert clean_domain("@Example.ORG") == clean_domain("example.org") == "example.org"
    assert clean_domain("bücher.example") == "xn--bcher-kva.example"


@given(st.text(max_size=80))
def test_an_address_that_is_kept_is_kept_as_itself(text: str) -> None:
    """Cleaning twice is cleaning once, and what comes out is plain ASCII on one line."""
    try:
        kept = clean_email(text)
    except Invalid:
        return
    assert clean_email(kept) == kept and kept.isascii() and kept.isprintable() and " " not in kept


@pytest.mark.parametrize(
    ("asked", "subject", "fits"),
    [
        ("*", "", True),
        ("ann@uni.example", "", True),
        ("ann@uni.example", "ann-1", True),
        ("bo@uni.example", "ann-1", True),
        ("ann@uni.example", "bo-2", False),
        ("bo@uni.example", "", False),
        ("*@uni.example", "", True),
        ("*@*.example", "", True),
        ("*@i.example", "", False),
        ("group:physics", "", True),
        ("group:physic", "", False),
        ("group:", "", False),
        ("sub:ann-1", "", True),
        ("sub:bo-2", "", False),
        ("sub:", "", False),
        ("", "", False),
        ("erased", "", False),
    ],
)
def test_which_account_fits(asked: str, subject: str, fits: bool) -> None:
    """At the issuer that was asked for; of a link that is somebody's, the subject alone."""
    link = a_link(account=asked, issuer=ISSUER, subject=subject)
    assert account_fits(link, ANN) is fits
    assert not account_fits(link, None)
    assert not account_fits(link, Account("https://evil.example", "ann-1", "ann@uni.example", "physics"))
    assert not account_fits(a_link(account=asked, subject=subject), Account("", "ann-1", "ann@uni.example", "physics"))


@pytest.mark.parametrize("asked", ["*@uni.example", "ann@uni.example", "group:physics"])
def test_attack_an_account_of_which_nothing_was_checked(asked: str) -> None:
    """No address and no group is none, also where the link's own is odd."""
    assert not account_fits(a_link(account=asked, issuer=ISSUER), Account(ISSUER, "ann-1"))


@pytest.mark.parametrize(
    ("given", "clean"),
    [
        (" Ann@Uni.Example ", "ann@uni.example"),
        ("*@UNI.example", "*@uni.example"),
        ("*@*.uni.example", "*@*.uni.example"),
        ("group: Physics 101", "group:Physics 101"),
        ("sub:A|b:c", "sub:A|b:c"),
        ("*", "*"),
    ],
)
def test_accounts_in_one_form(given: str, clean: str) -> None:
    """Addresses as addresses are; groups and subjects as the provider has them."""
    assert clean_account(given) == clean


@pytest.mark.parametrize(
    "given",
    [
        "ann",
        "@uni.example",
        "**",
        "*@",
        "*@x",
        "group:",
        "sub: ",
        "group:a\nb",
        "sub:" + "x" * 300,
        7,
        None,
        "ann@x\u202e",
    ],
)
def test_attack_accounts_that_are_none(given: object) -> None:
    """With the field, and how to write it."""
    with pytest.raises(Invalid) as invalid:
        clean_account(given)
    assert invalid.value.field == "account" and invalid.value.remedy
