"""Finding people, paths, links and addresses over all that is and was shared, whoever shared it."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sharegate.audit.sheet import lines
from sharegate.dashboard.interfaces import History
from sharegate.dashboard.queries import PassedOnExport, Wanted, WantedExport
from sharegate.dashboard.routes import Route
from sharegate.dashboard.shapes import kept, looked
from sharegate.dashboard.views import Views
from sharegate.errors import Invalid
from sharegate.shares.api_tokens import ApiCapability as Can
from sharegate.shares.interfaces import ShareStore
from sharegate.shares.model import Knock, LinkKind, Share, Visit

Json = dict[str, Any]

SHORTEST = 2
MOST = 200
FOUND = ("kind", "name", "label", "share_name", "owner", "state", "address", "agent", "since", "matched", "id", "share")
PASSED = ("name", "how", "at", "signs", "share_name", "owner", "from_name", "link", "visit", "came_from", "share")


class Searching:
    """`search`, and its export; the export of `audit/passed-on`."""

    def __init__(self, store: ShareStore, views: Views, history: History) -> None:
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
            ),
            Route(
                "GET",
                "search/export",
                self._export,
                "What is found, as lines",
                Can.TRAIL_READ,
                kept.Exported,
                query=WantedExport,
            ),
            Route(
                "GET",
                "audit/passed-on/export",
                self._passed_on,
                "Who passed a link on to whom, as lines",
                Can.TRAIL_READ,
                kept.Exported,
                query=PassedOnExport,
            ),
        ]

    async def _search(self, parts: dict[str, str], query: dict[str, str], body: Json) -> Json:
        found = await self._found(query.get("q", ""))
        return {"found": found[:MOST], "more": max(0, len(found) - MOST)}

    async def _export(self, parts: dict[str, str], query: dict[str, str], body: Json) -> Json:
        return _page(query, FOUND, await self._found(query.get("q", "")))

    async def _passed_on(self, parts: dict[str, str], query: dict[str, str], body: Json) -> Json:
        shares = {share.id: share for share in await self._store.shares()}
        rows = []
        for person, above in _flat(await self._history.passed_on(query.get("share", ""))):
            share = shares.get(person["share"])
            more = {
                "share_name": share.name if share else "",
                "owner": share.owner if share else "",
                "from_name": above["name"] if above else "",
            }
            rows.append(person | more)
        return _page(query, PASSED, rows)

    async def _found(self, text: str) -> list[Json]:
        wanted = text.strip().casefold()
        if len(wanted) < SHORTEST:
            raise Invalid("q", "is too short to look for", f"Give {SHORTEST} characters or more")
        found: list[Json] = []
        for share in await self._store.shares():
            found += await self._of(share, wanted)
        return found

    async def _of(self, share: Share, wanted: str) -> list[Json]:
        """What is found of one share. A record is shown only where it matches: most do not."""
        label = await self._views.share_label(share.id)
        links = {link.id: link for link in await self._store.links(share.id)}
        labels = {link.id: f"{label}.{link.letter}" for link in links.values()}
        rows: list[Json] = []
        by = _matched(wanted, name=share.name, label=label, id=share.id, owner=share.owner, path=share.root)
        if not by and _reaches(share.root, wanted):
            by = "what it reaches"
        if by:
            view = await self._views.share(share)
            rows.append(_row("share", share, view, by, share.created) | {"name": share.name or share.root})
        for link in links.values():
            by = _matched(wanted, name=link.name, label=labels[link.id], id=link.id)
            if by and link.kind is not LinkKind.PREVIEW:
                rows.append(_row("link", share, await self._views.link(link), by, link.created))
        for visit in await self._store.visits(share.id):
            own = f"{labels.get(visit.link, '')}{visit.number}"
            if by := _matched_person(wanted, visit) or _matched(wanted, label=own):
                rows.append(_row("visit", share, await self._views.visit(visit), by, visit.created))
        for knock in await self._store.knocks(share=share.id, waiting_only=False):
            if by := _matched_person(wanted, knock):
                rows.append(_row("knock", share, await self._views.knock(knock), by, knock.created))
        return rows


def _row(kind: str, share: Share, view: Json, by: str, since: float) -> Json:
    own = {name: view[name] for name in ("id", "label", "name", "state")}
    of = {"share": share.id, "share_name": share.name, "owner": share.owner}
    who = {name: view.get(name, "") for name in ("address", "agent")}
    return {"kind": kind, "matched": by, "since": since, **own, **of, **who}


def _matched_person(wanted: str, one: Visit | Knock) -> str:
    found = _matched(wanted, name=one.name, id=one.id, address=one.address, browser=one.agent)
    return found or ("address" if _in_network(wanted, one.address) else "")


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
