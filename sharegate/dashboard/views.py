"""Records as the owner's API shows them: short labels, states in one word, no secret."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from sharegate.audit.bounds import truncated
from sharegate.errors import Denied
from sharegate.shares.authenticate import check_link, check_share, check_visit
from sharegate.shares.conditions import missing, unproved
from sharegate.shares.coowners import is_coowner
from sharegate.shares.interfaces import ShareStore
from sharegate.shares.issue import standing
from sharegate.shares.model import Knock, Link, LinkKind, Role, Share, Visit, VisitKind
from sharegate.visits.entry import badge
from sharegate.visits.passed_on import doubts
from sharegate.visits.presence import Presence
from sharegate.visits.programs import Seen

SHORTEST_LABEL = 4
# Longer than the gate speaks with a mail server about one message (mail/smtp.py).
MAIL_SECONDS = 60.0
# Views that are built before others have a turn: a few milliseconds.
_AT_ONCE = 50


def short(id: str, others: Iterable[str]) -> str:
    """The shortest prefix of at least four characters that no other id begins with."""
    taken = [other for other in others if other != id]
    for length in range(SHORTEST_LABEL, len(id)):
        if not any(other.startswith(id[:length]) for other in taken):
            return id[:length]
    return id


def shortest(ids: Iterable[str]) -> dict[str, str]:
    """`short` of all of these at once: beside its neighbours in the order of the alphabet each id is as alike to others
    as it gets."""
    row = sorted(set(ids))
    found = {}
    for at, id in enumerate(row):
        beside = [row[near] for near in (at - 1, at + 1) if 0 <= near < len(row)]
        found[id] = short(id, beside)
    return found


def link_state(link: Link, now: float) -> str:
    if link.revoked is not None:
        return "revoked"
    if link.expires <= now:
        return "expired"
    return "paused" if link.paused else "active"


def mail_unsure(link: Link, now: float) -> bool:
    """Whether a mail of this link was begun and never heard of again, since longer than any takes."""
    return link.mailing and link.sent is not None and link.sent + MAIL_SECONDS <= now


async def _in_turn(at: int, making: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    if at % _AT_ONCE == _AT_ONCE - 1:
        await asyncio.sleep(0)
    return await making


class Views:
    """Builds ShareView, LinkView, VisitView and KnockView."""

    def __init__(
        self,
        store: ShareStore,
        presence: Presence,
        channels_of: Callable[[str], int],
        role_sentence: Callable[[Role], str],
        now: Callable[[], float],
        *,
        places_of: Callable[[str], list[Seen]] = lambda _: [],
        programs: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        """`programs` are the visits of programs that have a channel open."""
        self._programs = programs
        self._store = store
        self._presence = presence
        self._channels_of = channels_of
        self._role_sentence = role_sentence
        self._now = now
        self._places_of = places_of

    async def share_label(self, id: str) -> str:
        return short(id, await self._store.shares_beside(id))

    async def knock_label(self, id: str) -> str:
        return short(id, await self._store.knocks_beside(id))

    async def link_label(self, link: Link) -> str:
        return f"{await self.share_label(link.share)}.{link.letter}"

    async def visit_label(self, visit: Visit) -> str:
        link = await self._store.link(visit.link)
        return f"{await self.link_label(link)}{visit.number}" if link is not None else visit.id

    async def shares(self, shares: Iterable[Share]) -> list[dict[str, Any]]:
        """Many at once; others have their turn in between."""
        return [await _in_turn(at, self.share(share)) for at, share in enumerate(shares)]

    def standing(self, share: Share) -> str:
        """Its state in one word."""
        return standing(share, self._now())

    async def share(self, share: Share) -> dict[str, Any]:
        visits = await self._store.visits(share.id, open_only=True)
        waiting = await self._store.knocks(share=share.id)
        by_link: defaultdict[str, list[Visit]] = defaultdict(list)
        for visit in visits:
            by_link[visit.link].append(visit)
        label = await self.share_label(share.id)
        links = [await self.link(one, by_link[one.id], share=label) for one in await self._store.links(share.id)]
        return {
            "id": share.id,
            "label": label,
            "name": share.name,
            "root": share.root,
            "kind": share.kind.value,
            "open_file": share.open_file,
            "role": share.role.value,
            "role_sentence": self._role_sentence(share.role),
            "owner": share.owner,
            "server": share.upstream,
            "created": share.created,
            "expires": share.expires,
            "state": self.standing(share),
            "message": share.message,
            "clients": share.clients,
            "own_extensions": share.own_extensions,
            "runnable_files": share.runnable_files,
            "page": share.page.value,
            "links": [link for link in links if link["kind"] != LinkKind.PREVIEW.value],
            "visits_open": sum(1 for visit in visits if visit.kind not in (VisitKind.PREVIEW, VisitKind.CLIENT)),
            "programs": sum(1 for visit in visits if visit.kind is VisitKind.CLIENT),
            "knocks": len(waiting),
        }

    async def link(self, link: Link, visits: list[Visit] | None = None, *, share: str = "") -> dict[str, Any]:
        """`visits` are the open ones of this link, and `share` the label of its share, where they are known already."""
        if visits is None:
            visits = await self._store.visits(link.share, link=link.id, open_only=True)
        seated = [v for v in visits if v.kind in (VisitKind.BROWSER, VisitKind.KNOCK)]
        return {
            "id": link.id,
            "label": f"{share}.{link.letter}" if share else await self.link_label(link),
            "share": link.share,
            "name": link.name,
            "kind": link.kind.value,
            "state": link_state(link, self._now()),
            "visits_max": link.visits,
            "visits_used": len(seated),
            "devices_max": link.devices,
            "role": link.role.value if link.role else None,
            "created": link.created,
            "expires": link.expires,
            "not_before": link.not_before or None,
            "networks": list(link.networks),
            "ask": link.ask,
            "passphrase": bool(link.passphrase),
            "recipient": link.recipient,
            "domain": link.domain,
            "account": link.account,
            # Whether it is somebody's by now: the first's who signed in with that address.
            "account_opened": bool(link.subject),
            "email": link.email,
            "sent": link.sent,
            "sent_unsure": mail_unsure(link, self._now()),
            "code_expires": link.code_expires if link.code_hash and link.code_expires > self._now() else None,
            "coowner": link.coowner,
            "coowner_visit": await self._coowner(link, visits),
        }

    async def _coowner(self, link: Link, visits: list[Visit]) -> str:
        """The visit in which a co-owner is one, by its label; "" while nobody is."""
        of_link = [visit for visit in visits if visit.link == link.id and visit.expires > self._now()]
        found = [visit for visit in of_link if link.coowner and is_coowner(link, visit)]
        return await self.visit_label(found[-1]) if found else ""

    def role(self, share: Share | None, link: Link | None, visit: Visit | None = None) -> Role:
        """What a visit may do, or whoever enters by the link: at most what the share is for."""
        if share is None:
            return Role.VIEW
        own = (visit.role if visit else None) or (link.role if link else None) or share.role
        return min(own, share.role, key=tuple(Role).index)

    async def visits(self, visits: Iterable[Visit]) -> list[dict[str, Any]]:
        """Many at once: the devices of a link are counted once, not for each of its visits. Others have their turn in
        between."""
        counted: dict[tuple[str, str], Counter[str]] = {}
        views = []
        for at, visit in enumerate(visits):
            place = visit.share, visit.link
            if place not in counted:
                counted[place] = await self._devices(visit)
            views.append(await _in_turn(at, self.visit(visit, devices=counted[place])))
        return views

    async def is_open(self, visit: Visit) -> bool:
        """`open`, with what it belongs to looked up."""
        return self.open(await self._store.share(visit.share), await self._store.link(visit.link), visit)

    async def _devices(self, visit: Visit) -> Counter[str]:
        """How many devices came from each visit of this one's link."""
        siblings = await self._store.visits(visit.share, link=visit.link, open_only=True)
        return Counter(other.came_from for other in siblings if other.kind is VisitKind.DEVICE)

    async def visit(self, visit: Visit, *, devices: Counter[str] | None = None) -> dict[str, Any]:
        link = await self._store.link(visit.link)
        share = await self._store.share(visit.share)
        seen = self._presence.of(visit.id)
        here = self.here(share, link, visit)
        others = devices if devices is not None else await self._devices(visit)
        origin = await self._store.visit(visit.came_from) if visit.came_from else None
        role = self.role(share, link, visit)
        open_now = self.open(share, link, visit)
        channels = self._channels_of(visit.id)
        return {
            "id": visit.id,
            "label": await self.visit_label(visit),
            "share": visit.share,
            "share_name": share.name if share else "",
            "link": visit.link,
            "link_label": await self.link_label(link) if link else "",
            "name": visit.name,
            "badge": badge(link, visit) if link else "",
            "email": visit.email,
            "account": visit.account.shown if visit.account is not None else "",
            "kind": visit.kind.value,
            "role": role.value,
            "state": "open" if open_now else "ended",
            "lacks": [need.value for need in missing(link, visit)] if link and open_now else [],
            "ended_reason": visit.ended_reason,
            "since": visit.created,
            "last_seen": seen.at if seen else visit.created,
            "where": seen.where if seen and open_now else "",
            "here": here,
            "channels": channels,
            "devices": 1 + others[visit.id],
            "address": visit.address,
            "agent": visit.agent,
            "places": [
                {"address": place.address, "agent": place.agent, "since": place.since, "last": place.last}
                for place in self._places_of(visit.id)
            ],
            "came_from": await self.visit_label(origin) if origin else "",
            "admitted_by": await self._let_in_by(visit),
            "coowner": bool(link and open_now and is_coowner(link, visit)),
        }

    async def _let_in_by(self, visit: Visit) -> str:
        """The name of the co-owner who let them in; "" for all others."""
        coowner = await self._store.visit(visit.admitted_by) if visit.admitted_by else None
        return (coowner.name if coowner is not None else "") or ("a co-owner" if visit.admitted_by else "")

    def open(self, share: Share | None, link: Link | None, visit: Visit) -> bool:
        """Whether the visit's cookie would let somebody in now."""
        if share is None or link is None:
            return False
        now = self._now()
        try:
            check_share(share, now)
            check_link(link, now)
            check_visit(visit, now)
        except Denied:
            return False
        return True

    def inside(self) -> list[str]:
        """Visits that may be `here`, by their ids: no others are."""
        return list(dict.fromkeys([*self._presence.inside(), *self._programs()]))

    async def is_here(self, visit: Visit) -> bool:
        """`here`, with what it belongs to looked up."""
        return self.here(await self._store.share(visit.share), await self._store.link(visit.link), visit)

    def here(self, share: Share | None, link: Link | None, visit: Visit) -> bool:
        """Whether a page of an open visit is open now; of a program's, a channel."""
        if not self.open(share, link, visit):
            return False
        if visit.kind is VisitKind.CLIENT:
            return bool(self._channels_of(visit.id))
        seen = self._presence.of(visit.id)
        return bool(seen and seen.pages)

    async def knock(self, knock: Knock) -> dict[str, Any]:
        link = await self._store.link(knock.link)
        share = await self._store.share(knock.share)
        origin = await self._store.visit(knock.came_from) if knock.came_from else None
        return {
            "id": knock.id,
            "label": await self.knock_label(knock.id),
            "share": knock.share,
            "share_name": share.name if share else "",
            "link_label": await self.link_label(link) if link else "",
            "link_name": link.name if link else "",
            "role": self.role(share, link).value,
            "name": knock.name,
            "email": knock.email,
            "account": knock.account.shown if knock.account is not None else "",
            "lacks": [need.value for need in unproved(link, knock)] if link else [],
            "same_person": knock.same_person,
            "by_address": knock.by_address,
            "came_from": await self.visit_label(origin) if origin else "",
            "came_from_name": origin.name if origin else "",
            "doubts": list(doubts(origin, address=truncated(knock.address), agent=knock.agent, returning=False)),
            "since": knock.created,
            "address": knock.address,
            "agent": knock.agent,
            "state": knock.state.value,
        }
