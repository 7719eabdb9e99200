"""Finding people, paths, links and addresses over all that is and was shared, whoever shared it."""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sharegate.audit.sheet import lines
from sharegate.dashboard.asking import Who
from sharegate.dashboard.belonging import Of
from sharegate.dashboard.interfaces import History
from sharegate.dashboard.queries import PassedOnExport, Wanted, WantedExport
from sharegate.dashboard.register import Register
from sharegate.dashboard.routes import Route
from sharegate.dashboard.shapes import kept, looked
from sharegate.dashboard.views import Views
from sharegate.errors import Invalid
from sharegate.shares.api_tokens import ApiCapability as Can
from sharegate.shares.interfaces import ShareStore
from sharegate.shares.model import Knock, Link, LinkKind, Share, Visit

Json = dict[str, Any]

SHORTEST = 2
MOST = 200
# Shares that are looked at closely before others have a turn.
_AT_ONCE = 50
FOUND = ("kind", "name", "label", "share_name", "owner", "state", "address", "agent", "since", "matched", "id", "share")
PASSED = (
    *("name", "how", "at", "signs", "reason", "count", "share_name", "owner", "from_name"),
    *("link", "visit", "came_from", "share"),
)


@dataclass(frozen=True, slots=True)
class _Found:
    """`matched` says by what."""

    kind: str
    share: Share
    record: Share | Link | Visit | Knock
    matched: str


class Searching:
    """`search`, and its export; the export of `audit/passed-on`."""

    def __init__(self, store: ShareStore, views: Views, history: History, register: Register) -> None:
        self._register = register
        self._store = store
        self._views = views
        self._history = history

    def table(self) -> list[Route]:
        return [
            Route(
                "GET",
                "search",
                self._search,
                "Find people, paths, links and addresses",
                Can.TRAIL_READ,
                looked.FoundPage,
                query=Wanted,
                who=Who.ADMIN,
            ),
            Route(
                "GET",
                "search/export",
                self._export,
                "What is found, as lines",
                Can.TRAIL_READ,
                kept.Exported,
                query=WantedExport,
                who=Who.ADMIN,
            ),
            Route(
                "GET",
                "audit/passed-on/export",
                self._passed_on,
                "Who passed a link on to whom, as lines",
                Can.TRAIL_READ,
                kept.Exported,
                query=PassedOnExport,
                of=Of.WHOLE,
            ),
        ]

    async def _search(self, parts: dict[str, str], query: dict[str, str], body: Json) -> Json:
        found = await self._found(query.get("q", ""))
        return {"found": await self._shown(found[:MOST]), "more": max(0, len(found) - MOST)}

    async def _export(self, parts: dict[str, str], query: dict[str, str], body: Json) -> Json:
        return _page(query, FOUND, await self._shown(await self._found(query.get("q", ""))))

    async def _passed_on(self, parts: dict[str, str], query: dict[str, str], body: Json) -> Json:
        rows = []
        for person, above in _flat(await self._history.passed_on(query.get("share", ""))):
            share = await self._store.share(person["share"])
            more = {
                "share_name": share.name if share else "",
                "owner": share.owner if share else "",
                "from_name": above["name"] if above else "",
            }
            rows.append(person | more)
        return _page(query, PASSED, rows)

    async def _found(self, text: str) -> list[_Found]:
        wanted = text.strip().casefold()
        if len(wanted) < SHORTEST:
            raise Invalid("q", "is too short to look for", f"Give {SHORTEST} characters or more")
        found: list[_Found] = []
        await self._register.fresh()
        for at, share in enumerate(self._candidates(wanted)):
            found += await self._of(share, wanted)
            if at % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)
        return found

    def _candidates(self, wanted: str) -> list[Share]:
        """Shares of which something may be found: none but these are looked at closely."""
        found = {share.id: share for share in self._register.holding(wanted)}
        if "/" in wanted:
            lines = self._register.lines("all", None, 0)
            found |= {line.share.id: line.share for line in lines if _reaches(line.share.root, wanted)}
        if _is_address(wanted):
            # Of an address the network is recorded, which does not hold it as a text.
            inside = functools.cache(functools.partial(_in_network, wanted))
            lines = self._register.lines("all", None, 0)
            found |= {line.share.id: line.share for line in lines if any(map(inside, line.addresses))}
        return sorted(found.values(), key=lambda share: (share.created, share.id))

    async def _shown(self, found: list[_Found]) -> list[Json]:
        """Only what is told is made into rows: a common word is found thousands of times."""
        return [await self._row(one) for one in found]

    async def _row(self, one: _Found) -> Json:
        record = one.record
        if isinstance(record, Share):
            view = await self._views.share(record)
            return _row(one, view) | {"name": record.name or record.root}
        if isinstance(record, Link):
            return _row(one, await self._views.link(record))
        if isinstance(record, Visit):
            return _row(one, await self._views.visit(record))
        return _row(one, await self._views.knock(record))

    async def _of(self, share: Share, wanted: str) -> list[_Found]:
        """What is found of one share, as the records are."""
        label = await self._views.share_label(share.id)
        links = {link.id: link for link in await self._store.links(share.id)}
        labels = {link.id: f"{label}.{link.letter}" for link in links.values()}
        rows: list[_Found] = []
        by = _matched(wanted, name=share.name, label=label, id=share.id, owner=share.owner, path=share.root)
        if not by and _reaches(share.root, wanted):
            by = "what it reaches"
        if by:
            rows.append(_Found("share", share, share, by))
        for link in links.values():
            by = _matched(wanted, name=link.name, label=labels[link.id], id=link.id)
            if by and link.kind is not LinkKind.PREVIEW:
                rows.append(_Found("link", share, link, by))
        for visit in await self._store.visits(share.id):
            own = f"{labels.get(visit.link, '')}{visit.number}"
            if by := _matched_person(wanted, visit) or _matched(wanted, label=own):
                rows.append(_Found("visit", share, visit, by))
        for knock in await self._store.knocks(share=share.id, waiting_only=False):
            if by := _matched_person(wanted, knock):
                rows.append(_Found("knock", share, knock, by))
        return rows


def _row(one: _Found, view: Json) -> Json:
    own = {name: view[name] for name in ("id", "label", "name", "state")}
    of = {"share": one.share.id, "share_name": one.share.name, "owner": one.share.owner}
    who = {name: view.get(name, "") for name in ("address", "agent")}
    return {"kind": one.kind, "matched": one.matched, "since": one.record.created, **own, **of, **who}


def _matched_person(wanted: str, one: Visit | Knock) -> str:
    found = _matched(wanted, name=one.name, id=one.id, address=one.address, browser=one.agent)
    return found or ("address" if _in_network(wanted, one.address) else "")


def _is_address(wanted: str) -> bool:
    try:
        ipaddress.ip_address(wanted)
    except ValueError:
        return False
    return True


def _in_network(wanted: str, address: str) -> bool:
    """Whether a whole address lies in the network that was recorded of it."""
    try:
        return ipaddress.ip_address(wanted) in ipaddress.ip_network(address, strict=False)
    except ValueError:
        return False


def _matched(wanted: str, **texts: str) -> str:
    """The first of these that holds what is wanted, by its name; "" for none."""
    return next((name for name, text in texts.items() if wanted in text.casefold()), "")


def _reaches(root: str, wanted: str) -> bool:
    """Whether a path that somebody looks for lies inside what is shared."""
    root = root.strip("/").casefold()
    path = wanted.strip("/")
    return not root or path == root or path.startswith(root + "/") if "/" in wanted else False


def _flat(trees: list[Json]) -> Iterator[tuple[Json, Json | None]]:
    # Iterative: a chain of people is as long as they like to make it.
    stack: list[tuple[Json, Json | None]] = [(tree, None) for tree in reversed(trees)]
    while stack:
        person, above = stack.pop()
        yield person, above
        stack += [(child, person) for child in reversed(person["onward"])]


def _page(query: dict[str, str], columns: Sequence[str], rows: Iterable[Json]) -> Json:
    """In the shape of `audit/export`: all of it is one page."""
    form = query.get("format", "jsonl")
    if form not in ("jsonl", "csv"):
        raise Invalid("format", f"{form!r} is no format", "Choose jsonl or csv")
    chosen = [[row[column] for column in columns] for row in rows]
    if form == "csv":
        written = [*lines(columns, chosen)]
    else:
        written = [json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False) + "\n" for row in chosen]
    return {"lines": written, "next": "", "events": len(chosen)}
