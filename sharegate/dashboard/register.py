"""All shares in the orders in which lists show them, kept as records change: what a page of a list costs hangs on the
page, not on how many shares there are.

A store tells of each commit, another gate's too; what it told of is looked at again before the next question, and so is
what came to its end by the clock. The first question makes a line for each share.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

from sharegate.audit.events import AuditEvent
from sharegate.dashboard.asking import Asker
from sharegate.dashboard.lines import Line, line
from sharegate.dashboard.ordered import Key, Ordered
from sharegate.errors import StoreUnavailable
from sharegate.shares.interfaces import Change, ShareStore
from sharegate.shares.model import Share
from sharegate.shares.review import digest

# Lines that are made before others have a turn: a few milliseconds.
_AT_ONCE = 50
# Looks at what changed while others had their turn. What came after the last one is told by the next question.
_ROUNDS = 3
# Whose lists somebody sees who owns nothing.
_NOBODYS = "\0"
# What may be part of a label: the end of a share's, and what is told of a link or a visit behind it.
_LABEL = re.compile(r"([a-z0-9]*)\.[a-z]{0,4}[0-9]*\Z")
_SUMS = ("links", "people", "inside", "open", "persons", "knocks")


def whose(who: Asker) -> str | None:
    """Of which owner somebody sees lists; None: of all."""
    return None if who.for_all else who.owner or _NOBODYS


class Register:
    """Ask for `fresh()` first; what is read until somebody else has a turn is of one moment.

    Lists by name, each for all owners (None) and for each of them: `all`, `standing` (neither revoked nor over),
    `visited` (somebody came), `open` (somebody could come back), the oldest first; `ids` by their ids. For all owners
    together also `overview all` and `overview standing` (by owner, the widest known first), `widest` and `unused` (of
    what stands).
    """

    def __init__(self, store: ShareStore, now: Callable[[], float]) -> None:
        self._store = store
        self._now = now
        self._lock = asyncio.Lock()
        self._begun = False
        self._at = 0.0
        self._touched: dict[tuple[str, str], None] = {}
        self._due: set[str] = set()
        self._ends: list[tuple[float, str]] = []
        self._lines: dict[str, Line] = {}
        self._keys: dict[str, list[tuple[str, str | None, Key]]] = {}
        self._lists: defaultdict[tuple[str, str | None], Ordered] = defaultdict(Ordered)
        self._sums: defaultdict[tuple[str, str | None], Counter[str]] = defaultdict(Counter)
        self._knocks: dict[str, str] = {}
        self._used: dict[str, float] = {}
        self._unread: dict[str, None] = {}

    # -- what happens ---------------------------------------------------------------------------------------------

    def changed(self, change: Change) -> None:
        """Called by the store after each commit."""
        if change.kind in ("share", "link", "visit", "knock"):
            self._touched[change.kind, change.id] = None

    def happened(self, event: AuditEvent) -> None:
        """Called by the trail for each recorded event."""
        if event.actor == "visitor" and event.share:
            self.used(event.share, event.at or self._now())

    def used(self, share: str, at: float) -> None:
        """Somebody who visits did something there."""
        if at > self._used.get(share, 0.0):
            self._used[share] = at
            self._due.add(share)

    def unread(self, *, again: bool) -> list[str]:
        """Shares that stand and whose history nobody has looked at yet; `again`: all that stand."""
        if again:
            self._unread = dict.fromkeys(one.share.id for one in self.lines("standing", None, 0))
        for id in [id for id in self._unread if not self._lines[id].stands]:
            del self._unread[id]
        return list(self._unread)

    def read(self, share: str, at: float) -> None:
        """Its history was looked at: a visitor did something there at `at` the last time (0: never)."""
        self._unread.pop(share, None)
        self.used(share, at)

    async def begin(self) -> None:
        """Beside the requests, so that the first question need not wait for a line of each share. Where records cannot
        be read now, it does."""
        with contextlib.suppress(StoreUnavailable):
            await self.fresh()

    # -- reading --------------------------------------------------------------------------------------------------

    async def fresh(self) -> None:
        """Bring it up to now. Raises StoreUnavailable."""
        async with self._lock:
            if not self._begun:
                self._due |= {share.id for share in await self._store.shares()}
                self._begun = True
            for _ in range(_ROUNDS):
                await self._look()
                if not self._due:
                    return
                for at, id in enumerate(list(self._due)):
                    await self._made(id)
                    if at % _AT_ONCE == _AT_ONCE - 1:
                        await asyncio.sleep(0)

    def order(self, name: str, owner: str | None = None) -> Ordered:
        return self._lists.get((name, owner)) or Ordered()

    def line(self, key: Key) -> Line:
        """By a key of a list, or by (id,)."""
        return self._lines[key[-1]]

    def get(self, id: str) -> Line | None:
        return self._lines.get(id)

    def lines(self, name: str, owner: str | None, begin: int) -> Iterator[Line]:
        """From the place `begin` on. Not to be gone on with after others had a turn."""
        found = self.order(name, owner)
        return (self._lines[found[at][-1]] for at in range(begin, len(found)))

    def sums(self, name: str, owner: str | None = None) -> Counter[str]:
        """Of the lists `all` and `standing`: how many `shares`, and what their lines count, in all."""
        return self._sums.get((name, owner), Counter())

    def owners(self, name: str) -> set[str]:
        """Who has something in this list."""
        return {owner for (of, owner), found in self._lists.items() if of == name and owner is not None and found}

    def last(self, line: Line) -> float:
        """When somebody came, or did something, the last time; 0 for never."""
        return max(line.last, self._used.get(line.share.id, 0.0))

    # -- keeping --------------------------------------------------------------------------------------------------

    async def _look(self) -> None:
        """What is to be made anew."""
        now = self._now()
        if now < self._at:  # the clock was set back: what was over may stand again
            self._due |= self._lines.keys()
        self._at = now
        for kind, id in list(self._touched):
            share = await self._share_of(kind, id)
            del self._touched[kind, id]
            if share:
                self._due.add(share)
        while self._ends and self._ends[0][0] <= now:
            until, id = heapq.heappop(self._ends)
            if id in self._lines and self._lines[id].until == until:
                self._due.add(id)

    async def _share_of(self, kind: str, id: str) -> str:
        if kind == "share":
            return id
        if kind == "knock":
            knock = await self._store.knock(id)
            return knock.share if knock is not None else self._knocks.pop(id, "")
        record = await (self._store.link(id) if kind == "link" else self._store.visit(id))
        return record.share if record is not None else ""

    async def _made(self, id: str) -> None:
        share = await self._store.share(id)
        if share is not None:
            links, visits = await self._store.links(id), await self._store.visits(id)
            knocks = await self._store.knocks(share=id, waiting_only=False)
            self._knocks |= {knock.id: id for knock in knocks}
            self._put(line(share, links, visits, knocks, self._at))
        self._due.discard(id)

    def _put(self, new: Line) -> None:
        id = new.share.id
        old = self._lines.get(id)
        before, keys = self._keys.get(id, []), self._keys_of(new)
        if before != keys:
            for name, owner, key in before:
                self._lists[name, owner].remove(key)
            for name, owner, key in keys:
                self._lists[name, owner].add(key)
            self._keys[id] = keys
        if old is not None:
            self._count(old, -1)
        if new.stands and (old is None or not old.stands):
            self._unread[id] = None
        self._count(new, 1)
        self._lines[id] = new
        if new.until != float("inf") and (old is None or old.until != new.until):
            heapq.heappush(self._ends, (new.until, id))

    def _count(self, one: Line, by: int) -> None:
        for name in ("all", "standing") if one.stands else ("all",):
            for owner in (None, one.share.owner):
                sums = self._sums[name, owner]
                sums["shares"] += by
                for field in _SUMS:
                    sums[field] += by * getattr(one, field)

    def _keys_of(self, one: Line) -> list[tuple[str, str | None, Key]]:
        share = one.share
        found: list[tuple[str, str | None, Key]] = [("ids", owner, (share.id,)) for owner in (None, share.owner)]
        in_lists = ["all"]
        in_lists += ["standing"] if one.stands else []
        in_lists += ["visited"] if one.visits else []
        in_lists += ["open"] if one.open else []
        found += [(name, owner, one.place) for name in in_lists for owner in (None, share.owner)]
        overview = (share.owner, one.state != "active", -one.people, share.name, share.id)
        found.append(("overview all", None, overview))
        if one.stands:
            found.append(("overview standing", None, overview))
            found.append(("widest", None, (*(-part for part in one.width.order), share.id)))
            found.append(("unused", None, (max(self.last(one), share.created), share.id)))
        return found

    def holding(self, wanted: str, owner: str | None = None) -> list[Share]:
        """Shares, the oldest first, of which a text holds `wanted` (in small letters): theirs, a link's, a visit's or a
        knock's; or a part of it that a label may be. One text is looked through for each share, nothing is read."""
        label = _LABEL.match(wanted)
        of = label[1] if label is not None else None
        lines = self.lines("all", owner, 0)
        return [one.share for one in lines if wanted in one.text or (of is not None and of in one.share.id)]

    def beginning(self, prefix: str, owner: str | None = None) -> list[Share]:
        """Shares whose id begins so, by their ids."""
        ids, found = self.order("ids", owner), []
        for at in range(ids.before((prefix,)), len(ids)):
            if not ids[at][0].startswith(prefix):
                break
            found.append(self._lines[ids[at][0]].share)
        return found

    def digest(self) -> str:
        """What stands, as the review signs it off (shares/review.py)."""
        return digest((one.share.id, one.said) for one in self.lines("standing", None, 0))
