"""What each visitor is called inside a document: one name for a person, no two persons with the same.

A name that the owner wrote on a link stands as it is; one that somebody typed at the door stands in quotation marks
(`“Bo”`); whoever comes second by a name is "Bo (2)" while the first is there. Names of the owner's side come before
all visitors'. Lives in memory: when the gate starts again, who is still in gets a name in the order of coming.
"""

from __future__ import annotations

import asyncio
import contextlib
import unicodedata
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from sharegate.errors import StoreUnavailable
from sharegate.lab import synthetic
from sharegate.shares.interfaces import Change
from sharegate.shares.model import Grant, Link, LinkKind, Share, Visit, VisitKind
from sharegate.visits.entry import by_own_link

REMEMBERED = 10_000
OWNERS = 256

# Quotation marks say who vouches for a name, so nobody types them into one.
_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»‹›〝〞〟＂", "'"))


class Records(Protocol):
    """What is read of the store."""

    async def share(self, id: str) -> Share | None: ...
    async def link(self, id: str) -> Link | None: ...
    async def shares(self) -> list[Share]: ...
    async def links(self, share: str) -> list[Link]: ...
    async def visits(self, share: str, *, link: str | None = None, open_only: bool = False) -> list[Visit]: ...
    async def visit(self, id: str) -> Visit | None: ...


@dataclass(frozen=True, slots=True)
class _Stay:
    """What ends a visit: the visit, its link, its share, the time."""

    ids: tuple[str, str, str]
    expires: float


@dataclass(slots=True)
class _Person:
    """`plain` is the name without a number, `shown` with it. `stays` are this person's browsers, by visit."""

    plain: str
    shown: str
    typed: bool
    stays: dict[str, _Stay] = field(default_factory=dict)


@dataclass(slots=True)
class _Place:
    """The people at one upstream: by their first visit, and by folded name. `owners` are names of the owner's side."""

    people: OrderedDict[str, _Person] = field(default_factory=OrderedDict)
    taken: dict[str, str] = field(default_factory=dict)
    owners: OrderedDict[str, None] = field(default_factory=OrderedDict)


class Names:
    """One per gate. A person's name is free when all their visits are over."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._places: dict[str, _Place] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def of(self, grant: Grant) -> str:
        """The name to show; the same for all devices of a person, and for as long as the visit lasts unless the owner's
        side turns out to have it."""
        return self._of(grant.share, grant.link, grant.visit, grant.expires)

    def identity(self, grant: Grant) -> dict[str, Any]:
        """The visit's Jupyter identity: what `/api/me` says and what stands at the cursor."""
        return synthetic.identity(grant, self.of(grant))

    def heard(self, upstream: str, username: str, name: str) -> None:
        """Somebody on the owner's side has this name. What an earlier run of a gate said of a visitor is not that."""
        if not username.startswith(synthetic.HANDLE):
            self._reserve(self._places.setdefault(upstream, _Place()), name)

    async def open(self, records: Records) -> None:
        """Once at the start: who is in gets a name, in the order of coming. Raises StoreUnavailable."""
        found = []
        for share in await records.shares():
            links = {link.id: link for link in await records.links(share.id) if link.revoked is None}
            for visit in await records.visits(share.id, open_only=True):
                if share.revoked is None and visit.link in links:
                    found.append((visit.created, share, links[visit.link], visit))
        for _, share, link, visit in sorted(found, key=lambda each: each[0]):
            self._of(share, link, visit, min(share.expires, link.expires, visit.expires))

    def changed(self, change: Change, records: Records) -> None:
        """Called after each commit of the store: what ended gives its names back."""
        if change.kind in ("share", "link", "visit"):
            task = asyncio.get_running_loop().create_task(self._look(change, records))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _look(self, change: Change, records: Records) -> None:
        with contextlib.suppress(StoreUnavailable):  # the name stays taken; nobody gets one that may be somebody's
            if change.kind == "visit":
                visit = await records.visit(change.id)
                over = visit is None or visit.ended is not None
            else:
                read = records.share if change.kind == "share" else records.link
                record = await read(change.id)
                over = record is None or record.revoked is not None
            if over:
                self.gone(change.id)

    def gone(self, id: str) -> None:
        """The visit, or all visits of the link or share, are over."""
        for place in self._places.values():
            for first, person in list(place.people.items()):
                person.stays = {visit: stay for visit, stay in person.stays.items() if id not in stay.ids}
                if not person.stays:
                    self._drop(place, first)

    def _of(self, share: Share, link: Link, visit: Visit, expires: float) -> str:
        place = self._places.setdefault(share.upstream, _Place())
        self._reserve(place, share.owner)
        id = visit.came_from if visit.kind is VisitKind.DEVICE and visit.came_from else visit.id
        known = place.people.get(id)
        # A device takes its person's word with it: a name that was typed is no more certain on a second screen.
        vouched = by_own_link(link, visit) or bool(visit.email) or visit.account is not None
        typed = not vouched or (visit.kind is VisitKind.DEVICE and known is not None and known.typed)
        plain = _plain(synthetic.called(link, visit), link, typed=typed and bool(visit.name))
        if known is None or known.plain != plain:
            stays = known.stays if known is not None else {}
            self._drop(place, id)
            known = place.people[id] = _Person(plain, "", typed, stays)
            self._name(place, id, known)
        known.stays[visit.id] = _Stay((visit.id, link.id, share.id), expires)
        place.people.move_to_end(id)
        if len(place.people) > REMEMBERED:
            self._drop(place, next(iter(place.people)))
        return known.shown

    def _reserve(self, place: _Place, name: str) -> None:
        """The owner's side has this name; a visitor who has it gets a number."""
        folded = fold(name)
        if not folded:
            return
        place.owners[folded] = None
        place.owners.move_to_end(folded)
        if len(place.owners) > OWNERS:
            place.owners.popitem(last=False)
        id = place.taken.pop(folded, None)
        if id is not None:
            self._name(place, id, place.people[id])

    def _name(self, place: _Place, id: str, person: _Person) -> None:
        number, person.shown = 1, person.plain
        while self._is_taken(place, folded := fold(person.shown)):
            number += 1
            person.shown = f"{person.plain} ({number})"
        place.taken[folded] = id

    def _is_taken(self, place: _Place, folded: str) -> bool:
        holder = place.taken.get(folded)
        if holder is not None and all(stay.expires <= self._now() for stay in place.people[holder].stays.values()):
            self._drop(place, holder)
        return folded in place.taken or folded in place.owners

    @staticmethod
    def _drop(place: _Place, id: str) -> None:
        person = place.people.pop(id, None)
        if person is not None:
            place.taken.pop(fold(person.shown), None)


def fold(name: str) -> str:
    """Names with the same fold look alike: case, width, spaces and signs do not tell people apart. Letters of two
    scripts that look the same are not found out."""
    folded = unicodedata.normalize("NFD", name).casefold()
    # A compatibility caseless match (Unicode Standard, D146).
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKD", folded).casefold())
    return "".join(char for char in folded if char.isalnum()) or folded


def _plain(name: str, link: Link, *, typed: bool) -> str:
    if link.kind is LinkKind.PREVIEW:
        return "Preview"
    return f"“{name.translate(_QUOTES)}”" if typed else name
