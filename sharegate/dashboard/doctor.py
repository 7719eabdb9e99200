"""What may be wrong, in words with a remedy: for `doctor`, `up` and `share`."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from sharegate.config import Config
from sharegate.errors import StoreUnavailable
from sharegate.upstream.interfaces import UpstreamStore
from sharegate.upstream.model import Upstream

Finding = dict[str, str]


class Ready(Protocol):
    async def ready(self) -> None:
        """StoreUnavailable unless a write would be durable."""


class ReadyStore(UpstreamStore, Ready, Protocol):
    """The store as the doctor sees it."""


class ServersSeen(Protocol):
    def state(self, upstream: Upstream) -> str: ...

    def collaboration(self, upstream: Upstream) -> bool | None: ...

    async def look(self, upstream: Upstream) -> bool | None: ...


class Doctor:
    """Looks at configuration, store, trail and servers."""

    def __init__(self, config: Config, store: ReadyStore, servers: ServersSeen, trail: Ready) -> None:
        self._config = config
        self._store = store
        self._servers = servers
        self._trail = trail

    def warnings(self) -> list[str]:
        """What an owner should know whenever they share; short."""
        found = []
        if self._config.reach == "this computer":
            found.append("Only people on this computer can open links (--lan or --public-url change that)")
        if self._config.insecure and not self._config.gate_url.startswith("https:"):
            found.append("Visitors use plain http: whoever listens in on the network can enter as they do")
        return found

    async def findings(self) -> list[Finding]:
        """Everything, worst last."""
        checks: list[Callable[[], Awaitable[list[Finding]]]] = [
            *(self._reach, self._records, self._anchors, self._servers_known)
        ]
        found = [finding for check in checks for finding in await check()]
        order = {"ok": 0, "note": 1, "warn": 2, "fail": 3}
        return sorted(found, key=lambda finding: order[finding["level"]])

    async def _reach(self) -> list[Finding]:
        config = self._config
        found = [_finding("note", f"Visitors reach the gate at {config.gate_url} ({config.reach})")]
        if config.reach == "this computer":
            found.append(_finding("note", "Nobody else can open links", "sharegate up --lan, or set public_url"))
        if config.insecure:
            found.append(_finding("warn", "Plain http is accepted off this computer", "Put TLS in front of the gate"))
        return found

    async def _records(self) -> list[Finding]:
        try:
            await self._store.ready()
            await self._trail.ready()
        except StoreUnavailable as error:
            return [_finding("fail", f"Records cannot be written: {error}", "Check disk space and permissions")]
        return [_finding("ok", f"Records are written to {self._config.database}")]

    async def _anchors(self) -> list[Finding]:
        file, minutes = self._config.anchor_file, self._config.anchor_minutes
        if file is None:
            return []
        if file.is_relative_to(self._config.data_dir):
            return [_finding("warn", f"Anchors lie beside the records, in {file}", "Name a file on another disk")]
        try:
            age = time.time() - file.stat().st_mtime
        except OSError:
            return [_finding("warn", f"The history is not anchored: there is no {file}", "Check the folder")]
        if age > 2 * minutes * 60:
            return [_finding("warn", f"The history was anchored {age / 3600:.1f} hours ago", f"Check {file}")]
        return [_finding("ok", f"The history is anchored in {file}")]

    async def _servers_known(self) -> list[Finding]:
        found = []
        for upstream in await self._store.upstreams():
            collaboration = await self._servers.look(upstream)
            if collaboration is None:
                found.append(_finding("warn", f"{upstream.name} does not answer at {upstream.url}", "Start it again"))
                continue
            found.append(_finding("ok", f"{upstream.name} answers at {upstream.url}"))
            if not collaboration:
                found.append(
                    _finding(
                        "warn",
                        f"{upstream.name} has no jupyter-collaboration: visitors see saved versions, not live typing",
                        "pip install jupyter-collaboration, then restart that server",
                    )
                )
            else:
                found.append(
                    _finding(
                        "note",
                        f"JupyterLab's own Share menu on {upstream.name} still hands out a link to the whole server",
                        "Use sharegate share instead; the menu's link cannot be revoked",
                    )
                )
            if not upstream.local:
                found.append(
                    _finding(
                        "warn",
                        f"{upstream.name} runs elsewhere: symbolic links in a shared folder are not checked",
                        "Share folders without links to places outside",
                    )
                )
        return found or [_finding("note", "No Jupyter server is known yet", "sharegate up PATH")]


def _finding(level: str, what: str, remedy: str = "") -> Finding:
    return {"level": level, "what": what, "remedy": remedy}
