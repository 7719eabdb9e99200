"""Files that visitors write as a whole: whose own content stands there, and the alarm when one collapses or doubles."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field

from sharegate.versions.alarms import QUIET, WITHIN, Alarm, Happened, Seen, alarm
from sharegate.versions.model import Content, Facts, facts

# Files that are remembered; past it, one is kept once more, or an alarm compares with less.
MOST = 2000


@dataclass(frozen=True, slots=True)
class Measured:
    """What is remembered of a content. `digest` is of its canonical bytes."""

    digest: bytes
    facts: Facts


def measured(content: Content) -> Measured:
    return Measured(hashlib.sha256(content.encode()).digest(), facts(content))


@dataclass(slots=True)
class _File:
    visit: str = ""
    digest: bytes = b""
    snapshot: str = ""
    seen: list[Seen] = field(default_factory=list)
    told: dict[Happened, float] = field(default_factory=dict)


class Wholes:
    """In memory. `own` and `kept` before a write, `wrote` after it. Times are seconds since the epoch."""

    def __init__(self) -> None:
        self._files: OrderedDict[tuple[str, str], _File] = OrderedDict()

    def own(self, upstream: str, path: str, visit: str, standing: Measured) -> bool:
        """Whether what stands there is what this visit itself wrote as a whole: nobody's work is in it but its own."""
        file = self._files.get((upstream, path))
        return file is not None and (file.visit, file.digest) == (visit, standing.digest)

    def kept(self, upstream: str, path: str, standing: Measured, snapshot: str, now: float) -> None:
        """What stands there is kept as `snapshot`."""
        file = self._file(upstream, path)
        file.snapshot = snapshot
        file.seen.append(Seen(now, standing.facts, snapshot))

    def wrote(self, upstream: str, path: str, visit: str, written: Measured, now: float) -> Alarm | None:
        """What to tell the owner, where that is due."""
        file = self._file(upstream, path)
        file.visit, file.digest = visit, written.digest
        file.seen = [each for each in file.seen if now - each.at <= WITHIN]
        file.seen.append(Seen(now, written.facts, file.snapshot, (visit,)))
        found = alarm(file.seen)
        if found is None or now - file.told.get(found.what, float("-inf")) < QUIET:
            return None
        file.told[found.what] = now
        return found

    def _file(self, upstream: str, path: str) -> _File:
        file = self._files.setdefault((upstream, path), _File())
        self._files.move_to_end((upstream, path))
        if len(self._files) > MOST:
            self._files.popitem(last=False)
        return file
