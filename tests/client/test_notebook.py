"""Cells and edits of a notebook, on a document without a gate."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycrdt import Array, Doc, Map, Text

from sharegate.client.errors import NotAllowed, NotFound
from sharegate.client.notebook import Notebook
from sharegate.client.room import Room


def notebook(*sources: str, may_edit: bool = True) -> Notebook:
    """A notebook whose document is here already."""
    room = Room(cast("Any", None), "nb.ipynb")
    room._anew = False
    cells = room.doc.get("cells", type=Array)
    for number, source in enumerate(sources):
        fields = {"id": f"c{number}", "cell_type": "code", "source": Text(source), "outputs": Array([{"x": 1.0}])}
        cells.append(Map(fields))
    return Notebook(room, "nb.ipynb", may_edit=may_edit)


def test_cells_are_read_by_place_and_known_by_id() -> None:
    """A cell that was taken stays the same cell when others are put before it."""
    nb = notebook("a", "b", "c")
    second = nb.cells[1]
    assert [cell.source for cell in nb.cells] == ["a", "b", "c"]
    assert ([cell.id for cell in nb.cells[1:]], nb.cells[-1].id, len(nb.cells)) == (["c1", "c2"], "c2", 3)
    nb.insert(0, "first", "markdown")
    second.source = "b changed"
    assert [cell.source for cell in nb.cells] == ["first", "a", "b changed", "c"]
    assert (second.kind, nb.cells[0].kind) == ("code", "markdown")
    assert (second.outputs, nb.cells[0].outputs) == ([{"x": 1.0}], [])


def test_cells_are_added_and_deleted() -> None:
    """At any place; a cell that is gone says so."""
    nb = notebook("a", "b")
    last = nb.append("z")
    nb.insert(-1, "y", "raw")
    nb.insert(99, "end")
    first = nb.cells[0]
    first.delete()
    assert [cell.source for cell in nb.cells] == ["b", "y", "z", "end"]
    assert last.source == "z"
    with pytest.raises(NotFound):
        first.source  # noqa: B018 -- asked for
    with pytest.raises(NotFound):
        first.source = "x"
    with pytest.raises(ValueError, match="no kind"):
        nb.append("x", "kernel")


def test_a_viewers_notebook_is_for_reading() -> None:
    """Said at once: the gate would drop it without a word."""
    nb = notebook("a", may_edit=False)
    assert nb.cells[0].source == "a"
    for edit in (lambda: nb.append("x"), nb.cells[0].delete, lambda: setattr(nb.cells[0], "source", "x")):
        with pytest.raises(NotAllowed):
            edit()
    assert [cell.source for cell in nb.cells] == ["a"]


TEXT = st.text(alphabet=st.sampled_from("ab\n é😀𝄞"), max_size=12)


@given(TEXT, TEXT)
def test_any_text_becomes_any_other(before: str, after: str) -> None:
    """Whatever characters: pycrdt counts bytes, and Python characters."""
    nb = notebook(before)
    nb.cells[0].source = after
    assert nb.cells[0].source == after


def test_only_what_differs_is_written() -> None:
    """What somebody else types in the same cell in the same moment stays."""
    nb = notebook("def f():\n    return 1\n")
    doc = nb._room.doc
    other: Doc[Any] = Doc()
    other.apply_update(doc.get_update())
    cells = other.get("cells", type=Array)
    text = cells[0]["source"]
    assert isinstance(text, Text)
    text.insert(0, "# theirs\n")
    nb.cells[0].source = "def f():\n    return 2\n"
    doc.apply_update(other.get_update())
    assert nb.cells[0].source == "# theirs\ndef f():\n    return 2\n"
