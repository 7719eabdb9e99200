"""How differences are drawn: readable, bounded, and safe whatever a document holds."""

from __future__ import annotations

from sharegate.cli.differences import lines, summary
from sharegate.versions.diff import difference
from sharegate.versions.model import Content
from tests.versions.notebooks import code, html, notebook


def drawn(before: Content, after: Content) -> list[str]:
    return [str(line) for line in lines(difference(before, after).to_json())]


def of(*cells: dict[str, object], **metadata: object) -> Content:
    return Content.of_notebook(notebook(list(cells), **metadata))


def test_cells_lines_outputs_and_fields() -> None:
    """Each cell with its place and what happened to it."""
    before = of(code("a", "x = 1"), code("b", "y", (html("1"),)), code("c", "z"))
    after = of(code("c", "z"), code("a", "x = 2", tags=["t"]), code("d", "new"), title="T")
    found = difference(before, after).to_json()
    assert summary(found) == "1 cell new, 1 cell gone, 1 cell moved, 1 cell changed, the notebook's own fields changed"
    assert drawn(before, after) == [
        "~ cell 1 (was 3)  code moved  c",
        *("~ cell 2  code changed  a", '    metadata.tags: - → ["t"]', "    @@ line 1", "    -x = 1", "    +x = 2"),
        *("+ cell 3  code new  d", "    +new"),
        *("- cell 2  code gone  b", "    outputs: 1 before, 0 after", "    -y"),
        *("~ about the notebook", '    metadata.title: - → "T"'),
    ]


def test_nothing() -> None:
    """No difference is no line."""
    assert drawn(of(), of()) == [] and summary(difference(of(), of()).to_json()) == ""


def test_attack_a_cell_that_moves_the_cursor() -> None:
    """Controls, overrides and very long lines of a document do not reach the terminal."""
    evil = code("a\x1b[2J", "\x1b]0;evil\x07\u202e" + "x" * 10_000)
    text = "\n".join(drawn(of(), of(evil)))
    assert "\x1b" not in text and "\u202e" not in text and len(text) < 1000


def test_long_changes_are_cut() -> None:
    """The rest is counted."""
    found = drawn(of(), of(code("a", "\n".join("x" * 500))))
    assert len(found) == 202 and "300 more lines" in found[-1]
