"""What an owner has a link ask for: read strictly, and told in people's words."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from sharegate.errors import Invalid
from sharegate.shares.conditions import clean_account, clean_domain, clean_email, clean_networks, email_fits
from sharegate.shares.model import Link, LinkKind
from sharegate.shares.passphrases import clean_passphrase, hashed

FIELDS = ("not_before", "networks", "ask", "passphrase", "recipient", "domain", "account")


async def read(given: Mapping[str, object], link: Link, issuer: str = "") -> dict[str, Any]:
    """The fields of `link` that become of these: empty values, and None, take a condition away. `issuer` is whose
    accounts people sign in with here.

    Raises Invalid with the field. What is asked for is judged together with what the link asks for already. The
    passphrase is hashed when all the rest is right, in a thread, and stands nowhere else.
    """
    found: dict[str, Any] = {}
    for name, value in given.items():
        found[name] = _read(name, value)
    if "account" in found:
        found |= _whose(found["account"], issuer, link)
    _check(msgspec.structs.replace(link, **found), found)
    if found.get("passphrase"):
        found["passphrase"] = await asyncio.to_thread(hashed, found["passphrase"])
    return found


def _read(name: str, value: object) -> Any:
    match name:
        case "ask":
            if not isinstance(value, bool):
                raise Invalid("ask", "is neither true nor false")
            return value
        case "not_before":
            return _moment(value)
        case "networks":
            if value is None:
                return ()
            if isinstance(value, str) or not isinstance(value, list | tuple):
                raise Invalid("networks", "is no list", "Write a list like [10.0.0.0/8, 2001:db8::/32]")
            return clean_networks(value)
    if value is None or value == "":
        return ""
    match name:
        case "passphrase":
            return clean_passphrase(value)
        case "recipient":
            return clean_email(value)
        case "account":
            return clean_account(value)
    return clean_domain(value)


def _whose(account: str, issuer: str, link: Link) -> dict[str, str]:
    """Asked for another one, it is nobody's yet."""
    if account and (account, issuer) == (link.account, link.issuer):
        return {}
    if account and not issuer:
        raise Invalid("account", "nobody can sign in here", "Set oidc_issuer (docs/oidc.md), or leave it out")
    subject = account.removeprefix("sub:") if account.startswith("sub:") else ""
    return {"issuer": issuer if account else "", "subject": subject}


def _moment(value: object) -> float:
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise Invalid("not_before", "is not a moment", "Give seconds since the epoch")
    return float(value)


def _check(link: Link, given: Mapping[str, Any]) -> None:
    if link.recipient and link.kind is LinkKind.OPEN:
        raise Invalid("recipient", "a link for anyone has no recipient", "Make a link for one person, or name a domain")
    if link.kind is LinkKind.OPEN and link.account and of_one(link.account):
        raise Invalid("account", "a link for anyone has no account", "Make a link for one person, or name a group")
    if link.recipient and link.domain and not email_fits(link, link.recipient):
        field = "domain" if "domain" in given else "recipient"
        raise Invalid(field, f"{link.recipient} is no address of {link.domain}", "Name one of the two")


def of_one(account: str) -> bool:
    """Whether this is one person's account, rather than any of several."""
    return account.startswith("sub:") or ("@" in account and not account.startswith(("*", "group:")))


def sent_to(value: object, link: Link) -> dict[str, Any]:
    """The fields of `link` that become of another address to send it to: to that one it was not sent. Raises
    Invalid."""
    if value and link.kind is not LinkKind.PERSON:
        raise Invalid("email", "only a link for one person is sent to an address", "Make a link for one person")
    email = clean_email(value, "email") if value else ""
    return {} if email == link.email else {"email": email, "sent": None, "mailing": False}


def check_opens(link: Link) -> None:
    """Whether there is a moment at which the link opens. Raises Invalid."""
    if link.not_before >= link.expires:
        raise Invalid("not_before", "is not before the link's end", "Choose an earlier moment, or a later end")


def in_words(link: Link) -> list[str]:
    """What the link asks for, for the history: no address of a person, which could not be erased there."""
    told = (_told(name, getattr(link, name)) for name in FIELDS)
    return [words for words in told if words]


def changed_in_words(fields: Mapping[str, Any]) -> list[str]:
    """What a change of conditions says, also where it took one away."""
    gone = {
        "not_before": "from now on",
        "networks": "from everywhere",
        "ask": "asks no more",
        "passphrase": "without a passphrase",
        "recipient": "for no address in particular",
        "domain": "for addresses of any domain",
        "account": "without signing in",
    }
    return [_told(name, fields[name]) or gone[name] for name in FIELDS if name in fields]


def _told(name: str, value: Any) -> str:
    if not value:
        return ""
    match name:
        case "not_before":
            return f"not before {datetime.fromtimestamp(min(value, 2e11), UTC):%Y-%m-%d %H:%M} UTC"
        case "networks":
            return f"from {', '.join(map(_network, value[:3]))}" + (" …" if len(value) > 3 else "")
        case "ask":
            return "asks first"
        case "passphrase":
            return "with a passphrase"
        case "recipient":
            return "for one e-mail address"
        case "account":
            return _account(value)
    return f"for addresses of {value}"


def _account(account: str) -> str:
    if of_one(account):
        return "for one account"
    if account.startswith("group:"):
        return f"for accounts in {account.removeprefix('group:')}"
    return f"for accounts {account.removeprefix('*')}" if account.startswith("*@") else "for any account"


def _network(network: str) -> str:
    # One computer is perhaps one person's.
    return "one address" if network.endswith(("/32", "/128")) else network
