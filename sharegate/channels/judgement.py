"""Judges one change of a document by the events it caused and the values it left.

Raises Denied(`update_refused`) for what no page sends; collects corrections for what may not stay.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pycrdt import Array, ArrayEvent, Map, MapEvent, Text, TextEvent

from sharegate.channels import shape
from sharegate.channels.outputs import Held, SeenOutputs, digest, json_cost, read_outputs
from sharegate.channels.shape import refused
from sharegate.policy.documents import DocumentRules

NBFORMAT = 4
NEWEST_MINOR = 5
_NO_VALUE = object()
_TEXT_COST = 1 / 16


def free(_cost: int) -> None:
    """Nobody is charged for what is read."""


@dataclass(frozen=True, slots=True)
class Touch:
    """One event, read while it could be: which root, where below it, of what kind, its keys or its delta."""

    root: str
    path: Sequence[int | str]
    kind: type
    detail: Any


@dataclass(slots=True)
class Judgement:
    """`trusting`: the gate itself changes the document; it may write what editors may not, and still invents nothing.

    `deletes`: the update holds deletions, so that an event may show nothing; `values`: it holds plain values, which
    could hide in a text. `fresh`: where cells were put in.
    By cell: `held`, the outputs it had, but where they are `unread`; `sizes`, those of its metadata's entries, None
    where they were not measured yet. `reads` is told before what is not in the update is read, or as soon as it is
    known how much was, as `UpdateSummary.cost`; it may raise Denied.
    Afterwards: `mends` to be called in one transaction, the `facts` they mend, the `touched` cells, what those `hold`
    now whose outputs were looked at, and what was `measured` of their metadata.
    """

    rules: DocumentRules
    room: str
    seen: SeenOutputs
    roots: Mapping[str, Any]
    held: Sequence[Held | None]
    unread: Collection[int]
    sizes: Sequence[Mapping[str, int] | None]
    deletes: bool
    values: bool
    trusting: bool = False
    reads: Callable[[int], None] = free
    mends: list[Callable[[], object]] = field(default_factory=list)
    facts: set[str] = field(default_factory=set)
    touched: set[int] = field(default_factory=set)
    hold: dict[int, Held | None] = field(default_factory=dict)
    measured: dict[int, Mapping[str, int]] = field(default_factory=dict)

    def judge(self, touches: Sequence[Touch], fresh: Collection[int]) -> None:
        answerable: dict[int, bool] = dict.fromkeys(fresh, False)
        for touch in touches:
            if touch.root == "cells":
                self._cells(touch, answerable)
            elif touch.root == "source":
                self._text(touch, self.rules.max_text_bytes, touch.path == [])
            elif touch.root == "state":
                self._state(touch)
            elif touch.root == "meta":
                self._meta(touch)
            else:
                raise refused("a root that no document has")
        if fresh and len(self.roots["cells"]) > self.rules.max_cells:
            raise refused(f"more than {self.rules.max_cells} cells")
        for index in fresh:
            self._fresh(index)
        for index, rewritten in answerable.items():
            self._outputs(index, rewritten)
        self.touched.update(fresh)

    # state and meta

    def _state(self, touch: Touch) -> None:
        for key, change in self._keys(touch, touch.path == []):
            value = change.get("newValue", _NO_VALUE)
            if key == "document_id" and value == self.room:
                continue
            if key == "dirty" and isinstance(value, bool):
                continue
            raise refused("the document's state")

    def _meta(self, touch: Touch) -> None:
        if touch.path == ["metadata"]:
            self._notebook_metadata(touch)
            return
        meta: Map[Any] = self.roots["meta"]
        for key, change in self._keys(touch, touch.path == []):
            value = shape.whole(change.get("newValue"), 99)
            if key not in ("nbformat", "nbformat_minor") or value is None:
                raise refused("what the notebook's format is")
            before = shape.whole(change.get("oldValue"), 99)
            risen = before is None or before < value <= NEWEST_MINOR
            kept = value == before or (before is None and value == NBFORMAT)
            if not (kept or self.trusting or (key == "nbformat_minor" and risen and value <= NEWEST_MINOR)):
                self._put_back(meta, key, change, "format")

    def _notebook_metadata(self, touch: Touch) -> None:
        metadata: Map[Any] = self.roots["meta"]["metadata"]
        for key, change in self._keys(touch, True):
            value, before = change.get("newValue", _NO_VALUE), change.get("oldValue", _NO_VALUE)
            if shape.is_shared(value) or shape.is_shared(before):
                raise refused("metadata: a shared type in place of a value")
            if value is not _NO_VALUE:
                shape.check_value(value, "metadata", self.rules.max_metadata_depth)
            # What JSON calls the same is equal here, if not the other way round; what is not is found out sooner.
            if value is not _NO_VALUE and value == before and digest(value) == digest(before):
                continue
            if self.trusting:
                continue
            if key not in self.rules.notebook_metadata:
                dotted = isinstance(value, dict) and "." in str(value.get("nbconvert_exporter", ""))
                self._put_back(metadata, key, change, "exporter" if dotted else "metadata")
            elif value is not _NO_VALUE and shape.size(value) > self.rules.max_metadata_bytes:
                raise refused("metadata: too large")

    # cells

    def _cells(self, touch: Touch, answerable: dict[int, bool]) -> None:
        path = touch.path
        if not path:
            self._delta(touch, ArrayEvent)
            return
        index = path[0]
        if not isinstance(index, int):
            raise refused("a key on the list of cells")
        self.touched.add(index)
        below = path[1:]
        if not below:
            self._cell(index, touch)
        elif below == ["source"]:
            self._text(touch, self.rules.max_source_bytes, True)
        elif below == ["metadata"]:
            self._cell_metadata(index, touch, answerable)
        elif below[0] == "outputs":
            if len(below) == 1:
                self._delta(touch, ArrayEvent)
            answerable[index] = True
        else:
            raise refused("a shared type where a cell has a value")

    def _cell(self, index: int, touch: Touch) -> None:
        cell = self._map(index)
        for key, change in self._keys(touch, True):
            value, before = change.get("newValue", _NO_VALUE), change.get("oldValue")
            code = cell.get("cell_type") == "code"
            if key == "attachments" and not code:
                if value is not _NO_VALUE and not self._attachable(value):
                    # Never away again: @jupyter/ydoc fails on a key of a cell that came and went in one transaction.
                    self._put_back(cell, key, {"oldValue": change.get("oldValue", {})}, "attachments")
            elif key == "execution_count" and code and value is not _NO_VALUE:
                count = shape.whole(value, shape.MAX_COUNT)
                if value is not None and count is None:
                    raise refused("an execution count that is none")
                if value is not None and count != before and not self.trusting:
                    self._put_back(cell, key, {**change, "oldValue": before}, "execution")
            elif key == "execution_state" and code and value is not _NO_VALUE:
                shape.check_execution_state(value)
                if value not in (shape.IDLE, before) and not self.trusting:
                    old = before if before in shape.RUNNING else shape.IDLE
                    self._put_back(cell, key, {"oldValue": old}, "execution")
            else:
                raise refused("a key that a cell keeps, or has not")

    def _cell_metadata(self, index: int, touch: Touch, answerable: dict[int, bool]) -> None:
        changes = self._keys(touch, True)
        metadata: Map[Any] = self._map(index)["metadata"]
        if any(key == "trusted" for key, _ in changes):
            answerable.setdefault(index, False)
        new = any("newValue" in change for _, change in changes)
        sizes = self.measured.get(index, self.sizes[index])
        changed = {key for key, _ in changes}
        if sizes is not None:
            # Only what was changed is looked at: the rest may be a million times as much.
            rest = {key: size for key, size in sizes.items() if key not in changed}
            entries = shape.plain_entries(metadata, "metadata", changed)
            self.measured[index] = shape.check_metadata(entries, self.rules, "metadata", rest) if new else rest
        elif new:
            entries = shape.plain_entries(metadata, "metadata")
            self.measured[index] = shape.check_metadata(entries, self.rules, "metadata")
            self.reads(json_cost({key: value for key, value in entries.items() if key not in changed}))

    def _fresh(self, index: int) -> None:
        cell = shape.check_cell(self.roots["cells"][index], self.rules)
        entries = shape.plain_entries(cell["metadata"], "metadata")
        self.measured[index] = shape.check_metadata(entries, self.rules, "metadata")
        if "attachments" in cell and not self._attachable(cell["attachments"]):
            self._mend("attachments", lambda: cell.pop("attachments"))
        if cell.get("execution_state", shape.IDLE) != shape.IDLE and not self.trusting:
            self._put_back(cell, "execution_state", {"oldValue": shape.IDLE}, "execution")

    def _attachable(self, attachments: object) -> bool:
        return shape.check_attachments(attachments, self.rules) or self.trusting

    def _outputs(self, index: int, rewritten: bool) -> None:
        """No outputs but those seen, no trust but in those seen trusted.

        What is `rewritten` in a cell that is there must be what that cell held (trusting a notebook writes all outputs
        anew), or nothing: pages ask whether a cell is trusted when they make it and not again, so that other outputs
        would have the trust of those before. Only whoever runs the cell puts new ones there. What was not rewritten
        is what the cell held, and is not read again. What upstream wrote and nobody read yet stays where no trust is
        claimed.
        """
        cell = self._map(index)
        metadata: Map[Any] = cell["metadata"]
        outputs: Any = cell.get("outputs")
        said = metadata.get("trusted", _NO_VALUE)
        trusted = said is True or said is False or said is _NO_VALUE
        unread = index in self.unread
        if unread and not rewritten and (said is False or said is _NO_VALUE):
            return
        self.hold[index] = None
        if cell.get("cell_type") == "code":
            if type(outputs) is not Array:
                raise refused("outputs that are no list")
            before = self.held[index]
            now = self._read(outputs, before) if rewritten or unread or before is None else before
            if now is not None:
                kept = now == before if rewritten and not self.trusting else self.seen.knows(now.key)
                if not kept:
                    self._mend("outputs", outputs.clear)
                    trusted = trusted and said is not True
                else:
                    self.hold[index] = now
                    trusted = trusted and (said is not True or self.seen.trusts(now.key))
        elif outputs is not None:
            raise refused("outputs in a cell that runs nothing")
        if not trusted:
            self._mend("trusted", lambda: metadata.__setitem__("trusted", False))
            sizes = self.measured.get(index, self.sizes[index])
            if sizes is not None:
                self.measured[index] = {**sizes, "trusted": shape.entry_size("trusted", False)}

    def _read(self, outputs: Any, before: Held | None) -> Held | None:
        """The outputs as they are now, None where there are none."""
        if not len(outputs):
            return None
        if before is not None:
            # What of it is new is in the update.
            self.reads(before.cost)
        shape.check_outputs(outputs)
        return read_outputs(outputs.to_py())

    def _map(self, index: int) -> Map[Any]:
        cell = self.roots["cells"][index]
        if not isinstance(cell, Map):
            raise refused("a cell that is no map")
        return cell

    # events

    def _keys(self, touch: Touch, here: bool) -> Sequence[tuple[str, dict[str, Any]]]:
        if touch.kind is not MapEvent or not here:
            raise refused("a shared type where a document has a value")
        return list(touch.detail.items())

    def _delta(self, touch: Touch, kind: type) -> Sequence[dict[str, Any]]:
        if touch.kind is not kind:
            raise refused("a shared type of another kind")
        if not touch.detail and not self.deletes:
            # A key on a list, a mark on no text: kept for ever, seen by nobody.
            raise refused("a change that shows nothing")
        return list(touch.detail)

    def _text(self, touch: Touch, most: int, here: bool) -> None:
        if not here:
            raise refused("a shared type in a text")
        grown = 0
        for part in self._delta(touch, TextEvent):
            if part.get("attributes"):
                raise refused("a text with attributes")
            if "insert" in part:
                if not isinstance(part["insert"], str):
                    raise refused("a text with something else in it")
                grown += len(part["insert"].encode("utf-8", "surrogatepass"))
            grown -= part.get("delete", 0)
        text = self._text_at(touch)
        if self.values:
            self.reads(int(len(text) * _TEXT_COST))
            shape.check_text(text)
        if grown > 0 and len(text) > most:
            raise refused(f"a text larger than {most} bytes")

    def _text_at(self, touch: Touch) -> Text:
        if touch.root == "source":
            text = self.roots["source"]
        else:
            assert isinstance(touch.path[0], int)
            text = self._map(touch.path[0])["source"]
        if type(text) is not Text:
            raise refused("a source that is no text")
        return text

    # corrections

    def _mend(self, fact: str, mend: Callable[[], object]) -> None:
        self.facts.add(fact)
        self.mends.append(mend)

    def _put_back(self, shared: Map[Any], key: str, change: Mapping[str, Any], fact: str) -> None:
        before = change.get("oldValue", _NO_VALUE)
        if shape.is_shared(before):
            raise refused("a shared type was replaced")
        if before is not _NO_VALUE:
            self._mend(fact, lambda: shared.__setitem__(key, before))
        elif key in shared:
            self._mend(fact, lambda: shared.pop(key))


def outputs_of(cells: Array[Any], index: int) -> tuple[object, bool] | None:
    """The outputs of a cell as plain values and whether they are trusted; None where there are none.

    Reads whatever upstream made of the document.
    """
    cell = cells[index]
    if not isinstance(cell, Map):
        return None
    outputs, metadata = cell.get("outputs"), cell.get("metadata")
    plain = outputs.to_py() if isinstance(outputs, Array) else outputs
    if not plain:
        return None
    return plain, isinstance(metadata, Map) and metadata.get("trusted") is True
