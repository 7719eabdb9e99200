"""Whose shares stand on one origin.

Whoever owns a Jupyter server supplies script that runs in visitors' pages. Where all shares have one origin, a page of
one owner could so reach into a page of another's: such a gate is for one owner, unless the house accepts it.
"""

from __future__ import annotations

from collections.abc import Iterable

from sharegate.errors import Refused
from sharegate.shares.model import Share


def owners(shares: Iterable[Share], now: float) -> list[str]:
    """Who has shares that are neither revoked nor over; paused and suspended ones may come back."""
    return sorted({share.owner for share in shares if share.revoked is None and share.expires > now})


def check_one_owner(found: Iterable[str]) -> None:
    """Refused(`several_owners`) for more than one."""
    several = sorted(set(found))
    if len(several) > 1:
        names = f"{', '.join(several[:-1])} and {several[-1]}"
        raise Refused(
            "several_owners",
            f"{names} would share from one address, where a page of one can reach into a page of another",
            "Give each share a host of its own (share_hosts, see docs/hosts.md), end the shares of all but one, or set"
            " accept_shared_origin. If these names are one person's, set `owner` back to the former",
        )
