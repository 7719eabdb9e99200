"""`review`: what is shared, the oldest, widest or longest unused first; signed off, or paused where nobody uses it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from sharegate.cli import moments, words
from sharegate.cli.command import Cli, command
from sharegate.cli.control import Control, Json, api_path
from sharegate.cli.output import shown
from sharegate.cli.problems import FAILED, Usage

_AT_ONCE = 500


class Sort(StrEnum):
    OLDEST = "oldest"
    WIDEST = "widest"
    UNUSED = "unused"


def add(app: typer.Typer) -> None:
    command(
        app,
        "review",
        panel="Look",
        examples=("sharegate review", "sharegate review --sort widest", "sharegate review --pause-unused --sign"),
    )(review)


async def review(
    cli: Cli,
    sort: Annotated[Sort, typer.Option("--sort", help="Which come first.")] = Sort.OLDEST,
    sign: Annotated[
        bool, typer.Option("--sign", help="Sign the list off: the history keeps when, and of what.")
    ] = False,
    pause_unused: Annotated[
        bool, typer.Option("--pause-unused", help="Pause what no visitor used for 30 days.")
    ] = False,
) -> None:
    """Everything that is shared now: how old, how wide, for how many, and when a visitor used it last."""
    if sign and cli.as_json and not cli.yes:
        raise Usage("--yes", "signs off what nobody has looked at here", "Look at the list first, then say --yes")
    async with cli.control() as control:
        answer = await _all(control, sort)
        if not cli.as_json:
            _show(cli, answer)
        if pause_unused:
            unused = [one for one in answer["shares"] if one["unused"] and one["state"] != "paused"]
            answer["results"] = await _pause(cli, control, unused)
            if any(one["result"] == "paused" for one in answer["results"]):
                answer |= await _all(control, sort)
        if sign:
            cli.confirm(f"{words.count(int(answer['count']), 'share')} will be signed off as they are.")
            body = {"digest": answer["digest"]}
            answer["signed"] = await control.call("POST", api_path("review", "sign"), body=body)
    if cli.as_json:
        cli.output.document(answer)
    elif sign:
        cli.output.say(f"Signed off: {words.count(int(answer['count']), 'share')}.")
    if any(one["result"] == "failed" for one in answer.get("results", [])):
        raise typer.Exit(FAILED)


async def _all(control: Control, sort: Sort) -> Json:
    answer = await control.call("GET", api_path("review"), query={"sort": sort.value, "limit": _AT_ONCE})
    shares, cursor = list(answer["shares"]), answer["next"]
    while cursor:
        query = {"sort": sort.value, "limit": _AT_ONCE, "cursor": cursor}
        page = await control.call("GET", api_path("review"), query=query)
        shares, cursor = shares + page["shares"], page["next"]
    return {**answer, "shares": shares, "next": ""}


async def _pause(cli: Cli, control: Control, unused: list[Json]) -> list[Json]:
    if not unused:
        cli.output.note("Nothing was unused for 30 days.")
        return []
    cli.confirm(f"{words.count(len(unused), 'share')} will be paused; nobody comes in until you resume them.")
    results: list[Json] = []
    for begin in range(0, len(unused), _AT_ONCE):
        body = {"shares": [one["id"] for one in unused[begin : begin + _AT_ONCE]]}
        results += (await control.call("POST", api_path("review", "pause"), body=body))["results"]
    labels = {one["id"]: one["label"] for one in unused}
    for one in results:
        more = f" ({shown(one['message'])})" if one.get("message") else ""
        cli.output.say(f"{shown(labels.get(one['id'], one['id']), 20)}: {shown(one['result'], 40)}{more}")
    return results


def _show(cli: Cli, answer: Json) -> None:
    if not answer["shares"]:
        cli.output.say("Nothing is shared.")
        return
    now = cli.now()
    rows = [
        (
            shown(one["label"], 20),
            words.folder(one),
            words.may(one),
            f"{int(one['people'])}, {int(one['outside'])} of them unnamed" if one["outside"] else str(one["people"]),
            str(one["links"]) + (", for anyone" if one["open_links"] else ""),
            moments.span(now - float(one["created"])),
            _used(one, now),
            shown(one["state"], 20),
        )
        for one in answer["shares"]
    ]
    cli.output.table(("ID", "FOLDER", "CAN", "INSIDE", "LINKS", "AGE", "USED", "STATE"), rows)
    signed = answer.get("signed")
    when = moments.shown(float(signed["at"]), cli.zone) if signed else "never"
    cli.output.note(f"{answer['unused']} unused for 30 days. Last signed off: {when}.")


def _used(one: Json, now: float) -> str:
    if not one["last_used"]:
        return "never"
    ago = moments.span(max(0.0, now - float(one["last_used"]))) + " ago"
    return f"{ago} (unused)" if one["unused"] else ago
