"""Erasing what identifies somebody: which entries are about them, and blanking those.

Who is meant is more than a name, so all entries are read. Only `personal` goes: the chain holds.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from sharegate.audit.chain import opened
from sharegate.audit.events import Action, AuditEvent, folded
from sharegate.audit.interfaces import AuditStore, Held, Mark, Query, Sealed

# Why the visits of who is forgotten ended.
ERASED = "erased"
_PAGE = 2000
_KNOCKS = frozenset({Action.KNOCK_MADE, Action.KNOCK_ADMITTED, Action.KNOCK_REFUSED})
# Who is seen at somebody's link so may be somebody else.
_OTHERS = _KNOCKS | {Action.LINK_PASSED_ON}


@dataclass(frozen=True, slots=True)
class Whose:
    """Who is to be forgotten. `names` are folded; `signs` are (link, folded name) of those who knocked: what was seen
    of them before they knocked has no other handle. `links` are for nobody but them. `share`: everybody of it."""

    visits: frozenset[str] = frozenset()
    links: frozenset[str] = frozenset()
    knocks: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    signs: frozenset[tuple[str, str]] = frozenset()
    share: str = ""

    def concerns(self, event: AuditEvent) -> bool:
        name = folded(event.name)
        return (
            event.visit in self.visits
            or (bool(self.share) and event.share == self.share)
            or name in self.names
            or (event.link in self.links and not event.visit and event.action not in _OTHERS)
            or (event.action in _KNOCKS and event.detail in self.knocks)
            or (event.action is Action.LINK_PASSED_ON and (event.link, name) in self.signs)
        )


class Erasure:
    """Reads and blanks the trail of a store."""

    def __init__(self, store: AuditStore) -> None:
        self._store = store

    async def count(self, whose: Whose) -> int:
        """How many entries `erase` would blank."""
        return sum([len(found) for _, found in await self._found(whose, {})])

    async def erase(self, whose: Whose, read: dict[str, int]) -> int:
        """Blank them, and return how many. What is recorded meanwhile may be missed: call it until it finds nothing.
        `read` says how far each writer's entries were read before, and is kept up to date."""
        erased = 0
        for writer, found in await self._found(whose, read):
            erased += await self._store.erase_events(writer, found)
        return erased

    async def knocked(self, visits: Iterable[str]) -> frozenset[str]:
        """The knocks by which these visits were let in. The records of knocks go after a while, the entries stay."""
        asked = [Query(visit=visit, action=Action.KNOCK_ADMITTED.value, limit=_PAGE) for visit in visits]
        return frozenset({event.detail for query in asked async for event in self._events(query)} - {""})

    async def knocked_as(self, names: frozenset[str]) -> frozenset[str]:
        """The knocks of those who said one of these (folded) names: for what is recorded of them otherwise."""
        asked = Query(action=Action.KNOCK_MADE.value, limit=_PAGE)
        return frozenset({event.detail async for event in self._events(asked) if folded(event.name) in names} - {""})

    async def proved(self, ids: frozenset[str]) -> frozenset[str]:
        """The addresses and accounts that were proved for these visits and knocks."""
        found: set[str] = set()
        for action in (Action.CODE_PROVED, Action.ACCOUNT_PROVED):
            events = self._events(Query(action=action.value, limit=_PAGE))
            found |= {event.name async for event in events if event.visit in ids or event.detail in ids}
        return frozenset(found - {""})

    async def _events(self, asked: Query) -> AsyncIterator[AuditEvent]:
        after: Mark | None = None
        while True:
            page = await self._store.page(asked, after)
            for one in page.events:
                yield opened(one)
            after = page.after
            if after is None:
                return

    async def several(self) -> bool:
        """Whether more than one gate has written."""
        return len(await self._store.writers()) > 1

    async def held(self, moments: tuple[float, ...]) -> Held:
        return await self._store.held(moments)

    async def _found(self, whose: Whose, read: dict[str, int]) -> list[tuple[str, list[int]]]:
        return [
            (writer, [one.seq async for one in self._personal(writer, read) if whose.concerns(opened(one))])
            for writer in await self._store.writers()
        ]

    async def _personal(self, writer: str, read: dict[str, int]) -> AsyncIterator[Sealed]:
        while page := await self._store.read(Query(writer=writer, after_seq=read.get(writer, 0), limit=_PAGE)):
            for sealed in page:
                if sealed.personal:
                    yield sealed
            read[writer] = page[-1].seq
