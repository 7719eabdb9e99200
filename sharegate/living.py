"""The owner's commands on live documents: look, keep, restore, take back a person's work. And what visitors delete or
replace, which is kept before."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Protocol

from sharegate.audit.events import Action, AuditEvent
from sharegate.audit.interfaces import Recorder
from sharegate.channels.epoch import Epoch
from sharegate.channels.guard import KINDS
from sharegate.channels.history import contained
from sharegate.channels.room import Room
from sharegate.documents import Documents
from sharegate.errors import AccountFull, Denied, Invalid, NotFound, Reason, Refused, StoreUnavailable
from sharegate.keeping import Keeping, content_of
from sharegate.paths import CanonicalPath
from sharegate.shares.model import Grant
from sharegate.upstream.interfaces import Forwarder, Outgoing, UpstreamDirectory
from sharegate.upstream.model import Upstream
from sharegate.versions.edits import logs_to_undo, wrote_in
from sharegate.versions.interfaces import Done, EditStore
from sharegate.versions.model import Cause, Content, Edit, EditKind, Kind, Place, Snapshot
from sharegate.versions.restore import apply, plan
from sharegate.versions.snapshots import NOBODY, Keeper, OnAccount
from sharegate.versions.undo import take_back
from sharegate.versions.wholes import Wholes, measured

# A file larger than this is not kept, and so not deleted or replaced by visitors.
MOST_BYTES = 64 << 20
# Files and folders of one folder that is deleted.
MOST_FILES = 1000
_MODEL_LIMIT = 1 << 20


class Links(Protocol):
    """A look at the disk of a server."""

    async def links(self, grant: Grant, upstream: Upstream, directory: tuple[str, ...], names: list[str]) -> set[str]:
        """Which names of a folder of the share are links, as far as its disk is seen."""


class Living:
    """Implements versions.interfaces.LiveDocuments and writing.interfaces.Keeping."""

    def __init__(
        self,
        *,
        documents: Documents,
        upstreams: UpstreamDirectory,
        forwarder: Forwarder,
        links: Links,
        keeping: Keeping,
        keeper: Keeper,
        edits: EditStore,
        trail: Recorder,
        now: Callable[[], float],
    ) -> None:
        self._documents = documents
        self._upstreams = upstreams
        self._forwarder = forwarder
        self._links = links
        self._keeping = keeping
        self._keeper = keeper
        self._edits = edits
        self._trail = trail
        self._now = now
        self._wholes = Wholes()

    # -- LiveDocuments --------------------------------------------------------------------------------------------

    async def path_of(self, upstream: str, file: str) -> str | None:
        where = await self._documents.path_of(upstream, file)
        return str(where) if where is not None else None

    async def file_at(self, upstream: str, path: str) -> str:
        answer = await self._forwarder.forward(
            await self._upstreams.find(upstream),
            Outgoing("GET", "api/fileid/id", query=(("path", path), ("no_track_activity", "1"))),
        )
        data = await answer.read(_MODEL_LIMIT)
        try:
            found = json.loads(data) if answer.status == 200 else {}
        except ValueError:  # fails open: versions are found under the name that the file had
            found = {}
        return str(found.get("id", "")) if isinstance(found, dict) else ""

    async def present(self, upstream: str, path: str) -> Content:
        server, where = await self._find(upstream, path)
        if not await self._is_read(server, where):
            return await self._file(server, where)
        async with self._held(server, where) as (_, epoch):
            return _readable(epoch)

    async def take(self, upstream: str, path: str) -> Snapshot:
        server, where = await self._find(upstream, path)
        if not await self._is_read(server, where):
            return await self._take(server, where, Cause.ASKED)
        async with self._held(server, where) as (room, epoch):
            return await self._keeping.keep(room, epoch, Cause.ASKED)

    async def restore(self, upstream: str, path: str, wanted: Content, cells: tuple[str, ...] | None) -> Done:
        try:
            server, where = await self._find(upstream, path)
        except NotFound:
            if cells is not None:
                raise Invalid("cell", "the file is gone", "Restore it whole: leave out --cell") from None
            await self._make(await self._upstreams.find(upstream), CanonicalPath.from_body(path), wanted)
            return Done(None, {"saved": True})
        if wanted.kind is Kind.BYTES or await self._kind(server, where) is not wanted.kind:
            return await self._put_back(server, where, wanted, cells)
        async with self._held(server, where) as (room, epoch):
            before = await self._keeping.keep(room, epoch, Cause.BEFORE_RESTORE)
            _check_same(room, epoch)
            if wanted.notebook is not None:
                epoch.remember(cell.get("outputs") for cell in wanted.cells)
            present = _readable(epoch)
            room.write(lambda doc: apply(plan(present, wanted, cells), doc))
            return Done(before, {"saved": await self._saved(room)})

    async def _put_back(
        self, server: Upstream, where: CanonicalPath, wanted: Content, cells: tuple[str, ...] | None
    ) -> Done:
        """The whole file, in the place of one of another kind, or of one that the gate does not read."""
        if cells is not None:
            plan(await self._file(server, where), wanted, cells)
        await self._check_closed(server, where)
        before = await self._take(server, where, Cause.BEFORE_RESTORE)
        await self._check_closed(server, where)
        await self._make(server, where, wanted)
        return Done(before, {"saved": True})

    async def _check_closed(self, server: Upstream, where: CanonicalPath) -> None:
        # What is open as something else would be written over what is put back. A room of bytes reads the file again.
        if await self._open_kinds(server, where):
            raise Refused(
                "document_open",
                f"{where} is open as another kind of file than the version is",
                "Restore it when visitors have closed it, or pause the share first",
            )

    async def flush(self) -> None:
        await self._keeping.flush()

    async def undo(self, place: Place, visit: str, *, preview: bool) -> Done:
        where = await self._documents.path_of(place.upstream, place.file)
        server, where = await self._find(place.upstream, str(where) if where is not None else place.path)
        async with self._held(server, where) as (room, epoch):
            if room.name.file_id != place.file:
                raise NotFound("open history of the document", place.path)
            kind = _readable(epoch).kind
            edits = await self._history(room, epoch, place, visit)
            undone = await asyncio.to_thread(take_back, edits, visit, kind)
            if preview:
                return Done(None, undone.to_json())
            before = await self._keeping.keep(room, epoch, Cause.BEFORE_UNDO)
            # Begun before the document changes: what was taken back once must never be taken back again.
            log = await self._keeping.begun(room, epoch)
            _check_same(room, epoch)
            if undone.update:
                if epoch.lacks(undone.update):
                    raise Denied(Reason.UPSTREAM_AWAY, "the server has lost a part of the document: restore a version")
                epoch.remember(cell.get("outputs") for cell in undone.after.cells)
                room.write(lambda doc: doc.apply_update(undone.update), client=undone.client)
            # The change itself is in the log: the room told of it.
            log.undone(visit, b"")
            return Done(before, undone.to_json() | {"saved": await self._saved(room)})

    async def _history(self, room: Room, epoch: Epoch, place: Place, visit: str) -> list[Edit]:
        """All that is recorded of the document's present history, from the visit's first change in it on, and at the
        end the document as it is. The gate forgets a room that was left, and begins a new log with the next epoch:
        an older one counts when all of it lies in the document still. Refused(`rebuilt`)."""
        log = self._keeping.log_of(room)
        if log is not None:
            await log.flush()
        found: list[Edit] = []
        last = None
        logs = await logs_to_undo(self._edits, place, visit)
        for each, edits in logs:
            updates = [edit.data for edit in edits if edit.kind is not EditKind.UNDONE]
            if each.epoch != epoch.id and not await asyncio.to_thread(
                contained, room.name, updates, epoch.whole, epoch.reach
            ):
                if each.epoch == place.epoch:
                    raise await self._rebuilt(room, place, visit, logs)
            elif found or wrote_in(edits, visit):
                found += edits
                last = each.epoch
        if not found:
            raise StoreUnavailable("nothing of this document's changes is kept any more")
        if last != epoch.id:
            found.append(Edit(kind=EditKind.STATE, at=found[-1].at, data=epoch.whole))
        return found

    async def _rebuilt(self, room: Room, place: Place, visit: str, logs: Sequence[tuple[Place, list[Edit]]]) -> Refused:
        """Names the version that was kept before the visit's first change."""
        first = min(edit.at for _, edits in logs for edit in edits if edit.origin == visit)
        best = await self._keeper.before(place.upstream, {place.path, str(room.path or "")}, visit, first)
        return Refused(
            "rebuilt",
            "the server rebuilt the document from its file since, so that nobody's changes can be told apart in it",
            f"To go back to what was there before this visit's first change: sharegate snapshot restore {best.id}"
            if best is not None
            else "No version from before this visit is kept any more; see: sharegate snapshot list",
        )

    async def _saved(self, room: Room) -> bool:
        saved = await room.save()
        # What cannot be stored now waits for the next time.
        with contextlib.suppress(StoreUnavailable):
            await self._keeping.flush()
        return saved

    @contextlib.asynccontextmanager
    async def _held(self, upstream: Upstream, path: CanonicalPath) -> AsyncIterator[tuple[Room, Epoch]]:
        try:
            room = await self._documents.room_at(upstream.id, path)
        except Denied as denied:
            # A notebook that lost its name while it is open is a notebook still.
            open_room = await self._room_of(upstream, path) if denied.reason is Reason.ROOM_FORMAT else None
            if open_room is None:
                raise
            room = open_room
        async with room.held() as epoch:
            yield room, epoch

    async def _room_of(self, upstream: Upstream, path: CanonicalPath) -> Room | None:
        """The open room of the file that lies there, if the gate reads it: also one that has not heard of its name."""
        rooms = self._documents.rooms.of_file(upstream.id, await self.file_at(upstream.id, str(path)))
        return next((room for room in rooms if room.name.pair in KINDS), None)

    # -- Keeping --------------------------------------------------------------------------------------------------

    async def keep(self, grant: Grant, upstream: Upstream, path: CanonicalPath, *, deleting: bool) -> None:
        """Denied(`body_too_large`) for what is too large to be kept: an owner would rather keep the file.
        Denied(`versions_full`) where too much is kept for this visitor already."""
        try:
            await self._keep(grant, upstream, path, deleting=deleting)
        except AccountFull as error:  # fails closed
            raise Denied(Reason.VERSIONS_FULL, str(error)) from None

    async def _keep(self, grant: Grant, upstream: Upstream, path: CanonicalPath, *, deleting: bool) -> None:
        account = OnAccount(visit=grant.visit.id, link=grant.link.id, share=grant.share.id)
        cause = Cause.BEFORE_DELETE if deleting else Cause.BEFORE_OVERWRITE
        for here in await self._files_at(grant, upstream, path, deleting=deleting):
            if self._documents.rooms.is_open(upstream.id, here):
                async with self._held(upstream, here) as (room, epoch):
                    if not epoch.read_only:
                        await self._keeping.keep(room, epoch, cause, account)
                        continue
            try:
                content = await self._file(upstream, here)
            except NotFound:  # gone meanwhile
                continue
            standing = await asyncio.to_thread(measured, content)
            if not deleting and self._wholes.own(upstream.id, str(here), grant.visit.id, standing):
                continue
            kept = await self._take(upstream, here, cause, account, content)
            self._wholes.kept(upstream.id, str(here), standing, kept.id, kept.taken)

    async def _files_at(
        self, grant: Grant, upstream: Upstream, path: CanonicalPath, *, deleting: bool
    ) -> list[CanonicalPath]:
        """What is kept, by what the listings say: too much is refused before any of it is read. Of a link that is
        deleted only the link goes."""
        if deleting and await self._links.links(grant, upstream, path.segments[:-1], [path.name]):
            return []
        top = await self._model(upstream, path)
        waiting = [(path, top)] if top is not None else []
        files: list[CanonicalPath] = []
        count, total = 0, 0
        while waiting:
            here, model = waiting.pop()
            count += 1
            if model.get("type") != "directory":
                files.append(here)
                total += int(model.get("size") or 0)
                if total > MOST_BYTES:
                    raise Denied(Reason.BODY_TOO_LARGE, "larger than what is kept of a file")
                continue
            listed = await self._model(upstream, here, content=True) or {}
            entries = {_text(entry["name"]): entry for entry in listed.get("content") or ()}
            linked = await self._links.links(grant, upstream, here.segments, list(entries))
            waiting.extend((here.join(name), entry) for name, entry in entries.items() if name not in linked)
            if count + len(waiting) > MOST_FILES:
                raise Denied(Reason.BODY_TOO_LARGE, "a folder with more files than are kept")
        return files

    async def _take(
        self,
        upstream: Upstream,
        path: CanonicalPath,
        cause: Cause,
        account: OnAccount = NOBODY,
        content: Content | None = None,
    ) -> Snapshot:
        """Keep the file as it lies there."""
        if content is None:
            content = await self._file(upstream, path)
        # The id of a file that is deleted goes with it.
        file = "" if cause is Cause.BEFORE_DELETE else await self._documents.id_of(upstream, path)
        return await self._keeper.take(upstream.id, str(path), content, cause, file=file, by=account)

    async def wrote(self, grant: Grant, upstream: Upstream, path: CanonicalPath, content: Content) -> None:
        """An alarm is recorded where one is due."""
        found = self._wholes.wrote(
            upstream.id, str(path), grant.visit.id, await asyncio.to_thread(measured, content), self._now()
        )
        if found is None:
            return
        event = AuditEvent(
            action=Action.DOCUMENT_ALARM,
            actor="gate",
            visit=found.visits[0] if len(found.visits) == 1 else "",
            path=str(path),
            detail=found.detail,
        )
        # Fails open: it is written already, and without a store the next request is refused.
        with contextlib.suppress(StoreUnavailable):
            await self._keeper.name(found.snapshot)
            await self._trail.record(event)

    # -- files ----------------------------------------------------------------------------------------------------

    async def _find(self, upstream: str, path: str) -> tuple[Upstream, CanonicalPath]:
        """Raises NotFound where nothing is, Refused where a folder stands."""
        server, where = await self._upstreams.find(upstream), CanonicalPath.from_body(path)
        try:
            model = await self._model(server, where)
        except Denied:  # fails closed: a server answers with 500 what would lie below a file
            await self._missing_around(server, where)
            raise
        if model is None:
            raise NotFound("file", path)
        if model.get("type") == "directory":
            raise Refused("folder_in_the_way", f"a folder stands at {path}", "Name a file, or rename the folder first")
        return server, where

    async def _is_read(self, upstream: Upstream, path: CanonicalPath) -> bool:
        """Whether there is a room of it that the gate reads. Others are files of bytes."""
        return await self._kind(upstream, path) is not Kind.BYTES

    async def _kind(self, upstream: Upstream, path: CanonicalPath) -> Kind:
        """What the document is now: as it is open, else as its file is. BYTES also while it is open as bytes."""
        open_as = await self._open_kinds(upstream, path)
        if open_as or self._documents.rooms.is_open(upstream.id, path):
            return open_as[0] if open_as else Kind.BYTES
        model = await self._model(upstream, path, content=True) or {}
        if model.get("type") == "notebook":
            return Kind.NOTEBOOK
        return Kind.TEXT if model.get("format") == "text" else Kind.BYTES

    async def _open_kinds(self, upstream: Upstream, path: CanonicalPath) -> list[Kind]:
        room = await self._room_of(upstream, path)
        pairs = [room.name.pair] if room is not None else self._documents.rooms.pairs(upstream.id, path)
        return [Kind(KINDS[pair].value) for pair in pairs if pair in KINDS]

    async def file_of(self, room: Room) -> Content | None:
        """What lies on the disk of an open document; None for what is gone."""
        if room.path is None:
            return None
        upstream = await self._upstreams.find(room.upstream)
        try:
            return await self._file(upstream, room.path)
        except NotFound:
            return None

    async def _file(self, upstream: Upstream, path: CanonicalPath) -> Content:
        model = await self._model(upstream, path, content=True)
        if model is None:
            raise NotFound("file", str(path))
        content: Any = model.get("content")
        if model.get("type") == "notebook" and isinstance(content, dict):
            return Content.of_notebook(content)
        if not isinstance(content, str):
            raise Denied(Reason.UPSTREAM_BAD_ANSWER, "a file without content")
        if model.get("format") == "text":
            return Content.of_text(content)
        try:
            return Content.of_bytes(base64.b64decode(content))
        except ValueError:
            raise Denied(Reason.UPSTREAM_BAD_ANSWER, "a file that cannot be read") from None

    async def _model(
        self, upstream: Upstream, path: CanonicalPath, *, content: bool = False, as_bytes: bool = False
    ) -> dict[str, Any] | None:
        """The contents model; None for what is not there. A notebook that is none is a file of bytes."""
        asked = [("content", str(int(content)))] + ([("type", "file"), ("format", "base64")] if as_bytes else [])
        answer = await self._forwarder.forward(
            upstream, Outgoing("GET", f"api/contents/{path.encoded}", query=tuple(asked))
        )
        data = await answer.read(2 * MOST_BYTES if content else _MODEL_LIMIT)
        if answer.status == 400 and content and not as_bytes:
            return await self._model(upstream, path, content=True, as_bytes=True)
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise Denied(Reason.UPSTREAM_BAD_ANSWER, f"the file is answered with {answer.status}")
        try:
            found = json.loads(data)
        except ValueError:  # fails closed
            raise Denied(Reason.UPSTREAM_BAD_ANSWER, "no contents model") from None
        return found if isinstance(found, dict) else None

    async def _make(self, upstream: Upstream, path: CanonicalPath, content: Content) -> None:
        """The whole file, and the folders around it that are gone."""
        for around in await self._missing_around(upstream, path):
            await self._put(upstream, around, {"type": "directory"})
        if content.notebook is not None:
            await self._put(upstream, path, {"type": "notebook", "format": "json", "content": content.notebook})
        elif content.kind is Kind.TEXT:
            await self._put(upstream, path, {"type": "file", "format": "text", "content": content.text})
        else:
            data = base64.b64encode(content.data).decode()
            await self._put(upstream, path, {"type": "file", "format": "base64", "content": data})

    async def _missing_around(self, upstream: Upstream, path: CanonicalPath) -> list[CanonicalPath]:
        """The folders around a file that are gone, the outermost first. Refused where a file stands for one."""
        missing: list[CanonicalPath] = []
        for depth in range(1, len(path.segments)):
            around = CanonicalPath(path.segments[:depth])
            standing = await self._model(upstream, around) if not missing else None
            if standing is None:
                missing.append(around)
            elif standing.get("type") != "directory":
                raise Refused("file_in_the_way", f"a file stands at {around}, where a folder was", "Rename it first")
        return missing

    async def _put(self, upstream: Upstream, path: CanonicalPath, model: dict[str, Any]) -> None:
        answer = await self._forwarder.forward(
            upstream,
            Outgoing(
                "PUT",
                f"api/contents/{path.encoded}",
                headers=(("Content-Type", "application/json"),),
                body=json.dumps(model).encode(),
            ),
        )
        await answer.read(_MODEL_LIMIT)
        if answer.status not in (200, 201):
            raise Denied(Reason.UPSTREAM_BAD_ANSWER, f"the file is not written: {answer.status}")


def _text(name: object) -> str:
    """A name of a listing. Denied(`hidden_inside`) for one that is not UTF-8, which comes as lone surrogates: visitors
    are not shown it, and nobody can ask for it."""
    try:
        str(name).encode()
    except UnicodeEncodeError:
        raise Denied(Reason.HIDDEN_INSIDE, "a name that is no text") from None
    return str(name)


def _readable(epoch: Epoch) -> Content:
    try:
        return content_of(epoch)
    except ValueError as error:  # fails closed: what cannot be read is not changed
        raise StoreUnavailable(f"the document cannot be read: {error}") from None


def _check_same(room: Room, epoch: Epoch) -> None:
    """While the version was kept, the document may have been replaced."""
    if not room.is_of(epoch):
        raise Denied(Reason.UPSTREAM_AWAY, "the document was replaced meanwhile")
