"""Turning a live document into another one by the smallest changes, so that cursors and others' work survive.

`plan` decides on plain values; `apply` carries it out on a document that is still what was planned from. Cells keep
their ids, and no cell gains trust: one that gets outputs it had not loses it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from pycrdt import Array, Doc, Map, Text

from sharegate.errors import Invalid, NotFound
from sharegate.versions.diff import Work, in_place, matches, opcodes
from sharegate.versions.document import cells_of, hold_trust, meta_of, new_cell, new_output, source_of, trust_of
from sharegate.versions.model import Content, Kind

# nbconvert imports and calls what a dotted name says.
_PLAIN_EXPORTER = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_SHAPED = ("id", "cell_type", "source", "metadata", "outputs")


@dataclass(frozen=True, slots=True)
class InsertCell:
    """`cell` is to stand at position `at` of the document as it is at that step."""

    at: int
    cell: dict[str, Any]


@dataclass(frozen=True, slots=True)
class DeleteCell:
    at: int
    id: str


@dataclass(frozen=True, slots=True)
class MoveCell:
    """Take it out, then put it in at `to`."""

    at: int
    to: int
    id: str


@dataclass(frozen=True, slots=True)
class ReplaceText:
    """In the source of the cell at `at` (None: in the text file): `start` and `delete` count characters."""

    at: int | None
    start: int
    delete: int
    insert: str


@dataclass(frozen=True, slots=True)
class SetField:
    """A field of the cell at `at`, of its metadata (`metadata.NAME`), or with None of the notebook. Gone when
    `removed`."""

    at: int | None
    name: str
    value: Any
    removed: bool = False


@dataclass(frozen=True, slots=True)
class SetOutputs:
    """Of the outputs of the cell at `at`, `delete` from `start` on give way to `insert`."""

    at: int
    start: int
    delete: int
    insert: tuple[dict[str, Any], ...]


Operation = InsertCell | DeleteCell | MoveCell | ReplaceText | SetField | SetOutputs


@dataclass(frozen=True, slots=True)
class Plan:
    """Operations in the order in which they are done. Empty (false) when there is nothing to do."""

    kind: Kind
    operations: tuple[Operation, ...]

    def __bool__(self) -> bool:
        return bool(self.operations)


def plan(present: Content, wanted: Content, cells: Iterable[str] | None = None) -> Plan:
    """What turns `present` into `wanted`; with `cells` only those cells of it (by id), and nothing else.

    Raises Invalid for documents of different kinds and for files that are not read, NotFound for a cell that is in
    neither.
    """
    if present.kind is not wanted.kind or present.kind is Kind.BYTES:
        raise Invalid("snapshot", "is not of the kind of the document as it is now", "Leave out --cell")
    work = Work()
    if present.kind is Kind.TEXT:
        if cells is not None:
            raise Invalid("cell", "a text file has no cells", "Leave out --cell")
        return Plan(Kind.TEXT, tuple(_text_edits(None, present.text, wanted.text, work)))
    if cells is not None:
        wanted = with_cells(present, wanted, list(cells))
    operations = _cell_operations(present.cells, wanted.cells, work, by_content=cells is None)
    return Plan(Kind.NOTEBOOK, tuple([*operations, *_about(present, wanted)]))


def apply(plan: Plan, doc: Doc[Any], *, origin: Any = None) -> None:
    """Carry out `plan` in one transaction. The document must be the one that was planned from.

    An exception leaves the document half changed: callers do it on a trial copy or refuse to go on with the room.
    """
    with doc.transaction(origin=origin):
        trusted = trust_of(doc) if plan.kind is Kind.NOTEBOOK else {}
        for operation in plan.operations:
            _carry_out(operation, doc)
        if plan.kind is Kind.NOTEBOOK:
            hold_trust(doc, trusted)


# -- planning ---------------------------------------------------------------------------------------------------------


def with_cells(present: Content, wanted: Content, ids: list[str]) -> Content:
    """`present` with these cells as they are in `wanted`. A cell that is gone comes back after the one it followed.

    Raises NotFound for a cell that is in neither.
    """
    cells = list(present.cells)
    was = {str(cell.get("id")): cell for cell in wanted.cells}
    order = [str(cell.get("id")) for cell in wanted.cells]
    for id in ids:
        at = next((at for at, cell in enumerate(cells) if str(cell.get("id")) == id), None)
        if at is None and id not in was:
            raise NotFound("cell", id)
        if at is not None and id in was:
            cells[at] = was[id]
        elif at is not None:
            del cells[at]
        else:
            here = {str(cell.get("id")): position for position, cell in enumerate(cells)}
            before = [here[other] for other in order[: order.index(id)] if other in here]
            cells.insert(before[-1] + 1 if before else 0, was[id])
    return Content.of_notebook({**(present.notebook or {}), "cells": cells})


def _cell_operations(
    present: list[dict[str, Any]], wanted: list[dict[str, Any]], work: Work, *, by_content: bool
) -> Iterator[Operation]:
    found = matches(present, wanted, work, by_content=by_content)
    matched = {at: was for at, was in found.items() if _same_type(present[was], wanted[at])}
    kept = set(matched.values())
    staying = in_place(matched)
    order = list(range(len(present)))  # which cell of `present` (or -1, a new one) stands where, step by step
    for was in reversed(range(len(present))):
        if was not in kept:
            yield DeleteCell(was, str(present[was].get("id")))
            order.remove(was)
    taken = {str(present[was].get("id")) for was in kept}
    place = 0  # behind what is in its place already; cells that have yet to move may stand between
    for at, cell in enumerate(wanted):
        if at not in matched:
            id = str(cell.get("id") or "")
            if id in taken:  # an id names one cell
                cell = cell | {"id": str(uuid4())}
            taken.add(id)
            yield InsertCell(place, cell)
            order.insert(place, -1)
        elif at in staying:
            place = order.index(matched[at])
        else:
            now = order.index(matched[at])
            order.pop(now)
            place -= now < place
            order.insert(place, matched[at])
            yield MoveCell(now, place, str(present[matched[at]].get("id")))
        if at in matched:
            yield from _inside(place, present[matched[at]], cell, work)
        place += 1


def _inside(at: int, present: dict[str, Any], wanted: dict[str, Any], work: Work) -> Iterator[Operation]:
    yield from _text_edits(at, present.get("source", ""), wanted.get("source", ""), work)
    yield from _metadata_edits(at, present.get("metadata") or {}, wanted.get("metadata") or {})
    yield from _output_edits(at, present.get("outputs") or [], wanted.get("outputs") or [], work)
    one = {name: value for name, value in present.items() if name not in _SHAPED}
    other = {name: value for name, value in wanted.items() if name not in _SHAPED}
    yield from _field_edits(at, "", one, other)


def _about(present: Content, wanted: Content) -> Iterator[Operation]:
    one, other = present.notebook or {}, wanted.notebook or {}
    numbers = ("nbformat", "nbformat_minor")
    yield from _field_edits(None, "", {k: one.get(k) for k in numbers}, {k: other.get(k) for k in numbers})
    metadata = dict(other.get("metadata") or {})
    language = metadata.get("language_info")
    if isinstance(language, dict):
        exporter = language.get("nbconvert_exporter")
        if exporter is not None and not (isinstance(exporter, str) and _PLAIN_EXPORTER.match(exporter)):
            metadata["language_info"] = {k: v for k, v in language.items() if k != "nbconvert_exporter"}
    yield from _metadata_edits(None, one.get("metadata") or {}, metadata)


def _metadata_edits(at: int | None, present: dict[str, Any], wanted: dict[str, Any]) -> Iterator[Operation]:
    untrusting = [{k: v for k, v in metadata.items() if k != "trusted"} for metadata in (present, wanted)]
    yield from _field_edits(at, "metadata.", *untrusting)


def _field_edits(at: int | None, prefix: str, present: dict[str, Any], wanted: dict[str, Any]) -> Iterator[Operation]:
    for name in sorted({*present, *wanted}):
        if name not in wanted:
            yield SetField(at, prefix + name, None, removed=True)
        elif name not in present or present[name] != wanted[name]:
            yield SetField(at, prefix + name, wanted[name])


def _output_edits(
    at: int, present: list[dict[str, Any]], wanted: list[dict[str, Any]], work: Work
) -> Iterator[Operation]:
    one, other = ([json.dumps(output, sort_keys=True) for output in outputs] for outputs in (present, wanted))
    edits = [SetOutputs(at, i1, i2 - i1, tuple(wanted[j1:j2])) for _, i1, i2, j1, j2 in _changes(one, other, work)]
    yield from reversed(edits)


def _text_edits(at: int | None, present: str, wanted: str, work: Work) -> Iterator[Operation]:
    """Last first, so that no edit shifts the place of another."""
    one, other = present.splitlines(keepends=True), wanted.splitlines(keepends=True)
    starts_one, starts_other = _starts(one), _starts(other)
    edits = []
    for _, i1, i2, j1, j2 in _changes(one, other, work):
        start, end = starts_one[i1], starts_one[i2]
        old, new = present[start:end], wanted[starts_other[j1] : starts_other[j2]]
        for _, k1, k2, l1, l2 in _changes(old, new, work):
            edits.append(ReplaceText(at, start + k1, k2 - k1, new[l1:l2]))
    yield from reversed(edits)


def _changes(present: Any, wanted: Any, work: Work) -> list[tuple[str, int, int, int, int]]:
    return [code for code in opcodes(present, wanted, work) if code[0] != "equal"]


def _starts(lines: list[str]) -> list[int]:
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    return starts


def _same_type(one: dict[str, Any], other: dict[str, Any]) -> bool:
    # A cell whose type changes is another cell to a page: what is drawn and which fields it has follow from the type.
    return one.get("cell_type") == other.get("cell_type")


# -- carrying out -----------------------------------------------------------------------------------------------------


def _carry_out(operation: Operation, doc: Doc[Any]) -> None:
    if isinstance(operation, ReplaceText) and operation.at is None:
        # Only asking for cells would make the root of them, which a text file has not.
        _replace(source_of(doc), operation.start, operation.delete, operation.insert)
        return
    cells = cells_of(doc)
    match operation:
        case InsertCell(at, cell):
            cells.insert(at, new_cell(cell))
        case DeleteCell(at, _):
            del cells[at]
        case MoveCell(at, to, _):
            # Yjs has no moving: what others type in the cell at this very moment is lost with the old place.
            shape = _again(cells[at])
            del cells[at]
            cells.insert(to, shape)
        case ReplaceText(int(at), start, delete, insert):
            _replace(cells[at]["source"], start, delete, insert)
        case SetOutputs(at, start, delete, insert):
            outputs = cells[at]["outputs"] if isinstance(cells[at].get("outputs"), Array) else None
            if outputs is None:
                cells[at]["outputs"] = outputs = Array()
            if delete:
                del outputs[start : start + delete]
            for position, output in enumerate(insert):
                outputs.insert(start + position, new_output(output))
        case SetField(at, name, value, removed):
            _set_field(meta_of(doc) if at is None else cells[at], name, value, removed)


def _set_field(target: Map[Any], name: str, value: Any, removed: bool) -> None:
    part, _, inner = name.partition(".")
    if inner and part == "metadata":
        if not isinstance(target.get("metadata"), Map):
            target["metadata"] = Map(target.get("metadata") or {})
        target, name = target["metadata"], inner
    if not removed:
        target[name] = value
    elif name in target:
        del target[name]


def _again(cell: Map[Any]) -> Map[Any]:
    """The same cell once more, its trust included: that is taken away afterwards where it is new."""
    plain = cell.to_py() or {}
    state = plain.pop("execution_state", None)
    made = {} if state is None else {"execution_state": state}
    return new_cell(plain | made, trusted=bool((plain.get("metadata") or {}).get("trusted")))


def _replace(text: Text, start: int, delete: int, insert: str) -> None:
    """pycrdt counts bytes of UTF-8."""
    whole = str(text)
    at = len(whole[:start].encode())
    if delete:
        del text[at : at + len(whole[start : start + delete].encode())]
    if insert:
        text.insert(at, insert)
