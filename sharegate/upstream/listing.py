"""What lies in a folder of an owner's server, for the owner who looks for what to share.

Read from the disk where the server runs on this machine, hidden names and links too, so that the owner is told why they
are not shared; else as the server itself lists it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from sharegate.errors import Denied, Invalid, Reason
from sharegate.paths import CanonicalPath
from sharegate.upstream.interfaces import Disk, Forwarder, Outgoing, UpstreamDirectory
from sharegate.upstream.model import Upstream

MOST_ENTRIES = 1000
# Names that are read at all: of a folder with more, some are not among those that are shown.
_MOST_READ = 50_000
_MODEL_LIMIT = 16 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """`kind` is directory, notebook, file, other, or link for a symbolic link, wherever it leads."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Listing:
    """Folders first, hidden names last; `more` counts those that were left out."""

    entries: tuple[Entry, ...]
    more: int = 0


class _Model(msgspec.Struct):
    name: str
    type: str


class _Folder(msgspec.Struct):
    type: str
    content: list[_Model] | None = None


class Folders:
    """Lists folders below a server's root, and nothing else."""

    def __init__(self, directory: UpstreamDirectory, forwarder: Forwarder, disk: Disk) -> None:
        self._directory = directory
        self._forwarder = forwarder
        self._disk = disk

    async def seen(self, upstream_id: str) -> bool:
        """Whether its folders are read from the disk. Raises Denied when the server is away."""
        return (await self._directory.find(upstream_id)).local

    async def look(self, upstream_id: str, folder: CanonicalPath, most: int = MOST_ENTRIES) -> Listing:
        """Raises Invalid for what is no folder there, Denied when the server is away."""
        upstream = await self._directory.find(upstream_id)
        if not upstream.local:
            return _ordered(await self._asked(upstream, folder), 0, most)
        try:
            await self._disk.check_inside(upstream, (), folder.segments)
        except Denied:
            raise _no_folder(folder) from None
        read = await asyncio.to_thread(_read, os.path.join(upstream.root_dir, *folder.segments))
        if read is None:
            raise _no_folder(folder)
        return _ordered(*read, most)

    async def inside(self, upstream_id: str, root: CanonicalPath, names: list[str]) -> set[str]:
        """Which names in a shared folder really lie in it, as visitors' listings are filtered."""
        upstream = await self._directory.find(upstream_id)
        return await self._disk.inside_names(upstream, root.segments, root.segments, names)

    async def _asked(self, upstream: Upstream, folder: CanonicalPath) -> list[Entry]:
        outgoing = Outgoing("GET", f"api/contents/{folder.encoded}", query=(("type", "directory"), ("content", "1")))
        answer = await self._forwarder.forward(upstream, outgoing)
        data = await answer.read(_MODEL_LIMIT)
        if answer.status != 200:
            raise _no_folder(folder)
        try:
            model = msgspec.json.decode(data, type=_Folder)
        except msgspec.MsgspecError:
            raise Denied(Reason.UPSTREAM_BAD_ANSWER, "contents model") from None
        if model.type != "directory":
            raise _no_folder(folder)
        return [Entry(each.name, each.type) for each in model.content or ()]


def _read(path: str) -> tuple[list[Entry], int] | None:
    """The entries of a folder on this disk, and how many were not read; None when it cannot be read."""
    found: list[Entry] = []
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if len(found) == _MOST_READ:
                    return found, sum(1 for _ in entries) + 1
                found.append(Entry(entry.name, _kind(entry)))
    except (OSError, ValueError):  # fails closed: what cannot be looked at is not offered
        return None
    return found, 0


def _kind(entry: os.DirEntry[str]) -> str:
    if entry.is_dir(follow_symlinks=False):
        return "directory"
    if entry.is_symlink():
        return "link"
    if entry.is_file(follow_symlinks=False):
        return "notebook" if entry.name.endswith(".ipynb") else "file"
    return "other"


def _ordered(entries: Iterable[Entry], unread: int, most: int) -> Listing:
    found = sorted(entries, key=_order)
    return Listing(tuple(found[:most]), max(0, len(found) - most) + unread)


def _order(entry: Entry) -> tuple[bool, bool, str, str]:
    return entry.name.startswith("."), entry.kind != "directory", entry.name.casefold(), entry.name


def above(root: CanonicalPath) -> Iterator[CanonicalPath]:
    """The folders on the way to a root, from the server's own root down."""
    for depth in range(len(root.segments)):
        yield CanonicalPath(root.segments[:depth])


def _no_folder(folder: CanonicalPath) -> Invalid:
    return Invalid("path", f"there is no folder {str(folder)!r} on the server", "Check the spelling")
