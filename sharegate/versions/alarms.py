"""A document that collapses or doubles within a minute of visitors' writing: worth telling its owner at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sharegate.versions.model import Facts

WITHIN = 60.0
# Seconds after which the same thing is told again.
QUIET = 300.0
# A document with fewer characters has nothing to lose that its page does not show at a glance.
_LEAST = 200
_LEFT = 0.2
_TWICE = 2.0
_REPEATED = 0.8
_BEFORE = "; the version before is "


class Happened(StrEnum):
    COLLAPSED = "collapsed"
    DOUBLED = "doubled"


@dataclass(frozen=True, slots=True)
class Seen:
    """A document at a moment. `snapshot` is the last one that was kept by then ("" for none), `visits` those who have
    written since the moment before."""

    at: float
    facts: Facts
    snapshot: str = ""
    visits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Alarm:
    """`snapshot` is the one to go back to, "" when none was kept; `visits` who wrote in between."""

    what: Happened
    before: Facts
    after: Facts
    snapshot: str
    visits: tuple[str, ...]

    @property
    def sentence(self) -> str:
        said = (
            f"{self.before.characters} characters in {self.before.cells} cells became {self.after.characters} in "
            f"{self.after.cells} within a minute"
            if self.before.cells or self.after.cells
            else f"{self.before.characters} characters became {self.after.characters} within a minute"
        )
        return said + (f"{_BEFORE}{self.snapshot}" if self.snapshot else "")

    @property
    def detail(self) -> str:
        """For the history; `told` reads it."""
        return f"{self.what}: {self.sentence}"


def told(detail: str) -> tuple[str, str, str]:
    """What happened, the sentence without the version, and the version's id; "" for what is not said."""
    what, _, said = detail.partition(": ")
    sentence, _, version = said.partition(_BEFORE)
    return what, sentence, version


def alarm(seen: Sequence[Seen]) -> Alarm | None:
    """Whether the last of `seen` (by time) is a collapse or a doubling of one of the minute before it.

    Only where visitors wrote: what the owner does alone is the owner's business.
    """
    if len(seen) < 2:
        return None
    now = seen[-1]
    visits: dict[str, None] = {}
    worst: Alarm | None = None
    for later, before in zip(reversed(seen[1:]), reversed(seen[:-1]), strict=True):
        visits |= dict.fromkeys(later.visits)
        if now.at - before.at > WITHIN:
            break
        what = _happened(before.facts, now.facts)
        if what is not None and visits:
            worst = Alarm(what, before.facts, now.facts, before.snapshot, tuple(visits))
    return worst


def _happened(before: Facts, after: Facts) -> Happened | None:
    emptied = before.cells > 1 and after.cells <= 1 and after.characters == 0
    if emptied or (before.characters >= _LEAST and after.characters <= _LEFT * before.characters):
        return Happened.COLLAPSED
    grown = after.characters - before.characters
    repeats = after.repeated - before.repeated
    twice = before.characters >= _LEAST and after.characters >= _TWICE * before.characters
    again = repeats >= _REPEATED * before.characters and repeats >= grown / 2
    return Happened.DOUBLED if twice and again else None
