"""What every store decides in the same way about the records that it has found."""

from __future__ import annotations

import hmac
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from sharegate.errors import Denied, Reason
from sharegate.shares.api_tokens import ApiToken, AskedOnce
from sharegate.shares.asking import of_one
from sharegate.shares.model import DeviceCode, Knock, KnockState, Link, LinkKind, MailCode, Share, Visit, VisitKind
from sharegate.shares.more_time import TimeAsk, TimeState
from sharegate.shares.reports import Report

SEATED = frozenset({VisitKind.BROWSER, VisitKind.KNOCK})
_PREVIEWS = frozenset({VisitKind.PREVIEW})
# What an admin reads of a report that gave way.
GAVE_WAY = "closed by the gate, to make room for what others say: many came from one place"


def taking_from(kind: VisitKind) -> frozenset[VisitKind]:
    """The kinds whose open visits take the places that a visit of this kind needs; none: it needs no place."""
    return next((kinds for kinds in (SEATED, _PREVIEWS) if kind in kinds), frozenset())


def link_follows(link: Link, had: float, expires: float) -> bool:
    """Whether a link's end moves with its share's from `had` to `expires`: it ended with it, or would outlive it. A
    preview lasts five minutes, whatever it ended with."""
    return link.expires > expires or (link.expires == had and link.kind is not LinkKind.PREVIEW)


def visit_follows(visit: Visit, had: float, expires: float) -> bool:
    """Whether a visit's end moves with its link's. An expired one comes back so; an ended one never does."""
    return visit.ended is None and (visit.expires > expires or visit.expires == had)


def check_still(record: msgspec.Struct, was: Mapping[str, Any]) -> None:
    """Whether these fields are as somebody saw them. ValueError when not."""
    moved = sorted(name for name, value in was.items() if getattr(record, name) != value)
    if moved:
        raise ValueError(f"{', '.join(moved)} was changed meanwhile")


def check_not_for_ever(share: Share | None, link: Link) -> None:
    """Whether somebody may still come by a link, or wait at it, as far as that is for ever: whoever revokes or erases
    it finds nobody there afterwards. Denied: `share_revoked`, `link_revoked`."""
    if share is None or share.revoked is not None:
        raise Denied(Reason.SHARE_REVOKED)
    if link.revoked is not None:
        raise Denied(Reason.LINK_REVOKED)


def check_decision(knock: Knock, state: KnockState, visit: Visit | None) -> None:
    """Whether a knock may be decided so. ValueError when not."""
    if knock.state is not KnockState.WAITING:
        raise ValueError(f"knock {knock.id} was decided already: {knock.state.value}")
    if state is KnockState.WAITING or (state is KnockState.ADMITTED) != (visit is not None):
        raise ValueError("a knock is admitted with a visit, or refused or gone without one")
    if visit is not None and (visit.share, visit.link) != (knock.share, knock.link):
        raise ValueError("the visit is not of the link that was knocked at")


def check_room(tokens: Iterable[ApiToken], limit: int, at: float) -> None:
    """Whether a further token of the API may stand. Denied(`credential_limit`)."""
    standing = sum(token.stands(at) for token in tokens)
    if standing >= limit:
        raise Denied(Reason.CREDENTIAL_LIMIT, f"{standing} tokens stand already")


def said_already(known: Iterable[Report], report: Report) -> bool:
    """Whether this very report is open already."""
    return any(one.closed is None and one.same(report) for one in known)


def gives_way(known: Iterable[Report], report: Report, per_share: int, overall: int) -> str:
    """The id of the open report that is closed to make room for this one, "" where there is room. Where one share, and
    of one share one place, has two more than another, it gives its latest: whoever says the same thing again and again
    silences nobody. Denied(`report_limit`) where all have about as many."""
    standing = [one for one in known if one.closed is None]
    of_share = [one for one in standing if one.share == report.share]
    if len(of_share) < per_share and len(standing) < overall:
        return ""
    if len(of_share) >= per_share:
        found = _latest_of_most(of_share, report, _teller)
    else:
        found = _latest_of_most(standing, report, lambda one: one.share)
    if not found:
        raise Denied(Reason.REPORT_LIMIT, f"{len(of_share)} of this share and {len(standing)} in all are open")
    return found


def _latest_of_most(standing: list[Report], report: Report, whose: Callable[[Report], str]) -> str:
    counts = Counter(whose(one) for one in standing)
    most = max(counts, key=lambda one: counts[one])
    if counts[most] <= counts[whose(report)] + 1:
        return ""
    theirs = [one for one in standing if whose(one) == most]
    within = Counter(_teller(one) for one in theirs)
    loud = max(within, key=lambda one: within[one])
    return max((one for one in theirs if _teller(one) == loud), key=lambda one: (one.created, one.id)).id


def _teller(report: Report) -> str:
    """What counts as one place that tells: the network, of which alone a report keeps the address. Without one any
    more: the visit, or the link at whose door it was."""
    return report.address or report.visit or report.link


def check_ask(known: Iterable[TimeAsk], ask: TimeAsk, limit: int) -> None:
    """Whether this may wait, too. ValueError where the same browser's ask for this link waits already,
    Denied(`join_limit`) where `limit` of its link do."""
    if ask.state is not TimeState.WAITING:
        raise ValueError("a new ask waits")
    waiting = [one for one in known if one.link == ask.link and one.state is TimeState.WAITING]
    if any(one.whose == ask.whose for one in waiting):
        raise ValueError("this was asked already")
    if len(waiting) >= limit:
        raise Denied(Reason.JOIN_LIMIT, f"{len(waiting)} ask for more time already")


def let_go(known: Iterable[AskedOnce], asked: AskedOnce, since: float, limit: int) -> list[str]:
    """The ids of those that go when `asked` comes. ValueError where it was asked already."""
    there = sorted(known, key=lambda one: one.at)
    if any(one.id == asked.id and one.at > since for one in there):
        raise ValueError("this was asked already")
    over = {one.id for one in there if one.at <= since}
    mine = [one.id for one in there if one.who == asked.who and one.id not in over]
    return [*over, *mine[: max(0, len(mine) + 1 - limit)]]


def answered(known: Iterable[AskedOnce], id: str, answer: bytes, total: int) -> list[AskedOnce]:
    """What changes when that is answered: the record itself, and the oldest answers of the same asker, which go."""
    there = {one.id: one for one in known}
    mine = there.pop(id, None)
    if mine is None:
        return []
    changed = [msgspec.structs.replace(mine, over=True, answer=answer)]
    theirs = sorted((one for one in there.values() if one.who == mine.who and one.answer), key=lambda one: one.at)
    size = len(answer) + sum(len(one.answer) for one in theirs)
    for one in theirs:
        if size <= total:
            break
        size -= len(one.answer)
        changed.append(unanswered(one))
    return changed


def unanswered(asked: AskedOnce) -> AskedOnce:
    """Without the answer, which no gate gives again."""
    return msgspec.structs.replace(asked, answer=b"")


def tried(code: MailCode, code_hash: str, at: float, tries: int) -> tuple[bool, MailCode | None]:
    """Whether this is the code, and what is kept of it after that."""
    if code.expires <= at:
        return False, None
    if hmac.compare_digest(code.code_hash, code_hash):
        return True, None
    counted = msgspec.structs.replace(code, tries=code.tries + 1)
    return False, counted if counted.tries < tries else None


def person_of(code: DeviceCode, origin: Visit, at: float) -> str:
    """The first visit of the person whose code this is. A device of a device counts as one of that visit, so that
    devices cannot multiply. Denied(`device_code_invalid`)."""
    if code.expires <= at or origin.ended is not None or origin.expires <= at:
        raise Denied(Reason.DEVICE_CODE_INVALID, "expired, or of a visit that has ended")
    return origin.came_from if origin.kind is VisitKind.DEVICE else origin.id


def device_of(visit: Visit, origin: Visit, person: str) -> Visit:
    """The visit of a new device: what it may, and what was proved, is as with the visit from which it came."""
    return msgspec.structs.replace(
        visit,
        kind=VisitKind.DEVICE,
        came_from=person,
        link=origin.link,
        share=origin.share,
        role=origin.role,
        name=origin.name,
        expires=origin.expires,
        passphrase=origin.passphrase,
        email=origin.email,
        account=origin.account,
        admitted=origin.admitted or origin.kind is VisitKind.KNOCK,
    )


# What is blanked in a report of somebody who is forgotten: they wrote the text, too.
FORGOTTEN_REPORT: dict[str, Any] = {"name": "", "address": "", "text": ""}


def forgotten_ask(ask: TimeAsk) -> dict[str, Any]:
    """What is blanked in an ask for more time; one that waits is over."""
    return {"browser_hash": "", **({"state": TimeState.GONE} if ask.state is TimeState.WAITING else {})}


# A mark that lost its browser would be for whoever opens the link next.
NO_MARK: dict[str, Any] = {"coowner": False, "coowner_browser": ""}


def marked_for(link: Link, visit: Visit) -> bool:
    """Whether a co-owner's mark holds in the browser of somebody who is forgotten, and goes with them."""
    return bool(link.coowner_browser) and link.coowner_browser == visit.browser_hash


def forgotten_link(link: Link) -> dict[str, Any]:
    """What is blanked in a link. An address is not merely taken away: that would open it to everybody."""
    blank: dict[str, Any] = {"name": "", "email": "", "recipient": "erased" if link.recipient else "", **NO_MARK}
    if link.account and (link.subject or of_one(link.account)):
        # Nobody's: no issuer is called so.
        blank |= {"account": "erased", "issuer": "erased", "subject": ""}
    return blank
