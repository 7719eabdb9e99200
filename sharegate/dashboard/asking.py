"""Who asks the owner's API, and as whom the trail records what they do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

import msgspec

from sharegate.audit.events import AuditEvent
from sharegate.audit.interfaces import Recorder
from sharegate.shares.api_tokens import ApiCapability

OWNER = "owner"
ADMIN = "admin"


class By(StrEnum):
    """Over the owner's socket, from a page of the dashboard, or with a token."""

    TERMINAL = "terminal"
    BROWSER = "browser"
    TOKEN = "token"  # noqa: S105 -- a word


class Who(StrEnum):
    """Which person may ask. Tokens are made by admins, and go by their capabilities alone."""

    OWNER = "the owner"
    ADMIN = "an admin"


class Only(StrEnum):
    """Who may ask for what no capability is for."""

    SIGNED_IN = "anybody who is let in"
    PERSON = "the owner, in a browser or a terminal"
    TERMINAL = "the owner, in a terminal"


@dataclass(frozen=True, slots=True)
class Asker:
    """`id` names a token or a session; `capabilities` limits a token. `seen` is the ETag of what is to be changed, as
    the asker saw it ("" where that is all the same). `admin` and `owner` are of somebody in a browser: who is no admin
    may look at what belongs to `owner`, and at nobody else's."""

    by: By = By.TERMINAL
    id: str = ""
    name: str = ""
    capabilities: frozenset[ApiCapability] = frozenset(ApiCapability)
    expires: float | None = None
    seen: str = ""
    admin: bool = False
    owner: str = ""

    @property
    def for_all(self) -> bool:
        """Whether everything here is theirs to look at, whoever's it is."""
        return self.by is not By.BROWSER or self.admin

    def is_one(self, who: Who) -> bool:
        return who is Who.OWNER or self.for_all

    def has(self, owner: str) -> bool:
        """Whether what belongs to `owner` is theirs to look at."""
        return self.for_all or (bool(self.owner) and owner == self.owner)

    def may(self, needs: ApiCapability | Only) -> bool:
        """Deny by default: what is for nobody else is for the terminal."""
        if self.by is By.TERMINAL or needs is Only.SIGNED_IN:
            return True
        if self.by is By.BROWSER:
            return needs is not Only.TERMINAL
        return isinstance(needs, ApiCapability) and needs in self.capabilities

    def having_seen(self, seen: str) -> Asker:
        return replace(self, seen=seen)

    @property
    def actor(self) -> str:
        if self.by is By.TOKEN:
            return f"token:{self.id}"
        return ADMIN if self.by is By.BROWSER and not self.owner else OWNER


_asker: ContextVar[Asker | None] = ContextVar("asker", default=None)


def asker() -> Asker:
    """Who asks for what is being done now; whatever nobody asked for is the gate's own, for its owner."""
    return _asker.get() or Asker()


@contextmanager
def asking(who: Asker) -> Iterator[None]:
    """What is done in here, and what it begins, is done for `who`."""
    before = _asker.set(who)
    try:
        yield
    finally:
        _asker.reset(before)


class FlushedTrail(Recorder, Protocol):
    async def flush(self) -> None: ...


class Attributed:
    """The trail as the owner's verbs see it: what they do for a program is recorded as the token's act."""

    def __init__(self, trail: FlushedTrail) -> None:
        self._trail = trail

    async def record(self, event: AuditEvent, *, durable: bool = True) -> None:
        actor = asker().actor
        if event.actor == OWNER and actor != OWNER:
            event = msgspec.structs.replace(event, actor=actor)
        await self._trail.record(event, durable=durable)

    async def flush(self) -> None:
        await self._trail.flush()
