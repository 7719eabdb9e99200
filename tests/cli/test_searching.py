"""`search`: what is found, as a table."""

from __future__ import annotations

from typing import Any

from tests.cli.conftest import run
from tests.cli.scripted import NOW, ScriptedGate

ROW: dict[str, Any] = {
    "kind": "visit",
    "matched": "name",
    "since": NOW - 60,
    "id": "v1",
    "label": "k7f2.a1",
    "name": "Ann\u202e",
    "state": "open",
    "share": "s1",
    "share_name": "week3",
    "owner": "Olga",
    "address": "192.0.2.0/24",
    "agent": "Firefox",
}


def test_what_is_found(scripted: ScriptedGate) -> None:
    """A line for each, with nothing invisible in it, and how many more there are."""
    scripted.say("GET search", {"found": [ROW], "more": 7})
    ran = run("search", "ann")
    assert ran.code == 0, ran.err
    (line,) = [line for line in ran.out.splitlines() if "k7f2.a1" in line]
    assert "visit" in line and "week3" in line and "192.0.2.0/24" in line and "\u202e" not in line
    assert "7 more" in ran.err
    assert [query for call, query, _ in scripted.calls if call.endswith("/search")] == [{"q": "ann"}]


def test_nothing_is_found(scripted: ScriptedGate) -> None:
    """That is no error."""
    scripted.say("GET search", {"found": [], "more": 0})
    ran = run("search", "nobody")
    assert ran.code == 0 and "Nothing is found." in ran.out
    assert run("search", "nobody", "--json").document == {"found": [], "more": 0}
