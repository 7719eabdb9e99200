"""The decisions that must be atomic, made on the records as of one position; the server takes what was decided only if
nothing else was committed meanwhile (scripts.COMMIT). stores/records.py makes the same ones in SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from sharegate.errors import Denied, NotFound, Reason
from sharegate.shares.api_tokens import ApiToken, AskedOnce
from sharegate.shares.model import DeviceCode, Knock, KnockState, Link, MailCode, RulesInForce, Share, Visit, VisitKind
from sharegate.shares.more_time import TimeAsk
from sharegate.shares.reports import Report
from sharegate.stores.deciding import (
    GAVE_WAY,
    answered,
    check_ask,
    check_decision,
    check_not_for_ever,
    check_room,
    check_still,
    device_of,
    gives_way,
    let_go,
    link_follows,
    person_of,
    said_already,
    taking_from,
    tried,
    visit_follows,
)
from sharegate.stores.records import FIXED, read_back
from sharegate.stores.redis.records import Records
from sharegate.upstream.model import Upstream

T = TypeVar("T")
R = TypeVar("R", Share, Link, Visit, Knock, ApiToken, Report, TimeAsk)
_KINDS: dict[type[Any], str] = {
    Share: "share",
    Link: "link",
    Visit: "visit",
    Knock: "knock",
    ApiToken: "token",
    Report: "report",
    TimeAsk: "time",
}


@dataclass(frozen=True, slots=True)
class Put:
    """A record to be written; None when it goes. `token` is an upstream's sealed credential."""

    kind: str
    id: str
    record: Any
    token: bytes = b""


Decision = Callable[["Draft"], T]


class Draft:
    """What several decisions, one after the other, make of the records. Nothing of it is true yet."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._changed: dict[tuple[str, str], Any] = {}
        self.puts: list[Put] = []

    def decide(self, decision: Decision[T]) -> T:
        """The decision's result; what it raises undoes what it wrote."""
        mark = len(self.puts)
        try:
            return decision(self)
        except Exception:
            del self.puts[mark:]
            self._changed = {(one.kind, one.id): one.record for one in self.puts}
            raise

    def put(self, kind: str, id: str, record: Any, token: bytes = b"") -> None:
        self._changed[kind, id] = record
        self.puts.append(Put(kind, id, record, token))

    def get(self, kind: str, id: str) -> Any:
        if (kind, id) in self._changed:
            return self._changed[kind, id]
        mirror = self._records.mirror
        held: dict[str, dict[str, Any]] = {
            "share": mirror.shares,
            "link": mirror.links,
            "visit": mirror.visits,
            "knock": mirror.knocks,
            "upstream": mirror.upstreams,
            "token": mirror.tokens,
            "asked": mirror.asked,
            "report": mirror.reports,
            "time": mirror.times,
            "code": self._records.codes,
            "mailed": self._records.mailed,
        }
        return held[kind].get(id)

    def all(self, kind: str) -> Iterator[Any]:
        """Knocks, visits, tokens, reports, codes or what was asked, as they would be."""
        mirror = self._records.mirror
        held: dict[str, dict[str, Any]] = {
            "knock": mirror.knocks,
            "visit": mirror.visits,
            "token": mirror.tokens,
            "asked": mirror.asked,
            "report": mirror.reports,
            "time": mirror.times,
            "code": self._records.codes,
            "mailed": self._records.mailed,
        }
        yield from self._as_changed(kind, held[kind], lambda _: True)

    def links_of(self, share: str) -> Iterator[Link]:
        yield from self._as_changed("link", self._records.mirror.by_share(share), lambda link: link.share == share)

    def visits_by(self, link: str) -> Iterator[Visit]:
        yield from self._as_changed("visit", self._records.mirror.by_link(link), lambda visit: visit.link == link)

    def _as_changed(self, kind: str, known: dict[str, Any], mine: Callable[[Any], bool]) -> Iterator[Any]:
        for id, record in known.items():
            if (kind, id) not in self._changed:
                yield record
        for (changed, _), record in self._changed.items():
            if changed == kind and record is not None and mine(record):
                yield record


def find(draft: Draft, type: type[R], id: str) -> R:
    """Raises NotFound."""
    kind = _KINDS[type]
    record: R | None = draft.get(kind, id)
    if record is None:
        raise NotFound(kind, id)
    return record


def add(draft: Draft, record: R) -> R:
    """Raises ValueError when the id, letter or number is taken."""
    kind = _KINDS[record.__class__]
    record = read_back(record)
    if draft.get(kind, record.id) is not None:
        raise ValueError(f"there is a {kind} {record.id} already")
    if isinstance(record, Link) and any(one.letter == record.letter for one in draft.links_of(record.share)):
        raise ValueError(f"share {record.share} has a link {record.letter} already")
    draft.put(kind, record.id, record)
    return record


def change(draft: Draft, type: type[R], id: str, fields: dict[str, Any]) -> R:
    """Replace fields. Raises NotFound, and TypeError for a field that the record has not, or of a wrong type."""
    unknown = sorted(set(fields) - set(type.__struct_fields__))
    fixed = sorted(set(fields) & FIXED)
    if unknown or fixed:
        raise TypeError(f"{type.__name__} has no field to change named {', '.join(unknown + fixed)}")
    record = read_back(msgspec.structs.replace(find(draft, type, id), **fields))
    draft.put(_KINDS[type], id, record)
    return record


def change_share(draft: Draft, id: str, fields: dict[str, Any], was: Mapping[str, Any]) -> Share:
    """Links and visits that end with it follow."""
    before = find(draft, Share, id)
    check_still(before, was)
    changed = change(draft, Share, id, fields)
    if "expires" in fields:
        for link in list(draft.links_of(id)):
            if link_follows(link, before.expires, changed.expires):
                change_link(draft, link.id, {"expires": changed.expires}, {})
    return changed


def change_link(draft: Draft, id: str, fields: dict[str, Any], was: Mapping[str, Any]) -> Link:
    """Open visits that end with it follow."""
    before = find(draft, Link, id)
    check_still(before, was)
    changed = change(draft, Link, id, fields)
    if "expires" in fields:
        for visit in list(draft.visits_by(id)):
            if visit_follows(visit, before.expires, changed.expires):
                change(draft, Visit, visit.id, {"expires": changed.expires})
    return changed


def add_share(draft: Draft, share: Share, links: list[Link]) -> None:
    add(draft, share)
    for link in links:
        if link.share != share.id:
            raise ValueError(f"link {link.id} belongs to share {link.share}, not to {share.id}")
        add(draft, link)


def put_rules(draft: Draft, rules: RulesInForce) -> None:
    draft.put("rules", rules.id, read_back(rules))


def add_link(draft: Draft, link: Link) -> None:
    find(draft, Share, link.share)
    add(draft, link)


def add_links(draft: Draft, links: list[Link]) -> None:
    for link in links:
        add_link(draft, link)


def change_visit(draft: Draft, id: str, fields: dict[str, Any], was: Mapping[str, Any]) -> Visit:
    check_still(find(draft, Visit, id), was)
    return change(draft, Visit, id, fields)


def open_visit(draft: Draft, visit: Visit, seats: int | None) -> Visit:
    """A visit of a kind that needs no place is never refused one. `visit.created` is the time now."""
    link = find(draft, Link, visit.link)
    if link.share != visit.share:
        raise ValueError(f"link {link.id} belongs to share {link.share}, not to {visit.share}")
    check_not_for_ever(draft.get("share", link.share), link)
    highest = taken = 0
    kinds = taking_from(visit.kind)
    for one in draft.visits_by(visit.link):
        highest = max(highest, one.number)
        taken += one.kind in kinds and one.ended is None and one.expires > visit.created
    if seats is not None and kinds and taken >= seats:
        raise Denied(Reason.SEATS_TAKEN, f"{taken} of {seats}")
    return add(draft, msgspec.structs.replace(visit, number=highest + 1))


def end_visits(draft: Draft, ids: list[str], at: float, reason: str) -> list[Visit]:
    ended = []
    for id in dict.fromkeys(ids):
        visit = draft.get("visit", id)
        if visit is not None and visit.ended is None:
            ended.append(change(draft, Visit, id, {"ended": at, "ended_reason": reason}))
    return ended


def add_knock(draft: Draft, knock: Knock, limit: int) -> None:
    link = find(draft, Link, knock.link)
    if link.share != knock.share or knock.state is not KnockState.WAITING:
        raise ValueError("a new knock waits, at a link of its share")
    check_not_for_ever(draft.get("share", link.share), link)
    waiting = sum(one.link == knock.link and one.state is KnockState.WAITING for one in draft.all("knock"))
    if waiting >= limit:
        raise Denied(Reason.JOIN_LIMIT, f"{waiting} knocks wait at this link")
    add(draft, knock)


def decide_knock(draft: Draft, id: str, state: KnockState, at: float, visit: Visit | None) -> Knock:
    knock = find(draft, Knock, id)
    check_decision(knock, state, visit)
    if visit is None:
        return change(draft, Knock, id, {"state": state, "decided": at})
    opened = open_visit(draft, visit, None)
    return change(draft, Knock, id, {"state": state, "decided": at, "visit": opened.id})


def add_api_token(draft: Draft, token: ApiToken, limit: int, at: float) -> None:
    check_room(draft.all("token"), limit, at)
    add(draft, token)


def ask_once(draft: Draft, asked: AskedOnce, since: float, limit: int) -> None:
    for id in let_go(list(draft.all("asked")), asked, since, limit):
        draft.put("asked", id, None)
    draft.put("asked", asked.id, read_back(asked))


def answer_once(draft: Draft, id: str, answer: bytes, total: int) -> None:
    for one in answered(draft.all("asked"), id, answer, total):
        draft.put("asked", one.id, one)


def unask(draft: Draft, id: str) -> None:
    if draft.get("asked", id) is not None:
        draft.put("asked", id, None)


def add_report(draft: Draft, report: Report, per_share: int, overall: int) -> bool:
    find(draft, Share, report.share)
    known = list(draft.all("report"))
    if said_already(known, read_back(report)):
        return False
    if gone := gives_way(known, report, per_share, overall):
        change(draft, Report, gone, {"closed": report.created, "note": GAVE_WAY})
    add(draft, report)
    return True


def change_report(draft: Draft, id: str, fields: dict[str, Any], was: Mapping[str, Any]) -> Report:
    check_still(find(draft, Report, id), was)
    return change(draft, Report, id, fields)


def add_time_ask(draft: Draft, ask: TimeAsk, limit: int) -> None:
    find(draft, Link, ask.link)
    check_ask(draft.all("time"), ask, limit)
    add(draft, ask)


def change_time_ask(draft: Draft, id: str, fields: dict[str, Any], was: Mapping[str, Any]) -> TimeAsk:
    check_still(find(draft, TimeAsk, id), was)
    return change(draft, TimeAsk, id, fields)


def add_device_code(draft: Draft, code: DeviceCode) -> None:
    find(draft, Visit, code.visit)
    if draft.get("code", code.code_hash) is not None:
        raise ValueError("there is this device code already")
    draft.put("code", code.code_hash, read_back(code))


def spend_device_code(draft: Draft, code_hash: str, visit: Visit, at: float, devices: int) -> Visit:
    code: DeviceCode | None = draft.get("code", code_hash)
    if code is None:
        raise Denied(Reason.DEVICE_CODE_INVALID)
    origin = find(draft, Visit, code.visit)
    person = person_of(code, origin, at)
    held = sum(
        one.kind is VisitKind.DEVICE and one.came_from == person and one.ended is None and one.expires > at
        for one in draft.visits_by(origin.link)
    )
    if held >= devices:
        raise Denied(Reason.DEVICES_TAKEN, f"{held} of {devices}")
    draft.put("code", code_hash, None)
    return open_visit(draft, device_of(visit, origin, person), None)


def put_mail_code(draft: Draft, code: MailCode) -> None:
    draft.put("mailed", code.id, read_back(code))


def try_mail_code(draft: Draft, id: str, code_hash: str, at: float, tries: int) -> bool:
    code: MailCode | None = draft.get("mailed", id)
    if code is None:
        return False
    right, kept = tried(code, code_hash, at, tries)
    draft.put("mailed", id, kept)
    return right


def put_upstream(draft: Draft, upstream: Upstream, token: bytes) -> None:
    draft.put("upstream", upstream.id, upstream, token)


def remove_upstream(draft: Draft, id: str) -> None:
    """Raises NotFound."""
    if draft.get("upstream", id) is None:
        raise NotFound("server", id)
    draft.put("upstream", id, None)
