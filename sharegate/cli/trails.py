"""`audit anchor`, `audit retention`, `audit erase`: the history kept safe, and let go of."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sharegate.cli import moments, words
from sharegate.cli.command import Cli, command, find, typed_path
from sharegate.cli.control import Json, api_path
from sharegate.cli.output import shown
from sharegate.cli.problems import Usage


def add(audit: typer.Typer) -> None:
    command(
        audit,
        "anchor",
        examples=("sharegate audit anchor --to /mnt/elsewhere/anchors.jsonl", "sharegate audit anchor --json"),
    )(anchor)
    command(
        audit,
        "retention",
        examples=("sharegate audit retention", "sharegate audit retention --days 90"),
    )(retention)
    command(
        audit,
        "erase",
        examples=(
            "sharegate audit erase --person Ann --dry-run",
            "sharegate audit erase --visit k7f2.a1",
            "sharegate audit erase --share k7f2 --yes",
        ),
    )(erase)


async def anchor(
    cli: Cli,
    to: Annotated[
        str | None, typer.Option("--to", metavar="FILE", help="Add it to FILE, one anchor on each line.")
    ] = None,
) -> None:
    """Sign the present end of the history, to be kept where nobody who writes the records can write.

    With it, `audit verify --anchors FILE` finds that something was cut off or written anew up to this moment.
    """
    file = str(Path(typed_path(to, "--to")).expanduser().absolute()) if to is not None else ""
    async with cli.control() as control:
        answer = await control.call("POST", api_path("audit", "anchor"), body={"to": file})
    if cli.as_json:
        cli.output.document(answer)
        return
    if file:
        cli.output.say(f"Anchored {words.count(int(answer['entries']), 'entry', 'entries')} in {shown(file)}.")
        cli.output.note("Keep a copy where neither the records nor the keys are.")
    else:
        cli.output.say("".join(_lines(answer["anchor"])))
        cli.output.note("Keep this line elsewhere; --to FILE adds it to a file.")


def _lines(document: Json) -> list[str]:
    import json

    return [json.dumps(document, separators=(",", ":"), sort_keys=True)]


async def retention(
    cli: Cli,
    days: Annotated[int | None, typer.Option("--days", metavar="N", min=1, help="As if this were the period.")] = None,
    at_once: Annotated[bool, typer.Option("--now", help="Let go of what is due now, not within the hour.")] = False,
    right: Annotated[
        bool, typer.Option("--clock-is-right", help="With --now: the date is right, though the clock leapt ahead.")
    ] = False,
) -> None:
    """What identifies visitors in the history, and when it leaves: names, addresses, agents. The entries stay."""
    if at_once and days is not None:
        raise Usage("--days", "only looks", "Set retention_days to change the period")
    async with cli.control() as control:
        answer = await control.call("GET", api_path("audit", "retention"), query={"days": days or ""})
        if at_once:
            if answer["due"]:
                cli.confirm(f"{words.count(int(answer['due']), 'entry', 'entries')} lose names, addresses and agents.")
            answer |= await control.call("POST", api_path("audit", "retention"), body={"clock_is_right": right})
    if cli.as_json:
        cli.output.document(answer)
        return
    cli.output.say(
        f"{words.count(int(answer['entries']), 'entry', 'entries')} hold a name, an address or an agent, "
        f"for {words.count(int(answer['retention_days']), 'day')}."
    )
    if answer["oldest"] is not None:
        cli.output.say(f"  the oldest is of {moments.shown(float(answer['oldest']), cli.zone)}")
        for name, told in (
            ("due", "due now"),
            ("within_a_day", "within a day"),
            ("within_a_week", "within a week"),
            ("within_a_month", "within a month"),
        ):
            cli.output.say(f"  {told:15} {answer[name]}")
    if at_once:
        cli.output.say(f"{answer['erased']} let go of.")


async def erase(
    cli: Cli,
    person: Annotated[str, typer.Option("--person", metavar="NAME", help="Everybody of this name or address.")] = "",
    visit: Annotated[str, typer.Option("--visit", metavar="ID", help="One visit, with its devices.")] = "",
    share: Annotated[str, typer.Option("--share", metavar="ID", help="Everybody who was in a share.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be erased.")] = False,
) -> None:
    """Forget somebody: their name, address and agent leave the records and the history, which stays intact.

    Whoever is inside is ended, and their own links are revoked. What they wrote in files stays, and so do copies.
    """
    if sum(map(bool, (person, visit, share))) != 1:
        raise Usage("--person", "is not the one thing to erase", "Give one of --person, --visit and --share")
    async with cli.control() as control:
        body: Json = {"person": person} if person else {}
        for kind, ref in (("visit", visit), ("share", share)):
            if ref:
                body[kind] = (await find(control, ref, kind)).id
        answer = await control.call("POST", api_path("audit", "erase"), body=body | {"dry_run": True})
        if not dry_run:
            _preview(cli, answer)
            cli.confirm("This cannot be taken back.")
            answer = await control.call("POST", api_path("audit", "erase"), body=body)
    if cli.as_json:
        cli.output.document(answer)
    elif dry_run:
        _preview(cli, answer)
    else:
        cli.output.say(
            f"Erased from {words.count(int(answer['visits']), 'visit')} and "
            f"{words.count(int(answer['entries']), 'entry', 'entries')} of the history."
        )


def _preview(cli: Cli, answer: Json) -> None:
    if cli.as_json:
        return
    cli.output.say(
        f"{words.count(int(answer['visits']), 'visit')}, {words.count(int(answer['knocks']), 'knock')} and "
        f"{words.count(int(answer['entries']), 'entry', 'entries')} of the history lose names, addresses and agents."
    )
    if answer["share"]:
        cli.output.say(f"  {words.folder(answer['share'])} is not shared any more.")
    for each in answer["ends"]:
        cli.output.say(f"  {shown(each['label'])} {words.visitor(each)} is inside and is ended.")
    for each in answer["links"]:
        cli.output.say(f"  The link {shown(each['label'])} for {words.whom(each)} is revoked.")
    for each in answer["stays"]:
        cli.output.note(f"Not erased: {shown(each, 300)}.")
