"""The timeline of one share as a picture: who was in when, and how much they did in each hour."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from sharegate.dashboard.pages.filters import Filters
from sharegate.dashboard.pages.source import Json, NotShown, Source

HOUR = 3600.0
MOST = 60
# Of the picture's lane, in its own units: where its ground is, and the highest bar.
GROUND, HIGHEST = 26, 20
# A narrower bar is not seen, in per cent.
NARROWEST = 0.4


@dataclass(slots=True)
class Bar:
    """What was done within an hour. `x` and `width` in per cent; heights above the ground."""

    x: float
    width: float
    opens: float
    edits: float
    denials: int
    text: str
    at: float


@dataclass(slots=True)
class Lane:
    """One person. `stays` are (from, width) in per cent."""

    visit: str
    label: str
    name: str
    stays: list[tuple[float, float]] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Picture:
    """`counted`: the moment from which on it is complete, where it is not."""

    lanes: list[Lane]
    since: float
    until: float
    more: int
    counted: float | None

    @property
    def middle(self) -> float:
        return (self.since + self.until) / 2


async def asked(source: Source, filters: Filters, query: dict[str, str]) -> Picture | None:
    """For a page that asks for nothing but a share and a time; None for others, and for a time that is too long."""
    if not filters["share"] or filters.typed.keys() - {"share", "since", "until", "zone"} or source.query.get("cursor"):
        return None
    try:
        answer = await source.get("audit/lanes", **query)
    except NotShown as refused:
        if refused.status not in (400, 404):
            raise
        return None
    return drawn(answer) if answer["lanes"] else None


def drawn(answer: Json) -> Picture:
    since: float = answer["since"]
    until: float = answer["until"]

    def place(at: float) -> float:
        return round(100 * min(max(at - since, 0.0), until - since) / (until - since), 2)

    lanes = []
    for each in answer["lanes"][:MOST]:
        lane = Lane(each["visit"], each["label"], each["badge"] or each["name"] or each["label"])
        for stay in each["stays"]:
            begins = place(stay["since"])
            ends = place(until if stay["until"] is None else stay["until"])
            lane.stays.append((begins, round(max(ends - begins, NARROWEST), 2)))
        for hour in each["hours"]:
            x, end = place(hour["at"]), place(hour["at"] + HOUR)
            wide = round(max(end - x, NARROWEST), 2)
            heights = _height(hour["opens"]), _height(hour["edits"] + hour["acts"])
            lane.bars.append(Bar(x, wide, *heights, hour["denials"], _text(hour), hour["at"]))
        lanes.append(lane)
    more = answer["more"] + max(0, len(answer["lanes"]) - MOST)
    return Picture(lanes, since, until, more, answer["counted_since"])


def _height(count: int) -> float:
    """Ten times as much is as much higher: one is seen beside a thousand."""
    return round(min(HIGHEST, 4 + 5 * math.log10(count)), 1) if count > 0 else 0.0


def _text(hour: Json) -> str:
    words = (("opens", "opened"), ("edits", "changed"), ("denials", "refused"), ("acts", "at the door"))
    return ", ".join(f"{hour[name]} {word}" for name, word in words if hour[name])
