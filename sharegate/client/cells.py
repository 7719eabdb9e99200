"""Edits of a notebook's shared document (jupyter_ydoc YNotebook), as small as they can be."""

from __future__ import annotations

from typing import Any

from pycrdt import Array, Doc, Map, Text


def shared(doc: Doc[Any]) -> Array[Any]:
    """The cells of a document."""
    found: Array[Any] = doc.get("cells", type=Array)
    return found


def new_cell(id: str, kind: str, source: str) -> Map[Any]:
    """A cell as JupyterLab makes one."""
    fields: dict[str, Any] = {"id": id, "cell_type": kind, "source": Text(source), "metadata": Map()}
    if kind == "code":
        fields |= {"execution_count": None, "outputs": Array()}
    return Map(fields)


def by_id(doc: Doc[Any]) -> dict[str, tuple[int, Map[Any]]]:
    """Place and map of every cell; of two with one id, which a merge can leave, the first."""
    found: dict[str, tuple[int, Map[Any]]] = {}
    for place, cell in enumerate(shared(doc)):
        if isinstance(cell, Map):
            found.setdefault(str(cell.get("id", "")), (place, cell))
    return found


def source_of(cell: Map[Any]) -> str:
    return str(cell.get("source", ""))


def write_source(cell: Map[Any], text: str) -> None:
    """Make the cell say `text`. Only what differs is written, so that what others type elsewhere in it stays."""
    source = cell["source"]
    assert isinstance(source, Text)
    before = str(source)
    start, end = differs(before, text)
    # pycrdt counts in bytes of UTF-8.
    first = len(before[:start].encode())
    last = len(before[: len(before) - end].encode())
    with source.doc.transaction():
        if last > first:
            del source[first:last]
        if len(text) - end > start:
            source.insert(first, text[start : len(text) - end])


def differs(before: str, after: str) -> tuple[int, int]:
    """How many characters are the same at the beginning and at the end."""
    most = min(len(before), len(after))
    start = next((i for i in range(most) if before[i] != after[i]), most)
    end = next((i for i in range(most - start) if before[-1 - i] != after[-1 - i]), most - start)
    return start, end


def carry_over(mine: Doc[Any], theirs: Doc[Any]) -> None:
    """Write into `theirs`, the document as the others have it, what `mine` has of the same history beyond it.

    Under another CRDT client id, for the gate may have forgotten by then whose the old one was. The merge of both says
    what there should be; the difference to `theirs` is what nobody has got yet.
    """
    merged: Doc[Any] = Doc()
    merged.apply_update(theirs.get_update())
    merged.apply_update(mine.get_update())
    wanted = by_id(merged)
    with theirs.transaction():
        for id, (place, _) in sorted(by_id(theirs).items(), key=lambda each: -each[1][0]):
            if id not in wanted:
                del shared(theirs)[place]
        before = -1
        for id, (_, cell) in wanted.items():
            there = by_id(theirs).get(id)
            if there is None:
                before += 1
                shared(theirs).insert(before, new_cell(id, str(cell.get("cell_type")), source_of(cell)))
                continue
            before = there[0]
            if source_of(there[1]) != source_of(cell):
                write_source(there[1], source_of(cell))
