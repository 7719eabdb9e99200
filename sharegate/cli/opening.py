"""`sharegate open`: the dashboard in a browser."""

from __future__ import annotations

import asyncio
import webbrowser
from typing import Annotated

import typer

from sharegate.cli.command import Cli, command
from sharegate.cli.control import api_path
from sharegate.cli.moments import span

PANEL = "The gate"


def add(app: typer.Typer) -> None:
    command(app, "open", panel=PANEL, examples=("sharegate open", "sharegate open --print"))(open_dashboard)


async def open_dashboard(
    cli: Cli,
    print_only: Annotated[
        bool, typer.Option("--print", help="Print the address instead of opening a browser here.")
    ] = False,
) -> None:
    """Open the dashboard in your browser. The address signs one browser in, once, within two minutes."""
    async with cli.control(gate_needed=True) as control:
        made = await control.call("POST", api_path("logins"))
    if cli.as_json:
        cli.output.document(made)
        return
    url = str(made["url"])
    if not print_only and await asyncio.to_thread(webbrowser.open, url):
        cli.output.say("Your dashboard opens in a browser.")
        return
    cli.output.say(url)
    cli.output.note(f"Works once, within {span(float(made['expires']) - cli.now())}. Whoever has it is you.")
