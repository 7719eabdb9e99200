"""Signs that a link or an address came into other hands, and what speaks against it.

A sign, not a proof: every passing on is recorded with the doubts that are known.
"""

from __future__ import annotations

import re

from sharegate.audit.bounds import truncated
from sharegate.shares.model import Visit

_ROBOT = re.compile(r"bot\b|crawl|spider|preview|scan|curl/|python-|wget|headless", re.IGNORECASE)


def doubts(origin: Visit | None, *, address: str, agent: str, returning: bool) -> tuple[str, ...]:
    """Reasons why this may not be another person: words for the trail and the owner's screen.

    `address` is truncated, as what is kept of the origin may be.
    """
    found = []
    if origin is not None and origin.address and truncated(origin.address) == address:
        found.append("same network")
    if origin is not None and origin.agent and origin.agent == agent:
        found.append("same kind of browser")
    if _ROBOT.search(agent):
        found.append("looks like a robot")
    if returning:
        found.append("this browser has been here before")
    return tuple(found)
