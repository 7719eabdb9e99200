"""Join a share from a program, with the link or with the "server URL and token" that its owner gave.

    from sharegate.client import join

    async with join() as share:                          # the link from SHAREGATE_LINK
        for entry in await share.tree():
            print(entry.path)
        notebook = await share.notebook("analysis.ipynb")
        notebook.cells[0].source = "# Checked"
        await notebook.save()

Needs nothing of the gate: aiohttp, msgspec and pycrdt. Every error is a ShareError with the gate's own code.
"""

from __future__ import annotations

from sharegate.client.errors import (
    BadLink,
    Conflict,
    EditRefused,
    EditsLost,
    Ended,
    NotAllowed,
    NotFound,
    NotSent,
    ShareError,
    TooMuch,
    Unreachable,
)
from sharegate.client.notebook import Cell, Notebook
from sharegate.client.share import Entry, Share, join

__all__ = [
    "BadLink",
    "Cell",
    "Conflict",
    "EditRefused",
    "EditsLost",
    "Ended",
    "Entry",
    "NotAllowed",
    "NotFound",
    "NotSent",
    "Notebook",
    "Share",
    "ShareError",
    "TooMuch",
    "Unreachable",
    "join",
]
