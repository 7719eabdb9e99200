"""What the house requires of a link before it may give something: that it asks for one of some conditions, and ends in
time.

Decides on plain values; the rules themselves are read by policy/sharing.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from sharegate.errors import Refused
from sharegate.shares.model import Link, LinkKind, Role, Share

# What can be required, and how it is said.
CONDITIONS = {
    "recipient": "proof of one e-mail address",
    "domain": "proof of an address of one domain",
    "passphrase": "a passphrase",
    "networks": "networks to come from",
    "ask": "the owner's word on each who opens it",
}


class Requires(Protocol):
    """The rules, as far as this module asks. Of the conditions that are named, one is enough; none named: nothing is
    required."""

    @property
    def edit_asks_for(self) -> tuple[str, ...]: ...

    @property
    def anyone_asks_for(self) -> tuple[str, ...]: ...

    @property
    def anyone_max_expires_seconds(self) -> float: ...


class Links(Protocol):
    """What is asked of a store."""

    async def links(self, share: str) -> list[Link]: ...

    async def change_link(self, id: str, *, was: Mapping[str, Any] | None = None, **fields: Any) -> Link: ...


def role_of(share: Share, link: Link) -> Role:
    """What whoever comes by a link may do."""
    return min(link.role or share.role, share.role, key=tuple(Role).index)


def anyone_lacks(rules: Requires, link: Link) -> str:
    """In words, what a link for nobody in particular should ask for; "" where it does, or where it is for somebody."""
    return _lacks(rules.anyone_asks_for, link) if link.kind is LinkKind.OPEN else ""


def edit_lacks(rules: Requires, link: Link, role: Role) -> str:
    """The same of a link by which people may do more than look."""
    return _lacks(rules.edit_asks_for, link) if role is not Role.VIEW else ""


def latest_end(rules: Requires, link: Link, moment: float) -> float:
    """When a link has to end that is given, or looked at, at this moment."""
    return moment + rules.anyone_max_expires_seconds if link.kind is LinkKind.OPEN else float("inf")


def listed(conditions: Sequence[str]) -> str:
    """`proof of one e-mail address or a passphrase`, in one order however they were named."""
    words = [said for one, said in CONDITIONS.items() if one in conditions]
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1]


async def end_in_time(rules: Requires, store: Links, share: str, now: float) -> None:
    """After a share was given a later end, which its links follow: those for anyone as far as the rules let them."""
    for link in await store.links(share):
        latest = latest_end(rules, link, now)
        if link.revoked is None and link.expires > latest:
            await store.change_link(link.id, expires=latest)


def check_required(rules: Requires, share: Share, *links: Link) -> None:
    """Whether links may be given as they are. Raises Refused(`condition_required`)."""
    for link in links:
        _check(rules, share, link)


def _check(rules: Requires, share: Share, link: Link) -> None:
    if link.kind is LinkKind.PREVIEW or link.revoked is not None or link.paused:
        return
    if lacks := anyone_lacks(rules, link):
        raise Refused(
            "condition_required", f"the rules here want a link for anyone to ask for {lacks}", "Have it ask for that"
        )
    if lacks := edit_lacks(rules, link, role_of(share, link)):
        raise Refused(
            "condition_required",
            f"the rules here want a link by which people can edit to ask for {lacks}",
            "Have it ask for that, or give a link to view",
        )


def _lacks(wanted: Sequence[str], link: Link) -> str:
    return "" if not wanted or any(getattr(link, one) for one in wanted) else listed(wanted)
