"""The records themselves, for their owner: check, back up, and what follows when they were put back."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

import msgspec

from sharegate.audit.events import Action, AuditEvent
from sharegate.audit.interfaces import Recorder
from sharegate.dashboard.asking import Only, Who
from sharegate.dashboard.chores import Chores, Progress
from sharegate.dashboard.routes import Route
from sharegate.dashboard.shapes import gate
from sharegate.errors import Invalid
from sharegate.shares.api_tokens import ApiCapability as Can
from sharegate.shares.interfaces import ShareStore

# The name of a copy: one folder, below the one that the settings name.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}\Z")


class BackupBody(msgspec.Struct, forbid_unknown_fields=True):
    to: str
    with_keys: bool = False


class CopyBody(msgspec.Struct, forbid_unknown_fields=True):
    """`name`: of a new folder below `backup_dir`."""

    name: str
    with_keys: bool = False


class RestoredBody(msgspec.Struct, forbid_unknown_fields=True):
    pause: bool = True


class Upkeep(Protocol):
    """What can be done with the file while the gate writes. Called in a thread."""

    @property
    def folder(self) -> Path:
        """Where copies go that are asked for by name."""

    def check(self, progress: Progress) -> dict[str, Any]: ...

    def backup(self, to: Path, *, with_keys: bool, progress: Progress) -> dict[str, Any]: ...

    def copy(self, name: str, *, with_keys: bool, progress: Progress) -> dict[str, Any]:
        """The same into `folder`, which is made where it is not there yet."""

    def put_back(self) -> bool:
        """Whether the records are older ones that nobody has closed yet."""

    def settled(self) -> None:
        """They are closed now."""


class Records:
    """`store/check`, `store/copies`, `store/work`, `store/backup` and `store/restored`."""

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
        self._chores = Chores(now)

    def table(self) -> list[Route]:
        return [
            Route(
                "GET",
                "store/check",
                self._check,
                "Whether the records are sound",
                Can.GATE_READ,
                gate.StoreChecked,
                who=Who.ADMIN,
            ),
            Route(
                "POST",
                "store/check",
                self._begin_check,
                "Begin to look whether the records are sound; `GET store/work` tells how far it is",
                Only.PERSON,
                gate.StoreWork,
                who=Who.ADMIN,
            ),
            Route(
                "POST",
                "store/copies",
                self._begin_copy,
                "Begin to copy the records to a new folder below `backup_dir`",
                Only.PERSON,
                gate.StoreWork,
                body=CopyBody,
                who=Who.ADMIN,
            ),
            Route(
                "GET",
                "store/work",
                self._work,
                "What is done with the records now, or was last",
                Only.PERSON,
                gate.StoreWork,
                who=Who.ADMIN,
            ),
            Route(
                "POST",
                "store/backup",
                self._backup,
                "Copy the records to a folder",
                Only.TERMINAL,
                gate.BackedUp,
                body=BackupBody,
                private=("to",),
                who=Who.ADMIN,
            ),
            Route(
                "POST",
                "store/restored",
                self._restored,
                "After older records were put back: close all shares",
                Only.TERMINAL,
                gate.AfterRestore,
                body=RestoredBody,
                who=Who.ADMIN,
            ),
        ]

    async def close(self) -> None:
        await self._chores.close()

    async def _check(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        return await self._chores.finish("check", self._looking)

    async def _begin_check(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        self._chores.begin("check", self._looking)
        return self._told()

    @property
    def _looking(self) -> Callable[[Progress], dict[str, Any]] | Callable[[], Awaitable[dict[str, Any]]]:
        return self._upkeep.check if self._elsewhere is None else self._looked_elsewhere

    async def _looked_elsewhere(self) -> dict[str, Any]:
        assert self._elsewhere is not None
        faults = await self._elsewhere()
        return {"sound": not faults, "faults": faults, "notes": []}

    async def _begin_copy(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        asked = msgspec.convert(body, CopyBody)
        if not _NAME.match(asked.name) or asked.name.endswith("."):
            remedy = "Give up to 60 letters, digits, dots and dashes, beginning with a letter or digit"
            raise Invalid("name", "is no name of a folder", remedy)
        self._chores.free()
        # It holds names and addresses of people: that there is another copy of them is known before there is one.
        more = " with the keys" if asked.with_keys else ""
        await self._trail.record(AuditEvent(action=Action.STORE_COPIED, actor="owner", detail=f"{asked.name}{more}"))
        self._chores.begin("copy", lambda step: self._copied(asked, step))
        return self._told()

    def _copied(self, asked: CopyBody, step: Progress) -> dict[str, Any]:
        return self._upkeep.copy(asked.name, with_keys=asked.with_keys, progress=step)

    async def _work(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        return self._told()

    def _told(self) -> dict[str, Any]:
        return {"work": self._chores.view(), "folder": str(self._upkeep.folder)}

    async def _backup(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        asked = msgspec.convert(body, BackupBody)
        to = Path(asked.to)
        if not to.is_absolute():
            raise Invalid("to", "is not an absolute path", "Begin it with /")
        return await self._chores.finish(
            "copy", lambda step: self._upkeep.backup(to, with_keys=asked.with_keys, progress=step)
        )

    async def at_start(self) -> None:
        """Before anybody is let in: close what was put back where whoever did that was killed before it was closed.
        Raises StoreUnavailable."""
        if await asyncio.to_thread(self._upkeep.put_back):
            await self._restored({}, {}, {})

    async def _restored(self, parts: dict[str, str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        """Older records came in the place of newer ones: who was let in then may have been put out since."""
        asked = msgspec.convert(body, RestoredBody)
        await self._trail.record(AuditEvent(action=Action.STORE_RESTORED, actor="owner"))
        paused = []
        for share in await self._store.shares():
            # What a co-owner had paused is the owner's to resume now.
            if asked.pause and share.revoked is None and (not share.paused or share.paused_by):
                await self._store.change_share(share.id, paused=True, paused_by="")
                await self._trail.record(
                    AuditEvent(action=Action.SHARE_PAUSED, actor="owner", share=share.id, detail="older records")
                )
                paused.append(share.id)
        ended = [token for token in await self._store.api_tokens() if asked.pause and token.revoked is None]
        for token in ended:
            await self._store.change_api_token(token.id, revoked=self._now())
            event = AuditEvent(action=Action.TOKEN_REVOKED, actor="owner", detail=f"{token.id} older records")
            await self._trail.record(event)
        await asyncio.to_thread(self._upkeep.settled)
        return {"paused": paused, "tokens": [token.id for token in ended]}
