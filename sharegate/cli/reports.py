"""`reports …`: what visitors told the admins of shares."""

from __future__ import annotations

from typing import Annotated

import typer

from sharegate.cli import moments
from sharegate.cli.command import Cli, command
from sharegate.cli.control import Control, Json, api_path
from sharegate.cli.output import shown
from sharegate.errors import Ambiguous, NotFound

Ref = Annotated[str, typer.Argument(metavar="ID", help="The report's short id, as `sharegate reports list` shows it.")]


def add(app: typer.Typer) -> None:
    reports = typer.Typer(help="What visitors reported of shares, for the admins.")
    command(reports, "list", examples=("sharegate reports list", "sharegate reports list --all"))(list_reports)
    command(reports, "show", examples=("sharegate reports show w4xk",))(show)
    command(reports, "close", examples=('sharegate reports close w4xk --note "asked the owner"',))(close)
    command(reports, "reopen", examples=("sharegate reports reopen w4xk",))(reopen)
    app.add_typer(reports, name="reports", rich_help_panel="Look")


async def list_reports(
    cli: Cli, everything: Annotated[bool, typer.Option("--all", help="Also those that are closed.")] = False
) -> None:
    """Reports that wait for an admin, the newest first."""
    async with cli.control() as control:
        answer = await _all(control, everything=everything)
    if cli.as_json:
        cli.output.document(answer)
        return
    if not answer["reports"]:
        cli.output.say("Nothing is reported." if everything else "No report waits.")
        return
    now = cli.now()
    rows = [
        (
            shown(one["label"], 20),
            shown(one["share_name"] or one["share"], 60),
            shown(one["owner"], 60),
            shown(one["concern_words"], 60),
            _who(one),
            moments.span(max(0.0, now - float(one["created"]))),
            shown(one["state"], 20),
        )
        for one in answer["reports"]
    ]
    cli.output.table(("ID", "SHARE", "OWNER", "WHAT", "WHO", "SINCE", "STATE"), rows)
    cli.output.note("Read one: sharegate reports show ID")


async def show(cli: Cli, ref: Ref) -> None:
    """One report, whole. Its words are a visitor's: nobody has looked whether they are true."""
    async with cli.control() as control:
        one = _one(await _all(control, everything=True), ref)
    if cli.as_json:
        cli.output.document({"report": one})
        return
    cli.output.say(f"{shown(one['share_name'] or one['share'], 60)} of {shown(one['owner'], 60)}")
    cli.output.say(f"  what   {shown(one['concern_words'], 80)}")
    cli.output.say(f"  who    {_who(one)}")
    cli.output.say(f"  when   {moments.shown(float(one['created']), cli.zone)}")
    for line in str(one["text"]).split("\n") if one["text"] else []:
        cli.output.say(f"  | {shown(line, 1000)}")
    if one["state"] == "closed":
        cli.output.say(f"  closed {moments.shown(float(one['closed']), cli.zone)}")
    for line in str(one["note"]).split("\n") if one["note"] else []:
        cli.output.say(f"  note   {shown(line, 600)}")
    cli.output.note(f"Close the share's doors for now: sharegate pause {shown(one['share'], 20)}")


async def close(
    cli: Cli,
    ref: Ref,
    note: Annotated[str, typer.Option("--note", help="What came of it, for the other admins.")] = "",
) -> None:
    """Say that a report is dealt with. The visitor is not told."""
    await _act(cli, ref, "close", {"note": note})


async def reopen(cli: Cli, ref: Ref) -> None:
    """Open a report again."""
    await _act(cli, ref, "reopen", {})


async def _act(cli: Cli, ref: str, verb: str, body: Json) -> None:
    async with cli.control() as control:
        one = _one(await _all(control, everything=True), ref)
        answer = await control.call("POST", api_path("reports", str(one["id"]), verb), body=body)
    if cli.as_json:
        cli.output.document(answer)
        return
    cli.output.say(f"The report {shown(answer['report']['label'], 20)} is {shown(answer['report']['state'], 20)}.")


async def _all(control: Control, *, everything: bool) -> Json:
    return await control.call("GET", api_path("reports"), query={"all": 1} if everything else {})


def _who(one: Json) -> str:
    if one["name"]:
        return shown(one["name"], 60)
    return f"somebody with {shown(one['link_label'], 40)}" if one["link_label"] else "somebody"


def _one(answer: Json, ref: str) -> Json:
    """Raises NotFound, or Ambiguous with all that fit."""
    wanted = ref.strip().lower()
    fits = [one for one in answer["reports"] if wanted and str(one["id"]).startswith(wanted)]
    if not fits:
        raise NotFound("report", ref[:80])
    if len(fits) > 1:
        raise Ambiguous(ref[:80], [f"{one['label']} {shown(one['share_name'], 60)}" for one in fits])
    return dict(fits[0])
