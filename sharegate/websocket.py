"""What RFC 6455 asks of a frame's first bytes and the library does not: looked at before the library reads them."""

from __future__ import annotations

from typing import Protocol

# Every reserved bit is set, and no extension is ever agreed on: the library ends the channel with 1002.
_IMPOSSIBLE = b"\xf0\x80"
# Of a frame's beginning: head, mask, and a close frame's code.
_LONGEST_HEAD = 16
_CLOSE = 8
# They stand for what was never on the wire (section 7.4.1). The library knows the others that may not be there.
_NEVER_SENT = frozenset({1004, 1005, 1006, 1015})


class Parser(Protocol):
    """The library's reader of frames."""

    def feed_data(self, data: bytes) -> tuple[bool, bytes]: ...

    def feed_eof(self) -> None: ...


class StrictFrames:
    """In front of `parser`: refuses frames that are masked where they must not be or the other way round (section 5.1),
    lengths that are not written as short as can be (section 5.2), and close codes that never stand on the wire (section
    7.4). A visitor's frames are `masked`.

    Passes on whole heads only, so that what is wrong can be replaced by what the library refuses by itself.
    """

    def __init__(self, parser: Parser, *, masked: bool) -> None:
        self._parser = parser
        self._masked = masked
        self._held = b""
        self._left = 0
        self._over = False

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        if self._over:
            return True, b""
        if self._left >= len(data) and not self._held:
            # The middle of a long frame, or nothing: the library asks itself to go on by that.
            self._left -= len(data)
            return self._parser.feed_data(data)
        if self._held:
            data = self._held + data
        at = self._left
        while at < len(data):
            size = self._head(data[at : at + _LONGEST_HEAD])
            if size is None:
                break
            if size < 0:
                self._over = True
                return self._parser.feed_data(data[:at] + _IMPOSSIBLE)
            at += size
        whole = min(at, len(data))
        self._left = at - whole
        self._held = data[whole:]
        return self._parser.feed_data(data[:whole] if self._held else data)

    def feed_eof(self) -> None:
        self._parser.feed_eof()

    def _head(self, head: bytes) -> int | None:
        """Bytes of the frame that begins here; None when its head has not come whole; negative when it is none."""
        if len(head) < 2:
            return None
        if (head[1] >= 0x80) is not self._masked:
            return -1
        size, fixed = head[1] & 0x7F, 6 if self._masked else 2
        if size < 126:
            if head[0] & 0x0F == _CLOSE and size >= 2:
                if len(head) < fixed + 2:
                    return None
                if not self._sendable(head[fixed - 4 : fixed], head[fixed : fixed + 2]):
                    return -1
            return fixed + size
        wide, least = (2, 126) if size == 126 else (8, 1 << 16)
        if len(head) < 2 + wide:
            return None
        size = int.from_bytes(head[2 : 2 + wide], "big")
        # What is too long is the library's to refuse: it answers with a code of its own.
        return fixed + wide + size if size >= least else -1

    def _sendable(self, mask: bytes, code: bytes) -> bool:
        number = int.from_bytes(code, "big")
        if self._masked:
            number ^= int.from_bytes(mask[:2], "big")
        return number < 5000 and number not in _NEVER_SENT
