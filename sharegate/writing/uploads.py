"""Uploads in parts, as JupyterLab sends files of more than a megabyte: parts 1, 2, … and -1 for the last.

Upstream appends whatever part comes to whatever stands there. Here a part is taken only after the one before it, from
the same visit, and as long as nobody else wrote there. The parts of a notebook are collected in an unnamed file on the
gate's own disk, because only the whole can be judged; all others go through part by part.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from sharegate.confine.notebooks import MAX_NOTEBOOK
from sharegate.errors import Denied, Reason

# Uploads that one visit has under way, and all visits together; bytes that are collected of all. The oldest gives way.
PER_VISIT = 8
ALL = 256
COLLECTED = 1 << 30
LAST = -1


@dataclass(slots=True)
class Upload:
    """One file on its way. `next` is the part that is waited for; `spool` holds what was collected, `size` bytes of it.
    `sent` counts the bytes that stand upstream."""

    next: int = 1
    size: int = 0
    sent: int = 0
    spool: IO[bytes] | None = field(default=None, repr=False)

    def drop(self) -> None:
        if self.spool is not None:
            self.spool.close()


class Uploads:
    """The uploads under way. `folder` is a directory of the gate's own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: OrderedDict[tuple[str, str], Upload] = OrderedDict()

    def take(self, visit: str, target: str, part: int) -> Upload:
        """The upload that `part` belongs to. It is put back by `keep` when the part has arrived: until then no other
        part is taken. Raises Denied(`bad_body`) for a part out of turn."""
        before = self._running.pop((visit, target), None)
        if part == 1:
            if before is not None:
                before.drop()
            return Upload()
        if before is None or part not in (LAST, before.next):
            if before is not None:
                before.drop()
            raise Denied(Reason.BAD_BODY, "a part of an upload out of turn")
        return before

    def keep(self, visit: str, target: str, part: int, upload: Upload) -> None:
        """`part` has arrived. The last one ends the upload."""
        if part == LAST:
            upload.drop()
            return
        upload.next = part + 1
        self._running[visit, target] = upload
        mine = [key for key in self._running if key[0] == visit]
        for key in mine[:-PER_VISIT] or list(self._running)[: max(0, len(self._running) - ALL)]:
            self._running.pop(key).drop()
        while sum(each.size for each in self._running.values()) > COLLECTED:
            self._running.popitem(last=False)[1].drop()

    def forget(self, target: str, *, but: str = "") -> None:
        """Something else was written, renamed or deleted at `target`: no part belongs to what stands there, or below,
        any more. `but` is the visit whose own part it was."""
        for key in list(self._running):
            if key[0] != but and (key[1] == target or key[1].startswith(f"{target}/")):
                self._running.pop(key).drop()

    async def collect(self, upload: Upload, data: bytes) -> None:
        """Add to what was collected. Denied(`body_too_large`) past MAX_NOTEBOOK bytes."""
        upload.size += len(data)
        if upload.size > MAX_NOTEBOOK:
            upload.drop()
            raise Denied(Reason.BODY_TOO_LARGE, "a notebook larger than the gate reads")
        await asyncio.to_thread(self._write, upload, data)

    @staticmethod
    async def collected(upload: Upload) -> bytes:
        """All of it."""
        return await asyncio.to_thread(_read, upload)

    def close(self) -> None:
        """Let go of everything that was collected."""
        while self._running:
            self._running.popitem()[1].drop()

    def _write(self, upload: Upload, data: bytes) -> None:
        if upload.spool is None:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Without a name: gone with the process, however that ends.
            upload.spool = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 -- closed by drop
        upload.spool.write(data)


def _read(upload: Upload) -> bytes:
    if upload.spool is None:
        return b""
    upload.spool.seek(0)
    return upload.spool.read()
