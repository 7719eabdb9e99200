"""The owner's verbs on versions: list, show, compare, take, restore, undo a visit."""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from sharegate.audit.events import Action, AuditEvent, Outcome
from sharegate.audit.interfaces import Recorder
from sharegate.dashboard import previews
from sharegate.dashboard.asking import asker
from sharegate.dashboard.belonging import Of, check_own
from sharegate.dashboard.bodies import RestoreBody, SnapshotBody, UndoBody, number
from sharegate.dashboard.interfaces import Servers
from sharegate.dashboard.queries import WhichVersions, With
from sharegate.dashboard.routes import Route
from sharegate.dashboard.shapes import kept
from sharegate.dashboard.views import Views, short
from sharegate.errors import Denied, Invalid, NotFound, Refused, SharegateError, Unreachable
from sharegate.paths import CanonicalPath
from sharegate.shares.api_tokens import ApiCapability as Can
from sharegate.shares.interfaces import ShareStore
from sharegate.shares.model import Visit
from sharegate.upstream.interfaces import UpstreamStore
from sharegate.versions.diff import Difference, difference
from sharegate.versions.interfaces import EditStore, LiveDocuments
from sharegate.versions.model import Content, Kind, Place, Snapshot
from sharegate.versions.restore import plan, with_cells
from sharegate.versions.snapshots import Keeper

Json = dict[str, Any]
_MOST_LISTED = 1000
_MOST_NAMED = 5


class Versions:
    """Handlers of the owner's API. What changes a live document needs `live`, which only a running gate has."""

    def __init__(
        self,
        *,
        keeper: Keeper,
        edits: EditStore,
        servers: Servers,
        store: ShareStore,
        upstreams: UpstreamStore,
        views: Views,
        trail: Recorder,
    ) -> None:
        self._keeper = keeper
        self._edits = edits
        self._servers = servers
        self._store = store
        self._upstreams = upstreams
        self._views = views
        self._trail = trail
        self.live: LiveDocuments | None = None

    def table(self) -> list[Route]:
        return [
            Route(
                "GET",
                "snapshots",
                self._list,
                "Kept versions, the newest first",
                Can.VERSIONS_READ,
                kept.Snapshots,
                query=WhichVersions,
                of=Of.WHOLE,
            ),
            Route(
                "POST",
                "snapshots",
                self._take,
                "Keep a document as it is now",
                Can.VERSIONS_WRITE,
                kept.OneSnapshot,
                body=SnapshotBody,
                of=Of.LISTED,
            ),
            Route(
                "GET",
                "snapshots/{id}",
                self._show,
                "A version with its content",
                Can.VERSIONS_READ,
                kept.SnapshotContent,
                of=Of.VERSION,
            ),
            Route(
                "GET",
                "snapshots/{id}/difference",
                self._compare,
                "What differs from another version, or from now",
                Can.VERSIONS_READ,
                kept.Compared,
                query=With,
                of=Of.VERSION,
            ),
            Route(
                "POST",
                "snapshots/{id}/restore",
                self._restore,
                "Bring a version back, whole or in cells",
                Can.VERSIONS_WRITE,
                kept.Restored,
                body=RestoreBody,
                of=Of.VERSION,
            ),
            Route(
                "POST",
                "visits/{id}/undo",
                self._undo,
                "Take back what a visitor changed",
                Can.VERSIONS_WRITE,
                kept.Undone,
                body=UndoBody,
                of=Of.VISIT,
            ),
        ]

    # -- reading --------------------------------------------------------------------------------------------------

    async def _list(self, parts: dict[str, str], query: dict[str, str], body: Json) -> Json:
        upstream, path, file, server = "", "", "", query.get("server", "")
        if query.get("path"):
            upstream, path = await self._document(query["path"], server)
            file = await self._file_at(upstream, path)
        elif server:
            upstream = (await self._servers.for_path("", server, asker()))[0].id
        limit = min(int(number(query, "limit", "Give how many versions")) or 100, _MOST_LISTED)
        if query.get("share"):
            found = (await self._of_share(query["share"]))[:limit]
        else:
            found = await self._keeper.list(upstream=upstream, path=path, file=file, limit=limit)
        ids = [one.id for one in await self._keeper.list()]
        return {"snapshots": [await self._view(one, ids) for one in found]}

    async def _of_share(self, id: str) -> list[Snapshot]:
        """Versions of what lies in a share's root, whoever they were kept for; the newest first."""
        share = await self._store.share(id)
        if share is None:
            raise NotFound("share", id)
        root = share.root
        everything = await self._keeper.list(upstream=share.upstream)
        return [one for one in everything if one.path == root or one.path.startswith(root + "/")]

    async def owner(self, id: str) -> str | None:
        """Whose server's document it is of; None for no version that there is."""
        try:
            snapshot = await self._keeper.find(id)
        except NotFound:
            return None
        return await self._owner_of(snapshot.upstream)

    async def _owner_of(self, upstream: str) -> str | None:
        return next((one.owner for one in await self._upstreams.upstreams() if one.id == upstream), None)

    async def _show(self, parts: dict[str, str], query: dict[str, str], body: Json) -> Json:
        snapshot = await self._keeper.find(parts["id"])
        content = await self._keeper.content(snapshot)
        return {"snapshot": await self._view(snapshot), **_said(content)}

    async def _compare(self, parts: dict[str, str], query: dict[str, str], body: Json) -> Json:
        """With another snapshot (`with`), else with the document as it is now."""
        snapshot = await self._keeper.find(parts["id"])
        before = await self._keeper.content(snapshot)
        other = await self._keeper.find(query["with"]) if query.get("with") else None
        if other is not None:
            check_own("version", query["with"], await self.owner(other.id) or "")
        if other is not None:
            after = await self._keeper.content(other)
        else:
            live = self._live()
            after = await live.present(snapshot.upstream, await self._where(live, snapshot))
        return {
            "before": await self._view(snapshot),
            "after": await self._view(other) if other is not None else None,
            "difference": difference(before, after).to_json(),
        }

    # -- live documents -------------------------------------------------------------------------------------------

    async def _take(self, parts: dict[str, str], query: dict[str, str], body: Json) -> Json:
        asked = msgspec.convert(body, SnapshotBody)
        upstream, path = await self._document(asked.path, asked.server)
        snapshot = await self._live().take(upstream, path)
        await self._trail.record(
            AuditEvent(action=Action.SNAPSHOT_TAKEN, actor="owner", path=path, detail=f"{snapshot.id} asked")
        )
        return {"snapshot": await self._view(snapshot)}

    async def _restore(self, parts: dict[str, str], query: dict[str, str], body: Json) -> Json:
        asked = msgspec.convert(body, RestoreBody)
        snapshot = await self._keeper.find(parts["id"])
        wanted = await self._keeper.content(snapshot)
        cells = tuple(asked.cells) if asked.cells is not None else None
        live = self._live()
        path = await self._where(live, snapshot)
        present = await self._present(live, snapshot.upstream, path)
        if present is None and cells is not None:
            raise Invalid("cell", "the file is gone", "Restore it whole: leave out --cell")
        view = await self._view(snapshot)
        answer: Json = {"snapshot": view, "path": path, "missing": present is None, "before": None}
        changes = Difference() if present is None else _changes(present, wanted, cells)
        answer["difference"] = changes.to_json()
        if asked.preview or (present is not None and not changes):
            return answer | {"restored": False}
        detail = f"to {snapshot.id}" + (f", cells {' '.join(cells)}" if cells is not None else "")
        event = AuditEvent(action=Action.DOCUMENT_RESTORED, actor="owner", path=path, detail=detail)
        try:
            done = await live.restore(snapshot.upstream, path, wanted, cells)
        except SharegateError:
            await self._trail.record(msgspec.structs.replace(event, outcome=Outcome.FAILED))
            raise
        # It has happened, also when it cannot be recorded; the version before is kept.
        await self._trail.record(event)
        before = await self._view(done.before) if done.before is not None else None
        return answer | {"restored": True, "before": before}

    async def _undo(self, parts: dict[str, str], query: dict[str, str], body: Json) -> Json:
        asked = msgspec.convert(body, UndoBody)
        visit = await self._store.visit(parts["id"])
        if visit is None:
            raise NotFound("visit", parts["id"])
        live = self._live()
        await live.flush()
        places = _latest(await self._edits.edited_by(visit.id))
        if asked.path:
            upstream, path = await self._document(asked.path, "")
            there = [place for place in places if place.upstream == upstream]
            # Under the name it has, or under the one it had where nothing else has it.
            places = [place for place in there if await self._now(live, place) == path] or [
                place for place in there if place.path == path
            ]
        if not places:
            raise await self._nothing_to_undo(visit, asked.path)
        documents: list[Json] = []
        digest = ""
        if asked.preview or asked.digest:
            documents = [await self._undo_in(live, place, visit, preview=True) for place in places]
            documents = [one | {"digest": _digest([one])} for one in documents]
            digest = _digest(documents)
        if not asked.preview:
            previews.check(asked.digest, digest)
            documents = [await self._undo_in(live, place, visit, preview=False) for place in places]
        answer = {"visit": await self._views.visit(visit), "documents": documents, "undone": not asked.preview}
        return answer | {"digest": digest}

    async def _nothing_to_undo(self, visit: Visit, path: str) -> Refused:
        everything = await self._keeper.list()
        ids = [one.id for one in everything]
        kept = [f"{short(one.id, ids)} ({one.path})" for one in everything if one.visit == visit.id]
        where = f" in {path}" if path else ""
        named = ", ".join(kept[:_MOST_NAMED]) + (" and more" if len(kept) > _MOST_NAMED else "")
        return Refused(
            "nothing_to_undo",
            "undo covers edits in live documents, not files that were deleted, uploaded or renamed; no such edit of "
            f"this visit is kept{where}",
            (f"Versions kept before this visit changed files: {named}. " if kept else "")
            + "See `sharegate snapshot list`, and go back with `sharegate snapshot restore ID`",
        )

    async def _undo_in(self, live: LiveDocuments, place: Place, visit: Visit, *, preview: bool) -> Json:
        """One document of several: what fails in one does not keep the others from being mended."""
        event = AuditEvent(
            action=Action.DOCUMENT_UNDONE,
            actor="owner",
            share=visit.share,
            link=visit.link,
            visit=visit.id,
            name=visit.name,
            path=(path := await self._now(live, place)),
        )
        answer: Json = {"path": path, "server": place.upstream, "report": None, "before": None, "problem": ""}
        try:
            done = await live.undo(place, visit.id, preview=preview)
        except SharegateError as error:
            if not preview:
                await self._trail.record(msgspec.structs.replace(event, outcome=Outcome.FAILED))
            return answer | {"problem": str(error)}
        if not preview:
            await self._trail.record(event)
        before = await self._view(done.before) if done.before is not None else None
        others = {name for cell in done.report.get("cells", ()) for name in cell.get("others", ()) if name}
        return answer | {"report": done.report, "before": before, "names": await self._names(others)}

    # -- parts ----------------------------------------------------------------------------------------------------

    def _live(self) -> LiveDocuments:
        if self.live is None:
            raise Unreachable("no gate runs here, so that no document is open; start one with `sharegate up`")
        return self.live

    async def _where(self, live: LiveDocuments, snapshot: Snapshot) -> str:
        """Where the version's file lies by now; where it lay, if the server does not know it any more."""
        now = await live.path_of(snapshot.upstream, snapshot.file) if snapshot.file else None
        return now or snapshot.path

    async def _now(self, live: LiveDocuments, place: Place) -> str:
        try:
            return await live.path_of(place.upstream, place.file) or place.path
        except SharegateError:  # its server is away: told when that document's turn comes
            return place.path

    async def _file_at(self, upstream: str, path: str) -> str:
        try:
            return await self.live.file_at(upstream, path) if self.live is not None else ""
        except SharegateError:  # fails open: what was kept under this name is listed all the same
            return ""

    async def _present(self, live: LiveDocuments, upstream: str, path: str) -> Content | None:
        try:
            return await live.present(upstream, path)
        except NotFound:
            return None  # a file that was deleted is made again

    async def _document(self, path: str, server: str) -> tuple[str, str]:
        if not path or "\x00" in path or set(path.strip("/").split("/")) & {"", ".", ".."}:
            raise Invalid("path", "is no path of a file", "Give the file's path")
        upstream, below = await self._servers.for_path(path, server, asker())
        try:
            CanonicalPath.from_body(below)
        except Denied as denied:
            raise Invalid("path", f"is no path of a file: {denied.detail}", "Give the file's path") from None
        return upstream.id, below

    async def _view(self, snapshot: Snapshot, ids: list[str] | None = None) -> Json:
        names = await self._names({snapshot.visit} if snapshot.visit else set())
        others = ids if ids is not None else [one.id for one in await self._keeper.list()]
        shown = msgspec.structs.asdict(snapshot) | {"label": short(snapshot.id, others)}
        return {
            **{name: value for name, value in shown.items() if name != "upstream"},
            "kind": snapshot.kind.value,
            "cause": snapshot.cause.value,
            "server": snapshot.upstream,
            "by": names.get(snapshot.visit, ""),
        }

    async def _names(self, visits: set[str]) -> dict[str, str]:
        """Visits as people know them: name and label."""
        named = {}
        for id in sorted(visits):
            visit = await self._store.visit(id)
            if visit is not None:
                label = await self._views.visit_label(visit)
                named[id] = f"{visit.name} ({label})" if visit.name else label
        return named


def _digest(documents: list[Json]) -> str:
    return previews.digest([[one["server"], one["path"], one["report"], one["problem"]] for one in documents])


def _changes(present: Content, wanted: Content, cells: tuple[str, ...] | None) -> Difference:
    """What a restore would change. Raises Invalid or NotFound for what cannot be restored."""
    if cells is None and (wanted.kind is Kind.BYTES or present.kind is not wanted.kind):
        return difference(present, wanted)  # the whole file is put back
    plan(present, wanted, cells)
    return difference(present, wanted if cells is None else with_cells(present, wanted, list(cells)))


def _latest(places: list[Place]) -> list[Place]:
    """Of several epochs of one file the last that was written in: the others are its past, or of documents that are no
    more."""
    found: dict[tuple[str, str], Place] = {}
    for place in places:
        found.setdefault((place.upstream, place.file), place)
    return list(found.values())


def _said(content: Content) -> Json:
    """`data` is base64."""
    bytes_ = base64.b64encode(content.data).decode() if content.kind is Kind.BYTES else None
    text = content.text if content.kind is Kind.TEXT else None
    return {"notebook": content.notebook, "text": text, "data": bytes_}
