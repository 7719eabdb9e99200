"""What one visit looked at and followed, with nothing else in between, as one line of the history, which unfolds.

A page of JupyterLab asks for dozens of things by itself, and for its folder again every few seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sharegate.dashboard.pages.timeline import kind_of

Json = dict[str, Any]
Parts = list[tuple[str, str]]

# Fewer say more by themselves.
FEWEST = 3
# In seconds: after such a pause somebody is there anew.
PAUSE = 600.0
MOST_PATHS = 3
# The rules (their names' first part) by which people look at what is shared; by others a page gets what it consists of.
_LOOKING = frozenset({"contents", "files", "view", "notebooks", "read"})


@dataclass(slots=True)
class Run:
    """What one visit looked at and followed, with nothing else of theirs in between: entries, the newest first."""

    entries: list[Json] = field(default_factory=list)

    @property
    def newest(self) -> Json:
        return self.entries[0]

    @property
    def oldest(self) -> Json:
        return self.entries[-1]

    @property
    def parts(self) -> Parts:
        """The sentence, its names and paths apart, as sentences.parts gives it for one entry."""
        name = self.newest["name"]
        who = ("name", name) if name else ("", "A visitor")
        followed = self._paths(_follows)
        looked = [path for path in self._paths(_looks) if path not in followed]
        if not followed and not looked:
            return [who, ("", "’s page asked for what it consists of")]
        said = [("", " followed "), *_listed(followed)] if followed else []
        if followed and looked:
            said.append(("", " and"))
        return [who, *said, *([("", " looked at "), *_listed(looked)] if looked else [])]

    def _paths(self, which: Callable[[Json], bool]) -> list[str]:
        """Each once, in the order in which they came."""
        return list(dict.fromkeys(entry["path"] for entry in reversed(self.entries) if entry["path"] and which(entry)))

    @property
    def text(self) -> str:
        return "".join(part for _, part in self.parts) + "."


def folded(entries: Sequence[Json]) -> list[Json | Run]:
    """Entries, the newest first, in which a long enough run of one visit stands where its newest entry was."""
    runs: dict[int, Run] = {}  # by each entry's place
    latest: dict[str, Run] = {}  # by visit
    for place, entry in enumerate(entries):
        if not _routine(entry):
            latest.pop(entry["visit"], None)
            continue
        run = latest.get(entry["visit"])
        if run is None or run.oldest["at"] - entry["at"] > PAUSE:
            run = latest[entry["visit"]] = Run()
        run.entries.append(entry)
        runs[place] = run
    found: list[Json | Run] = []
    for place, entry in enumerate(entries):
        run = runs.get(place)
        if run is None or len(run.entries) < FEWEST:
            found.append(entry)
        elif run.newest is entry:
            found.append(run)
    return found


def _routine(entry: Json) -> bool:
    of_a_page = entry["action"] in ("request.answered", "channel.summary") and entry["actor"] == "visitor"
    done = entry["outcome"] == "allowed" and kind_of(entry) == "read" and entry.get("status", 0) < 400
    return of_a_page and done and bool(entry["visit"])


def _follows(entry: Json) -> bool:
    return str(entry["action"]) == "channel.summary"


def _looks(entry: Json) -> bool:
    return not _follows(entry) and entry.get("rule", "").partition("-")[0] in _LOOKING


def _listed(paths: list[str]) -> Parts:
    named: Parts = [("path", path) for path in paths[:MOST_PATHS]]
    if len(paths) > MOST_PATHS:
        named.append(("", f"{len(paths) - MOST_PATHS} more"))
    found: Parts = []
    for number, part in enumerate(named):
        if number:
            found.append(("", " and " if number == len(named) - 1 else ", "))
        found.append(part)
    return found
