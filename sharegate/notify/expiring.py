"""Which ends are near enough to be told of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sharegate.notify.model import Happening, Kind
from sharegate.shares.model import Link, LinkKind, Share

BEFORE = 86400.0
# What lasts for hours only ends as its owner expects.
SHORTEST = 2 * BEFORE


def near(share: Share, links: Iterable[Link], now: float) -> Iterator[tuple[str, Happening]]:
    """Each end within a day, with a key that is the same whenever it is looked for and another when the end moves."""
    if share.revoked is not None:
        return
    ends: dict[float, int] = {}
    if _near(share.created, share.expires, now):
        ends[share.expires] = 1
    for link in links:
        counts = link.revoked is None and link.kind is not LinkKind.PREVIEW and link.expires < share.expires
        if counts and _near(link.created, link.expires, now):
            ends[link.expires] = ends.get(link.expires, 0) + 1
    for end, count in ends.items():
        yield f"{share.id} {end!r}", Happening(Kind.EXPIRING, share.id, share.name, count=count, until=end)


def _near(created: float, expires: float, now: float) -> bool:
    return now < expires <= now + BEFORE and expires - created >= SHORTEST
