"""What an admin looks at when reviewing access: how wide each share is, and what exactly was looked at."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from sharegate.shares.model import Link, LinkKind, Role, RootKind, Share, Visit, VisitKind

UNUSED_AFTER = 30 * 86400.0


@dataclass(frozen=True, slots=True)
class Width:
    """How much a share gives to how many. `depth`: folders above its root on the server. `people` are in now, `ever`
    came at some time; `outside`: those who are in now and whose name only they themselves said, by a link for anyone or
    let in on a knock."""

    role: Role
    kind: RootKind
    depth: int
    open_links: int
    links: int
    programs: bool
    people: int
    ever: int
    outside: int

    @property
    def order(self) -> tuple[int, ...]:
        """Larger is wider: what may be done counts before where, and where before by how many."""
        return (
            list(Role).index(self.role),
            int(self.kind is RootKind.DIRECTORY),
            -self.depth,
            int(self.open_links > 0),
            self.outside,
            self.people,
            self.links,
        )


def live(share: Share, now: float) -> bool:
    """Whether it still gives anything, or would once it goes on."""
    return share.revoked is None and share.expires > now


def width(share: Share, links: Iterable[Link], visits: Iterable[Visit], now: float) -> Width:
    standing = {link.id: link for link in links if _stands(link, now)}
    everybody = [visit for visit in visits if visit.kind in (VisitKind.BROWSER, VisitKind.KNOCK, VisitKind.CLIENT)]
    inside = [visit for visit in everybody if visit.ended is None and visit.expires > now and visit.link in standing]
    return Width(
        role=share.role,
        kind=share.kind,
        depth=len(share.root_path.segments) - 1,
        open_links=sum(link.kind is LinkKind.OPEN for link in standing.values()),
        links=len(standing),
        programs=share.clients,
        people=len(inside),
        ever=len(everybody),
        outside=sum(visit.kind is VisitKind.KNOCK or standing[visit.link].kind is LinkKind.OPEN for visit in inside),
    )


def said(share: Share, links: Sequence[Link], now: float) -> bytes:
    """What a share gives to whom, as JSON."""
    return msgspec.json.encode(
        [
            *(share.id, share.owner, share.upstream, share.root, share.kind.value, share.role.value, share.expires),
            *(share.clients, share.own_extensions, share.runnable_files, share.paused, share.suspended),
            sorted(
                [link.id, link.kind.value, link.name, link.role or "", link.visits or 0, link.expires, link.paused]
                + [link.coowner] * link.coowner  # says nothing where it is nothing: what was signed off before stays
                for link in links
                if _stands(link, now)
            ),
        ]
    )


def digest(given: Iterable[tuple[str, bytes]]) -> str:
    """SHA-256 (hex) of what is given to whom, of shares by their ids and as `said` tells each: it changes when a share,
    a link, a role, a root or an end does, and not when somebody comes or goes."""
    return hashlib.sha256(b"[" + b",".join(each for _, each in sorted(given)) + b"]").hexdigest()


def unused(share: Share, last: float, now: float) -> bool:
    return now - max(last, share.created) >= UNUSED_AFTER


def _stands(link: Link, now: float) -> bool:
    return link.revoked is None and link.expires > now and link.kind is not LinkKind.PREVIEW
