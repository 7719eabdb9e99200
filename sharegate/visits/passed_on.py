"""Signs that a link or an address came into other hands, and what speaks against it.

A sign, not a proof: every passing on is recorded with the doubts that are known.
"""

from __future__ import annotations

import re

from sharegate.audit.bounds import truncated
from sharegate.shares.model import Visit

_ROBOT = re.compile(r"bot\b|crawl|spider|preview|scan|curl/|python-|wget|headless", re.IGNORECASE)


NETWORK, BROWSER, ROBOT, RETURNING = (
    "same network",
    "same kind of browser",
    "looks like a robot",
    "this browser has been here before",
)


def doubts(origin: Visit | None, *, address: str, agent: str, returning: bool) -> tuple[str, ...]:
    """Reasons why this may not be another person: words for the trail and the owner's screen.

    `address` is truncated, as what is kept of the origin may be.
    """
    found = []
    if origin is not None and origin.address and truncated(origin.address) == address:
        found.append(NETWORK)
    if origin is not None and origin.agent and origin.agent == agent:
        found.append(BROWSER)
    if _ROBOT.search(agent):
        found.append(ROBOT)
    if returning:
        found.append(RETURNING)
    return tuple(found)
