"""`health`, `alarms`, `dismiss`: how the gate is doing, and documents that look damaged."""

from __future__ import annotations

from typing import Annotated

import typer

from sharegate.cli import moments, words
from sharegate.cli.command import Cli, command
from sharegate.cli.control import Json, api_path
from sharegate.cli.output import shown
from sharegate.cli.problems import FAILED

PANEL = "Look"

_NUMBERS = {
    "visits": "visits with something open",
    "rooms": "live documents",
    "unsaved": "of them wait to be saved",
    "knocks": "knocks that wait",
    "trail_waiting": "events not yet written",
    "versions_bytes": "bytes of kept versions",
    "connections": "connections",
    "connections_most": "connections at most",
    "connections_refused": "connections refused since the start",
    "clock_behind": "seconds that the clock was set back",
}


def add(app: typer.Typer) -> None:
    command(app, "health", panel=PANEL, examples=("sharegate health", "sharegate health --json"))(health)
    command(app, "alarms", panel=PANEL, examples=("sharegate alarms", "sharegate alarms --json"))(alarms)
    command(app, "dismiss", panel=PANEL, examples=("sharegate dismiss 3",))(dismiss)


async def health(cli: Cli) -> None:
    """How the running gate is doing: whether it can let people in, check by check, and its numbers.

    Exit code 1 when a check fails, 5 when no gate runs. What to do about it says `sharegate doctor`.
    """
    async with cli.control(gate_needed=True) as control:
        answer = await control.call("GET", api_path("health"))
    bad = [name for name, said in answer["checks"].items() if said != "ok"]
    if cli.as_json:
        cli.output.document(answer)
    else:
        _tell(cli, answer)
        if bad:
            cli.output.note("What is wrong, and what to do: sharegate doctor")
    if bad or not answer["running"]:
        raise typer.Exit(FAILED)


def _tell(cli: Cli, answer: Json) -> None:
    rows = [(shown(name, 40), shown(said, 20)) for name, said in answer["checks"].items()]
    rows += [(f"channels: {shown(kind, 40)}", _number(count)) for kind, count in answer["channels"].items()]
    rows += [(_NUMBERS.get(name, shown(name, 40)), _number(value)) for name, value in answer["numbers"].items()]
    cli.output.table(("WHAT", "NOW"), rows)


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


async def alarms(cli: Cli) -> None:
    """Documents that look damaged, the newest first: what happened, and the commands that go back.

    Exit code 1 when there is one. They stand here since the gate started; the history has all of them.
    """
    async with cli.control() as control:
        answer = await control.call("GET", api_path("alarms"))
    if cli.as_json:
        cli.output.document(answer)
    elif not answer["alarms"]:
        cli.output.say("No document looks damaged." if control.live else "No gate is running: nobody watches.")
    else:
        for one in answer["alarms"]:
            said, back, undo = words.alarm(one)
            cli.output.say(f"{shown(one['id'], 20)}  {moments.shown(float(one['at']), cli.zone)}  {said}")
            for line in (back, undo):
                if line:
                    cli.output.say(f"     {line}")
        cli.output.note("You have seen it and all is well: sharegate dismiss ID")
    if answer["alarms"]:
        raise typer.Exit(FAILED)


async def dismiss(
    cli: Cli, id: Annotated[str, typer.Argument(metavar="ID", help="The alarm's number, as `sharegate alarms` has it.")]
) -> None:
    """Say that you have seen an alarm: it stands above your screens no more. The history keeps it."""
    async with cli.control() as control:
        answer = await control.call("POST", api_path("alarms", id, "dismiss"))
    if cli.as_json:
        cli.output.document(answer)
    else:
        cli.output.say(f"The alarm about {shown(answer['alarm']['path'])} is gone. The history keeps it.")
