"""What a write puts there, as the value that versions compare."""

from __future__ import annotations

import json

from sharegate.confine.notebooks import file_bytes
from sharegate.errors import Denied
from sharegate.versions.model import Content


def written(body: bytes, *, notebook: bool) -> Content | None:
    """Of the contents model that goes upstream; None for one that cannot be read. `notebook`: a file of that name."""
    try:
        model = json.loads(body)
        if model["type"] == "notebook":
            return Content.of_notebook(model["content"])
        data = file_bytes(model["content"], model["format"])
        if notebook:
            return Content.of_notebook(json.loads(data))
        try:
            return Content.of_text(data.decode("utf-8"))
        except UnicodeDecodeError:  # no text
            return Content.of_bytes(data)
    except (Denied, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        # Fails closed: it is kept once more when it is replaced.
        return None
