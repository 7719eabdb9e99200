"""What the contents API gives of a place that was confined: the same question and the same filter as a visitor's own
`GET /api/contents/…`, asked by the gate."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from sharegate.confine.answer import check_status
from sharegate.confine.contents import Setting
from sharegate.confine.holding import Held
from sharegate.confine.request import Confined
from sharegate.confine.response import answer_locally, filter_answer
from sharegate.errors import Denied, Reason
from sharegate.shares.model import Grant
from sharegate.upstream.interfaces import Forwarder, Outgoing
from sharegate.upstream.model import Upstream
from sharegate.upstream.roots import Roots

_SHORT = 1 << 20


class Source:
    """One per gate."""

    def __init__(self, forwarder: Forwarder, roots: Roots) -> None:
        self._forwarder = forwarder
        self._roots = roots

    async def about(
        self, grant: Grant, upstream: Upstream, confined: Confined, *, waiting: bool = False
    ) -> dict[str, Any]:
        """The model without its content. Denied as a visitor's own request would be. `waiting`: asked by nobody just
        now, so that a server on which nothing else happens may rest."""
        quiet = (("no_track_activity", "1"),) if waiting else ()
        return await self._model(grant, upstream, confined, (("content", "0"), *quiet), None, _SHORT)

    async def whole(
        self, grant: Grant, upstream: Upstream, confined: Confined, held: Held, limit: int, *query: tuple[str, str]
    ) -> dict[str, Any]:
        """The model with its content, of at most `limit` bytes; what is read is `held`."""
        return await self._model(grant, upstream, confined, (("content", "1"), *query), held, limit)

    async def inside(self, grant: Grant, upstream: Upstream, confined: Confined) -> None:
        """Look at the disk once more: what waited may have been replaced by a link that leads out."""
        await self._roots.check(grant, upstream)
        if confined.path is not None:
            await self._roots.inside(grant, upstream, confined.path.segments)

    async def _model(
        self,
        grant: Grant,
        upstream: Upstream,
        confined: Confined,
        query: tuple[tuple[str, str], ...],
        held: Held | None,
        limit: int,
    ) -> dict[str, Any]:
        assert confined.path is not None, "the rules name a path"

        async def inside_names(directory: tuple[str, ...], names: list[str]) -> set[str]:
            return await self._roots.inside_names(grant, upstream, directory, names)

        setting = Setting(grant, confined, "GET", urlsplit(upstream.url).path, inside_names)
        body = answer_locally("contents", setting)
        if body is None:
            asked = Outgoing("GET", f"api/contents/{confined.path.encoded}", query=query)
            incoming = await self._forwarder.forward(upstream, asked)
            try:
                check_status(incoming.status, reading=True, sent=())
                if held is not None:
                    await held.answer(incoming.headers, limit)
                data = await incoming.read(limit)
            except BaseException:
                await incoming.close()
                raise
            if incoming.status != 200:
                raise Denied(Reason.UPSTREAM_BAD_ANSWER, f"contents answered {incoming.status}")
            body = await filter_answer("contents", data, setting)
        found: dict[str, Any] = json.loads(body)
        return found
