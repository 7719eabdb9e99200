"""Commands at a real pseudo-terminal: tables, colours, questions, QR codes and the live screen."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli import scripted as views
from tests.cli.scripted import ScriptedGate

WAIT = 40.0
COMMAND = ("-m", "sharegate")
# The same, where a key is too quick for longer than a busy machine needs to bring it.
SLOW_LOOK = ("-c", "from sharegate.cli import live, main; live.LOOK_SECONDS = 5.0; main()")
ALTERNATE, NORMAL = "\x1b[?1049h", "\x1b[?1049l"


class Terminal:
    """A program at a pseudo-terminal, and everything that it wrote there."""

    def __init__(self, process: subprocess.Popen[bytes], fd: int) -> None:
        self.process = process
        self.fd = fd
        self.text = ""

    def read_until(self, pattern: str, *, after: int = 0) -> int:
        """Wait until what was written from `after` on fits; where it ends. Escape sequences are left in."""
        deadline = time.monotonic() + WAIT
        while (found := re.search(pattern, self.text[after:], re.DOTALL)) is None:
            assert time.monotonic() < deadline, f"{pattern!r} did not appear in …{self.text[after:][-800:]!r}"
            self._more()
        return after + found.end()

    def _more(self) -> bool:
        if not select.select([self.fd], [], [], 0.2)[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.text += data.decode("utf-8", "replace")
        return bool(data)

    def drain(self) -> None:
        """Let the program write for a moment."""
        for _ in range(5):
            self._more()

    def type(self, keys: str) -> None:
        os.write(self.fd, keys.encode())

    def end(self) -> int:
        """Wait until the program has ended; its exit code."""
        deadline = time.monotonic() + WAIT
        while self._more():
            assert time.monotonic() < deadline, self.text[-500:]
            if self.process.poll() is not None and not select.select([self.fd], [], [], 0)[0]:
                break
        return self.process.wait(WAIT)

    def resize(self, width: int, height: int) -> None:
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))


@contextmanager
def at_terminal(
    *arguments: str, width: int = 100, height: int = 30, program: tuple[str, str] = COMMAND, **environment: str
) -> Iterator[Terminal]:
    person, own = pty.openpty()
    fcntl.ioctl(own, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def own_terminal() -> None:
        os.setsid()
        fcntl.ioctl(own, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        [sys.executable, *program, *arguments],
        stdin=own,
        stdout=own,
        stderr=own,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "", "LINES": "", **environment},
        preexec_fn=own_terminal,
    )
    terminal = Terminal(process, person)
    try:
        yield terminal
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(own)
        os.close(person)


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


@pytest.fixture
def people(scripted: ScriptedGate) -> ScriptedGate:
    scripted.say("GET shares", {"shares": [views.share()]})
    scripted.say("GET visits", {"visits": [views.visit()]})
    scripted.say("GET audit", {"events": [{"at": views.NOW, "text": "It began."}], "next_after": None})
    return scripted


def test_a_table_is_drawn_with_colour_and_without_where_it_is_not_wanted(people: ScriptedGate) -> None:
    """At a terminal list draws a table; NO_COLOR leaves the colours out."""
    for environment in ({}, {"NO_COLOR": "1"}):
        with at_terminal("list", **environment) as terminal:
            assert terminal.end() == 0
            assert "─" in terminal.text
            assert "k7f2.a" in terminal.text
            assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", terminal.text) or not environment


def test_a_question_is_asked_at_a_terminal(people: ScriptedGate) -> None:
    """revoke asks, no changes nothing and exits with 1, y does it."""
    people.knows("link", "l1", "k7f2.a", "Ann")
    people.say("POST links/l1/revoke", {"link": views.link(), "ended": None})
    with at_terminal("revoke", "Ann") as terminal:
        terminal.read_until(r"for ever.*Go on\?")
        terminal.type("n\n")
        assert terminal.end() == 1
        assert "Nothing was changed." in terminal.text
    assert people.sent("POST links/l1/revoke") == []
    with at_terminal("revoke", "Ann") as terminal:
        terminal.read_until(r"Go on\?")
        terminal.type("y\n")
        assert terminal.end() == 0
        assert "Revoked link k7f2.a (Ann)" in terminal.text
    assert len(people.sent("POST links/l1/revoke")) == 1


def test_what_programs_ask_for_is_shown_in_two_lines(scripted: ScriptedGate) -> None:
    """Server URL and token, each whole, to be copied from a terminal."""
    token = "eyJ" + "x" * 200
    program = {"url": "http://127.0.0.1:8870/s/k7f2k7f2k7", "token": token}
    link = views.link() | {"url": f"http://127.0.0.1:8870/join#{token}", "program": program}
    answer = {"share": views.share(clients=True), "links": [link], "warnings": [], "overlaps": []}
    scripted.say("POST shares", answer)
    with at_terminal("share", "week3", "--clients", "--no-qr") as terminal:
        assert terminal.end() == 0
        text = plain(terminal.text)
    assert f"server URL  {program['url']}" in text
    assert f"token       {token}" in text
    assert "Programs do not knock" in text


def test_the_code_of_a_link_is_shown_where_it_fits(scripted: ScriptedGate) -> None:
    """share shows a QR code on a large terminal, says how to get one on a small one, and never breaks the address."""
    address = "http://127.0.0.1:8870/join#" + "x" * 230
    link = views.link() | {"url": address}
    scripted.say("POST shares", {"share": views.share(), "links": [link], "warnings": [], "overlaps": []})
    with at_terminal("share", "week3", width=120, height=60) as terminal:
        assert terminal.end() == 0
        assert address in terminal.text
        assert terminal.text.count("█") > 100
    with at_terminal("share", "week3", width=80, height=24) as terminal:
        assert terminal.end() == 0
        assert address in terminal.text
        assert "█" not in terminal.text
        assert "--qr FILE.png" in terminal.text


def test_a_server_token_is_asked_for_without_showing_it(scripted: ScriptedGate) -> None:
    """server add reads the token from the terminal and does not echo it."""
    scripted.say("POST servers", {"server": views.server()})
    with at_terminal("server", "add", "http://127.0.0.1:8888/") as terminal:
        terminal.read_until("not shown")
        terminal.type("s3cret\n")
        assert terminal.end() == 0
        assert "s3cret" not in terminal.text
    assert [(body or {})["token"] for body in scripted.sent("POST servers")] == ["s3cret"]


def test_the_live_screen_tells_an_alarm_when_it_happens(people: ScriptedGate) -> None:
    """It rings, names the version and the command, and `c` clears it for good."""
    people.say("POST alarms/1/dismiss", {"alarm": {"id": "1", "path": "week3/intro.ipynb"}})
    with at_terminal("watch", width=90, height=30) as terminal:
        terminal.read_until("It began.")
        _until_watched(people)
        people.say("GET alarms", {"alarms": [views.alarm()]})
        people.tell({"kind": "document", "at": views.NOW, "text": "It looks damaged.", "id": "", "share": ""})
        at = terminal.read_until("LOOKS DAMAGED")
        terminal.read_until("sharegate snapshot restore n4kd", after=at - 20)
        assert "\x07" in terminal.text
        terminal.type("c")
        terminal.read_until("Cleared the alarm about week3/intro.ipynb", after=at)
        people.say("GET alarms", {"alarms": []})
        terminal.type("q")
        assert terminal.end() == 0
    assert len(people.sent("POST alarms/1/dismiss")) == 1


def test_the_live_screen_follows_and_answers(people: ScriptedGate) -> None:
    """watch shows what was and what happens, a knock rings and is admitted by one key, resizing redraws, q leaves."""
    people.say("POST knocks/q3mkxxxxxx/admit", {"knock": views.knock()})
    with at_terminal("watch", width=80, height=24, program=SLOW_LOOK) as terminal:
        before = termios.tcgetattr(terminal.fd)
        terminal.read_until(re.escape(ALTERNATE))
        terminal.read_until("It began.")
        terminal.read_until("Nobody|Ann · her link")
        _until_watched(people)
        people.say("GET knocks", {"knocks": [views.knock()]})
        people.tell({"kind": "knock", "at": views.NOW, "text": "Eve knocked and waits.", "id": "", "share": ""})
        at = terminal.read_until("AT THE DOOR")
        assert "\x07" in terminal.text
        # A key right now is too quick and says so; it counts once the knock has been seen.
        terminal.type("a")
        terminal.read_until("Look, then press the key again", after=at)
        deadline = time.monotonic() + WAIT
        while not people.sent("POST knocks/q3mkxxxxxx/admit"):
            assert time.monotonic() < deadline
            terminal.type("a")
            terminal.drain()
        terminal.read_until("Admitted Eve", after=at)
        at = len(terminal.text)
        terminal.resize(60, 15)
        os.kill(terminal.process.pid, signal.SIGWINCH)
        terminal.read_until("sharegate", after=at)
        terminal.type("q")
        assert terminal.end() == 0
        assert termios.tcgetattr(terminal.fd)[3] == before[3]
    assert people.sent("POST knocks/q3mkxxxxxx/admit")[0] == {"role": None}
    assert terminal.text.rfind(NORMAL) > terminal.text.rfind(ALTERNATE)
    assert "your visitors stay" in terminal.text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_gives_the_terminal_back(people: ScriptedGate, number: signal.Signals) -> None:
    """Ended by a signal, the screen restores the terminal all the same."""
    with at_terminal("watch") as terminal:
        before = termios.tcgetattr(terminal.fd)
        terminal.read_until("HERE")
        terminal.process.send_signal(number)
        assert terminal.end() == 0
        assert termios.tcgetattr(terminal.fd)[3] == before[3]
    assert NORMAL in terminal.text


def test_the_end_of_the_gate_ends_the_screen(people: ScriptedGate) -> None:
    """When the gate stops, watch gives the terminal back, says so and exits with 5."""
    with at_terminal("watch") as terminal:
        terminal.read_until("HERE")
        _until_watched(people)
        people.tell(None)
        assert terminal.end() == 5
    after = plain(terminal.text[terminal.text.rfind(NORMAL) :])
    assert "the gate has stopped" in after
    assert "Traceback" not in terminal.text


def test_watch_in_a_pipe_prints_lines(people: ScriptedGate, home: Path) -> None:
    """Without a terminal each happening is a line, with --json an object, until a signal ends it."""
    for arguments, expected in (([], "Ann came in."), (["--json"], '"text": "Ann came in."')):
        watched = people.watchers
        process = subprocess.Popen(
            [sys.executable, "-m", "sharegate", "watch", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        try:
            _until_watched(people, watched)
            people.tell({"kind": "link", "at": views.NOW, "text": "Ann came in.", "id": "", "share": ""})
            assert process.stdout is not None
            line = process.stdout.readline().decode()
            while "Ann" not in line and line:
                line = process.stdout.readline().decode()
            assert expected in line
            process.send_signal(signal.SIGTERM)
            assert process.wait(WAIT) == 0
        finally:
            process.kill()
            process.communicate()


def _until_watched(gate: ScriptedGate, before: int = 0) -> None:
    deadline = time.monotonic() + WAIT
    while gate.watchers <= before:
        assert time.monotonic() < deadline
        time.sleep(0.02)
