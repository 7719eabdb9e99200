"""Tests of upstream/headers.py."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharegate.errors import Denied, Reason
from sharegate.upstream.address import parse_address
from sharegate.upstream.headers import never, outgoing_head, request_head
from sharegate.upstream.interfaces import Outgoing
from sharegate.upstream.model import Credential

ADDRESS = parse_address("http://127.0.0.1:8888/user/ann/")
CREDENTIAL = Credential("abc123")


def head(*fields: tuple[str, str], credential: bool = True) -> list[tuple[str, str]]:
    return outgoing_head(ADDRESS, CREDENTIAL, Outgoing("GET", "x", headers=fields, credential=credential))


def test_the_head_names_the_upstream_and_carries_its_credential() -> None:
    """Host and Authorization are ours, and answers are asked for unencoded."""
    assert head() == [("Host", "127.0.0.1:8888"), ("Authorization", "token abc123"), ("Accept-Encoding", "identity")]


def test_static_files_are_fetched_without_the_credential() -> None:
    """With `credential` off there is no Authorization."""
    assert [name for name, _ in head(credential=False)] == ["Host", "Accept-Encoding"]


def test_an_allowed_accept_encoding_goes_through() -> None:
    """A rule that allows it gets the visitor's own, once."""
    fields = head(("accept-encoding", "gzip, br"), ("If-None-Match", '"x"'))
    assert fields[2:] == [("accept-encoding", "gzip, br"), ("If-None-Match", '"x"')]


FORBIDDEN = [
    "Cookie",
    "Authorization",
    "X-Forwarded-For",
    "X-Forwarded-Anything",
    "Forwarded",
    "X-Real-IP",
    "X-XSRFToken",
    "Proxy-Authorization",
    "Proxy-Connection",
    "Connection",
    "Keep-Alive",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "Content-Length",
    "Expect",
    "Host",
    "Origin",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Extensions",
    "X-Remote-User",
    "X-HTTP-Method-Override",
]


@pytest.mark.parametrize("name", FORBIDDEN)
def test_attack_no_spelling_of_a_forbidden_header_goes_on(name: str) -> None:
    """Even when a rule names it: any case, `_` for `-`, one or all."""
    for spelling in {name, name.lower(), name.upper(), name.replace("-", "_"), name.replace("-", "_", 1)}:
        sent = head((spelling, "evil"))
        assert "evil" not in [value for _, value in sent], spelling


@given(st.sampled_from(FORBIDDEN), st.lists(st.booleans(), min_size=40, max_size=40), st.sampled_from("-_"))
def test_attack_mixed_case_does_not_get_past_the_second_net(name: str, upper: list[bool], dash: str) -> None:
    """Any mixture of cases and dashes is recognised."""
    text = "".join(letter.upper() if up else letter.lower() for letter, up in zip(name, upper, strict=False))
    assert never(text.replace("-", dash))


def test_headers_named_by_connection_are_dropped() -> None:
    """What the visitor declares hop-by-hop stays on the hop."""
    sent = head(("Connection", "close, X-Mine"), ("X-Mine", "1"), ("Accept", "*/*"))
    assert [name for name, _ in sent] == ["Host", "Authorization", "Accept", "Accept-Encoding"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Accept", "a\r\nX: y"),
        ("Accept", "a\nb"),
        ("Accept", "\0"),
        ("Accept", "é"),
        ("A b", "x"),
        ("", "x"),
        ("A:", "x"),
    ],
)
def test_attack_a_header_that_would_start_another_is_refused(name: str, value: str) -> None:
    """Control characters and non-tokens are `bad_header`."""
    with pytest.raises(Denied) as denied:
        head((name, value))
    assert denied.value.reason is Reason.BAD_HEADER


@given(st.text(alphabet=string.printable + "\x00\x7f\x85é", max_size=20))
def test_no_value_puts_a_line_break_into_the_head(value: str) -> None:
    """Whatever the value, it is refused or goes on as one line."""
    try:
        sent = head(("Accept", value))
    except Denied:
        return
    assert all(not set(text) & set("\r\n\0") for field in sent for text in field)


def test_a_credential_with_a_line_break_is_never_sent() -> None:
    """A broken record is a server away, and its text stays out of the error."""
    with pytest.raises(Denied) as denied:
        outgoing_head(ADDRESS, Credential("a\r\nX: y"), Outgoing("GET", "x"))
    assert denied.value.reason is Reason.UPSTREAM_AWAY
    assert "X: y" not in str(denied.value)


@pytest.mark.parametrize(
    ("method", "length", "framing"),
    [
        ("GET", 0, b""),
        ("HEAD", 0, b""),
        ("POST", 0, b"Content-Length: 0\r\n"),
        ("GET", 3, b"Content-Length: 3\r\n"),
        ("PUT", 7, b"Content-Length: 7\r\n"),
        ("PUT", None, b"Transfer-Encoding: chunked\r\n"),
    ],
)
def test_a_request_is_written_with_the_framing_of_its_body(method: str, length: int | None, framing: bytes) -> None:
    """One of the two, or none where nobody expects a body."""
    written = request_head(method, "/base/x?a=b", [("Host", "h"), ("A", "b")], length)
    assert written == method.encode() + b" /base/x?a=b HTTP/1.1\r\nHost: h\r\nA: b\r\n" + framing + b"\r\n"


@pytest.mark.parametrize("method", ["", "GET /evil HTTP/1.1\r\nX:", "G T", "GET\n", "\u0100"])
def test_attack_a_method_that_is_none_is_not_written(method: str) -> None:
    """It would begin another request."""
    with pytest.raises(Denied):
        request_head(method, "/", [], 0)
