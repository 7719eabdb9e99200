"""What may be wrong, in words with a remedy: for `doctor`, `up` and `share`."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from sharegate.config import Config, loopback
from sharegate.errors import Invalid, StoreUnavailable
from sharegate.upstream.interfaces import UpstreamStore
from sharegate.upstream.model import Upstream

Finding = dict[str, str]


class Ready(Protocol):
    async def ready(self) -> None:
        """StoreUnavailable unless a write would be durable."""


class ReadyStore(UpstreamStore, Ready, Protocol):
    """The store as the doctor sees it."""

    @property
    def place(self) -> str:
        """Where records are, for people."""


class ServersSeen(Protocol):
    def state(self, upstream: Upstream) -> str: ...

    def computer(self, upstream: Upstream) -> str: ...

    def collaboration(self, upstream: Upstream) -> bool | None: ...

    async def look(self, upstream: Upstream) -> bool | None: ...


class Front(Protocol):
    """How visitors come in, as entrance.Front tells it."""

    @property
    def days(self) -> float | None: ...

    @property
    def ending(self) -> bool: ...

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def problems(self) -> tuple[Invalid, ...]: ...

    @property
    def claiming(self) -> tuple[str, ...]: ...

    @property
    def one_address(self) -> bool: ...

    @property
    def plain(self) -> bool: ...


class Doctor:
    """Looks at configuration, store, trail and servers."""

    def __init__(
        self,
        config: Config,
        store: ReadyStore,
        servers: ServersSeen,
        trail: Ready,
        front: Callable[[], Front],
        more: Sequence[Callable[[], Awaitable[list[Finding]]]] = (),
    ) -> None:
        """`more` are checks of others."""
        self._more = more
        self._config = config
        self._store = store
        self._servers = servers
        self._trail = trail
        self._front = front

    def warnings(self) -> list[str]:
        """What an owner should know whenever they share; short."""
        found = []
        if self._config.reach == "this computer":
            found.append("Only people on this computer can open links (--lan or --public-url change that)")
        if self._config.insecure and not self._config.gate_url.startswith("https:"):
            found.append("Visitors use plain http: whoever listens in on the network can enter as they do")
        if not self._config.share_hosts and self._config.accept_shared_origin:
            found.append("Several owners may share from one address: a page of one can reach into a page of another")
        return [*found, *(finding["what"] for finding in self._certificate() if finding["level"] == "fail")]

    async def findings(self) -> list[Finding]:
        """Everything, worst last."""
        own: list[Callable[[], Awaitable[list[Finding]]]] = [
            *(self._reach, self._records, self._anchors, self._servers_known)
        ]
        checks = [*own, *self._more]
        found = [finding for check in checks for finding in await check()]
        order = {"ok": 0, "note": 1, "warn": 2, "fail": 3}
        return sorted(found, key=lambda finding: order[finding["level"]])

    async def _reach(self) -> list[Finding]:
        config = self._config
        found = [_finding("note", f"Visitors reach the gate at {config.gate_url} ({config.reach})")]
        if config.reach == "this computer":
            found.append(_finding("note", "Nobody else can open links", "sharegate up --lan, or set public_url"))
        found.append(self._mode())
        if config.insecure and not config.gate_url.startswith("https:"):
            found.append(
                _finding(
                    "warn",
                    "Plain http is accepted off this computer",
                    "Set tls_certificate and tls_key, or put TLS in front of the gate",
                )
            )
        return [*found, *self._certificate(), *self._in_front()]

    def _certificate(self) -> list[Finding]:
        front = self._front()
        renew = "Renew it; the gate takes up the new files by itself"
        found = []
        if front.days is not None:
            names = ", ".join(front.names[:5])
            if front.days <= 0:
                found.append(_finding("fail", "The TLS certificate has expired: browsers let nobody in", renew))
            elif front.ending:
                found.append(_finding("warn", f"The TLS certificate ends in {front.days:.0f} days ({names})", renew))
            else:
                found.append(_finding("ok", f"The TLS certificate is for {names}, for {front.days:.0f} days"))
        # While one is used that was good before, visitors notice nothing yet.
        level = "warn" if front.days is not None and front.days > 0 else "fail"
        for fault in front.problems:
            what = f"The TLS files cannot be used: {fault.field} {fault.problem}"
            found.append(_finding(level, what, fault.remedy or renew))
        return found

    def _in_front(self) -> list[Finding]:
        config, front = self._config, self._front()
        found = []
        if config.reach == "public" and not config.trusted_forwarders:
            remedy = "Name its address in trusted_forwarders, and have it send X-Forwarded-For (docs/reach.md)"
            if front.claiming:
                who = ", ".join(front.claiming)
                found.append(
                    _finding("warn", f"{who} says who visitors are and is not believed: all have its address", remedy)
                )
            elif front.one_address or (loopback(config.gate_host) and not config.lan):
                found.append(
                    _finding("warn", "Every visitor has the address of the proxy in front, one for all", remedy)
                )
        if front.plain and config.gate_url.startswith("https:"):
            found.append(
                _finding(
                    "warn",
                    "Your proxy tells of visitors who came to it over plain http",
                    "Have it send them to https, and set X-Forwarded-Proto to what they speak",
                )
            )
        return found

    def _mode(self) -> Finding:
        """Share hosts or path mode, and what path mode cannot hold."""
        config = self._config
        if config.share_hosts:
            return _finding("ok", f"Each share has a host of its own below {config.share_hosts} (share hosts)")
        what = "All shares have one address (path mode): script of a server's own extensions in one share's page can"
        if config.accept_shared_origin:
            return _finding(
                "warn",
                f"{what} act in the same visitor's pages of any other share, also of other owners; it is accepted here",
                "Give each share a host of its own: share_hosts, see docs/hosts.md",
            )
        return _finding(
            "note",
            f"{what} act in the same visitor's pages of your other shares. Shares of a second owner are refused",
            "Give each share a host of its own: sharegate up --share-hosts localhost, or see docs/hosts.md",
        )

    async def _records(self) -> list[Finding]:
        try:
            await self._store.ready()
            await self._trail.ready()
        except StoreUnavailable as error:
            return [
                _finding(
                    "fail",
                    f"Records cannot be written: {error}",
                    error.remedy or "Check disk space and permissions, or the server that `store` names",
                )
            ]
        return [_finding("ok", f"Records are written to {self._store.place}")]

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
            if computer := self._servers.computer(upstream):
                what = f"{upstream.name} runs on {computer}: visitors reach it by the gate there"
                found.append(_finding("note", what, "Run sharegate doctor there"))
                continue
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
