"""Reading answers: the same reading however the bytes come, and none where there are two."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass

import aiohttp
import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_parser import HttpResponseParser
from hypothesis import example, given
from hypothesis import strategies as st

from sharegate.upstream.answer import MAX_FIELD, MAX_FIELDS, MAX_HEAD, AnswerReader, Unreadable


@dataclass(frozen=True)
class Seen:
    """`ended` is whether the answer was over before the connection was; `whole` whether it is over with its end."""

    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes
    ended: bool
    whole: bool
    again: bool


def read(*pieces: bytes, method: str = "GET") -> Seen | None:
    """What is read of these pieces and the end behind them; None for what is refused before its head has come."""
    reader = AnswerReader(method)
    body = b""
    ended = refused = False
    try:
        for piece in pieces:
            body += b"".join(reader.feed(piece))
        ended = reader.complete
        if not ended:
            reader.end()
    except Unreadable:
        refused = True
    if reader.head is None:
        return None
    return Seen(reader.head.status, reader.head.fields, body, ended, not refused and reader.complete, reader.again)


def split(data: bytes, places: list[int]) -> list[bytes]:
    cuts = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in itertools.pairwise(cuts)]


GOOD = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n5\r\nhello\r\n3;a=b\r\n\r\n!\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nT: x\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\nuntil the end",
    b"HTTP/1.1 200\r\nConnection: keep-alive, Close\r\nContent-Length: 0\r\n\r\n",
]
TAILS = [b"", b"\r\n", b"\n", b"\r", b"x", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", b"\r\n\r\n"]


def test_an_answer_is_read() -> None:
    """Status, fields, body, and that the connection may be used again."""
    assert read(GOOD[0]) == Seen(200, (("Content-Length", "5"), ("X-A", "b")), b"hello", True, True, True)
    assert [seen.body for seen in map(read, GOOD) if seen] == [
        *(b"hello", b"hello\r\n!", b"hello", b"", b"", b"until the end", b"")
    ]
    assert [seen.again for seen in map(read, GOOD) if seen] == [True, True, True, True, False, False, False]


@pytest.mark.parametrize("status", [b"200 OK", b"404 No"])
def test_the_answer_to_head_has_no_body(status: bytes) -> None:
    """Whatever it says of its length. Where it tells of a body, that may come later: nobody else's answer does then."""
    told = {b"Content-Length: 5": False, b"Transfer-Encoding: chunked": False}
    told |= {b"Content-Length: 0": True, b"X: y": True}
    for field, again in told.items():
        seen = read(b"HTTP/1.1 " + status + b"\r\n" + field + b"\r\n\r\n", method="HEAD")
        assert seen is not None and (seen.body, seen.ended, seen.again) == (b"", True, again)


def test_interim_answers_are_few() -> None:
    """Some before the answer are skipped; a server that sends nothing else keeps nobody busy with them."""
    interim = b"HTTP/1.1 102 Processing\r\n\r\n"
    seen = read(interim * 8 + GOOD[0])
    assert seen is not None and seen.body == b"hello"
    assert read(interim * 9 + GOOD[0]) is None
    assert read(*[interim] * 9, GOOD[0]) is None


def test_every_byte_of_a_field_has_a_reading() -> None:
    """An extension's field in an old encoding is no reason to refuse the page."""
    seen = read(b"HTTP/1.1 200 OK\r\nX-A: caf\xe9\r\nContent-Length: 0\r\n\r\n")
    assert seen is not None and ("X-A", "caf\xe9") in seen.fields


@example(GOOD[1], TAILS[5], [])
@given(st.sampled_from(GOOD), st.sampled_from(TAILS), st.lists(st.integers(0, 300), max_size=12))
def test_however_the_bytes_come_they_are_read_alike(answer: bytes, tail: bytes, places: list[int]) -> None:
    """Any split of an answer, with anything behind it, gives the same head, body and end."""
    until_end = b"until the end" in answer
    whole, parted = read(answer + tail), read(*split(answer + tail, places))
    assert parted == whole
    assert whole is not None and whole.whole
    assert until_end or b"evil" not in whole.body
    once = b"Close" in answer or b"304" in answer
    assert whole.body.endswith(tail) if until_end else whole.again is (not tail and not once)


@given(st.sampled_from(GOOD), st.integers(0, 400), st.binary(max_size=4), st.lists(st.integers(0, 300), max_size=6))
def test_however_broken_bytes_come_they_are_read_alike(answer: bytes, at: int, put: bytes, places: list[int]) -> None:
    """The same for an answer with a few other bytes in it: no split makes a refused one readable."""
    at %= len(answer)
    broken = answer[:at] + put + answer[at + len(put) :]
    whole, parted = read(broken), read(*split(broken, places))
    assert (whole is None, whole and whole.whole) == (parted is None, parted and parted.whole)
    if whole is not None and parted is not None and whole.whole:
        assert whole == parted


@pytest.mark.parametrize("answer", GOOD[:3])
def test_an_answer_that_ends_early_never_looks_whole(answer: bytes) -> None:
    """At no byte but the last."""
    for length in range(len(answer)):
        seen = read(answer[:length])
        assert seen is None or not seen.whole


TWO_READINGS = {
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "a list of lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
    "a signed length": b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
    "no length in it": b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nhello",
    "an endless length": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nhello",
    "length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "a coding nobody knows": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunks of HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a name with a blank": b"HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello",
    "a folded line": b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "a bare LF": b"HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
    "a bare LF at the end": b"HTTP/1.1 200 OK\r\nX: a\n\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "a bare CR": b"HTTP/1.1 200 OK\r\nX: a\rY: b\r\nContent-Length: 0\r\n\r\n",
    "a NUL": b"HTTP/1.1 200 OK\r\nX: a\0\r\nContent-Length: 0\r\n\r\n",
    "an upgrade": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    "an upgrade to nothing": b"HTTP/1.1 101 Switching Protocols\r\nContent-Length: 0\r\n\r\n",
    "another version": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "a status of two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
    "a status of four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    "a line before it": b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "no HTTP": b"SSH-2.0-OpenSSH_9.2",
    "a long head": b"HTTP/1.1 200 OK\r\n" + b"X: " + b"a" * 1000 + b"\r\n" * 1 + b"Y: b\r\n" * (MAX_HEAD // 6),
    "a long field": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: " + b"a" * MAX_FIELD + b"\r\n\r\n",
    "many fields": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + b"X: y\r\n" * MAX_FIELDS + b"\r\n",
}


@pytest.mark.parametrize("said", TWO_READINGS.values(), ids=TWO_READINGS)
def test_attack_a_head_with_two_readings_is_none(said: bytes) -> None:
    """Refused at once, in one piece and byte by byte."""
    for pieces in ([said], [said[at : at + 1] for at in range(len(said))]):
        reader = AnswerReader("GET")
        with pytest.raises(Unreadable):
            [reader.feed(piece) for piece in pieces]
        assert reader.head is None


CHUNKS = {
    "a signed size": b"+5\r\nhello\r\n0\r\n\r\n",
    "a size with 0x": b"0x5\r\nhello\r\n0\r\n\r\n",
    "an endless size": b"f" * 17 + b"\r\nhello\r\n0\r\n\r\n",
    "a bare LF behind a size": b"5\nhello\r\n0\r\n\r\n",
    "a longer chunk than it says": b"5\r\nhello!\r\n0\r\n\r\n",
    "an endless extension": b"5;" + b"a" * 40_000 + b"\r\nhello\r\n0\r\n\r\n",
    "endless trailers": b"5\r\nhello\r\n0\r\n" + b"T: x\r\n" * 4000 + b"\r\n",
    "a hundred and one trailers": b"5\r\nhello\r\n0\r\n" + b"T: x\r\n" * (MAX_FIELDS + 1) + b"\r\n",
}


@pytest.mark.parametrize("said", CHUNKS.values(), ids=CHUNKS)
def test_attack_chunks_that_are_none(said: bytes) -> None:
    """The body breaks off and never looks whole."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    for pieces in ([head + said], [head, *(said[at : at + 1] for at in range(len(said)))]):
        seen = read(*pieces)
        assert seen is not None and not seen.whole


def by_aiohttp(said: bytes) -> tuple[int, bytes] | None:
    """Status and body as the library's parser reads a whole answer; None when it refuses, or misses something."""

    async def reading() -> tuple[int, bytes] | None:
        loop = asyncio.get_running_loop()
        parser = HttpResponseParser(BaseProtocol(loop), loop, 2**16, auto_decompress=False, read_until_eof=True)
        try:
            messages, upgraded, _ = parser.feed_data(said)
            if not messages or upgraded:
                return None
            parser.feed_eof()
            message, body = next((one for one in messages if one[0].code >= 200), messages[0])
            return message.code, await asyncio.wait_for(body.read(), 1)
        except (aiohttp.ClientError, aiohttp.http_exceptions.HttpProcessingError, ValueError, TimeoutError):
            return None

    return asyncio.run(reading())


_LINES = st.sampled_from(
    [
        *(b"Content-Length: 5", b"Content-Length: 0", b"Transfer-Encoding: chunked", b"Connection: close", b"X: y"),
        *(b"X : y", b" folded", b"content-length:5", b"Transfer-Encoding: identity", b"X: \xff", b"", b"no field"),
    ]
)
_BODIES = st.sampled_from(
    [b"", b"hello", b"hello world", b"5\r\nhello\r\n0\r\n\r\n", b"5\r\nhel", b"0\r\n\r\n", b"\r\n"]
)
_STATUSES = st.sampled_from(
    [b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK", b"HTTP/1.1 204 N", b"HTTP/1.1 304 N", b"HTTP/1.1 2"]
)


@given(_STATUSES, st.lists(_LINES, max_size=3), _BODIES, st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n"]))
def test_what_is_taken_is_read_as_another_parser_reads_it(
    status: bytes, lines: list[bytes], body: bytes, end: bytes
) -> None:
    """Ours may refuse more; what it takes for whole, with nothing behind it, has the status and body that aiohttp finds
    in it."""
    said = end.join((status, *lines, b"", body))
    seen = read(said)
    if seen is not None and seen.whole and (seen.again or not seen.ended):
        assert by_aiohttp(said) == (seen.status, seen.body)
