"""Commands on what visitors ask of the owner: to run a cell, or to have more time; and the owner's word on it."""

from __future__ import annotations

from typing import Annotated

import typer

from sharegate.cli import words
from sharegate.cli.command import Cli, command
from sharegate.cli.control import Control, Json, api_path
from sharegate.cli.moments import parse, span
from sharegate.cli.moments import shown as moment
from sharegate.cli.output import shown
from sharegate.cli.problems import Usage
from sharegate.cli.source import source_lines
from sharegate.errors import Ambiguous, NotFound

PANEL = "People at the door and inside"

Ref = Annotated[str, typer.Argument(metavar="ID", help="The ask's short id, as `sharegate asks` shows it.")]


def add(app: typer.Typer) -> None:
    command(app, "asks", panel=PANEL, examples=("sharegate asks", "sharegate asks w4xk"))(asks)
    command(app, "grant", panel=PANEL, examples=("sharegate grant t7bn --expires 7d",))(grant)
    command(app, "answer", panel=PANEL, examples=("sharegate answer w4xk ran", "sharegate answer w4xk declined"))(
        answer
    )


async def asks(
    cli: Cli,
    ref: Annotated[str, typer.Argument(metavar="[ID]", help="Show the whole cell of one ask.")] = "",
) -> None:
    """Which cells visitors ask you to run, and who asks for more time.

    You run cells in your own JupyterLab, or you do not. More time is given by: sharegate grant
    """
    async with cli.control() as control:
        found = await _asks(control)
        times = await _times(control)
    if ref and (time := _fits(times, ref)):
        _show_time(cli, time)
        return
    one = _one(found, ref) if ref else None
    if cli.as_json:
        cli.output.document({"ask": one} if one else {"asks": found, "times": times})
    elif one is not None:
        cli.output.say(f"{words.ask(one)}:")
        for line in source_lines(one, cli.output.console.width if cli.output.terminal else 0):
            cli.output.say(line)
        cli.output.note(f"After running it in your own tab: sharegate answer {one['label']} ran")
        cli.output.note("What a cell does when you run it, it does as you.")
    elif not found and not times:
        cli.output.say("Nobody asks for anything.")
    else:
        now = cli.now()
        rows = [
            (one["label"], shown(one["badge"] or one["name"], 60), shown(one["path"]), span(now - float(one["since"])))
            for one in found
        ]
        rows += [
            (one["label"], _who(one), f"more time for {shown(one['share_name'], 60)}", span(now - float(one["since"])))
            for one in times
        ]
        cli.output.table(("ID", "WHO", "IN", "SINCE"), rows)
        if found:
            cli.output.note("See the cell: sharegate asks ID")
        if times:
            cli.output.note("Give more time: sharegate grant ID --expires 7d, or say no: sharegate answer ID declined")


async def grant(
    cli: Cli,
    ref: Ref,
    expires: Annotated[
        str, typer.Option("--expires", metavar="WHEN", help="The new end: 7d, 12h, 2026-12-24, friday 18:00.")
    ] = "7d",
) -> None:
    """Give a visitor who asks for it more time: their link ends later, and so does whoever is in by it.

    A link that ends with its share gets it by the share: all links that end so have the new end.
    """
    until = parse(expires, now=cli.now(), zone=cli.zone, field="--expires")
    async with cli.control() as control:
        one = _one(await _times(control), ref)
        told = await control.call("POST", api_path("times", one["id"], "grant"), body={"expires": until})
    if cli.as_json:
        cli.output.document(told)
        return
    who = _who(one)
    cli.output.say(f"{who[:1].upper()}{who[1:]} has until {moment(float(told['until']), cli.zone)}.")
    if one["whole_share"] and int(one["links"]) > 1:
        cli.output.note(f"So do all {int(one['links'])} links that end with the share.")


async def answer(
    cli: Cli,
    ref: Ref,
    word: Annotated[str, typer.Argument(metavar="ran|declined", help="What you did.")],
) -> None:
    """Tell a visitor that you ran the cell they asked for, or that you will not; or that there is no more time."""
    verbs = {"ran": "ran", "declined": "decline"}
    if word not in verbs:
        raise Usage("answer", f"{shown(word, 40)!r} is no answer", "Say ran or declined")
    async with cli.control() as control:
        time = _fits(await _times(control), ref)
        if time:
            await _no_time(cli, control, time, word)
            return
        one = _one(await _asks(control), ref)
        told = await control.call("POST", api_path("asks", one["id"], verbs[word]), body={"digest": one["digest"]})
    if cli.as_json:
        cli.output.document(told)
        return
    who = shown(one["name"], 60) or "The visitor"
    cli.output.say(f"{who} is told that you {'ran the cell' if word == 'ran' else 'will not run the cell'}.")


async def _no_time(cli: Cli, control: Control, one: Json, word: str) -> None:
    if word != "declined":
        remedy = f"sharegate grant {shown(one['label'], 20)} --expires 7d"
        raise Usage("answer", "this one asks for more time, not for a cell", f"Say declined, or: {remedy}")
    told = await control.call("POST", api_path("times", one["id"], "refuse"))
    if cli.as_json:
        cli.output.document(told)
        return
    who = _who(one)
    cli.output.say(f"{who[:1].upper()}{who[1:]} is told that there is no more time.")


def _who(one: Json) -> str:
    return shown(one["badge"], 60) if one["badge"] else f"somebody with {shown(one['link_label'], 40)}"


def _show_time(cli: Cli, one: Json) -> None:
    if cli.as_json:
        cli.output.document({"time": one})
        return
    ends = moment(float(one["expires"]), cli.zone)
    cli.output.say(f"{_who(one)} asks for more time for {shown(one['share_name'], 60)}; the link ends {ends}.")
    if one["whole_share"] and int(one["links"]) > 1:
        cli.output.say(f"It ends with the share, as {int(one['links'])} links do: all of them get the new end.")
    cli.output.note(f"Give more time: sharegate grant {shown(one['label'], 20)} --expires 7d")


async def _times(control: Control) -> list[Json]:
    return list((await control.call("GET", api_path("times")))["times"])


def _fits(found: list[Json], ref: str) -> Json | None:
    """The ask for more time of this id, if it is one's."""
    wanted = ref.strip().lower()
    fits = [one for one in found if wanted and str(one["id"]).startswith(wanted)]
    return fits[0] if len(fits) == 1 else None


async def _asks(control: Control) -> list[Json]:
    answered = await control.call("GET", api_path("asks"))
    return list(answered["asks"])


def _one(found: list[Json], ref: str) -> Json:
    """Raises NotFound, or Ambiguous with all that fit."""
    wanted = ref.strip().lower()
    fits = [one for one in found if wanted and str(one["id"]).startswith(wanted)]
    if not fits:
        raise NotFound("ask", ref[:80])
    if len(fits) > 1:
        raise Ambiguous(ref[:80], [f"{one['label']} {words.ask(one) if 'cell' in one else _who(one)}" for one in fits])
    return fits[0]
