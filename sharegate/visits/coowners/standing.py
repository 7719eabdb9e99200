"""Whether somebody who shows a visit's cookie, or a page's key, is a co-owner now."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from sharegate.audit.events import COOWNER
from sharegate.errors import Denied
from sharegate.shares.authenticate import check_link, check_met, check_share, check_visit, secret_hash
from sharegate.shares.coowners import is_coowner
from sharegate.shares.interfaces import HandOut, ShareStore
from sharegate.shares.model import Link, Share, Visit


@dataclass(frozen=True, slots=True)
class Coowner:
    """One who may act, asking from the address `peer`, with the records as they are now."""

    share: Share
    link: Link
    visit: Visit
    peer: str

    @property
    def actor(self) -> str:
        """Whom the trail names."""
        return f"{COOWNER}:{self.visit.id}"

    def __repr__(self) -> str:
        return f"<Coowner of {self.share.id} by visit {self.visit.id}>"


class Standing:
    """Every answer is taken from the store as it is now. A share that is paused has its co-owners still, for one of
    them may have paused it; nothing else that ends a visit is overlooked."""

    def __init__(self, store: ShareStore, rules: HandOut, now: Callable[[], float]) -> None:
        self._store = store
        self._rules = rules
        self._now = now

    async def by_cookie(self, share_id: str, visit_id: str, shown: list[str], peer: str) -> Coowner | None:
        """None for whoever is no co-owner, whatever the reason."""
        visit = await self._store.visit(visit_id)
        if visit is None or visit.share != share_id or len(shown) != 1:
            return None
        if not hmac.compare_digest(visit.cookie_hash, secret_hash(shown[0])):
            return None
        return await self.of(visit, peer)

    async def again(self, coowner: Coowner) -> Coowner | None:
        """The same one, as the store knows them now; None when they are none any more, or their cookie is another."""
        visit = await self._store.visit(coowner.visit.id)
        if visit is None or visit.cookie_hash != coowner.visit.cookie_hash:
            return None
        return await self.of(visit, coowner.peer)

    async def of(self, visit: Visit, peer: str) -> Coowner | None:
        share, link = await self._store.share(visit.share), await self._store.link(visit.link)
        if share is None or link is None or link.share != share.id:
            return None
        if not self._rules.coowners or not is_coowner(link, visit):
            return None
        now = self._now()
        try:
            check_share(msgspec.structs.replace(share, paused=False), now)
            check_link(link, now)
            check_visit(visit, now)
            check_met(link, visit, peer, now)
        except Denied:  # fails closed
            return None
        return Coowner(share, link, visit, peer)
