"""What a write puts there."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from sharegate.versions.model import Content
from sharegate.writing.written import written

NOTEBOOK: dict[str, Any] = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def of(notebook: bool = False, **model: Any) -> Content | None:
    return written(json.dumps(model).encode(), notebook=notebook)


def test_each_kind_of_content() -> None:
    """The same bytes are the same content, however they were sent."""
    text = Content.of_text("hä\n")
    assert of(type="file", format="text", content="hä\n") == text
    assert of(type="file", format="base64", content=base64.b64encode(text.encode()).decode()) == text
    assert of(type="file", format="base64", content="/w==") == Content.of_bytes(b"\xff")
    for model in (
        {"type": "notebook", "format": "json", "content": NOTEBOOK},
        {"type": "file", "format": "text", "content": json.dumps(NOTEBOOK), "notebook": True},
    ):
        assert of(**model) == Content.of_notebook(NOTEBOOK)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{}", b'{"type": "file", "format": "text", "content": 1}', b'{"type": "notebook", "content": []}',
        b'{"type": "notebook", "content": {"cells": [1]}}', b'{"type": "file", "format": "x", "content": ""}',
    ],
)  # fmt: skip
def test_what_cannot_be_read(body: bytes) -> None:
    """Is not known."""
    assert written(body, notebook=False) is None
