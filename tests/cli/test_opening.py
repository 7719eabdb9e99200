"""`sharegate open`: the dashboard in a browser, by an address that works once."""

from __future__ import annotations

import stat
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
    assert ran.code == 0 and len(opened) == 1 and URL not in ran.out + ran.err


def test_attack_another_user_of_this_computer_reads_what_the_browser_was_started_with(
    scripted: ScriptedGate, home: Path, opened: list[str]
) -> None:
    """It is the path of a page that only this user can read, and that is written anew each time."""
    for key in ("first", "second"):
        scripted.say("POST logins", {"url": f"http://localhost:8871/login#{key}", "expires": time.time() + 120})
        assert run("open").code == 0
    page = home / "data" / "run" / "open.html"
    assert opened == [page.resolve().as_uri()] * 2 or opened == [page.as_uri()] * 2
    assert stat.S_IMODE(page.stat().st_mode) == 0o600 and stat.S_IMODE(page.parent.stat().st_mode) == 0o700
    assert "#second" in page.read_text() and "#first" not in page.read_text()


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
