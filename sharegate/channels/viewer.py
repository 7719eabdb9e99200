"""The read-only guard of a document room: a viewer hears everything and says nothing.

A page that follows a document also sends: an empty step 2, its mark in the document's state, what is typed locally. All
of that is dropped without a word, since an honest page is not refused anything; what no page sends ends the channel.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sharegate.channels import frames
from sharegate.channels.frames import Awareness, AwarenessState, RawJson, RawSave, SyncStep1, SyncStep2, Update
from sharegate.channels.interfaces import Verdict
from sharegate.channels.member import Heard
from sharegate.channels.scan import (
    DROPPED,
    FROM_UPSTREAM,
    FROM_VISITOR,
    ScanLimits,
    scan_state_vector,
    scan_update,
)
from sharegate.errors import Denied, Invalid, Reason
from sharegate.limits import Buckets, Rate
from sharegate.messages import Frame
from sharegate.names import clean_name

MAX_STATES = 256
MAX_CURSORS = 32

_COLOR = re.compile(r"[A-Za-z0-9#(),.%\- ]{1,64}")
_PROCESS_KEY = secrets.token_bytes(32)


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
        self._bytes.take("", len(frame.data), Reason.BYTES_LIMIT)


def refuse(denied: Denied) -> Verdict:
    """Close on what was refused: 1008 for a visitor's fault, 1011 for the server's."""
    code = 1011 if denied.reason is Reason.UPSTREAM_BAD_ANSWER else 1008
    return Verdict(close=Frame.close(code, denied.reason.value), refused=denied.reason.value)


class ViewerGuard:
    """Guard of one viewer's connection to one document room. The two directions share nothing that changes, so they may
    run in two threads. `upstream` keeps the names that replace usernames apart between servers."""

    def __init__(
        self,
        upstream: str = "",
        *,
        now: Callable[[], float] = time.monotonic,
        pace: Pace = VIEWER_PACE,
        steps: Rate = VIEWER_STEPS,
        key: bytes = _PROCESS_KEY,
        upstream_limits: ScanLimits = FROM_UPSTREAM,
    ) -> None:
        self._pacer = Pacer(pace, now)
        self._steps = Buckets(steps, now, remembered=1)
        self._key = hashlib.blake2b(upstream.encode(), key=key, digest_size=32).digest()
        self._limits = upstream_limits

    def from_visitor(self, frame: Frame) -> Verdict:
        try:
            self._pacer.take(frame)
            return self._judge(frame)
        except Denied as denied:
            return refuse(denied)

    def _judge(self, frame: Frame) -> Verdict:
        message = frames.read(frame, limit=DROPPED.bytes if frames.carries_update(frame) else frames.VISITOR_FRAME)
        match message:
            case SyncStep1(state_vector=vector):
                scan_state_vector(vector, FROM_VISITOR)
                self._steps.take("", 1, Reason.REQUEST_LIMIT)
                return Verdict(onward=(Heard(frame.kind, frame.data, message=message),))
            case SyncStep2(update=update) | Update(update=update):
                scan_update(update, DROPPED)
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

    def shown(self, states: tuple[AwarenessState, ...]) -> tuple[AwarenessState, ...]:
        """Built anew: only what a cursor with a name needs. What is no state is left out."""
        return tuple(
            AwarenessState(each.client, each.clock, None if each.state is None else self._state(each.state))
            for each in states[:MAX_STATES]
            if each.state is None or isinstance(each.state, dict)
        )

    def _state(self, said: dict[str, Any]) -> dict[str, Any]:
        shown: dict[str, Any] = {}
        user = said.get("user")
        if isinstance(user, dict):
            shown["user"] = self._user(user)
        cursors = said.get("cursors")
        if isinstance(cursors, list):
            shown["cursors"] = [_cursor(each) for each in cursors[:MAX_CURSORS] if isinstance(each, dict)]
        if isinstance(said.get("autosave"), bool):
            shown["autosave"] = said["autosave"]
        return shown

    def _user(self, said: dict[str, Any]) -> dict[str, Any]:
        shown = {name: _name(said[name]) for name in ("name", "display_name") if isinstance(said.get(name), str)}
        if isinstance(said.get("initials"), str):
            shown["initials"] = _name(said["initials"])[:4]
        if isinstance(said.get("color"), str) and _COLOR.fullmatch(said["color"]):
            shown["color"] = said["color"]
        if isinstance(said.get("username"), str):
            # An account name of the owner's server tells apart who is who, no more.
            whole = said["username"].encode("utf-8", "surrogatepass")
            shown["username"] = hashlib.blake2b(whole, key=self._key, digest_size=10).hexdigest()
        return shown


def _name(text: str) -> str:
    try:
        return clean_name(text)
    except Invalid:  # a name without a visible character is shown as none
        return ""


def _cursor(said: dict[str, Any]) -> dict[str, Any]:
    """JupyterLab's cursor: two relative positions of Yjs and two flags."""
    shown: dict[str, Any] = {end: _position(said[end]) for end in ("anchor", "head") if isinstance(said.get(end), dict)}
    shown.update({flag: said[flag] for flag in ("primary", "empty") if isinstance(said.get(flag), bool)})
    return shown


def _position(said: dict[str, Any]) -> dict[str, Any]:
    """`type` and `item` are ids, `tname` the name of a root, `assoc` a side (yjs RelativePosition.js)."""
    shown: dict[str, Any] = {}
    for field in ("type", "item"):
        if field in said:
            shown[field] = _id(said[field])
    if "tname" in said:
        name = said["tname"]
        shown["tname"] = name[:64] if isinstance(name, str) else None
    if _whole(said.get("assoc")):
        shown["assoc"] = said["assoc"]
    return shown


def _id(said: Any) -> dict[str, int] | None:
    if not isinstance(said, dict) or not _whole(said.get("client")) or not _whole(said.get("clock")):
        return None
    return {"client": said["client"], "clock": said["clock"]}


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53
