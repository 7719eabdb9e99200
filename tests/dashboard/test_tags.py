"""ETags: lists of them, weak and strong."""

from __future__ import annotations

import pytest

from sharegate.dashboard.tags import known, matches, tag, tags, written
from sharegate.errors import Invalid

MINE = tag(written({"a": 1}))


def test_a_tag_is_of_what_is_sent() -> None:
    """The same answer has the same, another one another."""
    assert tag(b'{"a": 1}') == MINE and tag(written({"a": 2})) != MINE
    assert len(MINE) == 34 and MINE[0] == MINE[-1] == '"'


@pytest.mark.parametrize("said", [MINE, f'"x",{MINE}', f' , {MINE} , "y"', "*"])
def test_one_of_a_list_is_enough(said: str) -> None:
    """For both conditions."""
    assert known([said], MINE) and matches(said, MINE)


def test_weak_tags_are_good_for_reading_and_not_for_changing() -> None:
    """RFC 9110, sections 13.1.1 and 13.1.2."""
    assert known([f"W/{MINE}"], MINE) and not matches(f"W/{MINE}", MINE)


def test_no_header_is_no_condition() -> None:
    """And another tag is not ours; several headers are one list."""
    assert not known([], MINE) and not known(['"x"'], MINE)
    assert known(['"x"', MINE], MINE)


@pytest.mark.parametrize("said", ["", "x", '"a', '"a" "b"', "w/" + MINE, '"' + "x" * 5000 + '"', "*,*"])
def test_what_is_no_list_of_tags_is_refused(said: str) -> None:
    """By the name of the header."""
    with pytest.raises(Invalid) as refused:
        tags([said], "If-Match")
    assert refused.value.field == "If-Match"


@pytest.mark.parametrize("filler", [", ", " ,", ",", " ", ' , "b"'])
def test_attack_a_list_that_could_be_read_in_many_ways(filler: str) -> None:
    """It is refused in one go, however long it is."""
    with pytest.raises(Invalid):
        known(['"a"' + filler * (3500 // len(filler)) + "x"], '"q"')
