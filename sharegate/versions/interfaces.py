"""What versions need from a store, and what the owner's API needs from the live rooms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sharegate.versions.model import Authorship, Content, Edit, Limits, Place, Snapshot


class VersionStore(Protocol):
    """Snapshots with their contents, encrypted at rest. Every write is durable when it returns; StoreUnavailable means
    that nothing was kept, and whoever wanted to change the document must not."""

    async def keep_version(self, snapshot: Snapshot, content: bytes, *, limits: Limits) -> Snapshot:
        """Keep, and thin out what is past the limits in the same step. Returns the record with digest and sizes.

        Equal content of one server is stored once. Raises StoreUnavailable where the limit on bytes leaves no room
        even when only what is protected is kept, AccountFull where the account of the visit is full; ValueError when
        the id is taken.
        """

    async def name_version(self, id: str) -> None:
        """An alarm names it: only its age ends it from now on. Nothing happens for one that is gone."""

    async def version(self, id: str) -> Snapshot | None:
        """By its id, or by the beginning of it where only one fits."""

    async def versions(self, *, upstream: str = "", path: str = "", file: str = "", limit: int = 0) -> list[Snapshot]:
        """Newest first. `path` is exactly what lay there; with `file` also what has that id, wherever it lay."""

    async def version_content(self, id: str) -> bytes:
        """Raises NotFound, and StoreUnavailable for what does not open."""

    async def thin_versions(self, now: float, *, limits: Limits) -> int:
        """Forget what is past the limits, in snapshots and logs. Returns how many snapshots went."""


class AuthorStore(Protocol):
    """Who wrote in which cell."""

    async def add_authorship(self, entries: Sequence[Authorship]) -> None:
        """Adds the amounts to what is known of (upstream, file, cell, visit)."""

    async def authorship(self, upstream: str, file: str) -> list[Authorship]:
        """By first time."""


class EditStore(Protocol):
    """The logs from which a person's work is taken back, encrypted at rest."""

    async def append_edits(self, place: Place, edits: Sequence[Edit], *, limit: int) -> None:
        """Append durably. Past `limit` bytes the oldest entries go, up to the next STATE; never the last STATE."""

    async def edits(self, place: Place) -> list[Edit]:
        """In order, beginning with a STATE."""

    async def edited_by(self, origin: str) -> list[Place]:
        """The logs that hold something of this visit, those written last first."""

    async def logs_of(self, upstream: str, file: str) -> list[Place]:
        """The logs of one document, those that begin first first."""


class KeptVersions(VersionStore, AuthorStore, EditStore, Protocol):
    """All of it, as one store implements it."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a restore or undo did. `before` is the snapshot of what was there; `report` is shown as JSON."""

    before: Snapshot | None
    report: dict[str, Any]


class LiveDocuments(Protocol):
    """The live rooms, as the owner's commands need them. Each raises NotFound for a file that is not there,
    Denied(`upstream_away`) and the like when the server cannot be asked, StoreUnavailable when nothing can be kept."""

    async def path_of(self, upstream: str, file: str) -> str | None:
        """Where the file with this id lies by now; None when the server does not know."""

    async def file_at(self, upstream: str, path: str) -> str:
        """The id of the file at a path; "" where none is known."""

    async def present(self, upstream: str, path: str) -> Content:
        """The document as it is now; a room that is not open is opened for it."""

    async def take(self, upstream: str, path: str) -> Snapshot:
        """Keep the document as it is now (Cause.ASKED)."""

    async def restore(self, upstream: str, path: str, wanted: Content, cells: tuple[str, ...] | None) -> Done:
        """Keep the present (Cause.BEFORE_RESTORE), then turn it into `wanted`, in these cells or altogether."""

    async def flush(self) -> None:
        """Store what visitors just did, so that it can be found. StoreUnavailable."""

    async def undo(self, place: Place, visit: str, *, preview: bool) -> Done:
        """Keep the present (Cause.BEFORE_UNDO), then take back what the visit changed. With `preview` only the report
        is made. Raises Refused(`rebuilt`) when the document is not the one any more that the visit wrote in."""
