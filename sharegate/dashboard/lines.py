"""What lists and counts of shares go by: one line for each share, made from its records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sharegate.errors import Denied
from sharegate.shares.authenticate import check_link, check_share, check_visit
from sharegate.shares.issue import standing
from sharegate.shares.model import Knock, KnockState, Link, LinkKind, Share, Visit, VisitKind
from sharegate.shares.review import Width, live, said, width
from sharegate.visits.entry import badge

# Names that are shown of a share's people; the others are counted.
MOST_NAMES = 6
CAME = (VisitKind.BROWSER, VisitKind.KNOCK, VisitKind.CLIENT)
_NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Line:
    """A share at a moment, and `until` when it is true of it unless a record changes.

    `links` that work, `people` by their different names, those who hold a visit (`inside`, whether they could come in
    or not); `open` visits are those whose cookie lets somebody in, `persons` those of them that are no further device.
    `last` is when somebody came the last time (0: never); `said` is what the review signs off, `text` what a search
    may find, in small letters, and `addresses` the networks from which people came or knocked.
    """

    share: Share
    state: str
    links: int
    people: int
    names: tuple[str, ...]
    visits: int
    inside: int
    open: int
    persons: int
    knocks: int
    width: Width
    last: float
    said: bytes
    text: str
    addresses: frozenset[str]
    until: float

    @property
    def place(self) -> tuple[float, str]:
        """The oldest first."""
        return self.share.created, self.share.id

    @property
    def stands(self) -> bool:
        """It is neither revoked nor over; it may be paused."""
        return self.state not in ("revoked", "expired")


def line(share: Share, links: Sequence[Link], visits: Sequence[Visit], knocks: Sequence[Knock], now: float) -> Line:
    everybody: list[Visit | Knock] = [*visits, *knocks]
    by_id = {link.id: link for link in links}
    came = [visit for visit in visits if visit.kind in CAME]
    names = dict.fromkeys(
        (badge(by_id[visit.link], visit) if visit.link in by_id else "") or visit.name for visit in came
    )
    let_in = _open(share, by_id, visits, now)
    held = [visit for visit in visits if visit.ended is None]
    return Line(
        share=share,
        state=standing(share, now),
        links=sum(link.kind is not LinkKind.PREVIEW and _works(link, now) for link in links),
        people=len(names),
        names=tuple(names)[:MOST_NAMES],
        visits=len(visits),
        inside=sum(visit.kind is not VisitKind.PREVIEW for visit in held),
        open=len(let_in),
        persons=sum(visit.kind is not VisitKind.DEVICE for visit in let_in),
        knocks=sum(knock.state is KnockState.WAITING for knock in knocks),
        width=width(share, links, visits, now),
        last=max((visit.created for visit in visits), default=0.0),
        said=said(share, links, now) if live(share, now) else b"",
        text=_text(share, links, visits, everybody),
        addresses=frozenset(one.address for one in everybody if one.address),
        until=_until(share, links, held, now),
    )


def _works(link: Link, now: float) -> bool:
    return link.revoked is None and link.expires > now and not link.paused


def _open(share: Share, links: dict[str, Link], visits: Sequence[Visit], now: float) -> list[Visit]:
    """As a visit is judged (shares/authenticate.py): the share once, each link once."""
    try:
        check_share(share, now)
    except Denied:
        return []
    works: dict[str, bool] = {}
    for id, link in links.items():
        try:
            check_link(link, now)
            works[id] = True
        except Denied:
            works[id] = False
    found = []
    for visit in visits:
        if visit.ended is None and works.get(visit.link):
            try:
                check_visit(visit, now)
            except Denied:
                continue
            found.append(visit)
    return found


def _text(share: Share, links: Sequence[Link], visits: Sequence[Visit], people: Sequence[Visit | Knock]) -> str:
    found = [share.name, share.id, share.owner, share.root]
    for link in links:
        found += (link.name, link.id, f".{link.letter}")
    letters = {link.id: link.letter for link in links}
    found += (f".{letters.get(visit.link, '')}{visit.number}" for visit in visits)
    for one in people:
        found += (one.name, one.id, one.address, one.agent)
    return "\n".join(dict.fromkeys(found)).casefold()


def _until(share: Share, links: Sequence[Link], visits: Sequence[Visit], now: float) -> float:
    """The first moment at which something of it ends by itself."""
    moments = [share.expires, *(link.expires for link in links), *(visit.expires for visit in visits)]
    return min((moment for moment in moments if moment > now), default=_NEVER)
