"""Chunked uploads, trailers, Expect, and answers that come before an upload has ended (RFC 9112 7, RFC 9110 10.1.1)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tests.probes.back import Turn, answer, said
from tests.probes.judging import FOLLOWING, HIDDEN, accepted
from tests.probes.model import Run, Verdict, add, bad, doubtful, ok, probe
from tests.probes.peer import Peer

CHUNKS = "Chunked uploads"
EXPECT = "Expect and early answers"
TE = "Transfer-Encoding: chunked"


def _chunk(data: bytes, size: bytes | None = None, more: bytes = b"") -> bytes:
    return (size or b"%x" % len(data)) + more + b"\r\n" + data + b"\r\n"


END = b"0\r\n\r\n"


def _good(make: Callable[[bytes], bytes]) -> Run:
    async def run(peer: Peer) -> Verdict:
        return await accepted(peer, peer.put(TE, "Connection: close") + make(peer.upload))

    return run


GOOD: dict[str, Callable[[bytes], bytes]] = {
    "one chunk": lambda data: _chunk(data) + END,
    "a chunk for each byte": lambda data: b"".join(_chunk(data[at : at + 1]) for at in range(len(data))) + END,
    "sizes with leading zeros and capitals": lambda data: _chunk(data, b"00%X" % len(data)) + END,
    "a chunk extension": lambda data: _chunk(data, more=b";name=value") + END,
    "trailers": lambda data: _chunk(data) + b"0\r\nX-Checksum: 1\r\n\r\n",
}
for _name, _make in GOOD.items():
    add(CHUNKS, _name, f"An upload in chunks, with {_name}, arrives whole.", _good(_make))


def _hostile(make: Callable[[bytes], bytes]) -> Run:
    async def run(peer: Peer) -> Verdict:
        talk = await peer.talk()
        await talk.say(peer.put(TE) + make(peer.upload) + peer.head(FOLLOWING, "Connection: close"))
        reply = await talk.answer()
        if reply.status in (0, 200, 201) and reply.ended == "open":
            await talk.half_close()
            reply = await talk.answer()
        await talk.rest()
        followed = any(FOLLOWING in turn.target for turn in peer.back.turns)
        whole = [turn for turn in peer.back.turns if turn.read and b"hello" in turn.body]
        if reply.status >= 400 or reply.status == 0:
            # What a relay had begun to send must be seen to break off.
            if whole and not whole[0].line.gone.is_set():
                return bad("refused, but the server got a request that looked whole")
            if followed:
                return bad("refused, but what stood behind it was read as a request")
            return ok(f"refused with {reply}" if reply.status else "the connection was dropped")
        return doubtful("taken, and written anew") if whole else bad("taken as another body")

    return run


BAD: dict[str, Callable[[bytes], bytes]] = {
    "a size with 0x": lambda data: _chunk(data, b"0x%x" % len(data)) + END,
    "a size with a plus": lambda data: _chunk(data, b"+%x" % len(data)) + END,
    "a size with a minus": lambda data: _chunk(data, b"-%x" % len(data)) + END,
    "a size with a blank before it": lambda data: _chunk(data, b" %x" % len(data)) + END,
    "a size with an underscore": lambda data: _chunk(data, b"0_%x" % len(data)) + END,
    "no size": lambda data: b"\r\n" + data + b"\r\n" + END,
    "a size that is none": lambda data: b"zz\r\n" + data + b"\r\n" + END,
    "a size past 64 bits": lambda data: b"1%016x\r\n" % len(data) + data + b"\r\n" + END,
    "no line end after the data": lambda data: b"%x\r\n" % len(data) + data + END,
    "other bytes after the data": lambda data: b"%x\r\n" % len(data) + data + b"XX" + END,
    "a bare line feed after a size": lambda data: b"%x\n" % len(data) + data + b"\r\n" + END,
    "a bare line feed after the data": lambda data: b"%x\r\n" % len(data) + data + b"\n" + END,
    "a bare carriage return after a size": lambda data: b"%x\r" % len(data) + data + b"\r\n" + END,
    "an extension with a NUL": lambda data: _chunk(data, more=b";x=\0") + END,
    "an extension with a bare line feed": lambda data: _chunk(data, more=b";x\n") + END,
    "a trailer without a colon": lambda data: _chunk(data) + b"0\r\nnothing\r\n\r\n",
    "a trailer with a blank before the colon": lambda data: _chunk(data) + b"0\r\nX : 1\r\n\r\n",
    "a trailer with a NUL": lambda data: _chunk(data) + b"0\r\nX: \0\r\n\r\n",
    "an end without its last line": lambda data: _chunk(data) + b"0\r\n",
}
for _name, _make in BAD.items():
    add(CHUNKS, _name, f"An upload in chunks, with {_name}: refused, and nothing behind it is read.", _hostile(_make))


@probe(CHUNKS, "a megabyte of chunk extensions")
async def _extensions(peer: Peer) -> Verdict:
    """Extensions carry nothing, and must not carry it without end (RFC 9112 section 7.1.1)."""
    many = b"".join(_chunk(peer.upload[at : at + 1], more=b";" + b"x" * 40000) for at in range(len(peer.upload)))
    _, reply = await peer.ask(peer.put(TE, "Connection: close") + many + END)
    if reply.status >= 400 or reply.status == 0:
        return ok(f"refused with {reply}")
    return doubtful("taken: a body of 20 bytes may cost any amount")


@probe(CHUNKS, "an extension that never ends")
async def _extension(peer: Peer) -> Verdict:
    """One line of 2 MB."""
    _, reply = await peer.ask(
        peer.put(TE, "Connection: close") + _chunk(peer.upload, more=b";" + b"x" * 2_000_000) + END
    )
    return ok(f"refused with {reply}") if reply.status >= 400 or reply.status == 0 else doubtful("taken")


@probe(CHUNKS, "trailers without end")
async def _many_trailers(peer: Peer) -> Verdict:
    """A million bytes of trailers are refused, as so many fields would be in a head."""
    lines = b"".join(b"X-%d: %s\r\n" % (number, b"y" * 90) for number in range(10_000))
    _, reply = await peer.ask(peer.put(TE, "Connection: close") + _chunk(peer.upload) + b"0\r\n" + lines + b"\r\n")
    return ok(f"refused with {reply}") if reply.status >= 400 or reply.status == 0 else doubtful("taken")


@probe(CHUNKS, "trailers that are no trailers")
async def _trailers(peer: Peer) -> Verdict:
    """`Authorization`, `Content-Length` or `Host` in a trailer must never be merged into the head (RFC 9110 6.5.1)."""
    more = b"0\r\nAuthorization: token evil\r\nContent-Length: 3\r\nHost: evil\r\n\r\n"
    _, reply = await peer.ask(peer.put(TE, "Connection: close") + _chunk(peer.upload) + more)
    for turn in peer.back.turns:
        if b"evil" in turn.head:
            return bad("merged into the head")
    return ok("dropped" if reply.status < 400 else f"refused with {reply.status}")


@probe(CHUNKS, "an upload whose chunks break off")
async def _broken_off(peer: Peer) -> Verdict:
    """A visitor goes away between two chunks: the server must see that something is missing."""
    talk = await peer.talk()
    await talk.say(peer.put(TE) + _chunk(peer.upload))
    await peer.back.asked(seconds=0.5)
    talk.abort()
    turn = next(iter(peer.back.turns), None)
    if turn is None:
        return ok("the server never heard of it")
    await turn.line.gone.wait()
    return ok("the server's connection was dropped within it")


@probe(EXPECT, "100-continue")
async def _continue(peer: Peer) -> Verdict:
    """`100 Continue` comes, then the upload goes on, then its answer comes."""
    talk = await peer.talk()
    await talk.say(peer.put("Expect: 100-continue", f"Content-Length: {len(peer.upload)}", "Connection: close"))
    try:
        async with asyncio.timeout(12):
            first = await talk.reader.readuntil(b"\r\n\r\n")
    except (TimeoutError, asyncio.IncompleteReadError):
        return bad("no word")
    if not first.startswith(b"HTTP/1.1 100"):
        return bad("answered before the upload")
    await talk.say(peer.upload)
    reply = await talk.answer()
    return ok("as it should") if reply.whole and reply.status < 300 else bad(f"then answered with {reply}")


@probe(EXPECT, "100-continue to what is refused")
async def _no_continue(peer: Peer) -> Verdict:
    """Who may not upload is told so instead of being invited."""
    head = peer.put("Expect: 100-continue", "Content-Length: 900000000", "Connection: close")

    async def refuse(turn: Turn) -> bool:
        turn.say(said(b"", status="413 Too Large"))
        return False

    peer.back.plays(refuse)
    _, reply = await peer.ask(head)
    if reply.interim:
        return doubtful("invited to send 900 MB before anybody had judged it")
    return ok(f"refused with {reply.status}") if reply.status >= 400 else bad(f"answered with {reply}")


@probe(EXPECT, "100-continue and a body that does not wait")
async def _impatient(peer: Peer) -> Verdict:
    """The body comes at once behind the head: the answer is a whole one all the same."""
    _, reply = await peer.ask(
        peer.put("Expect: 100-continue", f"Content-Length: {len(peer.upload)}", "Connection: close") + peer.upload
    )
    return ok("as it should") if reply.whole and reply.status < 300 else bad(f"answered with {reply}")


@probe(EXPECT, "100-continue in HTTP/1.0")
async def _old_expect(peer: Peer) -> Verdict:
    """HTTP/1.0 knows no interim answers: the field is not heeded (RFC 9110 section 10.1.1)."""
    head = peer.put("Expect: 100-continue", f"Content-Length: {len(peer.upload)}")
    _, reply = await peer.ask(head.replace(b"HTTP/1.1", b"HTTP/1.0", 1) + peer.upload)
    if reply.interim:
        return bad("sent an interim answer that such a visitor takes for the answer")
    return ok("not heeded") if reply.whole else bad(f"answered with {reply}")


@probe(EXPECT, "another expectation")
async def _other(peer: Peer) -> Verdict:
    """`Expect: 200-maybe` is answered 417, or not heeded; it does not reach the server."""
    _, reply = await peer.ask(peer.head("a.csv", "Expect: 200-maybe", "Connection: close"))
    if any(turn.all("expect") for turn in peer.back.turns):
        return doubtful("passed on to the server")
    return ok(f"answered with {reply.status}") if reply.status else bad(f"answered with {reply}")


@probe(EXPECT, "a refusal while the upload still runs")
async def _lingering(peer: Peer) -> Verdict:
    """An upload that may not be is refused at once; the visitor, who reads only when all is sent, finds the refusal."""

    async def refuse(turn: Turn) -> bool:
        turn.say(answer("Content-Length: 4", "Connection: close", status="413 Too Large", body=b"much"))
        await turn.sent()
        return False

    peer.back.plays(refuse)
    talk = await peer.talk()
    await talk.say(peer.put("Content-Length: 200000000", "Connection: close"))
    for _ in range(64):
        await talk.say(b"x" * 65536)
        await asyncio.sleep(0)
    reply = await talk.answer()
    if reply.status == 0:
        return bad(f"the refusal was lost: {reply}")
    return ok(f"{reply.status} arrives") if reply.whole and reply.status >= 400 else bad(f"answered with {reply}")


@probe(EXPECT, "an early answer and then the next request")
async def _no_confusion(peer: Peer) -> Verdict:
    """After an answer that came before the end of an upload, the rest of the upload is not read as a request."""
    inner = b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % HIDDEN.encode()

    async def refuse(turn: Turn) -> bool:
        turn.say(said(b"", status="403 Forbidden"))
        return False

    peer.back.plays(refuse)
    talk = await peer.talk()
    await talk.say(peer.put("Content-Length: 900000000") + inner * 1000)
    reply = await talk.answer()
    await talk.say(inner * 1000)
    await talk.rest(1.0)
    if any(HIDDEN in turn.target for turn in peer.back.turns):
        return bad("the rest of the upload was read as requests")
    return ok(f"answered {reply.status}, and nothing more is read") if reply.status else bad(f"{reply}")
