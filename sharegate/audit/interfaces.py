"""What the trail needs from a store."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import msgspec

from sharegate.audit.events import AuditEvent


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """A filter over the trail; empty fields do not filter. `path` matches itself and everything below it; `since` is
    included, `until` is not; `after_seq` counts within each writer. `person` is a name as `folded` spells it: what was
    erased, or had none, fits no person."""

    writer: str = ""
    share: str = ""
    link: str = ""
    visit: str = ""
    person: str = ""
    path: str = ""
    reason: str = ""
    action: str = ""
    outcome: str = ""
    since: float = 0.0
    until: float = 0.0
    after_seq: int = 0
    limit: int = 0
    newest_first: bool = False


class Sealed(msgspec.Struct, frozen=True, kw_only=True):
    """An event as it is stored: `body` is what the hash covers (canonical JSON, personal fields as digests),
    `personal` what retention may erase (JSON of the clear values and their salt, or empty)."""

    writer: str
    seq: int
    previous: str
    digest: str
    body: bytes
    personal: bytes = b""


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """An entry, as the place in the history that it has."""

    writer: str
    seq: int


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """`after`: what the next page follows on; None when there is none. A page may be empty and have a next one: so many
    entries were looked at and did not fit."""

    events: list[Sealed]
    after: Mark | None = None


class Held(NamedTuple):
    """What identifies people in the trail: how many entries hold it, since when, and how many of them are older than
    each of the moments that were asked for."""

    entries: int
    oldest: float | None
    older: tuple[int, ...]


# Entries that are looked at for one page.
LOOKS = 20_000


class AuditStore(Protocol):
    """An append-only sequence per writer. `append` is durable when it returns, all or nothing."""

    async def append(self, events: list[Sealed]) -> None: ...

    async def head(self, writer: str) -> tuple[int, str]:
        """(seq, digest) of the writer's last event; (0, "") when there is none."""

    async def read(self, query: Query) -> list[Sealed]:
        """Those that fit, by writer and seq (or newest first)."""

    async def page(self, query: Query, after: Mark | None = None, *, looks: int = LOOKS) -> Page:
        """At most `query.limit` (one or more) that fit, by time: from the oldest, or from the newest. What is appended
        meanwhile moves nothing: a page begins where the one before it ended, and nothing comes twice. At most `looks`
        entries are looked at. Raises NotFound when there is no entry `after`."""

    async def held(self, moments: tuple[float, ...]) -> Held: ...

    async def writers(self) -> list[str]: ...

    async def erase(self, query: Query) -> int:
        """Blank `personal` of those that fit (`limit` does not apply); returns how many held something."""

    async def erase_events(self, writer: str, seqs: list[int]) -> int:
        """Blank `personal` of exactly these events of a writer; returns how many held something."""


class Recorder(Protocol):
    """What the rest of the gate sees of the trail."""

    async def record(self, event: AuditEvent, *, durable: bool = True) -> None:
        """Record an act. With `durable` it is on disk when this returns, and StoreUnavailable is raised when it
        cannot be; without, it is on disk within 250 ms."""
