"""What the owner's API needs from the rest of the gate."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from sharegate.audit.events import Action, AuditEvent
from sharegate.audit.interfaces import Query
from sharegate.shares.addresses import GateAddresses
from sharegate.upstream.interfaces import Asking
from sharegate.upstream.model import Upstream


class Cutter(Protocol):
    """Counts and awaits what a verb ends. The cutting itself follows from the store's change."""

    def count(self, *, share: str = "", link: str = "", visit: str = "") -> int: ...

    async def drained(self, *, share: str = "", link: str = "", visit: str = "") -> None: ...


class Servers(Protocol):
    """The owner's servers, as the API needs them."""

    async def for_path(self, path: str, server: str, who: Asking) -> tuple[Upstream, str]:
        """The server that holds `path` (absolute, or relative to the root of `server`) and the path below its root;
        what `who` may not look at is not there."""

    async def add(self, url: str, token: str, root_dir: str, name: str) -> Upstream: ...

    def state(self, upstream: Upstream) -> str: ...

    def computer(self, upstream: Upstream) -> str: ...

    def collaboration(self, upstream: Upstream) -> bool | None: ...


class HistoryPage(Protocol):
    """`next`: the cursor of the next page, "" at the end. `reached`: the moment up to which was looked, where fewer fit
    than were asked for and there is more."""

    @property
    def events(self) -> list[AuditEvent]: ...
    @property
    def next(self) -> str: ...
    @property
    def reached(self) -> float | None: ...


class History(Protocol):
    """What audit/ offers for reading: events, pages of them, the report of passing on."""

    async def events(self, query: Query) -> list[AuditEvent]: ...

    async def page(self, query: Query, cursor: str = "") -> HistoryPage:
        """Raises Invalid for a cursor that was not given out for this question."""

    async def some(self, share: str, actions: tuple[Action, ...]) -> tuple[list[AuditEvent], bool]:
        """The newest of each of these kinds, oldest first; and whether those are all."""

    async def passed_on(self, share: str) -> list[dict[str, Any]]: ...


@dataclass(frozen=True, slots=True)
class GateFacts:
    """What the gate says of itself."""

    gate_url: str
    addresses: GateAddresses
    dashboard_url: str
    reach: str
    owner: str
    started: float
    running: bool
    warnings: Callable[[], list[str]]
    doctor: Callable[[], Awaitable[list[dict[str, str]]]]
