"""Requests that two readers could understand differently, and bodies and heads that hold a server up."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from sharegate.prove import reading
from tests.attacks.conftest import SETTINGS
from tests.attacks.ground import rows
from tests.gatehouse import Gatehouse, Inside, gatehouse
from tests.real.jupyter import JupyterServer

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

DATA = b"a,b\n1,2\n"
PATH = "files/sub/shared/data.csv"


class Talk:
    """One connection to the gate, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        with contextlib.suppress(ConnectionError):
            await self.writer.drain()

    async def all(self, seconds: float = 30) -> bytes:
        """Everything until the gate closes."""
        parts = []
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(seconds):
                while part := await self.reader.read(65536):
                    parts.append(part)
        return b"".join(parts)


@contextlib.asynccontextmanager
async def talking(gate: Gatehouse) -> AsyncIterator[Talk]:
    reader, writer = await asyncio.open_connection("127.0.0.1", gate.running.config.gate_port)
    try:
        yield Talk(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def head(ann: Inside, method: str = "GET", path: str = PATH, *more: str, host: str | None = None) -> str:
    """A request head without its empty line, closing the connection."""
    lines = [
        f"{method} {ann.base}{path} HTTP/1.1",
        f"Host: {host or ann.gate.origin.removeprefix('http://')}",
        *(f"{name}: {value}" for name, value in ann.manners(method).items() if name != "Host"),
        *more,
    ]
    return "\r\n".join(lines) + "\r\n"


async def ask(gate: Gatehouse, data: str) -> bytes:
    """All answers until the gate closes."""
    async with talking(gate) as talk:
        await talk.say(data.encode("latin-1"))
        return await talk.all()


async def first_head(gate: Gatehouse, data: str) -> bytes:
    """The head of the first answer: what is behind it may be waiting for a body that never comes."""
    async with talking(gate) as talk:
        await talk.say(data.encode("latin-1"))
        return await talk.reader.readuntil(b"\r\n\r\n")


def status(answer: bytes) -> int:
    assert answer.startswith((b"HTTP/1.1 ", b"HTTP/1.0 ")), answer[:100]
    return int(answer.split(b" ")[1])


async def test_the_plain_request_is_answered(gate: Gatehouse, ann: Inside) -> None:
    """What all attacks below are variations of."""
    answer = await ask(gate, head(ann, "GET", PATH, "Connection: close") + "\r\n")

    assert status(answer) == 200 and answer.endswith(DATA)


CLOSE = "Connection: close"
TWO_READINGS = {
    "two hosts": ["Host: evil.example", CLOSE],
    "two hosts that agree": ["Host: {host}", CLOSE],
    "length and chunks": ["Content-Length: 4", "Transfer-Encoding: chunked", CLOSE],
    "chunks and length": ["Transfer-Encoding: chunked", "Content-Length: 4", CLOSE],
    "two lengths": ["Content-Length: 0", "Content-Length: 4", CLOSE],
    "list of lengths": ["Content-Length: 0, 4", CLOSE],
    "same length twice in a list": ["Content-Length: 0, 0", CLOSE],
    "length with a sign": ["Content-Length: +0", CLOSE],
    "negative length": ["Content-Length: -1", CLOSE],
    "length in hexadecimal": ["Content-Length: 0x0", CLOSE],
    "unknown coding": ["Transfer-Encoding: identity", CLOSE],
    "hidden chunks": ["Transfer-Encoding: xchunked", CLOSE],
    "chunks twice": ["Transfer-Encoding: chunked, chunked", CLOSE],
    "space before the colon": ["X-Thing : 1", CLOSE],
    "folded line": ["X-Thing: 1", " folded", CLOSE],
    "name with a control character": ["X-Th\x01ing: 1", CLOSE],
    "value with NUL": ["X-Thing: a\x00b", CLOSE],
    "value with a bare CR": ["X-Thing: a\rb", CLOSE],
    "no name": [": 1", CLOSE],
    "no colon": ["nothing", CLOSE],
}


@pytest.mark.parametrize("lines", TWO_READINGS.values(), ids=TWO_READINGS.keys())
async def test_attack_heads_with_two_readings(gate: Gatehouse, ann: Inside, lines: list[str]) -> None:
    """Refused as a whole; what follows on the connection is not read as another request."""
    host = gate.origin.removeprefix("http://")
    asked = head(ann, "GET", PATH, *(line.format(host=host) for line in lines)) + "\r\n"
    smuggled = head(ann, "GET", "files/sub/shared/notes.md", CLOSE) + "\r\n"
    answer = await ask(gate, asked + smuggled)

    assert status(answer) in (400, 421), answer[:200]
    assert DATA not in answer and b"shared notes" not in answer


@pytest.mark.parametrize(
    "lines",
    {
        "two, the first bad": ["Authorization: token bad", "Authorization: token {token}"],
        "two, the second bad": ["Authorization: token {token}", "Authorization: token bad"],
        "one in small letters": ["authorization: token {token}"],
        "bearer": ["Authorization: Bearer {token}"],
        "basic": ["Authorization: Basic OnRva2Vu"],
    }.values(),
)
async def test_attack_credentials_of_the_server(gate: Gatehouse, ann: Inside, lines: list[str]) -> None:
    """The raw token, well or badly spelled, opens nothing at the gate, beside the visit's cookie or alone."""
    fields = [line.format(token=gate.jupyter.token) for line in lines]
    for who in (ann, replace(ann, cookie="")):
        answer = await ask(gate, head(who, "GET", PATH, *fields, CLOSE) + "\r\n")
        assert status(answer) == 401 and DATA not in answer


@pytest.mark.parametrize(
    "origin", [None, "http://evil.example", "null", "http://127.0.0.1", "{gate}/", "{gate} {gate}"]
)
async def test_attack_a_change_from_another_origin(gate: Gatehouse, ann: Inside, origin: str | None) -> None:
    """A bare server trusts whoever has its token; here every method that changes something must come from our page."""
    fields = {} if origin is None else {"Origin": origin.format(gate=gate.origin)}
    manners = {name: value for name, value in ann.manners("PUT").items() if name != "Origin"}
    before = await ann.ask("GET", "lab/api/workspaces/default")
    for method, path in (
        ("PUT", "lab/api/workspaces/default"),
        ("DELETE", "lab/api/workspaces/default"),
        ("PUT", "lab/api/settings/@jupyterlab/apputils-extension:themes"),
        ("PUT", "api/collaboration/session/sub/shared/nb.ipynb"),
        ("POST", "api/security/csp-report"),
        ("POST", "-/leave"),
        ("POST", "-/device"),
        ("PATCH", "api/contents/sub/shared/data.csv"),
    ):
        reply = await gate.raw(method, ann.base + path, {**manners, **fields}, b'{"data":{},"metadata":{}}')
        assert (reply.status, reply.public) == (403, "cross_site"), path
    assert (await ann.ask("GET", "lab/api/workspaces/default")).body == before.body


TARGETS = {
    "absolute form": "GET http://{host}{base}" + PATH,
    "absolute form elsewhere": "GET http://evil.example{base}" + PATH,
    "authority form": "CONNECT {host}",
    "asterisk": "OPTIONS *",
    "no slash": "GET files/x",
    "fragment": "GET {base}" + PATH + "#x",
    "space inside": "GET {base}" + PATH + " x",
    "tab inside": "GET {base}" + PATH + "\tx",
    "raw byte above ASCII": "GET {base}files/sub/shared/\xfc",
    "two slashes before": "GET //evil.example{base}" + PATH,
    "dots before the visit": "GET /x/..{base}" + PATH,
    "encoded address of the gate": "GET /%73/x/~y/" + PATH,
    "other share": "GET /s/other/~other/" + PATH,
}


@pytest.mark.parametrize("line", TARGETS.values(), ids=TARGETS.keys())
async def test_attack_targets_of_another_form(gate: Gatehouse, ann: Inside, line: str) -> None:
    """Only the origin form is read (RFC 9112 section 3.2.1)."""
    host = gate.origin.removeprefix("http://")
    fields = head(ann, "GET", "x", CLOSE).partition("\r\n")[2]
    answer = await ask(gate, f"{line.format(host=host, base=ann.base)} HTTP/1.1\r\n{fields}\r\n")

    assert status(answer) in (400, 401, 403, 404, 405, 501), answer[:200]
    assert DATA not in answer


@pytest.mark.parametrize("version", ["HTTP/0.9", "HTTP/1.2", "HTTP/2.0", "HTTP/11", "http/1.1", "HTTP/1.1 x", ""])
async def test_attack_other_versions(gate: Gatehouse, ann: Inside, version: str) -> None:
    """Refused: what a version that nobody here speaks would mean by these bytes is not known."""
    answer = await ask(gate, head(ann, "GET", PATH, CLOSE).replace("HTTP/1.1", version, 1) + "\r\n")

    assert answer.count(b"HTTP/") == 1
    assert answer.split(b" ")[1] in (b"400", b"505") and DATA not in answer


async def test_attack_bare_line_feeds(gate: Gatehouse, ann: Inside) -> None:
    """The upstream accepts them; whatever is made of them here, a line cannot hide in another one's value."""
    bare = (head(ann, "GET", PATH, CLOSE) + "\r\n").replace("\r\n", "\n")
    hidden = head(ann, "GET", PATH, "X-Thing: 1\nCookie: sharegate-visit=other", CLOSE) + "\r\n"
    for answer in (await ask(gate, bare), await ask(gate, hidden)):
        assert status(answer) in (400, 401)
        assert DATA not in answer


async def test_attack_a_request_behind_a_refused_one(gate: Gatehouse, ann: Inside) -> None:
    """Pipelined requests are judged one by one: a refusal says nothing of the next, and its body is no request."""
    inner = head(ann, "GET", PATH, CLOSE) + "\r\n"
    refused = head(ann, "PUT", "api/contents/sub/shared/new.txt", f"Content-Length: {len(inner)}") + "\r\n" + inner
    stranger = f"GET {ann.base}{PATH} HTTP/1.1\r\nHost: {gate.origin.removeprefix('http://')}\r\n\r\n"
    after_body = await ask(gate, refused + head(ann, "GET", "api/me", CLOSE) + "\r\n")
    after_stranger = await ask(gate, stranger + head(ann, "GET", PATH, CLOSE) + "\r\n")

    assert DATA not in after_body and status(after_body) in (400, 403)
    assert status(after_stranger) == 401 and after_stranger.count(b"HTTP/1.1 ") == 2
    assert after_stranger.endswith(DATA)


@pytest.mark.parametrize("size", [20_000, 70_000, 2_000_000])
async def test_attack_long_heads(gate: Gatehouse, ann: Inside, size: int) -> None:
    """One long field, a long target, or very many fields: refused without holding them."""
    for asked in (
        head(ann, "GET", PATH, "X-Thing: " + "x" * size, CLOSE),
        head(ann, "GET", PATH + "?" + "x" * size, CLOSE),
        head(ann, "GET", PATH, *(f"X-{number}: {'y' * 90}" for number in range(size // 100)), "X-End: " + "z" * 17_000),
    ):
        answer = await ask(gate, asked + "\r\n")
        assert not answer or status(answer) in (400, 413, 414, 431), answer[:200]
        assert DATA not in answer


# -- bodies -----------------------------------------------------------------------------------------------------------


async def test_attack_expect_is_answered_after_the_head_was_judged(gate: Gatehouse, ann: Inside) -> None:
    """`100 Continue` comes only for a request that may have a body; a refused one gets its refusal instead."""
    async with talking(gate) as talk:
        await talk.say(
            (
                head(ann, "PUT", "lab/api/workspaces/default", "Expect: 100-continue", "Content-Length: 24", CLOSE)
                + "\r\n"
            ).encode()
        )
        first = await talk.reader.readuntil(b"\r\n\r\n")
        await talk.say(b'{"data":{},"metadata":{}')
        await talk.say(b"}")
        rest = await talk.all()
    refusals = [
        await first_head(gate, head(ann, "PUT", path, "Expect: 100-continue", "Content-Length: 24", CLOSE) + "\r\n")
        for path in ("api/contents/secret/x.txt", "api/collaboration/session/secret/private.ipynb", "api/shutdown")
    ]
    unknown = await ask(gate, head(ann, "GET", PATH, "Expect: 200-maybe", CLOSE) + "\r\n")

    assert first == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert status(rest) in (204, 400)
    for answer in refusals:
        assert b"100 Continue" not in answer and status(answer) in (403, 404)
    assert status(unknown) == 417 and DATA not in unknown


@pytest.mark.parametrize(
    "path", [PATH, "api/contents/sub/shared/data.csv?content=1", "lab", "api/me", "static/lab/x.js"]
)
@pytest.mark.parametrize("how", ["Content-Length: 5", "Transfer-Encoding: chunked"])
async def test_attack_a_body_where_none_belongs(gate: Gatehouse, ann: Inside, path: str, how: str) -> None:
    """A GET with a body is refused; the body is not taken for the next request."""
    body = "5\r\nGET /\r\n0\r\n\r\n" if "chunked" in how else "GET /"
    answer = await ask(gate, head(ann, "GET", path, how, CLOSE) + "\r\n" + body)

    assert status(answer) == 400, answer[:200]
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("path", [PATH, "api/contents/sub/shared/data.csv", "api/me", "lab", "-/live", "-/page.js"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_attack_upload_to_a_reading_address(gate: Gatehouse, ann: Inside, method: str, path: str) -> None:
    """Refused before the body is read: a hundred megabytes are announced and none is waited for."""
    answer = await first_head(gate, head(ann, method, path, "Content-Length: 100000000", CLOSE) + "\r\n" + "x" * 1000)

    assert status(answer) in (400, 403, 404, 405, 413), answer[:200]
    assert (gate.jupyter.root / "sub/shared/data.csv").read_bytes() == DATA


@pytest.mark.parametrize(
    "body",
    ["zz\r\nhello\r\n0\r\n\r\n", "5;x=\x00\r\nhello\r\n0\r\n\r\n", "-5\r\nhello\r\n0\r\n\r\n", "5\r\nhelloXX0\r\n\r\n"],
)
async def test_attack_malformed_chunks(gate: Gatehouse, ann: Inside, body: str) -> None:
    """Half a body is no body: refused, and the connection carries nothing more."""
    asked = head(ann, "PUT", "lab/api/workspaces/default", "Transfer-Encoding: chunked", CLOSE) + "\r\n" + body
    answer = await ask(gate, asked + head(ann, "GET", PATH, CLOSE) + "\r\n")

    assert status(answer) == 400, answer[:200]
    assert DATA not in answer


# -- files ------------------------------------------------------------------------------------------------------------


async def test_files_by_range_and_condition(gate: Gatehouse, ann: Inside) -> None:
    """206, 304, 416, HEAD: as HTTP has them (RFC 9110), always sandboxed, never a leak past the range."""
    whole = await ann.ask("GET", PATH)
    part = await ann.ask("GET", PATH, headers={"Range": "bytes=0-2"})
    last = await ann.ask("GET", PATH, headers={"Range": "bytes=-4"})
    beyond = await ann.ask("GET", PATH, headers={"Range": "bytes=900-"})
    several = await ann.ask("GET", PATH, headers={"Range": "bytes=0-1,3-4"})
    nonsense = await ann.ask("GET", PATH, headers={"Range": "pages=1"})
    since = await ann.ask("GET", PATH, headers={"If-Modified-Since": whole.header("Last-Modified")})
    only = await ann.ask("HEAD", PATH)

    assert (whole.status, whole.body) == (200, DATA)
    assert (part.status, part.body, part.header("Content-Range")) == (206, b"a,b", f"bytes 0-2/{len(DATA)}")
    assert (last.status, last.body) == (206, DATA[-4:])
    assert (beyond.status, beyond.body) == (416, b"") and beyond.header("Content-Range") == f"bytes */{len(DATA)}"
    assert (several.status, several.body) == (200, DATA) and (nonsense.status, nonsense.body) == (200, DATA)
    assert (since.status, since.body) == (304, b"")
    assert (only.status, only.body, only.header("Content-Length")) == (200, b"", str(len(DATA)))
    for reply in (whole, part, last, beyond, several, nonsense, since, only):
        assert "sandbox" in reply.header("Content-Security-Policy")
        assert reply.header("X-Content-Type-Options") == "nosniff"


@pytest.mark.parametrize("path", [*rows(reading.CONDITIONAL).values(), "sub/shared/no.txt"])
async def test_attack_conditions_and_ranges_as_an_oracle(ann: Inside, path: str) -> None:
    """A condition or a range does not tell whether something outside is there."""
    for fields in reading.CONDITIONS.values():
        for method in ("GET", "HEAD"):
            assert (await ann.ask(method, f"files/{path}", headers=dict(fields))).status == 404


# -- upgrades ---------------------------------------------------------------------------------------------------------


UPGRADES = {
    "lower case": {"Upgrade": "websocket", "Connection": "upgrade"},
    "mixed case": {"Upgrade": "WebSocket", "Connection": "keep-alive, Upgrade"},
}
KEY = {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13"}


@pytest.mark.parametrize("fields", UPGRADES.values(), ids=UPGRADES.keys())
async def test_websocket_fields_are_read_without_case(gate: Gatehouse, ann: Inside, fields: dict[str, str]) -> None:
    """Both spellings open; both spellings from another origin do not."""
    asked = {**ann.manners("GET"), **fields, **KEY}
    own = await gate.raw("GET", ann.base + "-/live", {**asked, "Origin": gate.origin})
    foreign = await gate.raw("GET", ann.base + "-/live", {**asked, "Origin": "http://evil.example"})

    assert (own.status, foreign.status) == (101, 403)


@pytest.mark.parametrize("kind", ["websocket", "h2c", "WebSocket, h2c", "TLS/1.0", ""])
async def test_attack_upgrade_on_normal_addresses(gate: Gatehouse, ann: Inside, kind: str) -> None:
    """An upgrade never switches a connection that is not a channel, and opens no way past the rules for requests."""
    for path in (PATH, "api/contents/sub/shared", "lab", "api/me", "files/secret/secret.txt", "terminals/websocket/1"):
        fields = {**ann.manners("GET"), "Origin": gate.origin, "Upgrade": kind, "Connection": "Upgrade", **KEY}
        reply = await gate.raw("GET", ann.base + path, fields)
        assert reply.status != 101, path
        if path.startswith(("files/secret", "terminals")):
            assert reply.status in (403, 404)
    assert b"TOPSECRET" not in reply.body


@pytest.mark.parametrize(
    "fields",
    {
        "old version": {"Sec-WebSocket-Version": "8"},
        "no version": {"Sec-WebSocket-Version": ""},
        "two versions": {"Sec-WebSocket-Version": "13, 8"},
        "short key": {"Sec-WebSocket-Key": "c2hvcnQ="},
        "no key": {"Sec-WebSocket-Key": ""},
        "key that is no base64": {"Sec-WebSocket-Key": "%%%%%%%%%%%%%%%%%%%%%%=="},
        "no connection field": {"Connection": "close"},
    }.items(),
)
async def test_attack_handshakes_that_are_none(
    gate: Gatehouse, ann: Inside, fields: tuple[str, dict[str, str]]
) -> None:
    """Refused with 400 and no 101 (RFC 6455 section 4.2.1); the count of open channels is as before."""
    asked = {**ann.manners("GET"), "Origin": gate.origin, "Upgrade": "websocket", "Connection": "Upgrade", **KEY}
    for address in ("-/live", "api/events/subscribe", "api/collaboration/room/JupyterLab:globalAwareness"):
        reply = await gate.raw("GET", ann.base + address, {**asked, **fields[1]})
        assert reply.status in (400, 403, 426), (address, reply.status)
        assert gate.jupyter.token.encode() not in reply.body
    await until_no_channels(gate, ann)


async def until_no_channels(gate: Gatehouse, ann: Inside) -> None:
    async with asyncio.timeout(25):
        while True:
            visits = (await gate.call("GET", "visits", None, share=ann.share["id"]))["visits"]
            if all(visit["channels"] == 0 for visit in visits):
                return
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("offered", ["v1.kernel.websocket.jupyter.org", "evil", "a, b, c", "x" * 4000])
async def test_subprotocols_are_not_taken_over(gate: Gatehouse, ann: Inside, offered: str) -> None:
    """A channel without a subprotocol of its own answers with none, whatever is offered."""
    asked = {**ann.manners("GET"), "Origin": gate.origin, "Upgrade": "websocket", "Connection": "Upgrade", **KEY}
    reply = await gate.raw("GET", ann.base + "-/live", {**asked, "Sec-WebSocket-Protocol": offered})

    assert reply.status == 101 and reply.header("Sec-WebSocket-Protocol") == ""


# -- slowness ---------------------------------------------------------------------------------------------------------


async def test_attack_a_client_that_never_reads(tmp_path: Path, jupyter: JupyterServer, ann: Inside) -> None:
    """64 MB for six who do not read: the gate asks the server for no more than fits between them."""
    large = jupyter.root / "sub" / "shared" / "large.bin"
    large.write_bytes(os.urandom(1 << 20) * 64)
    process = psutil.Process()
    try:
        before = process.memory_info().rss
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(6):
                talk = await stack.enter_async_context(stalled(ann.gate))
                await talk.say((head(ann, "GET", "files/sub/shared/large.bin", CLOSE) + "\r\n").encode())
                assert (await talk.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            reply = await ann.ask("GET", PATH)  # the gate goes on
            grown = await settled(process, before)
        assert (reply.status, reply.body) == (200, DATA)
        assert grown < 48 << 20, f"{grown >> 20} MB for 6 x 64 MB that nobody reads"
    finally:
        large.unlink()


@contextlib.asynccontextmanager
async def stalled(gate: Gatehouse) -> AsyncIterator[Talk]:
    reader, writer = await asyncio.open_connection("127.0.0.1", gate.running.config.gate_port, limit=4096)
    try:
        yield Talk(reader, writer)
    finally:
        writer.transport.abort()


async def settled(process: psutil.Process, before: int) -> int:
    """How much the process has grown once it grows no more."""
    last = -1
    while (now := process.memory_info().rss - before) > last + (1 << 20):
        last = now
        await asyncio.sleep(0.3)
    return max(now, last)


async def test_attack_dripping_a_head(tmp_path: Path, jupyter: JupyterServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A head that never ends keeps nobody else out, and is dropped in time; one that has come is left alone."""
    monkeypatch.setattr("sharegate.listener.http.HEAD_SECONDS", 1.0)
    async with gatehouse(tmp_path, jupyter, **SETTINGS) as house, contextlib.AsyncExitStack() as stack:
        inside = await house.visit()
        fields = {
            **inside.manners("GET"),
            "Origin": house.origin,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            **KEY,
        }
        channel = await stack.enter_async_context(talking(house))
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        await channel.say(f"GET {inside.base}-/live HTTP/1.1\r\n{lines}\r\n".encode())
        assert (await channel.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        slow = [await stack.enter_async_context(talking(house)) for _ in range(30)]
        open_ones = set(slow)
        number = 0
        async with asyncio.timeout(25):
            while open_ones:
                number += 1
                for talk in list(open_ones):
                    await talk.say(f"X-{number}: y\r\n".encode() if number > 1 else b"GET / HTTP/1.1\r\nHost: x\r\n")
                    if talk.reader.at_eof() or talk.reader.exception() is not None:
                        open_ones.discard(talk)
                assert (await house.raw("GET", "/join")).status == 200
                await asyncio.sleep(0.05)
        assert not channel.reader.at_eof() and channel.reader.exception() is None
