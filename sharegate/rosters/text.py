"""The bytes of a file as text: UTF-8, UTF-16, or what Windows writes, and which of these it was.

A file that is no text at all is refused; one in letters that cannot be told for certain is read as Windows writes it,
and that is said, for then somebody has to look at the names.
"""

from __future__ import annotations

import codecs

from sharegate.errors import Invalid

MOST_BYTES = 512 << 10
_MARKS = (
    # That of UTF-32 begins like that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# ZIP (spreadsheets of today), their ancestors, PDF.
_OTHERS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF")
_SAVE_AS = "In the spreadsheet choose Save as, CSV UTF-8"


def decode(data: bytes, field: str = "roster") -> tuple[str, str]:
    """Text, and a note where somebody has to know how it was read. Raises Invalid."""
    if len(data) > MOST_BYTES:
        raise Invalid(field, f"is larger than {MOST_BYTES >> 10} kB", "Leave out the columns that are no names")
    if data.startswith(_OTHERS):
        raise Invalid(field, "is no CSV file but that of another program", _SAVE_AS)
    mark = next((encoding for mark, encoding in _MARKS if data.startswith(mark)), "")
    try:
        if mark:
            return _checked(data.decode(mark), field), ""
        if encoding := _without_mark(data):
            return _checked(data.decode(encoding), field), "It was read as UTF-16, which it does not say itself."
        return _checked(data.decode(), field), ""
    except UnicodeDecodeError as error:
        if mark or _without_mark(data):
            raise Invalid(field, f"is cut off or damaged near byte {error.start}", _SAVE_AS) from None
    # Windows-1252 leaves five bytes without a meaning, which Latin-1 has: controls, which are refused by row.
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return _checked(text, field), "It is not UTF-8 and was read as Windows writes it (cp1252): look at the names."


def _without_mark(data: bytes) -> str:
    """UTF-16 has a NUL in every second byte of plain letters, and CSV has plain letters in every row."""
    if len(data) < 4 or len(data) % 2:
        return ""
    even, odd = data[0::2].count(0), data[1::2].count(0)
    half = len(data) // 2
    if odd * 3 > half and even * 10 < odd:
        return "utf-16-le"
    return "utf-16-be" if even * 3 > half and odd * 10 < even else ""


def _checked(text: str, field: str) -> str:
    if "\0" in text:
        raise Invalid(field, "is no text: it holds the character NUL", _SAVE_AS)
    return text
