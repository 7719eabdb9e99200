"""The servers' credentials that the process holds now, for whoever has to keep them out of sight."""

from __future__ import annotations

import asyncio

from sharegate.errors import StoreUnavailable
from sharegate.upstream.interfaces import UpstreamStore


class KnownTokens:
    """Called, it gives all that were ever recorded while the process runs: an old one may still be in somebody's hands.
    `changed` is told by the store after each change of a server."""

    def __init__(self, store: UpstreamStore) -> None:
        self._store = store
        self._known: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def __call__(self) -> frozenset[str]:
        return frozenset(self._known)

    def __repr__(self) -> str:
        return f"<KnownTokens {len(self._known)}>"

    def changed(self) -> None:
        task = asyncio.get_running_loop().create_task(self.read())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def read(self) -> None:
        try:
            self._known |= {one.token.secret for one in await self._store.upstreams() if one.token.secret}
        except StoreUnavailable:
            # Fails open: those that were known stay so, and what looks like a secret is kept out of sight anyway.
            pass
