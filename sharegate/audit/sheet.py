"""Tables for spreadsheets: RFC 4180, in which no text is a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

# What a spreadsheet takes for a formula (OWASP "CSV Injection"), the full-width forms included: at the start of a text,
# and behind what parts cells elsewhere. Where the comma stands in numbers a file is read by its semicolons, and a quote
# in the middle of such a cell protects nothing.
_FORMULA = re.compile(r'(\A|[;|\t\r\n])(?=[\s"]*[=+\-@＝＋－＠])|\A(?=[\t\r\n])')


def lines(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, header: bool = True) -> Iterator[str]:
    """A line for each row (with its line feed), after the header. What a spreadsheet would run as a formula gets an
    apostrophe in front."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    if header:
        writer.writerow(columns)
        yield _taken(buffer)
    for row in rows:
        writer.writerow([_harmless(value) for value in row])
        yield _taken(buffer)


def _taken(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text


def _harmless(value: Any) -> Any:
    return _FORMULA.sub(r"\1'", value) if isinstance(value, str) else value
