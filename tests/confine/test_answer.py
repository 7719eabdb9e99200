"""An upstream's answer as values."""

from __future__ import annotations

import json

import pytest

from sharegate.confine.answer import check_status, read_list, read_object, read_value, write
from sharegate.errors import Denied, Reason

RANGE = (("range", "bytes=0-1"),)
CONDITION = (("If-None-Match", '"a"'),)


@pytest.mark.parametrize(
    ("status", "reading", "sent"),
    [
        (200, True, ()),
        (201, False, ()),
        (204, False, ()),
        (302, True, ()),
        (206, True, RANGE),
        (416, True, RANGE),
        (304, True, CONDITION),
    ],
)
def test_success_passes(status: int, reading: bool, sent: tuple[tuple[str, str], ...]) -> None:
    """Successes and redirects pass, and what answers a range or condition that was sent."""
    check_status(status, reading=reading, sent=sent)


@pytest.mark.parametrize(
    ("status", "reading", "reason"),
    [
        (400, True, Reason.NOT_FOUND),
        (403, True, Reason.NOT_FOUND),
        (404, True, Reason.NOT_FOUND),
        (410, True, Reason.NOT_FOUND),
        (404, False, Reason.NOT_FOUND),
        (400, False, Reason.BAD_BODY),
        (409, False, Reason.CONFLICT),
        (413, False, Reason.BODY_TOO_LARGE),
        (401, True, Reason.UPSTREAM_BAD_ANSWER),
        (405, True, Reason.UPSTREAM_BAD_ANSWER),
        (500, True, Reason.UPSTREAM_BAD_ANSWER),
        (500, False, Reason.UPSTREAM_BAD_ANSWER),
        (503, True, Reason.UPSTREAM_BAD_ANSWER),
        (206, True, Reason.UPSTREAM_BAD_ANSWER),
        (304, True, Reason.UPSTREAM_BAD_ANSWER),
        (416, True, Reason.UPSTREAM_BAD_ANSWER),
        (300, True, Reason.UPSTREAM_BAD_ANSWER),
        (101, True, Reason.UPSTREAM_BAD_ANSWER),
        (0, True, Reason.UPSTREAM_BAD_ANSWER),
        (299, True, Reason.UPSTREAM_BAD_ANSWER),
    ],
)
def test_error_never_passes(status: int, reading: bool, reason: Reason) -> None:
    """Every other status is a refusal of ours: Jupyter's error bodies carry the token, paths and file contents."""
    with pytest.raises(Denied) as refused:
        check_status(status, reading=reading, sent=())
    assert refused.value.reason is reason


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[1]", b"\xff", b'{"a":NaN}', b'{"a":' + b"[" * 100_000, b'{"a":[1,]}', b'{"a":"\\ud8"}']
)
def test_answer_that_is_not_the_expected_json(data: bytes) -> None:
    """Anything else than the expected shape is an unusable answer, not a crash."""
    with pytest.raises(Denied) as refused:
        read_object(data)
    assert refused.value.reason is Reason.UPSTREAM_BAD_ANSWER


def test_undecoded_part_is_written_as_it_came() -> None:
    """A notebook keeps its large numbers, its order and its spelling."""
    content = b'{"z":123456789012345678901234567890.10,"a":"\\u00fc"}'
    assert (
        write({"content": read_object(b'{"content":' + content + b"}")["content"]}) == b'{"content":' + content + b"}"
    )


def test_lone_surrogate_becomes_a_replacement_character() -> None:
    """One file name that is not UTF-8 does not take the whole listing away, and no other escape is touched."""
    data = json.dumps(["bad\udcff", "pair\U0001f600", "\\udcff", 'quote"\\'] * 2).encode()
    assert read_value(data) == ["bad\ufffd", "pair\U0001f600", "\\udcff", 'quote"\\'] * 2
    assert len(read_list(data)) == 8
