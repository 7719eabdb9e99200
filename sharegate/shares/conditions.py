"""Conditions of a link: from where and from when it lets in, and what whoever comes has to prove first.

Decides on plain values. Where and when hold for everybody. What is to be proved is not asked of whom the owner let in
by hand, for nobody can vouch for them better. On what they did prove before, the owner relied: it has to go on being
what the link asks for, as with everybody else.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache

import idna

from sharegate.errors import Invalid, Reason
from sharegate.shares.model import Account, Knock, Link, LinkKind, Visit, VisitKind

MOST_NETWORKS = 50
MOST_EMAIL = 254  # RFC 5321 section 4.5.3.1.3, without the angle brackets
MOST_LOCAL_PART = 64
MOST_DOMAIN = 253
MOST_NAME = 200
# Of accounts: whoever signs in, and whoever has an address at what follows.
ANY_ACCOUNT = "*"
_ANY_AT = "*@"

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# As pages do (HTML, "valid email address"): no quoted parts, nothing that a mail's header could be broken with.
_LOCAL_PART = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")


class Need(StrEnum):
    """What a browser may still have to do before a link opens, in the words of the door."""

    PASSPHRASE = "passphrase"  # noqa: S105 -- a word, no secret
    ACCOUNT = "account"
    EMAIL = "email"
    APPROVAL = "approval"


NEEDED = {
    Need.PASSPHRASE: Reason.PASSPHRASE_NEEDED,
    Need.ACCOUNT: Reason.ACCOUNT_NEEDED,
    Need.EMAIL: Reason.RECIPIENT_NEEDED,
    Need.APPROVAL: Reason.APPROVAL_NEEDED,
}

# Why a visit does not go on that has not ended: what its link asks for by now.
ASKED_FOR = frozenset({Reason.OUTSIDE_NETWORKS, Reason.NOT_YET, *NEEDED.values()})


def unmet(link: Link, visit: Visit, peer: str, now: float) -> Reason | None:
    """Why this visit may not go on for whoever asks from the address `peer`; None when it may."""
    reason = closed(link, peer, now)
    if reason is not None:
        return reason
    return next((NEEDED[need] for need in missing(link, visit)), None)


def closed(link: Link, peer: str, now: float) -> Reason | None:
    """Why the link lets nobody in from there, or nobody yet."""
    if outside(link, peer):
        return Reason.OUTSIDE_NETWORKS
    if link.kind is not LinkKind.PREVIEW and now < link.not_before:
        return Reason.NOT_YET
    return None


def outside(link: Link, peer: str) -> bool:
    """Whether the link is for other networks than this address is in. Looked at before anything else of a link: from
    there nobody is told how it stands."""
    return link.kind is not LinkKind.PREVIEW and bool(link.networks) and not inside(link.networks, peer)


def needs(link: Link) -> tuple[Need, ...]:
    """What the link asks of a browser that it does not know."""
    if link.kind is LinkKind.PREVIEW:
        return ()
    asked = (
        (Need.PASSPHRASE, link.passphrase),
        (Need.ACCOUNT, link.account),
        (Need.EMAIL, link.recipient or link.domain),
        (Need.APPROVAL, link.ask),
    )
    return tuple(need for need, wanted in asked if wanted)


def missing(link: Link, visit: Visit | None) -> tuple[Need, ...]:
    """What of it this visit (None: a browser without one) has not proved."""
    asked = needs(link)
    if visit is None or not asked:
        return asked
    if let_in(visit):
        return lapsed(link, visit)
    return tuple(need for need in asked if not _proved(need, link, visit))


def lapsed(link: Link, shown: Visit | Knock) -> tuple[Need, ...]:
    """What was proved once and is not what the link asks for any more: another recipient, another passphrase."""
    given = {Need.PASSPHRASE: shown.passphrase, Need.EMAIL: shown.email, Need.ACCOUNT: shown.account}
    return tuple(need for need in needs(link) if given.get(need) and not _proved(need, link, shown))


def unproved(link: Link, knock: Knock) -> tuple[Need, ...]:
    """What the link asks for beside the owner's word, and whoever knocks has not shown."""
    return tuple(need for need in needs(link) if need is not Need.APPROVAL and not _proved(need, link, knock))


def let_in(visit: Visit) -> bool:
    """Whether the owner let in who is there, by hand."""
    return visit.admitted or visit.kind is VisitKind.KNOCK


def _proved(need: Need, link: Link, shown: Visit | Knock) -> bool:
    match need:
        case Need.PASSPHRASE:
            return shown.passphrase == fingerprint(link.passphrase)
        case Need.EMAIL:
            return email_fits(link, shown.email)
        case Need.ACCOUNT:
            return account_fits(link, shown.account)
    return False


def account_fits(link: Link, account: Account | None) -> bool:
    """Whether this is an account that the link is for: at the issuer that it had people sign in at when that was asked.
    Of a link that is somebody's, theirs alone, whatever address they or others have by now."""
    if account is None or not link.account or not account.issuer or account.issuer != link.issuer:
        return False
    if link.subject:
        return account.subject == link.subject
    kind, _, rest = link.account.partition(":")
    if kind == "group" and rest:
        return account.group == rest
    if kind == "sub" and rest:
        return account.subject == rest
    if link.account == ANY_ACCOUNT:
        return True
    if link.account.startswith(_ANY_AT):
        local, _, domain = account.email.rpartition("@")
        return bool(local) and _at(link.account.removeprefix(_ANY_AT), domain)
    return account.email == link.account


def clean_account(text: object) -> str:
    """`ann@example.org`, `*@example.org` (or `*@*.example.org`), `group:NAME`, `sub:SUBJECT` or `*`, in one form each.

    Raises Invalid.
    """
    given = text.strip() if isinstance(text, str) else ""
    kind, colon, rest = given.partition(":")
    if colon and kind in ("group", "sub"):
        name = rest.strip()
        if not name or len(name) > MOST_NAME or not name.isprintable():
            raise Invalid("account", f"{given[:40]!r} names nothing", f"Write {kind}:NAME as your provider has it")
        return f"{kind}:{name}"
    if given == ANY_ACCOUNT:
        return given
    if given.startswith(_ANY_AT):
        return _ANY_AT + clean_domain(given.removeprefix(_ANY_AT), "account")
    try:
        return clean_email(given, "account")
    except Invalid:
        remedy = "Write ann@example.org, *@example.org, group:NAME, sub:SUBJECT or * for any account"
        raise Invalid("account", f"{str(text)[:60]!r} is no account", remedy) from None


def email_fits(link: Link, email: str) -> bool:
    """Whether this (clean) address is one that the link is for."""
    if not email or (link.recipient and email != link.recipient):
        return False
    local, _, domain = email.rpartition("@")
    return not link.domain or (bool(local) and _at(link.domain, domain))


def _at(wanted: str, domain: str) -> bool:
    """`example.org` is that one, `*.example.org` that one and all below it."""
    above = wanted.removeprefix("*.")
    return domain == above or (above != wanted and domain.endswith("." + above))


@lru_cache(maxsize=4096)
def fingerprint(encoded: str) -> str:
    """Which passphrase was proved, without telling anything of it: of the stored hash, which has a salt of its own. A
    passphrase that is set anew, were it the same words, has another one."""
    return hashlib.sha256(encoded.encode()).hexdigest()[:32]


# -- networks ---------------------------------------------------------------------------------------------------------


def inside(networks: tuple[str, ...], address: str) -> bool:
    """Whether an address lies in one of these (canonical) networks. What is no address lies nowhere."""
    found = _address(address)
    return found is not None and any(found in network for network in _read(networks))


def within(narrow: tuple[str, ...], wide: tuple[str, ...]) -> bool:
    """Whether every address of `narrow` lies in `wide`, network by network; without any network all addresses do."""
    if not wide:
        return True
    return bool(narrow) and all(any(_part(one, other) for other in _read(wide)) for one in _read(narrow))


def clean_networks(given: Iterable[object]) -> tuple[str, ...]:
    """Networks and single addresses in one form each. IPv4 in IPv6 clothes (`::ffff:10.0.0.1`) is IPv4.

    Raises Invalid (`networks`).
    """
    found: dict[str, None] = {}
    for one in given:
        found[_clean_network(one)] = None
        if len(found) > MOST_NETWORKS:
            raise Invalid("networks", f"are more than {MOST_NETWORKS}", "Name the networks around them")
    return tuple(found)


def _clean_network(given: object) -> str:
    text = given.strip() if isinstance(given, str) else ""
    try:
        if not text or len(text) > 64 or "%" in text:
            raise ValueError
        network: _Network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise Invalid(
            "networks", f"{str(given)[:40]!r} is no network", "Write 10.0.0.0/8, 2001:db8::/32 or one address"
        ) from None
    whole, _, length = text.partition("/")
    if length and ipaddress.ip_address(whole) != network.network_address:
        raise Invalid("networks", f"{text!r} is an address inside a network", f"Write {_plain(network)}")
    return str(_plain(network))


def _plain(network: _Network) -> _Network:
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        low = int(network.network_address) & 0xFFFF_FFFF
        return ipaddress.IPv4Network((low, network.prefixlen - 96))
    return network


def _part(one: _Network, other: _Network) -> bool:
    if isinstance(one, ipaddress.IPv4Network) and isinstance(other, ipaddress.IPv4Network):
        return one.subnet_of(other)
    if isinstance(one, ipaddress.IPv6Network) and isinstance(other, ipaddress.IPv6Network):
        return one.subnet_of(other)
    return False


@lru_cache(maxsize=1024)
def _read(networks: tuple[str, ...]) -> tuple[_Network, ...]:
    return tuple(ipaddress.ip_network(one) for one in networks)


@lru_cache(maxsize=4096)
def _address(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:  # fails closed: it lies in no network
        return None
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


# -- e-mail -----------------------------------------------------------------------------------------------------------


def clean_email(text: object, field: str = "recipient") -> str:
    """One address in the form in which addresses are compared: small letters, the domain as it stands in the DNS.

    Raises Invalid for what is none, or one of the rare ones that only quoting makes possible.
    """
    given = text.strip() if isinstance(text, str) else ""
    local, at, domain = given.rpartition("@")
    # Some letters of other scripts become plain ones when they are made small.
    plain = local.isascii() and _LOCAL_PART.fullmatch(local.lower())
    if not at or len(given) > MOST_EMAIL or len(local) > MOST_LOCAL_PART or not plain:
        raise Invalid(field, f"{str(text)[:60]!r} is no e-mail address", "Write it like ann@example.org")
    whole = f"{local.lower()}@{_clean_domain(domain, field)}"
    if len(whole) > MOST_EMAIL:
        raise Invalid(field, "is longer than an e-mail address can be", "Write it like ann@example.org")
    return whole


def clean_domain(text: object, field: str = "domain") -> str:
    """The domain of e-mail addresses, in small letters as it stands in the DNS. It does not stand for those below it,
    unless it begins with `*.`.

    Raises Invalid.
    """
    given = text.strip() if isinstance(text, str) else ""
    if given.startswith("*."):
        return "*." + _clean_domain(given.removeprefix("*."), field)
    return _clean_domain(given.removeprefix("@"), field)


def _clean_domain(text: str, field: str) -> str:
    try:
        # Not the older rules of Python's own codec, by which straße.example would be another's: strasse.example.
        name = idna.encode(text, uts46=True).decode().lower() if text and len(text) <= MOST_DOMAIN else ""
    except UnicodeError:
        name = ""
    labels = name.split(".")
    known = len(labels) > 1 and len(name) <= MOST_DOMAIN and all(_LABEL.fullmatch(label) for label in labels)
    if not known or labels[-1].isdigit():
        raise Invalid(field, f"{str(text)[:60]!r} is no domain of e-mail addresses", "Write it like example.org")
    return name
