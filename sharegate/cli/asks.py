"""Commands on raised hands: which cells visitors ask the owner to run, and the owner's word on them."""

from __future__ import annotations

from typing import Annotated

import typer

from sharegate.cli import words
from sharegate.cli.command import Cli, command
from sharegate.cli.control import Control, Json, api_path
from sharegate.cli.moments import span
from sharegate.cli.output import shown
from sharegate.cli.problems import Usage
from sharegate.cli.source import source_lines
from sharegate.errors import Ambiguous, NotFound

PANEL = "People at the door and inside"

Ref = Annotated[str, typer.Argument(metavar="ID", help="The ask's short id, as `sharegate asks` shows it.")]


def add(app: typer.Typer) -> None:
    command(app, "asks", panel=PANEL, examples=("sharegate asks", "sharegate asks w4xk"))(asks)
    command(app, "answer", panel=PANEL, examples=("sharegate answer w4xk ran", "sharegate answer w4xk declined"))(
        answer
    )


async def asks(
    cli: Cli,
    ref: Annotated[str, typer.Argument(metavar="[ID]", help="Show the whole cell of one ask.")] = "",
) -> None:
    """Which cells visitors ask you to run. You run them in your own JupyterLab, or you do not."""
    async with cli.control() as control:
        found = await _asks(control)
    one = _one(found, ref) if ref else None
    if cli.as_json:
        cli.output.document({"ask": one} if one else {"asks": found})
    elif one is not None:
        cli.output.say(f"{words.ask(one)}:")
        for line in source_lines(one, cli.output.console.width if cli.output.terminal else 0):
            cli.output.say(line)
        cli.output.note(f"After running it in your own tab: sharegate answer {one['label']} ran")
        cli.output.note("What a cell does when you run it, it does as you.")
    elif not found:
        cli.output.say("Nobody asks for a cell to be run.")
    else:
        now = cli.now()
        rows = [
            (one["label"], shown(one["badge"] or one["name"], 60), shown(one["path"]), span(now - float(one["since"])))
            for one in found
        ]
        cli.output.table(("ID", "WHO", "IN", "SINCE"), rows)
        cli.output.note("See the cell: sharegate asks ID")


async def answer(
    cli: Cli,
    ref: Ref,
    word: Annotated[str, typer.Argument(metavar="ran|declined", help="What you did.")],
) -> None:
    """Tell a visitor that you ran the cell they asked for, or that you will not."""
    verbs = {"ran": "ran", "declined": "decline"}
    if word not in verbs:
        raise Usage("answer", f"{shown(word, 40)!r} is no answer", "Say ran or declined")
    async with cli.control() as control:
        one = _one(await _asks(control), ref)
        told = await control.call("POST", api_path("asks", one["id"], verbs[word]), body={"digest": one["digest"]})
    if cli.as_json:
        cli.output.document(told)
        return
    who = shown(one["name"], 60) or "The visitor"
    cli.output.say(f"{who} is told that you {'ran the cell' if word == 'ran' else 'will not run the cell'}.")


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
        raise Ambiguous(ref[:80], [f"{one['label']} {words.ask(one)}" for one in fits])
    return fits[0]
