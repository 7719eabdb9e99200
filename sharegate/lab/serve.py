"""Pages and static files of a visitor's JupyterLab: fetched from the upstream where needed, never passed through."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Protocol
from urllib.parse import urlsplit

from sharegate.errors import Denied, Reason
from sharegate.lab.config import Addresses
from sharegate.lab.notebook import KINDS, LAB, TREE, View, leads_to, view_of
from sharegate.lab.page import MAX_PAGE, PageSource, read_page, render_page
from sharegate.lab.static import MAX_ASSET, OWN, Asset, OwnAssets, StaticCache, static_answer, upstream_path
from sharegate.lab.synthetic import redirect
from sharegate.language.catalogue import ENGLISH, Language
from sharegate.limits import Buckets, Rate, network
from sharegate.messages import Request, Response
from sharegate.paths import CanonicalPath
from sharegate.shares.model import FrontEnd, Grant, Share
from sharegate.upstream.interfaces import Incoming
from sharegate.upstream.model import Upstream

_DIGESTS = 64
_MAX_MODEL = 64 << 10  # a contents model without its content
# Anybody may ask for static files, and what is not in memory is asked of the owner's server: a whole JupyterLab a few
# times a minute for each address, and never more at once than fits into memory.
FETCHES = Rate(per=1200, seconds=60, burst=1200)
FETCHES_AT_ONCE = 8
_DIGEST = re.compile(r"[0-9a-f]{20}\Z")


class Fetch(Protocol):
    """GET of an encoded path below the upstream's base; with or without the upstream's credential. `query` is decoded
    pairs."""

    async def __call__(
        self, upstream: Upstream, path: str, *, credential: bool, query: tuple[tuple[str, str], ...] = ()
    ) -> Incoming: ...


class LabServer:
    """One per gate."""

    def __init__(
        self,
        fetch: Fetch,
        secret_of: Callable[[Upstream], str],
        *,
        fetches: Rate = FETCHES,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._secret_of = secret_of
        self._cache = StaticCache()
        self._own = OwnAssets()
        self._digests: OrderedDict[str, dict[str, str]] = OrderedDict()  # upstream → front end → digest
        self._loading: dict[tuple[str, str, str], asyncio.Future[Asset]] = {}
        self._fetches = Buckets(fetches, now)
        self._at_once = asyncio.Semaphore(FETCHES_AT_ONCE)

    async def page(
        self,
        grant: Grant,
        upstream: Upstream,
        segments: tuple[str, ...],
        tree: CanonicalPath,
        language: Language = ENGLISH,
    ) -> Response:
        """The visitor's page at one of the pages' addresses. `segments` and `tree` are confined already; `language` is
        that of our own words in it.

        An address of Notebook's that is none of its pages is answered with where it leads.
        """
        view = view_of(segments)
        named = not view.notebook and segments[1:2] == ("workspaces",) and len(segments) > 2
        workspace = segments[2] if named else "default"
        elsewhere = await self._elsewhere(grant, upstream, view, tree) if view.notebook else ""
        if elsewhere:
            return redirect(grant, elsewhere)
        try:
            source = await self._source(upstream, view)
        except Denied as denied:
            if denied.reason is Reason.NOT_FOUND and grant.share.page is FrontEnd.NOTEBOOK:
                # The server has lost its Notebook since: its visitors have JupyterLab.
                return redirect(grant, grant.share.lab_landing)
            raise
        addresses = Addresses(base=grant.base, static=grant.addresses.static(source.digest))
        page = render_page(
            source,
            grant=grant,
            addresses=addresses,
            origin=grant.addresses.origin,
            page_script=self._own.address(grant.addresses, "page.js"),
            page_style=self._own.address(grant.addresses, "page.css"),
            tree_path=str(tree),
            workspace=workspace,
            view=view,
            language=language,
            secrets_of_upstream=(self._secret_of(upstream),),
        )
        return Response(200, page.headers, page.body)

    async def collaboration(self, upstream: Upstream) -> bool:
        """Whether documents are live there, as its own page says."""
        return (await self._source(upstream, LAB)).collaboration

    async def static(
        self, share: Share, upstream: Callable[[], Awaitable[Upstream]], segments: tuple[str, ...], request: Request
    ) -> Response:
        """A share's `-/static/<digest>/…`; `segments` begin with the digest. Denied(`not_found`) for anything else,
        Denied(`request_limit`) for an address that asks for too much that is not in memory."""
        if request.method not in ("GET", "HEAD") or len(segments) < 2:
            raise Denied(Reason.NOT_FOUND, "no static address")
        head = request.method == "HEAD"
        digest, rest = segments[0], segments[1:]
        if rest[0] == OWN:
            own = self._own.find(digest, rest)
            if own is None:
                raise Denied(Reason.NOT_FOUND, "no such asset")
            return static_answer(own, request.headers, head=head)
        path = upstream_path(rest)
        if not _DIGEST.match(digest):
            raise Denied(Reason.NOT_FOUND, "no static address")
        current = self._current(share.upstream, digest)
        asset = self._cache.get(share.upstream, digest, path) if current else None
        if asset is None:
            self._fetches.take(network(request.peer), 1, Reason.REQUEST_LIMIT)
            asset = await self._load(share.upstream, digest, rest, path, upstream)
            current = self._current(share.upstream, digest)
        return static_answer(asset, request.headers, head=head, immutable=current)

    async def _elsewhere(self, grant: Grant, upstream: Upstream, view: View, path: CanonicalPath) -> str:
        """Where an address of Notebook's leads, "" for a page; Denied(`not_found`) when there is nothing at it."""
        answer = await self._fetch(upstream, f"api/contents/{path.encoded}", credential=True, query=(("content", "0"),))
        body = await answer.read(_MAX_MODEL)
        if answer.status in (400, 403, 404):
            raise Denied(Reason.NOT_FOUND, f"contents answered {answer.status}")
        kind = _kind(body) if answer.status == 200 else ""
        if not kind:
            raise Denied(Reason.UPSTREAM_BAD_ANSWER, f"contents answered {answer.status} and no kind of thing")
        return leads_to(view, grant.share, path, kind)

    async def _source(self, upstream: Upstream, view: View) -> PageSource:
        # The page of the server's root says the same for every document, so no path of the share goes upstream here.
        answer = await self._fetch(upstream, view.upstream_page, credential=True)
        body = await answer.read(MAX_PAGE)
        if answer.status == 404 and view.notebook:
            self._know(upstream.id, view, "")
            raise Denied(Reason.NOT_FOUND, "the server has no Notebook 7")
        if answer.status != 200:
            raise Denied(Reason.UPSTREAM_BAD_ANSWER, f"page answered {answer.status}")
        source = read_page(body, urlsplit(upstream.url).path, view.app)
        self._know(upstream.id, view, source.digest)
        return source

    def _know(self, id: str, view: View, digest: str) -> None:
        """`digest` is what the upstream's page says now; "" for a front end that is not there."""
        known = {**self._digests.pop(id, {}), view.app: digest}
        self._digests[id] = known
        if len(self._digests) > _DIGESTS:
            self._digests.popitem(last=False)

    def _current(self, id: str, digest: str) -> bool:
        return digest in self._digests.get(id, {}).values()

    async def _load(
        self, id: str, digest: str, rest: tuple[str, ...], path: str, upstream: Callable[[], Awaitable[Upstream]]
    ) -> Asset:
        """Fetch once for all who ask at the same time."""
        key = (id, digest, path)
        waiting = self._loading.get(key)
        if waiting is not None:
            return await asyncio.shield(waiting)
        loading = asyncio.ensure_future(self._load_now(id, digest, rest, path, await upstream()))
        self._loading[key] = loading
        loading.add_done_callback(lambda done: self._loaded(key, done))
        return await asyncio.shield(loading)

    def _loaded(self, key: tuple[str, str, str], done: asyncio.Future[Asset]) -> None:
        self._loading.pop(key, None)
        if not done.cancelled():
            done.exception()  # seen, also when everybody who waited has gone

    async def _load_now(self, id: str, digest: str, rest: tuple[str, ...], path: str, upstream: Upstream) -> Asset:
        async with self._at_once:
            return await self._fetch_asset(id, digest, rest, path, upstream)

    async def _fetch_asset(self, id: str, digest: str, rest: tuple[str, ...], path: str, upstream: Upstream) -> Asset:
        for view in (LAB, TREE):
            # After a restart of the gate a page may ask for its files before anybody loaded a page anew. A front end is
            # asked for once: whoever makes up addresses makes the server work no more.
            if not self._current(id, digest) and view.app not in self._digests.get(id, {}):
                try:
                    await self._source(upstream, view)
                except Denied as denied:
                    # Fails closed for JupyterLab; a server without Notebook has JupyterLab's files all the same.
                    if view is LAB or denied.reason is not Reason.NOT_FOUND:
                        raise
        answer = await self._fetch(upstream, CanonicalPath(rest).encoded, credential=False)
        body = await answer.read(MAX_ASSET)
        if answer.status != 200:
            raise Denied(Reason.NOT_FOUND, f"static file answered {answer.status}")
        if not self._current(id, digest):
            return Asset.of(path, body)
        return self._cache.put(id, digest, path, body)


def _kind(body: bytes) -> str:
    """The kind of thing that a contents model tells of, "" for what is no such model."""
    try:
        model = json.loads(body)
    except (ValueError, RecursionError):
        return ""  # fails closed: no page
    kind = model.get("type") if isinstance(model, dict) else None
    return kind if isinstance(kind, str) and kind in KINDS else ""
