"""`up`, `serve`, `watch`, `demo`: the commands that stay."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import sys
import webbrowser
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, ParamSpec

import typer

from sharegate.cli import words
from sharegate.cli.attach import attached
from sharegate.cli.command import Cli, command, typed_path, until_signalled
from sharegate.cli.control import Control, DirectControl, api_path, control_for
from sharegate.cli.live import LiveScreen
from sharegate.cli.output import shown
from sharegate.cli.problems import problems
from sharegate.cli.screen import leaving
from sharegate.config import Config
from sharegate.descriptors import raise_limit
from sharegate.errors import Invalid, Refused, SharegateError, Unreachable
from sharegate.garbage import settle
from sharegate.logs import configure
from sharegate.upstream.discover import FoundServer, runtime_directories

if TYPE_CHECKING:
    from sharegate.app import RunningGate

PANEL = "Run"
SHARE_MENU = "JupyterLab's own Share menu still gives the all-access link to everything. Use `sharegate share` instead."
CLOSED = "The gate is closed. Links stay valid for when it runs again."

# Where and how visitors come in: the options of a command that opens a gate, by the settings that they are.
REACH: dict[str, Any] = {
    "lan": Annotated[bool | None, typer.Option("--lan", help="Visitors in the local network may come in.")],
    "public_url": Annotated[
        str | None, typer.Option("--public-url", metavar="URL", help="The address visitors use, if not the gate's.")
    ],
    "share_hosts": Annotated[
        str | None,
        typer.Option("--share-hosts", metavar="NAME", help="Give each share a host below NAME (here: localhost)."),
    ],
    "accept_shared_origin": Annotated[
        bool | None,
        typer.Option("--accept-shared-origin", help="Serve several owners from one address."),
    ],
    "tls_certificate": Annotated[
        Path | None, typer.Option("--tls-certificate", metavar="FILE", help="The gate's own TLS certificate (PEM).")
    ],
    "tls_key": Annotated[
        Path | None, typer.Option("--tls-key", metavar="FILE", help="The key of that certificate (PEM).")
    ],
    "trusted_forwarders": Annotated[
        str | None,
        typer.Option(
            "--trusted-forwarders",
            metavar="ADDRESSES",
            help="Proxies in front that say who a visitor is; addresses or networks, with commas between.",
        ),
    ],
    "insecure": Annotated[bool | None, typer.Option("--insecure", help="Accept plain http off this computer.")],
    "gate_host": Annotated[
        str | None, typer.Option("--host", metavar="NAME", help="This computer's name or address in links.")
    ],
    "gate_port": Annotated[
        int | None, typer.Option("--port", metavar="N", help="The gate's port; the same again keeps links alive.")
    ],
}
P = ParamSpec("P")


def _opening(
    body: Callable[Concatenate[Cli, Config, P], Coroutine[Any, Any, None]],
) -> Callable[..., Coroutine[Any, Any, None]]:
    """A command that opens a gate: its second parameter, the settings, becomes the options of REACH."""
    untyped: Callable[..., Coroutine[Any, Any, None]] = body

    @functools.wraps(body)
    async def run(cli: Cli, **given: Any) -> None:
        reach = {name: given.pop(name) for name in REACH}
        await untyped(cli, _settings(cli, **reach), **given)

    signature = inspect.signature(body, eval_str=True)
    first, _, *own = signature.parameters.values()
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in REACH.items()
    ]
    vars(run)["__signature__"] = signature.replace(parameters=[first, *own, *options])
    return run


def add(app: typer.Typer) -> None:
    command(app, "demo", panel=PANEL, examples=("sharegate demo",))(demo)
    command(
        app,
        "up",
        panel=PANEL,
        examples=(
            "sharegate up",
            "sharegate up ~/lectures",
            "sharegate up ~/lectures --public-url https://share.example.org",
            "sharegate up --share-hosts localhost",
            "sharegate up --lan --insecure",
            "sharegate up --lan --host laptop.example.org --tls-certificate cert.pem --tls-key key.pem",
        ),
    )(up)
    command(
        app,
        "serve",
        panel=PANEL,
        examples=(
            "sharegate serve --config /etc/sharegate/gate.toml",
            "sharegate serve --public-url https://share.example.org",
            "sharegate serve --public-url https://share.example.org --share-hosts share.example.org",
            "sharegate serve --public-url https://share.example.org --trusted-forwarders 127.0.0.1",
        ),
    )(serve)
    command(
        app, "watch", panel="People at the door and inside", examples=("sharegate watch", "sharegate watch --json")
    )(watch)


def _settings(cli: Cli, **given: Any) -> Config:
    overrides = {
        name: str(value) if isinstance(value, Path) else value for name, value in given.items() if value is not None
    }
    if overrides.get("lan") and "gate_host" not in overrides and (address := _network_address()):
        overrides["gate_host"] = address
    return cli.config(**overrides)


def _network_address() -> str:
    from sharegate.ports import network_address

    return network_address()


@_opening
async def up(
    cli: Cli,
    config: Config,
    path: Annotated[str, typer.Argument(metavar="PATH", help="A folder that you will share from.")] = ".",
) -> None:
    """Open the gate in front of your Jupyter server, and watch who comes.

    Finds the running server that holds PATH, or starts JupyterLab there. Nothing is shared by itself: give links with
    `sharegate share` in another terminal. At a terminal it becomes your live screen; leaving it closes the gate, and
    links work again when you run it again.
    """
    folder = Path(typed_path(path)).expanduser()
    if not folder.exists():
        raise Invalid("path", f"there is no {folder}", "Name a folder that exists")
    screen = None
    async with _open_gate(cli, config) as (gate, stop), attached(folder, gate.servers, stop, cli.output.note) as own:
        if own is not None:
            control = DirectControl(gate.api, live=True)
            await _introduce(cli, control, own.server)
            if _interactive(cli):
                screen = LiveScreen(
                    control,
                    cli.output.console,
                    sys.stdin.fileno(),
                    zone=cli.zone,
                    now=cli.now,
                    cuts=True,
                    lab=own.started,
                    open_lab=_opener(own.server),
                )
                await screen.run(stop)
            else:
                await stop.wait()
            gate.drain()
    cli.output.note(leaving(screen.board, done=True) if screen else CLOSED, "")


@contextlib.asynccontextmanager
async def _open_gate(
    cli: Cli, config: Config, hangup: asyncio.Event | None = None
) -> AsyncIterator[tuple[RunningGate, asyncio.Event]]:
    """A running gate, and the event that says to stop. Refused when one runs already with these records. SIGHUP sets
    `hangup`, where there is one, and ends the gate elsewhere."""
    from sharegate.app import running

    with contextlib.suppress(Unreachable):
        async with control_for(config, gate_needed=True) as control:
            facts = await control.call("GET", api_path("gate"))
            raise Refused(
                "gate_running",
                f"a gate runs already at {shown(facts.get('gate_url'))} (process {shown(facts.get('pid'))})",
                "Watch it with `sharegate watch`; share with `sharegate share PATH`",
            )
    raise_limit()
    log = configure(config.log_level, sys.stderr, config.log_format)
    opened: list[RunningGate] = []
    told = False

    def progress(said: str) -> None:
        # The addresses are told once, in full, when everything runs.
        if told:
            cli.output.note(said)

    def hurry() -> None:
        for gate in opened:
            gate.hurry()

    signalled = until_signalled(hurry, hangup=hangup.set if hangup is not None else None)
    async with signalled as stop, running(config, progress=progress) as gate:
        opened.append(gate)
        log.known = gate.secrets
        told = True
        settle()
        for each in gate.applied:
            cli.output.warn(f"By the rules: {shown(each, 300)}")
        try:
            yield gate, stop
        finally:
            gate.drain()


async def _introduce(cli: Cli, control: Control, found: FoundServer | None) -> None:
    """Where visitors and the owner go, and what may be wrong."""
    facts = await control.call("GET", api_path("gate"))
    if cli.as_json:
        cli.output.document(facts)
        sys.stdout.flush()
        return
    cli.output.say(f"Visitors come in at {facts['gate_url']} ({words_of_reach(facts)}).")
    if facts.get("share_hosts"):
        cli.output.say(f"Each share has an address of its own: {shown(facts.get('share_address'))}")
    else:
        cli.output.say("All shares have this one address (docs/hosts.md: when each should have its own).")
    for server in facts["servers"]:
        if found is not None and server["url"] == found.url:
            server["state"] = "here"  # it answered a moment ago; the gate's own look at it may be older
        cli.output.say(f"Jupyter server {shown(server['name'], 60)}: {words.server_state(server)}.")
    if found is not None:
        cli.output.say(f"Your JupyterLab: {found.url}lab (its token: jupyter server list)")
    for warning in facts["warnings"]:
        cli.output.warn(shown(warning))
    if found is not None:
        cli.output.warn(SHARE_MENU)
    cli.output.note("Nothing is shared by itself. In another terminal: sharegate share PATH --for NAME")
    sys.stdout.flush()


def words_of_reach(facts: dict[str, Any]) -> str:
    return {"this computer": "this computer only", "local network": "the local network"}.get(
        str(facts.get("reach")), shown(facts.get("reach"))
    )


def _interactive(cli: Cli) -> bool:
    return cli.output.terminal and sys.stdin.isatty()


def _opener(found: FoundServer) -> Callable[[], str]:
    """Open the server in the owner's browser by the file that Jupyter keeps for that: the token stays out of argv."""

    def open_lab() -> str:
        for directory in runtime_directories():
            page = directory / f"jpserver-{found.pid}-open.html"
            if page.is_file():
                if webbrowser.open(page.as_uri()):
                    return "Your JupyterLab opens in the browser."
                return f"No browser could be started. Open {page}"
        return f"Open {found.url}lab; `jupyter server list` shows its token."

    return open_lab


@_opening
async def serve(cli: Cli, config: Config) -> None:
    """Run the gate without a screen, for a service. Servers are those that `server add` or `up` recorded.

    SIGHUP has it read again what may be handed out, as `policy reload` does, unless a terminal sent it.
    """
    hangup = None if sys.stdin is not None and sys.stdin.isatty() else asyncio.Event()
    async with _open_gate(cli, config, hangup) as (gate, stop):
        control = DirectControl(gate.api, live=True)
        await _introduce(cli, control, None)
        reloading = asyncio.create_task(_reload_on(cli, hangup, control)) if hangup is not None else None
        await stop.wait()
        if reloading is not None:
            reloading.cancel()
            await asyncio.gather(reloading, return_exceptions=True)
    cli.output.note(CLOSED)


async def _reload_on(cli: Cli, hangup: asyncio.Event, control: Control) -> None:
    """What may be handed out, each time that SIGHUP comes. A faulty file is told and changes nothing."""
    while True:
        await hangup.wait()
        hangup.clear()
        try:
            answer = await control.call("POST", api_path("rules", "reload"), body={})
        except SharegateError as error:  # fails closed: the rules before stay in force
            for problem in problems(error):
                cli.output.note(f"Rules not read: {shown(f'{problem.field}: {problem.message}', 500)}", "")
            continue
        for each in answer["consequences"]:
            cli.output.note(f"By the rules: {shown(each['label'])} {shown(each['what'], 300)}")
        cli.output.note(f"The rules are in force: {answer['stops']} stopped, {answer['shrinks']} changed.")


async def watch(cli: Cli) -> None:
    """Watch a running gate: who is here and where, who knocks. Keys answer; leaving changes nothing.

    In a pipe it prints a line for each thing that happens, with --json a JSON object on each line.
    """
    async with cli.control(gate_needed=True) as control, until_signalled() as stop:
        if _interactive(cli):
            screen = LiveScreen(control, cli.output.console, sys.stdin.fileno(), zone=cli.zone, now=cli.now)
            await screen.run(stop)
            cli.output.note(leaving(screen.board), "")
            return
        lines = asyncio.create_task(_lines(cli, control))
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({lines, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if lines.done():
                lines.result()
        finally:
            for task in (lines, stopped):
                task.cancel()
            await asyncio.gather(lines, stopped, return_exceptions=True)


async def _lines(cli: Cli, control: Control) -> None:
    from datetime import datetime

    async for change in control.changes():
        if cli.as_json:
            cli.output.json_line(change)
        elif change.get("text"):
            cli.output.say(f"{datetime.fromtimestamp(float(change['at']), cli.zone):%H:%M:%S}  {shown(change['text'])}")
            sys.stdout.flush()


async def demo(cli: Cli) -> None:
    """See the whole product in a minute, with a sample project and a robot visitor.

    It starts a JupyterLab of its own on a sample folder, a gate with records of its own, and a robot who visits by a
    real link. Your files, settings, servers and shares are not touched, and everything is removed when you leave.
    """
    from sharegate.demo import run

    await run(cli)
