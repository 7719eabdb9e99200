"""What a command prints: tables and colour at a terminal, plain lines in a pipe, one JSON document with `--json`.

What was asked for goes to stdout, everything said about it (notes, progress, errors) to stderr.
"""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TextIO

from rich import box
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from sharegate.source import UNSEEN

_LONGEST = 200


def shown(value: object, limit: int = _LONGEST) -> str:
    """Text from elsewhere (names, paths, agents) made safe for a terminal: one line, nothing invisible, bounded."""
    text = str(value if value is not None else "")
    cut = text[: limit + 1]
    safe = "".join("�" if unicodedata.category(char) in UNSEEN else char for char in cut)
    return safe if len(text) <= limit else safe[: limit - 1] + "…"


def in_json(document: object, indent: int | None = None) -> str:
    """JSON with letters as they are; what is invisible, reorders or is half a character is escaped, for people read it
    at terminals, too."""
    text = json.dumps(document, indent=indent, ensure_ascii=False, default=str)
    if text.isascii():
        return text
    return "".join(
        json.dumps(char)[1:-1] if not char.isascii() and unicodedata.category(char) in UNSEEN else char for char in text
    )


def is_terminal(stream: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether a person looks at the stream and it understands more than lines."""
    return stream.isatty() and environ.get("TERM", "") not in ("dumb", "unknown")


class Output:
    """stdout and stderr of one command. `terminal` tells whether stdout is one."""

    def __init__(self, *, as_json: bool = False, environ: Mapping[str, str] = os.environ) -> None:
        self.as_json = as_json
        self.terminal = is_terminal(sys.stdout, environ) and not as_json
        self._stdout = sys.stdout
        self.console = _console(sys.stdout, self.terminal)
        self._errors = _console(sys.stderr, is_terminal(sys.stderr, environ))

    def document(self, document: object) -> None:
        """The one JSON document of `--json`."""
        self._stdout.write(in_json(document, indent=2) + "\n")

    def json_line(self, document: object) -> None:
        """One of a stream of JSON documents, one per line (`watch --json` only)."""
        self._stdout.write(in_json(document) + "\n")
        self._stdout.flush()

    def say(self, text: str | Text = "", style: str = "") -> None:
        """A line of the answer. Silent with `--json`."""
        if not self.as_json:
            self._line(self.console, text, style)

    def note(self, text: str | Text, style: str = "dim") -> None:
        """A line about the answer, on stderr."""
        self._line(self._errors, text, style)

    def warn(self, text: str) -> None:
        self.note(Text.assemble(("! ", "bold yellow"), text), "")

    def show(self, renderable: RenderableType) -> None:
        """Something that only a terminal can show."""
        if self.terminal:
            self.console.print(renderable)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str | Text]]) -> None:
        """Rows under headings. In a pipe: aligned with two spaces, never cut and never wrapped."""
        if self.as_json:
            return
        if not self.terminal:
            for line in plain_table(columns, rows):
                self._stdout.write(line + "\n")
            return
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", show_edge=False)
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
        self.console.print(table)

    @staticmethod
    def _line(console: Console, text: str | Text, style: str) -> None:
        # soft_wrap leaves breaking to the terminal, so that an address copied from it is whole.
        line = text if isinstance(text, Text) else Text(text)
        console.print(line, style=style or None, soft_wrap=True)


def _console(stream: TextIO, terminal: bool) -> Console:
    return Console(
        file=stream,
        force_terminal=terminal,
        color_system="auto" if terminal else None,
        highlight=False,
        markup=False,
        emoji=False,
    )


def plain_table(columns: Sequence[str], rows: Sequence[Sequence[str | Text]]) -> list[str]:
    """The lines of a table without any drawing; the last column is not padded."""
    cells = [list(columns), *([str(cell) for cell in row] for row in rows)]
    widths = [max(cell_len(row[at]) for row in cells) for at in range(len(columns))]
    lines = []
    for row in cells:
        padded = [cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)]
        lines.append("  ".join(padded).rstrip())
    return lines
