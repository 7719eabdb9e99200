"""The guard of an editor's connection: what a page may say is read and scanned here; the room decides what it does."""

from __future__ import annotations

import time
from collections.abc import Callable

from sharegate.channels import frames
from sharegate.channels.frames import Awareness, Message, RawSave, SyncStep2, Update
from sharegate.channels.interfaces import Verdict
from sharegate.channels.member import Heard
from sharegate.channels.registry import close_frame
from sharegate.channels.scan import FROM_EDITOR, ScanLimits, scan_update
from sharegate.channels.viewer import VIEWER_STEPS, Pace, ViewerGuard
from sharegate.errors import Reason
from sharegate.limits import Rate
from sharegate.messages import Frame

# A page sends a frame for each key; pasting and uploading pictures come in bursts.
EDITOR_PACE = Pace(frames=Rate(200, 1, 1000), bytes=Rate(1024 * 1024, 1, 32 * 1024 * 1024))

# The page holds the change and would send it with every connection: it has to load itself again.
_TOO_LARGE = Verdict(close=close_frame("room", Reason.UPDATE_TOO_LARGE), refused=Reason.UPDATE_TOO_LARGE.value)


class EditorGuard(ViewerGuard):
    """Guard of one editor's connection to one document room: more of what a page says goes on to the room."""

    def __init__(
        self,
        *,
        now: Callable[[], float] = time.monotonic,
        pace: Pace = EDITOR_PACE,
        steps: Rate = VIEWER_STEPS,
        limits: ScanLimits = FROM_EDITOR,
    ) -> None:
        super().__init__(now=now, pace=pace, steps=steps, limits=limits)

    def from_visitor(self, frame: Frame) -> Verdict:
        if frames.carries_update(frame) and len(frame.data) > self._limits.bytes:
            return _TOO_LARGE
        verdict = super().from_visitor(frame)
        return _TOO_LARGE if verdict.refused == Reason.UPDATE_TOO_LARGE.value else verdict

    def _judge(self, frame: Frame, message: Message) -> Verdict:
        match message:
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
        return super()._judge(frame, message)
