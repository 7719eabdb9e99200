"""How the gate is doing, gathered from its parts: for `/metrics` and `/ready`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sharegate.clock import DayClock
from sharegate.errors import StoreUnavailable
from sharegate.listener.crowd import Crowd
from sharegate.metrics import Now
from sharegate.upstream.model import Upstream


class Records(Protocol):
    """The store, as far as it is counted."""

    async def upstreams(self) -> list[Upstream]: ...

    async def knocks(self) -> Sequence[object]: ...


class Ready(Protocol):
    async def ready(self) -> None:
        """StoreUnavailable unless a write would be durable."""


class Holding(Ready, Protocol):
    """The store, with this gate's own chain of the history."""

    @property
    def writer(self) -> str: ...

    async def head(self, writer: str) -> tuple[int, str]: ...


class Signing(Protocol):
    def signing_key(self) -> Any: ...


def checks(
    store: Holding, history: Ready, ring: Signing, draining: Callable[[], bool]
) -> dict[str, Callable[[], Awaitable[None]]]:
    """Those of `/ready`; each raises what it will."""

    async def written() -> None:
        await history.ready()
        # Nothing may have been recorded for long: that its end is read tells whether the next event would find one.
        await store.head(store.writer)

    async def keys() -> None:
        ring.signing_key().sign(b"ready")

    async def is_open() -> None:
        if draining():
            raise StoreUnavailable("draining")

    return {"store": store.ready, "history": written, "keys": keys, "open": is_open}


class OpenThings(Protocol):
    """channels/registry.py."""

    def by_kind(self) -> Mapping[Any, int]: ...

    def visits(self) -> int:
        """How many visits have something open."""


class OpenDocuments(Protocol):
    """documents.py."""

    def count(self) -> int: ...

    def unsaved(self) -> int: ...


class History(Protocol):
    @property
    def waiting(self) -> int:
        """Events that are not written yet."""


class Looking(Protocol):
    async def look(self) -> dict[str, str]: ...


@dataclass(slots=True)
class Condition:
    """`state` says of a server whether it is here; `versions_bytes` is set by who looks after versions."""

    records: Records
    things: OpenThings
    documents: OpenDocuments
    history: History
    health: Looking
    crowd: Crowd
    clock: DayClock
    state: Callable[[Upstream], str]
    versions_bytes: int = 0

    async def now(self) -> Now:
        try:
            upstreams = await self.records.upstreams()
            knocks = len(await self.records.knocks())
        except StoreUnavailable:  # fails closed: none is known, and `ready` says why
            upstreams, knocks = [], 0
        return Now(
            channels=self.things.by_kind(),
            upstreams=Counter(map(self.state, upstreams)),
            checks=await self.health.look(),
            rooms=self.documents.count(),
            unsaved=self.documents.unsaved(),
            visits=self.things.visits(),
            knocks=knocks,
            trail_waiting=self.history.waiting,
            versions_bytes=self.versions_bytes,
            connections=len(self.crowd),
            connections_most=self.crowd.most,
            connections_refused=self.crowd.refused,
            clock_behind=self.clock.behind,
        )
