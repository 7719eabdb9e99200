"""The log of the process, with every secret scrubbed in one place: share tokens, cookies, server tokens, codes.

What is logged is written with care already; this is the net below, for libraries and for what nobody thought of. Two
formats: `hub`, as JupyterHub writes its own, and `json`, one object on a line. A message is one line in both: what
a stranger sent cannot look like an entry of its own.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, TextIO
from urllib.parse import quote

FORMATS = ("hub", "json")
# Shorter words stand in ordinary sentences as well.
SHORTEST = 6

_NAMES = (
    r"(?:__(?:Host|Secure)-)?sharegate-(?:visit|browser|dashboard|sign(?:ing|ed))[\w-]*"
    r"|(?:(?:access|share|api|id|refresh)[_-])?token|code|_xsrf|passwo?r?d|secret|api[_-]?key|client_secret"
)
_SECRETS = (
    # Three base64url parts: a JWT, wherever it stands.
    (re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{16,}"), "[token]"),
    # A token of the owner's API: its id may stay, for the history names it too.
    (re.compile(r"\bsgt_([a-z0-9]{1,40})_[A-Za-z0-9_-]{8,}"), r"sgt_\1_[secret]"),
    # Headers as they are dumped, with all that follows: a cookie has several parts, a credential a scheme before it.
    (
        re.compile(
            r"(?i)([\"']?\b(?:proxy-authorization|authorization|set-cookie|cookie)\b[\"']?\s*"
            r"(?:[=:,]|%3a)\s*\(?\s*b?)(?:\"[^\"]*\"|'[^']*'|[^\"'\r\n}\])]+)"
        ),
        r"\1[secret]",
    ),
    # Scheme and credential.
    (re.compile(r"(?i)\b(bearer|token|basic)(\s+|%20|\+)(?=\S*\d)[A-Za-z0-9._~+/=-]{8,}"), r"\1 [secret]"),
    # name=value and "name": "value", in queries, cookies, forms and JSON, also percent-encoded. The last value of a
    # line that is cut may lack its end.
    (
        re.compile(
            rf"(?i)((?:(?<![A-Za-z0-9-])|(?<=%[0-9a-f][0-9a-f]))[\"']?(?:{_NAMES})[\"']?\s*(?:[=:]|%3d|%3a)\s*b?)"
            r"(?:\"[^\"]*\"?|'[^']*'?|[^\s\"'&;,)\]}]+)"
        ),
        r"\1[secret]",
    ),
    # Who is named before an address's host (a store's, a proxy's): name and password.
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^\s/@\"'?#]*:[^\s/@\"'?#]*@"), r"\1[secret]@"),
)
# What a terminal obeys, or a reader of the log takes for the end of a line.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

_SHORT = {10: r"\n", 13: r"\r", 9: r"\t"}

Known = Callable[[], Iterable[str]]


def _nothing() -> Iterable[str]:
    return ()


def scrubbed(text: str, known: Iterable[str] = ()) -> str:
    """`text` without what looks like a secret, and without those that are `known`, whatever they look like."""
    for secret in sorted({each for each in known if len(each) >= SHORTEST}, key=len, reverse=True):
        for spelled in (secret, quote(secret, safe="")):
            text = text.replace(spelled, "[secret]")
    for pattern, shown in _SECRETS:
        text = pattern.sub(shown, text)
    return text


def escaped(text: str) -> str:
    """`text` on one line, with nothing in it that a terminal obeys. Written as Python would, without its codec: that
    is loaded from a file at its first use, and the log has to work when no descriptor is left."""
    return _UNSEEN.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    number = ord(found[0])
    return _SHORT.get(number) or (f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}")


class ScrubbingFormatter(logging.Formatter):
    """Scrubs what is finished, so that arguments, exceptions and stack traces are covered too.

    `known` gives the secrets that the process holds now; it must not block. A fault in it hides nothing less: the
    patterns still apply.
    """

    def __init__(self, style: str = "hub", known: Known = _nothing) -> None:
        super().__init__()
        self._json = style == "json"
        self.known = known

    def format(self, record: logging.LogRecord) -> str:
        known = self._known()
        try:
            message = record.getMessage()
        except Exception:  # fails open: a wrong format string in a library is no reason to lose the entry
            message = str(record.msg)
        # Scrubbed before it is escaped, and after: what an escape splits in two is found in neither otherwise.
        message = scrubbed(escaped(scrubbed(message, known)), known)
        trace = [scrubbed(escaped(line), known) for line in self._trace(record, known).splitlines()]
        at = datetime.fromtimestamp(record.created, UTC if self._json else None)
        name = escaped(scrubbed(record.name, known))
        if self._json:
            entry: dict[str, Any] = {
                "at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "level": record.levelname.lower(),
                "logger": name,
                "where": f"{record.module}:{record.lineno}",
                "message": message,
            }
            if trace:
                entry["trace"] = trace
            return json.dumps(entry, ensure_ascii=True)
        moment = f"{at:%Y-%m-%d %H:%M:%S}.{int(record.msecs):03d}"
        first = f"[{record.levelname[:1]} {moment} {name} {record.module}:{record.lineno}] {message}"
        return "\n".join([first, *(f"    {line}" for line in trace)])

    def _trace(self, record: logging.LogRecord, known: Iterable[str]) -> str:
        parts = []
        if record.exc_info and record.exc_info[0] is not None:
            parts.append(self.formatException(record.exc_info))
        elif record.exc_text:
            parts.append(record.exc_text)
        if record.stack_info:
            parts.append(record.stack_info)
        # As a whole, for a secret may go over several lines.
        return scrubbed("\n".join(parts), known)

    def _known(self) -> list[str]:
        try:
            return list(self.known())
        except Exception:  # fails open: told in the docstring
            return []


def configure(level: str, stream: TextIO, style: str = "hub") -> ScrubbingFormatter:
    """Log to `stream` from `level` (debug, info, warning, error) up, in a style of FORMATS. Whoever comes to know the
    secrets of the process tells them to what is returned."""
    formatter = ScrubbingFormatter(style)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    # It would write down what visitors offer in a handshake, and there is nothing in it to act on.
    logging.getLogger("aiohttp.websocket").setLevel(logging.ERROR)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # What Python itself warns of goes the same way.
    logging.captureWarnings(True)
    return formatter
