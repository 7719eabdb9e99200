"""Keeping what a document was: when, why and on whose account."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

from sharegate.errors import NotFound
from sharegate.versions.interfaces import VersionStore
from sharegate.versions.model import Cause, Content, Limits, Snapshot, facts


@dataclass(frozen=True, slots=True)
class OnAccount:
    """Whose act a snapshot is taken for; empty where nobody's."""

    visit: str = ""
    link: str = ""
    share: str = ""


NOBODY = OnAccount()


class NewId(Protocol):
    def __call__(self) -> str: ...


class Keeper:
    """Takes snapshots and reads them back. Everything may raise StoreUnavailable: whoever was about to change the
    document must then not do it."""

    def __init__(
        self, store: VersionStore, limits: Limits, new_id: NewId, now: Callable[[], float], interval: float = 300.0
    ) -> None:
        self._store = store
        self._limits = limits
        self._new_id = new_id
        self._now = now
        self._interval = interval

    async def take(
        self,
        upstream: str,
        path: str,
        content: Content,
        cause: Cause,
        *,
        file: str = "",
        room: str = "",
        by: OnAccount = NOBODY,
    ) -> Snapshot:
        """Keep `content`. On disk when this returns."""
        counted = facts(content)
        snapshot = Snapshot(
            id=self._new_id(),
            upstream=upstream,
            path=path,
            file=file,
            room=room,
            kind=content.kind,
            taken=self._now(),
            cause=cause,
            visit=by.visit,
            link=by.link,
            share=by.share,
            cells=counted.cells,
            characters=counted.characters,
        )
        return await self._store.keep_version(snapshot, content.encode(), limits=self._limits)

    async def name(self, snapshot: str) -> None:
        """An alarm is about to name it: it is not forgotten before its time."""
        if snapshot:
            await self._store.name_version(snapshot)

    def due(self, last: float | None, *, written: bool) -> bool:
        """Whether a document that visitors wrote in since is to be kept again. `last`: when it was kept last."""
        return written and (last is None or self._now() - last >= self._interval)

    async def find(self, id: str) -> Snapshot:
        """By its id or the beginning of it. Raises NotFound."""
        snapshot = await self._store.version(id)
        if snapshot is None:
            raise NotFound("version", id[:80])
        return snapshot

    async def list(self, *, upstream: str = "", path: str = "", file: str = "", limit: int = 0) -> list[Snapshot]:
        """Newest first."""
        return await self._store.versions(upstream=upstream, path=path, file=file, limit=limit)

    async def before(self, upstream: str, paths: Collection[str], visit: str, at: float) -> Snapshot | None:
        """What was kept of a document, wherever it lay, before the visit's first change, which was stored at `at`; or
        the newest from before that, where that one is not kept any more."""
        kept = [one for one in await self.list(upstream=upstream) if one.path in paths and one.taken <= at]
        own = [one for one in kept if one.visit == visit and one.cause is Cause.FIRST_WRITE]
        return own[-1] if own else next(iter(kept), None)

    async def content(self, snapshot: Snapshot) -> Content:
        """Raises NotFound when it was thinned out meanwhile."""
        return Content.decode(snapshot.kind, await self._store.version_content(snapshot.id))

    async def thin(self) -> int:
        """Forget what is past the limits; once an hour is enough."""
        return await self._store.thin_versions(self._now(), limits=self._limits)
