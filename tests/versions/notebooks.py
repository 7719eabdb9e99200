"""Notebooks and live documents for the tests of versions."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from pycrdt import Array, Doc, Map, Text

from sharegate.versions.document import new_cell

TEXTS = st.text(st.sampled_from("abé👩\n #="), max_size=12)
OUTPUTS = st.one_of(
    st.builds(lambda text: {"output_type": "stream", "name": "stdout", "text": text}, TEXTS),
    st.builds(
        lambda text: {"output_type": "display_data", "data": {"text/html": text}, "metadata": {}},
        TEXTS,
    ),
)


@st.composite
def cells(draw: st.DrawFn) -> dict[str, Any]:
    cell: dict[str, Any] = {
        "id": draw(st.sampled_from("abcdefgh")),
        "cell_type": draw(st.sampled_from(["code", "code", "markdown"])),
        "source": draw(TEXTS),
        "metadata": draw(
            st.dictionaries(st.sampled_from(["tags", "name"]), st.sampled_from([1, "x", ["y"]]), max_size=2)
        ),
    }
    if cell["cell_type"] == "code":
        cell["outputs"] = draw(st.lists(OUTPUTS, max_size=2))
        cell["execution_count"] = draw(st.sampled_from([None, 1, 2]))
    return cell


@st.composite
def notebooks(draw: st.DrawFn) -> dict[str, Any]:
    found = draw(st.lists(cells(), max_size=6, unique_by=lambda cell: cell["id"]))
    return notebook(found, **draw(st.dictionaries(st.sampled_from(["title", "authors"]), st.just("x"), max_size=2)))


def notebook(cells: list[dict[str, Any]], **metadata: Any) -> dict[str, Any]:
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def code(id: str, source: str = "", outputs: tuple[dict[str, Any], ...] = (), **metadata: Any) -> dict[str, Any]:
    return {
        "id": id,
        "cell_type": "code",
        "source": source,
        "metadata": metadata,
        "outputs": list(outputs),
        "execution_count": None,
    }


def html(text: str) -> dict[str, Any]:
    return {"output_type": "display_data", "data": {"text/html": text}, "metadata": {}}


def live(notebook: dict[str, Any], *, client: int | None = None, trusted: tuple[str, ...] = ()) -> Doc[Any]:
    """A document as jupyter-collaboration makes it."""
    doc: Doc[Any] = Doc() if client is None else Doc(client_id=client)
    cells, meta = doc.get("cells", type=Array), doc.get("meta", type=Map)
    doc.get("state", type=Map)
    with doc.transaction():
        meta["nbformat"], meta["nbformat_minor"] = 4, 5
        meta["metadata"] = Map(notebook["metadata"])
        cells.extend([new_cell(cell, trusted=cell["id"] in trusted) for cell in notebook["cells"]])
    return doc


def live_text(text: str, *, client: int | None = None) -> Doc[Any]:
    doc: Doc[Any] = Doc() if client is None else Doc(client_id=client)
    source = doc.get("source", type=Text)
    with doc.transaction():
        source += text
    return doc
