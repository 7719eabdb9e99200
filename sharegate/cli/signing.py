"""`key …`: the keys that sign links."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sharegate.cli import moments, words
from sharegate.cli.command import Cli, command
from sharegate.cli.control import Json, api_path
from sharegate.cli.output import shown
from sharegate.cli.problems import Usage


def add(app: typer.Typer) -> None:
    key = typer.Typer(help="The keys that sign links.")
    command(key, "list", examples=("sharegate key list",))(list_keys)
    command(
        key,
        "rotate",
        examples=(
            "sharegate key rotate",
            "sharegate key rotate --compromised --dry-run",
            "sharegate key rotate --compromised --since yesterday --replace",
        ),
    )(rotate)
    app.add_typer(key, name="key", rich_help_panel="Look")


async def list_keys(cli: Cli) -> None:
    """The keys that sign links: the active one signs, retired ones verify what they signed, refused ones do not."""
    async with cli.control() as control:
        answer = await control.call("GET", api_path("keys"))
    if cli.as_json:
        cli.output.document(answer)
        return
    rows = [
        (
            shown(key["kid"]),
            shown(key["state"]),
            moments.shown(float(key["created"]), cli.zone),
            moments.shown(float(key["needed_until"]), cli.zone) if key.get("needed_until") else "-",
        )
        for key in answer["keys"]
    ]
    cli.output.table(("KEY", "STATE", "SINCE", "NEEDED UNTIL"), rows)


async def rotate(
    cli: Cli,
    compromised: Annotated[
        bool, typer.Option("--compromised", help="The key may be stolen: no link that it signed is accepted any more.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="WHEN", help="With --compromised: end the visits that began then or later."),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="With --compromised: print the new address of every link.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would end.")] = False,
) -> None:
    """Sign links with a new key from now on.

    Links that were given out go on, and so does whoever is inside. With --compromised every link has to be given out
    again; whoever is inside stays, unless they came after --since.
    """
    if not compromised and (since is not None or replace):
        raise Usage("--since" if since is not None else "--replace", "is for a stolen key", "Say --compromised too")
    body: Json = {"compromised": compromised, "replace": replace}
    if since is not None:
        body["since"] = moments.parse_past(since, now=cli.now(), zone=cli.zone, field="--since")
    async with cli.control() as control:
        answer = await control.call("POST", api_path("keys", "rotate"), body=body | {"dry_run": True})
        if not dry_run:
            if compromised:
                _preview(cli, answer)
                cli.confirm("Links that were given out stop working, and are not accepted again.")
            seen = {"digest": answer["digest"]} if compromised else {}
            answer = await control.call("POST", api_path("keys", "rotate"), body=body | seen)
    if cli.as_json:
        cli.output.document(answer)
    elif dry_run:
        _preview(cli, answer)
    else:
        _tell(cli, answer, replace=replace)


def _preview(cli: Cli, answer: Json) -> None:
    if cli.as_json:
        return
    if not answer["compromised"]:
        cli.output.say("Nothing would end: links that were given out go on, and so does whoever is inside.")
        return
    links, stay = len(answer["links"]), int(answer["inside"]) - len(answer["ends"])
    cli.output.say(f"{words.count(links, 'link')} would have to be given out again.")
    _who(cli, answer["links"], answer["ends"])
    cli.output.say(f"{words.count(stay, 'visit')} would go on, {len(answer['ends'])} would end.")
    if stay:
        cli.output.note("Visits that began after the theft may be a thief's: --since WHEN ends them.")


def _who(cli: Cli, links: list[Json], ends: list[Json]) -> None:
    rows = [(shown(each["label"]), words.whom(each), "link stops") for each in links]
    rows += [(shown(each["label"]), words.visitor(each), "visit ends") for each in ends]
    if rows:
        cli.output.table(("ID", "PERSON", "WHAT HAPPENS"), rows)


def _tell(cli: Cli, answer: Json, *, replace: bool) -> None:
    links: list[dict[str, Any]] = answer["links"]
    cli.output.say(f"Links are signed with the new key {shown(answer['key']['kid'])} from now on.")
    if not answer["compromised"]:
        cli.output.note("Links that were given out go on; the former key verifies them until the last has ended.")
        return
    cli.output.say(
        f"{words.count(len(links), 'link')} must be given out again; {words.count(len(answer['ends']), 'visit')} ended."
    )
    if replace:
        cli.output.table(
            ("ID", "FOR", "LINK"), [(shown(each["label"]), words.whom(each), str(each["url"])) for each in links]
        )
    elif links:
        cli.output.note("Their new addresses: sharegate list --urls, or one by one: sharegate replace ID")
