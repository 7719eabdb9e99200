"""The guard of an editor's connection: what a page may say is read and scanned here; the room decides what it does."""

from __future__ import annotations

import time
from collections.abc import Callable

from sharegate.channels import frames
from sharegate.channels.frames import Awareness, RawSave, SyncStep1, SyncStep2, Update
from sharegate.channels.interfaces import Verdict
from sharegate.channels.member import Heard
from sharegate.channels.registry import close_frame
from sharegate.channels.scan import FROM_EDITOR, FROM_VISITOR, ScanLimits, scan_state_vector, scan_update
from sharegate.channels.viewer import VIEWER_STEPS, Pace, Pacer, refuse
from sharegate.errors import Denied, Reason
from sharegate.limits import Buckets, Rate
from sharegate.messages import Frame

# A page sends a frame for each key; pasting and uploading pictures come in bursts.
EDITOR_PACE = Pace(frames=Rate(200, 1, 1000), bytes=Rate(1024 * 1024, 1, 32 * 1024 * 1024))


class EditorGuard:
    """Guard of one editor's connection to one document room. Changes nothing but its own counters, so its two
    directions may run in two threads."""

    def __init__(
        self,
        *,
        now: Callable[[], float] = time.monotonic,
        pace: Pace = EDITOR_PACE,
        steps: Rate = VIEWER_STEPS,
        limits: ScanLimits = FROM_EDITOR,
    ) -> None:
        self._pacer = Pacer(pace, now)
        self._steps = Buckets(steps, now, remembered=1)
        self._limits = limits

    def from_visitor(self, frame: Frame) -> Verdict:
        try:
            self._pacer.take(frame)
            return self._judge(frame)
        except Denied as denied:
            if denied.reason is Reason.UPDATE_TOO_LARGE:
                # The page holds the change and would send it with every connection: it has to load itself again.
                return Verdict(close=close_frame("room", denied.reason), refused=denied.reason.value)
            return refuse(denied)

    def _judge(self, frame: Frame) -> Verdict:
        changes = frames.carries_update(frame)
        limit = self._limits.bytes if changes else frames.VISITOR_FRAME
        if changes and len(frame.data) > limit:
            raise Denied(Reason.UPDATE_TOO_LARGE, f"frame larger than {limit} bytes")
        message = frames.read(frame, limit=limit)
        match message:
            case SyncStep1(state_vector=vector):
                scan_state_vector(vector, FROM_VISITOR)
                self._steps.take("", 1, Reason.REQUEST_LIMIT)
                return Verdict(onward=(Heard(frame.kind, frame.data, message=message),))
            case SyncStep2(update=update) | Update(update=update):
                seen = scan_update(update, self._limits, structs=True)
                self._pacer.spend(max(0, seen.cost - len(frame.data)))
                if seen.empty and isinstance(message, Update):
                    return Verdict()
                return Verdict(onward=(Heard(frame.kind, frame.data, message=message, summary=seen),))
            case Awareness():
                # Answered as the server would, which sends it back: a y-websocket that hears nothing for 30 s connects
                # anew.
                heard = Heard(frame.kind, frame.data, message=message)
                return Verdict(onward=(heard,), back=(frames.write(Awareness(())),))
            case RawSave():
                return Verdict(onward=(Heard(frame.kind, frame.data, message=message),))
        raise Denied(Reason.BAD_FRAME, "nothing that a page sends")

    def from_upstream(self, frame: Frame) -> Verdict:
        """What the room says was judged there, once for everybody."""
        return Verdict(onward=(frame,))
