"""Live documents are read and written as jupyter_ydoc, whose documents they are, reads and writes them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from jupyter_ydoc import YNotebook, YUnicode

from sharegate.versions.document import cells_of, new_cell, read
from sharegate.versions.model import Content, Kind
from sharegate.versions.restore import apply, plan
from tests.versions.notebooks import code, live, notebook, notebooks


def opened(plain: dict[str, Any]) -> YNotebook:
    document = YNotebook()
    document.set(plain)
    return document


def told(document: YNotebook) -> Content:
    found = document.get()
    for cell in found["cells"]:
        cell["metadata"].pop("trusted", None)
    return Content.of_notebook(found)


@settings(deadline=None, max_examples=50)
@given(notebooks(), notebooks())
def test_both_say_the_same_of_a_document(present: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Before and after a restore, so that what is saved to the file is what was restored."""
    document = opened(present)
    assert read(document.ydoc, Kind.NOTEBOOK) == told(document)
    there = read(opened(wanted).ydoc, Kind.NOTEBOOK)
    apply(plan(read(document.ydoc, Kind.NOTEBOOK), there), document.ydoc)
    assert read(document.ydoc, Kind.NOTEBOOK) == told(document)
    assert [{**cell, "id": ""} for cell in told(document).cells] == [{**cell, "id": ""} for cell in there.cells]


def test_a_restored_document_can_be_edited_on() -> None:
    """jupyter_ydoc changes restored cells as its own."""
    document = opened(notebook([]))
    wanted = Content.of_notebook(notebook([code("a", "x", ({"output_type": "stream", "name": "o", "text": "t"},))]))
    apply(plan(read(document.ydoc, Kind.NOTEBOOK), wanted), document.ydoc)
    changed = document.get()
    changed["cells"][0]["source"] = "x = 1"
    changed["cells"][0]["outputs"][0]["text"] = "tt"
    document.set(changed)
    assert told(document).cells[0]["source"] == "x = 1"
    assert read(document.ydoc, Kind.NOTEBOOK) == told(document)


def test_a_text_file() -> None:
    """The same for a file of text."""
    document = YUnicode()
    document.set("é one\ntwo\n")
    apply(plan(read(document.ydoc, Kind.TEXT), Content.of_text("é ONE\ntwo\n👩")), document.ydoc)
    assert document.get() == "é ONE\ntwo\n👩" == read(document.ydoc, Kind.TEXT).text


def test_attack_trust_in_a_new_cell() -> None:
    """A cell is made without the trust that its metadata speaks of; only whoever moves a trusted one says so."""
    for made, trusted in ((new_cell(code("a", trusted=True)), None), (new_cell(code("a"), trusted=True), True)):
        document = YNotebook()
        document.ycells.append(made)
        assert document.ycells[0]["metadata"].get("trusted") is trusted


def test_a_cell_that_is_none_makes_a_notebook_unreadable() -> None:
    """Nobody would know what to put back: it is not kept, and so not written in."""
    doc = live(notebook([code("a")]))
    cells_of(doc).append("justastring")
    with pytest.raises(ValueError, match="no map"):
        read(doc, Kind.NOTEBOOK)
