"""What links ask for, at the command line: reading a passphrase that nobody sees, and the words for conditions."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Sequence
from datetime import tzinfo
from typing import Annotated, Any

import typer

from sharegate.cli import moments
from sharegate.cli.output import shown
from sharegate.cli.problems import Usage

Json = dict[str, Any]
# Takes a condition away.
ANY = "any"

Networks = Annotated[
    list[str] | None,
    typer.Option("--network", metavar="CIDR", help="From where only: 10.0.0.0/8, one address; repeat it for several."),
]
From = Annotated[
    str | None, typer.Option("--from", metavar="WHEN", help='From when on: 2h, "mon 9:00", 2026-12-24 18:00.')
]
Email = Annotated[
    str | None, typer.Option("--email", metavar="ADDRESS", help="Whoever opens it proves that this address is theirs.")
]
Account = Annotated[
    str | None,
    typer.Option(
        "--account",
        metavar="WHO",
        help="Who signs in to open it: ann@uni.example, *@uni.example, group:NAME, sub:SUBJECT; * for anybody; "
        "with --roster own, for each person's own account.",
    ),
]
Domain = Annotated[
    str | None, typer.Option("--domain", metavar="DOMAIN", help="Whoever opens it proves an address of this domain.")
]


def read_passphrase() -> str:
    """Typed twice at a terminal, unseen; else the first line of standard input. Never an argument, for everybody on
    this computer sees those. Raises Usage."""
    if sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty():
        first = getpass.getpass("Passphrase (not shown): ")
        if getpass.getpass("Again: ") != first:
            raise Usage("--passphrase", "the two are not the same", "Type it again")
    else:
        first = sys.stdin.readline().rstrip("\r\n") if sys.stdin is not None else ""
    if not first:
        raise Usage("--passphrase", "none was given", "Type it, or send it as a line to standard input")
    return first


def asked(
    *,
    ask: bool | None,
    networks: Sequence[str] | None,
    opens: str | None,
    passphrase: bool | None,
    email: str | None,
    domain: str | None,
    account: str | None,
    now: float,
    zone: tzinfo,
) -> Json:
    """What the API is asked, of the options that were given; the passphrase is read last. Raises Usage, Invalid."""
    found: Json = {}
    if ask is not None:
        found["ask"] = ask
    if networks:
        found["networks"] = [] if list(networks) == [ANY] else list(networks)
    if opens is not None:
        found["not_before"] = None if opens == "now" else moments.parse(opens, now=now, zone=zone, field="--from")
    if email is not None:
        found["recipient"] = "" if email == ANY else email
    if domain is not None:
        found["domain"] = "" if domain == ANY else domain
    if account is not None:
        found["account"] = "" if account == ANY else account
    if passphrase is not None:
        found["passphrase"] = read_passphrase() if passphrase else None
    return found


def accounts(account: str) -> str:
    """Who may sign in, in words."""
    kind, _, rest = shown(account, 80).partition(":")
    if account == "*":
        return "any account"
    if account.startswith("*@"):
        return f"accounts at {kind.removeprefix('*@')}"
    return f"accounts in {rest}" if kind == "group" else f"the account {rest or kind}"


def conditions(link: Json, now: float, zone: tzinfo) -> list[str]:
    """What a link asks for, each in a few words: `asks first`, `with a passphrase`, `from 10.0.0.0/8`."""
    found = []
    if float(link.get("not_before") or 0) > now:
        found.append(f"from {moments.shown(float(link['not_before']), zone)} on")
    if networks := link.get("networks"):
        more = f" and {len(networks) - 2} more" if len(networks) > 3 else ""
        found.append("from " + ", ".join(shown(one, 50) for one in networks[: 2 if more else 3]) + more)
    if link.get("recipient"):
        found.append(f"for {shown(link['recipient'], 80)}")
    if link.get("domain"):
        found.append(f"for addresses of {shown(link['domain'], 80)}")
    if link.get("account"):
        found.append(f"for {accounts(link['account'])}")
    if link.get("passphrase"):
        found.append("with a passphrase")
    if link.get("ask"):
        found.append("asks first")
    return found
