"""The byte encoding under Yjs (lib0): one strict reader with bounded numbers, and the few writers that the gate needs.

Everything is read once, forwards, without recursion. What could be written in two ways is accepted in the canonical one
only, because jupyter-collaboration reads a frame's head with two parsers that disagree about the others, and because
its own number reader takes quadratic time for long ones. Every fault is Denied(`bad_frame`), but that too much is there
(`update_too_large`).
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from sharegate.errors import Denied, Reason

MAX_SAFE = 2**53 - 1  # what a JavaScript number holds exactly; client ids use all of it
MAX_VARINT = 8
MANY_KEYS = 1000

# Possessive, and an unfinished string runs to the end: no text makes this scan a place twice.
_BRACKETS = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)


def bad(detail: str) -> Denied:
    return Denied(Reason.BAD_FRAME, detail)


def large(detail: str) -> Denied:
    return Denied(Reason.UPDATE_TOO_LARGE, detail)


class Reader:
    """Reads `data` from its start. `pos` is how far it came; `data` is never copied as a whole."""

    __slots__ = ("data", "end", "pos")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.pos = 0
        self.end = len(data)

    @property
    def left(self) -> int:
        return self.end - self.pos

    def byte(self) -> int:
        try:
            value = self.data[self.pos]
        except IndexError:
            raise bad("ends too early") from None
        self.pos += 1
        return value

    def uint(self) -> int:
        """An unsigned number of at most 8 bytes and 53 bits, in its shortest form."""
        value = self.byte()
        if value < 0x80:
            return value
        value &= 0x7F
        shift = 7
        for _ in range(MAX_VARINT - 1):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return self._number(value, byte)
            shift += 7
        raise bad("number longer than 8 bytes")

    def skip_int(self) -> None:
        """A signed number: the first byte has a sign and 6 bits, each further one 7."""
        byte = self.byte()
        if byte < 0x80:
            return
        value = byte & 0x3F
        shift = 6
        for _ in range(MAX_VARINT - 1):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                self._number(value, byte)
                return
            shift += 7
        raise bad("number longer than 8 bytes")

    @staticmethod
    def _number(value: int, last: int) -> int:
        if last == 0:
            raise bad("number not in its shortest form")
        if value > MAX_SAFE:
            raise bad("number above 53 bits")
        return value

    def count(self, each: int = 1) -> int:
        """A number of things that take at least `each` bytes: refused at once when so many cannot follow."""
        value = self.uint()
        if value * each > self.end - self.pos:
            raise bad("count larger than the data")
        return value

    def skip(self, size: int) -> None:
        if size > self.end - self.pos:
            raise bad("length beyond the end")
        self.pos += size

    def bytes(self, limit: int = MAX_SAFE) -> bytes:
        size = self.uint()
        if size > limit:
            raise bad("longer than allowed")
        start = self.pos
        self.skip(size)
        return self.data[start : self.pos]

    def string(self, limit: int = MAX_SAFE) -> str:
        try:
            return self.bytes(limit).decode()
        except UnicodeDecodeError:
            raise bad("text is not UTF-8") from None

    def finish(self) -> None:
        if self.pos != self.end:
            raise bad("trailing bytes")


def skip_any(reader: Reader, *, nesting: int, key_bytes: int, weight: int = MAX_SAFE, bigints: bool = True) -> int:
    """Pass over one lib0 `any` value, which may hold others, at most `nesting` levels deep; returns what it weighs.

    That is about the time it takes to make it a value of this language, which its bytes do not tell: 1 for each value,
    1 more for one with a key, 8 more among very many keys, 4 more for each array or object. Denied(`update_too_large`)
    above `weight`.
    """
    seen = 0
    # Members left and whether they have keys, per open array or object, outermost first.
    open_: list[list[int]] = []
    left, keyed = 1, False
    while True:
        if left == 0:
            if not open_:
                return seen
            left, was_keyed = open_.pop()
            keyed = bool(was_keyed)
            continue
        left -= 1
        seen += 1
        if keyed:
            seen += 1
            reader.string(key_bytes)
        tag = reader.byte()
        if tag in (127, 126, 121, 120):  # undefined, null, false, true
            continue
        if tag == 125:
            reader.skip_int()
        elif tag == 123 or (tag == 122 and bigints):  # float64, bigint64
            reader.skip(8)
        elif tag == 124:  # float32
            reader.skip(4)
        elif tag == 119:
            reader.string()
        elif tag == 116:
            reader.skip(reader.uint())
        elif tag in (118, 117):  # object, array
            if len(open_) >= nesting:
                raise bad("nested too deep")
            open_.append([left, keyed])
            keyed = tag == 118
            left = reader.count(2 if keyed else 1)
            seen += 4 + (8 * left if keyed and left > MANY_KEYS else 0)
            if seen + left * (2 if keyed else 1) > weight:
                raise large("too many values")
        else:
            raise bad("unknown kind of value")


def read_json(text: str, *, nesting: int) -> Any:
    """JSON (RFC 8259) whose nesting was counted first, so that no parser recurses deeper than `nesting`."""
    if text.count("[") + text.count("{") > nesting:
        depth = 0
        for found in _BRACKETS.finditer(text):
            bracket = found[0]
            if bracket in ("[", "{"):
                depth += 1
                if depth > nesting:
                    raise bad("nested too deep")
            elif bracket in ("]", "}"):
                depth -= 1
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):  # fails closed: what one reader cannot read, another may misread
        raise bad("not JSON") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def uint(value: int) -> bytes:
    """The shortest form of an unsigned number."""
    parts = bytearray()
    while value > 0x7F:
        parts.append(0x80 | (value & 0x7F))
        value >>= 7
    parts.append(value)
    return bytes(parts)


def sized(data: bytes) -> bytes:
    """Length, then the bytes: how lib0 writes byte arrays and strings."""
    return uint(len(data)) + data
