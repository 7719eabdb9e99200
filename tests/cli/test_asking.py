"""Conditions at the command line."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sharegate.cli.asking import conditions
from tests.cli import scripted as views
from tests.cli.conftest import run
from tests.cli.scripted import NOW, ScriptedGate
from tests.cli.test_commands import created

WORDS = "green bicycle 7"


def test_share_sends_what_the_link_asks_for(scripted: ScriptedGate) -> None:
    """In the API's words; the passphrase comes from standard input and is printed nowhere."""
    link = views.link(passphrase=True, ask=True, networks=["10.0.0.0/8"], domain="example.org")
    scripted.say("POST shares", created(link))
    ran = run(
        "share", "week3", "--anyone", "--ask", "--network", "10.0.0.0/8", "--network", "::1", "--domain", "example.org",
        "--from", "2099-12-24 18:00", "--passphrase", typed=f"{WORDS}\nmore\n",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    (sent,) = scripted.sent("POST shares")
    asked = {name: sent[name] for name in ("ask", "networks", "domain", "not_before", "passphrase")}
    assert asked == {
        "ask": True,
        "networks": ["10.0.0.0/8", "::1"],
        "domain": "example.org",
        "not_before": datetime(2099, 12, 24, 17, tzinfo=UTC).timestamp(),
        "passphrase": WORDS,
    }
    assert "Conditions: from 10.0.0.0/8, for addresses of example.org, with a passphrase, asks first." in ran.err
    assert WORDS not in ran.out + ran.err


def test_change_sends_what_is_new_and_takes_away_what_is_named_any(scripted: ScriptedGate) -> None:
    """Only what was named; `any`, `now` and the options with `no` take a condition away."""
    scripted.knows("link", "k7f2-a", "k7f2.a", "Ann")
    scripted.say("PATCH links/k7f2-a", {"link": views.link(), "role": "view"})
    ran = run(
        "change", "k7f2.a", "--no-ask", "--network", "any", "--from", "now", "--email", "any", "--domain", "any",
        "--no-passphrase",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert scripted.sent("PATCH links/k7f2-a") == [
        {"ask": False, "networks": [], "not_before": None, "recipient": "", "domain": "", "passphrase": None}
    ]
    assert "It has no conditions." in ran.out
    run("change", "k7f2.a", "--email", "ann@example.org", "--passphrase", typed=WORDS)
    assert scripted.sent("PATCH links/k7f2-a")[1:] == [{"recipient": "ann@example.org", "passphrase": WORDS}]


def test_a_share_as_a_whole_asks_for_nothing(scripted: ScriptedGate) -> None:
    """Told with the option and a link to name; nobody is asked for a passphrase before."""
    scripted.knows("share", "k7f2xxxxxx", "k7f2", "week3")
    ran = run("change", "k7f2", "--passphrase")
    assert ran.code == 2 and "--passphrase" in ran.err and "k7f2.a" in ran.err
    assert [call for call, _, _ in scripted.calls] == ["GET /api/v1/resolve"]


@pytest.mark.parametrize("typed", ["", "\n"])
def test_no_passphrase_at_all_is_a_fault(scripted: ScriptedGate, typed: str) -> None:
    """Nothing is asked of the gate."""
    ran = run("share", "week3", "--passphrase", typed=typed)
    assert ran.code == 2 and "none was given" in ran.err
    assert scripted.sent("POST shares") == []


def at_a_terminal(home: Path, *lines: str) -> tuple[int, str]:
    """`change k7f2.a --passphrase` with these lines typed when it asks; the exit code and all that was shown."""
    person, program = pty.openpty()
    command = [sys.executable, "-m", "sharegate", "change", "k7f2.a", "--passphrase"]
    process = subprocess.Popen(command, stdin=program, stdout=program, stderr=program, start_new_session=True)
    os.close(program)
    shown, waiting = b"", list(lines)
    try:
        while True:
            try:
                part = os.read(person, 4096)
            except OSError:
                break
            shown += part
            asked = shown.count(b"not shown") + shown.count(b"Again: ")
            while waiting and asked > len(lines) - len(waiting):
                os.write(person, waiting.pop(0).encode() + b"\n")
        return process.wait(20), shown.decode()
    finally:
        process.kill()
        process.wait()
        os.close(person)


def test_at_a_terminal_it_is_typed_twice_and_not_seen(scripted: ScriptedGate, home: Path) -> None:
    """Two that differ change nothing."""
    scripted.knows("link", "k7f2-a", "k7f2.a", "Ann")
    scripted.say("PATCH links/k7f2-a", {"link": views.link(passphrase=True), "role": "view"})
    code, shown = at_a_terminal(home, WORDS, "another one")
    assert code == 2 and "not the same" in shown and scripted.sent("PATCH links/k7f2-a") == []
    code, shown = at_a_terminal(home, WORDS, WORDS)
    assert code == 0, shown
    assert WORDS not in shown and scripted.sent("PATCH links/k7f2-a") == [{"passphrase": WORDS}]
    assert "with a passphrase" in shown


def test_the_words_for_conditions(scripted: ScriptedGate) -> None:
    """Each in a few words; a moment that has come is none, and what comes from elsewhere is made safe."""
    link = views.link(
        networks=["10.0.0.0/8", "::1/128", "192.0.2.0/24", "2001:db8::/32"],
        not_before=NOW + 60,
        recipient="ann@example.org\x1b[31m",
        domain="example.org",
        passphrase=True,
        ask=True,
    )
    told = conditions(link, NOW, UTC)
    assert told[0].startswith("from ") and told[0].endswith(" UTC on")
    assert told[1:] == [
        "from 10.0.0.0/8, ::1/128 and 2 more",
        "for ann@example.org�[31m",
        "for addresses of example.org",
        "with a passphrase",
        "asks first",
    ]
    assert conditions(views.link(not_before=NOW - 1), NOW, UTC) == conditions(views.link(), time.time(), UTC) == []


def test_list_names_the_conditions(scripted: ScriptedGate) -> None:
    """Beside whom a link is for."""
    scripted.say("GET shares", {"shares": [views.share(links=[views.link(ask=True, passphrase=True)])]})
    assert "Ann, with a passphrase, asks first" in run("list").out
