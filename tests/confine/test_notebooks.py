"""What a notebook that a visitor puts onto the server may hold."""

from __future__ import annotations

import base64
import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharegate.confine import notebooks
from sharegate.confine.notebooks import clean_notebook, clean_notebook_file, file_bytes, is_notebook_name
from sharegate.errors import Denied, Reason


def code(**changes: Any) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": [],
        "source": ["a\n", "b"],
        **changes,
    }


def notebook(*cells: Any, **changes: Any) -> dict[str, Any]:
    return {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5, **changes}


def as_file(made: object) -> bytes:
    return json.dumps(made).encode()


@pytest.mark.parametrize(
    "name", ["x.ipynb", "X.IPYNB", "x.ipynb.", "x.ipynb ", "x.\uff49pynb", "x.ipynb:y", "y:x.ipynb", "x.ip\u200bynb"]
)
def test_names_of_notebooks(name: str) -> None:
    """In every spelling that some disk or program takes for one."""
    assert is_notebook_name(name)


@pytest.mark.parametrize("name", ["x.txt", "ipynb", "x.ipynb.txt", "x.ipynb.3f2a", "x.ipyn", "x"])
def test_names_of_other_files(name: str) -> None:
    """What ends in another way is none."""
    assert not is_notebook_name(name)


def test_trust_is_taken_out_of_every_cell_and_nothing_else() -> None:
    """Whatever its value, in code, markdown and raw cells; a key of that name elsewhere is the author's."""
    made = notebook(
        code(metadata={"trusted": True, "tags": ["trusted"]}),
        {"cell_type": "markdown", "metadata": {"trusted": False, "x": {"trusted": True}}, "source": "trusted"},
        {"cell_type": "raw", "metadata": {"trusted": None}, "source": ""},
        metadata={"trusted": True},
    )
    cleaned = clean_notebook(made)

    assert cleaned.changed
    assert [cell["metadata"] for cell in cleaned.notebook["cells"]] == [
        {"tags": ["trusted"]},
        {"x": {"trusted": True}},
        {},
    ]
    assert cleaned.notebook["metadata"] == {"trusted": True}


def test_an_honest_notebook_is_stored_as_it_is() -> None:
    """Ids, counts and a language without an exporter are nothing to take out."""
    made = notebook(code(id="a-1", execution_count=3), metadata={"language_info": {"name": "python"}})
    before = copy.deepcopy(made)
    cleaned = clean_notebook(made)
    assert not cleaned.changed and cleaned.notebook == before


@pytest.mark.parametrize(
    ("exporter", "stays"), [("python", True), ("os.system", False), (".", False), (["a.b"], False), (None, False)]
)
def test_an_exporter_that_is_imported_is_taken_out(exporter: object, stays: bool) -> None:
    """nbconvert imports a dotted name; a plain one is chosen from those installed."""
    cleaned = clean_notebook(notebook(metadata={"language_info": {"name": "x", "nbconvert_exporter": exporter}}))

    assert ("nbconvert_exporter" in cleaned.notebook["metadata"]["language_info"]) is stays
    assert cleaned.changed is not stays


NONE: dict[str, Any] = {
    "a list": [],
    "null": None,
    "empty": {},
    "no cells": {"metadata": {}, "nbformat": 4, "nbformat_minor": 5},
    "cells that are none": notebook() | {"cells": {}},
    "no metadata": {"cells": [], "nbformat": 4, "nbformat_minor": 5},
    "metadata that is none": notebook() | {"metadata": []},
    "format 3": notebook(nbformat=3),
    "format 5": notebook(nbformat=5),
    "format as text": notebook(nbformat="4"),
    "format that is true": notebook(nbformat=True),
    "minor that is none": notebook(nbformat_minor=None),
    "minor below zero": notebook(nbformat_minor=-1),
    "minor that is a flag": notebook(nbformat_minor=True),
    "minor that nobody knows": notebook(nbformat_minor=6),
    "minor without end": notebook(nbformat_minor=10**4000),
    "string for a cell": notebook("x"),
    "unknown kind": notebook(code(cell_type="heading")),
    "kind that is a list": notebook(code(cell_type="code", metadata=[])),
    "no source": notebook({"cell_type": "raw", "metadata": {}}),
    "source that is a number": notebook(code(source=1)),
    "lines that are numbers": notebook(code(source=["a", 1])),
    "id with a slash": notebook(code(id="a/b")),
    "id that is a number": notebook(code(id=1)),
    "empty id": notebook(code(id="")),
    "no outputs": notebook({"cell_type": "code", "metadata": {}, "source": ""}),
    "outputs that are none": notebook(code(outputs={})),
    "output that is a string": notebook(code(outputs=["x"])),
    "unknown output": notebook(code(outputs=[{"output_type": "x"}])),
    "count that is text": notebook(code(execution_count="1")),
    "count that is true": notebook(code(execution_count=True)),
}  # fmt: skip


@pytest.mark.parametrize("made", NONE.values(), ids=NONE.keys())
def test_what_is_no_notebook_is_refused(made: Any) -> None:
    """As a model and as a file."""
    for judge, given_ in ((clean_notebook, copy.deepcopy(made)), (clean_notebook_file, as_file(made))):
        with pytest.raises(Denied) as refused:
            judge(given_)
        assert refused.value.reason is Reason.BAD_BODY


def test_unhashable_kinds_are_refused_not_crashed_on() -> None:
    """A list where a word belongs is a bad body like any other."""
    for made in (notebook(code(cell_type=["code"])), notebook(code(outputs=[{"output_type": ["stream"]}]))):
        with pytest.raises(Denied) as refused:
            clean_notebook(made)
        assert refused.value.reason is Reason.BAD_BODY


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
metadata = st.dictionaries(st.text().filter(lambda key: key not in ("trusted", "language_info")), values, max_size=4)


@given(metadata, metadata, values, st.booleans(), st.integers(0, 3))
def test_everything_else_is_kept_in_its_order(
    own: dict[str, Any], cells: dict[str, Any], data: Any, trusted: bool, indent: int
) -> None:
    """Values, their digits and the order of keys; a file in which nothing had to change keeps its bytes."""
    output = {"data": {"x": data}, "metadata": {}, "output_type": "display_data"}
    made = notebook(code(metadata=dict(cells), outputs=[output]), metadata=own)
    wanted = copy.deepcopy(made)
    if trusted:
        made["cells"][0]["metadata"]["trusted"] = True
    file = json.dumps(made, indent=indent).encode()
    cleaned = clean_notebook_file(file)

    assert (cleaned is file) is not trusted
    assert json.dumps(json.loads(cleaned)) == json.dumps(wanted)


@pytest.mark.parametrize(
    "file",
    [
        b'{"nbformat":4,"nbformat_minor":5,"metadata":{},"cells":[],"cells":[]}',
        b'{"nbformat":4,"nbformat_minor":5,"metadata":{"a":NaN},"cells":[]}',
        b'\xef\xbb\xbf{"nbformat":4,"nbformat_minor":5,"metadata":{},"cells":[]}',
        b'{"nbformat":4,"nbformat_minor":5,"metadata":{},"cells":[]}x',
        '{"nbformat":4,"nbformat_minor":5,"metadata":{},"cells":[]}'.encode("utf-16"),
        b'{"nbformat":4,"nbformat_minor":5,"metadata":{"a":' + b"[" * 10_000 + b"]" * 10_000 + b'},"cells":[]}',
        b"",
    ],
    ids=lambda file: repr(file[:20]),
)
def test_attack_files_with_two_readings(file: bytes) -> None:
    """Names given twice, what is no JSON for everybody, other encodings and depths without end."""
    with pytest.raises(Denied) as refused:
        clean_notebook_file(file)
    assert refused.value.reason is Reason.BAD_BODY


def test_attack_what_cannot_be_written_anew_is_refused() -> None:
    """A half of a character or a number out of range, beside something that has to be taken out and alone."""
    for odd in ('"\\ud800"', "1e999", '{"\\udfff":1}'):
        for cells in ([code(metadata={"trusted": 1})], []):
            file = json.dumps(notebook(*cells, metadata={"a": "HERE"})).replace('"HERE"', odd)
            with pytest.raises(Denied) as refused:
                clean_notebook_file(file.encode())
            assert refused.value.reason is Reason.BAD_BODY


def test_size_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A larger file is not even parsed."""
    monkeypatch.setattr(notebooks, "MAX_NOTEBOOK", 100)
    with pytest.raises(Denied) as refused:
        clean_notebook_file(b" " * 101)
    assert refused.value.reason is Reason.BODY_TOO_LARGE


def test_content_of_a_file() -> None:
    """Text and base64 stand for their bytes."""
    assert file_bytes("ü", "text") == "ü".encode()
    assert file_bytes(base64.b64encode(b"\x00\xff").decode(), "base64") == b"\x00\xff"


@pytest.mark.parametrize(
    ("content", "form"),
    [
        *(("e30", "base64"), ("e3\n0=", "base64"), ("e30=!", "base64"), ("ü", "base64"), ("\ud800", "text")),
        *(("AAAA=", "base64"), ("AAAA====", "base64"), ("A===", "base64"), ("AA=", "base64"), ("=", "base64")),
        *(("x", "json"), ("eA==", "json"), ("x", None), (None, "text"), ({}, "text"), (["x"], "text"), (b"x", "text")),
    ],
)
def test_attack_content_that_two_decoders_read_differently(content: object, form: object) -> None:
    """Upstream skips what is no base64; here it is refused, like every other kind of content."""
    with pytest.raises(Denied) as refused:
        file_bytes(content, form)
    assert refused.value.reason is Reason.BAD_BODY
