"""Tests of upstream/forward.py: HTTP, against the real server and against servers that lie."""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import AsyncGenerator, AsyncIterator

import msgspec
import pytest

from sharegate.errors import Denied, Reason
from sharegate.messages import Body
from sharegate.upstream.forward import AiohttpForwarder, Timeouts
from sharegate.upstream.interfaces import Incoming, Outgoing
from sharegate.upstream.model import Upstream
from tests.upstream.scripted import SECRET, Recorder, Script, ok, saying, scripted

GET = Outgoing("GET", "x")


class Pieces:
    """A request body in pieces; with `failing`, it breaks after them."""

    def __init__(self, *pieces: bytes, failing: Exception | None = None, pause: float = 0, before: float = 0) -> None:
        self.before = before
        self.pieces = pieces
        self.failing = failing
        self.pause = pause

    async def read(self, limit: int) -> bytes:
        return b"".join(self.pieces)

    async def stream(self) -> AsyncIterator[bytes]:
        await asyncio.sleep(self.before)
        for piece in self.pieces:
            yield piece
            await asyncio.sleep(self.pause)
        if self.failing is not None:
            raise self.failing


async def refused(forwarder: AiohttpForwarder, upstream: Upstream, outgoing: Outgoing = GET) -> Denied:
    with pytest.raises(Denied) as denied:
        await (await forwarder.forward(upstream, outgoing)).read(1 << 20)
    return denied.value


# the real server


@pytest.mark.real
async def test_the_real_server_answers_with_our_credential(patient: AiohttpForwarder, real: Upstream) -> None:
    """A contents request is admitted by the token in the header, and refused without."""
    path = "api/contents/sub/shared/data.csv"
    answer = await patient.forward(real, Outgoing("GET", path, (("content", "1"),)))
    assert answer.status == 200
    assert b"a,b\\n1,2\\n" in await answer.read(1 << 20)
    without = await patient.forward(real, Outgoing("GET", path, credential=False))
    assert without.status == 403
    await without.close()


@pytest.mark.real
async def test_the_real_server_takes_a_streamed_body(patient: AiohttpForwarder, real: Upstream) -> None:
    """A body in pieces arrives whole (chunked)."""
    body: Body = Pieces(b'{"format":"json",', b'"type":"notebook"}')
    answer = await patient.forward(
        real,
        Outgoing("PUT", "api/collaboration/session/sub/shared/nb.ipynb", body=body),
    )
    assert answer.status in (200, 201)
    assert b"fileId" in await answer.read(4096)


@pytest.mark.real
async def test_the_real_servers_head_and_range_pass(patient: AiohttpForwarder, real: Upstream) -> None:
    """HEAD has no body but its length; a range gives 206 and the bytes asked for."""
    head = await patient.forward(real, Outgoing("HEAD", "files/sub/shared/data.csv"))
    assert (head.status, head.headers.get("Content-Length"), await head.read(10)) == (200, "8", b"")
    part = await patient.forward(real, Outgoing("GET", "files/sub/shared/data.csv", headers=(("Range", "bytes=4-6"),)))
    assert (part.status, await part.read(10)) == (206, b"1,2")


@pytest.mark.real
async def test_a_conditional_request_to_the_real_server_is_answered_304(
    patient: AiohttpForwarder, real: Upstream
) -> None:
    """If-Modified-Since passes and a 304 has no body."""
    first = await patient.forward(real, Outgoing("GET", "static/favicon.ico", credential=False))
    await first.read(1 << 20)
    since = (("If-Modified-Since", first.headers.get("Last-Modified")),)
    again = await patient.forward(real, Outgoing("GET", "static/favicon.ico", headers=since, credential=False))
    assert (again.status, await again.read(10)) == (304, b"")


# what goes out


@pytest.mark.parametrize(
    "path", ["files/a%20b", "x/%2e%2e/y", "x/%2E%2e", "%C3%A9", "a/~b!$&'()*+,;=:@", "a//b", "%7e", "a/../b"]
)
async def test_the_path_on_the_wire_is_exactly_what_was_given(forwarder: AiohttpForwarder, path: str) -> None:
    """No library decodes, encodes or normalises what was checked."""
    async with scripted(saying(ok())) as server:
        await (await forwarder.forward(server.upstream, Outgoing("GET", path, (("q", "a b/%"),)))).read(10)
        assert server.lines()[0] == f"GET /base/{path}?q=a%20b%2F%25 HTTP/1.1"


async def test_nothing_but_the_given_headers_goes_out(forwarder: AiohttpForwarder) -> None:
    """The client library adds no agent, no accept, no cookie of its own."""
    async with scripted(saying(ok())) as server:
        await (await forwarder.forward(server.upstream, Outgoing("GET", "x", headers=(("Accept", "a/b"),)))).read(10)
        sent = dict(server.fields())
    sent.pop("connection", None)
    assert sent == {
        "host": f"127.0.0.1:{server.port}",
        "authorization": f"token {SECRET}",
        "accept": "a/b",
        "accept-encoding": "identity",
    }


async def test_attack_an_upstreams_cookie_is_not_replayed(forwarder: AiohttpForwarder) -> None:
    """Set-Cookie of one answer appears in no later request, on a host name too (cookie jars ignore addresses)."""
    answer = ok(b"ok", b"Set-Cookie: stolen=1; Path=/")
    async with scripted(saying(answer), host="localhost") as server:
        for _ in range(2):
            await (await forwarder.forward(server.upstream, GET)).read(10)
        assert len(server.heads) == 2
        assert "cookie" not in dict(server.fields())


async def test_attack_a_redirect_is_not_followed(forwarder: AiohttpForwarder) -> None:
    """The answer is handed back as it is; the credential goes nowhere else."""
    async with scripted(saying(ok(b"secret"))) as other:
        text = f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{other.port}/\r\nContent-Length: 0\r\n\r\n".encode()
        async with scripted(saying(text)) as server:
            answer = await forwarder.forward(server.upstream, GET)
            await answer.close()
            assert answer.status == 302
        assert other.connections == 0


async def test_environment_proxies_are_ignored(forwarder: AiohttpForwarder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy variable of the gate's environment would carry the credential away."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9/")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9/")
    async with scripted(saying(ok())) as server:
        assert await (await forwarder.forward(server.upstream, GET)).read(10) == b"ok"


async def test_a_body_in_bytes_has_a_length_and_a_stream_is_chunked(forwarder: AiohttpForwarder) -> None:
    """The framing is the client's own, whatever the visitor said about it."""

    async def script(record: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await record.head(reader):
            sent = dict(record.fields())
            if "content-length" in sent:
                record.bodies.append(await reader.readexactly(int(sent["content-length"])))
            else:
                record.bodies.append(await reader.readuntil(b"0\r\n\r\n"))
            writer.write(ok())

    lies = (("Content-Length", "1"), ("Transfer-Encoding", "gzip"))
    async with scripted(script) as server:
        await (await forwarder.forward(server.upstream, Outgoing("PUT", "x", body=b"hello", headers=lies))).read(10)
        await (
            await forwarder.forward(server.upstream, Outgoing("PUT", "x", body=Pieces(b"he", b"llo"), headers=lies))
        ).read(10)
        await (await forwarder.forward(server.upstream, Outgoing("POST", "x", headers=lies))).read(10)
        assert server.bodies == [b"hello", b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", b""]


async def test_a_large_body_in_bytes_has_a_length_too(forwarder: AiohttpForwarder) -> None:
    """It goes out piece by piece, whole, with nothing about it that the gate did not say."""
    body = bytes(range(256)) * 16 * 1024

    async def script(record: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await record.head(reader):
            record.bodies.append(await reader.readexactly(int(dict(record.fields())["content-length"])))
            writer.write(ok())

    async with scripted(script) as server:
        await (await forwarder.forward(server.upstream, Outgoing("PUT", "x", body=body))).read(10)
        assert server.bodies == [body]
        assert not {"transfer-encoding", "content-type", "content-disposition"} & set(dict(server.fields()))


async def test_what_a_body_raises_is_raised_and_the_request_never_looks_finished(forwarder: AiohttpForwarder) -> None:
    """`body_too_large` reaches the caller, and the upstream sees a broken request instead of a shorter one."""
    rest: list[bytes] = []
    done = asyncio.Event()

    async def script(record: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await record.head(reader)
        rest.append(await reader.read(-1))
        done.set()

    body = Pieces(b"some", failing=Denied(Reason.BODY_TOO_LARGE, "over"))
    async with scripted(script) as server:
        with pytest.raises(Denied) as denied:
            await forwarder.forward(server.upstream, Outgoing("PUT", "x", body=body))
        assert denied.value.reason is Reason.BODY_TOO_LARGE
        await asyncio.wait_for(done.wait(), 5)
    assert b"0\r\n\r\n" not in rest[0]


async def test_a_slow_upload_is_not_taken_for_a_slow_server() -> None:
    """The time to the first byte counts from the end of the body."""

    async def script(record: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await record.head(reader)
        await reader.readuntil(b"0\r\n\r\n")
        writer.write(ok(b"ok", b"Connection: close"))

    times = Timeouts(connect=0.2, first_byte=0.3, idle=0.3)
    async with AiohttpForwarder(timeouts=times) as hasty, scripted(script) as server:
        for body in (Pieces(b"1", b"2", b"3", b"4", pause=0.2), Pieces(b"1", before=0.8)):
            answer = await hasty.forward(server.upstream, Outgoing("PUT", "x", body=body))
            assert await answer.read(10) == b"ok"


async def test_an_answer_before_the_end_of_the_upload_is_delivered(forwarder: AiohttpForwarder) -> None:
    """A server may refuse a body without reading it."""
    text = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"
    async with scripted(saying(text)) as server:
        answer = await forwarder.forward(
            server.upstream, Outgoing("PUT", "x", body=Pieces(*[b"x" * 1000] * 20, pause=0.05))
        )
        assert (answer.status, await answer.read(10)) == (413, b"no")


# what comes back


async def test_an_encoded_body_comes_back_as_sent(forwarder: AiohttpForwarder) -> None:
    """Nothing is decompressed on the way."""
    packed = gzip.compress(b"hello")
    async with scripted(saying(ok(packed, b"Content-Encoding: gzip"))) as server:
        assert await (await forwarder.forward(server.upstream, GET)).read(1000) == packed


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_answers_without_a_body_end_at_once(forwarder: AiohttpForwarder, status: bytes) -> None:
    """204 and 304 have no body, and the connection stays usable."""
    text = b"HTTP/1.1 " + status + b"\r\n\r\n"
    async with scripted(saying(text, ok())) as server:
        assert await (await forwarder.forward(server.upstream, GET)).read(10) == b""
        assert await (await forwarder.forward(server.upstream, GET)).read(10) == b"ok"
        assert server.connections == 1


async def test_interim_answers_are_skipped(forwarder: AiohttpForwarder) -> None:
    """1xx before the answer is not the answer."""
    async with scripted(saying(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok())) as server:
        assert (await forwarder.forward(server.upstream, GET)).status == 200


async def test_attack_endless_interim_answers_are_none(forwarder: AiohttpForwarder) -> None:
    """However slowly they come."""

    async def script(record: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await record.head(reader)
        while True:
            writer.write(b"HTTP/1.1 102 Processing\r\n\r\n")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with scripted(script) as server:
        assert (await refused(forwarder, server.upstream)).reason is Reason.UPSTREAM_BAD_ANSWER


async def test_attack_a_few_interim_answers_do_not_move_the_deadline(forwarder: AiohttpForwarder) -> None:
    """A server that goes on promising is as late as a silent one."""

    async def script(record: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await record.head(reader)
        for _ in range(6):
            writer.write(b"HTTP/1.1 102 Processing\r\n\r\n")
            await writer.drain()
            await asyncio.sleep(0.15)
        await reader.read()

    async with AiohttpForwarder(timeouts=Timeouts(connect=0.2, first_byte=0.3)) as hasty, scripted(script) as server:
        assert (await refused(hasty, server.upstream)).reason is Reason.UPSTREAM_TIMEOUT


async def test_a_long_body_has_its_time_as_long_as_it_goes(forwarder: AiohttpForwarder) -> None:
    """What the gate holds whole, too: patience is with each piece. (A third of it can wait in the two kernels.)"""
    body = b"x" * (32 << 20)

    async def script(record: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"Content-Length: 33554432" in head
        left = len(body)
        while left:
            left -= len(await reader.read(1 << 18))
            await asyncio.sleep(0.04)
        writer.write(ok())
        await writer.drain()

    async with AiohttpForwarder(timeouts=Timeouts(connect=0.1, first_byte=4)) as hasty, scripted(script) as server:
        assert (await hasty.forward(server.upstream, Outgoing("PUT", "x", body=body))).status == 200


CUT = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
    "chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nonly this",
    "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nonly\r\n",
    "bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nonly\r\nzz\r\nmore\r\n",
}


@pytest.mark.parametrize("text", CUT.values(), ids=CUT)
async def test_a_truncated_answer_raises(forwarder: AiohttpForwarder, text: bytes) -> None:
    """The iterator raises instead of ending, so that the visitor's transfer can be broken off too."""
    async with scripted(saying(text, then_close=True)) as server:
        assert (await refused(forwarder, server.upstream)).reason is Reason.UPSTREAM_BAD_ANSWER


BAD = {
    "garbage": b"\x16\x03\x01 no http at all\r\n\r\n",
    "no status": b"HTTP/1.1 abc OK\r\n\r\n",
    "status 999": b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
    "status 101": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "control in header": b"HTTP/1.1 200 OK\r\nX-A: a\x01b\r\nContent-Length: 0\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "huge header": b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 100_000 + b"\r\n\r\n",
    "half a head": b"HTTP/1.1 200 OK\r\nX-",
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
async def test_a_lying_head_is_a_bad_answer(forwarder: AiohttpForwarder, text: bytes) -> None:
    """What is no answer is `upstream_bad_answer`, whatever it is, and is not asked for again."""
    async with scripted(saying(text, then_close=True)) as server:
        assert (await refused(forwarder, server.upstream)).reason is Reason.UPSTREAM_BAD_ANSWER
        assert len(server.heads) == 1


async def test_attack_bytes_after_an_answer_do_not_answer_the_next_request(forwarder: AiohttpForwarder) -> None:
    """A second answer smuggled behind the first is thrown away with its connection."""
    async with scripted(saying(ok(b"ok") + ok(b"smuggled"), ok(b"honest"))) as server:
        assert await (await forwarder.forward(server.upstream, GET)).read(100) == b"ok"
        for _ in range(3):
            assert await (await forwarder.forward(server.upstream, GET)).read(100) != b"smuggled"


async def silent(record: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await record.head(reader)
    await reader.read(-1)


async def drip(record: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await record.head(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
    await reader.read(-1)


async def hang_up(record: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await record.head(reader)


@pytest.mark.parametrize(
    ("script", "reason"),
    [(silent, Reason.UPSTREAM_TIMEOUT), (drip, Reason.UPSTREAM_TIMEOUT), (hang_up, Reason.UPSTREAM_AWAY)],
)
async def test_a_server_that_goes_quiet_is_told_apart(
    script: Script, reason: Reason, forwarder: AiohttpForwarder
) -> None:
    """Never answering and stopping in the middle are time-outs; hanging up without a word is away."""
    async with scripted(script) as server:
        assert (await refused(forwarder, server.upstream)).reason is reason


async def test_a_port_that_nobody_listens_on_is_away(forwarder: AiohttpForwarder) -> None:
    """A stopped server is `upstream_away`, found before a connection is tried."""
    async with scripted(hang_up) as server:
        upstream = server.upstream
    assert (await refused(forwarder, upstream)).reason is Reason.UPSTREAM_AWAY


async def test_a_refused_connection_is_away() -> None:
    """The same when nobody looked before."""

    async def trusting(_: Upstream) -> None: ...

    async with scripted(hang_up) as server:
        upstream = server.upstream
    async with AiohttpForwarder(vet=trusting) as forwarder:
        assert (await refused(forwarder, upstream)).reason is Reason.UPSTREAM_AWAY


async def test_attack_nothing_is_sent_to_a_foreign_listener(forwarder: AiohttpForwarder) -> None:
    """A port that another process holds gets no connection at all, for HTTP and WebSocket, credential or not."""
    async with scripted(saying(ok())) as server:
        foreign = msgspec.structs.replace(server.upstream, pid=1)
        for attempt in (forwarder.forward, forwarder.connect):
            for outgoing in (GET, Outgoing("GET", "x", credential=False)):
                with pytest.raises(Denied) as denied:
                    await attempt(foreign, outgoing)
                assert denied.value.reason is Reason.UPSTREAM_NOT_OURS
        assert server.connections == 0


# stale connections


def dying_after_one(last: bytes = b"") -> Script:
    """Each connection answers once, takes a second request and hangs up on it (after `last`)."""

    async def script(record: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await record.head(reader)
        writer.write(ok())
        await writer.drain()
        if await record.head(reader):
            writer.write(last)
            await writer.drain()

    return script


async def test_a_get_on_a_stale_connection_is_tried_once_more(forwarder: AiohttpForwarder) -> None:
    """The visitor does not notice that the pooled connection was closed under the request."""
    async with scripted(dying_after_one()) as server:
        for _ in range(2):
            assert await (await forwarder.forward(server.upstream, GET)).read(10) == b"ok"
        assert (len(server.heads), server.connections) == (3, 2)


@pytest.mark.parametrize(
    "outgoing",
    [
        Outgoing("PUT", "x", body=b"data"),
        Outgoing("DELETE", "x"),
        Outgoing("POST", "x"),
        Outgoing("GET", "x", body=b"b"),
    ],
    ids=lambda one: one.method,
)
async def test_a_request_that_may_have_had_an_effect_is_never_repeated(
    forwarder: AiohttpForwarder, outgoing: Outgoing
) -> None:
    """Only bodiless GET, HEAD and OPTIONS are sent twice (the library would repeat PUT and DELETE)."""
    async with scripted(dying_after_one()) as server:
        await (await forwarder.forward(server.upstream, GET)).read(10)
        assert (await refused(forwarder, server.upstream, outgoing)).reason is Reason.UPSTREAM_AWAY
        assert len(server.heads) == 2


async def test_a_get_on_a_fresh_connection_is_not_repeated(forwarder: AiohttpForwarder) -> None:
    """A server that hangs up on a new connection is away, not stale."""
    async with scripted(hang_up) as server:
        await refused(forwarder, server.upstream)
        assert len(server.heads) == 1


async def test_a_get_is_not_repeated_after_a_first_byte(forwarder: AiohttpForwarder) -> None:
    """Half a head on a pooled connection is a bad answer."""
    async with scripted(dying_after_one(b"HTTP/1.1 200 OK\r\nX-")) as server:
        await (await forwarder.forward(server.upstream, GET)).read(10)
        assert (await refused(forwarder, server.upstream)).reason is Reason.UPSTREAM_BAD_ANSWER
        assert len(server.heads) == 2


# memory, giving up


async def test_a_stalled_reader_does_not_grow_memory(forwarder: AiohttpForwarder) -> None:
    """Of 64 MB the server gets rid of a few until somebody reads on: pressure goes back to it."""
    written = 0
    size = 64 * 1024 * 1024
    piece = b"x" * 65536

    async def script(record: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        await record.head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        writer.transport.set_write_buffer_limits(high=65536)
        for _ in range(size // len(piece)):
            writer.write(piece)
            await writer.drain()
            written += len(piece)

    async with scripted(script) as server:
        answer = await forwarder.forward(server.upstream, GET)
        stream = answer.stream()
        got = len(await anext(stream))
        last = -1
        while written != last:
            last = written
            await asyncio.sleep(0.2)
        # The two kernel buffers of a loopback connection are most of it.
        assert written < 12 * 1024 * 1024
        async for part in stream:
            got += len(part)
        assert got == size


async def test_giving_an_answer_up_closes_its_connection(forwarder: AiohttpForwarder) -> None:
    """After close() the server is not drained in the background, and close() may be called twice."""
    gone = asyncio.Event()

    async def script(record: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await record.head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc")
        await reader.read(-1)
        gone.set()

    async with scripted(script) as server:
        answer = await forwarder.forward(server.upstream, GET)
        await answer.close()
        await answer.close()
        await asyncio.wait_for(gone.wait(), 5)


async def test_giving_the_stream_up_closes_its_connection(forwarder: AiohttpForwarder) -> None:
    """A visitor who leaves in the middle of a download ends it upstream as well."""
    gone = asyncio.Event()

    async def script(record: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await record.head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc")
        await reader.read(-1)
        gone.set()

    async with scripted(script) as server:
        stream = (await forwarder.forward(server.upstream, GET)).stream()
        assert await anext(stream) == b"abc"
        assert isinstance(stream, AsyncGenerator)
        await stream.aclose()
        await asyncio.wait_for(gone.wait(), 5)


async def test_cancelling_a_request_closes_its_connection() -> None:
    """A visitor who leaves before the answer takes the upstream's work with them."""
    came, gone = asyncio.Event(), asyncio.Event()

    async def script(record: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await record.head(reader)
        came.set()
        await reader.read(-1)
        gone.set()

    async with AiohttpForwarder() as forwarder, scripted(script) as server:
        task = asyncio.create_task(forwarder.forward(server.upstream, GET))
        await asyncio.wait_for(came.wait(), 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(gone.wait(), 5)


async def test_reading_past_the_limit_is_a_bad_answer(forwarder: AiohttpForwarder) -> None:
    """An answer that is to be filtered is never read without bounds."""
    async with scripted(saying(ok(b"x" * 5000))) as server:
        answer: Incoming = await forwarder.forward(server.upstream, GET)
        with pytest.raises(Denied) as denied:
            await answer.read(1000)
        assert denied.value.reason is Reason.UPSTREAM_BAD_ANSWER


# the credential


async def test_the_credential_appears_in_no_error_repr_or_log(
    forwarder: AiohttpForwarder, caplog: pytest.LogCaptureFixture
) -> None:
    """Not with everything logged, in whichever way a request or handshake fails."""
    caplog.set_level(logging.DEBUG)
    asyncio.get_running_loop().set_debug(True)
    seen: list[str] = []
    texts = [*BAD.values(), *CUT.values(), ok(), b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"]
    for text in texts:
        async with scripted(saying(text, then_close=True)) as server:
            seen += [repr(server.upstream), repr(server.upstream.token), str(server.upstream.token)]
            for attempt in (forwarder.forward, forwarder.connect):
                try:
                    got = await attempt(server.upstream, GET)
                    seen.append(repr(got))
                    if isinstance(got, Incoming):
                        await got.read(1000)
                except Denied as denied:
                    seen += [str(denied), repr(denied), repr(denied.args), repr(denied.__cause__)]
            assert any(SECRET in head.decode("latin-1") for head in server.heads)
            assert all(SECRET not in head.decode("latin-1").split("\r\n")[0] for head in server.heads)
    assert SECRET not in "".join(seen) + caplog.text


async def test_after_a_sleep_no_connection_that_waits_is_used_again(forwarder: AiohttpForwarder) -> None:
    """It may have died without a word; a request that is not repeated by itself would fail on it."""
    async with scripted(saying(ok())) as record:
        for _ in range(2):
            await (await forwarder.forward(record.upstream, GET)).read(100)
        assert record.connections == 1
        forwarder.woke()
        answer = await forwarder.forward(record.upstream, Outgoing("DELETE", "x"))
        assert (answer.status, record.connections) == (200, 2)
        await answer.close()


async def test_a_sleep_leaves_what_is_being_answered_alone(forwarder: AiohttpForwarder) -> None:
    """Its own patience ends it if it is dead."""
    go = asyncio.Event()

    async def script(record: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await record.head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na")
        await writer.drain()
        await go.wait()
        writer.write(b"b")
        await writer.drain()

    async with scripted(script) as record:
        answer = await forwarder.forward(record.upstream, GET)
        forwarder.woke()
        go.set()
        assert await answer.read(10) == b"ab"
