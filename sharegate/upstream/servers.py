"""The owner's servers: which one holds a path, how one is recorded, what is known of each."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from sharegate.errors import Ambiguous, Denied, Invalid, NotFound, Reason, Refused, Unreachable
from sharegate.shares.model import new_id
from sharegate.upstream.address import parse_address
from sharegate.upstream.directory import StateChange, UpstreamState
from sharegate.upstream.discover import FoundServer, as_upstream, holding, running_servers
from sharegate.upstream.headers import usable
from sharegate.upstream.interfaces import Asking, Forwarder, UpstreamStore
from sharegate.upstream.model import Credential, Upstream
from sharegate.upstream.probe import probe

RESTARTING_SECONDS = 60.0
# Longer ones no system opens; asking the disk about each part of one takes as long as the square of its length.
_LONGEST_PATH = 4096
_ADVICE = "Start JupyterLab in that folder, or let `sharegate up PATH` start it"


class OwnerServers:
    """Records servers and remembers how they were last seen. `machine` as for the directory."""

    def __init__(
        self,
        store: UpstreamStore,
        forwarder: Forwarder,
        owner: str,
        *,
        machine: str = "",
        found: Callable[[], list[FoundServer]] = running_servers,
    ) -> None:
        self._store = store
        self._forwarder = forwarder
        self._owner = owner
        self._machine = machine
        self._found = found
        self._away: dict[str, Reason] = {}
        self._since: dict[str, float] = {}
        self._collaboration: dict[str, bool] = {}

    def seen(self, change: StateChange) -> None:
        """Called by the directory's watch."""
        if change.state is UpstreamState.AWAY:
            self._away[change.upstream] = change.reason or Reason.UPSTREAM_AWAY
            self._since.setdefault(change.upstream, time.monotonic())
        else:
            self._away.pop(change.upstream, None)
            self._since.pop(change.upstream, None)

    def presence(self, id: str) -> Literal["here", "restarting", "away"]:
        """For visitors' pages. A server that went is taken to be restarting until it stays away."""
        if id not in self._away:
            return "here"
        return "restarting" if time.monotonic() - self._since[id] < RESTARTING_SECONDS else "away"

    def state(self, upstream: Upstream) -> str:
        """`here`, `away` or `not_ours`."""
        reason = self._away.get(upstream.id)
        if reason is None:
            return "here"
        return "not_ours" if reason is Reason.UPSTREAM_NOT_OURS else "away"

    def computer(self, upstream: Upstream) -> str:
        """The other computer where it runs; "" for this one, and where it is reached by its address."""
        return upstream.machine if upstream.elsewhere(self._machine) else ""

    def collaboration(self, upstream: Upstream) -> bool | None:
        return self._collaboration.get(upstream.id)

    async def for_path(self, path: str, server: str, who: Asking) -> tuple[Upstream, str]:
        """The recorded or running server that holds `path`, and the path relative to its root.

        `path` is absolute, or relative to the root of `server` (needed when several are recorded). A path alone means
        one's own servers; what is not for `who` to look at is as if it were not there. Raises NotFound or Ambiguous
        for `server`, Invalid naming what to do, Unreachable when no server holds it.
        """
        known = [one for one in await self._store.upstreams() if who.has(one.owner)]
        mine = who.owner or self._owner
        if not server:
            known = [one for one in known if one.owner == mine]
        else:
            chosen = [one for one in known if one.id == server or one.name == server]
            if not chosen:
                raise NotFound("server", server[:80])
            if len(chosen) > 1:
                raise Ambiguous(server, [f"{one.id} {one.name}" for one in chosen])
            known = chosen
        if os.path.isabs(path):
            # What runs in this account is its owner's: nobody else has it found.
            return await self._by_disk(path, known, find=not server and mine == self._owner)
        if len(known) != 1:
            remedy = "Give an absolute path, or name the server" if known else _ADVICE
            raise Invalid("path", "is relative, and it is not clear to which server", remedy)
        return known[0], path

    async def _by_disk(self, path: str, known: list[Upstream], *, find: bool) -> tuple[Upstream, str]:
        if len(path) > _LONGEST_PATH:
            raise Invalid("path", f"is longer than {_LONGEST_PATH} characters", "Name a folder or a file")
        # The path's own last part may be a link, which is no root; what leads there may be reached by one.
        wanted = Path(path)
        real = Path(os.path.realpath(wanted.parent)) / wanted.name if wanted.name else Path(os.path.realpath(wanted))
        here = [one for one in known if one.root_dir and not one.elsewhere(self._machine)]
        holders = [one for one in here if real.is_relative_to(one.root_dir)]
        if find:
            running = await asyncio.to_thread(self._found)
            found = holding(real, running)
            deeper = found is not None and all(
                len(Path(found.root_dir).parts) > len(Path(one.root_dir).parts) for one in holders
            )
            if found is not None and deeper:
                holders = [await self.record(found)]
        if not holders:
            raise Unreachable(f"no running Jupyter server holds {path}. {_ADVICE}")
        best = max(holders, key=lambda one: len(Path(one.root_dir).parts))
        below = real.relative_to(best.root_dir)
        return best, "" if below == Path(".") else below.as_posix()

    async def record(self, found: FoundServer, name: str = "") -> Upstream:
        """Record a running server, or bring the record of the same root and user up to date. One that is recorded for
        another owner stays theirs, with what they share of it, and one of another computer its own: it is recorded once
        more."""
        real = os.path.realpath(found.root_dir)
        for one in await self._store.upstreams():
            known = one.owner == self._owner and one.root_dir == real and one.uid in (found.uid, -1)
            if known and not one.elsewhere(self._machine):
                upstream = as_upstream(found, id=one.id, name=one.name, owner=one.owner)
                break
        else:
            name = name or Path(found.root_dir).name or found.root_dir
            upstream = as_upstream(found, id=new_id(), name=name[:60], owner=self._owner)
        await self._store.put_upstream(upstream)
        if await self.look(upstream) is not None:
            self.seen(StateChange(upstream.id, UpstreamState.BACK))
        return upstream

    async def add(self, url: str, token: str, root_dir: str, name: str) -> Upstream:
        """Record a server by its address. Raises Invalid or Unreachable unless it answers and takes the token."""
        address = parse_address(url if url.endswith("/") else url + "/")
        real = ""
        if root_dir:
            if not os.path.isdir(root_dir) or not os.path.isabs(root_dir):
                raise Invalid("root_dir", f"{root_dir!r} is no folder on this computer", "Give its absolute path")
            real = os.path.realpath(root_dir)
        if len(token) > 4096 or (token and not usable(token)):
            raise Invalid("token", "is no token of a Jupyter server", "Copy it from `jupyter server list`")
        for one in await self._store.upstreams():
            if one.owner == self._owner and one.url == address.url:
                raise Refused("server_known", f"this server is recorded already as {one.name}")
        upstream = Upstream(
            id=new_id(),
            name=(name or Path(real).name or address.authority)[:60],
            owner=self._owner,
            url=address.url,
            root_dir=real,
            token=Credential(token),
        )
        try:
            probed = await probe(self._forwarder, upstream)
        except Denied as denied:
            certificate = denied.reason is Reason.UPSTREAM_NOT_OURS and address.scheme == "https"
            hint = (
                ": its certificate is not believed; name its authority with the setting upstream_ca"
                if certificate
                else ""
            )
            raise Unreachable(f"no Jupyter server answers at {address.url} ({denied.reason.value}){hint}") from None
        if not probed.admitted:
            raise Invalid("token", "is not taken by the server", "Copy it from `jupyter server list`")
        await self._store.put_upstream(upstream)
        self._collaboration[upstream.id] = probed.collaboration
        return upstream

    async def look(self, upstream: Upstream) -> bool | None:
        """Ask whether it collaborates; None when it does not answer."""
        try:
            probed = await probe(self._forwarder, upstream)
        except Denied:
            return None
        self._collaboration[upstream.id] = probed.collaboration
        return probed.collaboration
