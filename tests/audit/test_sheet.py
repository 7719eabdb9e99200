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


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＠x", " =1", "\u00a0=1"]
)
def test_attack_a_text_that_a_spreadsheet_runs(text: str) -> None:
    """It has an apostrophe in front; numbers are left alone."""
    rows = csv.reader(io.StringIO("".join(sheet.lines(("a", "b"), [(text, -1)])), newline=""))
    (cell, number) = list(rows)[1]
    assert (cell[0], cell.replace("'", ""), number) == ("'", text, "-1")


@pytest.mark.parametrize("separator", [";", "\t", "|"])
@pytest.mark.parametrize("formula", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "＝1", " =1", '"=1"'])
def test_attack_a_formula_behind_what_another_country_takes_for_a_separator(separator: str, formula: str) -> None:
    """Where the comma stands in numbers, spreadsheets read cells between semicolons, others between tabs: no cell of
    theirs is a formula either."""
    written = "".join(sheet.lines(("a", "b"), [(1, f"x{separator}{formula}{separator}y"), ("Mozilla; Linux", 2)]))
    for row in csv.reader(io.StringIO(written, newline=""), delimiter=separator):
        for cell in row:
            assert not cell.strip(' "').startswith(("=", "+", "-", "@", "＝")), row
    assert "Mozilla; Linux" in written
