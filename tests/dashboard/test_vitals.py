"""How the gate is doing, told by the API."""

from __future__ import annotations

import pytest

from tests.dashboard.conftest import Office


async def test_a_running_gate_tells_checks_and_numbers(office: Office) -> None:
    """The checks of /ready, and numbers without names."""
    told = await office.call("GET", "health")
    assert told["running"] and told["checks"] == dict.fromkeys(("store", "history", "keys", "open"), "ok")
    assert told["numbers"]["connections_most"] > 0 and told["numbers"]["visits"] == 0


async def test_without_a_gate_nothing_is_known(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that run without one are told so."""
    monkeypatch.setattr(office.running.api.vitals, "look", None)
    assert await office.call("GET", "health") == {"running": False, "checks": {}, "channels": {}, "numbers": {}}
