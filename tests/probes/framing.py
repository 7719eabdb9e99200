"""Where a request ends: Content-Length and Transfer-Encoding in every bad spelling (RFC 9112 section 6)."""

from __future__ import annotations

from tests.probes.judging import HIDDEN, accepted, refused
from tests.probes.model import Run, Verdict, add, bad, ok, probe
from tests.probes.peer import Peer

TOPIC = "Framing of requests"

# Read by its length, it holds a request; read by its chunks, that request stands behind it.
HIDING = "0\r\n\r\nGET /{hidden} HTTP/1.1\r\nHost: x\r\nX: "


def _two_ways(*lines: str) -> Run:
    async def run(peer: Peer) -> Verdict:
        inner = HIDING.format(hidden=HIDDEN).encode()
        fields = [line.format(length=len(inner)) for line in lines]
        return await refused(peer, peer.put(*fields) + inner, ends=not any("_Enc" in line for line in lines))

    return run


TWO_WAYS = {
    "length and chunks": ("Content-Length: {length}", "Transfer-Encoding: chunked"),
    "chunks and length": ("Transfer-Encoding: chunked", "Content-Length: {length}"),
    "length and chunks in HTTP/1.1 with identity": ("Content-Length: {length}", "Transfer-Encoding: identity"),
    "length and an unknown coding": ("Content-Length: {length}", "Transfer-Encoding: xchunked"),
    "length and a coding behind a vertical tab": ("Content-Length: {length}", "Transfer-Encoding: \x0bchunked"),
    "length and a coding with a blank before the colon": ("Content-Length: {length}", "Transfer-Encoding : chunked"),
    "length and a coding with an underscore": ("Content-Length: {length}", "Transfer_Encoding: chunked"),
    "length and a folded coding": ("Content-Length: {length}", "Transfer-Encoding:", " chunked"),
    "length and a coding in quotes": ("Content-Length: {length}", 'Transfer-Encoding: "chunked"'),
    "chunks, then identity": ("Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
    "chunks twice": ("Transfer-Encoding: chunked, chunked",),
    "chunks not last": ("Transfer-Encoding: chunked, gzip",),
    "gzip before chunks": ("Transfer-Encoding: gzip, chunked",),
    "chunks with a parameter": ("Transfer-Encoding: chunked;q=1",),
    "an empty coding before chunks": ("Transfer-Encoding: , chunked",),
    "two lengths": ("Content-Length: 5", "Content-Length: {length}"),
    "two lengths, the longer first": ("Content-Length: {length}", "Content-Length: 5"),
    "a list of lengths": ("Content-Length: 5, {length}",),
    "a list of equal lengths": ("Content-Length: {length}, {length}",),
    "a length with a plus": ("Content-Length: +{length}",),
    "a length with a minus": ("Content-Length: -{length}",),
    "a length in hexadecimal": ("Content-Length: 0x{length}",),
    "a length with a blank inside": ("Content-Length: 1 {length}",),
    "a length with a point": ("Content-Length: {length}.0",),
    "a length with an underscore": ("Content-Length: 1_0",),
    "a length past 64 bits": ("Content-Length: 184467440737095516{length}",),
    "an empty length": ("Content-Length:",),
    "a length with a blank before the colon": ("Content-Length : {length}",),
    "a length with a NUL": ("Content-Length: {length}\x00",),
}

for _name, _lines in TWO_WAYS.items():
    _shown = " and ".join(f"`{line.strip()}`" for line in _lines).replace("\x0b", "\\v").replace("\x00", "\\0")
    add(TOPIC, _name, f"An upload with {_shown.replace('{length}', 'n')}.", _two_ways(*_lines))


async def _twice_equal(peer: Peer) -> Verdict:
    size = f"Content-Length: {len(peer.upload)}"
    return await refused(peer, peer.put(size, size) + peer.upload, taken="taken as one length")


add(TOPIC, "the same length twice", "Two equal Content-Length fields: one may be made of them, or none.", _twice_equal)


@probe(TOPIC, "a plain upload with a length")
async def _plain(peer: Peer) -> Verdict:
    """An upload with `Content-Length: n` arrives whole."""
    return await accepted(peer, peer.put(f"Content-Length: {len(peer.upload)}") + peer.upload)


@probe(TOPIC, "chunks in HTTP/1.0")
async def _old_chunks(peer: Peer) -> Verdict:
    """HTTP/1.0 has no Transfer-Encoding: nobody knows where this upload ends (RFC 9112 section 6.1)."""
    head = peer.put("Transfer-Encoding: chunked", "Connection: keep-alive").replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    return await refused(peer, head + HIDING.format(hidden=HIDDEN).encode(), ends=True)


@probe(TOPIC, "a GET with a length")
async def _get(peer: Peer) -> Verdict:
    """A body on a GET has no meaning; it must not become the next request."""
    inner = f"GET /{HIDDEN} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    talk, reply = await peer.ask(peer.head("a.csv", f"Content-Length: {len(inner)}") + inner)
    await talk.say(peer.head("b.csv", "Connection: close"))
    await talk.rest()
    if any(HIDDEN in turn.target for turn in peer.back.turns):
        return bad("the body became a request")
    return ok(f"refused with {reply.status}" if reply.status >= 400 else "passed on as a body")


@probe(TOPIC, "a GET with chunks")
async def _get_chunks(peer: Peer) -> Verdict:
    """The same in chunks."""
    inner = f"GET /{HIDDEN} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(inner), inner)
    _, reply = await peer.ask(peer.head("a.csv", "Transfer-Encoding: chunked") + body)
    if any(HIDDEN in turn.target for turn in peer.back.turns):
        return bad("the body became a request")
    return ok(f"refused with {reply.status}" if reply.status >= 400 else "passed on as a body")


@probe(TOPIC, "a body that ends early")
async def _short(peer: Peer) -> Verdict:
    """A visitor who goes away within an upload: the server must not be given a whole one."""
    talk = await peer.talk()
    await talk.say(peer.put(f"Content-Length: {len(peer.upload) + 10}") + peer.upload)
    await peer.back.asked(seconds=0.5)
    talk.abort()
    turn = next(iter(peer.back.turns), None)
    if turn is None:
        return ok("the server never heard of it")
    await turn.line.gone.wait()
    announced = turn.all("content-length")
    if announced and len(turn.body) < int(announced[0]):
        return ok("the server's connection was dropped within it")
    return bad("the server got a request that looked whole")
