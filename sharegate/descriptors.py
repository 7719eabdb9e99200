"""File descriptors: how many the process may have, and what of them visitors' connections may take.

Store, history, sockets of the owner and connections to servers need some as well, and must never be without.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import resource
import time
from dataclasses import dataclass
from typing import Any

log = logging.getLogger("sharegate")

# A higher limit is of no use to a gate, and some programs that it starts try to close as many.
ENOUGH = 65_536
# Kept for everything but visitors: connections to servers (at most 256 to one for requests, one for a live document),
# store, history, log, the owner's socket, looks at disks, and the connections that a listener accepts before it hears
# of the first (one backlog of 128).
RESERVE = 1024
LEAST = 16
# What an idle connection takes of memory is little, and not nothing.
MOST = 20_000


@dataclass(frozen=True, slots=True)
class Budget:
    """`limit`: what the process may have. `connections`: visitors'."""

    limit: int
    reserve: int
    connections: int

    @property
    def backlog(self) -> int:
        """Connections that may wait to be accepted, and are at once."""
        return max(4, min(128, self.reserve // 2))


def raise_limit() -> int:
    """Raise the soft limit as far as the system lets us, at most to ENOUGH; the limit that holds then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError) as error:
            # Fails closed: fewer connections. (macOS says infinity, and refuses more than kern.maxfilesperproc.)
            log.info("the limit of open files stays %d: %s", soft, error)
    return limit()


_NONE_LEFT = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
TELL_SECONDS = 10.0


class Accepting:
    """What the event loop tells of itself. That no connection can be accepted it tells 128 times a second while it
    lasts, each with a trace: once in a while is enough. It tries again by itself."""

    def __init__(self) -> None:
        self._told = float("-inf")

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if "accept" not in str(context.get("message")) or getattr(error, "errno", None) not in _NONE_LEFT:
            loop.default_exception_handler(context)
            return
        now = time.monotonic()
        if now - self._told >= TELL_SECONDS:
            self._told = now
            log.error("no connection can be accepted: %s", error)


def limit() -> int:
    """What the process may have now."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return ENOUGH if soft == resource.RLIM_INFINITY else soft


def budget(limit: int, connections: int = 0) -> Budget:
    """What visitors' connections may take of `limit` descriptors; `connections` is what the owner set (0: as many as
    there is room for, and at most MOST). Where there is little, half of it is kept in reserve."""
    reserve = min(RESERVE, max(limit // 2, 1))
    room = max(limit - reserve, LEAST)
    return Budget(limit, reserve, min(connections or MOST, room))
