"""What a command writes to: the three streams may be closed, full, or read by somebody who has gone."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from typing import NoReturn


def standing() -> None:
    """Closed ones lead nowhere. Left closed, the next file that is opened would be one of them, and what a library
    writes there would go into the records."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            _nowhere(number)
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A terminal or pipe that lacks a letter of somebody's name shows a question mark instead of failing.
            stream.reconfigure(errors="replace")


def written(run: Callable[[], object]) -> None:
    """Run a program to its SystemExit, and write out what it said. Ends with 1 where that cannot be written."""
    try:
        try:
            run()
        finally:
            sys.stdout.flush()
    except OSError as error:
        _unwritten(error)


def _unwritten(error: OSError) -> NoReturn:
    _nowhere(1)  # what is left in the buffers is tried once more when Python ends
    if error.errno != errno.EPIPE:
        try:
            sys.stderr.write(f"Error: the output cannot be written ({error.strerror})\n")
            sys.stderr.flush()
        except OSError:
            _nowhere(2)
    raise SystemExit(1)


def _nowhere(number: int) -> None:
    found = os.open(os.devnull, os.O_RDWR)
    if found != number:
        os.dup2(found, number)
        os.close(found)
