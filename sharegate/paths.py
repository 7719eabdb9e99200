"""The one reading of a request path.

Jupyter's web framework routes on the undecoded path and decodes the groups afterwards, so a gateway that checks one
spelling and sends another has a hole. Here a raw target is decoded once, anything that could be read twice is
refused, and what was checked is encoded anew for the upstream.
"""

from __future__ import annotations

import functools
import re
from enum import Enum
from typing import Self
from urllib.parse import quote

import msgspec

from sharegate.errors import Denied, Reason

MAX_TARGET = 8192
MAX_SEGMENT_BYTES = 255
# Characters of a path whose reading is remembered.
_SHORT = 512

_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
# RFC 3986 pchar and "/", and nothing else: what a browser sends. A raw byte above 0x7e is no valid target.
_TARGET = re.compile(rb"/[A-Za-z0-9\-._~!$&'()*+,;=:@%/\[\]|^`{}\"<>]*\Z")
# C0 and C1 controls, DEL, the line and paragraph separators, and the bidirectional overrides that make a name lie.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")
# A segment of which nothing below is true, and which needs no closer look.
_PLAIN = re.compile(r"[A-Za-z0-9_\-][A-Za-z0-9_\-. ]{0,200}\Z")
_SECOND_LAYER = re.compile("%[0-9A-Fa-f]{2}")
_SAFE = "!$&'()*+,;=:@~"
# Of what stands so on the wire already.
_ENCODED = re.compile(r"[A-Za-z0-9_.\-~/]*\Z")
# Characters that HFS+ leaves out when it compares names (Apple TN1150): `\u200c.git` opens `.git` there.
_IGNORED = "\u200b\u200c\u200d\u200e\u200f\u2060\u206a\u206b\u206c\u206d\u206e\u206f\ufeff"


class Place(Enum):
    """Where a path lies as seen from a root."""

    INSIDE = "inside"
    ANCESTOR = "ancestor"
    OUTSIDE = "outside"


def check_segment(segment: str) -> None:
    """Refuse a decoded segment that some reader could understand differently (`bad_path`)."""
    if _PLAIN.match(segment):
        return
    if segment in ("", ".", ".."):
        raise Denied(Reason.BAD_PATH, "empty or dot segment")
    if "/" in segment or "\\" in segment:
        raise Denied(Reason.BAD_PATH, "separator inside a segment")
    if _CONTROL.search(segment):
        raise Denied(Reason.BAD_PATH, "control character")
    if _SECOND_LAYER.search(segment):
        raise Denied(Reason.BAD_PATH, "second layer of encoding")
    if len(segment.encode("utf-8", "surrogatepass")) > MAX_SEGMENT_BYTES:
        raise Denied(Reason.BAD_PATH, "segment longer than 255 bytes")


class CanonicalPath(msgspec.Struct, frozen=True):
    """A path that has exactly one reading: a tuple of decoded, checked segments.

    `trailing` tells whether the raw path ended in `/`; it never changes where the path points.
    """

    segments: tuple[str, ...]
    trailing: bool = False

    @classmethod
    def parse(cls, raw_path: str) -> Self:
        """Read the path of a raw request target (no query). Raises Denied(`bad_path`)."""
        # Pages ask for the same few paths again and again.
        return cls(*_read_short(raw_path)) if len(raw_path) <= _SHORT else cls(*_read(raw_path))

    @classmethod
    def from_body(cls, text: str) -> Self:
        """Read a path that arrived already decoded (a JSON field, a query value), relative to the server's root.

        One leading `/` is what Jupyter's clients send at times and means the same as none.
        """
        if not isinstance(text, str) or len(text) > MAX_TARGET:
            raise Denied(Reason.BAD_PATH, "not a path")
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise Denied(Reason.BAD_PATH, "lone surrogate") from None
        return cls(*_part(text.removeprefix("/")))

    @property
    def hidden(self) -> bool:
        """Whether any segment is a dotfile."""
        return any(segment.lstrip(_IGNORED).startswith(".") for segment in self.segments)

    @property
    def name(self) -> str:
        return self.segments[-1] if self.segments else ""

    def place(self, root: CanonicalPath) -> Place:
        """Compare whole segments: `shared2` is not inside `shared`."""
        mine, theirs = self.segments, root.segments
        if mine[: len(theirs)] == theirs:
            return Place.INSIDE
        return Place.ANCESTOR if theirs[: len(mine)] == mine else Place.OUTSIDE

    def under(self, start: int) -> CanonicalPath:
        """The path without its first `start` segments."""
        return CanonicalPath(self.segments[start:], self.trailing)

    def join(self, *more: str) -> CanonicalPath:
        return CanonicalPath((*self.segments, *more))

    @property
    def encoded(self) -> str:
        """Percent-encoded, without a leading or trailing slash: what goes on the wire to the upstream."""
        text = "/".join(self.segments)
        if _ENCODED.match(text) and text.count("/") == len(self.segments) - 1:
            return text
        return "/".join(quote(segment, safe=_SAFE) for segment in self.segments)

    def __str__(self) -> str:
        return "/".join(self.segments)


def _read(raw_path: str) -> tuple[tuple[str, ...], bool]:
    try:
        raw = raw_path.encode("ascii")
    except UnicodeEncodeError:
        raise Denied(Reason.BAD_PATH, "raw non-ASCII byte") from None
    if len(raw) > MAX_TARGET:
        raise Denied(Reason.BAD_PATH, "target too long")
    if not _TARGET.match(raw):
        raise Denied(Reason.BAD_PATH, "not an absolute path, or a character that must be encoded")
    if b"%" not in raw:
        return _part(raw_path[1:])
    if _BAD_ESCAPE.search(raw):
        raise Denied(Reason.BAD_PATH, "broken percent-encoding")
    decoded = _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), raw)
    try:
        text = decoded.decode("utf-8")
    except UnicodeDecodeError:
        raise Denied(Reason.BAD_PATH, "not UTF-8") from None
    return _part(text[1:])


_read_short = functools.lru_cache(maxsize=2048)(_read)


def _part(text: str) -> tuple[tuple[str, ...], bool]:
    """Segments, and whether it ended in a slash."""
    if text == "":
        return (), False
    trailing = text.endswith("/")
    segments = tuple(text.removesuffix("/").split("/"))
    for segment in segments:
        check_segment(segment)
    return segments, trailing


def split_target(target: str) -> tuple[str, str]:
    """Cut a raw origin-form target into raw path and raw query. Raises Denied(`bad_path`).

    Absolute-form targets and fragments are refused: no browser sends them to an origin server.
    """
    if "#" in target:
        raise Denied(Reason.BAD_PATH, "fragment in the target")
    path, _, query = target.partition("?")
    return path, query
