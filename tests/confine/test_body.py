"""The one reading of a JSON body."""

from __future__ import annotations

import json

import pytest

from sharegate.confine import body
from sharegate.confine.body import (
    LONG,
    MAX_DEPTH,
    LimitedBody,
    apart,
    read_json,
    write_json,
    write_json_apart,
)
from sharegate.confine.holding import Holding
from sharegate.errors import Denied, Reason
from tests.confine.rules import Bytes


def limited(data: bytes) -> LimitedBody:
    return LimitedBody(Bytes(data), 5, None, Holding().of("l"))


@pytest.mark.parametrize(
    "content_type", ["", "application/json", "Application/JSON; charset=UTF-8", "text/plain;charset=UTF-8"]
)
def test_body_of_a_browser_is_read(content_type: str) -> None:
    """JSON is read under the types that JupyterLab's requests carry."""
    assert read_json(b'{"a": [1, "\xc3\xbc"]}', content_type) == {"a": [1, "ü"]}


@pytest.mark.parametrize(
    "data",
    [
        b'{"path":"sub/shared/a","path":"secret/b"}',
        b'{"a":{"path":1,"\\u0070ath":2}}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b"[]",
        b'"text"',
        b"{",
        b'{"a":1}x',
        b"\xff\xfe{\x00}\x00",
        b'\xef\xbb\xbf{"a":1}',
        b'{"a":"\xc0\xae"}',
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}",
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a":' * 100_000,
    ],
    ids=lambda data: repr(data[:24]),
)
def test_attack_json_with_two_readings_is_refused(data: bytes) -> None:
    """Duplicate names at any depth, NaN, foreign encodings, huge numbers and deep nesting are `bad_body`."""
    with pytest.raises(Denied) as refused:
        read_json(data, "application/json")
    assert refused.value.reason is Reason.BAD_BODY


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data", "application/x-www-form-urlencoded", "application/json; charset=utf-16", "json"],
)
def test_attack_body_of_another_type_is_refused(content_type: str) -> None:
    """What does not call itself JSON in UTF-8 is not read as such."""
    with pytest.raises(Denied) as refused:
        read_json(b"{}", content_type)
    assert refused.value.reason is Reason.BAD_BODY


def test_nesting_up_to_the_limit_is_read() -> None:
    """Ordinary nesting passes."""
    depth = MAX_DEPTH - 2
    assert read_json(b'{"a":' + b"[" * depth + b"]" * depth + b"}", "")


@pytest.mark.parametrize(
    "data",
    [b'{"a":"\\ud800"}', b'{"a":["x",{"\\udfff":1}]}', b'{"a":"\xc3\xbc\\udc00"}', b'{"a":1e999}', b'{"a":[-1e999]}'],
)
def test_attack_value_that_cannot_be_written_is_refused(data: bytes) -> None:
    """A lone surrogate or an infinity is not even read, and does not go upstream."""
    for judge, given in ((read_json, (data, "")), (write_json, (json.loads(data),))):
        with pytest.raises(Denied) as refused:
            judge(*given)
        assert refused.value.reason is Reason.BAD_BODY


def test_written_json_says_the_same() -> None:
    """Writing and reading are inverse."""
    value = {"a": [1, 2.5, None, True, "ü\n\u2028"], "b": {"c": 2**60}}
    assert json.loads(write_json(value)) == value


async def test_limited_body_stops_past_its_limit() -> None:
    """A streamed body is cut off by the gate as soon as it is too large, not at its end."""
    pieces = aiter(limited(b"123456").stream())
    assert await anext(pieces) + await anext(pieces) == b"1234"
    with pytest.raises(Denied) as refused:
        await anext(pieces)
    assert refused.value.reason is Reason.BODY_TOO_LARGE
    assert b"".join([part async for part in limited(b"12345").stream()]) == b"12345"
    with pytest.raises(Denied):
        await limited(b"123456").read(100)


HEAVY = {
    "objects": b'{"a":[' + b"{}," * 60 + b"{}]}",
    "lists": b'{"a":[' + b"[]," * 60 + b"[]]}",
    "numbers": b'{"a":[' + b"1," * 120 + b"1]}",
    "names": b'{"a":{' + b",".join(b'"%d":1' % n for n in range(120)) + b"}}",
    "hidden behind a name given twice": b'{"a":[' + b"{}," * 60 + b'{}],"a":"x"}',
}


@pytest.mark.parametrize("data", HEAVY.values(), ids=HEAVY.keys())
def test_attack_a_body_that_is_dear_to_parse(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    """Millions of tiny values are refused before they are made."""
    monkeypatch.setattr(body, "MAX_ITEMS", 100)
    monkeypatch.setattr(json, "loads", None)
    with pytest.raises(Denied) as refused:
        read_json(data, "")
    assert refused.value.reason is Reason.BODY_TOO_LARGE


def test_a_long_text_may_have_as_many_commas_as_it_likes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that is uploaded as text costs nothing to parse."""
    monkeypatch.setattr(body, "MAX_ITEMS", 100)
    table = "1,[2],{3}\n" * 100
    assert read_json(json.dumps({"type": "file", "content": table}).encode(), "")["content"] == table
    with pytest.raises(Denied) as refused:
        read_json(b"{" + b" " * 200, "")
    assert refused.value.reason is Reason.BAD_BODY


async def test_what_is_long_is_read_and_written_the_same() -> None:
    """In a thread and in pieces, the bytes are those of the short way."""
    value = {"a": [1.50, 1e300, -0.0, 2**70, 'ü\u2028\x7f"', {"b": None, "": True}, [], {}], "long": "x" * LONG}
    data = write_json(value)
    assert await write_json_apart(value, len(data)) == data
    assert json.dumps(await apart(len(data), read_json, data, "")) == json.dumps(value)
    for odd in ("\ud800", float("inf")):
        with pytest.raises(Denied):
            await write_json_apart({"a": odd}, LONG + 1)
