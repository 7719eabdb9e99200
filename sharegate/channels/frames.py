"""Messages of a jupyter-collaboration room, read strictly from WebSocket frames and written back.

    00 00 <bytes state vector>      SyncStep1        01 <bytes n, (client, clock, json)*>   Awareness
    00 01 <bytes update>            SyncStep2        02 "save" <id>                         RawSave   (from a page)
    00 02 <bytes update>            Update           02 <string json>                       RawJson   (from the server)

(y-protocols sync.js and awareness.js; jupyter_server_ydoc handlers.py and rooms.py.) Type bytes are single bytes and
lengths are exact; everything else, text frames too, is Denied(`bad_frame`). The payloads of sync messages are opaque
here: scan.py reads them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sharegate.channels.lib0 import Reader, bad, read_json, sized, uint
from sharegate.messages import Frame, FrameKind

VISITOR_FRAME = 64 * 1024
UPSTREAM_FRAME = 64 * 1024 * 1024
JSON_NESTING = 64

_SYNC, _AWARENESS, _RAW = 0, 1, 2


@dataclass(frozen=True, slots=True)
class SyncStep1:
    state_vector: bytes


@dataclass(frozen=True, slots=True)
class SyncStep2:
    update: bytes


@dataclass(frozen=True, slots=True)
class Update:
    update: bytes


@dataclass(frozen=True, slots=True)
class AwarenessState:
    """What one client says of itself: parsed JSON, None when it left."""

    client: int
    clock: int
    state: Any


@dataclass(frozen=True, slots=True)
class Awareness:
    states: tuple[AwarenessState, ...]


@dataclass(frozen=True, slots=True)
class RawSave:
    id: int


@dataclass(frozen=True, slots=True)
class RawJson:
    value: Any


Message = SyncStep1 | SyncStep2 | Update | Awareness | RawSave | RawJson


def read(frame: Frame, *, limit: int = VISITOR_FRAME) -> Message:
    """The message in `frame`; Denied(`bad_frame`) for anything that is not exactly one, or above `limit` bytes."""
    if frame.kind is not FrameKind.BINARY:
        raise bad("not a binary frame")
    if not frame.data:
        raise bad("empty frame")
    if len(frame.data) > limit:
        raise bad(f"frame larger than {limit} bytes")
    reader = Reader(frame.data)
    kind = reader.byte()
    if kind == _SYNC:
        return _sync(reader)
    if kind == _AWARENESS:
        body = Reader(reader.bytes())
        reader.finish()
        return Awareness(_states(body))
    if kind == _RAW:
        return _raw(reader)
    raise bad("unknown type of message")


def carries_update(frame: Frame) -> bool:
    """Whether the frame is headed as a step 2 or an update; says nothing of what follows."""
    return frame.kind is FrameKind.BINARY and frame.data[:2] in (b"\x00\x01", b"\x00\x02")


def _sync(reader: Reader) -> Message:
    step = reader.byte()
    if step > 2:
        raise bad("unknown step of a sync")
    payload = reader.bytes()
    reader.finish()
    if step == 0:
        return SyncStep1(payload)
    return SyncStep2(payload) if step == 1 else Update(payload)


def _states(reader: Reader) -> tuple[AwarenessState, ...]:
    states = []
    for _ in range(reader.count(3)):
        client = reader.uint()
        clock = reader.uint()
        states.append(AwarenessState(client, clock, read_json(reader.string(), nesting=JSON_NESTING)))
    reader.finish()
    return tuple(states)


def _raw(reader: Reader) -> Message:
    text = reader.string()
    if text == "save":
        number = reader.uint()
        reader.finish()
        return RawSave(number)
    reader.finish()
    return RawJson(read_json(text, nesting=JSON_NESTING))


def write(message: Message) -> Frame:
    """The one frame that `read` turns into `message`."""
    return Frame.binary(_encode(message))


def _encode(message: Message) -> bytes:
    match message:
        case SyncStep1(state_vector=payload):
            return b"\x00\x00" + sized(payload)
        case SyncStep2(update=payload):
            return b"\x00\x01" + sized(payload)
        case Update(update=payload):
            return b"\x00\x02" + sized(payload)
        case Awareness(states=states):
            parts = [uint(len(states))]
            for each in states:
                text = json.dumps(each.state, separators=(",", ":"), allow_nan=False)
                parts += [uint(each.client), uint(each.clock), sized(text.encode())]
            return b"\x01" + sized(b"".join(parts))
        case RawSave(id=number):
            return b"\x02" + sized(b"save") + uint(number)
        case RawJson(value=value):
            return b"\x02" + sized(json.dumps(value).encode())
