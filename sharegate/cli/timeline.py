"""`audit timeline`: who was in a share and when, and how much they opened, changed and were refused."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Annotated

import typer

from sharegate.cli import moments, words
from sharegate.cli.command import Cli, command, find
from sharegate.cli.control import Json, api_path
from sharegate.cli.output import shown
from sharegate.cli.sharing import Ref

_STAYS = 4
Since = Annotated[
    str | None, typer.Option("--since", metavar="WHEN", help="From then on: 2h (ago), yesterday, 2026-11-20.")
]
Until = Annotated[str | None, typer.Option("--until", metavar="WHEN", help="Up to then.")]


def add(audit: typer.Typer) -> None:
    examples = ("sharegate audit timeline k7f2", "sharegate audit timeline k7f2 --since 7d --json")
    command(audit, "timeline", examples=examples)(timeline)


async def timeline(cli: Cli, ref: Ref, since: Since = None, until: Until = None) -> None:
    """Who was in a share and when, with all their devices, and how much they did. The last day without --since."""
    query: Json = {}
    for name, text in (("since", since), ("until", until)):
        if text is not None:
            query[name] = repr(moments.parse_past(text, now=cli.now(), zone=cli.zone, field=f"--{name}"))
    async with cli.control() as control:
        share = await find(control, ref, "share")
        answer = await control.call("GET", api_path("audit", "lanes"), query={"share": share.id, **query})
    if cli.as_json:
        cli.output.document(answer)
        return
    if not answer["lanes"]:
        cli.output.say("Nobody was in.")
        return
    rows = [_row(lane, cli.zone) for lane in answer["lanes"]]
    cli.output.table(("ID", "WHO", "OPENED", "CHANGED", "REFUSED", "WHEN"), rows)
    if answer["more"]:
        cli.output.note(f"And {words.count(int(answer['more']), 'more person', 'more people')}.")
    if answer["counted_since"] is not None:
        at = moments.shown(float(answer["counted_since"]), cli.zone)
        cli.output.note(f"What was done is counted from {at} on; a later --since counts all of a shorter time.")


def _row(lane: Json, zone: tzinfo) -> tuple[str, ...]:
    done = [str(sum(int(hour[what]) for hour in lane["hours"])) for what in ("opens", "edits", "denials")]
    devices = int(lane["devices"])
    who = (shown(lane.get("badge"), 60) or "somebody") + (f", {devices + 1} devices" if devices else "")
    stays = [_stay(stay, zone) for stay in lane["stays"][-_STAYS:]]
    earlier = len(lane["stays"]) - len(stays)
    when = ", ".join([*([f"{earlier} times before"] if earlier else []), *stays]) or "-"
    return shown(lane.get("label"), 20), who, *done, when


def _stay(stay: Json, zone: tzinfo) -> str:
    begun = _time(stay["since"], zone)
    if stay["until"] is None:
        return f"{begun} till now"
    how = f" ({shown(stay['how'], 40)})" if stay.get("how") else ""
    return f"{begun} to {_time(stay['until'], zone)}{how}"


def _time(at: object, zone: tzinfo) -> str:
    try:
        return f"{datetime.fromtimestamp(float(str(at)), zone):%m-%d %H:%M}"
    except (ValueError, OverflowError, OSError):
        return "a moment far away"
