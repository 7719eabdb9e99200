"""Bytes of a file as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharegate.errors import Invalid
from sharegate.rosters.text import MOST_BYTES, decode

TEXT = "name,email\nJörg Müß,j@example.org\n"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (TEXT.encode(), ""),
        (TEXT.encode("utf-8-sig"), ""),
        (TEXT.encode("utf-16"), ""),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), ""),
        (TEXT.encode("utf-32"), ""),
        (TEXT.encode("utf-16-le"), "UTF-16"),
        (TEXT.encode("utf-16-be"), "UTF-16"),
        (TEXT.encode("cp1252"), "cp1252"),
    ],
)
def test_what_spreadsheets_write(data: bytes, said: str) -> None:
    """The same letters; where it could not be told for certain, that is said."""
    text, note = decode(data)
    assert text == TEXT and said in note and bool(note) == bool(said)


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04 a spreadsheet of today",
        b"\xd0\xcf\x11\xe0 an older one",
        b"%PDF-1.7",
        b"name\0\n",
        b"x" * (MOST_BYTES + 1),
        b"\xff\xfea",
        b"\xef\xbb\xbf\xff",
    ],
)
def test_attack_what_is_no_text(data: bytes) -> None:
    """It is refused with a way out, never guessed at."""
    with pytest.raises(Invalid) as refused:
        decode(data)
    assert refused.value.remedy and refused.value.field == "roster"


@given(st.binary(max_size=300))
def test_attack_any_bytes(data: bytes) -> None:
    """Text without NUL, or Invalid."""
    try:
        text, _ = decode(data)
    except Invalid:
        return
    assert "\0" not in text
