"""What callers hand back to go on: only what was given out, and only for the question it was given out for."""

from __future__ import annotations

import base64

import msgspec
import pytest

from sharegate.audit.cursors import cursor_of, mark_of
from sharegate.audit.interfaces import Mark, Query
from sharegate.errors import Invalid

ASKED = Query(share="s1", since=5.0, limit=50, newest_first=True)
MARK = Mark(writer="gate-ä", seq=7)


QUESTION = msgspec.msgpack.decode(base64.urlsafe_b64decode(cursor_of(ASKED, MARK) + "=="))[0]


def packed(*parts: object) -> str:
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(parts)).rstrip(b"=").decode()


def test_a_cursor_leads_back_to_its_entry() -> None:
    """Whatever the size of the next page; an address takes it as it is."""
    cursor = cursor_of(ASKED, MARK)
    assert cursor.replace("-", "").replace("_", "").isalnum()
    assert mark_of(msgspec.structs.replace(ASKED, limit=3), cursor) == MARK
    assert mark_of(ASKED, "") is None


@pytest.mark.parametrize(
    "changed", [{"newest_first": False}, {"share": "s2"}, {"since": 6.0}, {"path": "a"}, {"until": 9.0}], ids=str
)
def test_a_cursor_of_another_question_is_told(changed: dict[str, object]) -> None:
    """Its place would mean something else there."""
    with pytest.raises(Invalid) as told:
        mark_of(msgspec.structs.replace(ASKED, **changed), cursor_of(ASKED, MARK))
    assert told.value.field == "cursor" and "another question" in told.value.problem


@pytest.mark.parametrize(
    "cursor",
    [
        *("x", "=", "====", "%00", "\u202e", "A" * 401, "null", "../..", " ", "5:gate"),
        *(
            packed(),
            packed(QUESTION),
            packed(QUESTION, "w", "7"),
            packed(QUESTION, "w", 1.5),
            packed(QUESTION, "w", -1),
            packed(QUESTION, "", 1),
        ),
        *(packed(QUESTION, "w", 2**60), packed(QUESTION, "w", 1, 1), packed([QUESTION], "w", 1)),
        base64.urlsafe_b64encode(b"\x91" * 250).decode(),
    ],
)
def test_attack_a_made_up_cursor(cursor: str) -> None:
    """One clear refusal, whatever it holds."""
    with pytest.raises(Invalid) as told:
        mark_of(ASKED, cursor)
    assert told.value.field == "cursor"
