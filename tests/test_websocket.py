"""Frames' first bytes, before the library reads them."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharegate.websocket import StrictFrames

MASK = b"\x01\x02\x03\x04"


class Kept:
    """A parser that keeps what it is fed."""

    def __init__(self) -> None:
        self.data = b""
        self.ended = False

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self.data += data
        return False, b""

    def feed_eof(self) -> None:
        self.ended = True


def frame(payload: bytes, *, masked: bool = True) -> bytes:
    bit = 0x80 if masked else 0
    if len(payload) < 126:
        size = bytes((bit | len(payload),))
    elif len(payload) < 65536:
        size = bytes((bit | 126,)) + struct.pack(">H", len(payload))
    else:
        size = bytes((bit | 127,)) + struct.pack(">Q", len(payload))
    return b"\x82" + size + (MASK if masked else b"") + payload


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([0, 1, 125, 126, 127, 300, 65535, 65536]), max_size=4),
    st.lists(st.sampled_from([1, 2, 3, 7, 13, 1000, 70_000]), min_size=1, max_size=12).filter(
        lambda cuts: sum(cuts) > 900
    ),
    st.booleans(),
)
def test_good_frames_pass_whole_however_they_are_cut(sizes: list[int], cuts: list[int], masked: bool) -> None:
    """Byte for byte, and nothing is left behind at the end of a frame."""
    data = b"".join(frame(b"x" * size, masked=masked) for size in sizes)
    kept = Kept()
    strict = StrictFrames(kept, masked=masked)
    at = 0
    while at < len(data):
        cut = cuts[at % len(cuts)]
        strict.feed_data(data[at : at + cut])
        at += cut

    assert kept.data == data


WRONG = {
    "not masked": frame(b"abc", masked=False),
    "two bytes of length for 125": b"\x82\xfe\x00\x7d" + MASK,
    "eight bytes of length for 65535": b"\x82\xff" + struct.pack(">Q", 65535) + MASK,
    "a close with 1006": b"\x88\x82" + MASK + bytes((0x03 ^ 1, 0xEE ^ 2)),
    "a close with 5000": b"\x88\x85" + MASK + bytes((0x13 ^ 1, 0x88 ^ 2)) + b"bye",
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("cut", range(11))
def test_attack_wrong_heads_never_reach_the_parser(wrong: bytes, cut: int) -> None:
    """Wherever they are cut: what is before them passes, then what every parser refuses, then nothing."""
    kept = Kept()
    strict = StrictFrames(kept, masked=True)
    good = frame(b"good")
    data = good + wrong
    strict.feed_data(data[: len(good) + cut])
    strict.feed_data(data[len(good) + cut :])
    strict.feed_data(frame(b"more"))

    assert kept.data == good + b"\xf0\x80"


@pytest.mark.parametrize("code", [1000, 1001, 1011, 3000, 4999, 999, 2000])
def test_closes_pass_that_the_library_knows(code: int) -> None:
    """It refuses those itself that are not defined."""
    plain = b"\x88\x02" + code.to_bytes(2, "big")
    masked = b"\x88\x82" + MASK + bytes((code >> 8 ^ 1, code & 255 ^ 2))
    for data, from_visitor in ((plain, False), (masked, True), (b"\x88\0", False)):
        kept = Kept()
        strict = StrictFrames(kept, masked=from_visitor)
        for byte in data:
            strict.feed_data(bytes((byte,)))
        assert kept.data == data


def test_attack_a_server_that_masks() -> None:
    """RFC 6455 section 5.1: a client closes the connection."""
    kept = Kept()
    StrictFrames(kept, masked=False).feed_data(frame(b"abc"))

    assert kept.data == b"\xf0\x80"


def test_the_end_and_the_question_to_go_on_pass() -> None:
    """The library asks its parser to go on by feeding it nothing."""
    kept = Kept()
    strict = StrictFrames(kept, masked=True)

    assert strict.feed_data(b"") == (False, b"")
    strict.feed_eof()
    assert kept.ended
