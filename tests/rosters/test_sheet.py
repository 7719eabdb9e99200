"""The table for a mail merge."""

from __future__ import annotations

import csv
import io

from sharegate.rosters.sheet import merge


def test_attack_no_cell_is_a_formula() -> None:
    """Whatever somebody is called."""
    names = ["=1+1", "+2", "-3", "@SUM(A1)", "\tx", 'A "B", C', "D\nE"]
    text = merge([{"name": name, "email": "", "url": "https://g/join#t"} for name in names])
    read = list(csv.reader(io.StringIO(text, newline="")))
    assert read[0] == ["name", "email", "link"]
    assert [row[0] for row in read[1:]] == ["'=1+1", "'+2", "'-3", "'@SUM(A1)", "'\tx", 'A "B", C', "D\nE"]
    assert {row[2] for row in read[1:]} == {"https://g/join#t"}


def test_teams_have_a_column() -> None:
    """By the share that a link is of."""
    text = merge([{"name": "Ann", "email": "a@b.org", "url": "u", "share": "s1"}], teams={"s1": "red"})
    assert text.splitlines() == ["team,name,email,link", "red,Ann,a@b.org,u"]
