"""Moments as people write them: `2h`, `7d`, `fri 17:00`, `tomorrow 9:00`, `2026-12-24`; and as they read them back.

Hours and minutes are elapsed time; days and weeks keep the time of day, also across a change of the clocks. A day
without a time means its end, because that is what "until Friday" says.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sharegate.errors import Invalid

REMEDY = "Write 90m, 2h, 7d, 2w, fri 17:00, tomorrow 9:00, 2026-12-24 or 2026-12-24 18:00"
_LONGEST = 64
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_OTHER_DAY_NAMES = {"tues": 1, "thur": 3, "thurs": 3}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_END_OF_DAY = time(23, 59)

# [0-9] and not \d: other scripts' digits would be read, and then shown differently.
_DURATION = re.compile(r"(?:(?:[0-9]{1,6})(?:[wdhm]|min))+")
_STEP = re.compile(r"([0-9]{1,6})(w|d|h|min|m)")
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_DATE_AND_T = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}t")
_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})")
_HALF_DAY = re.compile(r"([0-9]{1,2})(?::([0-9]{2}))? ?(am|pm)")
_ZONED = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[t ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)? ?(?:z|[+-][0-9]{2}:?[0-9]{2})"
)


def local_zone() -> tzinfo:
    """The zone of this computer with its rules for the clocks, from TZ or /etc/localtime; UTC where neither is read."""
    name = os.environ.get("TZ", "").removeprefix(":")
    if name:
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            pass  # a POSIX rule such as CET-1CEST: the file below is the better guess
    try:
        with Path("/etc/localtime").open("rb") as file:
            return ZoneInfo.from_file(file, key="localtime")
    except (OSError, ValueError):
        # Only what is shown depends on it: the moment itself is a number, and its zone is echoed.
        return datetime.now().astimezone().tzinfo or UTC


def parse(text: str, *, now: float, zone: tzinfo, field: str = "expires", latest: float | None = None) -> float:
    """Read a moment after `now`; returns seconds since the epoch.

    Raises Invalid with `field` for what is not understood, has passed, does not exist because the clocks jump over it,
    or lies after `latest`.
    """
    moment = _read(text, now, zone, field)
    if moment <= now:
        raise Invalid(field, f"{shown(moment, zone)} has passed", "Name a moment that is still to come")
    if latest is not None and moment > latest:
        raise Invalid(
            field,
            f"{shown(moment, zone)} is later than this gate permits",
            f"The latest is {shown(latest, zone)}",
        )
    return moment


def parse_past(text: str, *, now: float, zone: tzinfo, field: str) -> float:
    """Read a moment for a filter of the history: a duration counts backwards (`2h` = two hours ago), a day begins at
    midnight, and a weekday is the last one. Returns seconds since the epoch; raises Invalid."""
    words = _words(text, field)
    today = datetime.fromtimestamp(now, zone).date()
    if _DURATION.fullmatch(words):
        return _after(words, now, zone, field, backwards=True)
    if _ZONED.fullmatch(words):
        return _zoned(words, field)
    day_text, at = _day_and_clock(words, field, time(0, 0))
    if day_text in ("today", "yesterday"):
        day = today - timedelta(days=day_text == "yesterday")
    elif (weekday := _weekday(day_text)) is not None:
        day = today - timedelta(days=(today.weekday() - weekday) % 7)
    elif _DATE.fullmatch(day_text):
        day = _date(day_text, field)
    else:
        raise Invalid(
            field, f"{text!r} is not a moment", "Write 2h or 3d (ago), yesterday, 2026-11-20 or 2026-11-20 18:00"
        )
    return _moment(datetime.combine(day, at), zone, field)


def shown(moment: float, zone: tzinfo) -> str:
    """`Fri 27 Nov 2026, 17:00 CET`, in English whatever the locale."""
    try:
        at = datetime.fromtimestamp(moment, zone)
    except (OverflowError, ValueError, OSError):
        return "a moment far away"
    name = at.tzname() or ""
    if name[:1] in ("+", "-"):
        name = f"UTC{name}"
    return f"{_DAYS[at.weekday()].title()} {at.day} {_MONTHS[at.month - 1]} {at.year}, {at:%H:%M} {name}".rstrip()


def span(seconds: float) -> str:
    """A duration in one unit, rounded down: `4 days`, `47 hours`, `90 minutes`, `less than a minute`."""
    # Half a minute of slack: what was asked as "7d" a moment ago is 7 days.
    whole = seconds + 30
    for unit, length, least in (("day", 86400, 2 * 86400), ("hour", 3600, 2 * 3600), ("minute", 60, 60)):
        if whole >= least:
            count = int(whole // length)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return "less than a minute"


def distance(moment: float, now: float) -> str:
    """`in 4 days`, or `5 minutes ago`."""
    return f"in {span(moment - now)}" if moment > now else f"{span(now - moment)} ago"


def echo(moment: float, *, now: float, zone: tzinfo) -> str:
    """`Fri 27 Nov 2026, 17:00 CET (in 4 days)`."""
    return f"{shown(moment, zone)} ({distance(moment, now)})"


def _words(text: str, field: str) -> str:
    words = " ".join(text.lower().split()) if len(text) <= _LONGEST else ""
    if not words:
        raise Invalid(field, "is empty" if not text.strip() else "is not a moment", REMEDY)
    return words


def _day_and_clock(words: str, field: str, otherwise: time) -> tuple[str, time]:
    day, _, clock = words.partition("t" if _DATE_AND_T.match(words) else " ")
    return day, _clock(clock, field) if clock else otherwise


def _read(text: str, now: float, zone: tzinfo, field: str) -> float:
    words = _words(text, field)
    if _DURATION.fullmatch(words):
        return _after(words, now, zone, field)
    if _ZONED.fullmatch(words):
        return _zoned(words, field)
    day_text, at = _day_and_clock(words, field, _END_OF_DAY)
    today = datetime.fromtimestamp(now, zone).date()
    weekday = _weekday(day_text)
    if weekday is not None:
        day = today + timedelta(days=(weekday - today.weekday()) % 7)
        moment = _moment(datetime.combine(day, at), zone, field)
        return moment if moment > now else _moment(datetime.combine(day + timedelta(days=7), at), zone, field)
    if day_text in ("today", "tomorrow"):
        day = today + timedelta(days=day_text == "tomorrow")
    elif _DATE.fullmatch(day_text):
        day = _date(day_text, field)
    else:
        raise Invalid(field, f"{text!r} is not a moment", REMEDY)
    return _moment(datetime.combine(day, at), zone, field)


def _after(words: str, now: float, zone: tzinfo, field: str, *, backwards: bool = False) -> float:
    days = 0
    minutes = 0
    for count, unit in _STEP.findall(words):
        if unit in ("w", "d"):
            days += int(count) * (7 if unit == "w" else 1)
        else:
            minutes += int(count) * (60 if unit == "h" else 1)
    sign = -1 if backwards else 1
    try:
        moment = now
        if days:
            # The same time of day `days` later. Where the clocks jump over it, the moment after the jump.
            wall = datetime.fromtimestamp(now, zone).replace(tzinfo=None) + timedelta(days=sign * days)
            moment = wall.replace(tzinfo=zone).timestamp()
        moment += sign * minutes * 60
        datetime.fromtimestamp(moment, zone)
    except (OverflowError, ValueError, OSError):
        raise Invalid(field, "is too far away", REMEDY) from None
    return moment


def _zoned(words: str, field: str) -> float:
    try:
        return datetime.fromisoformat(
            words.upper().replace(" +", "+").replace(" -", "-").replace(" Z", "Z")
        ).timestamp()
    except (ValueError, OverflowError, OSError):
        raise Invalid(field, "is no such date or time", REMEDY) from None


def _moment(wall: datetime, zone: tzinfo, field: str) -> float:
    """The moment of a wall clock. Twice that evening (clocks back): the earlier, so that access never lasts longer than
    read. Never that night (clocks forward): refused."""
    try:
        moment = wall.replace(tzinfo=zone, fold=0).timestamp()
        back = datetime.fromtimestamp(moment, zone).replace(tzinfo=None, fold=0)
    except (OverflowError, ValueError, OSError):
        raise Invalid(field, "is too far away", REMEDY) from None
    if back != wall:
        raise Invalid(
            field,
            f"{wall:%H:%M} does not exist on {wall:%Y-%m-%d} here: the clocks jump over it",
            f"Write {back:%H:%M}",
        )
    return moment


def _date(text: str, field: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Invalid(field, f"there is no {text}", REMEDY) from None


def _clock(text: str, field: str) -> time:
    hour = minute = -1
    if found := _CLOCK.fullmatch(text):
        hour, minute = int(found[1]), int(found[2])
    elif found := _HALF_DAY.fullmatch(text):
        if 1 <= int(found[1]) <= 12:
            hour = int(found[1]) % 12 + (12 if found[3] == "pm" else 0)
        minute = int(found[2] or 0)
    if not (0 <= hour <= 23 and 0 <= minute <= 59):
        raise Invalid(field, f"{text!r} is not a time of day", "Write 17:00 or 5pm")
    return time(hour, minute)


def _weekday(text: str) -> int | None:
    if text in _DAYS:
        return _DAYS.index(text)
    if text in _DAY_NAMES:
        return _DAY_NAMES.index(text)
    return _OTHER_DAY_NAMES.get(text)
