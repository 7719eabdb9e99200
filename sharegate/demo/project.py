"""The sample project that the demo shares: two folders, one of which is nobody else's business."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SHARED = "weather"
NOTEBOOK = "measurements.ipynb"
PRIVATE = "private/salaries.csv"


def _cell(kind: str, id: str, source: str) -> dict[str, Any]:
    cell: dict[str, Any] = {"cell_type": kind, "id": id, "metadata": {}, "source": source.splitlines(keepends=True)}
    return {**cell, "outputs": [], "execution_count": None} if kind == "code" else cell


def plant(root: Path) -> None:
    """Write the project below `root`."""
    shared = root / SHARED
    shared.mkdir(parents=True)
    (root / PRIVATE).parent.mkdir()
    (root / PRIVATE).write_text("name,salary\nOlga,1\n")
    (shared / "stations.csv").write_text("station,height_m\nHarbour,4\nOld Town,31\nHilltop,212\n")
    (shared / "README.md").write_text(
        "# Weather\n\nThis folder is shared. What lies beside it is not: try to get there.\n"
    )
    notebook = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "cells": [
            _cell("markdown", "title", "# Three weather stations\n\nType here as the owner and look at the visitor."),
            _cell("code", "read", "import csv\n\nstations = list(csv.DictReader(open('stations.csv')))\nstations"),
            _cell("code", "mean", "sum(int(row['height_m']) for row in stations) / len(stations)"),
        ],
    }
    (shared / NOTEBOOK).write_text(json.dumps(notebook, indent=1))
