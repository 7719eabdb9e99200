"""Writing through the contents API: what is judged before the upstream has it, and in which order.

`confine` has proven where the paths of a request lie. Here stands what needs a look at the server: files that run by
themselves are not made, what makes or replaces a notebook is judged as a whole, an open document is left to its room,
and what is lost is kept before. A visitor's writes to one server come one after another (`turn`), so that nothing
changes between the look and the deed but by the owner.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from weakref import WeakValueDictionary

from sharegate.confine.answer import check_status, write
from sharegate.confine.body import LONG, write_json_apart
from sharegate.confine.notebooks import clean_notebook, clean_notebook_file, file_bytes, is_notebook_name
from sharegate.confine.request import Confined
from sharegate.errors import Denied, Reason
from sharegate.paths import CanonicalPath
from sharegate.policy.files import FileRules
from sharegate.shares.model import Grant, RootKind
from sharegate.upstream.interfaces import Forwarder, Outgoing
from sharegate.upstream.model import Upstream
from sharegate.writing.interfaces import Keeping, OpenDocuments, RealPaths
from sharegate.writing.standing import Ground
from sharegate.writing.uploads import LAST, Upload, Uploads
from sharegate.writing.written import written

_MODEL_LIMIT = 1 << 20
# JupyterLab sends parts of a megabyte: what a shorter first part leaves is all there is, or nobody's page sent it.
_PART = 1 << 20
# How upstream finds a copy's name (jupyter_server services/contents/manager.py): `x-Copy3.txt` becomes `x.txt`.
_COPY = re.compile(r"-Copy\d*\.")


@dataclass(frozen=True, slots=True)
class Step:
    """What goes upstream; with `model` the gate has done it already and this is the contents model to answer with.
    `done` is called when the upstream has accepted."""

    confined: Confined
    model: bytes | None = None
    done: Callable[[], Awaitable[None]] | None = None


@dataclass(frozen=True, slots=True)
class _Asked:
    """Who asks for what, and the names under which the path is known: as it is spelled, and where it really is."""

    grant: Grant
    upstream: Upstream
    confined: Confined
    path: CanonicalPath
    real: CanonicalPath

    @property
    def notebook(self) -> bool:
        return is_notebook_name(self.path.name) or is_notebook_name(self.real.name)


class Writing:
    """One per gate. Every method may raise Denied. Without `keeping` nothing is kept, and what is open is not
    deleted."""

    def __init__(
        self,
        *,
        forwarder: Forwarder,
        roots: RealPaths,
        rules: FileRules,
        uploads: Uploads,
        open_documents: OpenDocuments,
        keeping: Keeping | None = None,
    ) -> None:
        self._forwarder = forwarder
        self._roots = roots
        self._rules = rules
        self._uploads = uploads
        self._open_documents = open_documents
        self._keeping = keeping
        self._ground = Ground(forwarder)
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        # By visit, as long as one of its writes waits or goes on.
        self._own: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @contextlib.asynccontextmanager
    async def turn(self, grant: Grant, upstream: Upstream) -> AsyncIterator[None]:
        """Held from the look until the upstream has answered. Each visit stands in the server's queue once: the others
        wait for its one write there, however many it sends."""
        own = self._own.setdefault(grant.visit.id, asyncio.Lock())
        async with own, self._turns[upstream.id]:
            yield

    async def judge(self, method: str, grant: Grant, upstream: Upstream, confined: Confined) -> Step:
        """Before a request that needs `contents:write` goes upstream."""
        path = confined.path
        if path is None:
            raise Denied(Reason.BAD_PATH, "nothing to write to")
        real = CanonicalPath(await self._roots.real(grant, upstream, path.segments))
        asked = _Asked(grant, upstream, confined, path, real)
        writes = {"PUT": self._put, "POST": self._post, "PATCH": self._patch, "DELETE": self._delete}
        step = await writes[method](asked)
        if method != "POST":
            self._forget_uploads(asked)
        return step

    # -- PUT: whole files, folders, parts of an upload ------------------------------------------------------------

    async def _put(self, asked: _Asked) -> Step:
        fields = asked.confined.fields
        # Where it really is: of a link to nowhere upstream says that it is there, and writes what it leads to.
        standing = await self._ground.kind(asked.upstream, asked.real)
        if standing is None:
            await self._may_stand(asked, asked.real, asked.path.name)
        if fields["type"] == "directory":
            if fields.get("content") is not None or "chunk" in fields:
                raise Denied(Reason.BAD_BODY, "a folder with content")
            if standing not in (None, "directory"):
                raise Denied(Reason.CONFLICT, "a file stands there")
            if standing is None:
                _check_folder_name(asked.path.name)
            return Step(asked.confined)
        if standing == "directory":
            raise Denied(Reason.CONFLICT, "a folder stands there")
        self._check_closed(asked)
        if "chunk" in fields:
            return await self._part(asked, fields, standing)
        if fields["type"] == "notebook":
            step = await self._notebook(asked, fields)
        else:
            step = await self._file(asked, fields)
        if standing is not None:
            await self._keep(asked)
        return self._telling(asked, step)

    def _telling(self, asked: _Asked, step: Step) -> Step:
        """Once it is done, whoever keeps versions hears what stands there."""
        keeping, body = self._keeping, step.confined.body or b""
        if keeping is None:
            return step

        async def done() -> None:
            content = await asyncio.to_thread(written, body, notebook=asked.notebook)
            if content is not None:
                await keeping.wrote(asked.grant, asked.upstream, asked.path, content)

        return replace(step, done=done)

    async def _notebook(self, asked: _Asked, fields: dict[str, Any]) -> Step:
        if fields.get("format") not in (None, "json"):
            raise Denied(Reason.BAD_BODY, "a notebook in another format than JSON")
        cleaned = await _apart(len(asked.confined.body or b""), clean_notebook, fields.get("content"))
        if not cleaned.changed:
            return Step(asked.confined)
        model = {"type": "notebook", "format": "json", "content": cleaned.notebook}
        body = await write_json_apart(model, len(asked.confined.body or b""))
        return Step(replace(asked.confined, body=body))

    async def _file(self, asked: _Asked, fields: dict[str, Any]) -> Step:
        content, form = fields.get("content"), fields.get("format")
        if not isinstance(content, str) or form not in ("text", "base64"):
            raise Denied(Reason.BAD_BODY, "the content of a file is text or base64")
        if not asked.notebook:
            if form == "base64":
                # Upstream reads what is none leniently, and would answer that it has written a file.
                await _apart(len(content), _check_base64, content)
            return Step(asked.confined)
        data = file_bytes(content, form)
        cleaned = await _apart(len(data), clean_notebook_file, data)
        return Step(asked.confined) if cleaned is data else await _with_text(asked, cleaned)

    async def _part(self, asked: _Asked, fields: dict[str, Any], standing: str | None) -> Step:
        part = fields["chunk"]
        if fields["type"] != "file" or not (part == LAST or part >= 1):
            raise Denied(Reason.BAD_BODY, "parts are of files, and are counted from 1")
        key = (asked.grant.visit.id, _target(asked.upstream, asked.real))
        upload = self._uploads.take(*key, part)
        try:
            if part != 1 and asked.notebook is not (upload.spool is not None):
                raise Denied(Reason.BAD_BODY, "the file became another kind of file")
            if asked.notebook:
                return await self._notebook_part(asked, fields, standing, upload, key)
            if part != 1 and standing is None:
                raise Denied(Reason.CONFLICT, "what the part belongs to is gone")
            if part != 1 and await self._ground.size(asked.upstream, asked.real) not in (None, upload.sent):
                raise Denied(Reason.CONFLICT, "what the part belongs to was changed")
            step = await self._file(asked, fields)
            upload.sent += len(file_bytes(fields.get("content"), fields.get("format")))
            if part == 1 and standing is not None:
                await self._keep(asked)
        except BaseException:  # fails closed: the upload is over, and what was collected is let go of
            upload.drop()
            raise
        told = self._telling(asked, step).done if part == 1 and upload.sent < _PART else None

        async def done() -> None:
            self._uploads.keep(*key, part, upload)
            if told is not None:
                await told()

        return replace(step, done=done)

    async def _notebook_part(
        self, asked: _Asked, fields: dict[str, Any], standing: str | None, upload: Upload, key: tuple[str, str]
    ) -> Step:
        """Upstream gets nothing before the whole is judged; until then the gate answers for it."""
        await self._uploads.collect(upload, file_bytes(fields.get("content"), fields.get("format")))
        if fields["chunk"] != LAST:
            self._uploads.keep(*key, fields["chunk"], upload)
            return Step(asked.confined, model=_collecting(asked, upload.size))
        whole = await self._uploads.collected(upload)
        upload.drop()
        cleaned = await _apart(len(whole), clean_notebook_file, whole)
        if standing is not None:
            await self._keep(asked)
        return self._telling(asked, await _with_text(asked, cleaned))

    # -- POST: new ones with a name of the server's choice, and copies --------------------------------------------

    async def _post(self, asked: _Asked) -> Step:
        fields = asked.confined.fields
        # Into what is no folder upstream would copy under exactly that name.
        if await self._ground.kind(asked.upstream, asked.path) != "directory":
            raise Denied(Reason.NOT_FOUND, "no folder to make something in")
        source = asked.confined.paths.get("body.copy_from")
        if source is not None:
            await self._check_copy(asked, source)
            return Step(asked.confined)
        kind, ext = fields.get("type", "file"), fields.get("ext", "")
        if kind == "directory":
            self._may_make(asked, "Untitled Folder" + ext)
            _check_folder_name("Untitled Folder" + ext)
        elif kind == "file":
            if is_notebook_name("untitled" + ext) and "type" in fields:
                raise Denied(Reason.BAD_BODY, "an empty file that is called a notebook")
            self._may_make(asked, "untitled" + ext)
        return Step(asked.confined)

    async def _check_copy(self, asked: _Asked, source: CanonicalPath) -> None:
        kind = await self._ground.kind(asked.upstream, source)
        if kind is None:
            raise Denied(Reason.NOT_FOUND, "nothing to copy")
        made = _COPY.sub(".", source.name)
        for name in {source.name, made}:
            self._may_make(asked, name)
        if kind == "directory":
            _check_folder_name(made)
            real = await self._roots.real(asked.grant, asked.upstream, source.segments)
            if asked.real.segments[: len(real)] == real:
                raise Denied(Reason.BAD_BODY, "a folder copied into itself")
            await self._look_through(asked, CanonicalPath(real), copied=True)
        elif is_notebook_name(made) and not is_notebook_name(source.name):
            raise Denied(Reason.BAD_BODY, "a copy that would become a notebook")

    # -- PATCH: another name, another folder ----------------------------------------------------------------------

    async def _patch(self, asked: _Asked) -> Step:
        to = asked.confined.paths["body.path"]
        if to.segments == asked.path.segments:
            return Step(asked.confined)
        kind = await self._ground.kind(asked.upstream, asked.path)
        if kind is None:
            raise Denied(Reason.NOT_FOUND, "nothing to rename")
        if to.segments[: len(asked.path.segments)] == asked.path.segments:
            raise Denied(Reason.BAD_BODY, "a folder moved into itself")
        # Upstream renames where only the case differs, on a disk that takes both for one name.
        same = [each.casefold() for each in to.segments] == [each.casefold() for each in asked.path.segments]
        if not same and await self._ground.kind(asked.upstream, to) is not None:
            raise Denied(Reason.CONFLICT, "something stands at the new place")
        await self._may_stand(asked, to)
        if kind == "directory":
            _check_folder_name(to.name)
            if not asked.grant.share.runnable_files:
                await self._look_through(asked, asked.path, copied=False)
        elif is_notebook_name(to.name) and not (is_notebook_name(asked.path.name) or self._guarded(asked)):
            return await self._become_notebook(asked, to)
        return Step(asked.confined)

    async def _become_notebook(self, asked: _Asked, to: CanonicalPath) -> Step:
        """A file that gets a notebook's name: what was judged is written under the new name, then the old one goes.
        A rename would carry over what the file holds by then, and a checkpoint of it that nobody has judged."""
        self._check_closed(asked)
        data = await self._ground.text(asked.upstream, asked.path)
        cleaned = await _apart(len(data), clean_notebook_file, data)
        await self._keep(asked)
        model = await self._send(asked, "PUT", to, await _text_body(cleaned))
        await self._send(asked, "DELETE", asked.path)
        return Step(asked.confined, model=model)

    # -- DELETE ---------------------------------------------------------------------------------------------------

    async def _delete(self, asked: _Asked) -> Step:
        kind = await self._ground.kind(asked.upstream, asked.path)
        if kind is None:
            raise Denied(Reason.NOT_FOUND, "nothing to delete")
        # What is not listed would go and not be kept.
        if kind == "directory" and await self._roots.hidden_inside(asked.grant, asked.upstream, asked.path.segments):
            raise Denied(Reason.HIDDEN_INSIDE)
        if self._keeping is None:
            self._check_closed(asked)
        await self._keep(asked, deleting=True)
        return Step(asked.confined)

    # -- what they share ------------------------------------------------------------------------------------------

    async def _may_stand(self, asked: _Asked, path: CanonicalPath, other_name: str = "") -> None:
        """Whether something new may come to stand at `path`: its name, and the folder around it."""
        if asked.grant.share.kind is RootKind.FILE:
            raise Denied(Reason.NOT_FOUND, "a shared file is not made by visitors")
        for name in {path.name, other_name} - {""}:
            self._may_make(asked, name)
        if await self._ground.kind(asked.upstream, CanonicalPath(path.segments[:-1])) != "directory":
            raise Denied(Reason.NOT_FOUND, "no folder for it")

    def _may_make(self, asked: _Asked, *names: str) -> None:
        for name in () if asked.grant.share.runnable_files else names:
            group = self._rules.group_of(name)
            if group is not None:
                raise Denied(Reason.RUNS_BY_ITSELF, group)

    async def _look_through(self, asked: _Asked, top: CanonicalPath, *, copied: bool) -> None:
        """All names in a folder that is moved or copied, shown or not: what may not be made is not carried along.

        A copy is of what links lead to, and it is a new file also of what is hidden.
        """
        names: Collection[str] | None = await self._roots.names_below(
            asked.grant, asked.upstream, top.segments, copied=copied
        )
        if names is None:
            if copied:
                raise Denied(Reason.UNSEEN_DISK, "what links in the folder lead to would be copied")
            names = await self._ground.names_below(asked.upstream, top)
        await asyncio.to_thread(self._may_make, asked, *names)
        if copied and await self._roots.hidden_inside(asked.grant, asked.upstream, top.segments):
            raise Denied(Reason.HIDDEN_INSIDE)

    def _check_closed(self, asked: _Asked) -> None:
        if any(self._open_documents.is_open(asked.upstream.id, path) for path in (asked.path, asked.real)):
            raise Denied(Reason.DOCUMENT_OPEN)

    def _forget_uploads(self, asked: _Asked) -> None:
        """Whose parts are on their way there, they belong to something else from now on."""
        but = asked.grant.visit.id if "chunk" in asked.confined.fields else ""
        for path in (asked.path, asked.real, asked.confined.paths.get("body.path")):
            if path is not None:
                self._uploads.forget(_target(asked.upstream, path), but=but)

    def _guarded(self, asked: _Asked) -> bool:
        """A notebook that lost its name while it is open, as when JupyterLab renames one over another."""
        return self._open_documents.is_open_notebook(asked.upstream.id, asked.path)

    async def _keep(self, asked: _Asked, *, deleting: bool = False) -> None:
        if self._keeping is not None:
            await self._keeping.keep(asked.grant, asked.upstream, asked.path, deleting=deleting)

    async def _send(self, asked: _Asked, method: str, path: CanonicalPath, body: bytes = b"") -> bytes:
        headers = (("content-type", "application/json"),) if body else ()
        answer = await self._forwarder.forward(
            asked.upstream, Outgoing(method, f"api/contents/{path.encoded}", headers=headers, body=body)
        )
        data = await answer.read(_MODEL_LIMIT)
        check_status(answer.status, reading=False, sent=())
        return data


async def _apart(size: int, judge: Callable[..., Any], given: object) -> Any:
    return await asyncio.to_thread(judge, given) if size > LONG else judge(given)


def _check_base64(content: str) -> None:
    """Line breaks may stand in it: upstream's own answers have them (RFC 2045 section 6.8)."""
    file_bytes(content.replace("\n", "").replace("\r", ""), "base64")


def _target(upstream: Upstream, path: CanonicalPath) -> str:
    """A file as uploads know it: one, for a disk that ignores case and Unicode form."""
    return f"{upstream.id}/{unicodedata.normalize('NFC', str(path)).casefold()}"


def _check_folder_name(name: str) -> None:
    """A folder with a notebook's name could be swapped for a file of that name."""
    if is_notebook_name(name):
        raise Denied(Reason.BAD_BODY, "a folder that is called a notebook")


async def _text_body(data: bytes) -> bytes:
    return await write_json_apart({"type": "file", "format": "text", "content": data.decode("utf-8")}, len(data))


async def _with_text(asked: _Asked, data: bytes) -> Step:
    return Step(replace(asked.confined, body=await _text_body(data)))


def _collecting(asked: _Asked, size: int) -> bytes:
    """The model of a notebook whose upload is not complete: it does not stand upstream yet."""
    moment = datetime.fromtimestamp(asked.grant.share.created, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return write(
        {
            "name": asked.path.name,
            "path": str(asked.path),
            "type": "notebook",
            "created": moment,
            "last_modified": moment,
            "size": size,
            "writable": True,
        }
    )
