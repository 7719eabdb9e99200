"""Co-owners: whom the owner named to let others in, to put them out and to pause, each in one share.

The mark stands at a link for one person, and holds in one browser: the one that was in by the link when it was marked,
or else the first that opens it. So a link that is passed on passes no mark on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable

from sharegate.errors import NotFound, Refused
from sharegate.shares.agreed import check_agreed, check_still_agreed
from sharegate.shares.interfaces import HandOut, ShareStore
from sharegate.shares.model import Link, LinkKind, Visit, VisitKind


def is_coowner(link: Link, visit: Visit) -> bool:
    """Whether a visit, as far as it stands, is a co-owner's; where the rules permit none, nobody's is.

    A further device is none: whoever gets hold of a page of the co-owner's could add one, and would be another
    co-owner. Nor is anybody whom a co-owner let in.
    """
    return (
        link.coowner
        and link.kind is LinkKind.PERSON
        and visit.link == link.id
        and visit.kind in (VisitKind.BROWSER, VisitKind.KNOCK)
        and not visit.admitted_by
        and bool(link.coowner_browser)
        and visit.browser_hash == link.coowner_browser
    )


def about_to_be(link: Link, visit: Visit) -> bool:
    """Whether an unbound mark is to be bound to this visit in this moment (see `bind`)."""
    return link.coowner and not link.coowner_browser and visit.link == link.id and visit.kind is VisitKind.BROWSER


def holder(visits: Iterable[Visit], now: float) -> Visit | None:
    """Who is in by a link that is to be marked: whoever opened it, else the one person whom the owner let in."""
    inside = [visit for visit in visits if visit.ended is None and visit.expires > now and not visit.admitted_by]
    opened = [visit for visit in inside if visit.kind is VisitKind.BROWSER]
    let_in = [visit for visit in inside if visit.kind is VisitKind.KNOCK]
    if opened:
        return opened[-1]
    return let_in[0] if len(let_in) == 1 else None


async def bind(store: ShareStore, visit: Visit) -> Link | None:
    """After somebody opened a link: a mark that is bound to nobody is theirs. The link as it is then; None where there
    is nothing to bind."""
    link = await store.link(visit.link)
    if link is None or not link.coowner or link.coowner_browser or visit.kind is not VisitKind.BROWSER:
        return None
    still = {"coowner": True, "coowner_browser": ""}
    try:
        bound = await store.change_link(link.id, was=still, coowner_browser=visit.browser_hash)
    except (NotFound, ValueError):  # fails closed: unmarked, or bound to somebody else, meanwhile
        return None
    return bound if await _stayed(store, visit) else None


async def unbind(store: ShareStore, visit: Visit) -> None:
    """After a visit ended that should not have begun: a mark that was bound to it is nobody's again."""
    still = {"coowner": True, "coowner_browser": visit.browser_hash}
    with contextlib.suppress(NotFound, ValueError):  # unmarked, or bound anew, meanwhile
        await store.change_link(visit.link, was=still, coowner_browser="")


async def _stayed(store: ShareStore, visit: Visit) -> bool:
    """Whether somebody is in still, now that a mark was bound to them; if not, it is nobody's again. Whoever ends a
    visit looks at the mark afterwards, and whoever binds one at the visit, so that no mark stays with who is out."""
    now = await store.visit(visit.id)
    if now is not None and now.ended is None:
        return True
    await unbind(store, visit)
    return False


class Marks:
    """The owner's verbs: nobody else sets or takes a mark."""

    def __init__(self, store: ShareStore, rules: HandOut, now: Callable[[], float]) -> None:
        self._store = store
        self._rules = rules
        self._now = now

    async def add(self, link_id: str) -> tuple[Link, Visit | None]:
        """Mark a link, and bind the mark to whoever is in by it now (None: to whoever opens it first). Marking it again
        binds it anew. Its short code ends."""
        link = await self._link(link_id)
        if not self._rules.coowners:
            raise Refused("coowners_off", "the rules here do not permit co-owners", "Let people in yourself")
        if link.kind is not LinkKind.PERSON:
            raise Refused(
                "coowner_link",
                "only a link for one person can make somebody a co-owner",
                "Give that person a link of their own first",
            )
        if link.revoked is not None:
            raise Refused("revoked", "it was revoked, which is for ever", "Make a new one")
        inside = holder(await self._store.visits(link.share, link=link.id, open_only=True), self._now())
        await check_agreed(self._rules, self._store)
        browser = inside.browser_hash if inside is not None else ""
        # A short code ends with it, and what it gave: whoever saw it on a wall could be the first to open.
        marked = await self._store.change_link(
            link.id, coowner=True, coowner_browser=browser, code_hash="", code_expires=0.0
        )
        if inside is not None and not await _stayed(self._store, inside):
            marked, inside = await self._link(link.id), None
        if inside is None:  # whoever came in between is in by the link, too
            for visit in await self._store.visits(link.share, link=link.id, open_only=True):
                bound = await bind(self._store, visit)
                if bound is not None:
                    marked, inside = bound, visit
        await check_still_agreed(self._rules, self._store, lambda: self._unmark(link.id))
        return marked, inside

    async def remove(self, link_id: str) -> Link:
        """Take the mark away; the link stays. Taking away what is not there is no fault."""
        link = await self._link(link_id)
        return await self._unmark(link.id) if link.coowner else link

    async def _unmark(self, link_id: str) -> Link:
        return await self._store.change_link(link_id, coowner=False, coowner_browser="")

    async def _link(self, link_id: str) -> Link:
        link = await self._store.link(link_id)
        if link is None:
            raise NotFound("link", link_id)
        return link
