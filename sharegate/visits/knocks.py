"""The owner's answer to a knock. Nobody is let in by waiting."""

from __future__ import annotations

from collections.abc import Callable

from sharegate.errors import Denied, Invalid, NotFound, Refused
from sharegate.shares.agreed import check_agreed, check_still_agreed
from sharegate.shares.authenticate import check_link, check_share
from sharegate.shares.conditions import lapsed
from sharegate.shares.interfaces import HandOut, ShareStore
from sharegate.shares.model import Knock, KnockState, Role, Visit, VisitKind, new_id


class Knocks:
    """Admit or refuse who waits."""

    def __init__(self, store: ShareStore, rules: HandOut, now: Callable[[], float]) -> None:
        self._store = store
        self._rules = rules
        self._now = now

    async def admit(self, knock_id: str, role: str | None, *, by: str = "") -> tuple[Knock, Visit]:
        """Let them in as `role` (None: the link's), for this visit only. The visit opens when their browser asks. What
        they proved has to be what the link asks for still; what they did not prove, nobody asks them for. `by`: the
        visit of the co-owner who lets them in."""
        knock = await self._waiting(knock_id)
        share = await self._store.share(knock.share)
        link = await self._store.link(knock.link)
        if share is None or link is None:
            raise NotFound("share", knock.share)
        now = self._now()
        try:
            check_share(share, now)
            check_link(link, now)
        except Denied as denied:
            raise _not_standing(denied) from None
        if role is not None and role not in [known.value for known in self._rules.roles]:
            raise Invalid(
                "role", f"{role!r} is no role that can be given", "Choose from " + ", ".join(self._rules.roles)
            )
        if lapsed(link, knock):
            raise Refused(
                "proof_lapsed",
                "what they proved is not what the link asks for by now",
                "Refuse the knock; they can knock again, with what it asks for now",
            )
        await check_agreed(self._rules, self._store)
        visit = Visit(
            id=new_id(),
            share=share.id,
            link=link.id,
            number=0,
            kind=VisitKind.KNOCK,
            name=knock.name,
            role=Role(role) if role is not None else None,
            browser_hash=knock.browser_hash,
            came_from=knock.came_from,
            created=now,
            expires=min(share.expires, link.expires),
            address=knock.address,
            agent=knock.agent,
            passphrase=knock.passphrase,
            email=knock.email,
            account=knock.account,
            admitted_by=by,
        )
        try:
            decided = await self._store.decide_knock(knock.id, state=KnockState.ADMITTED.value, at=now, visit=visit)
        except ValueError:
            raise Refused("decided", "this knock was answered already") from None
        except Denied as denied:
            raise _not_standing(denied) from None
        await check_still_agreed(
            self._rules,
            self._store,
            lambda: self._store.end_visits([decided.visit], at=self._now(), reason="other rules are in force"),
        )
        return decided, await self._store.visit(decided.visit) or visit

    async def refuse(self, knock_id: str) -> Knock:
        knock = await self._waiting(knock_id)
        try:
            return await self._store.decide_knock(knock.id, state=KnockState.REFUSED.value, at=self._now())
        except ValueError:
            raise Refused("decided", "this knock was answered already") from None

    async def _waiting(self, knock_id: str) -> Knock:
        knock = await self._store.knock(knock_id)
        if knock is None:
            raise NotFound("knock", knock_id)
        if knock.state is not KnockState.WAITING:
            raise Refused("decided", "this knock was answered already")
        return knock


def _not_standing(denied: Denied) -> Refused:
    return Refused(denied.reason.value, "the link does not stand", "Resume or extend it first")
