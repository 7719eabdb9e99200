"""A document's plain content, as jupyter_ydoc gives it to whoever saves it."""

from __future__ import annotations

from typing import Any

from pycrdt import Array, Map


def notebook_content(meta: Map[Any], cells: Array[Any]) -> dict[str, Any]:
    """A notebook's plain content, as jupyter_ydoc's YNotebook.get without looking for double ids."""
    said = _whole_numbers(meta.to_py() or {})
    minor = int(said.get("nbformat_minor", 0))
    found = []
    for shared in cells:
        if not isinstance(shared, Map):
            continue
        cell = _whole_numbers(shared.to_py())
        cell.pop("execution_state", None)
        if int(said.get("nbformat", 0)) == 4 and minor <= 4:
            cell.pop("id", None)
        if cell.get("cell_type") in ("raw", "markdown") and not cell.get("attachments", True):
            del cell["attachments"]
        found.append(cell)
    metadata = said.get("metadata", {})
    return {"cells": found, "metadata": metadata, "nbformat": int(said.get("nbformat", 0)), "nbformat_minor": minor}


def _whole_numbers(value: Any) -> Any:
    """Pages write every number as a float."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _whole_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole_numbers(item) for item in value]
    return value
