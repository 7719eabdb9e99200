"""The owner's commands on live documents: look, keep, restore, take back a person's work. And what visitors delete or
replace, which is kept before."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from sharegate.audit.events import Action, AuditEvent
from sharegate.audit.interfaces import Recorder
from sharegate.channels.epoch import Epoch
from sharegate.channels.room import Room
from sharegate.documents import Documents
from sharegate.errors import AccountFull, Denied, NotFound, Reason, StoreUnavailable
from sharegate.keeping import Keeping, content_of
from sharegate.paths import CanonicalPath
from sharegate.shares.model import Grant
from sharegate.upstream.interfaces import Forwarder, Outgoing, UpstreamDirectory
from sharegate.upstream.model import Upstream
from sharegate.versions.edits import take_back_from
from sharegate.versions.interfaces import Done, EditStore
from sharegate.versions.model import Cause, Content, Kind, Place, Snapshot
from sharegate.versions.restore import apply, plan
from sharegate.versions.snapshots import Keeper, OnAccount
from sharegate.versions.wholes import Wholes, measured

# A file larger than this is not kept, and so not deleted or replaced by visitors.
MOST_BYTES = 64 << 20
# Files and folders of one folder that is deleted.
MOST_FILES = 1000
_MODEL_LIMIT = 1 << 20


class Living:
    """Implements versions.interfaces.LiveDocuments and writing.interfaces.Keeping."""

    def __init__(
        self,
        *,
        documents: Documents,
        upstreams: UpstreamDirectory,
        forwarder: Forwarder,
        keeping: Keeping,
        keeper: Keeper,
        edits: EditStore,
        trail: Recorder,
        now: Callable[[], float],
    ) -> None:
        self._documents = documents
        self._upstreams = upstreams
        self._forwarder = forwarder
        self._keeping = keeping
        self._keeper = keeper
        self._edits = edits
        self._trail = trail
        self._now = now
        self._wholes = Wholes()

    # -- LiveDocuments --------------------------------------------------------------------------------------------

    async def present(self, upstream: str, path: str) -> Content:
        server, where = await self._find(upstream, path)
        if not await self._has_room(server, where):
            return await self._file(server, where)
        async with self._held(server, where) as (_, epoch):
            return _readable(epoch)

    async def take(self, upstream: str, path: str) -> Snapshot:
        server, where = await self._find(upstream, path)
        if not await self._has_room(server, where):
            return await self._keeper.take(upstream, str(where), await self._file(server, where), Cause.ASKED)
        async with self._held(server, where) as (room, epoch):
            return await self._keeping.keep(room, epoch, Cause.ASKED)

    async def restore(self, upstream: str, path: str, wanted: Content, cells: tuple[str, ...] | None) -> Done:
        try:
            server, where = await self._find(upstream, path)
        except NotFound:
            await self._make(await self._upstreams.find(upstream), CanonicalPath.from_body(path), wanted)
            return Done(None, {"saved": True})
        if wanted.kind is Kind.BYTES or not await self._has_room(server, where):
            before = await self._keeper.take(
                upstream, str(where), await self._file(server, where), Cause.BEFORE_RESTORE
            )
            await self._make(server, where, wanted)
            return Done(before, {"saved": True})
        async with self._held(server, where) as (room, epoch):
            before = await self._keeping.keep(room, epoch, Cause.BEFORE_RESTORE)
            _check_same(room, epoch)
            if wanted.notebook is not None:
                epoch.remember(cell.get("outputs") for cell in wanted.cells)
            present = _readable(epoch)
            room.write(lambda doc: apply(plan(present, wanted, cells), doc))
            return Done(before, {"saved": await self._saved(room)})

    async def flush(self) -> None:
        await self._keeping.flush()

    async def undo(self, place: Place, visit: str, *, preview: bool) -> Done:
        where = await self._documents.path_of(place.upstream, place.file)
        server, where = await self._find(place.upstream, str(where) if where is not None else place.path)
        async with self._held(server, where) as (room, epoch):
            if room.name.file_id != place.file or epoch.id != place.epoch:
                raise NotFound("open history of the document", place.path)
            kind = _readable(epoch).kind
            log = self._keeping.log_of(room)
            undone = await take_back_from(self._edits, place, visit, kind, flush=log)
            if preview:
                return Done(None, undone.to_json())
            before = await self._keeping.keep(room, epoch, Cause.BEFORE_UNDO)
            _check_same(room, epoch)
            if undone.update:
                epoch.remember(cell.get("outputs") for cell in undone.after.cells)
                room.write(lambda doc: doc.apply_update(undone.update), client=undone.client)
            if log is not None:
                # The change itself is in the log: the room told of it.
                log.undone(visit, b"")
            return Done(before, undone.to_json() | {"saved": await self._saved(room)})

    async def _saved(self, room: Room) -> bool:
        saved = await room.save()
        # What cannot be stored now waits for the next time.
        with contextlib.suppress(StoreUnavailable):
            await self._keeping.flush()
        return saved

    @contextlib.asynccontextmanager
    async def _held(self, upstream: Upstream, path: CanonicalPath) -> AsyncIterator[tuple[Room, Epoch]]:
        room = await self._documents.room_at(upstream.id, path)
        async with room.held() as epoch:
            yield room, epoch

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
        waiting, count, total = [path], 0, 0
        while waiting:
            here = waiting.pop()
            count += 1
            model = await self._model(upstream, here)
            if model is None:
                continue
            if model.get("type") == "directory":
                listed = await self._model(upstream, here, content=True) or {}
                waiting.extend(here.join(str(entry["name"])) for entry in listed.get("content") or ())
                if count + len(waiting) > MOST_FILES:
                    raise Denied(Reason.BODY_TOO_LARGE, "a folder with more files than are kept")
                continue
            total += int(model.get("size") or 0)
            if total > MOST_BYTES:
                raise Denied(Reason.BODY_TOO_LARGE, "larger than what is kept of a file")
            if self._documents.rooms.is_open(upstream.id, here):
                async with self._held(upstream, here) as (room, epoch):
                    if not epoch.read_only:
                        await self._keeping.keep(room, epoch, cause, account)
                        continue
            content = await self._file(upstream, here)
            standing = await asyncio.to_thread(measured, content)
            if not deleting and self._wholes.own(upstream.id, str(here), grant.visit.id, standing):
                continue
            kept = await self._keeper.take(upstream.id, str(here), content, cause, by=account)
            self._wholes.kept(upstream.id, str(here), standing, kept.id, kept.taken)

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
        """Raises NotFound for what is no file."""
        server, where = await self._upstreams.find(upstream), CanonicalPath.from_body(path)
        model = await self._model(server, where)
        if model is None or model.get("type") == "directory":
            raise NotFound("file", path)
        return server, where

    async def _has_room(self, upstream: Upstream, path: CanonicalPath) -> bool:
        """Whether the gate reads the document: a notebook, or text. Others are files of bytes."""
        if self._documents.rooms.is_open(upstream.id, path):
            return True
        model = await self._model(upstream, path, content=True)
        return model is not None and (model.get("type") == "notebook" or model.get("format") == "text")

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

    async def _model(self, upstream: Upstream, path: CanonicalPath, *, content: bool = False) -> dict[str, Any] | None:
        """The contents model; None for what is not there."""
        answer = await self._forwarder.forward(
            upstream, Outgoing("GET", f"api/contents/{path.encoded}", query=(("content", str(int(content))),))
        )
        data = await answer.read(2 * MOST_BYTES if content else _MODEL_LIMIT)
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
        for depth in range(1, len(path.segments)):
            around = CanonicalPath(path.segments[:depth])
            if await self._model(upstream, around) is None:
                await self._put(upstream, around, {"type": "directory"})
        if content.notebook is not None:
            await self._put(upstream, path, {"type": "notebook", "format": "json", "content": content.notebook})
        elif content.kind is Kind.TEXT:
            await self._put(upstream, path, {"type": "file", "format": "text", "content": content.text})
        else:
            data = base64.b64encode(content.data).decode()
            await self._put(upstream, path, {"type": "file", "format": "base64", "content": data})

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


def _readable(epoch: Epoch) -> Content:
    try:
        return content_of(epoch)
    except ValueError as error:  # fails closed: what cannot be read is not changed
        raise StoreUnavailable(f"the document cannot be read: {error}") from None


def _check_same(room: Room, epoch: Epoch) -> None:
    """While the version was kept, the document may have been replaced."""
    if not room.is_of(epoch):
        raise Denied(Reason.UPSTREAM_AWAY, "the document was replaced meanwhile")
