"""What an open WebSocket is judged by, and how it is cut."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from sharegate.messages import Frame


class Confirm(Enum):
    """What has to be true of a document before news of it is passed on.

    PLACE: what stands at its path lies inside the root. NEWEST: so does the path that its id has now; the news may be
    that it was moved.
    """

    NOTHING = "nothing"
    PLACE = "place"
    NEWEST = "newest"


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


class FreshFileIds(FileIds, Protocol):
    """FileIds that may answer from what was asked a moment ago."""

    @property
    def newest(self) -> FileIds:
        """The same, but every answer was asked for after the call."""
