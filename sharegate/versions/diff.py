"""The smallest difference of two documents, cell by cell or line by line. Plain values in, plain values out."""

from __future__ import annotations

import bisect
import difflib
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from sharegate.versions.model import Content, Kind

Opcode = tuple[str, int, int, int, int]
# Comparisons for one pair of texts, and for two whole documents (about a second): what would take more is told as one
# change. Somebody who edits may write texts that are slow to compare, and a room waits for the plan of a restore.
_MOST_OF_ONE = 300_000
_MOST_OF_ALL = 1_000_000
_ALIKE = 0.5
# What is told of a cell apart from its other fields.
_FIELDS = ("id", "cell_type", "source", "metadata", "outputs", "execution_count")


@dataclass(slots=True)
class Work:
    """How many comparisons are left for two documents."""

    left: int = _MOST_OF_ALL

    def may(self, before: Sequence[Any], after: Sequence[Any]) -> bool:
        """Whether these two may be compared in detail; the cost is then taken off."""
        pairs = len(before) * len(after)
        most = min(self.left, _MOST_OF_ONE)
        if pairs > 20 * most:
            return False
        if pairs > 1000:
            times = Counter(after)
            pairs = pairs // 20 + sum(times[one] for one in before)
        if pairs > most:
            return False
        self.left -= pairs
        return True


class Change(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    MOVED = "moved"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Field:
    """One value that differs; None where it is missing."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class CellDifference:
    """One cell. `before` and `after` are its positions, counted from 0, None where it is not. A cell that was moved and
    changed is MOVED with lines. `lines` begin with ' ', '-', '+' or '@'."""

    change: Change
    id: str
    before: int | None
    after: int | None
    type: str
    lines: tuple[str, ...] = ()
    fields: tuple[Field, ...] = ()
    outputs: tuple[int, int] | None = None  # how many there were and are, when they differ


@dataclass(frozen=True, slots=True)
class Difference:
    """All that differs. `lines` is of text files, `metadata` of the notebook itself."""

    cells: tuple[CellDifference, ...] = ()
    metadata: tuple[Field, ...] = ()
    lines: tuple[str, ...] = ()
    bytes: tuple[int, int] | None = None

    def __bool__(self) -> bool:
        return bool(self.cells or self.metadata or self.lines or self.bytes)

    def to_json(self) -> dict[str, Any]:
        """Plain values for an API's answer."""
        return asdict(self)


def difference(before: Content, after: Content, *, context: int = 2) -> Difference:
    """What turns `before` into `after`; documents of different kinds differ altogether."""
    if before.kind is Kind.NOTEBOOK and after.kind is Kind.NOTEBOOK:
        return Difference(
            cells=tuple(_cells(before.cells, after.cells, context)),
            metadata=tuple(_fields(_about(before), _about(after))),
        )
    if before.kind is Kind.BYTES or after.kind is Kind.BYTES or before.kind is not after.kind:
        one, other = before.encode(), after.encode()
        return Difference(bytes=None if one == other and before.kind is after.kind else (len(one), len(other)))
    return Difference(lines=line_difference(before.text, after.text, Work(), context))


def matches(
    before: Sequence[dict[str, Any]], after: Sequence[dict[str, Any]], work: Work, *, by_content: bool = True
) -> dict[int, int]:
    """Which cell of `before` a cell of `after` is, by position: by id where that names one cell on each side, else by
    content, in order (unless not `by_content`). A document that was rebuilt from a file without ids has new ones."""
    found: dict[int, int] = {}
    ids_before, ids_after = _unique_ids(before), _unique_ids(after)
    for id, at in ids_after.items():
        if id in ids_before:
            found[at] = ids_before[id]
    if not by_content:
        return found
    taken = set(found.values())
    left = [at for at in range(len(before)) if at not in taken]
    right = [at for at in range(len(after)) if at not in found]
    for tag, i1, i2, j1, j2 in opcodes(_contents(before, left), _contents(after, right), work):
        for i, j in zip(range(i1, i2), range(j1, j2), strict=False):
            if tag == "equal" or (tag == "replace" and _alike(before[left[i]], after[right[j]], work)):
                found[right[j]] = left[i]
    return found


def in_place(matched: dict[int, int]) -> set[int]:
    """The positions in `after` whose cells stay where they are, so that as few as possible have to move: a longest
    increasing run of positions in `before`."""
    tails: list[int] = []
    ends: list[int] = []
    previous: dict[int, int | None] = {}
    for after in sorted(matched):
        at = bisect.bisect_left(tails, matched[after])
        previous[after] = ends[at - 1] if at else None
        tails[at : at + 1] = [matched[after]]
        ends[at : at + 1] = [after]
    staying: set[int] = set()
    last = ends[-1] if ends else None
    while last is not None:
        staying.add(last)
        last = previous[last]
    return staying


def opcodes(before: Sequence[Any], after: Sequence[Any], work: Work) -> list[Opcode]:
    """difflib's opcodes in bounded time: what is equal at both ends is set aside first, and a middle that is too much
    work is one replacement."""
    start = 0
    least = min(len(before), len(after))
    while start < least and before[start] == after[start]:
        start += 1
    end = 0
    while end < least - start and before[-1 - end] == after[-1 - end]:
        end += 1
    middle_before, middle_after = before[start : len(before) - end], after[start : len(after) - end]
    found: list[Opcode] = [("equal", 0, start, 0, start)] if start else []
    if not middle_before and not middle_after:
        pass
    elif not middle_before or not middle_after or not work.may(middle_before, middle_after):
        tag = "insert" if not middle_before else "delete" if not middle_after else "replace"
        found.append((tag, start, len(before) - end, start, len(after) - end))
    else:
        matcher = difflib.SequenceMatcher(None, middle_before, middle_after, autojunk=False)
        found += [
            (tag, i1 + start, i2 + start, j1 + start, j2 + start) for tag, i1, i2, j1, j2 in matcher.get_opcodes()
        ]
    if end:
        found.append(("equal", len(before) - end, len(before), len(after) - end, len(after)))
    return found


def line_difference(before: str, after: str, work: Work, context: int = 2) -> tuple[str, ...]:
    """Lines with ' ', '-' or '+' in front; '@' with the line number (from 1) before each group."""
    one, other = before.split("\n"), after.split("\n")
    codes = opcodes(one, other, work)
    if all(tag == "equal" for tag, *_ in codes):
        return ()
    lines: list[str] = []
    for at, (tag, i1, i2, j1, j2) in enumerate(codes):
        if tag != "equal":
            lines += [] if lines else [f"@ {j1 + 1}"]
            lines += ["-" + line for line in one[i1:i2]] + ["+" + line for line in other[j1:j2]]
            continue
        head = min(j1 + context, j2) if at else j1
        lines += [" " + line for line in other[j1:head]]
        if at + 1 < len(codes):
            tail = max(j2 - context, head)
            lines += [f"@ {tail + 1}"] if tail > head or not lines else []
            lines += [" " + line for line in other[tail:j2]]
    return tuple(lines)


def _cells(before: list[dict[str, Any]], after: list[dict[str, Any]], context: int) -> list[CellDifference]:
    work = Work()
    matched = matches(before, after, work)
    staying = in_place(matched)
    found = []
    for at, cell in enumerate(after):
        was = matched.get(at)
        if was is None:
            found.append(_whole_cell(Change.ADDED, cell, None, at))
            continue
        one = _one_cell(before[was], cell, was, at, work, moved=at not in staying, context=context)
        if one is not None:
            found.append(one)
    gone = set(range(len(before))) - set(matched.values())
    found += [_whole_cell(Change.REMOVED, before[at], at, None) for at in sorted(gone)]
    return found


def _one_cell(
    before: dict[str, Any], after: dict[str, Any], was: int, at: int, work: Work, *, moved: bool, context: int
) -> CellDifference | None:
    lines = line_difference(before.get("source", ""), after.get("source", ""), work, context)
    fields = _fields(_rest(before), _rest(after))
    one, other = before.get("outputs") or [], after.get("outputs") or []
    outputs = (len(one), len(other)) if one != other else None
    if not (moved or lines or fields or outputs):
        return None
    change = Change.MOVED if moved else Change.CHANGED
    kind = str(after.get("cell_type", ""))
    return CellDifference(change, str(before.get("id", "")), was, at, kind, lines, tuple(fields), outputs)


def _whole_cell(change: Change, cell: dict[str, Any], before: int | None, after: int | None) -> CellDifference:
    sign = "+" if change is Change.ADDED else "-"
    source = cell.get("source", "")
    lines = tuple(sign + line for line in source.split("\n")) if source else ()
    count = len(cell.get("outputs") or [])
    outputs = None if not count else (0, count) if change is Change.ADDED else (count, 0)
    return CellDifference(
        change, str(cell.get("id", "")), before, after, str(cell.get("cell_type", "")), lines, (), outputs
    )


def _rest(cell: dict[str, Any]) -> dict[str, Any]:
    """The fields of a cell that are compared one by one; those of its metadata as `metadata.…`."""
    rest = {name: value for name, value in cell.items() if name not in _FIELDS}
    rest["cell_type"] = cell.get("cell_type")
    rest["execution_count"] = cell.get("execution_count")
    for name, value in (cell.get("metadata") or {}).items():
        rest[f"metadata.{name}"] = value
    return rest


def _about(content: Content) -> dict[str, Any]:
    notebook = content.notebook or {}
    about = {name: value for name, value in notebook.items() if name not in ("cells", "metadata")}
    return about | {f"metadata.{name}": value for name, value in (notebook.get("metadata") or {}).items()}


def _fields(before: dict[str, Any], after: dict[str, Any]) -> list[Field]:
    names = sorted({*before, *after})
    return [Field(name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)]


def _unique_ids(cells: Sequence[dict[str, Any]]) -> dict[str, int]:
    times = Counter(cell.get("id") for cell in cells)
    return {cell["id"]: at for at, cell in enumerate(cells) if cell.get("id") and times[cell["id"]] == 1}


def _contents(cells: Sequence[dict[str, Any]], places: list[int]) -> list[tuple[str, str]]:
    return [(str(cells[at].get("cell_type", "")), str(cells[at].get("source", ""))) for at in places]


def _alike(one: dict[str, Any], other: dict[str, Any], work: Work) -> bool:
    if one.get("cell_type") != other.get("cell_type"):
        return False
    before, after = str(one.get("source", "")).split("\n"), str(other.get("source", "")).split("\n")
    equal = sum(i2 - i1 for tag, i1, i2, _, _ in opcodes(before, after, work) if tag == "equal")
    return 2 * equal >= _ALIKE * (len(before) + len(after))
