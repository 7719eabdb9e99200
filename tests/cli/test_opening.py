"""`sharegate open`: the dashboard in a browser, by an address that works once."""

from __future__ import annotations

import time
import webbrowser
from pathlib import Path

import pytest

from tests.cli.conftest import run
from tests.cli.scripted import ScriptedGate

URL = "http://localhost:8871/login#one-time"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the system's browser was asked to open."""
    asked: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: asked.append(url) or True)
    return asked


def test_the_dashboard_opens_in_the_browser(scripted: ScriptedGate, opened: list[str]) -> None:
    """The address is not printed where a browser takes it."""
    scripted.say("POST logins", {"url": URL, "expires": time.time() + 120})
    ran = run("open")
    assert ran.code == 0 and opened == [URL] and URL not in ran.out + ran.err


def test_the_address_can_be_printed(scripted: ScriptedGate, opened: list[str]) -> None:
    """Alone on a line, with how long it works; and as JSON."""
    scripted.say("POST logins", {"url": URL, "expires": time.time() + 120})
    ran = run("open", "--print")
    assert ran.out == URL + "\n" and "Works once" in ran.err
    assert run("open", "--json").document["url"] == URL
    assert opened == []


def test_where_no_browser_is_the_address_is_printed(scripted: ScriptedGate, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine without a screen."""
    monkeypatch.setattr(webbrowser, "open", lambda url: False)
    scripted.say("POST logins", {"url": URL, "expires": time.time() + 120})
    assert run("open").out == URL + "\n"


def test_without_a_gate_there_is_no_dashboard(home: Path, opened: list[str]) -> None:
    """Exit code 5 and what to run."""
    ran = run("open")
    assert ran.code == 5 and "sharegate up" in ran.err and opened == []
