"""Which names a program loads or runs by itself: policies/files.yaml as one frozen value."""

from __future__ import annotations

import fnmatch
import re
import unicodedata
from dataclasses import dataclass

from sharegate.policy.source import FaultList, Reader, Value

_GROUP = frozenset({"why", "names"})
# One name or pattern: no separator, no set of characters, and something beside the stars.
_NAME = re.compile(r"[^/\\\[\]?]{1,100}")
# What HFS+ leaves out when it compares names (Apple TN1150).
_IGNORED = re.compile("[\u200b-\u200f\u2060\u206a-\u206f\ufeff]")


@dataclass(frozen=True, slots=True)
class FileGroup:
    """Names for one reason. `names` are as written, `*` stands for anything."""

    id: str
    why: str
    names: tuple[str, ...]


class FileRules:
    """Judges the last segment of a path."""

    __slots__ = ("_any", "_patterns", "groups")

    def __init__(self, groups: tuple[FileGroup, ...]) -> None:
        self.groups = groups
        self._patterns = tuple(
            (group.id, re.compile(fnmatch.translate(plain_name(name)))) for group in groups for name in group.names
        )
        self._any = re.compile("|".join(pattern.pattern for _, pattern in self._patterns))

    def __repr__(self) -> str:
        return f"<FileRules of {len(self._patterns)} names>"

    def runs_by_itself(self, name: str) -> bool:
        return self.group_of(name) is not None

    def group_of(self, name: str) -> str | None:
        """The id of the group that `name` falls under; None when no program loads it by itself."""
        plain = plain_name(name)
        # On some disks what follows a colon names a part of the same file.
        for spelled in {plain, plain_name(plain.partition(":")[0])}:
            # Of ten thousand names in a folder nearly all are told apart by one look.
            if self._any.match(spelled):
                return next(group for group, pattern in self._patterns if pattern.match(spelled))
        return None


def plain_name(name: str) -> str:
    """A name as the most forgiving disk compares it: NFKC, no case, nothing invisible, no dots or spaces at its end."""
    folded = unicodedata.normalize("NFKC", _IGNORED.sub("", name)).casefold()
    return unicodedata.normalize("NFKC", folded).rstrip(". ")


def read_files(document: Value | None, faults: FaultList) -> FileRules | None:
    """Read the `files:` mapping. None when a fault was added."""
    reader = Reader(faults)
    before = len(faults.faults)
    if document is None or not reader.known(document, frozenset({"files"}), "the file", frozenset({"files"})):
        return None
    groups: list[FileGroup] = []
    for name, value in reader.entries(document.get("files"), "files"):
        if not reader.known(value, _GROUP, f"group {name!r}", _GROUP):
            continue
        why = reader.text(value.get("why"), "why")
        names = reader.texts(value.get("names"), "names")
        where = (value.get("names") or value).where
        if not why.strip():
            faults.add(value.where, f"group {name!r} does not say why")
        if not names:
            faults.add(where, f"group {name!r} names nothing")
        for each in names:
            if not _NAME.fullmatch(each) or not plain_name(each).strip("*"):
                faults.add(where, f"{each!r} is no name", "Write a file name; `*` stands for anything")
        groups.append(FileGroup(name, why, names))
    if not groups and len(faults.faults) == before:
        faults.add(document.where, "no group of names at all", "Without one every file may be made")
    return FileRules(tuple(groups)) if len(faults.faults) == before else None
