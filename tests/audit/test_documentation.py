"""docs/trail.md and the closed lists in the code say the same."""

from __future__ import annotations

import re
from pathlib import Path

from sharegate.audit.events import Action, AuditEvent

_TEXT = (Path(__file__).parents[2] / "docs" / "trail.md").read_text()


def _rows(heading: str) -> set[str]:
    section = _TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return set(re.findall(r"^\| `([^`]+)` \| \S", section, re.MULTILINE))


def test_every_action_is_documented() -> None:
    """An action without a row in docs/trail.md, or a row without an action, fails."""
    assert _rows("Actions") == {action.value for action in Action}


def test_every_field_is_documented() -> None:
    """A field of an event without a row in docs/trail.md, or a row without a field, fails."""
    assert _rows("Fields") == set(AuditEvent.__struct_fields__)
