"""What is worth telling, and to whom. Plain values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sharegate.audit.events import Action


class Kind(StrEnum):
    """What somebody may be told of; the words of the setting `notify_about`."""

    VISIT = "visit"
    KNOCK = "knock"
    DEVICE = "device"
    PASSED_ON = "passed_on"
    DENIED = "denied"
    ALARM = "alarm"
    EXPIRING = "expiring"
    ASKED = "asked"
    REPORT = "report"
    MORE = "more"  # what was held back; not to be chosen


CHOICES = tuple(kind for kind in Kind if kind is not Kind.MORE)
MEANINGS: dict[Kind, str] = {
    Kind.VISIT: "somebody comes in for the first time",
    Kind.KNOCK: "somebody knocks",
    Kind.DEVICE: "a visitor adds a device",
    Kind.PASSED_ON: "a link seems to have been passed on",
    Kind.DENIED: "something was refused",
    Kind.ALARM: "a document looks damaged, or a share is suspended",
    Kind.EXPIRING: "a share or link is about to expire",
    Kind.ASKED: "a visitor asks for more time, or to have a cell run",
    Kind.REPORT: "a visitor reports a share (told to admins)",
}
assert set(MEANINGS) == set(CHOICES), "every kind has a meaning"

# Which recorded acts are worth telling.
ACTIONS: dict[Action, Kind] = {
    Action.LINK_JOINED: Kind.VISIT,
    Action.PROGRAM_JOINED: Kind.VISIT,
    Action.KNOCK_MADE: Kind.KNOCK,
    Action.DEVICE_ADDED: Kind.DEVICE,
    Action.LINK_PASSED_ON: Kind.PASSED_ON,
    Action.PROGRAM_ELSEWHERE: Kind.PASSED_ON,
    Action.REQUEST_DENIED: Kind.DENIED,
    Action.LINK_REFUSED: Kind.DENIED,
    Action.CHANNEL_REFUSED: Kind.DENIED,
    Action.DOCUMENT_REFUSED: Kind.DENIED,
    Action.DOCUMENT_ALARM: Kind.ALARM,
    Action.SHARE_SUSPENDED: Kind.ALARM,
    Action.TIME_ASKED: Kind.ASKED,
    Action.RUN_ASKED: Kind.ASKED,
    Action.REPORT_MADE: Kind.REPORT,
}


class Audience(StrEnum):
    OWNER = "owner"
    ADMINS = "admins"


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that is worth telling. `share` is its id ("" where it is nobody's to know), `name` what the share is
    called, `who` as they called themselves ("" unknown). `until` is an end, in seconds since the epoch."""

    kind: Kind
    share: str = ""
    name: str = ""
    who: str = ""
    count: int = 1
    until: float = 0.0


@dataclass(frozen=True, slots=True)
class Bundle:
    """Happenings of one kind at one share that are told together. `who` are different names, at most `SHOWN`."""

    kind: Kind
    share: str
    name: str
    who: tuple[str, ...]
    count: int
    until: float = 0.0


SHOWN = 3


@dataclass(frozen=True, slots=True)
class Message:
    title: str
    body: str
