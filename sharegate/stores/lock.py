"""One process per database: what another one committed would be missing from this one's memory."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Self

from sharegate.errors import Refused, StoreUnavailable


class ProcessLock:
    """An advisory lock (flock) on a file beside the database. The kernel drops it when its process dies."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take(cls, path: Path) -> Self:
        """Raises Refused(`store_in_use`), naming the process that holds it, or StoreUnavailable."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:  # fails closed
            raise StoreUnavailable(f"the store's lock {path} cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise Refused(
                "store_in_use",
                f"the store {path.with_suffix('')} is in use by process {holder or 'unknown'}",
                "Stop that gate first, or give this one a data folder of its own",
            ) from None
        except OSError as error:  # fails closed: a file system without locks, a full disk
            os.close(descriptor)
            raise StoreUnavailable(f"the store's lock {path} cannot be taken: {error.strerror}") from error
        return cls(descriptor)

    def release(self) -> None:
        """Let go. The file stays: removing it would let two processes each lock a file of that name."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
