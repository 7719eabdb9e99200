"""`token …`: tokens with which programs ask the owner's API."""

from __future__ import annotations

from typing import Annotated

import typer

from sharegate.cli import moments
from sharegate.cli.command import Cli, command
from sharegate.cli.control import Json, api_path
from sharegate.cli.output import shown
from sharegate.cli.problems import Usage
from sharegate.shares.api_tokens import ApiCapability


def add(app: typer.Typer) -> None:
    token = typer.Typer(help="Tokens for programs that act for you.")
    examples = (
        "sharegate token create nightly --can shares:read --can trail:read --expires 30d",
        "sharegate token create lms --can shares:read --can shares:write --expires 2026-12-24",
    )
    command(token, "create", examples=examples)(create)
    command(token, "list", examples=("sharegate token list",))(list_tokens)
    command(token, "revoke", examples=("sharegate token revoke nightly",))(revoke)
    app.add_typer(token, name="token", rich_help_panel="The gate")


async def create(
    cli: Cli,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the token is for.")],
    can: Annotated[
        list[ApiCapability], typer.Option("--can", help="What it may do; several times for several things.")
    ],
    expires: Annotated[
        str, typer.Option("--expires", metavar="WHEN", help="When it ends: 30d, 2026-12-24; at most a year from now.")
    ],
) -> None:
    """Make a token for a program, and show it this once.

    Whoever has it can do what it may, at the dashboard's address of this computer, until it ends. The history names it.
    """
    ends = moments.parse(expires, now=cli.now(), zone=cli.zone, field="--expires")
    body: Json = {"name": name, "capabilities": [each.value for each in can], "expires": ends}
    async with cli.control() as control:
        made = await control.call("POST", api_path("tokens"), body=body)
    if cli.as_json:
        cli.output.document(made)
        return
    cli.output.say(str(made["secret"]))
    until = moments.shown(float(made["token"]["expires"]), cli.zone)
    cli.output.note(f"Shown this once; works until {until}. Keep it where only that program can read it.")


async def list_tokens(cli: Cli) -> None:
    """Tokens of programs: what each may do, until when, and the day of its last use."""
    async with cli.control() as control:
        answer = await control.call("GET", api_path("tokens"))
    if cli.as_json:
        cli.output.document(answer)
        return
    rows = [
        (
            shown(each["id"]),
            shown(each["name"]),
            each["state"],
            moments.shown(float(each["expires"]), cli.zone),
            moments.shown(float(each["used"]), cli.zone)[:10] if each["used"] is not None else "-",
            " ".join(each["capabilities"]),
        )
        for each in answer["tokens"]
    ]
    cli.output.table(("ID", "NAME", "STATE", "UNTIL", "LAST USED", "CAN"), rows)


async def revoke(
    cli: Cli, ref: Annotated[str, typer.Argument(metavar="ID", help="The token's id, its beginning, or its name.")]
) -> None:
    """End a token at once, for ever."""
    async with cli.control() as control:
        known = (await control.call("GET", api_path("tokens")))["tokens"]
        found = [each for each in known if each["id"].startswith(ref)] if len(ref) >= 4 else []
        named = [each for each in known if each["name"].casefold() == ref.casefold() and each["state"] == "active"]
        found = found or named
        if len(found) != 1:
            several = ", ".join(f"{each['id']} {each['name']}" for each in found)
            problem = f"fits several: {several}" if found else "is no token"
            raise Usage("id", f"{shown(ref, 60)} {problem}", "See: sharegate token list")
        answer = await control.call("POST", api_path("tokens", str(found[0]["id"]), "revoke"))
    if cli.as_json:
        cli.output.document(answer)
        return
    cli.output.say(
        f"The token {shown(answer['token']['id'])} ({shown(answer['token']['name'])}) is not accepted any more."
    )
