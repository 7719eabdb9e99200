"""What stands in the address of the history page: kept as it was typed, and read for the owner's API."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from sharegate.errors import Invalid

# As the form has them; `visit` and `link` come from other pages, `zone` from the reader's browser.
FIELDS = ("share", "who", "visit", "link", "action", "outcome", "reason", "path", "since", "until", "zone")
PLAIN = ("share", "visit", "link", "action", "outcome", "reason", "path")
_ZONE = re.compile(r"[A-Za-z0-9_+-]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,2}\Z")
_LONGEST = 1024
# What a browser's own field for a moment takes (HTML, "local date and time string"); it drops all else.
_LOCAL = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?\Z")


@dataclass(frozen=True, slots=True)
class Filters:
    """`typed` holds what was typed, for each field that holds anything."""

    typed: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, query: dict[str, str]) -> Filters:
        """What is no field of the form is left out."""
        found = {name: query.get(name, "").strip()[:_LONGEST] for name in FIELDS}
        return cls({name: value for name, value in found.items() if value})

    def __getitem__(self, name: str) -> str:
        return self.typed.get(name, "")

    @property
    def any(self) -> bool:
        """Whether they leave something out."""
        return bool(self.typed.keys() - {"zone"})

    def kind(self, name: str) -> str:
        """The `type` of the field for a moment."""
        return kind_of_field(self[name])

    def asked(self) -> dict[str, str]:
        """The API's query, without who. Raises Invalid for a moment that is none."""
        asked = {name: self.typed[name] for name in PLAIN if name in self.typed}
        for name in ("since", "until"):
            if name in self.typed:
                asked[name] = repr(_seconds(name, self.typed[name], self["zone"]))
        return asked

    def address(self, base: str = "/history", **changes: str) -> str:
        """The page with these filters and changes; "" takes one away."""
        values = {name: value for name, value in (self.typed | changes).items() if value}
        return f"{base}?{urlencode(values)}" if values else base


def kind_of_field(typed: str) -> str:
    """The `type` of a field for a moment: a plain one, where the browser's own would not show what was typed."""
    try:
        datetime.fromisoformat(typed or "1970-01-01T00:00")
    except ValueError:
        return "text"
    return "datetime-local" if not typed or _LOCAL.match(typed) else "text"


def _seconds(name: str, text: str, zone: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=_zone(zone))
        seconds = moment.timestamp()
    except (ValueError, OverflowError):
        seconds = -1.0
    if seconds < 0:
        raise Invalid(name, "is not a day or a moment", "Write it like 2026-11-28 or 2026-11-28T09:30")
    return seconds


def _zone(name: str) -> tzinfo:
    """The reader's time zone. One that this computer does not know counts as UTC, which the page says."""
    if _ZONE.match(name):
        try:
            return ZoneInfo(name)
        except (ValueError, KeyError, OSError):  # fails open: a filter for times, no decision
            pass
    return UTC


def known(zone: str) -> bool:
    """Whether moments are read in this time zone."""
    return _zone(zone) is not UTC
