"""The log of the process, with every secret scrubbed in one place: share tokens, cookies, server tokens, codes.

What is logged is written with care already; this is the net below, for libraries and for what nobody thought of.
"""

from __future__ import annotations

import logging
import re
from typing import TextIO

_SECRETS = (
    # Three base64url parts: a JWT, wherever it stands.
    (re.compile(r"\b[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{16,}"), "[token]"),
    # Authorization: scheme and credential.
    (re.compile(r"(?i)\b(bearer|token|basic)\s+[A-Za-z0-9._~+/=-]{8,}"), r"\1 [secret]"),
    # name=value and "name": "value", in queries, cookies and dumped headers.
    (
        re.compile(
            r"(?i)([\"']?\b(?:sharegate-visit|sharegate-browser|token|code|_xsrf|authorization|cookie|set-cookie)[\"']?"
            r"\s*[=:]\s*b?[\"']?)[^\s\"'&;,)]+"
        ),
        r"\1[secret]",
    ),
)


def scrubbed(text: str) -> str:
    """`text` without what looks like a secret."""
    for pattern, shown in _SECRETS:
        text = pattern.sub(shown, text)
    return text


class ScrubbingFormatter(logging.Formatter):
    """Scrubs the finished line, so that arguments, exceptions and stack traces are covered too."""

    def format(self, record: logging.LogRecord) -> str:
        return scrubbed(super().format(record))


def configure(level: str, stream: TextIO) -> None:
    """Log to `stream` from `level` (debug, info, warning, error) up."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(ScrubbingFormatter("%(levelname)s %(name)s: %(message)s"))
    # It would write down what visitors offer in a handshake, and there is nothing in it to act on.
    logging.getLogger("aiohttp.websocket").setLevel(logging.ERROR)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
