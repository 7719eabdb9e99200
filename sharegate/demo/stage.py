"""Sets the demo up, shows it, and takes it down again without a trace."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from sharegate import app
from sharegate.cli.command import Cli, until_signalled
from sharegate.cli.control import Control, DirectControl, api_path
from sharegate.cli.live import LiveScreen
from sharegate.config import load
from sharegate.demo.project import NOTEBOOK, SHARED, plant
from sharegate.demo.story import Story
from sharegate.upstream.start import RunningLab, start_lab

Json = dict[str, Any]
REFUSE_AFTER = 3.0


class _WithRobots:
    """The owner's API, with the robots' lines among what happens."""

    live = True

    def __init__(self, control: Control, now: Any) -> None:
        self._control = control
        self._now = now
        self._lines: asyncio.Queue[Json] = asyncio.Queue()

    def tell(self, line: str) -> None:
        self._lines.put_nowait({"kind": "robot", "at": self._now(), "text": line, "id": "", "share": ""})

    async def call(self, method: str, path: str, *, query: Json | None = None, body: Json | None = None) -> Json:
        return await self._control.call(method, path, query=query, body=body)

    async def changes(self) -> AsyncGenerator[Json]:
        async def follow() -> None:
            async for change in self._control.changes():
                # A room's and a page's own events say less than the robots do.
                self._lines.put_nowait(change)

        following = asyncio.create_task(follow())
        try:
            while True:
                yield await self._lines.get()
        finally:
            following.cancel()


async def run(cli: Cli) -> None:
    """Until the owner leaves. Raises Invalid when JupyterLab is not installed."""
    with tempfile.TemporaryDirectory(prefix="sharegate-demo-") as folder:
        home = Path(folder)
        project = home / "project"
        project.mkdir()
        plant(project)
        async with until_signalled() as stop, _lab(cli, home, project) as lab:
            config = load(
                None,
                {},
                {"data_dir": str(home / "gate"), "gate_port": 0, "dashboard_port": 0, "owner": "Olga (you)"},
            )
            async with app.running(config) as gate:
                await gate.servers.record(lab.found)
                control = _WithRobots(DirectControl(gate.api, live=True), cli.now)
                await _show(cli, control, project, lab, stop)
                gate.drain()
    cli.output.note("The demo is over. Nothing of it is left on this computer.")


@contextlib.asynccontextmanager
async def _lab(cli: Cli, home: Path, project: Path) -> AsyncGenerator[RunningLab]:
    """A JupyterLab whose configuration, data and history lie in the demo's own folder."""
    environment = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "IPYTHONDIR": str(home / "ipython"),
    }
    lab = await start_lab(project, environment=environment, progress=lambda line: cli.output.note(line))
    try:
        yield lab
    finally:
        await lab.stop()


async def _show(cli: Cli, control: _WithRobots, project: Path, lab: RunningLab, stop: asyncio.Event) -> None:
    made = await control.call(
        "POST",
        api_path("shares"),
        body={
            "path": str(project / SHARED),
            "role": "edit",
            "for": ["Robo", "You"],
            "open_file": NOTEBOOK,
            "message": "A sample folder. Have a look around.",
        },
    )
    robo, you = made["links"]
    await control.call("PATCH", api_path("links", you["id"]), body={"role": "view"})
    owner = f"{lab.url}lab/tree/{SHARED}/{NOTEBOOK}?token={lab.token.secret}"
    if cli.as_json:
        cli.output.document({"owner": owner, "visitor": you["url"], "gate": (await _gate(control))["gate_url"]})
    else:
        cli.output.say("Open these two side by side:", "bold")
        cli.output.say(f"  owner    {owner}")
        cli.output.say(f"  visitor  {you['url']}")
        cli.output.say("Type in the owner's notebook and watch the visitor's page. A robot visits meanwhile.")
    sys.stdout.flush()
    interactive = not cli.as_json and sys.stdin.isatty() and sys.stdout.isatty()
    story = Story(robo["url"], control.tell if interactive else lambda line: cli.output.note(line, ""))
    playing = asyncio.create_task(story.run())
    refusing = None
    try:
        if interactive:
            cli.output.say("Keys on the next screen: a admits who knocks, r refuses, x ends a visitor, q leaves.")
            cli.output.say("Press Enter to see it.")
            await _enter(stop)
            screen = LiveScreen(control, cli.output.console, sys.stdin.fileno(), zone=cli.zone, now=cli.now, cuts=True)
            await screen.run(stop)
        else:
            refusing = asyncio.create_task(_refuse_eve(control, story))
            await stop.wait()
    finally:
        for task in (playing, refusing):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)


async def _gate(control: Control) -> Json:
    return await control.call("GET", api_path("gate"))


async def _enter(stop: asyncio.Event) -> None:
    """Wait for a line at the terminal, or for the end."""
    pressed = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), pressed.set)
    waits = [asyncio.create_task(pressed.wait()), asyncio.create_task(stop.wait())]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if pressed.is_set():
            os.read(sys.stdin.fileno(), 1024)
    finally:
        loop.remove_reader(sys.stdin.fileno())
        for task in waits:
            task.cancel()


async def _refuse_eve(control: Control, story: Story) -> None:
    """Without a terminal nobody can answer a knock, so it is refused after a moment."""
    await story.knocked.wait()
    await asyncio.sleep(REFUSE_AFTER)
    for knock in (await control.call("GET", api_path("knocks")))["knocks"]:
        await control.call("POST", api_path("knocks", knock["id"], "refuse"))
