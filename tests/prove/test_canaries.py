"""What is looked for, in every spelling in which it could travel, and what is not."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharegate.prove import canaries
from sharegate.prove.canaries import search

TOKEN = "c0ffee/decade+0123456789"


@pytest.mark.parametrize(
    "spelled",
    [
        TOKEN,
        quote(TOKEN, safe=""),
        quote(TOKEN),
        json.dumps(TOKEN).replace("/", "\\/"),
        *(base64.b64encode(b"x" * lead + TOKEN.encode() + b"tail").decode() for lead in range(7)),
    ],
)
def test_a_secret_is_found_however_it_is_written(spelled: str) -> None:
    """Plain, percent-encoded, in JSON, and in base64 wherever it begins."""
    assert search(canaries.secret("token", TOKEN), f'{{"a": "{spelled}"}}'.encode())


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_a_secret_is_found_wherever_it_stands(before: bytes, after: bytes) -> None:
    """Between any bytes, as they are and in base64."""
    whole = before + TOKEN.encode() + after
    assert search(canaries.secret("token", TOKEN), whole)
    assert search(canaries.secret("token", TOKEN), base64.b64encode(whole))


def test_short_texts_are_no_canaries() -> None:
    """They stand everywhere, and finding them proves nothing."""
    assert canaries.secret("path", "/root") == []
    assert canaries.words("words", "  x = 1 ") == canaries.name("name", "data") == []


@pytest.mark.parametrize(("name", "told"), [("notebooks", 0), ("README.md", 0), ("exam.ipynb", 0), ("exam-2026", 1)])
def test_a_plain_word_is_no_name_of_its_own(name: str, told: int) -> None:
    """A folder may be called like a word of any page."""
    assert bool(canaries.name("name", name)) is bool(told)


def test_a_name_is_found_whole() -> None:
    """`exam-2026` does not stand in `exam-2026b`, and does in a path."""
    found = canaries.name("name", "exam-2026")
    assert search(found, b'"path": "lectures/exam-2026/x"')
    assert not search(found, b'"path": "lectures/exam-2026b"')


def test_what_was_said_is_not_told() -> None:
    """A question that comes back tells nothing, unless it held a secret."""
    name, token = canaries.name("name", "exam-2026"), canaries.secret("token", TOKEN)
    assert not search(name, b"no exam-2026 here", said=b"GET exam-2026")
    assert search(token, TOKEN.encode(), said=TOKEN.encode())
    assert not search(name, b"exam-2026", strong_only=True) and search(token, TOKEN.encode(), strong_only=True)


def test_a_canary_shows_no_text() -> None:
    """Not in a repr, which may come into a log."""
    assert TOKEN not in repr(canaries.secret("token", TOKEN))
