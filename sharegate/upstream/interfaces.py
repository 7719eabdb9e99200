"""What the request path needs from the owner's servers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

import msgspec

from sharegate.errors import Denied, Reason
from sharegate.messages import Body, Headers, Socket
from sharegate.upstream.model import Upstream


class Outgoing(msgspec.Struct, frozen=True):
    """A request as it goes to the upstream: built anew from checked values, never the visitor's bytes.

    `path` is percent-encoded and relative to the upstream's base URL (no leading slash); `query` is decoded
    pairs. `headers` hold only what a rule allowed. With `credential` the upstream's token is added.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | Body = b""
    credential: bool = True
    subprotocol: str = ""

    def __repr__(self) -> str:
        # Fields, query and body are what a visitor says.
        return f"<Outgoing {self.method} {self.path}>"


class Incoming(msgspec.Struct, frozen=True):
    """An upstream's answer. `stream` yields the body as sent (no decompression); `close` gives it up (idempotent).
    `come` takes the body where all of it has come already, and is None otherwise."""

    status: int
    headers: Headers
    stream: Callable[[], AsyncIterator[bytes]]
    close: Callable[[], Awaitable[None]]
    come: Callable[[], bytes | None] = lambda: None

    async def read(self, limit: int) -> bytes:
        """The whole body, closed afterwards; Denied(`upstream_bad_answer`) past `limit` bytes."""
        whole = self.come()
        if whole is not None:
            if len(whole) > limit:
                raise Denied(Reason.UPSTREAM_BAD_ANSWER, "answer larger than the gate reads")
            return whole
        parts: list[bytes] = []
        size = 0
        try:
            async for part in self.stream():
                size += len(part)
                if size > limit:
                    raise Denied(Reason.UPSTREAM_BAD_ANSWER, "answer larger than the gate reads")
                parts.append(part)
        finally:
            await self.close()
        return b"".join(parts)


class Forwarder(Protocol):
    """Sends to one upstream. Raises Denied(`upstream_away`, `upstream_timeout`, `upstream_bad_answer`)."""

    async def forward(self, upstream: Upstream, outgoing: Outgoing) -> Incoming: ...

    async def connect(self, upstream: Upstream, outgoing: Outgoing) -> Socket:
        """Open a WebSocket and return it after the upstream's 101; Denied when it refuses."""


class UpstreamStore(Protocol):
    """Where servers are remembered. Writes are durable when they return; StoreUnavailable when they cannot be."""

    async def upstreams(self) -> list[Upstream]: ...

    async def put_upstream(self, upstream: Upstream) -> None:
        """Store or replace; the credential is encrypted at rest."""

    async def remove_upstream(self, id: str) -> None: ...


class Asking(Protocol):
    """Who asks for a server. `owner` is whose servers a path alone means, "" for those of the gate's own owner."""

    @property
    def owner(self) -> str: ...

    def has(self, owner: str) -> bool:
        """Whether what belongs to `owner` is theirs to look at."""


class UpstreamDirectory(Protocol):
    """Which servers there are and whether they are who they were."""

    async def find(self, id: str) -> Upstream:
        """The live server; Denied(`upstream_away`) or Denied(`upstream_not_ours`)."""


class Disk(Protocol):
    """A look at a co-located server's disk, to see through symbolic links."""

    async def check_inside(self, upstream: Upstream, root: tuple[str, ...], path: tuple[str, ...]) -> None:
        """Denied(`link_out`) when the real path leaves the root's real path or crosses a hidden name.

        A path that does not exist yet is judged by its nearest existing ancestor.
        """

    async def inside_names(
        self, upstream: Upstream, root: tuple[str, ...], directory: tuple[str, ...], names: list[str]
    ) -> set[str]:
        """Which of `names` in `directory` really lie inside the root (for filtering a listing)."""

    async def real_path(self, upstream: Upstream, root: tuple[str, ...], path: tuple[str, ...]) -> tuple[str, ...]:
        """Where `path` really is, relative to the server's root like `root`; Denied(`link_out`) as `check_inside`."""

    async def hidden_inside(self, upstream: Upstream, root: tuple[str, ...], path: tuple[str, ...]) -> bool:
        """Whether the folder at `path` holds what visitors are not shown; false for a disk out of sight."""

    async def names_below(
        self, upstream: Upstream, root: tuple[str, ...], path: tuple[str, ...], *, copied: bool
    ) -> frozenset[str] | None:
        """All names in the folder at `path`, hidden ones too; None for a disk out of sight.

        Denied(`body_too_large`) when they are too many. With `copied` Denied(`link_out`) for what may not be copied.
        """

    async def links(
        self, upstream: Upstream, root: tuple[str, ...], directory: tuple[str, ...], names: list[str]
    ) -> set[str]:
        """Which of `names` in `directory` are links; none on a disk out of sight."""

    async def identity(self, upstream: Upstream, root: tuple[str, ...]) -> tuple[int, int, bool] | None:
        """(device, inode, is_directory) of the root without following a link at its end; None when it is gone."""
