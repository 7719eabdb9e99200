"""The read-only guard of a document room: a viewer hears everything and says nothing.

A page that follows a document also sends: an empty step 2, its mark in the document's state, what is typed locally. All
of that is dropped without a word, since an honest page is not refused anything; what no page sends ends the channel.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from sharegate.channels import frames
from sharegate.channels.frames import Awareness, Message, RawJson, RawSave, SyncStep1, SyncStep2, Update
from sharegate.channels.interfaces import Verdict
from sharegate.channels.member import Heard
from sharegate.channels.scan import DROPPED, FROM_VISITOR, ScanLimits, scan_state_vector, scan_update
from sharegate.errors import Denied, Reason
from sharegate.limits import Buckets, Rate
from sharegate.messages import Frame


@dataclass(frozen=True, slots=True)
class Pace:
    """What one visitor may send on one channel."""

    frames: Rate
    bytes: Rate


# Each step 1 has the server encode the document and send it: a page sends one when it connects.
VIEWER_STEPS = Rate(12, 60, 12)
VIEWER_PACE = Pace(frames=Rate(100, 1, 500), bytes=Rate(256 * 1024, 1, 4 * 1024 * 1024))


class Pacer:
    def __init__(self, pace: Pace, now: Callable[[], float]) -> None:
        self._frames = Buckets(pace.frames, now, remembered=1)
        self._bytes = Buckets(pace.bytes, now, remembered=1)

    def take(self, frame: Frame) -> None:
        """Denied(`request_limit`, `bytes_limit`)."""
        self._frames.take("", 1, Reason.REQUEST_LIMIT)
        self.spend(len(frame.data))

    def spend(self, size: int) -> None:
        """Denied(`bytes_limit`)."""
        self._bytes.take("", size, Reason.BYTES_LIMIT)


def refuse(denied: Denied) -> Verdict:
    """Close on what was refused: 1008 for a visitor's fault, 1011 for the server's."""
    code = 1011 if denied.reason is Reason.UPSTREAM_BAD_ANSWER else 1008
    return Verdict(close=Frame.close(code, denied.reason.value), refused=denied.reason.value)


class ViewerGuard:
    """Guard of one viewer's connection to one document room. Changes nothing but its own counters, so its two
    directions may run in two threads."""

    def __init__(
        self,
        *,
        now: Callable[[], float] = time.monotonic,
        pace: Pace = VIEWER_PACE,
        steps: Rate = VIEWER_STEPS,
        limits: ScanLimits = DROPPED,
    ) -> None:
        self._pacer = Pacer(pace, now)
        self._steps = Buckets(steps, now, remembered=1)
        self._limits = limits

    def from_visitor(self, frame: Frame) -> Verdict:
        try:
            self._pacer.take(frame)
            limit = self._limits.bytes if frames.carries_update(frame) else frames.VISITOR_FRAME
            return self._judge(frame, frames.read(frame, limit=limit))
        except Denied as denied:
            return refuse(denied)

    def _judge(self, frame: Frame, message: Message) -> Verdict:
        match message:
            case SyncStep1(state_vector=vector):
                scan_state_vector(vector, FROM_VISITOR)
                self._steps.take("", 1, Reason.REQUEST_LIMIT)
                return Verdict(onward=(Heard(frame.kind, frame.data, message=message),))
            case SyncStep2(update=update) | Update(update=update):
                scan_update(update, self._limits)
                return Verdict()
            case Awareness():
                # The server would send it back to its sender. An empty one does the same for the connection: a
                # y-websocket that hears nothing for 30 s connects anew.
                return Verdict(back=(frames.write(Awareness(())),))
            case RawSave(id=number):
                answer = RawJson({"type": "save", "responseTo": number, "status": "skipped"})
                return Verdict(back=(frames.write(answer),))
        raise Denied(Reason.BAD_FRAME, "nothing that a page sends")

    def from_upstream(self, frame: Frame) -> Verdict:
        """What the room says was judged there, once for everybody."""
        return Verdict(onward=(frame,))
