"""Token or visit cookie → Grant. Only this module makes a Grant.

The order of the checks is the order of the words a person is told: what ended the whole share before what ended
the link before what ended the visit.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable

from sharegate.errors import Denied, Reason
from sharegate.shares.addresses import GateAddresses
from sharegate.shares.conditions import NEEDED, closed, needs, outside, unmet
from sharegate.shares.interfaces import Change, ShareStore
from sharegate.shares.model import Grant, Link, Role, Share, Visit, VisitKind
from sharegate.shares.roles import RoleTable
from sharegate.shares.tokens import ShareTokens

# Visits whose grant is kept beside their records.
_REMEMBERED = 10_000


def new_secret() -> str:
    """A cookie's value: 256 random bits."""
    return secrets.token_urlsafe(32)


def secret_hash(value: str) -> str:
    """What is stored of a cookie or code. The value is random, so a plain SHA-256 cannot be searched backwards."""
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


def check_share(share: Share, now: float) -> None:
    """Whether a share stands at all."""
    if share.revoked is not None:
        raise Denied(Reason.SHARE_REVOKED)
    if share.expires <= now:
        raise Denied(Reason.SHARE_EXPIRED)
    if share.suspended:
        raise Denied(Reason.ROOT_CHANGED)
    if share.paused:
        raise Denied(Reason.SHARE_PAUSED)


def check_link(link: Link, now: float) -> None:
    """Whether a link of a standing share stands."""
    if link.revoked is not None:
        raise Denied(Reason.LINK_REVOKED)
    if link.expires <= now:
        raise Denied(Reason.LINK_EXPIRED)
    if link.paused:
        raise Denied(Reason.LINK_PAUSED)


def check_visit(visit: Visit, now: float) -> None:
    """Whether a visit by a standing link is open."""
    if visit.ended is not None or visit.expires <= now:
        raise Denied(Reason.VISIT_ENDED, visit.ended_reason)


def check_program(share: Share, link: Link, visit: Visit) -> None:
    """Whether an open visit of programs may go on. Their token is asked for with everything they do, so that a new one
    ends what was opened with the old one; a browser's visit has its own cookie, and stays."""
    if not share.clients:
        raise Denied(Reason.CLIENTS_OFF)
    if visit.serial != link.serial:
        raise Denied(Reason.LINK_REPLACED)


def check_met(link: Link, visit: Visit, peer: str, now: float) -> None:
    """Whether the link's conditions are met by a visit, for whoever asks from this address."""
    reason = unmet(link, visit, peer, now)
    if reason is not None:
        raise Denied(reason)


def check_inside(link: Link, peer: str) -> None:
    """Whether the link is for whoever asks from this address at all."""
    if outside(link, peer):
        raise Denied(Reason.OUTSIDE_NETWORKS)


def check_open_for(link: Link, peer: str, now: float) -> None:
    """Whether a link opens at all from there, and by now."""
    reason = closed(link, peer, now)
    if reason is not None:
        raise Denied(reason)


def check_open_for_programs(link: Link, peer: str, now: float) -> None:
    """Whether a program may use the link from there. It can prove nothing, and nobody lets it in by hand."""
    check_open_for(link, peer, now)
    for need in needs(link):
        raise Denied(NEEDED[need], "a program")


class Authenticator:
    """Knows who asks. Every answer is taken from the store as it is now. What was worked out from three records is kept
    beside these very records, and counts while the store still has them and none of them has expired."""

    def __init__(
        self,
        store: ShareStore,
        tokens: ShareTokens,
        roles: RoleTable,
        addresses: GateAddresses,
        now: Callable[[], float],
    ) -> None:
        self._store = store
        self._tokens = tokens
        self._roles = roles
        self._addresses = addresses
        self._now = now
        self._worked_out: dict[str, tuple[Grant, RoleTable]] = {}
        store.subscribe(self._changed)

    def _changed(self, change: Change) -> None:
        """What is kept names a person, who may have been forgotten by now."""
        if change.kind == "visit":
            self._worked_out.pop(change.id, None)

    async def by_cookie(self, share_id: str, visit_id: str, cookies: list[str], peer: str = "") -> Grant:
        """The grant of a visit, shown its cookie from the address `peer`. Without an address no link opens that is for
        some networks.

        Raises Denied: `no_credential`, `ambiguous_credential` (two cookies of the name), `other_visit` (a cookie,
        but not this visit's), why share, link or visit ended, or what the link asks for. Without the right cookie
        nothing about the visit can be learnt, not even whether there is one.
        """
        if not cookies:
            raise Denied(Reason.NO_CREDENTIAL)
        if len(cookies) > 1:
            raise Denied(Reason.AMBIGUOUS_CREDENTIAL, "two cookies of one name")
        visit = await self._store.visit(visit_id)
        given = secret_hash(cookies[0])
        if visit is None or visit.share != share_id or not hmac.compare_digest(visit.cookie_hash, given):
            raise Denied(Reason.OTHER_VISIT)
        return await self._grant(visit, peer)

    async def holder(self, share_id: str, visit_id: str, cookies: list[str]) -> Visit | None:
        """The visit whose cookie this is, ended or not; None without proof. Only for telling what happened."""
        visit = await self._store.visit(visit_id)
        if visit is None or visit.share != share_id or len(cookies) != 1:
            return None
        return visit if hmac.compare_digest(visit.cookie_hash, secret_hash(cookies[0])) else None

    async def again(self, grant: Grant) -> Grant:
        """The same visit, asking from the same address, as the store knows it now: for what was open or waiting in
        between."""
        visit = await self._store.visit(grant.visit.id)
        if visit is None:
            raise Denied(Reason.VISIT_ENDED, "gone")
        return await self._grant(visit, grant.peer)

    async def program(self, visit: Visit, peer: str = "") -> Grant:
        """The grant of a program at the address `peer`, whose token was verified and names the visit's link."""
        if visit.kind is not VisitKind.CLIENT:
            raise Denied(Reason.OTHER_VISIT, "no program's")
        return await self._grant(visit, peer)

    async def by_link(self, token: str, *, at_the_door: bool = False) -> tuple[Share, Link, bool]:
        """Share and link of a share token, whatever state they are in: the door tells people what happened.

        The third value says whether the token is the link's current one (False: it was replaced, or the short code that
        gave it is over). Raises Denied(`bad_credential`) for what we did not sign, and anywhere else than at the door
        for what a code gave.
        """
        claims = self._tokens.verify(token)
        if claims.code and not at_the_door:
            raise Denied(Reason.BAD_CREDENTIAL, "of a short code")
        link = await self._store.link(claims.link)
        share = await self._store.share(claims.share)
        if link is None or share is None or link.share != share.id:
            raise Denied(Reason.BAD_CREDENTIAL, "no such link")
        return share, link, claims.current(link, self._now())

    def check_standing(self, share: Share, link: Link) -> None:
        """Denied unless a new visit by this link would be possible now (seats apart)."""
        now = self._now()
        check_share(share, now)
        check_link(link, now)

    async def _grant(self, visit: Visit, peer: str) -> Grant:
        share = await self._store.share(visit.share)
        link = await self._store.link(visit.link)
        if share is None or link is None or link.share != share.id:
            raise Denied(Reason.OTHER_VISIT, "record gone")
        now = self._now()
        known = self._worked_out.get(visit.id)
        if known is not None:
            grant, roles = known
            # A record is never changed, only replaced: the same ones stand as they stood, but for the time and for
            # where it is asked from.
            same = grant.visit is visit and grant.share is share and grant.link is link and roles is self._roles
            if same and grant.peer == peer and link.not_before <= now < grant.expires:
                return grant
            del self._worked_out[visit.id]
        check_share(share, now)
        check_link(link, now)
        check_visit(visit, now)
        if visit.kind is VisitKind.CLIENT:
            check_program(share, link, visit)
        check_met(link, visit, peer, now)
        role = self._role(share, link, visit)
        grant = Grant(
            share=share,
            link=link,
            visit=visit,
            role=role,
            capabilities=self._roles.capabilities(role),
            expires=min(share.expires, link.expires, visit.expires),
            addresses=self._addresses.of(share.id),
            peer=peer,
        )
        if len(self._worked_out) >= _REMEMBERED:
            self._worked_out.clear()
        self._worked_out[visit.id] = grant, self._roles
        return grant

    def _role(self, share: Share, link: Link, visit: Visit) -> Role:
        """A visit's or link's own role, never above the share's, and never one that this version does not hand out."""
        order = list(Role)
        wanted = order.index(min(visit.role or link.role or share.role, share.role, key=order.index))
        return next((role for role in reversed(order[: wanted + 1]) if self._roles.available(role)), Role.VIEW)
