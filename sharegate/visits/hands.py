"""Raised hands: who asks the owner to run which cell. In memory only; a restart of the gate lowers them all.

An ask is bound to a document that the visit has open and to the exact source (its SHA-256): when the cell is changed
afterwards, by anybody, the ask is over and has to be made anew, so that nobody's yes to one text becomes a yes to
another. The owner runs the cell in a tab of their own or not; nothing in here runs anything.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from sharegate.errors import Denied, NotFound, Reason, Refused
from sharegate.limits import Buckets, Rate
from sharegate.shares.model import Grant, new_id

PER_VISIT = 5
PER_SHARE = 100
# A person asks now and then; asking, taking back and asking again without end would fill the owner's screen and trail.
ASKS = Rate(per=20, seconds=60, burst=20)
# Sources the owner has run, to show what changed since. Together at most 8 MB.
_REMEMBERED = 500
_REMEMBERED_BYTES = 8 << 20


class HandState(StrEnum):
    """What became of an ask. The values are words of the live channel."""

    WAITING = "waiting"
    RAN = "ran"
    DECLINED = "declined"
    CHANGED = "changed"
    MOVED = "moved"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"


def digest_of(source: str) -> str:
    """What an ask is bound to: SHA-256 of the UTF-8, in hexadecimal."""
    return hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()


class Notebooks(Protocol):
    """The notebooks that visitors have open. A room is named as its channel is, by the file's id."""

    def room_of(self, visit: str, upstream: str, path: str) -> str:
        """The room at this path which the visit has open; "" when there is none, or when two rooms claim the path."""

    def sources(self, upstream: str, room: str, path: str) -> Mapping[str, str] | None:
        """Cell id → source as it is now; None when nobody has the room open, or it lies elsewhere by now."""

    async def lies(self, upstream: str, room: str, path: str) -> bool:
        """Whether the room's file lies there, asked of the server now. Denied when the server cannot say."""


class NothingOpen:
    """Fails closed: before there are documents nothing can be asked for."""

    def room_of(self, visit: str, upstream: str, path: str) -> str:
        return ""

    def sources(self, upstream: str, room: str, path: str) -> Mapping[str, str] | None:
        return None

    async def lies(self, upstream: str, room: str, path: str) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Hand:
    """One ask. `before` is the source of this cell that the owner ran last, None when there was none.

    `path` is relative to the server's root, `at` seconds since the epoch.
    """

    id: str
    upstream: str
    share: str
    link: str
    visit: str
    room: str
    path: str
    cell: str
    source: str
    digest: str
    at: float
    state: HandState = HandState.WAITING
    before: str | None = None

    def __repr__(self) -> str:
        return (
            f"<Hand {self.id} {self.state.value} visit={self.visit} {self.path}#{self.cell} {len(self.source)} chars>"
        )


class Hands:
    """All hands that are up. One event loop, no lock. `notebooks` is set by who opens documents. `pace` is the clock of
    the limits, where that is another than the time of day."""

    def __init__(self, now: Callable[[], float], pace: Callable[[], float] | None = None) -> None:
        self._now = now
        self.notebooks: Notebooks = NothingOpen()
        self._up: dict[str, Hand] = {}
        self._pace = Buckets(ASKS, pace or now)
        self._answered: OrderedDict[tuple[str, str, str], str] = OrderedDict()
        self._answered_bytes = 0
        self._listeners: list[Callable[[Hand], None]] = []

    def subscribe(self, listener: Callable[[Hand], None]) -> None:
        """Called with a hand whenever it went up or came to an end. Must not raise."""
        self._listeners.append(listener)

    # -- the visitor's side ---------------------------------------------------------------------------------------

    def ask(self, grant: Grant, path: str, cell: str, source: str) -> Hand:
        """Raise a hand; one for the same cell with another source is lowered (`changed`) first.

        Raises Denied(`request_limit`) when the visit or its share has too many up, or asks too often, and NotFound when
        the visit does not have the notebook open; nothing has changed then.
        """
        room = self.notebooks.room_of(grant.visit.id, grant.share.upstream, path)
        if not room:
            raise NotFound("open notebook", path)
        up = self._find(grant.visit.id, path, cell)
        if up is not None and (up.room, up.digest) == (room, digest_of(source)):
            return up
        mine = len(self.of_visit(grant.visit.id)) - (up is not None)
        if mine >= PER_VISIT or len(self.waiting(grant.share.id)) - (up is not None) >= PER_SHARE:
            raise Denied(Reason.REQUEST_LIMIT, "too many cells wait to be run")
        self._pace.take(grant.visit.id, 1, Reason.REQUEST_LIMIT)
        if up is not None:
            self._end(up, HandState.CHANGED)
        hand = Hand(
            id=new_id(),
            upstream=grant.share.upstream,
            share=grant.share.id,
            link=grant.link.id,
            visit=grant.visit.id,
            room=room,
            path=path,
            cell=cell,
            source=source,
            digest=digest_of(source),
            at=self._now(),
            before=self._answered.get((grant.share.upstream, room, cell)),
        )
        self._up[hand.id] = hand
        self._tell(hand)
        return hand

    def withdraw(self, visit: str, path: str, cell: str) -> Hand | None:
        """Lower the visit's hand for a cell; None when there was none."""
        up = self._find(visit, path, cell)
        return self._end(up, HandState.WITHDRAWN) if up is not None else None

    def forget(self, visit: str) -> None:
        """The visit is over: its hands go down."""
        for hand in self.of_visit(visit):
            self._end(hand, HandState.WITHDRAWN)

    # -- the document's side --------------------------------------------------------------------------------------

    def stand(self, hands: Iterable[Hand]) -> Iterator[tuple[Hand, bool | None]]:
        """Whether the cell of each is now what was asked for; None when nobody has its notebook open there."""
        read: dict[tuple[str, str, str], Mapping[str, str] | None] = {}
        for hand in hands:
            where = hand.upstream, hand.room, hand.path
            if where not in read:
                read[where] = self.notebooks.sources(*where)
            sources = read[where]
            source = sources.get(hand.cell) if sources is not None else None
            yield hand, None if sources is None else source is not None and digest_of(source) == hand.digest

    def lower(self, hand: Hand, state: HandState) -> None:
        """What was asked for is no longer there. Nothing happens when the hand is down already."""
        if hand.id in self._up:
            self._end(hand, state)

    def again(self, hand: Hand) -> None:
        """Say once more that it is up: its cell is what was asked for only now."""
        if hand.id in self._up:
            self._tell(hand)

    def moved(self, upstream: str, path: str) -> None:
        """The document has another name or place now: what was asked for there has to be asked anew."""
        for hand in self.waiting():
            if (hand.upstream, hand.path) == (upstream, path):
                self._end(hand, HandState.MOVED)

    # -- the owner's side -----------------------------------------------------------------------------------------

    def waiting(self, share: str = "") -> list[Hand]:
        """Hands that are up, the oldest first."""
        return [hand for hand in self._up.values() if share in ("", hand.share)]

    def standing(self, share: str = "") -> list[Hand]:
        """Those whose cell is what was asked for in this moment: only these are shown."""
        return [hand for hand, stands in self.stand(self.waiting(share)) if stands]

    async def confirm(self, hand: Hand) -> None:
        """Before the owner's word that it was run. Refused(`changed`) when the notebook is not open there any more, or
        its cell is another one; such a hand goes down."""
        try:
            lies = await self.notebooks.lies(hand.upstream, hand.room, hand.path)
        except Denied:  # fails closed; the hand stays up
            raise Refused("changed", "the server does not say where the notebook is", "Try again") from None
        ((_, stands),) = self.stand([hand])
        if lies and stands:
            return
        if not lies or stands is False:
            self.lower(hand, HandState.CHANGED if lies else HandState.MOVED)
        raise Refused("changed", "the cell is another one by now, or its notebook was closed", "Look at it again")

    def of_visit(self, visit: str) -> list[Hand]:
        return [hand for hand in self._up.values() if hand.visit == visit]

    def get(self, id: str) -> Hand:
        """Raises NotFound."""
        hand = self._up.get(id)
        if hand is None:
            raise NotFound("ask", id)
        return hand

    def answer(self, id: str, state: HandState, digest: str = "") -> Hand:
        """The owner ran the cell, or will not. `digest` is what the owner looked at ("" when they were not asked).

        Raises NotFound when the hand is not up any more, Refused(`changed`) when it was raised for another source.
        """
        hand = self.get(id)
        if digest and digest != hand.digest:
            raise Refused("changed", "the cell is another one by now", "Look at it again")
        if state is HandState.RAN:  # what was declined must be read again, whole
            self._remember((hand.upstream, hand.room, hand.cell), hand.source)
        return self._end(hand, state)

    # -- parts ----------------------------------------------------------------------------------------------------

    def _find(self, visit: str, path: str, cell: str) -> Hand | None:
        wanted = (visit, path, cell)
        return next((hand for hand in self._up.values() if (hand.visit, hand.path, hand.cell) == wanted), None)

    def _end(self, hand: Hand, state: HandState) -> Hand:
        self._up.pop(hand.id, None)
        ended = replace(hand, state=state)
        self._tell(ended)
        return ended

    def _tell(self, hand: Hand) -> None:
        for listener in self._listeners:
            listener(hand)

    def _remember(self, key: tuple[str, str, str], source: str) -> None:
        self._answered_bytes += len(source) - len(self._answered.pop(key, ""))
        self._answered[key] = source
        while len(self._answered) > _REMEMBERED or self._answered_bytes > _REMEMBERED_BYTES:
            _, oldest = self._answered.popitem(last=False)
            self._answered_bytes -= len(oldest)
