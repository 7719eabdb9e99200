"""The one reading of a query."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharegate.confine.query import MAX_QUERY, is_cache_buster, read_query
from sharegate.errors import Denied, Reason


def test_query_is_decoded_once() -> None:
    """Percent-encoding and `+` are undone once, and what is encoded twice stays encoded once."""
    assert read_query("a=%C3%BC+b&c=%252e") == {"a": "ü b", "c": "%2e"}


@pytest.mark.parametrize("raw", ["", "&", "?&1712345678901", "&&content=1", "content"])
def test_what_the_url_builder_of_jupyterlab_writes_is_read(raw: str) -> None:
    """Empty pieces and bare names are no fault."""
    assert set(read_query(raw.removeprefix("?"))) <= {"1712345678901", "content"}


@pytest.mark.parametrize(
    "raw",
    [
        "a=1&a=2",
        "a=1&%61=2",
        "=1",
        "a=%",
        "a=%zz",
        "a=%C0%AE",
        "a=%ff",
        "a=%00",
        "a=%0d%0aX:1",
        "a=%E2%80%AE",
        "a= b",
        "a=\u00fc",
        "a=1#b",
        "x" * (MAX_QUERY + 1),
        "&".join(f"n{number}=1" for number in range(65)),
    ],
    ids=lambda raw: raw[:12],
)
def test_attack_query_with_two_readings_is_refused(raw: str) -> None:
    """Twice-given names, broken or overlong encoding, control characters and floods are `bad_query`."""
    with pytest.raises(Denied) as refused:
        read_query(raw)
    assert refused.value.reason is Reason.BAD_QUERY


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("1712345678901", "", True),
        ("_", "1712345678901", True),
        ("t", "1712345678901", True),
        ("_", "x", False),
        ("1712", "secret", False),
        ("_", "", False),
        ("path", "1712", False),
        ("١٢٣", "", False),
    ],
)
def test_only_numbers_are_cache_busters(name: str, value: str, expected: bool) -> None:
    """A bare number, or `_` or `t` with one, is a cache buster; nothing that could carry a meaning is."""
    assert is_cache_buster(name, value) is expected


_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=20)


@given(st.dictionaries(_TEXT.filter(bool), _TEXT, max_size=8))
def test_what_a_browser_encodes_is_read_back(arguments: dict[str, str]) -> None:
    """Any ordinary arguments survive encoding and reading."""
    assert read_query(urlencode(arguments)) == arguments


@given(st.text(max_size=60))
def test_every_query_is_read_as_the_standard_library_reads_it_or_refused(raw: str) -> None:
    """What is accepted has the reading that other readers have."""
    try:
        found = read_query(raw)
    except Denied:
        return
    assert found == dict(parse_qsl(raw, keep_blank_values=True, errors="strict", strict_parsing=False))
