"""`passing`: the picture of one share, from its owner over links to people, and whom they passed something on to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, tzinfo

import typer

from sharegate.cli import words
from sharegate.cli.command import Cli, command, find
from sharegate.cli.control import Json, api_path
from sharegate.cli.output import shown
from sharegate.cli.sharing import Ref

_LONGEST = 80


def add(app: typer.Typer) -> None:
    command(app, "passing", panel="Look", examples=("sharegate passing k7f2", "sharegate passing week3 --json"))(
        passing
    )


async def passing(cli: Cli, ref: Ref) -> None:
    """Who came into a share by which link, on which devices, whom they passed it on to, and who was not let in.

    What it shows of passing on are signs, not proofs: the same person may have used another browser.
    """
    async with cli.control() as control:
        share = await find(control, ref, "share")
        answer = await control.call("GET", api_path("shares", share.id, "passing"))
    if cli.as_json:
        cli.output.document(answer)
        return
    for line in drawn(answer, cli.zone):
        cli.output.say(line)
    if not answer.get("complete", True):
        cli.output.note("Of what was refused or knocked the newest are counted; there was more.")
    cli.output.note("Signs, not proofs: the same person may have used another browser.")


def drawn(answer: Json, zone: tzinfo) -> Iterator[str]:
    """The tree as text, one node per line."""
    tree = answer["tree"]
    yield f"{shown(tree.get('name'), _LONGEST) or 'The owner'} shares {words.folder(answer)}"
    stack = [("", node, last) for node, last in _reversed(tree)]
    while stack:
        margin, node, last = stack.pop()
        yield f"{margin}{'└─' if last else '├─'} {node_words(node, zone)}"
        inner = margin + ("   " if last else "│  ")
        stack += [(inner, child, end) for child, end in _reversed(node)]


def _reversed(node: Json) -> list[tuple[Json, bool]]:
    below = node.get("below") or []
    return [(child, number == len(below) - 1) for number, child in enumerate(below)][::-1]


def node_words(node: Json, zone: tzinfo) -> str:
    """One node in people's words, on one line."""
    kind, count = str(node.get("kind")), int(node.get("count") or 1)
    if kind == "more":
        return f"and {count} more"
    who = shown(node.get("badge") or node.get("name"), _LONGEST) or "somebody"
    if node.get("erased"):
        who = "somebody who was forgotten"
    label = f"{shown(node.get('label'), 20)} " if node.get("label") else ""
    said = [f"{label}{_what(node, kind, who, count)}"]
    said.append(f"{'since' if node.get('state') == 'open' else 'at'} {_time(node.get('at'), zone)}")
    if node.get("network"):
        said.append(f"from {shown(node['network'], _LONGEST)}")
    if node.get("signs"):
        said[-1] += f" ({shown(node['signs'], 200)})"
    return ", ".join(said)


def _what(node: Json, kind: str, who: str, count: int) -> str:
    state = str(node.get("state"))
    if kind == "link":
        coowner = ", a co-owner's" if node.get("coowner") else ""
        return f"link for {who if node.get('badge') else 'one person'}{coowner}, {shown(state, 20)}"
    if kind == "refused":
        return f"opened {words.count(count, 'time')} and nobody was let in ({shown(node.get('reason'), 40)})"
    if kind == "attempt":
        return f"the address was opened elsewhere {words.count(count, 'time')}, not let in"
    if kind == "knock":
        became = {"waiting": "waits at the door", "refused": "was not let in", "gone": "left the door"}
        return f"{who} knocked, {became.get(state, 'was let in')}"
    what = {"device": "own device", "program": f"a program, {who}"}.get(kind, who)
    by = f" by {shown(node['admitted_by'], _LONGEST)}" if node.get("admitted_by") else ""
    let_in = f", let in on a knock{by}" if node.get("knocked") else ""
    return f"{what}{let_in}, {'inside' if state == 'open' else 'not inside any more'}"


def _time(at: object, zone: tzinfo) -> str:
    try:
        return f"{datetime.fromtimestamp(float(str(at or 0)), zone):%Y-%m-%d %H:%M}"
    except (ValueError, OverflowError, OSError):
        return "a moment far away"
