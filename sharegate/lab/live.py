"""The words of `-/live`, the one WebSocket between the gate and page.js.

Text frames, one JSON object each, told apart by `type`. The gate speaks first.

To the page
    {"type":"hello","role":"view","expires":1800000000.0,"now":...,"server":"here","collaboration":true}
    {"type":"beat"}                               every 20 s: a page that hears nothing for 50 s connects anew
    {"type":"server","state":"away"}              here | away | restarting
    {"type":"expiring","expires":...,"now":...}   the end came nearer or was moved
    {"type":"role","role":"view"}                 the page loads itself again (with "again":true in any case)
    {"type":"coowner","coowner":true}             whether the visitor lets others in: the page shows where
    {"type":"changed","path":"sub/nb.ipynb","stamp":"..."}  a file was saved (servers without collaboration)
    {"type":"asked","path":"sub/nb.ipynb","cell":"8f0c","state":"waiting"}  what became of an ask: waiting, ran,
                                                  declined, changed (another source), moved (another name),
                                                  closed (not open there), withdrawn, full (too many)
    {"type":"time","state":"waiting"}             how asking for more time stands: may (usual), waiting, granted,
                                                  refused, or ""
    {"type":"writing_ended"}                      the visit may only read from now on: the page keeps what was typed
    {"type":"ended","reason":"share_revoked","sentence":"..."}  the last word: the page is replaced

From the page
    {"type":"here","path":"sub/nb.ipynb"}         which document is in front ("" for none)
    {"type":"active"}                             the person did something (at most once a minute)
    {"type":"ask","path":"sub/nb.ipynb","cell":"8f0c","source":"1+1"}  asks the owner to run this cell as it is now
    {"type":"withdraw","path":"sub/nb.ipynb","cell":"8f0c"}            takes that back

After `ended` the gate closes with 4403 (revoked, paused, refused), 4408 (expired) or 4410 (left, visit ended). A page
that sees one of these codes without the message treats it as `ended` all the same: it fails towards the notice.
1013 (RFC 6455 registry: try again later) goes with a reason that passes by itself, such as a gate that restarts: the
page stays, says that the gate cannot be reached, and connects anew.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from sharegate.errors import MEANINGS, Denied, Reason
from sharegate.language.catalogue import ENGLISH, Language
from sharegate.messages import Frame, FrameKind

MAX_FROM_PAGE = 4096
MAX_SOURCE = 64 << 10  # bytes of UTF-8
# JSON writes a control character in six bytes; a cell that is mostly such characters is not asked for.
MAX_ASK = 2 * MAX_SOURCE + MAX_FROM_PAGE
_CellId = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]  # nbformat 4.5
_Path = Annotated[str, msgspec.Meta(max_length=4096)]
BEAT_SECONDS = 20.0

ServerState = Literal["here", "away", "restarting"]
AskState = Literal["waiting", "ran", "declined", "changed", "moved", "closed", "withdrawn", "full"]


class Hello(msgspec.Struct, frozen=True, tag="hello", kw_only=True):
    role: str
    expires: float
    now: float
    server: ServerState = "here"
    collaboration: bool = True
    coowner: bool = False


class Beat(msgspec.Struct, frozen=True, tag="beat"):
    pass


class Server(msgspec.Struct, frozen=True, tag="server"):
    state: ServerState


class Expiring(msgspec.Struct, frozen=True, tag="expiring", kw_only=True):
    expires: float
    now: float


class RoleChanged(msgspec.Struct, frozen=True, tag="role", omit_defaults=True):
    """With `again` the page loads itself again also as the same role: what it was made of may not be used any more."""

    role: str
    again: bool = False


class CoownerChanged(msgspec.Struct, frozen=True, tag="coowner"):
    coowner: bool


class Changed(msgspec.Struct, frozen=True, tag="changed"):
    """`stamp` is the contents API's `last_modified`, as text."""

    path: str
    stamp: str


class Asked(msgspec.Struct, frozen=True, tag="asked", kw_only=True):
    path: str
    cell: str
    state: AskState


class Time(msgspec.Struct, frozen=True, tag="time"):
    state: str


class WritingEnded(msgspec.Struct, frozen=True, tag="writing_ended"):
    pass


class Ended(msgspec.Struct, frozen=True, tag="ended", kw_only=True):
    reason: str
    sentence: str


class Here(msgspec.Struct, frozen=True, tag="here", forbid_unknown_fields=True):
    path: str


class Active(msgspec.Struct, frozen=True, tag="active", forbid_unknown_fields=True):
    pass


class Ask(msgspec.Struct, frozen=True, tag="ask", forbid_unknown_fields=True, kw_only=True):
    """`source` is the cell's text as the page shows it, exactly."""

    path: _Path
    cell: _CellId
    source: Annotated[str, msgspec.Meta(max_length=MAX_SOURCE)]

    def __repr__(self) -> str:
        return f"Ask({self.path!r}, {self.cell!r}, {len(self.source)} characters)"


class Withdraw(msgspec.Struct, frozen=True, tag="withdraw", forbid_unknown_fields=True, kw_only=True):
    path: _Path
    cell: _CellId


ToPage = Hello | Beat | Server | Expiring | RoleChanged | CoownerChanged | Changed | Asked | Time | WritingEnded | Ended
FromPage = Here | Active | Ask | Withdraw

_decoder: msgspec.json.Decoder[FromPage] = msgspec.json.Decoder(FromPage)

_PASSING_CODE = 1013
_CODES = {
    Reason.LINK_EXPIRED: 4408,
    Reason.SHARE_EXPIRED: 4408,
    Reason.VISIT_ENDED: 4410,
}


def to_page(message: ToPage) -> Frame:
    return Frame(FrameKind.TEXT, msgspec.json.encode(message))


def from_page(frame: Frame) -> FromPage:
    """Read one frame; Denied(`bad_frame`) for anything but a small, well-formed word of the list above."""
    if frame.kind is not FrameKind.TEXT or len(frame.data) > MAX_ASK:
        raise Denied(Reason.BAD_FRAME, "not a small text frame")
    try:
        word = _decoder.decode(frame.data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        # Fails closed: an unreadable word ends the channel.
        raise Denied(Reason.BAD_FRAME, "not a word of the live channel") from None
    if isinstance(word, Ask):
        if len(word.source.encode("utf-8", "surrogatepass")) > MAX_SOURCE:
            raise Denied(Reason.BAD_FRAME, "the cell is too long to ask for")
    elif len(frame.data) > MAX_FROM_PAGE:
        raise Denied(Reason.BAD_FRAME, "not a small text frame")
    return word


def ended(reason: Reason, language: Language = ENGLISH) -> Ended:
    """What a page is told when `reason` ends its visit: the code, for which it has words of its own, and a sentence for
    the person in front of it where it has none.

    Said for a reason that `passes`, it is no end: the page goes on trying.
    """
    public = MEANINGS[reason].public
    return Ended(reason=public, sentence=language.say(f"refused.{public}.sentence"))


def close_code(reason: Reason) -> int:
    """The WebSocket close code that goes with `reason`."""
    return _PASSING_CODE if passes(reason) else _CODES.get(reason, 4403)


_AT_THE_DOOR = (Reason.MAIL_UNAVAILABLE, Reason.SIGN_IN_UNAVAILABLE)


def passes(reason: Reason) -> bool:
    """Whether `reason` ends a connection but no visit: limits, a gate that restarts, a store or server that is away.
    What the door alone says ends no connection."""
    return MEANINGS[reason].status in (429, 502, 503, 504) and reason not in _AT_THE_DOOR
