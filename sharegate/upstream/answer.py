"""Reading a server's answer: bytes in, its head and the pieces of its body out. No network here.

Heads and chunks are read by llhttp (httptools). What it is lenient about, or leaves to its caller, is checked on top:
an answer that has two readings is none.
"""

from __future__ import annotations

import re

import httptools
import msgspec

# Bytes of a head, all lines together, and of one field; the number of fields.
MAX_HEAD = 32 * 1024
MAX_FIELD = 16 * 1024
MAX_FIELDS = 100
# Of a chunked body, bytes that are no body: sizes, line ends, extensions, trailers. A chunk for each byte costs 5.
_SPARE = 16 * 1024
_PER_BYTE = 8

_STATUS = re.compile(rb"HTTP/1\.[01] [1-5][0-9]{2}(?: [^\r\n]*)?\r\n")
_BEGINNING = b"HTTP/1."
# Interim answers (1xx) before the answer; real ones are one or two.
_MOST_INTERIM = 8
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")  # RFC 9110 section 5.1 token
# What no field holds; line ends are looked at apart.
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_LENGTH = re.compile(r"[0-9]{1,15}\Z")

Fields = tuple[tuple[str, str], ...]


class Unreadable(Exception):
    """No answer, or one that has more than one reading, or ended too early. Its text is ours, never the server's."""


class Head(msgspec.Struct, frozen=True):
    """The head of the answer itself: 1xx before it are left out."""

    status: int
    fields: Fields


class _Read:
    """What the parser says about one message. It does not know the parser, so that nothing has to be collected."""

    __slots__ = ("begun", "fields", "pieces", "whole")

    def __init__(self) -> None:
        self.begun = 0
        self.fields: list[tuple[bytes, bytes]] = []
        self.pieces: list[bytes] = []
        self.whole = False

    def on_message_begin(self) -> None:
        self.begun += 1

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value))

    def on_body(self, piece: bytes) -> None:
        # The parser would read on into a second message that came with this one.
        if not self.whole:
            self.pieces.append(piece)

    def on_message_complete(self) -> None:
        self.whole = True


class AnswerReader:
    """One answer (RFC 9112 section 6.3). `head` is there once it came; `complete` when the body has ended, `again`
    then says whether the connection may carry another request. `heard`: at least one byte came."""

    __slots__ = (
        *("_buffer", "_chunks", "_fed", "_got", "_interim", "_left", "_parser", "_tail", "_without_body"),
        *("again", "complete", "head", "heard"),
    )

    def __init__(self, method: str) -> None:
        self._without_body = method == "HEAD"
        self._buffer = b""
        # Bytes of the body that are missing; -1: until the connection ends.
        self._left = 0
        self._parser: httptools.HttpResponseParser | None = None
        self._chunks: _Read | None = None
        self._fed = self._got = self._interim = 0
        self._tail = b""
        self.head: Head | None = None
        self.heard = self.complete = self.again = False

    def feed(self, data: bytes) -> list[bytes]:
        """The pieces of the body in `data`, as they lay there. Raises Unreadable; nothing may be fed after that.

        Bytes behind the end make `again` false and are dropped: they must not become the next one's answer."""
        self.heard = True
        if self.head is None:
            rest = self._read_head(data)
            return [] if rest is None else self._read_body(rest)
        return self._read_body(data)

    def _read_body(self, data: bytes) -> list[bytes]:
        if self.complete:
            self.again = self.again and not data
            return []
        if not data:
            return []
        if self._chunks is not None:
            return self._read_chunks(data, self._chunks)
        if self._left < 0:
            return [data]
        surplus = len(data) - self._left
        if surplus < 0:
            self._left = -surplus
            return [data]
        self.complete = True
        if surplus:
            self.again = False
            return [data[: self._left]] if self._left else []
        return [data]

    def end(self) -> None:
        """The connection has ended in good order. Raises Unreadable unless that ends the answer."""
        if self.head is None or (self._left >= 0 and not self.complete):
            raise Unreadable("ended within an answer")
        self.complete = True
        self.again = False

    def _read_head(self, data: bytes) -> bytes | None:
        """Read on in the head and return what is behind it, None while it has not ended."""
        self._buffer += data
        while True:
            end = self._buffer.find(b"\r\n\r\n", 0, MAX_HEAD)
            if end < 0:
                if len(self._buffer) > MAX_HEAD or self._buffer[:7] != _BEGINNING[: len(self._buffer)]:
                    raise Unreadable("a head without an end, or none")
                return None
            text, self._buffer = self._buffer[: end + 4], self._buffer[end + 4 :]
            status = self._read(text)
            if status >= 200:
                rest, self._buffer = self._buffer, b""
                return rest
            # 1xx is not the answer. What upgrades a connection was not asked for.
            if status == 101:
                raise Unreadable("an upgrade that nobody asked for")
            self._interim += 1
            if self._interim > _MOST_INTERIM:
                raise Unreadable("interim answers without end")
            if not self._buffer:
                return None

    def _read(self, text: bytes) -> int:
        """Read one whole head and return its status."""
        lines = text.count(b"\r\n")
        # One way to part it into lines: no bare CR or LF, no folded line (RFC 9112 sections 2.2 and 5.2).
        if lines != text.count(b"\n") or lines != text.count(b"\r") or b"\r\n " in text or b"\r\n\t" in text:
            raise Unreadable("a line that does not end as lines do")
        if not _STATUS.match(text) or _CONTROL.search(text):
            raise Unreadable("no status line, or a character that no head holds")
        said = _Read()
        parser = httptools.HttpResponseParser(said)
        try:
            parser.feed_data(text)
            version, status = parser.get_http_version(), parser.get_status_code()
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            raise Unreadable("a head that the parser refuses") from None
        if said.begun != 1 or said.pieces or len(said.fields) != lines - 2 or lines - 2 > MAX_FIELDS:
            raise Unreadable("a head of too many fields, or of another form")
        if status >= 200:
            fields = _checked(said.fields)
            self._frame(version, status, fields)
            if self._left == 0 and not self.complete:
                self._parser, self._chunks = parser, said
                said.fields = []
            self.head = Head(status, fields)
        return status

    def _frame(self, version: str, status: int, fields: Fields) -> None:
        """Say how long the body is. Refused is what another reader could take for another length."""
        lengths: list[str] = []
        codings: list[str] = []
        options = ""
        for name, value in fields:
            plain = name.lower()
            if plain == "content-length":
                lengths.append(value)
            elif plain == "transfer-encoding":
                codings.append(value.lower())
            elif plain == "connection":
                options += "," + value.lower()
        if len(lengths) > 1 or (lengths and (codings or not _LENGTH.match(lengths[0]))):
            raise Unreadable("a length with two readings")
        if codings and (codings != ["chunked"] or version != "1.1"):
            raise Unreadable("a transfer coding that nobody knows")
        self.again = version == "1.1" and "close" not in (one.strip() for one in options.split(","))
        if self._without_body or status in (204, 304):
            self.complete = True
            # A body that is told of may be sent all the same, and later: nobody's answer may stand behind it.
            self.again = self.again and lengths in ([], ["0"]) and not codings
        elif codings:
            self._left = 0
        elif lengths:
            self._left = int(lengths[0])
            self.complete = not self._left
        else:
            self._left = -1

    def _read_chunks(self, data: bytes, said: _Read) -> list[bytes]:
        assert self._parser is not None
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if not said.whole:
                raise Unreadable("a chunk that is none") from None
            self.again = False  # what is refused lies behind the end
        pieces, said.pieces = said.pieces, []
        self._fed += len(data)
        self._tail = (self._tail + data[-8:])[-8:]
        self._got += sum(map(len, pieces))
        if self._fed > _SPARE + _PER_BYTE * self._got or len(said.fields) > MAX_FIELDS:
            raise Unreadable("more around a body than in it")
        if said.whole:
            self.complete = True
            self._parser = self._chunks = None
            # A message that begins anew, or a line end too many, is not this one's; the parser passes over the latter.
            clean = self._tail.endswith(b"\r\n\r\n") and not self._tail.endswith(b"\n\r\n\r\n")
            self.again = self.again and said.begun == 1 and clean
        return pieces


def _checked(raw: list[tuple[bytes, bytes]]) -> Fields:
    fields: list[tuple[str, str]] = []
    for name, value in raw:
        if len(name) + len(value) > MAX_FIELD or not _NAME.match(name):
            raise Unreadable("a field that is none")
        # Every byte has one reading so, and what is passed on has to be ASCII anyway.
        fields.append((name.decode("ascii"), value.decode("latin-1")))
    return tuple(fields)
