"""A notebook of the owner's, and a page that has it open: the owner's or an editor's."""

from __future__ import annotations

import json
from typing import Any

from pycrdt import Array, Map, Text

from tests.attacks.pages import Page
from tests.real.jupyter import JupyterServer


def plant_notebook(jupyter: JupyterServer, name: str) -> str:
    """One code cell with an output of the owner's, one without, one of markdown."""
    mine = {"output_type": "display_data", "metadata": {}, "data": {"text/html": "<b>42</b>"}}
    cells = [
        {"id": "one", "cell_type": "code", "source": "print(6*7)", "metadata": {}, "outputs": [mine]},
        {"id": "two", "cell_type": "code", "source": "x = 1", "metadata": {}, "outputs": []},
        {"id": "three", "cell_type": "markdown", "source": "# Title", "metadata": {}},
    ]
    for cell in cells:
        if cell["cell_type"] == "code":
            cell["execution_count"] = None
    found = {"cells": cells, "metadata": {"language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 5}
    (jupyter.root / "sub" / "shared" / name).write_text(json.dumps(found))
    return f"sub/shared/{name}"


class Notebook:
    """A page with a notebook."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.cells: Array[Any] = page.doc.get("cells", type=Array)
        self.meta: Map[Any] = page.doc.get("meta", type=Map)
        self.state: Map[Any] = page.doc.get("state", type=Map)

    @property
    def sources(self) -> list[str]:
        return [str(cell["source"]) if isinstance(cell, Map) else repr(cell) for cell in self.cells]

    def cell(self, id: str) -> Map[Any]:
        return next(cell for cell in self.cells if isinstance(cell, Map) and cell.get("id") == id)

    def type(self, id: str, words: str) -> None:
        source = self.cell(id)["source"]
        source += words

    def put(self, at: int = 0, **more: Any) -> None:
        """A new code cell as JupyterLab makes one, with `more` in it."""
        cell = {
            "id": "new",
            "cell_type": "code",
            "source": Text("new cell"),
            "metadata": Map({"trusted": True}),
            "outputs": Array([]),
            "execution_count": None,
        }
        self.cells.insert(at, Map({**cell, **more}))
