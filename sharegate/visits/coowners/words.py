"""The words between a co-owner's page and the gate: one WebSocket, text frames, one JSON object each, told apart by
`type`. The gate speaks first, and again whenever something is another.

To the page
    {"type":"state", …}                                     all that the page shows (State below)
    {"type":"answer","n":7,"code":"","problem":""}          what became of the act `n`; no code: it is done
    {"type":"beat"}                                         every 20 s
    {"type":"over"}                                         not a co-owner any more: the last word

From the page, each with a number `n` of its own choice
    {"type":"admit","n":1,"id":"<knock>"}      {"type":"refuse","n":2,"id":"<knock>"}
    {"type":"remove","n":3,"id":"<visit>"}     {"type":"pause","n":4}     {"type":"resume","n":5}
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from sharegate.errors import Denied, Reason
from sharegate.messages import Frame, FrameKind
from sharegate.visits.passed_on import BROWSER, NETWORK, ROBOT

MAX_FROM_PAGE = 512
BEAT_SECONDS = 20.0
_Id = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]{4,20}\Z")]
_Number = Annotated[int, msgspec.Meta(ge=0, le=2**31)]

Open = Literal["open", "paused", "paused_by_owner"]
# What speaks against somebody's being another person, in one word each; the page has sentences.
Sign = Literal["network", "browser", "robot"]
SIGNS: dict[str, Sign] = {NETWORK: "network", BROWSER: "browser", ROBOT: "robot"}


class Knocking(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody at the door. `email` is the address or account that they proved, `doubts` what speaks against its being
    another person. `answerable`: not at a link of a co-owner's, whose knocks the owner alone answers."""

    id: str
    name: str
    email: str
    link: str
    role: str
    same_person: bool
    by_address: bool
    came_from: str
    doubts: tuple[Sign, ...]
    lacks: tuple[str, ...]
    since: float
    answerable: bool


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is in. `email` is the address or account that they proved; `own`: their link says the name, else
    they did. `here`: with a page open now. `you`: whose page this is."""

    id: str
    name: str
    email: str
    own: bool
    role: str
    since: float
    here: bool
    devices: int
    you: bool
    coowner: bool
    removable: bool


class State(msgspec.Struct, frozen=True, kw_only=True, tag="state"):
    now: float
    share: str
    owner: str
    state: Open
    expires: float
    knocks: tuple[Knocking, ...]
    people: tuple[Person, ...]


# Why an act was not done, for which the page has a sentence (`coowner.no_…` of the catalogue).
CODES = frozenset(
    {"not_found", "decided", "coowner_knock", "coowner_visit", "ended", "paused", "open", "paused_by_owner", "stale"}
    | {"proof_lapsed", "rules", "too_many", "gate_fault", "closed", "other"}
)


class Answer(msgspec.Struct, frozen=True, kw_only=True, tag="answer"):
    """`code` is one of CODES, `problem` the same in English words, for whoever reads along."""

    n: int
    code: str = ""
    problem: str = ""


class Beat(msgspec.Struct, frozen=True, tag="beat"):
    pass


class Over(msgspec.Struct, frozen=True, tag="over"):
    pass


class Admit(msgspec.Struct, frozen=True, kw_only=True, tag="admit", forbid_unknown_fields=True):
    n: _Number
    id: _Id


class Refuse(msgspec.Struct, frozen=True, kw_only=True, tag="refuse", forbid_unknown_fields=True):
    n: _Number
    id: _Id


class Remove(msgspec.Struct, frozen=True, kw_only=True, tag="remove", forbid_unknown_fields=True):
    n: _Number
    id: _Id


class Pause(msgspec.Struct, frozen=True, kw_only=True, tag="pause", forbid_unknown_fields=True):
    n: _Number


class Resume(msgspec.Struct, frozen=True, kw_only=True, tag="resume", forbid_unknown_fields=True):
    n: _Number


ToPage = State | Answer | Beat | Over
Act = Admit | Refuse | Remove | Pause | Resume

_decoder: msgspec.json.Decoder[Act] = msgspec.json.Decoder(Act)


def to_page(word: ToPage) -> Frame:
    return Frame(FrameKind.TEXT, msgspec.json.encode(word))


def from_page(frame: Frame) -> Act:
    """Denied(`bad_frame`) for anything but a word of the list above."""
    if frame.kind is not FrameKind.TEXT or len(frame.data) > MAX_FROM_PAGE:
        raise Denied(Reason.BAD_FRAME, "not a small text frame")
    try:
        return _decoder.decode(frame.data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):  # fails closed
        raise Denied(Reason.BAD_FRAME, "not a word of a co-owner's page") from None
