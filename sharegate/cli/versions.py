"""`snapshot …`: what documents were, and how to get that back."""

from __future__ import annotations

import base64
import json
import os
import re
from pathlib import Path
from typing import Annotated

import typer

from sharegate.cli import differences, moments
from sharegate.cli.command import Cli, command, find, on_disk
from sharegate.cli.control import Json, api_path
from sharegate.cli.output import shown
from sharegate.cli.problems import FAILED
from sharegate.errors import Invalid, NotFound

SnapshotId = Annotated[str, typer.Argument(metavar="ID", help="A version's id, as `sharegate snapshot list` shows it.")]
FilePath = Annotated[str, typer.Argument(metavar="PATH", help="A notebook or text file of a Jupyter server.")]
Server = Annotated[
    str, typer.Option("--server", metavar="NAME", help="Its server; PATH is then relative to that server's root.")
]

# Ids and their beginnings; anything else is looked up nowhere.
_VERSION = re.compile(r"[A-Za-z0-9_-]{1,40}")

_CAUSES = {
    "first_write": "before the first change",
    "interval": "while it was changed",
    "before_restore": "before it was restored",
    "before_undo": "before somebody was undone",
    "before_delete": "before it was deleted",
    "before_overwrite": "before it was replaced",
    "alarm": "when it looked damaged",
    "asked": "you asked for it",
}
_BECAME = {
    "removed": "goes",
    "restored": "comes back",
    "changed": "changes back",
    "moved": "moves back",
    "kept": "stays as it is",
}


def add(app: typer.Typer) -> None:
    snapshot = typer.Typer(help="Versions of documents that visitors edit: look, compare, go back, undo a person.")
    command(
        snapshot,
        "list",
        examples=("sharegate snapshot list", "sharegate snapshot list lectures/week3/intro.ipynb --limit 10"),
    )(list_snapshots)
    command(
        snapshot,
        "show",
        examples=("sharegate snapshot show n4kd", "sharegate snapshot show n4kd --output intro-before.ipynb"),
    )(show)
    command(snapshot, "diff", examples=("sharegate snapshot diff n4kd", "sharegate snapshot diff n4kd p7xz"))(diff)
    command(snapshot, "take", examples=("sharegate snapshot take lectures/week3/intro.ipynb",))(take)
    command(
        snapshot,
        "restore",
        examples=(
            "sharegate snapshot restore n4kd",
            "sharegate snapshot restore n4kd --cell 8f3c2a1e --cell 11d0b6c9",
            "sharegate snapshot restore n4kd --yes",
        ),
    )(restore)
    command(
        snapshot,
        "undo",
        examples=(
            "sharegate snapshot undo k7f2.a1",
            "sharegate snapshot undo Eve --path lectures/week3/intro.ipynb --yes",
        ),
    )(undo)
    app.add_typer(snapshot, name="snapshot", rich_help_panel="Look")


async def list_snapshots(
    cli: Cli,
    path: Annotated[
        str | None, typer.Argument(metavar="PATH", help="Only of this notebook or text file; else of all.")
    ] = None,
    server: Server = "",
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=1000, help="The newest N.")] = 50,
) -> None:
    """The versions that were kept, the newest first."""
    query = {"path": on_disk(path, server) if path is not None else "", "server": server, "limit": limit}
    async with cli.control() as control:
        answer = await control.call("GET", api_path("snapshots"), query=query)
    if cli.as_json:
        cli.output.document(answer)
        return
    if not answer["snapshots"]:
        cli.output.say("No version is kept" + (" of this file." if path else " yet."))
        cli.output.note("A version is kept before a visitor's first change, and while visitors write.")
        return
    rows = [
        (
            shown(one["label"]),
            _when(one, cli),
            shown(one["path"]),
            _CAUSES.get(str(one["cause"]), shown(one["cause"])),
            shown(one["by"], 60) or "-",
            _size(one),
        )
        for one in answer["snapshots"]
    ]
    cli.output.table(("ID", "KEPT", "FILE", "WHY", "WHO WROTE", "SIZE"), rows)
    if len(rows) == limit:
        cli.output.note(f"The newest {limit} are shown. More: --limit N.")


async def show(
    cli: Cli,
    ref: SnapshotId,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Write it as a new file instead.")
    ] = None,
) -> None:
    """A version's text: the cells of a notebook, or the lines of a file."""
    place = api_path("snapshots", _named(ref))
    async with cli.control() as control:
        answer = await control.call("GET", place)
    notebook, text = answer.get("notebook"), answer.get("text")
    if output is not None:
        _write(output, _bytes(answer))
    if cli.as_json:
        cli.output.document(answer)
        return
    one = answer["snapshot"]
    cli.output.note(f"{shown(one['path'])}, {_when(one, cli)}, {_CAUSES.get(str(one['cause']), '')}")
    if output is not None:
        cli.output.say(f"Written to {output}.")
    elif notebook is not None:
        for at, cell in enumerate(notebook["cells"], 1):
            cli.output.say(f"[{at}] {shown(cell.get('cell_type'), 20)}  {shown(cell.get('id'), 60)}", "bold")
            _say_lines(cli, str(cell.get("source", "")))
    elif text is not None:
        _say_lines(cli, str(text))
    else:
        cli.output.say(f"A file of {one['size']} bytes. To look at it: --output FILE.")


async def diff(
    cli: Cli,
    ref: SnapshotId,
    other: Annotated[
        str | None, typer.Argument(metavar="OTHER", help="Another version; else the document as it is now.")
    ] = None,
) -> None:
    """What changed from a version to another one, or to the document as it is now."""
    place = api_path("snapshots", _named(ref), "difference")
    query = {"with": _named(other) if other is not None else ""}
    async with cli.control(gate_needed=other is None) as control:
        answer = await control.call("GET", place, query=query)
    if cli.as_json:
        cli.output.document(answer)
        return
    if not differences.summary(answer["difference"]):
        cli.output.say("There is no difference.")
    _draw(cli, answer["difference"])


async def take(cli: Cli, path: FilePath, server: Server = "") -> None:
    """Keep a document as it is now."""
    body = {"path": on_disk(path, server), "server": server}
    async with cli.control(gate_needed=True) as control:
        answer = await control.call("POST", api_path("snapshots"), body=body)
    if cli.as_json:
        cli.output.document(answer)
        return
    one = answer["snapshot"]
    cli.output.say(f"Kept {shown(one['path'])} as version {shown(one['label'])}.")


async def restore(
    cli: Cli,
    ref: SnapshotId,
    cells: Annotated[
        list[str] | None,
        typer.Option("--cell", metavar="ID", help="Only this cell, by its id; repeat it for several."),
    ] = None,
) -> None:
    """Turn a document back to a version, live in every open page.

    Shows what would change and asks. What is there now is kept as a version first, so that this can be taken back.
    Cells keep their ids, and no output becomes trusted.
    """
    place = api_path("snapshots", _named(ref), "restore")
    body: Json = {"cells": cells or None, "preview": not cli.yes}
    async with cli.control(gate_needed=True) as control:
        answer = await control.call("POST", place, body=body)
        if not cli.yes:
            nothing = not answer["missing"] and not differences.summary(answer["difference"])
            if nothing:
                _nothing(cli, answer)
                return
            if not cli.as_json:
                _draw(cli, answer["difference"])
            name = shown(_restored_path(answer))
            again = "Make the file anew" if answer["missing"] else differences.summary(answer["difference"])
            cli.confirm(f"Restore {name} ({again}).")
            body["preview"] = False
            answer = await control.call("POST", place, body=body)
    if cli.as_json:
        cli.output.document(answer)
    elif not answer["restored"]:
        _nothing(cli, answer)
    else:
        cli.output.say(f"Restored {shown(_restored_path(answer))}.")
        _back(cli, answer["before"])


async def undo(
    cli: Cli,
    ref: Annotated[str, typer.Argument(metavar="VISIT", help="A visit such as k7f2.a1, or a visitor's name.")],
    path: Annotated[str | None, typer.Option("--path", metavar="PATH", help="Only in this file.")] = None,
) -> None:
    """Take back what one visitor changed, and keep everybody else's work.

    Shows what would change and asks. Where others went on writing in what the visitor had made, that cell stays as it
    is and is named. What is there now is kept as a version first. Exit code 1 when a document could not be mended.
    """
    body: Json = {"path": on_disk(path, "") if path is not None else "", "preview": not cli.yes}
    async with cli.control(gate_needed=True) as control:
        found = await find(control, ref, "visit")
        answer = await control.call("POST", api_path("visits", found.id, "undo"), body=body)
        if not cli.yes:
            if not cli.as_json:
                for document in answer["documents"]:
                    _report(cli, document)
            if not any(_changes(document) for document in answer["documents"]):
                cli.output.note("There is nothing to take back.")
                _finish_undo(cli, answer)
                return
            cli.confirm(f"Undo what {found.words} changed.")
            body |= {"preview": False, "digest": answer["digest"]}
            answer = await control.call("POST", api_path("visits", found.id, "undo"), body=body)
    if not cli.as_json:
        for document in answer["documents"]:
            if cli.yes:
                _report(cli, document)
            if not document["problem"] and _changes(document):
                cli.output.say(f"Undone in {shown(document['path'])}.")
                _back(cli, document.get("before"))
    _finish_undo(cli, answer)


def _finish_undo(cli: Cli, answer: Json) -> None:
    if cli.as_json:
        cli.output.document(answer)
    failed = [document for document in answer["documents"] if document["problem"]]
    for document in failed:
        cli.output.warn(f"{shown(document['path'])}: {shown(document['problem'], 300)}")
    if failed:
        raise typer.Exit(FAILED)


def _changes(document: Json) -> bool:
    return bool(document.get("report")) and bool(differences.summary(document["report"].get("difference") or {}))


def _report(cli: Cli, document: Json) -> None:
    """One document of an undo: what changes, and where others' work overlaps."""
    report, names = document.get("report") or {}, document.get("names") or {}
    if not report:
        return
    cli.output.say(shown(document["path"]), "bold")
    _draw(cli, report.get("difference") or {})
    for cell in report.get("cells") or ():
        if cell.get("others"):
            who = ", ".join(shown(names.get(one) or (one and "a visitor") or "you", 80) for one in cell["others"])
            what = _BECAME.get(str(cell.get("became")), shown(cell.get("became")))
            place = f"Cell {int(cell['at']) + 1} ({shown(cell['id'], 60)})" if cell.get("id") else "The text"
            cli.output.warn(f"{place} {what}; it was changed afterwards by {who}. Look at it.")
    if report.get("since"):
        cli.output.note(f"Changes are kept since {moments.shown(float(report['since']), cli.zone)}.")


def _restored_path(answer: Json) -> str:
    """Where the file lies now; with the name that it had, where that is another."""
    now, was = str(answer["path"]), str(answer["snapshot"]["path"])
    return now if now == was else f"{now} (which was {was})"


def _nothing(cli: Cli, answer: Json) -> None:
    if cli.as_json:
        cli.output.document(answer)
    else:
        cli.output.say("The document is like that already. Nothing was changed.")


def _back(cli: Cli, before: Json | None) -> None:
    if before:
        cli.output.note(f"To take this back: sharegate snapshot restore {shown(before['label'])}")


def _draw(cli: Cli, difference: Json) -> None:
    for line in differences.lines(difference):
        cli.output.say(line)


def _say_lines(cli: Cli, text: str) -> None:
    for line in text.split("\n"):
        cli.output.say("    " + shown(line, 2000))


def _when(snapshot: Json, cli: Cli) -> str:
    return moments.shown(float(snapshot.get("taken") or 0), cli.zone)


def _size(snapshot: Json) -> str:
    if snapshot.get("cells"):
        return f"{snapshot['cells']} cells, {snapshot['characters']} characters"
    return f"{snapshot['characters']} characters"


def _named(ref: str) -> str:
    """A version's id as it was typed. Raises NotFound for what can be none."""
    if not _VERSION.fullmatch(ref):
        raise NotFound("version", ref[:80])
    return ref


def _bytes(answer: Json) -> bytes:
    """The version as a file."""
    if answer.get("data") is not None:
        return base64.b64decode(str(answer["data"]))
    notebook = answer.get("notebook")
    text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n" if notebook is not None else str(answer["text"])
    return text.encode("utf-8", "surrogatepass")


def _write(path: Path, data: bytes) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
    except FileExistsError:
        raise Invalid("--output", f"{path} exists already", "Name a new file") from None
    except OSError as error:
        raise Invalid("--output", f"{path} cannot be written ({error.strerror})", "Name another file") from None
