"""Tests of upstream/address.py."""

from __future__ import annotations

import pytest

from sharegate.errors import Denied, Invalid, Reason
from sharegate.upstream.address import address_of, parse_address


@pytest.mark.parametrize(
    ("url", "again"),
    [
        ("http://127.0.0.1:8888/", "http://127.0.0.1:8888/"),
        ("http://localhost:8888", "http://localhost:8888/"),
        ("https://hub.example.org/user/ann", "https://hub.example.org/user/ann/"),
        ("https://hub.example.org:443/user/ann%40x/", "https://hub.example.org/user/ann%40x/"),
        ("http://[::1]:8888/", "http://[::1]:8888/"),
    ],
)
def test_a_usable_address_is_kept_and_ends_in_a_slash(url: str, again: str) -> None:
    """Origin and base come back in one spelling, without a default port."""
    assert parse_address(url).url == again


@pytest.mark.parametrize(
    "url",
    [
        "ftp://h/",
        "http://user:pw@h/",
        "http://@h/",
        "http://h/?token=x",
        "http://h/?",
        "http://h/#x",
        "http:///x",
        "http://h:0/",
        "http://h:99999/",
        "http://h/a//b/",
        "http://h/../b/",
        "http://h/a b/",
        "http://h/\r\nX: y/",
        "http://hé/",
        "http://h\\@evil/",
        "/relative",
        "",
    ],
)
def test_an_address_with_more_than_one_reading_is_refused(url: str) -> None:
    """Credentials, queries, odd hosts and paths are faults of the field `url`, and away on the request path."""
    with pytest.raises(Invalid):
        parse_address(url)
    with pytest.raises(Denied) as denied:
        address_of(url)
    assert denied.value.reason is Reason.UPSTREAM_AWAY


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1/", True),
        ("http://127.9.9.9/", True),
        ("http://[::1]/", True),
        ("http://LocalHost/", True),
        ("http://localhost.example.org/", False),
        ("http://10.0.0.1/", False),
    ],
)
def test_loopback_is_told_from_the_rest(url: str, loopback: bool) -> None:
    """Only this machine's own addresses count as loopback."""
    assert parse_address(url).loopback is loopback


@pytest.mark.parametrize("path", ["a b", "a?b", "a#b", "/a", "a%2", "a\r\nHost: evil", "a\x00", "ä", "a\\b", 'a"b'])
def test_attack_a_path_that_would_leave_the_request_line_is_refused(path: str) -> None:
    """Nothing that could end the path, or the request line, is put into a URL."""
    with pytest.raises(Denied) as denied:
        parse_address("http://h/").request_url(path)
    assert denied.value.reason is Reason.BAD_PATH


def test_query_pairs_are_encoded_anew() -> None:
    """No character of a value can become a separator."""
    url = parse_address("http://h/b/").request_url("x", (("a", "1&b=2"), ("c d", "é#?+")))
    assert str(url) == "http://h/b/x?a=1%26b%3D2&c%20d=%C3%A9%23%3F%2B"
