"""`server …`, `doctor`: what the gate stands in front of and whether all is well."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from sharegate.cli import reaching, words
from sharegate.cli.command import Cli, command, find, typed_path
from sharegate.cli.control import api_path
from sharegate.cli.output import shown
from sharegate.cli.problems import FAILED, Usage
from sharegate.errors import Invalid

TOKEN_VARIABLE = "SERVER_TOKEN"  # noqa: S105 -- the name of a variable
_MAX_TOKEN_FILE = 8192
_LEVELS = {
    "ok": ("ok", "green"),
    "note": ("note", "dim"),
    "warn": ("warning", "yellow"),
    "fail": ("wrong", "bold red"),
}


def add(app: typer.Typer) -> None:
    server = typer.Typer(help="Your Jupyter servers, as the gate knows them.")
    command(server, "list", examples=("sharegate server list",))(list_servers)
    command(
        server,
        "add",
        examples=(
            "sharegate server add http://127.0.0.1:8888/",
            "sharegate server add https://hub.example.org/user/ann/ --name hub --token-file ~/hub-token",
            f"{TOKEN_VARIABLE}=… sharegate server add http://127.0.0.1:8888/ --root-dir ~/project",
        ),
    )(add_server)
    command(server, "remove", examples=("sharegate server remove project",))(remove_server)
    reaching.add_to_servers(server)
    app.add_typer(server, name="server", rich_help_panel="Run")
    command(app, "doctor", panel="Look", examples=("sharegate doctor", "sharegate doctor --json"))(doctor)


async def list_servers(cli: Cli) -> None:
    """The Jupyter servers whose folders you can share."""
    async with cli.control() as control:
        answer = await control.call("GET", api_path("servers"))
    if cli.as_json:
        cli.output.document(answer)
        return
    if not answer["servers"]:
        cli.output.say("No server is known yet. `sharegate up PATH` finds or starts one.")
        return
    several = len({one["owner"] for one in answer["servers"]}) > 1
    rows = [
        (
            shown(one["id"]),
            shown(one["name"], 60),
            *([shown(one["owner"], 60)] if several else []),
            shown(one["root_dir"]) or "-",
            shown(one["url"]),
            words.server_state(one),
        )
        for one in answer["servers"]
    ]
    owner = ["OWNER"] if several else []
    cli.output.table(("ID", "NAME", *owner, "ROOT", "ADDRESS", "STATE"), rows)


async def add_server(
    cli: Cli,
    url: Annotated[str, typer.Argument(metavar="URL", help="The server's address, without its token.")],
    name: Annotated[str, typer.Option("--name", metavar="TEXT", help="What you call it.")] = "",
    root_dir: Annotated[
        str | None, typer.Option("--root-dir", metavar="DIR", help="Its root folder, when it runs on this computer.")
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option("--token-file", metavar="FILE", help="Read its token from a file that only you can read."),
    ] = None,
) -> None:
    """Tell the gate about a Jupyter server that `up` does not find by itself.

    Its token is asked for, or read from --token-file or from the variable SERVER_TOKEN; never from the command line,
    which other users can read.
    """
    if "token=" in url:
        raise Usage(
            "url", "holds the server's token, which other users can read on a command line", "Leave out ?token=…"
        )
    root = os.path.abspath(os.path.expanduser(typed_path(root_dir, "--root-dir"))) if root_dir is not None else ""
    token = _token(token_file)
    body = {
        "url": url,
        "token": token,
        "root_dir": root,
        "name": name,
    }
    async with cli.control() as control:
        answer = await control.call("POST", api_path("servers"), body=body)
    if cli.as_json:
        cli.output.document(answer)
        return
    server = answer["server"]
    cli.output.say(f"Added {shown(server['name'], 60)}: {words.server_state(server)}.")
    cli.output.note("Share one of its folders: sharegate share PATH")


def _token(file: Path | None) -> str:
    if file is not None:
        return _token_from(file.expanduser())
    if TOKEN_VARIABLE in os.environ:
        return os.environ[TOKEN_VARIABLE].strip()
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Usage(
            "--token-file", "the server's token is needed, and nobody can be asked here", f"Or set {TOKEN_VARIABLE}"
        )
    # Not typer's prompt: it shows the question before it turns the echo off, and a fast paste would be seen.
    return getpass.getpass("Token of the server (not shown): ").strip()


def _token_from(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            facts = os.fstat(opened.fileno())
            data = opened.read(_MAX_TOKEN_FILE + 1)
    except OSError as error:
        raise Invalid(
            "--token-file", f"{file} cannot be read ({error.strerror})", "Name a file that you can read"
        ) from None
    if facts.st_mode & 0o077:
        raise Invalid("--token-file", f"{file} can be read by others", f"chmod 600 {file}")
    if len(data) > _MAX_TOKEN_FILE:
        raise Invalid("--token-file", f"{file} is too large for a token", "Name a file that holds only the token")
    try:
        return data.decode().strip()
    except UnicodeDecodeError:
        raise Invalid("--token-file", f"{file} is not text", "Name a file that holds only the token") from None


async def remove_server(
    cli: Cli, ref: Annotated[str, typer.Argument(metavar="ID", help="The server's id or name.")]
) -> None:
    """Forget a Jupyter server. The server runs on; its shares stop working."""
    async with cli.control() as control:
        found = await find(control, ref, "server")
        cli.confirm(f"Forget {found.words}: its shares stop working.")
        answer = await control.call("DELETE", api_path("servers", found.id))
    if cli.as_json:
        cli.output.document(answer)
    else:
        cli.output.say(f"Removed {found.words}. The server itself runs on.")


async def doctor(cli: Cli) -> None:
    """Look for what may be wrong, and say what to do. Exit code 1 when something is."""
    async with cli.control() as control:
        answer = await control.call("GET", api_path("doctor"))
    if not control.live:
        answer["findings"].append(
            {"level": "note", "what": "No gate is running: nobody can enter", "remedy": "sharegate up"}
        )
    if cli.as_json:
        cli.output.document(answer)
    else:
        for finding in answer["findings"]:
            word, style = _LEVELS.get(str(finding["level"]), (shown(finding["level"]), ""))
            cli.output.say(Text.assemble((f"{word:8}", style), shown(finding["what"])))
            if finding.get("remedy"):
                cli.output.say(f"{'':8}{shown(finding['remedy'])}")
    if any(finding["level"] == "fail" for finding in answer["findings"]):
        raise typer.Exit(FAILED)
