"""`reports`: the list, one of them whole, and closing it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.conftest import run
from tests.cli.scripted import NOW, ScriptedGate, error

Json = dict[str, Any]


def one(label: str = "w4xk", **more: Any) -> Json:
    return {
        "id": f"{label}xxxxxx",
        "label": label,
        "share": "k7f2xxxxxx",
        "share_name": "Week 3",
        "share_state": "active",
        "owner": "Olga",
        "link_label": "k7f2.a",
        "link_name": "Ann",
        "visit": "",
        "visit_label": "",
        "name": "",
        "address": "192.0.2.0",
        "concern": "phishing",
        "concern_words": "asks for passwords, or pretends to be somebody",
        "text": "It asks\nfor mine",
        "created": NOW - 7200,
        "state": "open",
        "closed": None,
        "note": "",
    } | more


def test_the_list(scripted: ScriptedGate) -> None:
    """Of which share, whose, what and by whom."""
    scripted.say("GET reports", {"reports": [one(), one("m3xq", name="Bo")], "open": 2})
    ran = run("reports", "list")
    assert ran.code == 0, ran.err
    _, first, second = ran.out.splitlines()
    assert first.split("  ")[0] == "w4xk" and "somebody with k7f2.a" in first
    assert "Bo" in second and [query for _, query, _ in scripted.calls] == [{}]
    run("reports", "list", "--all")
    assert scripted.calls[-1][1] == {"all": "1"}
    assert run("reports", "list", "--json").document["open"] == 2


def test_none(scripted: ScriptedGate) -> None:
    """Said in words."""
    scripted.say("GET reports", {"reports": [], "open": 0})
    assert "No report waits." in run("reports", "list").out
    assert "Nothing is reported." in run("reports", "list", "--all").out
    assert run("reports", "show", "w4xk").code == 4


def test_one_whole(scripted: ScriptedGate) -> None:
    """With the visitor's words, line by line, and what to do."""
    scripted.say("GET reports", {"reports": [one(note="asked\nOlga", state="closed", closed=NOW)], "open": 0})
    ran = run("reports", "show", "w4xk")
    assert ran.code == 0, ran.err
    for words in ("Week 3 of Olga", "| It asks", "| for mine", "closed", "note   Olga"):
        assert words in ran.out
    assert "sharegate pause k7f2xxxxxx" in ran.err
    assert run("reports", "show", "w4", "--json").document["report"]["label"] == "w4xk"


def test_closing_and_opening_again(scripted: ScriptedGate) -> None:
    """With a note; what the gate refuses is told, and an id that fits two names both."""
    scripted.say("GET reports", {"reports": [one(), one("w4zz")], "open": 2})
    scripted.say("POST reports/w4xkxxxxxx/close", {"report": one(state="closed")})
    ran = run("reports", "close", "w4xk", "--note", "asked Olga")
    assert ran.code == 0 and "The report w4xk is closed." in ran.out
    assert scripted.sent("POST reports/w4xkxxxxxx/close") == [{"note": "asked Olga"}]
    scripted.say("POST reports/w4xkxxxxxx/reopen", error("changed", "this report is open"), 409)
    assert run("reports", "reopen", "w4xk").code == 3
    assert run("reports", "close", "w4").code == 2


@pytest.mark.parametrize("value", ["\x1b[31mred\x07", "\u202egnp", "[bold]x[/bold]"])
def test_attack_hostile_words(scripted: ScriptedGate, value: str) -> None:
    """They move no cursor and reorder nothing."""
    hostile = one(text=value, name=value, share_name=value, owner=value, note=value)
    scripted.say("GET reports", {"reports": [hostile], "open": 1})
    for ran in (run("reports", "list"), run("reports", "show", "w4xk")):
        assert ran.code == 0 and "\x1b" not in ran.out and "\u202e" not in ran.out
