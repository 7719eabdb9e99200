"""Documents that look damaged, for the owner's live screen: until they are restored, or the owner has seen it."""

from __future__ import annotations

import contextlib
from typing import Any

from sharegate.audit.events import Action, AuditEvent, Outcome
from sharegate.dashboard.asking import asker
from sharegate.dashboard.belonging import Of
from sharegate.dashboard.routes import Route
from sharegate.dashboard.shapes import kept
from sharegate.dashboard.views import Views, short
from sharegate.errors import NotFound
from sharegate.shares.api_tokens import ApiCapability as Can
from sharegate.shares.interfaces import ShareStore
from sharegate.upstream.interfaces import UpstreamStore
from sharegate.versions.alarms import told
from sharegate.versions.snapshots import Keeper

Json = dict[str, Any]
_MOST = 50


class Alarms:
    """Kept in memory, the newest alarm of each document; the history has all of them."""

    def __init__(self, keeper: Keeper, store: ShareStore, upstreams: UpstreamStore, views: Views) -> None:
        self._keeper = keeper
        self._store = store
        self._upstreams = upstreams
        self._views = views
        self._open: dict[str, tuple[str, AuditEvent]] = {}
        self._last = 0

    def happened(self, event: AuditEvent) -> None:
        """Called for each recorded event."""
        if event.action is Action.DOCUMENT_ALARM:
            self._last += 1
            self._open.pop(event.path, None)
            self._open[event.path] = (str(self._last), event)
            if len(self._open) > _MOST:
                del self._open[next(iter(self._open))]
        elif event.action in (Action.DOCUMENT_RESTORED, Action.DOCUMENT_UNDONE) and event.outcome is Outcome.ALLOWED:
            self._open.pop(event.path, None)
            # Under another name, too: the file may have been renamed after the alarm.
            version = event.detail.removeprefix("to ").split(",")[0]
            renamed = [path for path, (_, alarm) in self._open.items() if version == told(alarm.detail)[2] != ""]
            for path in renamed:
                del self._open[path]

    def table(self) -> list[Route]:
        return [
            Route(
                "GET",
                "alarms",
                self.listed,
                "Documents that look damaged",
                Can.VERSIONS_READ,
                kept.AlarmList,
                of=Of.LISTED,
            ),
            Route(
                "POST",
                "alarms/{id}/{verb:dismiss}",
                self.dismissed,
                "Say that an alarm was seen",
                Can.VERSIONS_WRITE,
                kept.AlarmDismissed,
                of=Of.ALARM,
            ),
        ]

    async def listed(self, parts: dict[str, str], query: dict[str, str], body: Json) -> Json:
        """`GET alarms`: the newest first."""
        if not self._open:
            return {"alarms": []}
        ids = [one.id for one in await self._keeper.list()]
        ours = [each for each in reversed(self._open.values()) if asker().has(await self.owner(each[0]) or "")]
        return {"alarms": [await self._view(id, event, ids) for id, event in ours]}

    async def owner(self, id: str) -> str | None:
        """On whose server the document lies; None for no alarm that there is, and where nobody can tell."""
        event = next((event for each, event in self._open.values() if each == id), None)
        if event is None:
            return None
        owners = {server.id: server.owner for server in await self._upstreams.upstreams()}
        with contextlib.suppress(NotFound):  # thinned out meanwhile
            return owners.get((await self._keeper.find(told(event.detail)[2])).upstream)
        several = set(owners.values())
        return several.pop() if len(several) == 1 else None

    async def dismissed(self, parts: dict[str, str], query: dict[str, str], body: Json) -> Json:
        """`POST alarms/{id}/dismiss`: the owner has seen it. Raises NotFound."""
        for path, (id, _) in self._open.items():
            if id == parts["id"]:
                del self._open[path]
                return {"alarm": {"id": id, "path": path}}
        raise NotFound("alarm", parts["id"])

    async def _view(self, id: str, event: AuditEvent, ids: list[str]) -> Json:
        what, sentence, version = told(event.detail)
        visit = await self._store.visit(event.visit) if event.visit else None
        return {
            "id": id,
            "at": event.at,
            "path": event.path,
            "what": what,
            "sentence": sentence,
            # Thinned out meanwhile, it is not offered.
            "version": short(version, ids) if version in ids else "",
            "visit": await self._views.visit_label(visit) if visit is not None else "",
            "name": visit.name if visit is not None else "",
        }
