"""The commands with nothing scripted: real records on disk, a real JupyterLab, a real gate."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import pytest

from sharegate.demo.notebook import LiveNotebook
from sharegate.demo.visitor import RobotVisitor
from tests.cli.conftest import run
from tests.cli.test_terminal import NORMAL, Terminal, at_terminal, plain
from tests.real.jupyter import JupyterServer

pytestmark = pytest.mark.real
WAIT = 60.0


@pytest.fixture
def lab(home: Path, jupyter: JupyterServer, monkeypatch: pytest.MonkeyPatch) -> JupyterServer:
    """The owner's running server, which commands find by its runtime directory. Ports are free ones."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(jupyter.root.parent / "runtime"))
    monkeypatch.setenv("SHAREGATE_GATE_PORT", "0")
    monkeypatch.setenv("SHAREGATE_DASHBOARD_PORT", "0")
    return jupyter


@contextmanager
def staying(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A command that stays, and the JSON document that it printed when it was ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sharegate", *arguments, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    try:
        lines = []
        assert process.stdout is not None
        while not lines or lines[-1] not in ("}\n", ""):
            lines.append(process.stdout.readline())
        assert lines[-1], process.stderr.read() if process.stderr else ""
        yield process, json.loads("".join(lines))
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.communicate(timeout=WAIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def door(address: str) -> str:
    """What the gate says about a link: `open`, `paused`, `ended` …"""
    base, _, token = address.strip().partition("/join#")
    request = urllib.request.Request(
        f"{base}/join/about",
        data=json.dumps({"token": token}).encode(),
        headers={"Origin": base, "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=WAIT) as answer:
        return str(json.loads(answer.read())["state"])


def test_without_a_gate_links_are_made_and_it_is_said_that_nobody_can_enter(lab: JupyterServer) -> None:
    """share, list, change, pause, resume, replace, revoke and the history work on the records alone."""
    folder = str(lab.root / "sub" / "shared")
    ran = run("share", folder, "--for", "Ann", "--for", "Bo", "--expires", "2h")
    assert ran.code == 0, ran.err
    assert ran.err.count("nobody can enter until `sharegate up` runs") == 1
    first, second = ran.out.split()
    assert first != second
    listed = run("list", "--json").document["shares"][0]
    label = listed["label"]
    assert (listed["root"], [link["name"] for link in listed["links"]]) == ("sub/shared", ["Ann", "Bo"])
    assert "nobody can enter" in run("list").err
    assert run("list", "--urls", "--json").document["shares"][0]["links"][0]["url"] == first
    assert run("change", "Ann", "--name", "Anna").code == 0
    assert run("change", label, "--expires", "3h").code == 0
    assert run("pause", label).code == 0
    assert run("list", "--json").document["shares"][0]["state"] == "paused"
    assert run("resume", label).code == 0
    replaced = run("replace", "Anna")
    assert replaced.code == 0
    assert replaced.out.strip() not in (first, second, "")
    assert "/join#" in run("preview", label).out
    assert "link for Anna, active" in run("passing", label).out
    assert label in run("review").out
    assert run("review", "--sign", "--yes").code == 0
    assert "signed it off (1 share," in run("audit", "show", "--action", "access.reviewed").out
    assert run("revoke", f"{label}.b", "--yes").code == 0
    assert run("revoke", label, "--yes").code == 0
    assert run("list").out == "You share nothing.\n"
    assert label in run("list", "--all").out
    verified = run("audit", "verify", "--json")
    assert (verified.code, verified.document["intact"]) == (0, True)
    shown = run("audit", "show", "--share", label).out
    assert "shared a folder" in shown
    exported = [json.loads(line) for line in run("audit", "export", "--share", label).out.splitlines()]
    assert [event["seq"] for event in exported] == sorted(event["seq"] for event in exported)
    assert {"share.created", "link.replaced", "share.revoked"} <= {event["action"] for event in exported}


def test_what_the_rules_refuse_creates_nothing(lab: JupyterServer) -> None:
    """The server's root, hidden folders, missing ones and far ends are refused with their own exit codes."""
    for path, arguments, codes in (
        (lab.root, (), (2, 3)),
        (lab.root / "sub" / "shared" / ".hid", (), (2, 3)),
        (lab.root / "sub" / "none", (), (2, 4)),
        (lab.root / "sub" / "shared", ("--expires", "300w"), (2, 3)),
        (lab.root / "sub" / "shared", ("--anyone", "--visits", "100000"), (3,)),
        (Path("/nowhere/at/all"), (), (5,)),
    ):
        ran = run("share", str(path), *arguments)
        assert ran.code in codes, (path, arguments, ran)
        assert ran.err.startswith("Error: ")
        assert ran.out == ""
    assert run("list").out == "You share nothing.\n"


def test_names_that_fit_several_links_are_listed(lab: JupyterServer) -> None:
    """Two links for Ann: revoking Ann lists both and revokes none."""
    for folder in ("shared", "shared2"):
        assert run("share", str(lab.root / "sub" / folder), "--for", "Ann").code == 0
    ran = run("revoke", "Ann", "--yes", "--json")
    assert ran.code == 2
    assert len(ran.document["error"]["candidates"]) == 2
    states = [link["state"] for share in run("list", "--json").document["shares"] for link in share["links"]]
    assert states == ["active", "active"]


def test_other_commands_look_at_the_records(lab: JupyterServer) -> None:
    """doctor, key list, server list and passed-on answer without a gate."""
    assert run("doctor").code == 0
    assert len(run("key", "list", "--json").document["keys"]) == 1
    assert run("server", "list").code == 0
    assert run("audit", "passed-on").out.startswith("Nothing was passed on")


def test_up_stands_in_front_of_the_running_server(lab: JupyterServer) -> None:
    """In a pipe `up` finds the server and stays until SIGTERM; links open, and a second `up` is refused."""
    with staying("up", str(lab.root / "sub")) as (process, facts):
        assert facts["reach"] == "this computer"
        assert [server["url"] for server in facts["servers"]] == [lab.url]
        shared = run("share", str(lab.root / "sub" / "shared"), "--for", "Ann")
        assert shared.code == 0, shared.err
        assert "nobody can enter" not in shared.err
        assert shared.out.startswith(facts["gate_url"] + "/join#")
        assert door(shared.out) not in ("paused", "ended")
        again = run("up", str(lab.root))
        assert again.code == 1
        assert "a gate runs already" in again.err
        assert run("revoke", "Ann", "--yes").code == 0
        assert door(shared.out) == "ended"
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT) == 0
    assert lab.process.poll() is None
    ran = run("watch")
    assert ran.code == 5


def test_somebody_is_admitted_to_edit(lab: JupyterServer) -> None:
    """To a share to view they are admitted to view, and it is said; when the share is changed to edit, they write."""
    path = lab.root / "sub" / "admitting" / "admitted.ipynb"  # what others list stays as it is
    path.parent.mkdir()
    nbformat.write(nbformat.v4.new_notebook(), path)
    with staying("up", str(lab.root / "sub")):
        address = run("share", str(path), "--for", "Ann").out.strip()

        async def story() -> None:
            async with contextlib.AsyncExitStack() as closing:
                ann, eve = RobotVisitor("Ann", address), RobotVisitor("Eve", address)
                for robot in (ann, eve):
                    closing.push_async_callback(robot.close)
                assert await ann.enter()
                knock = await eve.knock()
                ran = await asyncio.to_thread(run, "admit", "Eve", "--role", "edit")
                assert (ran.code, ran.out) == (0, "Admitted Eve for this visit: can view.\n")
                assert "The share itself is to view, so this is too" in ran.err
                assert await eve.knock_state(knock) == "admitted"
                await write(eve, "too-early", saved=False)
                ran = await asyncio.to_thread(run, "change", "admitted.ipynb", "--role", "edit")
                assert ran.code == 0 and "Whoever runs a cell runs what editors wrote" in ran.err, ran
                await write(eve, "now", saved=True)

        async def write(robot: RobotVisitor, id: str, *, saved: bool) -> None:
            page = await LiveNotebook.opened(robot, "sub/admitting/admitted.ipynb")
            assert page is not None
            await page.add_cell(id)
            await page.type(id, f"# {id}")
            assert not saved or await page.becomes(lambda: f"# {id}" in path.read_text(), within=WAIT)
            await page.close()

        asyncio.run(story())
        assert "too-early" not in path.read_text()


def test_serve_runs_with_what_was_recorded(lab: JupyterServer) -> None:
    """serve brings links back that were made before it ran."""
    shared = run("share", str(lab.root / "sub" / "shared"), "--for", "Ann")
    label = run("list", "--json").document["shares"][0]["label"]
    assert shared.code == 0
    with staying("serve") as (process, facts):
        address = run("list", "--urls", "--json").document["shares"][0]["links"][0]["url"]
        assert address.startswith(facts["gate_url"])
        assert door(address) not in ("paused", "ended")
        assert run("pause", label).code == 0
        assert door(address) == "paused"
        process.send_signal(signal.SIGINT)
        assert process.wait(WAIT) == 0


def test_up_with_a_host_for_each_share(lab: JupyterServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Links lead to their share's host, and doctor says so; the setting comes from the environment too."""
    with staying("up", str(lab.root), "--share-hosts", "localhost") as (_, facts):
        port = facts["gate_url"].rpartition(":")[2]
        assert facts["share_address"] == f"http://SHARE.localhost:{port}/"
        shared = run("share", str(lab.root / "sub" / "shared"), "--for", "Ann")
        assert shared.out.partition(".")[2].startswith(f"localhost:{port}/join#"), shared
        assert "Each share has a host of its own below localhost" in run("doctor").out
    monkeypatch.setenv("SHAREGATE_SHARE_HOSTS", "*.localhost")
    assert "without the star" in run("config", "check").err
    monkeypatch.setenv("SHAREGATE_SHARE_HOSTS", "localhost")
    assert run("config", "check", "--json").document["share_hosts"] == "localhost"
    assert "below localhost" in run("config", "check").err


def test_up_at_a_terminal_is_the_owners_screen(lab: JupyterServer) -> None:
    """At a terminal `up` shows the gate, follows what another terminal does, and says what leaving does."""
    with at_terminal("up", str(lab.root), width=90, height=30) as terminal:
        terminal.read_until("LATELY")
        assert "Share menu still gives the all-access link" in plain(terminal.text)
        assert "All shares have this one address" in plain(terminal.text)
        assert run("share", str(lab.root / "sub" / "shared"), "--for", "Ann").code == 0
        terminal.read_until("sub/shared")
        at = terminal.read_until("The owner shared a folder")
        _pause_on_screen(terminal, at)
        terminal.type("q")
        assert terminal.end() == 0
    left = plain(terminal.text[terminal.text.rfind(NORMAL) :])
    assert "Nobody is inside. Links stay valid" in left
    assert lab.process.poll() is None


def _pause_on_screen(terminal: Terminal, at: int) -> None:
    terminal.type("p")
    at = terminal.read_until("Pause or resume what", after=at)
    terminal.type("1")
    terminal.read_until("Paused share", after=at)
    deadline = time.monotonic() + WAIT
    while run("list", "--json").document["shares"][0]["state"] != "paused":
        assert time.monotonic() < deadline
