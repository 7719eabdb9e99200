"""Restoring: the plan leads exactly to what was wanted, by little, and never to trust."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycrdt import Array, Doc, Map, Text

from sharegate.errors import Invalid, NotFound
from sharegate.versions.document import read
from sharegate.versions.model import Content, Kind
from sharegate.versions.restore import (
    DeleteCell,
    InsertCell,
    MoveCell,
    ReplaceText,
    SetField,
    SetOutputs,
    apply,
    plan,
)
from tests.versions.notebooks import TEXTS, code, html, live, live_text, notebook, notebooks


def of(*cells: dict[str, Any], **metadata: Any) -> Content:
    return Content.of_notebook(notebook(list(cells), **metadata))


def restored(doc: Doc[Any], wanted: Content, cells: tuple[str, ...] | None = None) -> Content:
    apply(plan(read(doc, wanted.kind), wanted, cells), doc)
    return read(doc, wanted.kind)


def trusted(doc: Doc[Any]) -> list[str]:
    return [cell["id"] for cell in doc.get("cells", type=Array) if cell["metadata"].get("trusted")]


@settings(deadline=None)
@given(notebooks(), notebooks())
def test_a_plan_leads_to_what_was_wanted(present: dict[str, Any], wanted: dict[str, Any]) -> None:
    """For any two notebooks; then there is nothing left to do."""
    doc = live(present)
    there = Content.of_notebook(wanted)
    done = restored(doc, there)
    one, other = done.notebook or {}, there.notebook or {}
    assert {k: v for k, v in one.items() if k != "cells"} == {k: v for k, v in other.items() if k != "cells"}
    # A cell that is recognised by its content keeps the id that it has now.
    assert [{**cell, "id": ""} for cell in done.cells] == [{**cell, "id": ""} for cell in there.cells]
    assert not plan(done, done)
    kept = {cell["id"]: cell["cell_type"] for cell in present["cells"]}
    for before, after in zip(there.cells, done.cells, strict=True):
        assert after["id"] == before["id"] or after["id"] in kept


@settings(deadline=None)
@given(notebooks(), st.data())
def test_ids_are_kept(wanted: dict[str, Any], data: st.DataObject) -> None:
    """Where the same cells stand in another order and with other content, each keeps its own id."""
    shuffled = data.draw(st.permutations(wanted["cells"]))
    present = notebook([cell | {"source": data.draw(TEXTS)} for cell in shuffled])
    assert restored(live(present), Content.of_notebook(wanted)).encode() == Content.of_notebook(wanted).encode()


@settings(deadline=None)
@given(TEXTS, TEXTS)
def test_text_files(present: str, wanted: str) -> None:
    """A text file becomes exactly what was wanted, whatever its characters take in bytes."""
    assert restored(live_text(present), Content.of_text(wanted)).text == wanted


@settings(deadline=None)
@given(notebooks(), notebooks(), st.data())
def test_only_the_cells_that_were_named(present: dict[str, Any], wanted: dict[str, Any], data: st.DataObject) -> None:
    """The named cells are as they were; all others are untouched, in their order."""
    ids = [cell["id"] for cell in present["cells"] + wanted["cells"]]
    if not ids:
        return
    named = set(data.draw(st.lists(st.sampled_from(ids), min_size=1, max_size=2)))
    there = Content.of_notebook(wanted)
    before = Content.of_notebook(present)
    after = restored(live(present), there, tuple(named))
    others = [cell for cell in after.cells if cell["id"] not in named]
    assert others == [cell for cell in before.cells if cell["id"] not in named]
    was = {cell["id"]: cell for cell in there.cells}
    assert {cell["id"]: cell for cell in after.cells if cell["id"] in named} == {
        id: was[id] for id in named if id in was
    }
    assert (after.notebook or {})["metadata"] == (before.notebook or {})["metadata"]


def test_a_plan_is_small() -> None:
    """One word is one edit, one moved cell one move, one lost cell one insertion."""
    a, b, c, d = (code(id, f"text of {id}") for id in "abcd")
    assert (
        plan(of(a), of(a | {"source": "text for a"})).operations
        == (*(ReplaceText(0, 6, 1, "r"), ReplaceText(0, 5, 0, "f")),)
        or len(plan(of(a), of(a | {"source": "text for a"})).operations) <= 2
    )
    assert plan(of(a, b, c, d), of(d, a, b, c)).operations == (MoveCell(3, 0, "d"),)
    assert plan(of(a, b, c, d), of(b, c, d, a)).operations == (MoveCell(0, 3, "a"),)
    assert plan(of(a, c), of(a, b, c)).operations == (InsertCell(1, b),)
    assert plan(of(a, b, c), of(a, c)).operations == (DeleteCell(1, "b"),)
    assert plan(of(a), of(a, title="x")).operations == (SetField(None, "metadata.title", "x"),)
    one, two = html("1"), html("2")
    assert plan(of(code("a", "", (one,))), of(code("a", "", (one, two)))).operations == (SetOutputs(0, 1, 0, (two,)),)


@settings(deadline=None)
@given(notebooks(), notebooks(), TEXTS)
def test_others_go_on_writing(present: dict[str, Any], wanted: dict[str, Any], text: str) -> None:
    """What somebody types in another cell at the same moment is there afterwards, as is the restored rest."""
    own = code("mine", "here: ")
    present, wanted = notebook([*present["cells"], own]), notebook([*wanted["cells"], own])
    gate = live(present, client=1)
    other: Doc[Any] = Doc(client_id=2)
    other.apply_update(gate.get_update())
    typed = next(cell for cell in other.get("cells", type=Array) if cell["id"] == "mine")
    source: Text = typed["source"]
    source += text
    apply(plan(read(gate, Kind.NOTEBOOK), Content.of_notebook(wanted)), gate)
    gate.apply_update(other.get_update())
    other.apply_update(gate.get_update())
    merged = read(gate, Kind.NOTEBOOK)
    assert merged == read(other, Kind.NOTEBOOK)
    assert "here: " + text in [cell["source"] for cell in merged.cells]
    assert len(merged.cells) == len(wanted["cells"])


def test_others_go_on_writing_in_the_same_cell() -> None:
    """A restored word and a word that somebody adds elsewhere in that cell are both there."""
    gate = live(notebook([code("a", "one two three")]), client=1)
    other: Doc[Any] = Doc(client_id=2)
    other.apply_update(gate.get_update())
    source: Text = other.get("cells", type=Array)[0]["source"]
    source += " four"
    apply(plan(read(gate, Kind.NOTEBOOK), of(code("a", "ONE two three"))), gate)
    gate.apply_update(other.get_update())
    assert read(gate, Kind.NOTEBOOK).cells[0]["source"] == "ONE two three four"


# -- attacks ----------------------------------------------------------------------------------------------------------


def test_attack_trust_out_of_a_snapshot() -> None:
    """A snapshot that says `trusted` gives no cell trust, neither a new one nor one that is there."""
    evil = code("a", "", (html("<script>"),), trusted=True)
    for present in ((), (code("a"),)):
        doc = live(notebook(list(present)))
        apply(plan(read(doc, Kind.NOTEBOOK), Content(Kind.NOTEBOOK, notebook=notebook([evil]))), doc)
        assert trusted(doc) == [] and len(read(doc, Kind.NOTEBOOK).cells[0]["outputs"]) == 1


def test_attack_outputs_into_a_trusted_cell() -> None:
    """A cell that is trusted without outputs is not any more once it got some back."""
    doc = live(notebook([code("a", "x"), code("b", "y")]), trusted=("a", "b"))
    restored(doc, of(code("a", "x", (html("<script>"),)), code("b", "y")))
    assert trusted(doc) == ["b"]


def test_a_moved_cell_keeps_the_trust_that_it_has() -> None:
    """It is the same cell with the same outputs."""
    a, b, c = code("a", "1", (html("x"),)), code("b", "2"), code("c", "3")
    doc = live(notebook([a, b, c]), trusted=("a",))
    restored(doc, of(b, c, a))
    assert trusted(doc) == ["a"]


def test_attack_an_exporter_that_is_imported() -> None:
    """A dotted name, which nbconvert would import and call, is not brought back."""
    doc = live(notebook([], language_info={"name": "python", "nbconvert_exporter": "python"}))
    done = restored(doc, of(language_info={"name": "r", "nbconvert_exporter": "os.system"}))
    assert (done.notebook or {})["metadata"]["language_info"] == {"name": "r"}


def test_the_shapes_that_pages_expect() -> None:
    """Restored cells have shared texts, maps and arrays where JupyterLab looks for them."""
    doc = live(notebook([]))
    restored(doc, of(code("a", "x", ({"output_type": "stream", "name": "stdout", "text": "t"},))))
    cell = doc.get("cells", type=Array)[0]
    assert isinstance(cell["source"], Text) and isinstance(cell["metadata"], Map)
    assert isinstance(cell["outputs"][0], Map) and isinstance(cell["outputs"][0]["text"], Text)
    assert cell["execution_state"] == "idle"


def test_what_cannot_be_restored() -> None:
    """Another kind of document, a file that is not read, cells of a text file, a cell that is nowhere."""
    with pytest.raises(Invalid):
        plan(Content.of_text("x"), of())
    with pytest.raises(Invalid):
        plan(Content.of_bytes(b"x"), Content.of_bytes(b"y"))
    with pytest.raises(Invalid):
        plan(Content.of_text("x"), Content.of_text("y"), ["a"])
    with pytest.raises(NotFound):
        plan(of(code("a")), of(code("b")), ["c"])
