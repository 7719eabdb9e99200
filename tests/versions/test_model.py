"""Documents as plain values: one form for equal documents, and no trust in it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from sharegate.errors import StoreUnavailable
from sharegate.versions.model import Content, Facts, Kind, facts
from tests.versions.notebooks import code, notebook, notebooks


@settings(deadline=None)
@given(notebooks())
def test_a_notebook_is_read_back_from_its_bytes(plain: dict[str, Any]) -> None:
    """Equal notebooks give equal bytes, whatever the order of their keys."""
    content = Content.of_notebook(plain)
    assert Content.decode(Kind.NOTEBOOK, content.encode()) == content
    turned = Content.of_notebook(dict(reversed(plain.items())))
    assert turned.encode() == content.encode()


def test_what_pages_and_files_write_differently() -> None:
    """Floats of Yjs, lists of lines, a page's execution state: the same document."""
    cell = {**code("a", "x\ny"), "execution_count": 3.0, "execution_state": "idle"}
    file = {**code("a"), "source": ["x\n", "y"], "execution_count": 3}
    assert Content.of_notebook({**notebook([cell]), "nbformat": 4.0}) == Content.of_notebook(notebook([file]))


def test_attack_trust_in_a_snapshot() -> None:
    """It is not kept, so that nothing can bring it back."""
    content = Content.of_notebook(notebook([code("a", trusted=True, name="x")]))
    assert content.cells[0]["metadata"] == {"name": "x"} and b"trusted" not in content.encode()


def test_texts_and_bytes() -> None:
    """Each is what it was, lone halves of characters too."""
    for content in (Content.of_text("é👩 \ud800"), Content.of_text(""), Content.of_bytes(b"\xff\x00")):
        assert Content.decode(content.kind, content.encode()) == content


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"cells": [1]}', b'{"cells": 3}', b"\xff", b"[" * 100_000])
def test_a_damaged_notebook(data: bytes) -> None:
    """Fails closed."""
    with pytest.raises(StoreUnavailable):
        Content.decode(Kind.NOTEBOOK, data)


def test_facts() -> None:
    """Cells, characters, and how much of them stands there twice."""
    assert facts(Content.of_notebook(notebook([code("a", "xx"), code("b", "yyy"), code("c", "xx")]))) == Facts(3, 7, 2)
    assert facts(Content.of_text("one\ntwo\none")) == Facts(0, 9, 3)
    assert facts(Content.of_bytes(b"123")) == Facts(0, 3)
