"""`reach` and `server browse`: what visitors of a folder would see of a server, and what of it can be shared."""

from __future__ import annotations

import os
from pathlib import PurePath
from typing import Annotated

import typer

from sharegate.cli.command import Cli, command, find, on_disk, typed_path
from sharegate.cli.control import Control, Json, api_path
from sharegate.cli.output import shown
from sharegate.cli.problems import Usage

_MARKS = {"told": "~", "root": "+", "inside": "+", "outside": "-"}
_STYLES = {"told": "dim", "root": "bold green", "inside": "green", "outside": "dim"}


def add(app: typer.Typer) -> None:
    command(
        app,
        "reach",
        panel="Look",
        examples=("sharegate reach ~/lectures/week3", "sharegate reach lectures/week3 --server hub"),
    )(reach)


def add_to_servers(server: typer.Typer) -> None:
    command(server, "browse", examples=("sharegate server browse project", "sharegate server browse hub lectures"))(
        browse
    )


async def reach(
    cli: Cli,
    path: Annotated[str, typer.Argument(metavar="PATH", help="The folder or file that you mean to share.")],
    server: Annotated[
        str, typer.Option("--server", metavar="ID", help="PATH lies on this server, below its root.")
    ] = "",
) -> None:
    """What visitors would reach if you shared this, and what stays closed. Nothing is shared.

    Of the folders above it they learn the names only. The first 40 names inside are shown, and a few beside it.
    """
    path = on_disk(path, server)
    async with cli.control() as control:
        id, below = await _place(control, path, server)
        answer = await control.call("GET", api_path("servers", id, "reach"), query={"path": below})
    if cli.as_json:
        cli.output.document(answer)
        return
    for row in answer["rows"]:
        name = f"{row['more']} more" if row["more"] else shown(row["name"], 100)
        slash = "/" if row["kind"] == "directory" else ""
        why = f"  ({shown(row['why'], 60)})" if row["why"] else ""
        indent = "  " * int(row["depth"])
        cli.output.say(f"{_MARKS.get(row['place'], '?')} {indent}{name}{slash}{why}", _STYLES.get(row["place"], ""))
    cli.output.note("+ they reach   ~ they learn the name   - they do not see")


async def _place(control: Control, path: str, server: str) -> tuple[str, str]:
    """The server, and the path below its root. Raises Usage for a place that is on none."""
    if server:
        return (await find(control, server, "server")).id, path
    servers = (await control.call("GET", api_path("servers")))["servers"]
    real = os.path.realpath(path)
    here = [one for one in servers if one["root_dir"] and not one["computer"]]
    fits = [one for one in here if PurePath(real).is_relative_to(one["root_dir"])]
    if not fits:
        raise Usage("path", f"{shown(path)} is not on a server that is known", "See `sharegate server list`")
    # The deepest root: a server may have been started inside what another one shows.
    best = max(fits, key=lambda one: len(PurePath(one["root_dir"]).parts))
    below = PurePath(real).relative_to(best["root_dir"])
    return str(best["id"]), "" if below == PurePath() else str(below)


async def browse(
    cli: Cli,
    ref: Annotated[str, typer.Argument(metavar="ID", help="The server's id or name.")],
    path: Annotated[str, typer.Argument(metavar="[PATH]", help="A folder below the server's root.")] = "",
) -> None:
    """What lies in a folder of a server, and what of it can be shared; at most 1,000 names."""
    path = typed_path(path) if path else ""
    async with cli.control() as control:
        id = (await find(control, ref, "server")).id
        answer = await control.call("GET", api_path("servers", id, "browse"), query={"path": path})
    if cli.as_json:
        cli.output.document(answer)
        return
    rows = [_row(entry) for entry in answer["entries"]]
    cli.output.table(("NAME", "WHAT", "CAN BE SHARED"), rows)
    if answer["more"]:
        cli.output.note(f"And {answer['more']} more.")


def _row(entry: Json) -> tuple[str, str, str]:
    name = shown(entry["name"], 100) + ("/" if entry["kind"] == "directory" else "")
    return name, shown(entry["kind"], 20), "yes" if entry["shareable"] else f"no: {shown(entry['why'], 80)}"
