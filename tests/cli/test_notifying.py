"""`notify`: who is told, and trying it out."""

from __future__ import annotations

from typing import Any

from tests.cli.conftest import run
from tests.cli.scripted import NOW, ScriptedGate, error

Json = dict[str, Any]


def service(**more: Any) -> Json:
    of = {"audience": "owner", "name": "slack", "waiting": 1, "sent": 7, "lost": 2}
    return of | {"last_sent": NOW, "last_lost": None} | more


def answer(*services: Json) -> Json:
    about = [{"kind": "knock", "meaning": "somebody knocks", "told": True}]
    about.append({"kind": "visit", "meaning": "somebody comes", "told": False})
    return {"on": bool(services), "quiet_minutes": 10.0, "about": about, "services": list(services)}


def test_status(scripted: ScriptedGate) -> None:
    """How each service does, and what is told."""
    scripted.say("GET notifications", answer(service(), service(audience="admins", name="json", last_sent=None)))
    ran = run("notify", "status")
    assert ran.code == 0, ran.err
    _, first, second = ran.out.splitlines()
    assert first.split()[:5] == ["slack", "you", "7", "1", "2"] and "never" in second and "admins" in second
    assert "Told: somebody knocks." in ran.err and "10 minutes" in ran.err
    assert run("notify", "status", "--json").document["on"] is True


def test_nobody_is_told(scripted: ScriptedGate) -> None:
    """Says how to change that."""
    scripted.say("GET notifications", answer())
    ran = run("notify", "status")
    assert "Nobody is told" in ran.out and "notify_file" in ran.err
    scripted.say("POST notifications/test", error("notify_off", "this gate tells nobody"), 403)
    assert run("notify", "test").code == 3


def test_trying_it_out(scripted: ScriptedGate) -> None:
    """Fails when one of them does not take it."""
    results = [{"audience": "owner", "name": "slack", "taken": True}]
    scripted.say("POST notifications/test", {"results": results})
    ran = run("notify", "test")
    assert ran.code == 0 and "slack took it" in ran.out
    scripted.say("POST notifications/test", {"results": [*results, results[0] | {"name": "json", "taken": False}]})
    ran = run("notify", "test")
    assert ran.code == 1 and "json did not take it." in ran.out
    assert run("notify", "test", "--json").code == 1
