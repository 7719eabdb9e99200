"""Reading the trail: what the owner's API offers of it."""

from __future__ import annotations

from typing import Any

from sharegate.audit.chain import opened
from sharegate.audit.events import AuditEvent
from sharegate.audit.interfaces import AuditStore, Query
from sharegate.audit.report import passed_on, plain
from sharegate.shares.interfaces import ShareStore


class StoredHistory:
    """Events in clear, and the picture of passing on."""

    def __init__(self, store: AuditStore, shares: ShareStore) -> None:
        self._store = store
        self._shares = shares

    async def events(self, query: Query) -> list[AuditEvent]:
        return [opened(sealed) for sealed in await self._store.read(query)]

    async def passed_on(self, share: str) -> list[dict[str, Any]]:
        """Who passed what on to whom, as plain values."""
        found = []
        for writer in await self._store.writers():
            after = 0
            while page := await self._store.read(Query(writer=writer, share=share, after_seq=after, limit=5000)):
                found += [opened(sealed) for sealed in page]
                after = page[-1].seq
        return plain(passed_on(found))
