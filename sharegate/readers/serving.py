"""`-/read/…` and `-/picture/…`: what is shared as pages that need no JupyterLab, made by the gate."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from sharegate.confine.body import apart
from sharegate.confine.holding import Held
from sharegate.confine.request import Confined
from sharegate.errors import Denied, Reason
from sharegate.lab.static import OwnAssets
from sharegate.language.catalogue import ANY, Language, Languages
from sharegate.messages import Request, Response
from sharegate.paths import CanonicalPath, Place
from sharegate.readers.following import Following, stamp
from sharegate.readers.source import Source
from sharegate.reading import pictures
from sharegate.reading.code import code, language_of
from sharegate.reading.links import Links
from sharegate.reading.markdown import MARK, markdown
from sharegate.reading.notebook import NOTHING, Sheet, read
from sharegate.shares.model import Grant
from sharegate.upstream.model import Upstream
from sharegate.visits.pages.assets import BASE
from sharegate.visits.pages.render import HEADERS, render
from sharegate.visits.presence import Presence

MIB = 1 << 20
# Bytes of a file that is read at all; characters of a text, and entries of a folder, that are shown.
LARGEST_NOTEBOOK = 48 * MIB
LARGEST_TEXT = 10 * MIB
SHOWN_TEXT = 400_000
ENTRIES = 2000
# A page is made in a thread of its own; of more than these at once each would only be slower.
AT_ONCE = 2
# Bytes of pictures of notebooks that were shown a moment ago, for those who ask for them next.
KEPT_PICTURES = 64 * MIB
# So long also when the notebook is another one meanwhile: a page that was just drawn asks for what it shows.
KEPT_SECONDS = 60.0
_MARKDOWN = (".md", ".markdown")
_PICTURE_HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "default-src 'none'; sandbox; frame-ancestors 'none'"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
    ("Content-Disposition", "inline"),
    ("Cache-Control", "private, no-cache"),
)


@dataclass(frozen=True, slots=True)
class _Kept:
    """A picture of a notebook as it was when it had that stamp, and when it was shown."""

    data: bytes
    stamp: str
    at: float


@dataclass(frozen=True, slots=True)
class Shown:
    """What a page says of what stands at a path. `kind`: `folder`, `notebook`, `markdown`, `text`, `picture`, `large`
    or `other`."""

    kind: str
    stamp: str
    body: Markup = NOTHING
    sheet: Sheet | None = None
    entries: tuple[dict[str, Any], ...] = ()
    more: int = 0
    cut: bool = False
    broken: bool = False

    @property
    def formulas(self) -> bool:
        """Whether it has any: they are shown as they were written."""
        cells = self.sheet.cells if self.sheet is not None else ()
        drawn = (str(cell.body) for cell in cells if cell.kind == "markdown")
        return any(MARK in body for body in (str(self.body), *drawn)) or any(
            output.kind == "formula" or MARK in str(output.body) for cell in cells for output in cell.outputs
        )


class Readers:
    """One per gate. Every method may raise Denied."""

    def __init__(
        self,
        source: Source,
        presence: Presence,
        *,
        languages: Languages = ANY,
        following: Following | None = None,
        assets: OwnAssets | None = None,
        pace: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pace = pace
        self._source = source
        self._presence = presence
        self._languages = languages
        self._following = following or Following()
        self._assets = assets or OwnAssets()
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._pictures: OrderedDict[tuple[str, str, str], _Kept] = OrderedDict()
        self._kept = 0

    def finish(self) -> None:
        """Have nobody wait any more: the gate is stopping."""
        self._following.finish()

    # -- pages ----------------------------------------------------------------------------------------------------

    async def page(
        self, request: Request, grant: Grant, upstream: Upstream, confined: Confined, held: Held
    ) -> Response:
        """What stands at a place, as a page. With `after` it waits until that is something else: 204 when it is not."""
        path = confined.path
        assert path is not None, "the rule names a path"
        known = confined.fields.get("after")
        self._presence.touch(grant.visit.id, str(path))
        if known:
            if not await self._wait(grant, upstream, confined, str(known)):
                return Response(204, (("Cache-Control", "no-store"),))
            await self._source.inside(grant, upstream, confined)
        shown = await self._shown(grant, upstream, confined, held)
        return self._drawn(grant, path, shown, self._languages.of(request.headers))

    async def _wait(self, grant: Grant, upstream: Upstream, confined: Confined, known: str) -> bool:
        async def look() -> str:
            return stamp(await self._source.about(grant, upstream, confined, waiting=True))

        return await self._following.changed((grant.share.id, str(confined.path)), known, look)

    async def _shown(self, grant: Grant, upstream: Upstream, confined: Confined, held: Held) -> Shown:
        assert confined.path is not None, "the rule names a path"
        about = await self._source.about(grant, upstream, confined)
        made, kind, size = stamp(about), about["type"], about.get("size") or 0
        if kind == "directory":
            return await self._folder(grant, upstream, confined, held, made)
        name = confined.path.name.lower()
        if kind == "file" and name.endswith(pictures.NAMES):
            return Shown("picture" if size <= pictures.LARGEST else "large", made)
        if size > (LARGEST_NOTEBOOK if kind == "notebook" else LARGEST_TEXT):
            return Shown("large", made)
        broken = False
        if kind == "notebook":
            try:
                model = await self._source.whole(grant, upstream, confined, held, 2 * LARGEST_NOTEBOOK)
                async with self._at_once:
                    sheet = await apart(1 << 30, read, model.get("content"), self._links(grant, confined.path))
                self._keep(grant, confined.path, sheet, made)
                return Shown("notebook", made, sheet=sheet)
            except Denied as denied:
                if denied.reason is not Reason.NOT_FOUND:
                    raise
                broken = True  # not the JSON of a notebook: it is shown as the text that it is
        as_text = (("type", "file"), ("format", "text"))
        try:
            model = await self._source.whole(grant, upstream, confined, held, 8 * LARGEST_TEXT, *as_text)
        except Denied as denied:
            if denied.reason is not Reason.NOT_FOUND:
                raise
            # No text, or gone meanwhile: then this is denied as it would have been before.
            await self._source.about(grant, upstream, confined)
            return Shown("other", made, broken=broken)
        content = model.get("content")
        if not isinstance(content, str):
            return Shown("other", made, broken=broken)
        async with self._at_once:
            kind, body = await apart(1 << 30, _text, content[:SHOWN_TEXT], name, self._links(grant, confined.path))
        return Shown(kind, made, body=body, cut=len(content) > SHOWN_TEXT, broken=broken)

    async def _folder(self, grant: Grant, upstream: Upstream, confined: Confined, held: Held, made: str) -> Shown:
        model = await self._source.whole(grant, upstream, confined, held, 16 * MIB)
        found = [one for one in model.get("content") or () if isinstance(one, dict)]
        found.sort(key=lambda one: (one["type"] != "directory", one["name"].casefold(), one["name"]))
        return Shown("folder", made, entries=tuple(found[:ENTRIES]), more=max(0, len(found) - ENTRIES))

    @staticmethod
    def _links(grant: Grant, path: CanonicalPath) -> Links:
        return Links(grant.base, grant.root, grant.share.kind, path, CanonicalPath(path.segments[:-1]))

    def _drawn(self, grant: Grant, path: CanonicalPath, shown: Shown, language: Language) -> Response:
        above = CanonicalPath(path.segments[:-1])
        addresses = grant.addresses
        scripts = addresses.static(self._assets.digest)
        text = render(
            "read.html",
            language,
            shown=shown,
            name=path.name or grant.root.name,
            path=str(path),
            base=grant.base,
            role=grant.role.value,
            owner=grant.share.owner,
            share=grant.share.name or grant.root.name,
            above=above if path.segments and above.place(grant.root) is Place.INSIDE else None,
            lab=f"lab/tree/{path.encoded}" if path.segments else grant.share.lab_landing,
            encoded=path.encoded,
            href=lambda entry: self._links(grant, path).page(path.join(entry["name"])),
            script=self._assets.address(addresses, "reading.js"),
        )
        socket = addresses.origin.replace("http", "ws", 1)
        policy = (
            f"default-src 'none'; script-src {addresses.origin}{scripts}; style-src {addresses.origin}{BASE}/; "
            f"img-src {addresses.origin}{grant.base}-/picture/ {addresses.origin}{BASE}/; connect-src 'self' {socket}; "
            "worker-src 'none'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
        )
        kept = tuple(field for field in HEADERS if field[0] != "Content-Security-Policy")
        headers = (("Content-Security-Policy", policy), *kept)
        return Response(200, headers, text.encode())

    # -- pictures -------------------------------------------------------------------------------------------------

    async def picture(
        self, request: Request, grant: Grant, upstream: Upstream, confined: Confined, held: Held
    ) -> Response:
        """A picture that lies there, or one within the notebook that lies there; by what its bytes are."""
        path = confined.path
        assert path is not None, "the rule names a path"
        digest = confined.fields.get("of")
        data = await self._within(grant, upstream, confined, held, str(digest)) if digest else b""
        if not digest:
            about = await self._source.about(grant, upstream, confined)
            if about["type"] != "file" or (about.get("size") or 0) > pictures.LARGEST:
                raise Denied(Reason.NOT_FOUND, "no picture, or one that is too large")
            as_bytes = (("type", "file"), ("format", "base64"))
            model = await self._source.whole(grant, upstream, confined, held, 2 * pictures.LARGEST, *as_bytes)
            data = pictures.decoded(model.get("content"))
        kind = pictures.kind_of(data)
        if not kind:
            raise Denied(Reason.NOT_FOUND, "no picture of a kind that is shown")
        tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
        headers = (*_PICTURE_HEADERS, ("ETag", tag))
        if tag in {one.strip().removeprefix("W/") for one in request.headers.get("If-None-Match").split(",")}:
            return Response(304, headers)
        return Response(200, (("Content-Type", kind), *headers), data)

    async def _within(self, grant: Grant, upstream: Upstream, confined: Confined, held: Held, digest: str) -> bytes:
        """From those that were just shown, else out of the notebook as it is now."""
        assert confined.path is not None, "the rule names a path"
        kept = self._pictures.get((grant.share.id, str(confined.path), digest))
        if kept is not None:
            # Whoever may not see the notebook any more may not see what was in it.
            about = await self._source.about(grant, upstream, confined)
            if kept.stamp == stamp(about) or self._pace() < kept.at + KEPT_SECONDS:
                return kept.data
        shown = await self._shown(grant, upstream, confined, held)
        found = shown.sheet.pictures.get(digest) if shown.sheet is not None else None
        if found is None:
            raise Denied(Reason.NOT_FOUND, "no such picture in it")
        return found

    def _keep(self, grant: Grant, path: CanonicalPath, sheet: Sheet, made: str) -> None:
        now = self._pace()
        for digest, data in sheet.pictures.items():
            key = (grant.share.id, str(path), digest)
            if self._pictures.pop(key, None) is None:
                self._kept += len(data)
            self._pictures[key] = _Kept(data, made, now)
        while self._kept > KEPT_PICTURES:
            _, oldest = self._pictures.popitem(last=False)
            self._kept -= len(oldest.data)


def _text(text: str, name: str, links: Links) -> tuple[str, Markup]:
    """Kind and body of a file that is text."""
    # Halves of characters cannot be sent.
    text = text.encode("utf-8", "replace").decode()
    if name.endswith(_MARKDOWN):
        return "markdown", markdown(text, links)
    return "text", code(text, language_of(name))
