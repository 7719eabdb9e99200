"""`audit …`: the history of what happened, who passed a link on, export and verification."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from sharegate.cli import exporting, moments, timeline, trails
from sharegate.cli.command import Cli, command, find, typed_path
from sharegate.cli.control import Control, Json, api_path
from sharegate.cli.exporting import Format, Lines, OutputFile
from sharegate.cli.output import shown
from sharegate.cli.problems import FAILED

ShareRef = Annotated[str, typer.Option("--share", metavar="ID", help="Only this share.")]
LinkRef = Annotated[str, typer.Option("--link", metavar="ID", help="Only this link.")]
VisitRef = Annotated[str, typer.Option("--visit", metavar="ID", help="Only this visit.")]
Person = Annotated[
    str, typer.Option("--person", metavar="NAME", help="Only people of this name, whichever share they came to.")
]
PathFilter = Annotated[
    str | None, typer.Option("--path", metavar="PATH", help="Only this file or folder, and below it.")
]
Reason = Annotated[
    str, typer.Option("--reason", metavar="CODE", help="Only refusals for this reason, e.g. outside_root.")
]
ActionFilter = Annotated[str, typer.Option("--action", metavar="NAME", help="Only this, e.g. link.joined.")]
OutcomeFilter = Annotated[
    str, typer.Option("--outcome", metavar="WORD", help="Only what was allowed, denied or failed.")
]
Since = Annotated[
    str | None, typer.Option("--since", metavar="WHEN", help="From then on: 2h (ago), yesterday, 2026-11-20.")
]
Until = Annotated[str | None, typer.Option("--until", metavar="WHEN", help="Up to then.")]


def add(app: typer.Typer) -> None:
    audit = typer.Typer(help="The history: what happened, who passed a link on, and whether it is intact.")
    command(
        audit,
        "show",
        examples=(
            "sharegate audit show --share k7f2 --since 2h",
            "sharegate audit show --visit k7f2.a1 --path lectures/week3",
            "sharegate audit show --person Ann --since 30d",
            "sharegate audit show --reason outside_root",
        ),
    )(show)
    command(
        audit,
        "passed-on",
        examples=(
            "sharegate audit passed-on",
            "sharegate audit passed-on --share k7f2",
            "sharegate audit passed-on --format csv --output passed-on.csv",
        ),
    )(passed_on)
    command(
        audit,
        "export",
        examples=(
            "sharegate audit export --format csv --output history.csv",
            "sharegate audit export --since 7d > history.jsonl",
        ),
    )(export)
    command(
        audit,
        "verify",
        examples=("sharegate audit verify", "sharegate audit verify --anchors /mnt/safe/anchors.jsonl"),
    )(verify)
    timeline.add(audit)
    trails.add(audit)
    app.add_typer(audit, name="audit", rich_help_panel="Look")


async def _filters(
    cli: Cli,
    control: Control,
    share: str,
    link: str,
    visit: str,
    person: str,
    path: str,
    reason: str,
    action: str,
    outcome: str,
    since: str | None,
    until: str | None,
) -> Json:
    query: Json = {"person": person, "path": path, "reason": reason, "action": action, "outcome": outcome}
    for kind, ref in (("share", share), ("link", link), ("visit", visit)):
        if ref:
            query[kind] = (await find(control, ref, kind)).id
    for name, text in (("since", since), ("until", until)):
        if text is not None:
            query[name] = repr(moments.parse_past(text, now=cli.now(), zone=cli.zone, field=f"--{name}"))
    return query


async def show(
    cli: Cli,
    share: ShareRef = "",
    link: LinkRef = "",
    visit: VisitRef = "",
    person: Person = "",
    path: PathFilter = None,
    reason: Reason = "",
    action: ActionFilter = "",
    outcome: OutcomeFilter = "",
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=10000, help="The newest N.")] = 50,
) -> None:
    """What happened, the newest last."""
    path = typed_path(path, "--path") if path is not None else ""
    async with cli.control() as control:
        query = await _filters(cli, control, share, link, visit, person, path, reason, action, outcome, since, until)
        answer = await _newest(cli, control, {**query, "newest": 1}, limit)
    answer["events"].reverse()
    if cli.as_json:
        cli.output.document(answer)
        return
    if not answer["events"]:
        cli.output.say("Nothing is recorded that fits.")
        return
    rows = [
        (
            _time(event, cli),
            {"denied": "refused", "failed": "failed"}.get(str(event.get("outcome")), ""),
            shown(event.get("text") or event.get("action")),
        )
        for event in answer["events"]
    ]
    cli.output.table(("WHEN", "", "WHAT"), rows)
    if len(rows) == limit:
        cli.output.note(f"The newest {limit} are shown. More: --limit N, or `sharegate audit export`.")


async def _newest(cli: Cli, control: Control, query: Json, limit: int) -> Json:
    """As many as are asked for, over the pages of a long history; `next` leads on from there."""
    found: list[Json] = []
    cursor, said = "", False
    while True:
        asked = {**query, "limit": limit - len(found), "cursor": cursor}
        answer = await control.call("GET", api_path("audit"), query=asked)
        found += answer["events"]
        cursor = str(answer.get("next") or "")
        if not cursor or len(found) >= limit:
            return {"events": found, "next": cursor}
        if not said:
            cli.output.note("Looking further back; --since makes it shorter …")
            said = True


def _time(event: Json, cli: Cli) -> str:
    return f"{datetime.fromtimestamp(float(event.get('at') or 0), cli.zone):%Y-%m-%d %H:%M:%S}"


async def passed_on(cli: Cli, share: ShareRef = "", form: Lines = None, output: OutputFile = None) -> None:
    """Who passed a link, or the address of a page, on to whom."""
    async with cli.control() as control:
        query = {"share": (await find(control, share, "share")).id} if share else {}
        if form or output:
            path = api_path("audit", "passed-on", "export")
            await exporting.write(cli, control, path, query, form or Format.JSONL, output, "line")
            return
        answer = await control.call("GET", api_path("audit", "passed-on"), query=query)
    if cli.as_json:
        cli.output.document(answer)
        return
    if not answer["people"]:
        cli.output.say("Nothing was passed on, as far as the gate can see.")
    for person, depth in _people(answer["people"]):
        at = f"{_time(person, cli)}  " if person.get("at") else ""
        cli.output.say(f"{at}{'   ' * max(depth - 1, 0)}{'-> ' if depth else ''}{shown(person.get('words'))}")
    if answer["people"]:
        cli.output.note("These are signs, not proofs: the same person may have used another browser.")


def _people(trees: list[Json]) -> list[tuple[Json, int]]:
    """People with their depth, each before those to whom they passed it. Iterative: chains may be long."""
    found = []
    stack = [(tree, 0) for tree in reversed(trees)]
    while stack:
        person, depth = stack.pop()
        found.append((person, depth))
        stack += [(child, depth + 1) for child in reversed(person.get("onward") or [])]
    return found


async def export(
    cli: Cli,
    share: ShareRef = "",
    link: LinkRef = "",
    visit: VisitRef = "",
    person: Person = "",
    path: PathFilter = None,
    reason: Reason = "",
    action: ActionFilter = "",
    outcome: OutcomeFilter = "",
    since: Since = None,
    until: Until = None,
    form: Annotated[Format, typer.Option("--format", help="JSON lines, or CSV for a spreadsheet.")] = Format.JSONL,
    output: OutputFile = None,
) -> None:
    """The history for other programs, oldest first. It holds names and addresses of visitors."""
    path = typed_path(path, "--path") if path is not None else ""
    exporting.check(cli, output)
    async with cli.control() as control:
        query = await _filters(cli, control, share, link, visit, person, path, reason, action, outcome, since, until)
        await exporting.write(cli, control, api_path("audit", "export"), query, form, output, "event")


async def verify(
    cli: Cli,
    anchors: Annotated[
        str | None,
        typer.Option("--anchors", metavar="FILE", help="Compare with anchors that were kept (`audit anchor`)."),
    ] = None,
) -> None:
    """Check that nothing in the history was changed or left out. Exit code 1 when something was.

    Without anchors it cannot show that the newest entries were not cut off, or all of it written anew. It compares with
    the file of the setting anchor_file by itself.
    """
    file = str(Path(typed_path(anchors, "--anchors")).expanduser().absolute()) if anchors is not None else ""
    async with cli.control() as control:
        answer = await control.call("GET", api_path("audit", "verify"), query={"anchors": file})
    if cli.as_json:
        cli.output.document(answer)
    else:
        cli.output.say(shown(answer.get("text")) or "", "bold green" if answer["intact"] else "bold red")
        for fault in answer.get("faults") or []:
            cli.output.say(f"  {shown(fault)}")
        if answer.get("limits") and answer["limits"] not in answer.get("text", ""):
            cli.output.note(shown(answer["limits"], 1000))
        if answer.get("who"):
            cli.output.note(shown(answer["who"], 1000))
    if not answer["intact"]:
        raise typer.Exit(FAILED)
