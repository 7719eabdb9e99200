"""`coowner`: people whom the owner names to let others in, to put them out and to pause."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sharegate.cli import words
from sharegate.cli.command import Cli, command, find
from sharegate.cli.control import Json, api_path
from sharegate.cli.output import shown
from sharegate.cli.owning import PEOPLE

Link = Annotated[str, typer.Argument(metavar="LINK", help="A link for one person: its id (k7f2.a), or their name.")]


def add(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="People who let others in for you, in one share.")
    command(group, "add", examples=("sharegate coowner add k7f2.a", "sharegate coowner add Tia"))(name)
    command(group, "remove", examples=("sharegate coowner remove k7f2.a",))(remove)
    command(group, "list", examples=("sharegate coowner list", "sharegate coowner list --json"))(list_coowners)
    app.add_typer(group, name="coowner", rich_help_panel=PEOPLE)


async def name(cli: Cli, link: Link) -> None:
    """Let whoever a link is for admit, refuse and remove visitors of its share, and pause it.

    It holds in one browser: the one that is in by the link now, or else the first that opens it. They find the page for
    it behind "Who comes in" in their JupyterLab. Doing it again binds it to the browser that is in then.
    """
    async with cli.control() as control:
        found = await find(control, link, "link")
        answer = await control.call("POST", api_path("links", found.id, "coowner"))
    if cli.as_json:
        cli.output.document(answer)
        return
    who = shown(answer["link"].get("name"), 60) or answer["link"]["label"]
    visit: Json | None = answer.get("visit")
    if visit is None:
        cli.output.say(f"Whoever opens the link of {who} first lets people in from then on.")
    else:
        badge = shown(visit.get("badge"), 80)
        cli.output.say(f"{badge} ({visit['label']}) lets people in from now on, in this share alone.")
    cli.output.note(f"Take it back: sharegate coowner remove {answer['link']['label']}")


async def remove(cli: Cli, link: Link) -> None:
    """Take that back. The link stays, and so does who was let in; their page for it is over at once."""
    async with cli.control() as control:
        found = await find(control, link, "link")
        answer = await control.call("DELETE", api_path("links", found.id, "coowner"))
    if cli.as_json:
        cli.output.document(answer)
        return
    cli.output.say(f"{shown(answer['link'].get('name'), 60) or answer['link']['label']} lets nobody in any more.")


async def list_coowners(cli: Cli) -> None:
    """Who lets others in, in which share, and in whose browser that holds."""
    async with cli.control() as control:
        answer = await control.call("GET", api_path("shares"))
    found: list[dict[str, Any]] = [
        {"share": share["label"], "folder": share["name"], "link": link}
        for share in answer["shares"]
        for link in share["links"]
        if link.get("coowner")
    ]
    if cli.as_json:
        cli.output.document({"coowners": found})
        return
    if not found:
        cli.output.say("There is no co-owner.")
        cli.output.note("Make one of whoever a link is for: sharegate coowner add LINK")
        return
    rows = [
        [each["link"]["label"], words.whom(each["link"]), shown(each["folder"], 60), _where(each["link"])]
        for each in found
    ]
    cli.output.table(("LINK", "FOR", "IN", "HOLDS"), rows)


def _where(link: Json) -> str:
    if link["state"] != "active":
        return f"not now: the link is {shown(link['state'], 20)}"
    return f"in {link['coowner_visit']}" if link.get("coowner_visit") else "as soon as somebody opens the link"
