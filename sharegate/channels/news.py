"""What a server says in a room: read and scanned once, before anything else looks at it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from sharegate.channels import frames
from sharegate.channels.frames import Awareness, Message, RawJson, SyncStep1, SyncStep2, Update
from sharegate.channels.interfaces import Confirm
from sharegate.channels.scan import FROM_UPSTREAM, Content, ScanLimits, UpdateSummary, scan_state_vector, scan_update
from sharegate.errors import Denied, Reason
from sharegate.messages import Frame

LARGE = 128 * 1024  # bytes; larger frames are read in a thread, so that reading one stalls no other channel

_NO_VALUE = frozenset({Content.GC, Content.SKIP, Content.DELETED, Content.STRING, Content.TYPE, Content.FORMAT})


@dataclass(frozen=True, slots=True)
class News:
    """A message, what its update holds (if it is one), and what has to be true before visitors hear of it."""

    message: Message
    summary: UpdateSummary | None = None
    confirm: Confirm = Confirm.NOTHING


def read_news(frame: Frame, limits: ScanLimits = FROM_UPSTREAM) -> News:
    """Denied(`upstream_bad_answer`) for anything that a server of jupyter-collaboration does not send."""
    try:
        return _read(frame, limits)
    except Denied as denied:
        raise Denied(Reason.UPSTREAM_BAD_ANSWER, denied.detail) from None


async def hear(frame: Frame, limits: ScanLimits = FROM_UPSTREAM) -> News:
    """`read_news`, in a thread when the frame is large."""
    if len(frame.data) > LARGE:
        return await asyncio.to_thread(read_news, frame, limits)
    return read_news(frame, limits)


def _read(frame: Frame, limits: ScanLimits) -> News:
    message = frames.read(frame, limit=limits.bytes)
    match message:
        case SyncStep1(state_vector=vector):
            scan_state_vector(vector, limits)
            return News(message)
        case SyncStep2(update=update) | Update(update=update):
            # A whole document has structs without number, which only an epoch that somebody writes in wants to see.
            seen = scan_update(update, limits, structs=len(update) <= LARGE)
            # Text may be what the server just read from another file at the same path; among the values is the path,
            # which it writes anew when the file is moved.
            return News(message, seen, Confirm.PLACE if seen.contents <= _NO_VALUE else Confirm.NEWEST)
        case Awareness() | RawJson():
            return News(message)
    raise Denied(Reason.BAD_FRAME, "nothing that a server sends")
