"""What stands at a share's root, now and when it was shared."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec

from sharegate.audit.events import Action, AuditEvent, Outcome
from sharegate.audit.interfaces import Recorder
from sharegate.errors import Denied, Invalid, Reason
from sharegate.paths import CanonicalPath
from sharegate.shares.interfaces import RootFacts, ShareStore
from sharegate.shares.model import Grant, RootIdentity, RootKind, Share
from sharegate.upstream.inside import around, copy_with_keys, held, held_among
from sharegate.upstream.interfaces import Disk, Forwarder, Outgoing, UpstreamDirectory, UpstreamStore
from sharegate.upstream.model import Upstream

_MODEL_LIMIT = 1 << 20


class _Model(msgspec.Struct):
    type: str


class Records(ShareStore, UpstreamStore, Protocol):
    """Shares and servers in one store."""


class Roots:
    """Looks at roots: on the disk where the server runs on this machine, else through its contents API.

    `protected` are files and folders that must never lie inside a share (keys, store, socket). `machine` as for the
    directory.
    """

    def __init__(
        self,
        store: Records,
        directory: UpstreamDirectory,
        forwarder: Forwarder,
        disk: Disk,
        trail: Recorder,
        protected: Callable[[], list[Path]],
        machine: str = "",
    ) -> None:
        self._store = store
        self._directory = directory
        self._forwarder = forwarder
        self._disk = disk
        self._trail = trail
        self._protected = protected
        self._machine = machine

    async def look(self, upstream_id: str, root: CanonicalPath) -> RootFacts | None:
        """For sharing and confirming. Raises Denied(`upstream_away` …) when the server cannot be asked."""
        upstream = await self._directory.find(upstream_id)
        if not upstream.local:
            kind = await self._kind(upstream, root)
            return None if kind is None else RootFacts(kind)
        found = await self._disk.identity(upstream, root.segments)
        if found is None:
            return None
        device, inode, directory = found
        return RootFacts(
            kind=RootKind.DIRECTORY if directory else RootKind.FILE,
            identity=RootIdentity(device, inode),
            protected=await asyncio.to_thread(self._held, Path(upstream.root_dir, *root.segments)),
        )

    async def protected(self, upstream_id: str, folder: CanonicalPath, names: list[str]) -> dict[str, str]:
        """Of the names in a folder, none of which is a link, those at which nothing may be shared: each with what lies
        there. Raises Denied(`upstream_away` …). Where the gate sees no disk, that is none."""
        upstream = await self._directory.find(upstream_id)
        if not upstream.local:
            return {}
        path = Path(upstream.root_dir, *folder.segments)
        found = await asyncio.to_thread(held_among, path, names, self._protected())
        return {name: str(what) for name, what in found.items()}

    async def check(self, grant: Grant, upstream: Upstream) -> None:
        """Suspend the share and raise Denied(`root_changed`) when another file or folder stands at its root."""
        known = grant.share.identity
        if known is None or not upstream.local:
            return
        found = await self._disk.identity(upstream, grant.root.segments)
        directory = grant.share.kind is RootKind.DIRECTORY
        # A file is replaced by each atomic save, so a shared file is known by its kind alone.
        same = found is not None and (found == (known.device, known.inode, True) if directory else found[2] is False)
        if same:
            return
        await self._suspend(grant.share.id, "nothing is there" if found is None else "something else is there")
        raise Denied(Reason.ROOT_CHANGED)

    async def at_start(self) -> list[str]:
        """Suspend the shares in which something of the gate lies by now (a setting names another file, say); a sentence
        for each."""
        told = []
        for share, root in await self._shown():
            if not share.suspended and (path := await asyncio.to_thread(held, root, self._protected())):
                await self._suspend(share.id, f"{path} lies inside or around it")
                told.append(f"the share {share.id} is suspended: {path} lies inside or around it")
        return told

    async def _suspend(self, share: str, why: str) -> None:
        await self._store.change_share(share, suspended=True)
        await self._trail.record(
            AuditEvent(
                action=Action.SHARE_SUSPENDED,
                outcome=Outcome.DENIED,
                actor="gate",
                share=share,
                reason=Reason.ROOT_CHANGED.value,
                detail=why[:300],
            )
        )

    async def _shown(self) -> list[tuple[Share, Path]]:
        """Unrevoked shares of what the gate can look at, each with its path."""
        known = await self._store.upstreams()
        servers = {each.id: each for each in known if each.local and not each.elsewhere(self._machine)}
        return [
            (share, Path(servers[share.upstream].root_dir, *share.root_path.segments))
            for share in await self._store.shares()
            if share.revoked is None and share.upstream in servers
        ]

    async def check_share_root(self, grant: Grant) -> None:
        """The same for something that is open; a server that is away cannot be looked at, and answers nobody anyway."""
        try:
            upstream = await self._directory.find(grant.share.upstream)
        except Denied:
            return
        await self.check(grant, upstream)

    async def inside(self, grant: Grant, upstream: Upstream, path: tuple[str, ...]) -> None:
        """Denied(`link_out`) when the real path leaves the root."""
        await self._disk.check_inside(upstream, self._root_of(grant), path)

    async def real(self, grant: Grant, upstream: Upstream, path: tuple[str, ...]) -> tuple[str, ...]:
        """Where `path` really is, relative to the server's root; Denied(`link_out`) when that leaves the root."""
        return await self._disk.real_path(upstream, self._root_of(grant), path)

    async def inside_names(
        self, grant: Grant, upstream: Upstream, directory: tuple[str, ...], names: list[str]
    ) -> set[str]:
        """Which names of a listing really lie inside."""
        return await self._disk.inside_names(upstream, self._root_of(grant), directory, names)

    async def hidden_inside(self, grant: Grant, upstream: Upstream, path: tuple[str, ...]) -> bool:
        """Whether a folder holds what visitors are not shown, as far as its disk is seen."""
        return await self._disk.hidden_inside(upstream, self._root_of(grant), path)

    async def names_below(
        self, grant: Grant, upstream: Upstream, path: tuple[str, ...], *, copied: bool
    ) -> frozenset[str] | None:
        """All names in a folder that is moved or copied; None where its disk is not seen."""
        return await self._disk.names_below(upstream, self._root_of(grant), path, copied=copied)

    async def links(self, grant: Grant, upstream: Upstream, directory: tuple[str, ...], names: list[str]) -> set[str]:
        """Which names of a folder are links, as far as its disk is seen."""
        return await self._disk.links(upstream, self._root_of(grant), directory, names)

    @staticmethod
    def _root_of(grant: Grant) -> tuple[str, ...]:
        return grant.root.segments

    async def apart(self, field: str, path: Path) -> None:
        """Raise Invalid for a file to write that visitors of a share would read."""
        roots = [(share.id, root) for share, root in await self._shown()]
        if share := await asyncio.to_thread(around, path, roots):
            raise Invalid(field, f"{path} lies inside the share {share}", "Name a place that is not shared")

    def _held(self, root: Path) -> str:
        """What is protected and lies at or below `root`, or above it."""
        return str(held(root, self._protected()) or copy_with_keys(root.resolve()) or "")

    async def _kind(self, upstream: Upstream, root: CanonicalPath) -> RootKind | None:
        answer = await self._forwarder.forward(
            upstream, Outgoing("GET", f"api/contents/{root.encoded}", query=(("content", "0"),))
        )
        data = await answer.read(_MODEL_LIMIT)
        if answer.status != 200:
            return None
        try:
            model = msgspec.json.decode(data, type=_Model)
        except msgspec.MsgspecError:
            raise Denied(Reason.UPSTREAM_BAD_ANSWER, "contents model") from None
        return RootKind.DIRECTORY if model.type == "directory" else RootKind.FILE
