"""`health`, `alarms` and `dismiss`."""

from __future__ import annotations

from pathlib import Path

from tests.cli import scripted as views
from tests.cli.conftest import run
from tests.cli.scripted import ScriptedGate, error

HEALTHY = {
    "running": True,
    "checks": {"store": "ok", "keys": "ok"},
    "channels": {"room": 3},
    "numbers": {"visits": 2, "versions_bytes": 1024, "clock_behind": 0.25, "something_new": 7},
}


def test_health_in_numbers(scripted: ScriptedGate) -> None:
    """Each check, each kind of channel and each number, in words; a number that is new here too."""
    scripted.say("GET health", HEALTHY)
    ran = run("health")
    assert ran.code == 0, ran.err
    for words in ("store", "channels: room", "visits with something open", "something_new", "1024"):
        assert words in ran.out
    assert run("health", "--json").document == HEALTHY


def test_a_failed_check_is_the_exit_code(scripted: ScriptedGate) -> None:
    """1, with and without --json, and where to read on."""
    scripted.say("GET health", HEALTHY | {"checks": {"store": "slow", "keys": "ok"}})
    ran = run("health")
    assert ran.code == 1 and "slow" in ran.out and "sharegate doctor" in ran.err
    assert run("health", "--json").code == 1


def test_without_a_gate_there_is_no_health(home: Path) -> None:
    """Nobody to ask is 5, as everywhere."""
    ran = run("health")
    assert ran.code == 5 and "sharegate up" in ran.err


def test_alarms_with_the_way_back(scripted: ScriptedGate) -> None:
    """What happened, the commands that mend it, and 1 for a script that asks; nothing invisible is printed."""
    assert run("alarms").code == 0 and "No document looks damaged" in run("alarms").out
    scripted.say("GET alarms", {"alarms": [views.alarm("2", path="a\u202eb.md", version=""), views.alarm("1")]})
    ran = run("alarms")
    assert ran.code == 1
    assert "sharegate snapshot restore n4kd" in ran.out and "sharegate snapshot undo k7f2.a1" in ran.out
    assert "\u202e" not in ran.out and "sharegate dismiss ID" in ran.err
    assert [one["id"] for one in run("alarms", "--json").document["alarms"]] == ["2", "1"]


def test_without_a_gate_nobody_watches(home: Path) -> None:
    """That no alarm is known then is no good news, and is not said as such."""
    ran = run("alarms")
    assert ran.code == 0 and "nobody watches" in ran.out


def test_an_alarm_is_dismissed(scripted: ScriptedGate) -> None:
    """By its number; one that is gone is not found."""
    scripted.say("POST alarms/1/dismiss", {"alarm": {"id": "1", "path": "week3/intro.ipynb"}})
    assert "week3/intro.ipynb" in run("dismiss", "1").out
    assert run("dismiss", "1", "--json").document["alarm"]["id"] == "1"
    scripted.say("POST alarms/9/dismiss", error("not_found", "there is no alarm 9"), 404)
    assert run("dismiss", "9").code == 4
