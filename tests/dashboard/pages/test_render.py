"""What all pages of the dashboard are written with."""

from __future__ import annotations

import re

from sharegate.dashboard.pages.render import assets
from sharegate.visits.pages.assets import INK
from sharegate.visits.pages.assets import assets as of_visitors


def test_colours_are_written_once() -> None:
    """Both sets of pages serve the one file, import it, and define none of its names again."""
    for found, sheet in ((assets(), "board.css"), (of_visitors(), "door.css")):
        assert found.files["ink.css"] == INK.read_bytes()
        text = found.files[sheet].decode()
        assert text.index('@import "ink.css";') < text.index("{")
        assert not re.findall(r"(?m)^\s+--(?:desk|ink|accent|serif|mono):", text)
