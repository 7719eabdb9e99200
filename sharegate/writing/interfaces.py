"""What writing through the contents API needs to know of open documents and kept versions."""

from __future__ import annotations

from typing import Protocol

from sharegate.paths import CanonicalPath
from sharegate.shares.model import Grant
from sharegate.upstream.model import Upstream
from sharegate.versions.model import Content


class OpenDocuments(Protocol):
    """Which documents have a live room at this gate. The owner's own open pages are not seen: the upstream tells
    nobody which rooms it has."""

    def is_open(self, upstream: str, path: CanonicalPath) -> bool:
        """Whether the document at `path`, or one below it when it is a folder, is open. Paths are relative to the
        server's root; names are compared as a disk that ignores case and Unicode form would."""

    def is_open_notebook(self, upstream: str, path: CanonicalPath) -> bool:
        """Whether the document at `path` is open in a room whose every update is judged as a notebook's, whatever the
        file is called meanwhile."""


class Keeping(Protocol):
    """Versions of what is about to be overwritten or deleted."""

    async def keep(self, grant: Grant, upstream: Upstream, path: CanonicalPath, *, deleting: bool) -> None:
        """Keep what stands at `path` (a file or a folder), durably, before the visitor's write goes on. What it raises
        stops the write."""

    async def wrote(self, grant: Grant, upstream: Upstream, path: CanonicalPath, content: Content) -> None:
        """`content` stands at `path` now, written by the visitor as a whole."""


class NothingOpen:
    """A gate without rooms that write."""

    def is_open(self, upstream: str, path: CanonicalPath) -> bool:
        return False

    def is_open_notebook(self, upstream: str, path: CanonicalPath) -> bool:
        return False


class RealPaths(Protocol):
    """Symbolic links, seen through where the gate can see the disk."""

    async def real(self, grant: Grant, upstream: Upstream, path: tuple[str, ...]) -> tuple[str, ...]:
        """Where `path` really is, relative to the server's root. Denied(`link_out`) when that leaves the share."""

    async def hidden_inside(self, grant: Grant, upstream: Upstream, path: tuple[str, ...]) -> bool:
        """Whether a folder holds what visitors are not shown."""

    async def names_below(
        self, grant: Grant, upstream: Upstream, path: tuple[str, ...], *, copied: bool
    ) -> frozenset[str] | None:
        """All names in a folder, shown or not; None where the disk is not seen. Denied(`body_too_large`), and with
        `copied` Denied(`link_out`) for what is no plain file or folder inside the share."""
