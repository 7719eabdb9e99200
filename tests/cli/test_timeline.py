"""`audit timeline`: one line for each person."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.conftest import run
from tests.cli.scripted import NOW, ScriptedGate

Json = dict[str, Any]
HOUR = 3600.0


def lane(**more: Any) -> Json:
    return {
        "visit": "v1",
        "label": "k7f2.a1",
        "badge": "Ann · own link",
        "name": "Ann",
        "kind": "browser",
        "devices": 1,
        "last": NOW,
        "stays": [
            {"since": NOW - 5 * HOUR, "until": NOW - 4 * HOUR, "how": "left"},
            {"since": NOW - HOUR, "until": None, "how": ""},
        ],
        "hours": [
            {"at": NOW - 5 * HOUR, "opens": 3, "edits": 1, "denials": 0},
            {"at": NOW - HOUR, "opens": 2, "edits": 0, "denials": 4},
        ],
    } | more


@pytest.fixture(autouse=True)
def _share(scripted: ScriptedGate) -> None:
    scripted.knows("share", "s1", "k7f2")


def answer(*lanes: Json, **more: Any) -> Json:
    return {"since": NOW - 86400, "until": NOW, "lanes": list(lanes), "more": 0, "counted_since": None} | more


def test_one_line_for_each_person(scripted: ScriptedGate) -> None:
    """Their devices with them, what they did, and when they were in."""
    scripted.say("GET audit/lanes", answer(lane(), more=1, counted_since=NOW - 9 * HOUR))
    ran = run("audit", "timeline", "k7f2", "--since", "2026-11-20")
    assert ran.code == 0, ran.err
    _, line = ran.out.splitlines()
    assert [cell.strip() for cell in line.split("  ") if cell.strip()] == [
        "k7f2.a1",
        "Ann · own link, 2 devices",
        "5",
        "1",
        "4",
        "01-15 04:00 to 01-15 05:00 (left), 01-15 08:00 till now",
    ]
    assert "And 1 more person." in ran.err and "is counted from Fri 15 Jan 2027, 00:00 CET on" in ran.err
    query = next(query for call, query, _ in scripted.calls if call == "GET /api/v1/audit/lanes")
    assert query == {"share": "s1", "since": "1795129200.0"}


def test_many_stays_are_cut(scripted: ScriptedGate) -> None:
    """The last ones are told, the others counted."""
    stays = [{"since": NOW + at, "until": NOW + at + 1, "how": ""} for at in range(9)]
    scripted.say("GET audit/lanes", answer(lane(stays=stays)))
    assert "5 times before, " in run("audit", "timeline", "k7f2").out


def test_nobody_was_in(scripted: ScriptedGate) -> None:
    """Said, and as JSON an empty list."""
    scripted.say("GET audit/lanes", answer())
    assert run("audit", "timeline", "k7f2").out == "Nobody was in.\n"
    assert run("audit", "timeline", "k7f2", "--json").document["lanes"] == []
    assert run("audit", "timeline", "k7f2", "--since", "lately").code == 2


@pytest.mark.parametrize("value", ["\x1b[31mred\x07", "\u202egnp", "x" * 1_000_000, "[bold]x[/bold]"])
def test_attack_hostile_text_in_a_lane(scripted: ScriptedGate, value: str) -> None:
    """A line stays short and moves no cursor."""
    stays = [{"since": NOW, "until": NOW, "how": value}]
    scripted.say("GET audit/lanes", answer(lane(badge=value, label=value, stays=stays)))
    ran = run("audit", "timeline", "k7f2")
    assert ran.code == 0 and len(ran.out) < 600
    assert not {"\x1b", "\x07", "\u202e"} & set(ran.out)
