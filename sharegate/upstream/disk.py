"""Symbolic links, seen through on the disk of a server that runs beside the gate.

What is *not* checked: the look happens before the upstream opens the file, so whoever can create links on that disk in
between wins the race (the owner, a kernel; no `view` or `edit` visitor, because Jupyter's contents API makes no links).
Hard links and mounts inside a root are inside. Names are compared as spelled: a disk that ignores case or Unicode form
can only make the gate refuse more.
"""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from collections import deque
from collections.abc import Iterator

from sharegate.errors import Denied, Reason
from sharegate.upstream.interfaces import Disk
from sharegate.upstream.model import Upstream
from sharegate.upstream.mounts import NearFolders

# Names that begin with a dot and hold nobody's work: Jupyter's copies of what is shown, Finder's views.
_OF_PROGRAMS = frozenset({".ipynb_checkpoints", ".DS_Store"})
# Names looked at in a folder that is deleted, moved or copied.
MAX_NAMES = 20_000

# As many as Linux follows (path_resolution(7)).
MAX_LINKS = 40

_MISSING = frozenset({errno.ENOENT, errno.ENOTDIR})


class LocalDisk:
    """Looks at the disk, in a worker thread where that may take long. Anything that cannot be looked at is refused:
    fails closed."""

    def __init__(self, folders: NearFolders | None = None) -> None:
        self._folders = folders or NearFolders()

    async def check_inside(self, upstream: Upstream, root: tuple[str, ...], path: tuple[str, ...]) -> None:
        """Denied(`link_out`) when the real path leaves the root's real path or crosses a hidden name on the way.

        A path that does not exist yet is judged by its nearest existing ancestor, a dangling link by where it points:
        writing through it would create that file.
        """
        near = await self._folders.real(_base(upstream))
        if near is not None and _plainly_inside(near, root, path):
            return
        await asyncio.to_thread(_check, _base(upstream), root, path)

    async def real_path(self, upstream: Upstream, root: tuple[str, ...], path: tuple[str, ...]) -> tuple[str, ...]:
        """Where `path` really is, spelled below `root`. Denied(`link_out`) as above."""
        return await asyncio.to_thread(_real_path, _base(upstream), root, path)

    async def inside_names(
        self, upstream: Upstream, root: tuple[str, ...], directory: tuple[str, ...], names: list[str]
    ) -> set[str]:
        """Which of `names` in `directory` really lie inside the root; none when the directory itself does not."""
        return await asyncio.to_thread(_inside_names, _base(upstream), root, directory, names)

    async def hidden_inside(self, upstream: Upstream, root: tuple[str, ...], path: tuple[str, ...]) -> bool:
        """Whether a folder holds what visitors are not shown, at any depth; true also for one that cannot be looked
        through. Of a link only the link goes: that holds nothing."""
        return await asyncio.to_thread(_hidden_inside, _base(upstream), root, path)

    async def names_below(
        self, upstream: Upstream, root: tuple[str, ...], path: tuple[str, ...], *, copied: bool
    ) -> frozenset[str] | None:
        """All names in a folder, at any depth, hidden ones too, also behind links that stay in the root. Denied
        (`body_too_large`) when they are too many.

        Copying reads what links lead to: with `copied` Denied(`link_out`) for a link that leads out, through a hidden
        name, to a folder or to nothing, and for what is neither file nor folder.
        """
        return await asyncio.to_thread(_names_below, _base(upstream), root, path, copied)

    async def links(
        self, upstream: Upstream, root: tuple[str, ...], directory: tuple[str, ...], names: list[str]
    ) -> set[str]:
        """Which of `names` in `directory` are links. Denied(`link_out`) when the directory is not in the root."""
        return await asyncio.to_thread(_links, _base(upstream), root, directory, names)

    async def identity(self, upstream: Upstream, root: tuple[str, ...]) -> tuple[int, int, bool] | None:
        """(device, inode, is_directory) of the root; None when it is gone or has become a link.

        Links above the root are followed (home directories are often reached through one): one that is turned to
        another place shows as another inode.
        """
        near = await self._folders.real(_base(upstream))
        if near is not None and _plainly_inside(near, (), root):
            return _identity(near, root)
        return await asyncio.to_thread(_identity, _base(upstream), root)


class NoDisk:
    """For a server on another machine: checks nothing and filters nothing.

    A symbolic link inside a shared root then leads wherever it points, as it does for the owner. SECURITY.md says so.
    `identity` is always None, which for such a server means unknown, not gone.
    """

    async def check_inside(self, upstream: Upstream, root: tuple[str, ...], path: tuple[str, ...]) -> None:
        return None

    async def real_path(self, upstream: Upstream, root: tuple[str, ...], path: tuple[str, ...]) -> tuple[str, ...]:
        return path

    async def inside_names(
        self, upstream: Upstream, root: tuple[str, ...], directory: tuple[str, ...], names: list[str]
    ) -> set[str]:
        return set(names)

    async def hidden_inside(self, upstream: Upstream, root: tuple[str, ...], path: tuple[str, ...]) -> bool:
        return False

    async def names_below(
        self, upstream: Upstream, root: tuple[str, ...], path: tuple[str, ...], *, copied: bool
    ) -> frozenset[str] | None:
        return None

    async def links(
        self, upstream: Upstream, root: tuple[str, ...], directory: tuple[str, ...], names: list[str]
    ) -> set[str]:
        return set()

    async def identity(self, upstream: Upstream, root: tuple[str, ...]) -> tuple[int, int, bool] | None:
        return None


class DiskByUpstream:
    """LocalDisk for servers whose disk the gate can see, NoDisk for the others."""

    def __init__(self) -> None:
        self._near: Disk = LocalDisk()
        self._far: Disk = NoDisk()

    def _of(self, upstream: Upstream) -> Disk:
        return self._near if upstream.local else self._far

    async def check_inside(self, upstream: Upstream, root: tuple[str, ...], path: tuple[str, ...]) -> None:
        await self._of(upstream).check_inside(upstream, root, path)

    async def real_path(self, upstream: Upstream, root: tuple[str, ...], path: tuple[str, ...]) -> tuple[str, ...]:
        return await self._of(upstream).real_path(upstream, root, path)

    async def inside_names(
        self, upstream: Upstream, root: tuple[str, ...], directory: tuple[str, ...], names: list[str]
    ) -> set[str]:
        return await self._of(upstream).inside_names(upstream, root, directory, names)

    async def hidden_inside(self, upstream: Upstream, root: tuple[str, ...], path: tuple[str, ...]) -> bool:
        return await self._of(upstream).hidden_inside(upstream, root, path)

    async def names_below(
        self, upstream: Upstream, root: tuple[str, ...], path: tuple[str, ...], *, copied: bool
    ) -> frozenset[str] | None:
        return await self._of(upstream).names_below(upstream, root, path, copied=copied)

    async def links(
        self, upstream: Upstream, root: tuple[str, ...], directory: tuple[str, ...], names: list[str]
    ) -> set[str]:
        return await self._of(upstream).links(upstream, root, directory, names)

    async def identity(self, upstream: Upstream, root: tuple[str, ...]) -> tuple[int, int, bool] | None:
        return await self._of(upstream).identity(upstream, root)


def _base(upstream: Upstream) -> str:
    if not os.path.isabs(upstream.root_dir):
        # Asked about a disk that it cannot see: fails closed.
        raise Denied(Reason.LINK_OUT, "the server's root directory is not known")
    return upstream.root_dir


def _check(base: str, root: tuple[str, ...], path: tuple[str, ...]) -> None:
    _real_path(base, root, path)


def _real_path(base: str, root: tuple[str, ...], path: tuple[str, ...]) -> tuple[str, ...]:
    if path[: len(root)] != root:
        raise Denied(Reason.LINK_OUT, "asked about a path outside the root")
    real_root = _real_root(base, root)
    real = _resolve(real_root, path[len(root) :], real_root)
    below = real[len(real_root) :].strip("/")
    return (*root, *below.split("/")) if below else root


def _plainly_inside(base: str, root: tuple[str, ...], path: tuple[str, ...]) -> bool:
    """Whether no name from the real directory `base` down to `path` is a link or hidden, so that nothing has to be
    followed to anywhere. False says nothing: then it is looked at closely."""
    if path[: len(root)] != root:
        return False
    current = base
    for depth, name in enumerate(path):
        if name.startswith(".") or not name:
            return False
        current = f"{current}/{name}"
        try:
            os.readlink(current)
        except OSError as error:
            if error.errno == errno.EINVAL:
                continue
            return error.errno == errno.ENOENT and depth >= len(root)
        except ValueError:  # not a name on a disk: the closer look refuses it
            return False
        return False
    return True


def _inside_names(base: str, root: tuple[str, ...], directory: tuple[str, ...], names: list[str]) -> set[str]:
    if directory[: len(root)] != root:
        return set()
    try:
        real_root = _real_root(base, root)
        real_directory = _resolve(real_root, directory[len(root) :], real_root)
    except Denied:
        return set()
    inside: set[str] = set()
    for name in names:
        try:
            _resolve(real_directory, (name,), real_root)
        except Denied:
            continue
        inside.add(name)
    return inside


def _hidden_inside(base: str, root: tuple[str, ...], path: tuple[str, ...]) -> bool:
    real_root = _real_root(base, root)
    around = _resolve(real_root, path[len(root) : -1], real_root)
    top = os.path.join(around, *path[-1:])
    try:
        return not os.path.islink(top) and any(_is_hidden(entry) for entry in _below([top]))
    except (Denied, OSError, ValueError):  # fails closed
        return True


def _names_below(base: str, root: tuple[str, ...], path: tuple[str, ...], copied: bool) -> frozenset[str]:
    if path[: len(root)] != root:
        raise Denied(Reason.LINK_OUT, "asked about a path outside the root")
    real_root = _real_root(base, root)
    waiting = [_resolve(real_root, path[len(root) :], real_root)]
    names: set[str] = set()
    followed: set[str] = set()
    try:
        for entry in _below(waiting):
            names.add(entry.name)
            if entry.is_symlink():
                target = _followed(entry, real_root, copied)
                if target is not None and target not in followed:
                    followed.add(target)
                    waiting.append(target)
            elif copied and not entry.is_dir(follow_symlinks=False) and not entry.is_file(follow_symlinks=False):
                raise Denied(Reason.LINK_OUT, "neither file nor folder in a folder that is copied")
    except (OSError, ValueError):  # fails closed
        raise Denied(Reason.LINK_OUT, "a folder that cannot be looked through") from None
    return frozenset(names)


def _followed(link: os.DirEntry[str], real_root: str, copied: bool) -> str | None:
    """The folder inside the root that a link leads to, if it leads to one."""
    try:
        target = _resolve(os.path.dirname(link.path), (link.name,), real_root)
    except Denied:
        if copied:
            raise
        # It is moved as the link that it is, and stays refused.
        return None
    # A link back up would be copied again and again, and copying stops half-way at one to nothing.
    if copied and not os.path.isfile(target):
        raise Denied(Reason.LINK_OUT, "a link to no file in a folder that is copied")
    return target if os.path.isdir(target) else None


def _links(base: str, root: tuple[str, ...], directory: tuple[str, ...], names: list[str]) -> set[str]:
    if directory[: len(root)] != root:
        raise Denied(Reason.LINK_OUT, "asked about a path outside the root")
    real_root = _real_root(base, root)
    around = _resolve(real_root, directory[len(root) :], real_root)
    return {name for name in names if os.path.islink(os.path.join(around, name))}


def _below(waiting: list[str]) -> Iterator[os.DirEntry[str]]:
    """All that lies in folders, at any depth; links are not followed. Whoever goes through it may append folders."""
    count = 0
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                count += 1
                if count > MAX_NAMES:
                    raise Denied(Reason.BODY_TOO_LARGE, "a folder larger than the gate looks through")
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                yield entry


def _is_hidden(entry: os.DirEntry[str]) -> bool:
    """By its name, as jupyter_server's listings and the gate's judge it, or by a flag of the disk (macOS)."""
    if entry.name in _OF_PROGRAMS:
        return False
    flags = getattr(entry.stat(follow_symlinks=False), "st_flags", 0)
    return (
        entry.name.startswith(".") or entry.name.endswith("~") or bool(flags & stat.UF_HIDDEN) or _no_text(entry.name)
    )


def _no_text(name: str) -> bool:
    """Whether a name is not UTF-8: it can be asked for by no address."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _identity(base: str, root: tuple[str, ...]) -> tuple[int, int, bool] | None:
    try:
        found = os.lstat(os.path.join(base, *root))
    except (OSError, ValueError):
        # Gone, or not to be seen by the gate: the share is suspended, which is closed.
        return None
    if stat.S_ISLNK(found.st_mode):
        return None
    return found.st_dev, found.st_ino, stat.S_ISDIR(found.st_mode)


def _real_root(base: str, root: tuple[str, ...]) -> str:
    """The root's real path. A root that is itself a link is refused: it was none when it was shared."""
    try:
        real = os.path.join(os.path.realpath(os.path.join(base, *root[:-1]), strict=True), *root[-1:])
        if root and stat.S_ISLNK(os.lstat(real).st_mode):
            raise Denied(Reason.LINK_OUT, "the root has become a link")
    except (OSError, ValueError):
        raise Denied(Reason.LINK_OUT, "the root cannot be looked at") from None
    return real


def _resolve(start: str, names: tuple[str, ...], real_root: str) -> str:
    """Follow `names` from the real directory `start` as the kernel would, and return where they lead.

    Raises Denied(`link_out`) when that is outside `real_root`, or when the way crosses a hidden name below it, runs in
    circles, or cannot be seen. os.path.realpath is not enough: it forgets which names a chain of links crossed.
    """
    current = start
    ahead = deque(names)
    links = 0
    while ahead:
        name = ahead.popleft()
        if name in ("", "."):
            continue
        if name == "..":
            current = os.path.dirname(current)
            continue
        candidate = os.path.join(current, name)
        if name.startswith(".") and _within(candidate, real_root):
            raise Denied(Reason.LINK_OUT, "a link leads through a hidden name")
        target = _target(candidate)
        if target is None:
            current = candidate
            continue
        links += 1
        if links > MAX_LINKS:
            raise Denied(Reason.LINK_OUT, "links run in circles")
        if target.startswith("/"):
            current = "/"
        ahead.extendleft(reversed(target.split("/")))
    if not _within(current, real_root):
        raise Denied(Reason.LINK_OUT, "a link leads out of the root")
    return current


def _target(path: str) -> str | None:
    """Where a link points; None for what is no link or does not exist."""
    try:
        return os.readlink(path)
    except OSError as error:
        if error.errno == errno.EINVAL or error.errno in _MISSING:
            return None
        raise Denied(
            Reason.LINK_OUT, f"cannot be looked at: {errno.errorcode.get(error.errno or 0, 'error')}"
        ) from None
    except ValueError:
        # A name that no disk can hold (a NUL).
        raise Denied(Reason.LINK_OUT, "not a name on a disk") from None


def _within(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip("/") + "/")
