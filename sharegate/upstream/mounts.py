"""Which folders lie on a disk of this machine, where a look takes microseconds. Another machine's disk may hang.

Where the system does not tell (no /proc/self/mountinfo, proc(5)) nothing is near.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

_MOUNTINFO = Path("/proc/self/mountinfo")
_DISKS = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "tmpfs", "overlay"})
_ESCAPE = re.compile(r"\\([0-7]{3})")
# Seconds for which a judgement stands: somebody may mount something.
FRESH = 5.0
_MOST = 1024

Mount = tuple[str, str]


def read_mounts(mountinfo: Path = _MOUNTINFO) -> list[Mount]:
    """(mount point, type) of everything mounted, in the order of mounting; [] where the system does not tell."""
    try:
        lines = mountinfo.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:  # fails closed: nothing is near
        return []
    found = []
    for line in lines:
        before, dash, after = line.partition(" - ")
        fields = before.split(" ")
        if dash and len(fields) > 4:
            point = _ESCAPE.sub(lambda match: chr(int(match[1], 8)), fields[4])
            found.append((point, after.split(" ")[0]))
    return found


def near(folder: str, mounts: list[Mount]) -> bool:
    """Whether a real path lies on a disk of this machine, and everything below it too."""
    around = ""
    on = ""
    for point, kind in mounts:
        if _below(folder, point) and len(point) >= len(around):
            around, on = point, kind
        elif _below(point, folder) and kind not in _DISKS:
            return False
    return on in _DISKS


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


class NearFolders:
    """Judges folders in a thread and remembers what it found for a while."""

    def __init__(
        self, read: Callable[[], list[Mount]] = read_mounts, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._read = read
        self._clock = clock
        self._known: dict[str, tuple[float, str | None]] = {}

    async def real(self, folder: str) -> str | None:
        """The real path of a folder that is near; None for one that is not, or that cannot be looked at."""
        known = self._known.get(folder)
        if known is not None and self._clock() - known[0] < FRESH:
            return known[1]
        at = self._clock()
        found = await asyncio.to_thread(self._judge, folder)
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[folder] = (at, found)
        return found

    def _judge(self, folder: str) -> str | None:
        try:
            real = os.path.realpath(folder, strict=True)
        except (OSError, ValueError):  # fails closed: the slower look will say what is wrong
            return None
        return real if near(real, self._read()) else None
