"""Tables for spreadsheets."""

from __future__ import annotations

import csv
import io

import pytest

from sharegate.audit import sheet


def test_rows_follow_the_header_and_read_back() -> None:
    """Quotes, commas and line ends in a text stay in its cell."""
    text = "".join(sheet.lines(("a", "b"), [("x, y", 'say "hi"'), (1, "two\nlines")]))
    assert list(csv.reader(io.StringIO(text))) == [["a", "b"], ["x, y", 'say "hi"'], ["1", "two\nlines"]]


def test_later_pages_have_no_header() -> None:
    """So that they can be written one behind the other."""
    assert list(sheet.lines(("a",), [("x",)], header=False)) == ["x\r\n"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＠x"])
def test_attack_a_text_that_a_spreadsheet_runs(text: str) -> None:
    """It has an apostrophe in front; numbers are left alone."""
    rows = csv.reader(io.StringIO("".join(sheet.lines(("a", "b"), [(text, -1)])), newline=""))
    assert list(rows)[1] == ["'" + text, "-1"]
