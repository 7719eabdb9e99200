"""Reading and writing the plain values of a live document: roots `cells` and `meta`, or `source` (jupyter_ydoc)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from pycrdt import Array, Doc, Map, Text

from sharegate.versions.model import Content, Kind

Cell = Map[Any]


def cells_of(doc: Doc[Any]) -> Array[Any]:
    found: Array[Any] = doc.get("cells", type=Array)
    return found


def meta_of(doc: Doc[Any]) -> Map[Any]:
    found: Map[Any] = doc.get("meta", type=Map)
    return found


def source_of(doc: Doc[Any]) -> Text:
    found: Text = doc.get("source", type=Text)
    return found


def read(doc: Doc[Any], kind: Kind) -> Content:
    """The document as plain values. Raises ValueError for cells that are no maps (no well-behaved page makes them)."""
    if kind is not Kind.NOTEBOOK:
        return Content.of_text(str(source_of(doc)))
    meta = meta_of(doc).to_py() or {}
    cells = cells_of(doc).to_py() or []
    if not all(isinstance(cell, dict) for cell in cells):
        raise ValueError("a cell of the document is no map")
    return Content.of_notebook(
        {
            "metadata": meta.get("metadata") or {},
            "nbformat": int(meta.get("nbformat") or 4),
            "nbformat_minor": int(meta.get("nbformat_minor") or 5),
            "cells": cells,
        }
    )


def new_cell(cell: dict[str, Any], *, trusted: bool = False) -> Cell:
    """A plain cell as jupyter_ydoc shapes it. What its metadata says of trust is not taken over."""
    made: dict[str, Any] = {name: value for name, value in cell.items() if name not in ("source", "metadata")}
    made["source"] = Text(cell.get("source", ""))
    metadata = {name: value for name, value in cell.get("metadata", {}).items() if name != "trusted"}
    made["metadata"] = Map(metadata | ({"trusted": True} if trusted else {}))
    if cell.get("cell_type") == "code":
        made["outputs"] = Array([new_output(output) for output in cell.get("outputs", [])])
        made.setdefault("execution_count", None)
        made.setdefault("execution_state", "idle")
    return Map(made)


def new_output(output: dict[str, Any]) -> Map[Any]:
    made = dict(output)
    if made.get("output_type") == "stream":
        made["text"] = Text(made.get("text", ""))
    return Map(made)


def trust_of(doc: Doc[Any]) -> dict[str, object]:
    """For each cell that is trusted and whose id is its alone: the outputs it is trusted with."""
    found: dict[str, object] = {}
    several: set[str] = set()
    for id, cell in _identified(doc):
        if id in found or id in several:
            several.add(id)
            found.pop(id, None)
        elif _trusted(cell):
            found[id] = _outputs(cell)
        else:
            several.add(id)
    return found


def hold_trust(doc: Doc[Any], before: dict[str, object]) -> int:
    """Take trust from every cell that was not trusted before with these very outputs. Called inside the transaction
    that changed the document, so that nobody sees the state between. Returns how many cells lost it."""
    times = Counter(id for id, _ in _identified(doc))
    lost = 0
    for id, cell in _identified(doc):
        if not _trusted(cell):
            continue
        if times[id] == 1 and id in before and before[id] == _outputs(cell):
            continue
        metadata = cell["metadata"]
        if isinstance(metadata, Map):
            metadata["trusted"] = False
        else:
            cell["metadata"] = Map({**metadata, "trusted": False})
        lost += 1
    return lost


def _identified(doc: Doc[Any]) -> Iterator[tuple[str, Cell]]:
    for cell in cells_of(doc):
        if isinstance(cell, Map):
            yield str(cell.get("id")), cell


def _trusted(cell: Cell) -> bool:
    metadata = cell.get("metadata")
    if isinstance(metadata, Map | dict):
        # Pages take any value that is not empty for trust.
        return bool(metadata.get("trusted"))
    return False


def _outputs(cell: Cell) -> object:
    outputs = cell.get("outputs")
    return outputs.to_py() if isinstance(outputs, Array) else outputs
