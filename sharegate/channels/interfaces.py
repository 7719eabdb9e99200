"""What an open WebSocket is judged by, and how it is cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sharegate.messages import Frame


@dataclass(frozen=True, slots=True)
class Verdict:
    """What happens to one frame: sent on as `onward`, answered to its sender as `back`, or the channel is closed.

    `refused` is the reason code when something the sender may not send was dropped or closed on.
    """

    onward: tuple[Frame, ...] = ()
    back: tuple[Frame, ...] = ()
    close: Frame | None = None
    refused: str = ""


class Guard(Protocol):
    """Judges the frames of one channel; sans-I/O, one instance per connection, never shared."""

    def from_visitor(self, frame: Frame) -> Verdict: ...

    def from_upstream(self, frame: Frame) -> Verdict: ...


class FileIds(Protocol):
    """Where a jupyter-collaboration file id points now."""

    async def path_of(self, upstream: str, file_id: str) -> str | None:
        """The path relative to the server's root; None when the server does not know the id (any more).

        Raises Denied(`upstream_away`) and the like when the server cannot be asked: callers fail closed.
        """
