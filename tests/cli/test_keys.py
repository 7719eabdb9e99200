"""Single keys from a terminal, under a real pseudo-terminal."""

from __future__ import annotations

import asyncio
import os
import pty
import termios
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharegate.cli.keys import keys_in, reading, single_keys


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """(the person's end, the program's end)"""
    person, program = pty.openpty()
    yield person, program
    for fd in (person, program):
        try:
            os.close(fd)
        except OSError:
            pass


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a", ["a"]),
        (b"ARq1", ["a", "r", "q", "1"]),
        (b"\x1b[A\x1bOB\x1b[5~\x1b[6~", ["up", "down", "page-up", "page-down"]),
        (b"\r\x1b", ["enter", "escape"]),
        (b"\x1ba", []),
        (b"\x1b[1;5A\x1b[200~", []),
        (b"\x1b[", []),
        ("ä€\x00\x07!".encode(), []),
        (b"\x04", ["q"]),
    ],
)
def test_bytes_become_keys(data: bytes, expected: list[str]) -> None:
    """Letters, digits, arrows, Enter and Escape are known; all else is no key."""
    assert keys_in(data) == expected


@given(st.binary(max_size=64))
def test_any_bytes_are_known_keys_or_none(data: bytes) -> None:
    """No byte sequence fails or makes an unknown key."""
    named = {"up", "down", "page-up", "page-down", "enter", "escape"}
    assert all(key in named or (len(key) == 1 and key.isascii() and key.isalnum()) for key in keys_in(data))


def test_the_terminal_is_given_back(terminal: tuple[int, int]) -> None:
    """Echo and line mode are off inside and restored afterwards, also when an error ends it."""
    _, program = terminal
    before = termios.tcgetattr(program)

    def use() -> None:
        with single_keys(program):
            now = termios.tcgetattr(program)
            assert not now[3] & (termios.ECHO | termios.ICANON)
            assert now[3] & termios.ISIG
            assert now[6][termios.VSUSP] != before[6][termios.VSUSP]
            raise KeyError

    with pytest.raises(KeyError):
        use()
    assert termios.tcgetattr(program) == before


async def test_keys_arrive_one_by_one(terminal: tuple[int, int]) -> None:
    """A key is told at once, without Enter, and a terminal that goes away is told once."""
    person, program = terminal
    keys: asyncio.Queue[str] = asyncio.Queue()
    closed = asyncio.Event()
    with reading(program, keys.put_nowait, closed.set):
        os.write(person, b"a")
        assert await asyncio.wait_for(keys.get(), 25) == "a"
        os.write(person, b"\x1b[B")
        assert await asyncio.wait_for(keys.get(), 25) == "down"
        os.close(person)
        await asyncio.wait_for(closed.wait(), 25)
