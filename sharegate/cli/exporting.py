"""Lines for other programs, to a new file or to stdout, page after page."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TextIO

import typer

from sharegate.cli import words
from sharegate.cli.command import Cli
from sharegate.cli.control import Control, Json
from sharegate.errors import Invalid

_TOLD = 10_000


class Format(StrEnum):
    JSONL = "jsonl"
    CSV = "csv"


OutputFile = Annotated[Path | None, typer.Option("--output", metavar="FILE", help="A new file, else stdout.")]
Lines = Annotated[
    Format | None,
    typer.Option("--format", help="All of it for other programs: JSON lines, or CSV for a spreadsheet."),
]


def check(cli: Cli, output: Path | None) -> None:
    """Raises Invalid where lines and the document of `--json` would both go to stdout."""
    if output is None and cli.as_json:
        raise Invalid("--output", "is needed with --json, whose one document goes to stdout", "Name a file")


async def write(
    cli: Cli, control: Control, path: str, query: Json, form: Format, output: Path | None, what: str
) -> None:
    """All pages of an export. `what` is one of what is exported, in words. Raises Invalid for a file that exists."""
    check(cli, output)
    written, cursor = 0, ""
    with ExitStack() as closing:
        file: TextIO = sys.stdout if output is None else closing.enter_context(_new_file(output))
        while True:
            answer = await control.call("GET", path, query={**query, "format": form.value, "cursor": cursor})
            for line in answer["lines"]:
                file.write(line)
            written += int(answer["events"])
            cursor = str(answer.get("next") or "")
            if not cursor:
                break
            if output is not None and written % _TOLD == 0:
                cli.output.note(f"{words.count(written, what)} …")
    if cli.as_json:
        cli.output.document({"events": written, "file": str(output), "format": form.value})
    else:
        cli.output.note(f"{words.count(written, what)} exported" + (f" to {output}." if output else "."))


def _new_file(path: Path) -> TextIO:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise Invalid("--output", f"{path} exists already", "Name a new file") from None
    except OSError as error:
        raise Invalid("--output", f"{path} cannot be written ({error.strerror})", "Name another file") from None
    return os.fdopen(handle, "w", encoding="utf-8", newline="")
