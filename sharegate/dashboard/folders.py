"""What an owner can choose from: the folders of a server, and of each thing in them whether it can be shared; and what
a visitor of it would reach.

Judged as sharing itself judges (shares/shareable.py, the look at roots) and as visitors' paths are placed (paths.py).
"""

from __future__ import annotations

import asyncio
from typing import Any

from sharegate.dashboard.belonging import Of
from sharegate.dashboard.queries import AtPath
from sharegate.dashboard.routes import Route
from sharegate.dashboard.shapes import choices
from sharegate.errors import Denied, Invalid, NotFound, Refused
from sharegate.paths import CanonicalPath, Place
from sharegate.shares.api_tokens import ApiCapability as Can
from sharegate.shares.interfaces import RootFacts, RootLook
from sharegate.shares.model import RootKind
from sharegate.shares.shareable import check_facts, root_at
from sharegate.upstream.interfaces import UpstreamStore
from sharegate.upstream.listing import Entry, Folders, above

Json = dict[str, Any]
# Looks at the disk at a time.
_AT_ONCE = 8
# Of what lies inside a root, and beside each folder on the way to it, as much as a picture can show.
_INSIDE = 40
_BESIDE = 6
_WORDS = {
    "hidden_path": "hidden, never shared",
    "protected_path": "holds keys or records of sharegate",
    "root_of_server": "the server's own root, which holds everything",
    "link": "a link; share what it leads to",
    "other": "neither file nor folder",
    "bad_name": "its name cannot be part of an address",
    "missing": "cannot be looked at",
}


class Choices:
    """`servers/{id}/browse` and `servers/{id}/reach`."""

    def __init__(self, folders: Folders, look: RootLook, upstreams: UpstreamStore) -> None:
        self._folders = folders
        self._look = look
        self._upstreams = upstreams

    def table(self) -> list[Route]:
        return [
            Route(
                "GET",
                "servers/{id}/browse",
                self._browse,
                "What lies in a folder of a server, and what of it can be shared",
                Can.SHARES_WRITE,
                choices.Browsed,
                query=AtPath,
                of=Of.SERVER,
            ),
            Route(
                "GET",
                "servers/{id}/reach",
                self._reach,
                "What visitors of a share of this would see",
                Can.SHARES_WRITE,
                choices.Reach,
                query=AtPath,
                of=Of.SERVER,
            ),
        ]

    async def _browse(self, parts: dict[str, str], query: dict[str, str], body: Json) -> Json:
        """The folder at `path` ("" is the server's root), itself judged too; at most 1,000 entries."""
        return await self.listed(await self._server(parts["id"]), query.get("path", ""))

    async def listed(self, server: str, path: str) -> Json:
        """The folder `path` of a server that is known."""
        folder = _path(path)
        listing = await self._folders.look(server, folder)
        room = asyncio.Semaphore(_AT_ONCE)
        # A server elsewhere has said what each is: what it would answer for each by itself is the same.
        elsewhere = not await self._folders.seen(server)

        async def judged(entry: Entry) -> Json:
            async with room:
                return await self._judged(server, folder, entry, elsewhere=elsewhere)

        return {
            "server": server,
            "path": str(folder),
            "folder": await self._one(server, str(folder), "directory"),
            "entries": list(await asyncio.gather(*(judged(entry) for entry in listing.entries))),
            "more": listing.more,
        }

    async def _reach(self, parts: dict[str, str], query: dict[str, str], body: Json) -> Json:
        """What visitors of a share of `path` would see: rows from the server's root down, each `told` (only its name),
        `inside` or `outside`. Raises Invalid and Refused as sharing it would."""
        server = await self._server(parts["id"])
        root = root_at(query.get("path", ""))
        facts = check_facts(root, await self._look.look(server, root))
        rows: list[Json] = []
        below: list[Json] = []
        for folder in above(root):
            step = CanonicalPath(root.segments[: len(folder.segments) + 1])
            depth = len(folder.segments)
            listing = await self._folders.look(server, folder, _BESIDE + 1)
            beside = [entry for entry in listing.entries if entry.name != step.name][:_BESIDE]
            more = len(listing.entries) + listing.more - 1 - len(beside)
            if step.segments != root.segments:
                rows.append(_row(step, depth, "directory", _place(step, root)))
            # They stand behind what lies in the folder beside them, as in every tree.
            hidden = [_row(folder.join(_shown(each.name)), depth, each.kind, "outside") for each in beside]
            below = [*hidden, *([_others(depth, more, "outside")] if more > 0 else []), *below]
        kind = "directory" if facts.kind is RootKind.DIRECTORY else _file_kind(root.name)
        rows.append(_row(root, len(root.segments) - 1, kind, "root"))
        if facts.kind is RootKind.DIRECTORY:
            rows += await self._inside(server, root)
        return {"server": server, "path": str(root), "kind": facts.kind.value, "rows": rows + below}

    async def _inside(self, server: str, root: CanonicalPath) -> list[Json]:
        listing = await self._folders.look(server, root, _INSIDE)
        named = {entry.name: path for entry in listing.entries if (path := _below(root, entry.name)) is not None}
        inside = await self._folders.inside(server, root, [name for name, path in named.items() if not path.hidden])
        depth = len(root.segments)
        rows = []
        for entry in listing.entries:
            place = "inside" if entry.name in inside else "outside"
            why = "" if entry.name in inside else "hidden" if entry.name.startswith(".") else "leads out"
            rows.append(_row(root.join(_shown(entry.name)), depth, entry.kind, place, why))
        return [*rows, *([_others(depth, listing.more, "inside")] if listing.more else [])]

    async def _judged(self, server: str, folder: CanonicalPath, entry: Entry, *, elsewhere: bool) -> Json:
        path = _below(folder, entry.name)
        if path is None:
            return _refused(entry.name, "", entry.kind, "bad_name")
        if entry.kind in ("link", "other"):
            # As the look at a root judges, which knows no link; here with the reason.
            return _refused(entry.name, str(path), entry.kind, entry.kind)
        said = RootFacts(RootKind.DIRECTORY if entry.kind == "directory" else RootKind.FILE) if elsewhere else None
        return await self._one(server, str(path), entry.kind, said)

    async def _one(self, server: str, path: str, kind: str, said: RootFacts | None = None) -> Json:
        """`said` is what its server told of it already."""
        name = path.rpartition("/")[2]
        try:
            root = root_at(path)
            check_facts(root, said or await self._look.look(server, root))
        except Refused as refused:
            return _refused(name, path, kind, refused.code)
        except Invalid:
            return _refused(name, path, kind, "missing")
        return {"name": name, "path": path, "kind": kind, "shareable": True, "reason": "", "why": ""}

    async def _server(self, id: str) -> str:
        if not any(upstream.id == id for upstream in await self._upstreams.upstreams()):
            raise NotFound("server", id)
        return id


def _path(text: str) -> CanonicalPath:
    """A folder below the server's root. Raises Invalid, Refused."""
    try:
        path = CanonicalPath.from_body(text.strip("/"))
    except Denied as denied:
        raise Invalid("path", f"is no path of a folder: {denied.detail}", "Choose a folder from the list") from None
    if path.hidden:
        raise Refused("hidden_path", "hidden folders are never shared", "Choose another folder")
    return path


def _below(folder: CanonicalPath, name: str) -> CanonicalPath | None:
    """None for a name that no address can say."""
    try:
        return CanonicalPath.from_body("/".join((*folder.segments, name)))
    except Denied:
        return None


def _shown(name: str) -> str:
    return name.encode("utf-8", "replace").decode()


def _place(path: CanonicalPath, root: CanonicalPath) -> str:
    return "told" if path.place(root) is Place.ANCESTOR else "outside"


def _file_kind(name: str) -> str:
    return "notebook" if name.endswith(".ipynb") else "file"


def _row(path: CanonicalPath, depth: int, kind: str, place: str, why: str = "") -> Json:
    return {"name": path.name, "depth": depth, "kind": kind, "place": place, "why": why, "more": 0}


def _others(depth: int, more: int, place: str) -> Json:
    """So many more."""
    return {"name": "", "depth": depth, "kind": "", "place": place, "why": "", "more": more}


def _refused(name: str, path: str, kind: str, reason: str) -> Json:
    why = _WORDS.get(reason, "cannot be shared")
    return {"name": _shown(name), "path": path, "kind": kind, "shareable": False, "reason": reason, "why": why}
