"""Links as a table for a mail merge: name, email, link."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sharegate.audit.sheet import lines

COLUMNS = ("name", "email", "link")


def merge(links: Iterable[Mapping[str, Any]], *, teams: Mapping[str, str] | None = None) -> str:
    """CSV of links as the owner's API gives them; `teams` names the folder of each share, for a column of its own. No
    cell is a formula (audit/sheet.py)."""
    columns = COLUMNS if teams is None else ("team", *COLUMNS)
    rows = []
    for link in links:
        row = [str(link.get("name") or ""), str(link.get("email") or ""), str(link.get("url") or "")]
        rows.append(row if teams is None else [teams.get(str(link["share"]), ""), *row])
    return "".join(lines(columns, rows))
