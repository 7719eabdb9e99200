"""Tests of upstream/forward.py: HTTP, against the real server and against servers that lie."""

from __future__ import annotations

import asyncio
import logging

import pytest

from sharegate.errors import Denied, Reason
from sharegate.messages import Body
from sharegate.upstream.forward import AiohttpForwarder, Timeouts
from sharegate.upstream.interfaces import Incoming, Outgoing
from sharegate.upstream.model import Upstream
from tests.upstream.bad import BAD, CUT
from tests.upstream.scripted import SECRET, Recorder, ok, saying, scripted
from tests.upstream.sent import GET, Pieces

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
        await asyncio.wait_for(done.wait(), 25)
    assert b"0\r\n\r\n" not in rest[0]


async def test_a_slow_upload_is_not_taken_for_a_slow_server() -> None:
    """The time to the first byte counts from the end of the body."""

    async def script(record: Recorder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await record.head(reader)
        await reader.readuntil(b"0\r\n\r\n")
        writer.write(ok(b"ok", b"Connection: close"))

    times = Timeouts(connect=2, first_byte=0.5, idle=2.5)
    async with AiohttpForwarder(timeouts=times) as hasty, scripted(script) as server:
        for body in (Pieces(b"1", b"2", b"3", b"4", pause=0.8), Pieces(b"1", before=3.2)):
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
