"""The words of a message. Names in it were chosen by strangers, and chats make links, mentions and markup of letters:
what is not a letter, digit or blank does not leave the gate."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

from sharegate.names import MAX_MARKS
from sharegate.notify.model import Bundle, Kind, Message

LONGEST_WHO = 40
LONGEST_NAME = 60
_READ = 400
# Letters, digits and blanks. Signs and marks of every script are left out: full-width ones are signs, too.
_KEPT = ("L", "N")
# Between isolates a name of another direction moves nothing around it (Unicode UAX #9).
_ISOLATE, _POP = "\u2068", "\u2069"


def plain(text: str, limit: int, *, signs: str = "") -> str:
    """`text` as words. `signs` stay where they stand between two letters: `O'Neil`, `week-3`."""
    kept: list[str] = []
    marks = 0
    seen = unicodedata.normalize("NFKC", text[:_READ])
    for at, char in enumerate(seen):
        category = unicodedata.category(char)
        marks = marks + 1 if category.startswith("M") else 0
        beside = seen[at - 1 : at] + seen[at + 1 : at + 2]
        joins = char in signs and len(beside) == 2 and beside.isalnum()
        letter = category[0] in _KEPT or (0 < marks <= MAX_MARKS and kept and kept[-1] != " ")
        kept.append(char if letter or joins else " ")
    return " ".join("".join(kept).split())[:limit].rstrip()


def person(text: str) -> str:
    """What somebody called themselves, set apart; "" when nothing is left."""
    name = plain(text, LONGEST_WHO, signs="'’-")
    return f"“{_ISOLATE}{name}{_POP}”" if name else ""


def thing(text: str) -> str:
    """What its owner called a share, set apart."""
    name = plain(text, LONGEST_NAME, signs="'’-_")
    return f"“{_ISOLATE}{name}{_POP}”" if name else "a share"


# One of them, several of them; {who} is a list of names, {n} how many.
_SAID: dict[Kind, tuple[str, str]] = {
    Kind.VISIT: ("{who} came in for the first time.", "{n} came in for the first time: {who}."),
    Kind.KNOCK: ("{who} knocks and waits to be let in.", "{n} knocks wait: {who}."),
    Kind.DEVICE: ("{who} came in on another device.", "{n} further devices came in: {who}."),
    Kind.PASSED_ON: (
        "A link or address seems to have been passed on.",
        "Links seem to be passed on, {n} times.",
    ),
    Kind.DENIED: ("Something was refused to {who}.", "{n} attempts were refused: {who}."),
    Kind.ALARM: ("Something needs a look: a document that looks damaged, or a suspended share.", "{n} alarms."),
    Kind.EXPIRING: ("It ends {until}.", "{n} links end by {until}."),
    Kind.ASKED: ("{who} asks you for something.", "{n} asks wait for you: {who}."),
    Kind.REPORT: ("A visitor reported a share.", "{n} reports of shares came in."),
    Kind.MORE: ("And one more thing happened.", "And {n} more."),
}


def message(bundle: Bundle, dashboard: str) -> Message:
    """`dashboard` is the address of the owner's pages; nothing in a message leads anywhere else."""
    names = [found for found in map(person, bundle.who) if found] or ["somebody"]
    more = bundle.count - len(names)
    who = ", ".join(names) + (f" and {more} more" if more > 0 and bundle.count > 1 else "")
    one, several = _SAID[bundle.kind]
    until = f"{datetime.fromtimestamp(bundle.until, UTC):%Y-%m-%d %H:%M} UTC" if bundle.until else "soon"
    sentence = (one if bundle.count == 1 else several).format(who=who, n=bundle.count, until=until)
    sentence = sentence[:1].upper() + sentence[1:]
    about = thing(bundle.name) if bundle.share else ""
    place = {Kind.REPORT: "/admin/reports", Kind.MORE: "/history"}.get(bundle.kind, "/")
    if bundle.share and bundle.kind not in (Kind.KNOCK, Kind.ASKED):  # what waits for an answer stands on *Now*
        place = f"/shares/{bundle.share}"
    return Message(
        title=f"sharegate: {about}" if about else "sharegate",
        body="\n".join([sentence, f"See {dashboard}{place}"]),
    )


def trial(dashboard: str) -> Message:
    return Message("sharegate: a test", f"If you read this, notifications arrive here.\nSee {dashboard}/")
