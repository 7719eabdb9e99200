"""Channels that the gate answers by itself: the upstream is not asked, and other visitors are not heard.

`JupyterLab:globalAwareness` would name every document that anybody has open, and the event stream every file that
anybody touches. The page gets an empty room and a silent stream instead.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from sharegate.channels import frames
from sharegate.channels.frames import Awareness, SyncStep1, SyncStep2, Update
from sharegate.channels.interfaces import Guard, Verdict
from sharegate.channels.registry import Cut
from sharegate.channels.relay import Report, Summary, relay
from sharegate.channels.scan import FROM_VISITOR, scan_state_vector, scan_update
from sharegate.channels.viewer import VIEWER_PACE, Pace, Pacer, refuse
from sharegate.errors import Denied, Reason
from sharegate.messages import Frame, Socket

_EMPTY_VECTOR = b"\x00"
_EMPTY_UPDATE = b"\x00\x00"


class GlobalAwareness:
    """A document that is always empty, for one visitor alone."""

    def __init__(self, *, now: Callable[[], float] = time.monotonic, pace: Pace = VIEWER_PACE) -> None:
        self._pacer = Pacer(pace, now)

    def from_visitor(self, frame: Frame) -> Verdict:
        try:
            self._pacer.take(frame)
            message = frames.read(frame)
            match message:
                case SyncStep1(state_vector=vector):
                    scan_state_vector(vector, FROM_VISITOR)
                    answers = (SyncStep2(_EMPTY_UPDATE), SyncStep1(_EMPTY_VECTOR))
                    return Verdict(back=tuple(frames.write(each) for each in answers))
                case SyncStep2(update=update) | Update(update=update):
                    scan_update(update, FROM_VISITOR)
                    return Verdict()
                case Awareness():
                    # Any answer will do: a y-websocket that hears nothing for 30 s connects anew.
                    return Verdict(back=(frames.write(Awareness(())),))
            raise Denied(Reason.BAD_FRAME, "nothing is saved in this room")
        except Denied as denied:
            return refuse(denied)

    def from_upstream(self, frame: Frame) -> Verdict:
        return refuse(Denied(Reason.UPSTREAM_BAD_ANSWER, "there is no upstream"))


class Silent:
    """A stream of events in which nothing happens. A page never speaks on it."""

    def from_visitor(self, frame: Frame) -> Verdict:
        return refuse(Denied(Reason.BAD_FRAME, "nothing is read here"))

    def from_upstream(self, frame: Frame) -> Verdict:
        return refuse(Denied(Reason.UPSTREAM_BAD_ANSWER, "there is no upstream"))


async def serve_locally(visitor: Socket, guard: Guard, cut: Cut, *, summary: Report | None = None) -> Summary:
    """Let `guard` answer the visitor alone until the visitor goes or the channel is cut; as `relay` otherwise."""
    return await relay(visitor, None, guard, cut, summary=summary)
