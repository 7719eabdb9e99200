"""Names and messages that people type, made safe to show anywhere: page, terminal, trail.

A name is shown next to what the gate itself vouches for, so it may not hide, reorder or imitate that: no controls, no
bidirectional or zero-width characters, no piles of combining marks, no check mark (the badge of a verified person)
and no double quote (the badge of a typed name is `says "Bo"`). Markup is left alone here: whoever shows a name
escapes it.
"""

from __future__ import annotations

import re
import unicodedata

from sharegate.errors import Invalid

MAX_NAME = 60
MAX_MESSAGE = 500
MAX_MARKS = 3
MAX_LINES = 12

# Normalising is quadratic in a run of combining marks, so megabytes are cut before anything else looks at them.
_READ_FACTOR = 20
# Controls, formats (bidi, zero-width, soft hyphen, tags), lone surrogates, private use, unassigned.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
# Letters and marks that draw nothing, although their category says otherwise.
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_CHECK = re.compile("[\u221a\u2611\u2705\u2713\u2714\U0001f5f8\U0001f5f9]")
_SPACES = re.compile(r"\s+")


def clean_name(text: str) -> str:
    """A name of 1 to 60 characters on one line (NFC). Raises Invalid when nothing visible is left."""
    name = _line(text[: MAX_NAME * _READ_FACTOR], MAX_NAME)
    if not name:
        raise Invalid("name", "a name has no visible character", "Type the name that people know you by")
    return name


def clean_message(text: str, limit: int = MAX_MESSAGE) -> str:
    """Words of at most `limit` characters (NFC), with their line breaks. Empty when nothing is left."""
    lines = text[: limit * _READ_FACTOR].replace("\r\n", "\n").replace("\r", "\n").split("\n")
    cleaned = [_line(line, limit) for line in lines]
    # One empty line parts paragraphs; more would push the facts below it off the page.
    kept = [line for at, line in enumerate(cleaned) if line or (at > 0 and cleaned[at - 1])]
    message = "\n".join(kept).strip("\n")
    if message.count("\n") >= MAX_LINES:
        message = " ".join(line for line in kept if line)
    return message[:limit].rstrip()


def _line(text: str, limit: int) -> str:
    spaced = _SPACES.sub(" ", text)
    seen = "".join(char for char in spaced if unicodedata.category(char) not in _UNSEEN)
    plain = _CHECK.sub("", _BLANK.sub("", seen)).replace('"', "'")
    # A second pass, because removing a character can bring two together that compose or two spaces that touch.
    tidy = _SPACES.sub(" ", _few_marks(unicodedata.normalize("NFC", plain))).strip()
    return tidy[:limit].rstrip()


def _few_marks(text: str) -> str:
    """At most three combining marks in a row, and none at the start, where it would sit on somebody else's text."""
    kept: list[str] = []
    run = MAX_MARKS
    for char in text:
        run = run + 1 if unicodedata.category(char) in ("Mn", "Me") else 0
        if run <= MAX_MARKS:
            kept.append(char)
    return "".join(kept)
