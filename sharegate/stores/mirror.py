"""The records in memory, as of the last commit: what every request reads, in microseconds and without a thread."""

from __future__ import annotations

import bisect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from sharegate.shares.api_tokens import ApiToken, AskedOnce
from sharegate.shares.interfaces import Change
from sharegate.shares.model import Knock, KnockState, Link, Share, Visit
from sharegate.shares.more_time import TimeAsk, TimeState
from sharegate.shares.reports import Report
from sharegate.stores.writer import Written
from sharegate.upstream.model import Upstream


class _Dated(Protocol):
    @property
    def created(self) -> float: ...


R = TypeVar("R", bound=_Dated)


def _oldest_first(records: Iterable[R]) -> list[R]:
    return sorted(records, key=lambda record: record.created)  # stable: equal times stay in order of arrival


@dataclass(slots=True)
class Mirror:
    """Everything by its id, links and visits also by what they belong to."""

    shares: dict[str, Share] = field(default_factory=dict)
    links: dict[str, Link] = field(default_factory=dict)
    visits: dict[str, Visit] = field(default_factory=dict)
    knocks: dict[str, Knock] = field(default_factory=dict)
    upstreams: dict[str, Upstream] = field(default_factory=dict)
    tokens: dict[str, ApiToken] = field(default_factory=dict)
    asked: dict[str, AskedOnce] = field(default_factory=dict)
    reports: dict[str, Report] = field(default_factory=dict)
    times: dict[str, TimeAsk] = field(default_factory=dict)
    _share_ids: list[str] = field(default_factory=list)  # in the order of the alphabet
    _links_of: dict[str, dict[str, Link]] = field(default_factory=dict)
    _by_code: dict[str, str] = field(default_factory=dict)  # ids of links
    _knocks_of: dict[str, dict[str, Knock]] = field(default_factory=dict)
    _knock_ids: list[str] = field(default_factory=list)  # in the order of the alphabet
    _knocking: dict[str, Knock] = field(default_factory=dict)  # those that wait
    _visits_of: dict[str, dict[str, Visit]] = field(default_factory=dict)
    _visits_by: dict[str, dict[str, Visit]] = field(default_factory=dict)

    def apply(self, written: Iterable[Written]) -> None:
        for one in written:
            match one.record:
                case Share() as share:
                    if one.id not in self.shares:
                        bisect.insort(self._share_ids, one.id)
                    self.shares[one.id] = share
                case Link() as link:
                    before = self.links.get(one.id)
                    if before is not None and before.code_hash and before.code_hash != link.code_hash:
                        self._by_code.pop(before.code_hash, None)
                    if link.code_hash:
                        self._by_code[link.code_hash] = one.id
                    self.links[one.id] = link
                    self._links_of.setdefault(link.share, {})[one.id] = link
                case Visit() as visit:
                    self.visits[one.id] = visit
                    self._visits_of.setdefault(visit.share, {})[one.id] = visit
                    self._visits_by.setdefault(visit.link, {})[one.id] = visit
                case Knock() as knock:
                    if one.id not in self.knocks:
                        bisect.insort(self._knock_ids, one.id)
                    if knock.state is KnockState.WAITING:
                        self._knocking[one.id] = knock
                    else:
                        self._knocking.pop(one.id, None)
                    self.knocks[one.id] = knock
                    self._knocks_of.setdefault(knock.share, {})[one.id] = knock
                case Upstream() as upstream:
                    self.upstreams[one.id] = upstream
                case ApiToken() as token:
                    self.tokens[one.id] = token
                case AskedOnce() as asked:
                    self.asked[one.id] = asked
                case Report() as report:
                    self.reports[one.id] = report
                case TimeAsk() as time:
                    self.times[one.id] = time
                case _ if one.kind == "report":
                    self.reports.pop(one.id, None)
                case _ if one.kind == "time":
                    self.times.pop(one.id, None)
                case _ if one.kind == "asked":
                    self.asked.pop(one.id, None)
                case _ if one.kind == "token":
                    self.tokens.pop(one.id, None)
                case _ if one.kind == "knock":
                    gone = self.knocks.pop(one.id, None)
                    if gone is not None:
                        del self._knocks_of[gone.share][one.id]
                        del self._knock_ids[bisect.bisect_left(self._knock_ids, one.id)]
                        self._knocking.pop(one.id, None)
                case _:  # nothing else is ever removed
                    self.upstreams.pop(one.id, None)

    def by_code(self, code_hash: str) -> Link | None:
        id = self._by_code.get(code_hash) if code_hash else None
        return self.links.get(id) if id is not None else None

    def by_share(self, share: str) -> dict[str, Link]:
        """Links by id, as they are held: not to be changed."""
        return self._links_of.get(share, {})

    def by_link(self, link: str) -> dict[str, Visit]:
        """Visits by id, as they are held: not to be changed."""
        return self._visits_by.get(link, {})

    def links_of(self, share: str) -> list[Link]:
        return _oldest_first(self._links_of.get(share, {}).values())

    def visits_of(self, share: str, link: str | None, open_only: bool) -> list[Visit]:
        found = self._visits_of.get(share, {}) if link is None else self._visits_by.get(link, {})
        return _oldest_first(
            visit for visit in found.values() if visit.share == share and not (open_only and visit.ended is not None)
        )

    def knocks_of(self, share: str | None, waiting_only: bool) -> list[Knock]:
        if share is None:
            return _oldest_first((self._knocking if waiting_only else self.knocks).values())
        return _oldest_first(
            knock
            for knock in self._knocks_of.get(share, {}).values()
            if not waiting_only or knock.state is KnockState.WAITING
        )

    def all_shares(self) -> list[Share]:
        return _oldest_first(self.shares.values())

    def shares_beside(self, id: str) -> list[str]:
        return _beside(self._share_ids, id)

    def knocks_beside(self, id: str) -> list[str]:
        return _beside(self._knock_ids, id)


def _beside(ids: list[str], id: str) -> list[str]:
    at = bisect.bisect_left(ids, id)
    return [other for other in ids[max(0, at - 1) : at + 2] if other != id]


class Mirrored(ABC):
    """What every store reads from its mirror, and whom it tells of what was committed."""

    def __init__(self) -> None:
        self._listeners: dict[object, Callable[[Change], None]] = {}

    @property
    @abstractmethod
    def _mirror(self) -> Mirror:
        """Raises StoreUnavailable when it does not count as true."""

    async def share(self, id: str) -> Share | None:
        return self._mirror.shares.get(id)

    async def link(self, id: str) -> Link | None:
        return self._mirror.links.get(id)

    async def link_by_code(self, code_hash: str) -> Link | None:
        return self._mirror.by_code(code_hash)

    async def visit(self, id: str) -> Visit | None:
        return self._mirror.visits.get(id)

    async def knock(self, id: str) -> Knock | None:
        return self._mirror.knocks.get(id)

    async def shares(self) -> list[Share]:
        return self._mirror.all_shares()

    async def shares_beside(self, id: str) -> list[str]:
        return self._mirror.shares_beside(id)

    async def knocks_beside(self, id: str) -> list[str]:
        return self._mirror.knocks_beside(id)

    async def links(self, share: str) -> list[Link]:
        return self._mirror.links_of(share)

    async def visits(self, share: str, *, link: str | None = None, open_only: bool = False) -> list[Visit]:
        return self._mirror.visits_of(share, link, open_only)

    async def knocks(self, *, share: str | None = None, waiting_only: bool = True) -> list[Knock]:
        return self._mirror.knocks_of(share, waiting_only)

    async def api_tokens(self) -> list[ApiToken]:
        return _oldest_first(self._mirror.tokens.values())

    async def api_token(self, id: str) -> ApiToken | None:
        return self._mirror.tokens.get(id)

    async def reports(self, *, share: str = "", open_only: bool = False) -> list[Report]:
        return _oldest_first(
            one
            for one in self._mirror.reports.values()
            if share in ("", one.share) and not (open_only and one.closed is not None)
        )

    async def report(self, id: str) -> Report | None:
        return self._mirror.reports.get(id)

    async def time_asks(self, *, share: str = "", link: str = "", waiting_only: bool = True) -> list[TimeAsk]:
        return _oldest_first(
            one
            for one in self._mirror.times.values()
            if share in ("", one.share)
            and link in ("", one.link)
            and (one.state is TimeState.WAITING or not waiting_only)
        )

    async def time_ask(self, id: str) -> TimeAsk | None:
        return self._mirror.times.get(id)

    async def asked_once(self, id: str) -> AskedOnce | None:
        return self._mirror.asked.get(id)

    def subscribe(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Call `listener` on the event loop after each commit, another gate's too, in commit order; for our own before
        the writer's caller goes on."""
        token = object()
        self._listeners[token] = listener
        return lambda: self._listeners.pop(token, None) and None
