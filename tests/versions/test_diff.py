"""Differences: exactly what changed, as little as possible, in bounded time."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sharegate.versions.diff import Change, Work, difference, in_place, line_difference, matches, opcodes
from sharegate.versions.model import Content
from sharegate.versions.restore import ReplaceText, plan
from tests.versions.notebooks import TEXTS, code, html, notebook, notebooks


def of(*cells: dict[str, Any], **metadata: Any) -> Content:
    return Content.of_notebook(notebook(list(cells), **metadata))


@settings(deadline=None)
@given(notebooks(), notebooks())
def test_there_is_a_difference_exactly_when_they_differ(one: dict[str, Any], other: dict[str, Any]) -> None:
    """And it can be written as JSON."""
    before, after = Content.of_notebook(one), Content.of_notebook(other)
    found = difference(before, after)
    same_but_ids = [{**cell, "id": ""} for cell in before.cells] == [{**cell, "id": ""} for cell in after.cells]
    if before == after:
        assert not found
    elif not same_but_ids:
        assert found
    json.dumps(found.to_json())
    assert not difference(before, before)


def test_each_kind_of_change() -> None:
    """New, gone, moved and changed cells, with their places."""
    a, b, c, d = (code(id, f"text {id}") for id in "abcd")
    found = difference(of(a, b, c, d), of(d, a | {"source": "text A\nmore"}, code("e", "new"), c))
    assert [(cell.change, cell.id, cell.before, cell.after) for cell in found.cells] == [
        (Change.MOVED, "d", 3, 0),
        (Change.CHANGED, "a", 0, 1),
        (Change.ADDED, "e", None, 2),
        (Change.REMOVED, "b", 1, None),
    ]
    assert found.cells[1].lines == ("@ 1", "-text a", "+text A", "+more")


def test_cells_without_ids_are_recognised() -> None:
    """By their content, and by what is alike in between."""
    before = [{"cell_type": "code", "source": text} for text in ("import x", "a\nb\nc", "end")]
    after = [{"cell_type": "code", "source": text} for text in ("import x", "a\nB\nc", "end", "more")]
    assert matches(before, after, Work()) == {0: 0, 1: 1, 2: 2}


def test_outputs_and_fields() -> None:
    """How many outputs there were, which keys of the metadata changed, which of the notebook's."""
    found = difference(of(code("a", "x", (html("1"),), name="n")), of(code("a", "x", (), tags=["t"]), title="T"))
    assert found.cells[0].outputs == (1, 0)
    assert [(f.name, f.before, f.after) for f in found.cells[0].fields] == [
        ("metadata.name", "n", None),
        ("metadata.tags", None, ["t"]),
    ]
    assert [(f.name, f.after) for f in found.metadata] == [("metadata.title", "T")]


def test_lines_with_little_around_them() -> None:
    """Two lines of context, and where each group stands."""
    before = "\n".join(str(at) for at in range(1, 21))
    after = before.replace("5", "five", 1).replace("\n20", "\n20\n21")
    assert line_difference(before, after, Work()) == (
        *("@ 3", " 3", " 4", "-5", "+five", " 6", " 7"),
        *("@ 19", " 19", " 20", "+21"),
    )
    assert line_difference("same", "same", Work()) == ()


@settings(deadline=None)
@given(TEXTS, TEXTS)
def test_the_lines_tell_the_whole_change(before: str, after: str) -> None:
    """With enough context, the old and the new text can be read from them."""
    lines = line_difference(before, after, Work(), context=10_000)
    if before == after:
        assert lines == ()
        return
    body = [line for line in lines if not line.startswith("@")]
    assert "\n".join(line[1:] for line in body if line[0] in " -") == before
    assert "\n".join(line[1:] for line in body if line[0] in " +") == after


@settings(deadline=None)
@given(st.permutations(range(8)))
def test_as_few_cells_as_possible_move(order: list[int]) -> None:
    """Those that stay are the longest run that is in order."""
    staying = in_place(dict(enumerate(order)))
    run = [order[at] for at in sorted(staying)]
    assert run == sorted(run)
    best = [1] * len(order)
    for at in range(len(order)):
        best[at] = 1 + max((best[b] for b in range(at) if order[b] < order[at]), default=0)
    assert len(run) == max(best)


def test_attack_a_text_that_takes_minutes_to_compare() -> None:
    """Two large texts without anything in common are one replacement."""
    before, after = ["a"] * 100_000, ["b"] * 100_000
    assert opcodes([1, *before, 2], [1, *after, 2], Work())[1] == ("replace", 1, 100_001, 1, 100_001)


def test_attack_many_cells_that_are_slow_to_compare() -> None:
    """All cells of a notebook share one allowance; past it each is one replacement."""
    texts = ["".join(random.Random(at).choices("ab", k=700)) for at in range(40)]
    before, after = (of(*(code(str(at), text) for at, text in enumerate(each))) for each in (texts, texts[::-1]))
    found = plan(before, after)
    by_cell = Counter(one.at for one in found.operations if isinstance(one, ReplaceText))
    assert by_cell[0] > 10 and by_cell[39] == 1
    work = Work()
    for one, other in zip(texts, texts[::-1], strict=True):
        opcodes(one, other, work)
    assert 0 <= work.left < 300_000


def test_other_kinds() -> None:
    """Text files by lines, files that are not read by their size."""
    assert difference(Content.of_text("a\nb"), Content.of_text("a\nc")).lines == ("@ 1", " a", "-b", "+c")
    assert difference(Content.of_bytes(b"1"), Content.of_bytes(b"22")).bytes == (1, 2)
    assert not difference(Content.of_bytes(b"1"), Content.of_bytes(b"1"))
    assert difference(Content.of_text("1"), of()).bytes is not None
