"""`mail …`: whether the gate can send mail."""

from __future__ import annotations

from typing import Annotated

import typer

from sharegate.cli.command import Cli, command
from sharegate.cli.control import api_path
from sharegate.cli.output import shown


def add(app: typer.Typer) -> None:
    mail = typer.Typer(help="Mail that the gate sends.")
    command(mail, "test", examples=("sharegate mail test you@example.org",))(test)
    app.add_typer(mail, name="mail", rich_help_panel="Look")


async def test(
    cli: Cli, address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Where the test mail goes.")]
) -> None:
    """Send a test mail, to see whether codes and links would arrive.

    The mail server's answer is told within 20 seconds. That it took the mail does not say that it arrives: look there.
    """
    async with cli.control() as control:
        answer = await control.call("POST", api_path("mail", "test"), body={"address": address})
    if cli.as_json:
        cli.output.document(answer)
        return
    cli.output.say(f"{shown(answer['server'])} took a test mail for {shown(answer['address'])}.")
    cli.output.note("Look whether it arrives, and whether it lies among the spam.")
