"""How a difference of two documents is drawn: cell by cell, line by line. The API's plain values in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from rich.text import Text

from sharegate.cli.output import shown
from sharegate.cli.words import count

Json = dict[str, Any]

_STYLES = {"+": "green", "-": "red", "@": "dim cyan"}
_SAID = {
    "added": ("+", "new", "green"),
    "removed": ("-", "gone", "red"),
    "moved": ("~", "moved", "yellow"),
    "changed": ("~", "changed", "yellow"),
}
_LINE = 400
_VALUE = 80
# Of one cell or file; --json has all.
_MOST_LINES = 200


def lines(difference: Json) -> Iterator[Text]:
    """A header per cell, its changed lines below it. Nothing for no difference."""
    for cell in difference.get("cells") or ():
        yield _header(cell)
        for field in cell.get("fields") or ():
            yield _field(field)
        if cell.get("outputs"):
            before, after = cell["outputs"]
            yield Text(f"    outputs: {before} before, {after} after", "dim")
        yield from _text(cell.get("lines") or (), "    ")
    for field in difference.get("metadata") or ():
        yield Text.assemble(("~ ", "yellow"), "about the notebook")
        yield _field(field)
    yield from _text(difference.get("lines") or (), "")
    if difference.get("bytes"):
        before, after = difference["bytes"]
        yield Text(f"The whole file differs: {count(before, 'byte')} before, {count(after, 'byte')} after.")


def summary(difference: Json) -> str:
    """`2 cells changed, 1 gone`; "" for no difference."""
    cells = difference.get("cells") or ()
    parts = []
    for change, (_, word, _) in _SAID.items():
        found = sum(1 for cell in cells if cell.get("change") == change)
        if found:
            parts.append(f"{count(found, 'cell')} {word}")
    if difference.get("metadata"):
        parts.append("the notebook's own fields changed")
    if difference.get("lines"):
        parts.append("text changed")
    if difference.get("bytes"):
        parts.append("the whole file changed")
    return ", ".join(parts)


def _header(cell: Json) -> Text:
    sign, word, style = _SAID.get(str(cell.get("change")), ("?", shown(cell.get("change")), ""))
    before, after = cell.get("before"), cell.get("after")
    place = after if after is not None else before
    where = f"cell {int(place) + 1}" if place is not None else "cell"
    if cell.get("change") == "moved" and before is not None:
        where += f" (was {int(before) + 1})"
    return Text.assemble(
        (f"{sign} ", style),
        f"{where}  ",
        (f"{shown(cell.get('type'), 20)} {word}", style),
        f"  {shown(cell.get('id'), 60)}",
    )


def _field(field: Json) -> Text:
    return Text(
        f"    {shown(field.get('name'), 60)}: {_value(field.get('before'))} → {_value(field.get('after'))}", "dim"
    )


def _value(value: Any) -> str:
    return "-" if value is None else shown(json.dumps(value, ensure_ascii=False, default=str), _VALUE)


def _text(changed: list[str] | tuple[str, ...], indent: str) -> Iterator[Text]:
    for line in changed[:_MOST_LINES]:
        sign = str(line)[:1]
        words = f"@@ line {str(line)[2:]}" if sign == "@" else sign + shown(str(line)[1:], _LINE)
        yield Text(indent + words, _STYLES.get(sign, ""))
    if len(changed) > _MOST_LINES:
        yield Text(f"{indent}… {len(changed) - _MOST_LINES} more lines (--json has all)", "dim")
