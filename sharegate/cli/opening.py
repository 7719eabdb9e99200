"""`sharegate open`: the dashboard in a browser."""

from __future__ import annotations

import asyncio
import html
import os
import webbrowser
from pathlib import Path
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
    if not print_only and await asyncio.to_thread(_in_browser, url, cli.config().socket_path.parent):
        cli.output.say("Your dashboard opens in a browser.")
        return
    cli.output.say(url)
    cli.output.note(f"Works once, within {span(float(made['expires']) - cli.now())}. Whoever has it is you.")


def _in_browser(url: str, folder: Path) -> bool:
    """By a page in the gate's own 0700 folder that leads there: what a program is started with, everybody on this
    computer can read. False when no browser can be started."""
    page = folder / "open.html"
    page.unlink(missing_ok=True)
    address = html.escape(url)
    text = (
        '<!doctype html><meta charset="utf-8"><title>sharegate</title>'
        f'<meta http-equiv="refresh" content="0; url={address}"><a href="{address}">Open the dashboard</a>'
    )
    with os.fdopen(os.open(page, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    return webbrowser.open(page.as_uri())
