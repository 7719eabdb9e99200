"""`notify …`: who is told of what happens, and whether it arrives."""

from __future__ import annotations

import typer

from sharegate.cli import moments, words
from sharegate.cli.command import Cli, command
from sharegate.cli.control import api_path
from sharegate.cli.output import shown
from sharegate.cli.problems import FAILED

_WHOM = {"owner": "you", "admins": "admins"}


def add(app: typer.Typer) -> None:
    notify = typer.Typer(help="Notifications of what happens.")
    command(notify, "status", examples=("sharegate notify status",))(status)
    command(notify, "test", examples=("sharegate notify test",))(test)
    app.add_typer(notify, name="notify", rich_help_panel="Look")


async def status(cli: Cli) -> None:
    """Which services are told of what, and how they do. Their addresses are secrets, and not shown."""
    async with cli.control() as control:
        answer = await control.call("GET", api_path("notifications"))
    if cli.as_json:
        cli.output.document(answer)
        return
    if not answer["on"]:
        cli.output.say("Nobody is told: no service is named.")
        cli.output.note("Set notify_file; see docs/notifications.md")
        return
    rows = [
        (
            shown(each["name"], 40),
            _WHOM.get(each["audience"], shown(each["audience"], 20)),
            str(int(each["sent"])),
            str(int(each["waiting"])),
            str(int(each["lost"])),
            moments.shown(float(each["last_sent"]), cli.zone) if each["last_sent"] else "never",
        )
        for each in answer["services"]
    ]
    cli.output.table(("SERVICE", "TELLS", "SENT", "WAITING", "LOST", "LAST SENT"), rows)
    about = [shown(each["meaning"], 100) for each in answer["about"] if each["told"]]
    cli.output.note(f"Told: {'; '.join(about)}.")
    cli.output.note(f"One kind about one share at most every {words.count(round(answer['quiet_minutes']), 'minute')}.")


async def test(cli: Cli) -> None:
    """Send a notification to each service, to see whether it arrives. Each has 20 seconds to take it."""
    async with cli.control() as control:
        answer = await control.call("POST", api_path("notifications", "test"))
    if cli.as_json:
        cli.output.document(answer)
    else:
        for each in answer["results"]:
            took = "took it. Look whether it arrived." if each["taken"] else "did not take it."
            cli.output.say(f"{shown(each['name'], 40)} {took}")
    if not all(each["taken"] for each in answer["results"]):
        raise typer.Exit(FAILED)
