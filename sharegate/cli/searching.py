"""`search`: people, paths, links and addresses over all that is and was shared."""

from __future__ import annotations

from typing import Annotated

import typer

from sharegate.cli import exporting, moments
from sharegate.cli.command import Cli, command
from sharegate.cli.control import api_path
from sharegate.cli.exporting import Format, Lines, OutputFile
from sharegate.cli.output import shown


def add(app: typer.Typer) -> None:
    command(
        app,
        "search",
        panel="Look",
        examples=(
            "sharegate search ann",
            "sharegate search lectures/week3/data.csv",
            "sharegate search 192.0.2.17 --format csv --output found.csv",
        ),
    )(search)


async def search(
    cli: Cli,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="A name, a path, a short id or an address.")],
    form: Lines = None,
    output: OutputFile = None,
) -> None:
    """Find people, paths, links and addresses over all that is and was shared, whoever shared it.

    A path finds the shares that reach it, an address the network that was recorded. The first 200 are shown; --format
    and --output give all of them.
    """
    async with cli.control() as control:
        if form or output:
            path = api_path("search", "export")
            await exporting.write(cli, control, path, {"q": text}, form or Format.JSONL, output, "line")
            return
        answer = await control.call("GET", api_path("search"), query={"q": text})
    if cli.as_json:
        cli.output.document(answer)
        return
    if not answer["found"]:
        cli.output.say("Nothing is found.")
        return
    rows = [
        (
            shown(one["label"], 20),
            shown(one["kind"], 10),
            shown(one["name"], 60) or "-",
            shown(one["share_name"], 60) or "-",
            shown(one["state"], 20),
            moments.shown(float(one["since"]), cli.zone),
            shown(one["address"], 60) or "-",
            shown(one["matched"], 30),
        )
        for one in answer["found"]
    ]
    cli.output.table(("ID", "WHAT", "NAME", "SHARE", "STATE", "SINCE", "FROM", "FOUND BY"), rows)
    if answer["more"]:
        cli.output.note(f"And {answer['more']} more: look for something longer, or say --format csv.")
