"""Pictures by what they are, not by what they are called."""

from __future__ import annotations

import base64
import binascii

# Bytes of one picture.
LARGEST = 10 << 20
_BEGIN = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
NAMES = (".png", ".jpg", ".jpeg", ".gif", ".webp")


def kind_of(data: bytes) -> str:
    """The media type by the first bytes; "" for all that is not one of four kinds, SVG among it: that is a document
    with scripts."""
    for begin, kind in _BEGIN:
        if data.startswith(begin):
            return kind
    return "image/webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else ""


def decoded(text: object) -> bytes:
    """The bytes of a picture in a notebook (base64, with line breaks, perhaps in several parts); b"" for what is no
    picture, or one that is too large."""
    if isinstance(text, list):
        text = "".join(part for part in text if isinstance(part, str))
    if not isinstance(text, str) or len(text) > LARGEST * 3 // 2:
        return b""
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return b""
    return data if len(data) <= LARGEST and kind_of(data) else b""
