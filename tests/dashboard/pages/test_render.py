"""What all pages of the dashboard are written with."""

from __future__ import annotations

import re

from sharegate.dashboard.pages.render import assets
from sharegate.visits.pages.assets import INK
from sharegate.visits.pages.assets import assets as of_visitors


def test_colours_are_written_once() -> None:
    """Both sets of pages serve the one file inside their own, and define none of its names again."""
    ink = INK.read_bytes()
    for found, sheet in ((assets(), "board.css"), (of_visitors(), "door.css")):
        text = found.files[sheet]
        assert text.count(ink) == 1 and b"@import" not in text
        assert not re.findall(rb"(?m)^\s+--(?:desk|ink|accent|serif|mono):", text.replace(ink, b""))
