"""The records themselves, for their owner: check, back up, and what follows when they were put back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

import msgspec

from sharegate.audit.events import Action, AuditEvent
from sharegate.audit.interfaces import Recorder
from sharegate.dashboard.asking import Only
from sharegate.dashboard.routes import Route
from sharegate.dashboard.shapes import gate
from sharegate.errors import Invalid
from sharegate.shares.api_tokens import ApiCapability as Can
from sharegate.shares.interfaces import ShareStore


class BackupBody(msgspec.Struct, forbid_unknown_fields=True):
    to: str
    with_keys: bool = False


class RestoredBody(msgspec.Struct, forbid_unknown_fields=True):
    pause: bool = True


class Upkeep(Protocol):
    """What can be done with the file while the gate writes. Called in a thread."""

    def check(self) -> dict[str, Any]: ...

    def backup(self, to: Path, *, with_keys: bool) -> dict[str, Any]: ...


class Records:
    """`GET store/check`, `POST store/backup`, `POST store/restored`."""

    def __init__(
        self,
        upkeep: Upkeep,
        store: ShareStore,
        trail: Recorder,
        now: Callable[[], float],
        elsewhere: Callable[[], Awaitable[list[str]]] | None = None,
    ) -> None:
        """`elsewhere` looks for faults in records that are in no file of ours."""
        self._elsewhere = elsewhere
        self._upkeep = upkeep
        self._store = store
        self._trail = trail
        self._now = now

    def table(self) -> list[Route]:
        return [
            Route("GET", "store/check", self._check, "Whether the records are sound", Can.GATE_READ, gate.StoreChecked),
            Route(
                "POST",
                "store/backup",
                self._backup,
                "Copy the records to a folder",
                Only.TERMINAL,
                gate.BackedUp,
                body=BackupBody,
                private=("to",),
            ),
            Route(
                "POST",
                "store/restored",
                self._restored,
                "After older records were put back: close all shares",
                Only.TERMINAL,
                gate.AfterRestore,
                body=RestoredBody,
            ),
        ]

    async def _check(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        if self._elsewhere is None:
            return await asyncio.to_thread(self._upkeep.check)
        faults = await self._elsewhere()
        return {"sound": not faults, "faults": faults, "notes": []}

    async def _backup(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        asked = msgspec.convert(body, BackupBody)
        to = Path(asked.to)
        if not to.is_absolute():
            raise Invalid("to", "is not an absolute path", "Begin it with /")
        return await asyncio.to_thread(lambda: self._upkeep.backup(to, with_keys=asked.with_keys))

    async def _restored(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        """Older records came in the place of newer ones: who was let in then may have been put out since."""
        asked = msgspec.convert(body, RestoredBody)
        await self._trail.record(AuditEvent(action=Action.STORE_RESTORED, actor="owner"))
        paused = []
        for share in await self._store.shares():
            if asked.pause and share.revoked is None and not share.paused:
                await self._store.change_share(share.id, paused=True)
                await self._trail.record(
                    AuditEvent(action=Action.SHARE_PAUSED, actor="owner", share=share.id, detail="older records")
                )
                paused.append(share.id)
        ended = [token for token in await self._store.api_tokens() if asked.pause and token.revoked is None]
        for token in ended:
            await self._store.change_api_token(token.id, revoked=self._now())
            event = AuditEvent(action=Action.TOKEN_REVOKED, actor="owner", detail=f"{token.id} older records")
            await self._trail.record(event)
        return {"paused": paused, "tokens": [token.id for token in ended]}
