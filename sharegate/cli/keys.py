"""Single keys from the terminal, which is given back as it was whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
import os
import termios
import tty
from collections.abc import Callable, Iterator

_SEQUENCES = {
    b"\x1b[A": "up",
    b"\x1bOA": "up",
    b"\x1b[B": "down",
    b"\x1bOB": "down",
    b"\x1b[5~": "page-up",
    b"\x1b[6~": "page-down",
}
_NAMED = {b"\r": "enter", b"\n": "enter", b"\x1b": "escape", b"\x7f": "escape", b"\x04": "q"}
_LONGEST_SEQUENCE = 16


def keys_in(data: bytes) -> list[str]:
    """The keys of one read: letters and digits as they are, `up`, `down`, `page-up`, `page-down`, `enter`, `escape`.

    A terminal sends a key's sequence at once, so an escape byte alone at the end of a read is the Escape key. What is
    not known is skipped whole, so that the tail of a strange sequence is never taken for a letter.
    """
    found = []
    while data:
        if data[:2] in (b"\x1b[", b"\x1bO"):
            end = next(
                (at for at in range(2, min(len(data), _LONGEST_SEQUENCE)) if 0x40 <= data[at] <= 0x7E), len(data) - 1
            )
            sequence, data = data[: end + 1], data[end + 1 :]
            if sequence in _SEQUENCES:
                found.append(_SEQUENCES[sequence])
            continue
        if data[:1] == b"\x1b" and len(data) > 1:
            data = data[2:]  # Alt with a key: not ours
            continue
        byte, data = data[:1], data[1:]
        if byte in _NAMED:
            found.append(_NAMED[byte])
        elif byte.isalnum():
            found.append(byte.decode("ascii").lower())
    return found


@contextlib.contextmanager
def single_keys(fd: int) -> Iterator[None]:
    """Keys arrive one by one and are not shown. Ctrl-C stays a signal; Ctrl-Z is off, because a stopped screen would
    leave the terminal as it is now."""
    before = termios.tcgetattr(fd)
    try:
        tty.setcbreak(fd)
        now = termios.tcgetattr(fd)
        now[6][termios.VSUSP] = bytes([os.fpathconf(fd, "PC_VDISABLE") & 0xFF])
        termios.tcsetattr(fd, termios.TCSANOW, now)
        yield
    finally:
        # A terminal that was closed cannot be given back and needs not be.
        with contextlib.suppress(termios.error):
            termios.tcsetattr(fd, termios.TCSAFLUSH, before)


@contextlib.contextmanager
def reading(fd: int, press: Callable[[str], None], closed: Callable[[], None]) -> Iterator[None]:
    """Call `press` for each key while the event loop runs; `closed` once when the terminal goes away."""
    loop = asyncio.get_running_loop()

    def ready() -> None:
        try:
            data = os.read(fd, 1024)
        except OSError:
            data = b""
        if not data:
            loop.remove_reader(fd)
            closed()
        for key in keys_in(data):
            press(key)

    with single_keys(fd):
        loop.add_reader(fd, ready)
        try:
            yield
        finally:
            loop.remove_reader(fd)
