"""QR codes of links: in the terminal where they fit, else as a file."""

from __future__ import annotations

import os
from pathlib import Path

import segno
from rich.text import Text

from sharegate.errors import Invalid

_BORDER = 2
# Two modules of a column in one character cell, drawn in dark on light.
_HALVES = {(True, True): "█", (True, False): "▀", (False, True): "▄", (False, False): " "}
SUFFIXES = (".png", ".svg")


def for_terminal(address: str, *, width: int, height: int) -> Text | None:
    """The code as lines of half blocks, black on white; None when it does not fit into `width` × `height` cells."""
    code = segno.make(address, error="l", micro=False, boost_error=False)
    rows = [[bool(module) for module in row] for row in code.matrix_iter(border=_BORDER)]
    if len(rows) % 2:
        rows.append([False] * len(rows[0]))
    if len(rows[0]) > width or len(rows) // 2 > height:
        return None
    lines = [
        "".join(_HALVES[pair] for pair in zip(upper, lower, strict=True))
        for upper, lower in zip(rows[::2], rows[1::2], strict=True)
    ]
    # Named as true colours: a palette's "white" is grey in many terminals, and scanners need the contrast.
    return Text("\n".join(lines), style="#000000 on #ffffff", no_wrap=True, end="\n")


def check_file(path: Path, *, field: str = "--qr") -> None:
    """Refuse a file that could not be written, before anything is created. Raises Invalid."""
    if path.suffix.lower() not in SUFFIXES:
        raise Invalid(field, f"{path.name} is neither .png nor .svg", "Name a file such as link.png")
    if not path.absolute().parent.is_dir():
        raise Invalid(field, f"there is no folder {path.absolute().parent}", "Name a file in a folder that exists")
    if path.exists() or path.is_symlink():
        raise Invalid(field, f"{path} exists already", "Name another file; it holds a link, so nothing is overwritten")


def write_file(address: str, path: Path) -> None:
    """Write the code to a new file that only its owner can read: whoever reads it has the link."""
    code = segno.make(address, error="m", micro=False)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise Invalid("--qr", f"{path} cannot be written ({error.strerror})", "Name another file") from None
    with os.fdopen(handle, "wb") as file:
        code.save(file, kind=path.suffix.lower().removeprefix("."), scale=8)
